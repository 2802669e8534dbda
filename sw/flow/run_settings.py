"""Settings of a run that its report goes by: what was run on the chip is reported, whatever is asked for now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from spikeloom.sim.chip.device_config import Energy
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.flow.steps import make_flow

__all__ = ["left_out", "with_run_energies", "with_run_settings"]

_STEPS = ("cosim", "lifetime")
"""Steps with a table of the configuration of the same name, which says what is run on the chip, and not what it is."""
_REPORTED = ("reference", "lifetime", "verilog", "cosim")
"""Steps whose results a report has where there are some."""


def with_run_settings(flow: Flow) -> tuple[Flow, dict[str, str]]:
    """The flow with the tables [cosim] and [lifetime] of the run in its folder, as far as its results are of the
    present chip and program; and which settings of the flow's own configuration these are instead of, by name:
    "cosim.images" as "cosim.images = 5, not 500".
    """
    changes: dict[str, str] = {}
    for step in _STEPS:
        table, given = _recorded_table(flow, step), getattr(flow.config, step).model_dump(mode="json")
        if table is None or table == given:
            continue
        try:
            run = make_flow(flow.config.updated({step: table}, "state.json"), flow.folder, flow.data)
        except ConfigError:  # of another version
            continue
        run.energy = flow.energy
        if step in run.names() and run.current(step):
            flow = run
            changes |= dict(_differences(step, given, table))
    return flow, changes


def with_run_energies(flow: Flow) -> Flow:
    """The flow with the table [energy] of the chip in its folder, if that is its chip otherwise: the report takes the
    energies asked for, which nothing before it depends on.
    """
    facts, asked = flow.recorded_facts("convert"), flow.config.energy
    table = facts.get("energy") if isinstance(facts, dict) else None
    if not isinstance(table, dict) or table == asked.model_dump(mode="json"):
        return flow
    try:
        own = Energy(**table)
    except (ValueError, TypeError):  # of another version
        return flow
    run = make_flow(flow.config.model_copy(update={"energy": own}), flow.folder, flow.data)
    if not run.current("convert"):
        return flow
    run.energy = asked
    return run


def left_out(flow: Flow) -> list[str]:
    """Steps whose results a report of the flow's folder leaves out, though there are some."""
    steps = [name for name in _REPORTED if flow.recorded(name)]
    return [name for name in steps if name not in flow.names() or not flow.current(name)]


def _recorded_table(flow: Flow, step: str) -> dict[str, Any] | None:
    facts = flow.recorded_facts(step)
    table = facts.get(step) if isinstance(facts, dict) else None
    return table if isinstance(table, dict) else None


def _differences(table: str, given: dict[str, Any], used: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in used.items():
        if value != given.get(name):
            yield f"{table}.{name}", f"{table}.{name} = {json.dumps(value)}, not {json.dumps(given.get(name))}"
