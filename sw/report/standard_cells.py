"""What `spikeloom synth` and `spikeloom calibrate` have found out about the hardware of a run, for its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.analysis.energy_counts import design_of

__all__ = ["CALIBRATION", "SYNTHESIS", "read_standard_cells"]

SYNTHESIS = "standard_cells/synthesis.json"
CALIBRATION = "calibration.json"
"""Where the commands write them, in the folder of a run."""

_DEPTH = 2
"""Components down to so many steps from the top are shown."""
_COPIED = (
    "libraries", "corner", "clock_Hz", "clock_met", "largest_clock_Hz", "area_um2", "cells", "flip_flops", "power_W",
    "assumptions",
)  # fmt: skip


def read_standard_cells(folder: Path, chip: ProgrammedChip) -> dict[str, Any] | None:
    """Results that are of the chip's hardware; None without any.

    `synthesis` has what `synthesis.json` says of the whole, with `components`, path -> area with all inside;
    `calibration` has `library`, `corner`, `images`, and `components_J`, path -> mean energy per image with all inside.
    Either is None where it is missing, of another design, or cannot be read; `another_design` tells of the second.
    """
    design, another = design_of(chip.parameters), False
    synthesis, calibrated = _read(folder / SYNTHESIS), _read(folder / CALIBRATION)
    if synthesis is not None and (synthesis.get("design") != design or synthesis.get("top") != "npu"):
        synthesis, another = None, True
    if calibrated is not None and calibrated.get("calibration", {}).get("design") != design:
        calibrated, another = None, True
    if synthesis is None and calibrated is None and not another:
        return None
    return {
        "another_design": another,
        "synthesis": None if synthesis is None else _synthesis(synthesis),
        "calibration": None if calibrated is None else _calibration(calibrated),
    }


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _synthesis(found: Mapping[str, Any]) -> dict[str, Any]:
    components = {part["path"]: part["with_inside"]["area_um2"] for part in found["components"]}
    timing = found["timing"] or {}
    return {
        **{name: found[name] for name in _COPIED},
        "through": None if not timing else timing["slowest"]["through"],
        "components": _shown(components),
    }


def _calibration(found: Mapping[str, Any]) -> dict[str, Any]:
    own = found["components_J"]
    whole = {path: 0.0 for path in own}
    for path, joules in own.items():
        parts = path.split("/") if path else []
        for depth in range(len(parts) + 1):
            above = "/".join(parts[:depth])
            whole[above] = whole.get(above, 0.0) + joules
    calibration = found["calibration"]
    return {
        **{name: calibration[name] for name in ("library", "corner", "clock_Hz", "memory_bits", "images")},
        "total_J": sum(own.values()),
        "components_J": _shown(whole),
    }


def _shown(values: Mapping[str, float]) -> dict[str, float]:
    """Components that are not too deep, without those whose inner ones are shown."""
    kept = {path: value for path, value in values.items() if path and path.count("/") < _DEPTH}
    inner = {path.rpartition("/")[0] for path in kept if "/" in path}
    return {path: value for path, value in kept.items() if path not in inner}
