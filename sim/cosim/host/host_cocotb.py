"""The cocotb bench in place of the analog array of a chip with buses; it also serves the host's device-model calls.

It runs inside the simulator, in a job's folder; `sim.cosim.host.link` starts it. Python runs once per layer read, once
per programming operation, and once per call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ValueChange

from spikeloom.sim.cosim.host.bench import CELLS, RELOAD, TOTALS
from spikeloom.sim.cosim.macro_model import MacroModel, drift_file, load_models
from spikeloom.sim.cosim.npu_bench import context_name
from spikeloom.sim.cosim.npu_cocotb import CLOCK_NS, answer_operation, answer_read
from spikeloom.sim.programming.cells import CELL_FIELDS


def _write_totals(models: list[MacroModel]) -> None:
    """Write the conductance-weighted pulse sums since the last time, and forget them."""
    totals = {f"layer_{index}": model.totals() for index, model in enumerate(models)}
    np.savez("conductance.npz", **totals)  # type: ignore[arg-type]
    for model in models:
        model.forget_totals()


def _write_cells(models: list[MacroModel]) -> None:
    """Write what the cells remember; of a layer without cells, nothing."""
    states = {index: model.cells_now() for index, model in enumerate(models) if model.cells is not None}
    arrays = {f"{name}_{index}": getattr(state, name) for index, state in states.items() for name in CELL_FIELDS}
    np.savez("cells.npz", **arrays)


def _call(dut: Any, models: list[MacroModel], service: int) -> None:
    """Serve a call: fast load, sums for the energy, the cells' conductances and drift."""
    op = service & 0xFF
    if op == RELOAD:
        models[:] = load_models(Path.cwd())
    elif op == TOTALS:
        _write_totals(models)
    elif op == CELLS:
        _write_cells(models)
        np.savez("drift.npz", **drift_file(models, int(dut.place.value)))  # type: ignore[arg-type]
    dut.service_done.value = service


@cocotb.test()
async def serve(dut: Any) -> None:
    """Play the devices until the host has ended the simulation.

    All requests for Python are in one signal, `wake`: a signal that is watched costs the simulator time in every clock
    cycle. Bits, lowest first: a layer's read and its programming operation toggle one bit each, a call toggles one, and
    the end.
    """
    models = load_models(Path.cwd())
    macros = [getattr(dut.chip, f"macro_{index}") for index in range(len(models))]
    contexts = [getattr(dut, context_name(index, model.parameters)) for index, model in enumerate(models)]
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    changed = ValueChange(dut.wake)
    before = 0
    while True:
        await changed
        text = str(dut.wake.value)
        if text.strip("01"):
            continue  # undefined, before the first evaluation
        now = int(text, 2)
        asked, before = now ^ before, now
        for index, macro in enumerate(macros):
            if asked >> 2 * index & 1:
                answer_read(macro, contexts[index], models[index])
            if asked >> 2 * index & 2:
                answer_operation(macro, models[index], int(dut.place.value))
        if asked >> 2 * len(macros) & 1:
            _call(dut, models, int(dut.service.value))
        if now >> 2 * len(macros) + 1:
            return
