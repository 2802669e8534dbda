"""The cocotb bench that plays the analog array: Python runs once a layer read, never once a clock cycle.

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


async def _macro(handle, context, model: MacroModel) -> None:
    """Answer every read of one layer's crossbar: codes and over-range flags of all its tiles at once."""
    request = ValueChange(handle.request)
    latched, answer = handle.latched, handle.answer
    while True:
        await request
        where = int(str(context.value), 2)
        image, step = where >> 32 & 0xFFFFFFFF, where & 0xFFFFFFFF
        answer.value = model.answer(str(latched.value), image, step, where >> 64)


@cocotb.test()
async def play(dut) -> None:
    """Run until the bench has no more images, then leave the conductance-weighted pulse sums for the energy."""
    models = load_models(Path.cwd())
    for index, model in enumerate(models):
        cocotb.start_soon(_macro(getattr(dut.chip, f"macro_{index}"), dut.context_word, model))
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    await RisingEdge(dut.finished)
    totals = {f"layer_{index}": model.totals() for index, model in enumerate(models)}
    np.savez("conductance.npz", **totals)  # type: ignore[arg-type]
