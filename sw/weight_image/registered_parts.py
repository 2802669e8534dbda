"""What of a chip is registered from outside of the source tree: a weight image names it, and its reader needs it."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.stage_kinds import STAGES
from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.parameters import parameter_classes
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.datasets.datasets import DATA_SETS

__all__ = ["missing_parts", "registered_parts"]


def registered_parts(chip: ProgrammedChip) -> dict[str, dict[str, str]]:
    """{"cells": {kind: its module}, "options": {option: module of its class}, "stages": {kind: its module}} of what a
    chip has that is registered from outside; without what there is none of.
    """
    device = chip.device
    kinds = {kind.name: type(kind).__module__ for kind in CELLS.registered()}
    options = {name: cls.__module__ for cls in parameter_classes() for name in cls.model_fields}
    extra = device.__pydantic_extra__ or {}
    parts = {
        "cells": {device.cell: kinds[device.cell]} if device.cell in kinds else {},
        "options": {name: options[name] for name in sorted(extra) if name in options},
        "stages": {
            stage.name: module
            for stage in chip.parameters.plan.stages
            if not (module := type(stage).__module__).startswith("spikeloom.")
        },
    }
    return {what: those for what, those in parts.items() if those}


def missing_parts(chip: dict[str, Any]) -> list[str]:
    """What a weight image's chip, as plain values, has and is not registered here, in words, such as "the cell kind
    'fading' (of module my_cells)".
    """
    missing = [
        f"the {kinds.what} '{chip[name]:.60}'"
        for name, kinds in (("coding", CODINGS), ("rule", DECISION_RULES))
        if isinstance(chip.get(name), str) and chip[name] not in [kind.name for kind in kinds]
    ]
    parts = chip.get("registered")
    for what, known, words in (
        ("cells", CELLS.names(), "the cell kind"),
        ("options", Device.all_fields(), "the option of [device]"),
        ("stages", STAGES.where(lambda kind: True), "the stage kind"),
    ):
        for name, module in (parts.get(what, {}) if isinstance(parts, dict) else {}).items():
            if name not in known:
                missing.append(f"{words} '{name:.60}' (of module {module:.60})")
    return missing + _missing_data_set(chip.get("config"))


def _missing_data_set(config: Any) -> list[str]:
    """The data set of a configuration's plain values in words if it is not registered, as [] or a list of one."""
    table = config.get("data") if isinstance(config, dict) else None
    name = table.get("set") if isinstance(table, dict) else None
    return [f"the data set '{name:.60}'"] if isinstance(name, str) and name not in DATA_SETS.names() else []
