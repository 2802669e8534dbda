"""What `spikeloom synth` and `spikeloom calibrate` have found out about the hardware of a run, for its report.

A file that is not whole, or was changed since it was written, is named, and none of its figures is shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from math import fsum, isclose
from pathlib import Path
from typing import Any

from spikeloom.sim.chip.energy_calibration import Calibration, design_of
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.arguments import is_number
from spikeloom.sw.common.files import MANIFEST

__all__ = ["CALIBRATION", "SYNTHESIS", "above_highest_clock", "read_standard_cells"]

SYNTHESIS = "standard_cells/synthesis.json"
CALIBRATION = "calibration.json"
"""Where the commands write them, in the folder of a run."""

_DEPTH = 2
"""Components down to so many steps from the top are shown."""
_SAME = 1e-6
"""Relative error of sums that are equal, but for the order of their terms."""


def read_standard_cells(folder: Path, chip: ProgrammedChip) -> dict[str, Any] | None:
    """Results that are of the chip's hardware; None without any.

    `synthesis` has what `synthesis.json` says of the whole, with `components`, path -> area, and `chip_clock_Hz`;
    `calibration` has `library`, `corner`, `clock_Hz`, `memory_bits`, `images`, `total_J`, and `components_J`, path ->
    mean energy per image. What is in a component beside the ones shown inside it is "PATH, itself" ("top, itself" of
    the unit), so that components add up to the whole. Either is None where it is missing, of another design, or cannot
    be used; `another_design` tells of the second, and `unusable` names the files of the third.
    """
    found: dict[str, Any] = {"another_design": False, "unusable": [], "synthesis": None, "calibration": None}
    there = False
    for name, path, take in (("synthesis", SYNTHESIS, _synthesis), ("calibration", CALIBRATION, _calibration)):
        if not (folder / path).is_file():
            continue
        there = True
        try:
            design, values = _taken(folder / path, take)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
            found["unusable"].append(path)
            continue
        if design == design_of(chip.parameters):
            found[name] = values
        else:
            found["another_design"] = True
    if found["synthesis"] is not None:
        found["synthesis"]["chip_clock_Hz"] = chip.clock_Hz
    return found if there else None


def above_highest_clock(found: Mapping[str, Any] | None) -> float | None:
    """The highest clock of the netlist of `read_standard_cells`, hertz, if the chip's is above it."""
    unit = None if found is None else found["synthesis"]
    if unit is None or not unit["largest_clock_Hz"] or unit["chip_clock_Hz"] <= unit["largest_clock_Hz"]:
        return None
    highest: float = unit["largest_clock_Hz"]
    return highest


def _taken(path: Path, take: Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """Design and values of a file. Raises whatever its content makes fail, `ValueError` where it was changed."""
    content = path.read_bytes()
    manifest = path.with_name(MANIFEST)
    if manifest.is_file() and path.name in (sums := json.loads(manifest.read_text(encoding="utf-8"))):
        if sums[path.name] != sha256(content).hexdigest():
            raise ValueError("changed since it was written")
    return take(json.loads(content))


def _synthesis(found: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Of the unit without buses; another top is another design."""
    highest = found["largest_clock_Hz"]  # None without OpenSTA
    clocks = [found["clock_Hz"], *(() if highest is None else (highest,))]
    numbers = [_number(found[name]) for name in ("area_um2", "cells", "flip_flops")]
    power = found["power_W"]
    components = {part["path"]: _number(part["with_inside"]["area_um2"]) for part in found["components"]}
    if not isclose(components[""], numbers[0], rel_tol=_SAME) or not all(_number(clock) > 0.0 for clock in clocks):
        raise ValueError("not what was written")
    timing = found["timing"]
    values = {
        "libraries": [str(name) for name in found["libraries"]],
        "corner": {**found["corner"], "name": str(found["corner"]["name"])},
        "clock_Hz": clocks[0], "clock_met": found["clock_met"], "largest_clock_Hz": highest,
        "area_um2": numbers[0], "cells": numbers[1], "flip_flops": numbers[2],
        "power_W": None if power is None else {str(name): _number(watts) for name, watts in power.items()},
        "assumptions": [str(each) for each in found["assumptions"]],
        "through": None if timing is None else [(str(name), _number(ns)) for name, ns in timing["slowest"]["through"]],
        "components": _shown(components),
    }  # fmt: skip
    return found["design"] if found["top"] == "npu" else "", values


def _calibration(found: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    calibration = Calibration.of(found["calibration"])
    own = {path: _number(joules) for path, joules in found["components_J"].items()}
    images = [_number(image["simulated_J"]) for image in found["images"]]
    if calibration is None or not isclose(fsum(own.values()), fsum(images) / len(images), rel_tol=_SAME):
        raise ValueError("not what was written")
    whole = {"": 0.0}
    for path, joules in own.items():
        parts = path.split("/") if path else []
        for depth in range(len(parts) + 1):
            above = "/".join(parts[:depth])
            whole[above] = whole.get(above, 0.0) + joules
    return calibration.design, {
        **{name: getattr(calibration, name) for name in ("library", "corner", "clock_Hz", "memory_bits", "images")},
        "total_J": fsum(own.values()),
        "components_J": _shown(whole),
    }


def _number(value: Any) -> Any:
    if not is_number(value) or value < 0:
        raise ValueError(f"{value!r} is no number of at least 0")
    return value


def _shown(values: Mapping[str, float]) -> dict[str, float]:
    """Components that are not too deep; of those with inner ones, what is beside these, unless that is nothing.

    Raises `ValueError` where they do not add up to the whole.
    """
    kept = {path: value for path, value in values.items() if path.count("/") < _DEPTH}
    shown = {}
    for path, value in kept.items():
        inner = [inside for place, inside in kept.items() if place and place != path and _above(place) == path]
        if not inner:
            shown[path] = value
        elif abs(rest := value - fsum(inner)) > _SAME * value:
            shown[f"{path or 'top'}, itself"] = rest
    if not isclose(fsum(shown.values()), values[""], rel_tol=_SAME):
        raise ValueError("not what was written")
    return shown


def _above(path: str) -> str:
    return path.rpartition("/")[0]
