"""The cocotb bench that plays the analog array of a chip with buses, and serves the host's calls to the device model.

It runs inside the simulator, in a job's folder; `sim.host_link` starts it. Python runs once a layer read, once a
programming operation, and once a call.
"""

from __future__ import annotations

from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, ValueChange

from sim.macro import MacroModel, load_models
from sim.npu_tb import CLOCK_NS

RELOAD, TOTALS, CELLS = 6, 7, 8
"""Calls, by the number of the bench's command."""


async def _reads(handle, context, models: list[MacroModel], index: int) -> None:
    """Answer every read of one layer's crossbar: codes and over-range flags of all its tiles at once."""
    request = ValueChange(handle.request)
    latched, answer = handle.latched, handle.answer
    while True:
        await request
        where = int(str(context.value), 2)
        image, step = where >> 32 & 0xFFFFFFFF, where & 0xFFFFFFFF
        answer.value = models[index].answer(str(latched.value), image, step, where >> 64)


async def _calls(dut, models: list[MacroModel]) -> None:
    """Serve the calls: fast load, sums for the energy, the cells' conductances."""
    asked = ValueChange(dut.service)
    while True:
        await asked
        number, op = int(dut.service.value), int(dut.service_op.value)
        if op == RELOAD:
            models[:] = load_models(Path.cwd())
        elif op == TOTALS:
            totals = {f"layer_{index}": model.totals() for index, model in enumerate(models)}
            np.savez("conductance.npz", **totals)  # type: ignore[arg-type]
            for model in models:
                model._conductance.clear()
        dut.service_done.value = number


@cocotb.test()
async def serve(dut) -> None:
    """Play the devices until the host has ended the simulation."""
    models = load_models(Path.cwd())
    for index in range(len(models)):
        cocotb.start_soon(_reads(getattr(dut.chip, f"macro_{index}"), dut.context_word, models, index))
    cocotb.start_soon(_calls(dut, models))
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    await RisingEdge(dut.finished)
