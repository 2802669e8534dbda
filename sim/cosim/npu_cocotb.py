"""The cocotb bench that plays the analog array: Python runs once per layer read or programming operation, never per
clock cycle.

It runs inside the simulator, in a job's folder; `sim.cosim.run` writes the folder and reads the record afterwards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, ValueChange

from spikeloom.sim.cosim.macro_model import MacroModel, drift_file, load_models
from spikeloom.sim.cosim.npu_bench import context_name

CLOCK_NS = 10


def answer_read(handle: Any, context: Any, model: MacroModel) -> None:
    """Answer a read of a layer's macro: codes and over-range flags of all its tiles at once.

    context is a signal of 96 bits: place in the stream, image, number of the read.
    """
    where = int(str(context.value), 2)
    image, read = where >> 32 & 0xFFFFFFFF, where & 0xFFFFFFFF
    handle.answer.value = model.answer(str(handle.latched.value), image, read, where >> 64)


def answer_operation(handle: Any, model: MacroModel, position: int = 0) -> None:
    """Carry out a programming operation of a layer's macro: a pulse, or a verify read, of all its row tiles.

    position is the place in the stream of the image that comes next.
    """
    codes = model.program(str(handle.program_word.value), position)
    if codes is not None:
        handle.program_answer.value = codes


async def answer_reads(handle: Any, context: Any, models: list[MacroModel], index: int) -> None:
    """Answer every read of layer `index`. `models` may be exchanged while this runs."""
    request = ValueChange(handle.request)
    while True:
        await request
        answer_read(handle, context, models[index])


async def answer_operations(handle: Any, models: list[MacroModel], index: int) -> None:
    """Carry out every programming operation of layer `index`."""
    request = ValueChange(handle.program_request)
    while True:
        await request
        answer_operation(handle, models[index])


@cocotb.test()
async def play(dut: Any) -> None:
    """Run until the bench has no more images, then leave the conductance-weighted pulse sums for the energy, and where
    the cells have drifted.
    """
    models = load_models(Path.cwd())
    for index, model in enumerate(models):
        context = getattr(dut, context_name(index, model.parameters))
        cocotb.start_soon(answer_reads(getattr(dut.chip, f"macro_{index}"), context, models, index))
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    await RisingEdge(dut.finished)
    totals = {f"layer_{index}": model.totals() for index, model in enumerate(models)}
    np.savez("conductance.npz", **totals)  # type: ignore[arg-type]
    position = int(str(dut.context_word.value), 2) >> 64
    np.savez("drift.npz", **drift_file(models, position))  # type: ignore[arg-type]
