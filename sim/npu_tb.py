"""The cocotb bench that plays the analog array: Python runs once a layer read or programming operation, never once
a clock cycle.

It runs inside the simulator, in a job's folder; `sim.cosim` writes the folder and reads the record afterwards.
"""

from __future__ import annotations

from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, ValueChange

from sim.macro import MacroModel, load_models

CLOCK_NS = 10


async def answer_reads(handle, context, models: list[MacroModel], index: int) -> None:
    """Answer every read of layer `index`: codes and over-range flags of all its tiles at once.

    handle is the macro's; context is a signal of 96 bits: place in the stream, image, step. `models` may be exchanged
    while this runs.
    """
    request = ValueChange(handle.request)
    latched, answer = handle.latched, handle.answer
    while True:
        await request
        where = int(str(context.value), 2)
        image, step = where >> 32 & 0xFFFFFFFF, where & 0xFFFFFFFF
        answer.value = models[index].answer(str(latched.value), image, step, where >> 64)


async def answer_operations(handle, models: list[MacroModel], index: int) -> None:
    """Carry out every programming operation of layer `index`: a pulse, or a verify read, of all its row tiles."""
    request = ValueChange(handle.program_request)
    word, answer = handle.program_word, handle.program_answer
    while True:
        await request
        codes = models[index].program(str(word.value))
        if codes is not None:
            answer.value = codes


@cocotb.test()
async def play(dut) -> None:
    """Run until the bench has no more images, then leave the conductance-weighted pulse sums for the energy."""
    models = load_models(Path.cwd())
    for index in range(len(models)):
        cocotb.start_soon(answer_reads(getattr(dut.chip, f"macro_{index}"), dut.context_word, models, index))
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    await RisingEdge(dut.finished)
    totals = {f"layer_{index}": model.totals() for index, model in enumerate(models)}
    np.savez("conductance.npz", **totals)  # type: ignore[arg-type]
