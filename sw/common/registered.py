"""What is registered outside the source tree: the kinds that a chip uses, and the modules that results depend on."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.stage_kinds import STAGES
from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.parameters import parameter_classes
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.plugins import load_plugins
from spikeloom.sim.devices.effects import EFFECTS

__all__ = ["missing_parts", "registered_parts", "registered_sources"]


def registered_sources(*others: object) -> dict[str, str]:
    """Module -> checksum of its file, of every cell kind, effect, coding and decision rule that is registered, and of
    the `others`, instances of kinds; the file alone, not what it imports. Modules without a file have the checksum of
    nothing.
    """
    load_plugins()
    names = [type(kind).__module__ for kind in CELLS.registered()]
    names += [str(entry.make.__module__) for entry in EFFECTS.registered()]
    kinds = (*CODINGS, *DECISION_RULES, *others)
    names += [name for kind in kinds if not (name := type(kind).__module__).startswith("spikeloom.")]
    found = {}
    for name in sorted(set(names)):
        file = getattr(sys.modules.get(name), "__file__", None)
        found[name] = hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()
    return found


def registered_parts(chip: ProgrammedChip) -> dict[str, dict[str, str]]:
    """{"cells": {kind: its module}, "options": {option: module of its class}, "stages": {kind: its module}} of what a
    chip has that is registered from outside; without what there is none of.
    """
    device = chip.device
    kinds = {kind.name: type(kind).__module__ for kind in CELLS.registered()}
    options = {name: cls.__module__ for cls in parameter_classes() for name in cls.model_fields}
    extra = device.__pydantic_extra__ or {}
    found = {
        "cells": {device.cell: kinds[device.cell]} if device.cell in kinds else {},
        "options": {name: options[name] for name in sorted(extra) if name in options},
        "stages": {
            stage.name: module
            for stage in chip.parameters.plan.stages
            if not (module := type(stage).__module__).startswith("spikeloom.")
        },
    }
    return {what: parts for what, parts in found.items() if parts}


def missing_parts(parts: Any) -> list[str]:
    """What of `registered_parts` is not registered here, in words, such as "the cell kind 'fading' (of my_cells)"."""
    missing = []
    for what, known, words in (
        ("cells", CELLS.names(), "the cell kind"),
        ("options", Device.all_fields(), "the option of [device]"),
        ("stages", STAGES.where(lambda kind: True), "the stage kind"),
    ):
        for name, module in (parts.get(what, {}) if isinstance(parts, dict) else {}).items():
            if name not in known:
                missing.append(f"{words} '{name:.60}' (of module {module:.60})")
    return missing
