"""What nextpnr says of a placed design: its clock and slowest path, and the cells of every part.

Cells are attributed by their names, which begin with the instance that they are in: what logic optimisation shares
between two parts counts for one of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikeloom.hw.boards.family import Family, Usage
from spikeloom.hw.boards.top import UNIT_NAME

__all__ = ["REST", "Timing", "component_of", "timing_of", "usage_by_part", "usage_of"]

REST = "rest"
"""Clock and reset, and cells without a place."""
_CELL = re.compile(r"\.storage\.|_(?:TRELLIS|LUT4|PFUMX|L6MUX|CCU2C|SB|DFFLC|LC|RAM)(?=_|\b|\$)|\$")


@dataclass(frozen=True)
class Timing:
    """The clock of a placed design.

    Parameters
    ----------
    highest_Hz : highest clock, hertz
    path : components that the slowest path passes, in order
    path_cells : the cells on it
    path_s : its delay, seconds
    """

    highest_Hz: float
    path: tuple[str, ...]
    path_cells: int
    path_s: float


def component_of(cell: str, whole: str = "") -> str:
    """Component of a cell of nextpnr's report: `npu.layer_0.neurons.leak_TRELLIS_FF_Q` -> `layer_0/neurons`.

    whole : name of what is in no component inside the first
    """
    plain = _CELL.split(cell)[0]
    return "/".join(plain.split(".")[1:-1]) or whole


def timing_of(report: Mapping[str, Any], whole: str = "") -> Timing:
    """Highest clock and slowest path from one clock edge to the next.

    Parameters
    ----------
    report : of nextpnr's option --report
    whole : see `component_of`
    """
    (clock,) = report["fmax"].values()
    paths = [path for path in report["critical_paths"] if path["from"] == path["to"] and "edge" in path["from"]]
    slowest = max(paths, key=lambda path: sum(hop["delay"] for hop in path["path"]))["path"]
    cells = [hop["to"]["cell"] for hop in slowest if not hop["to"]["cell"].startswith("$")]
    components = [component_of(cell, whole) for cell in cells]
    return Timing(
        highest_Hz=clock["achieved"] * 1e6,
        path=tuple(part for part, before in zip(components, [None, *components], strict=False) if part != before),
        path_cells=sum(hop["type"] == "logic" for hop in slowest),
        path_s=sum(hop["delay"] for hop in slowest) * 1e-9,
    )


def usage_by_part(family: Family, netlist: Mapping[str, Any], depth: int = 1) -> dict[str, Usage]:
    """Cells by part of the unit, largest first; `REST` is what is around the unit, and cells without a place.

    Parameters
    ----------
    netlist : of nextpnr's option --write
    depth : levels of the hierarchy that are told apart
    """
    (module,) = netlist["modules"].values()
    found: dict[str, Usage] = {}
    for name, cell in module["cells"].items():
        taken = family.usage(name, cell["type"], cell["parameters"])
        if taken == Usage():
            continue
        inside = name.startswith(f"{UNIT_NAME}.")
        part = "/".join(component_of(name, UNIT_NAME).split("/")[:depth]) if inside else REST
        found[part] = found.get(part, Usage()) + taken
    return dict(sorted(found.items(), key=lambda item: (-item[1].luts, item[0])))


def usage_of(parts: Mapping[str, Usage]) -> Usage:
    """Cells of the whole design."""
    return sum(parts.values(), Usage())
