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

from sim.host_bench import CELLS, RELOAD, TOTALS
from sim.macro import MacroModel, load_models
from sim.npu_tb import CLOCK_NS, answer_operations, answer_reads

CELL_FIELDS = ("g_S", "pulses", "reads", "load", "read_load")


def _write_totals(models: list[MacroModel]) -> None:
    """Write the conductance-weighted pulse sums since the last time, and forget them."""
    totals = {f"layer_{index}": model.totals() for index, model in enumerate(models)}
    np.savez("conductance.npz", **totals)  # type: ignore[arg-type]
    for model in models:
        model.forget_totals()


def _write_cells(models: list[MacroModel]) -> None:
    """Write what the cells remember; of a layer without cells, nothing."""
    states = {index: model.cells.state for index, model in enumerate(models) if model.cells is not None}
    arrays = {f"{name}_{index}": getattr(state, name) for index, state in states.items() for name in CELL_FIELDS}
    np.savez("cells.npz", **arrays)  # type: ignore[arg-type]


async def _calls(dut, models: list[MacroModel]) -> None:
    """Serve the calls: fast load, sums for the energy, the cells' conductances."""
    asked = ValueChange(dut.service)
    while True:
        await asked
        service = int(dut.service.value)
        op = service & 0xFF
        if op == RELOAD:
            models[:] = load_models(Path.cwd())
        elif op == TOTALS:
            _write_totals(models)
        elif op == CELLS:
            _write_cells(models)
        dut.service_done.value = service


@cocotb.test()
async def serve(dut) -> None:
    """Play the devices until the host has ended the simulation."""
    models = load_models(Path.cwd())
    for index in range(len(models)):
        macro = getattr(dut.chip, f"macro_{index}")
        cocotb.start_soon(answer_reads(macro, dut.context_word, models, index))
        cocotb.start_soon(answer_operations(macro, models, index))
    cocotb.start_soon(_calls(dut, models))
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    await RisingEdge(dut.finished)
