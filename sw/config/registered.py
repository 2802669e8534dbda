"""Loads what installed packages register before a configuration is checked, so that their errors are our sentences."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.hw.params.stage_kinds import STAGES
from spikeloom.sim.common.plugins import GROUPS
from spikeloom.sw.datasets.datasets import DATA_SETS

__all__ = ["load_registered", "missing_data_set"]


def load_registered() -> None:
    """Load the packages that add kinds which a configuration names, once per process.

    A package that is broken is reported here: within the check of a table, pydantic would wrap the sentence, and a
    reader of files would take it for damage of the file. Raises `SpikeLoomError` that names the entry point.
    """
    for group in (*GROUPS, CODINGS.group, DECISION_RULES.group, STAGES.group, DATA_SETS.group):
        load_plugins(group)


def missing_data_set(values: Any) -> list[str]:
    """The data set of a configuration's plain values in words if it is not registered, as [] or a list of one."""
    table = values.get("data") if isinstance(values, dict) else None
    name = table.get("set") if isinstance(table, dict) else None
    return [f"the data set '{name:.60}'"] if isinstance(name, str) and name not in DATA_SETS.names() else []
