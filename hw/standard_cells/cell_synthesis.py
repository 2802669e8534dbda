"""A unit in a library of standard cells: everything that is found out about it, as plain values and as files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.constraints import sdc
from spikeloom.hw.standard_cells.cell_mapping import Mapped, driving_cell, map_to_cells
from spikeloom.hw.standard_cells.components import Component, components, read_netlist, totals
from spikeloom.hw.standard_cells.liberty import Corner, Library, LibraryError
from spikeloom.hw.standard_cells.memories import ideal_liberty
from spikeloom.hw.standard_cells.timing import ACTIVITY, Timing, opensta_version, time_netlist

__all__ = ["MEMORY_BITS", "CellSynthesis", "check_options", "synthesise"]

MEMORY_BITS = 1024
"""Largest memory, in bits, that becomes flip-flops where nothing else is asked for."""


@dataclass(frozen=True)
class CellSynthesis:
    """What came out; `facts` has it as plain values, `files` as files.

    Parameters
    ----------
    top : module of the unit
    libraries : as given
    corner : operating conditions
    clock_Hz : clock asked for
    memory_bits : largest memory that was to become flip-flops
    mapped : netlist and memories
    components : every instance of the unit
    timing : None where OpenSTA is missing
    constraints : SDC that gates were timed with
    design : digest of the hardware, for whoever looks for the results of a chip
    """

    top: str
    libraries: tuple[Library, ...]
    corner: Corner
    clock_Hz: float
    memory_bits: int
    mapped: Mapped
    components: tuple[Component, ...]
    timing: Timing | None
    constraints: str
    design: str = ""

    @property
    def largest_Hz(self) -> float | None:
        """Highest clock with the slowest path's delay, None without timing."""
        if self.timing is None:
            return None
        return 1.0 / (1.0 / self.clock_Hz - self.timing.slowest.slack_ns * 1e-9)

    @property
    def met(self) -> bool | None:
        """Whether the clock asked for is met, None without timing."""
        return None if self.timing is None else self.timing.slowest.slack_ns >= 0.0

    def memories(self) -> list[dict[str, Any]]:
        """Every memory of every instance: path, words, bits, ports, and what became of it."""
        found = []
        for part in self.components:
            for memory in (memory for memory in self.mapped.memories if memory.module == part.module):
                boxed = memory in self.mapped.black_boxes
                entry = {
                    "path": f"{part.path}/{memory.name}".lstrip("/"),
                    "words": memory.words,
                    "bits": memory.bits,
                    "ports": memory.ports,
                    "kind": "black box" if boxed else "flip-flops",
                    "module": memory.black_box if boxed else None,
                }
                if memory.plain and memory.size > self.memory_bits:
                    entry["reason"] = memory.plain
                found.append(entry)
        return found

    def assumptions(self) -> list[str]:
        """What the numbers rest on, a sentence each."""
        c = self.corner
        values = [
            f"process {c.process:g}" if c.process is not None else "",
            f"{c.voltage_V:g} V" if c.voltage_V is not None else "",
            f"{c.temperature_C:g} degrees Celsius" if c.temperature_C is not None else "",
        ]
        conditions = ", ".join(value for value in values if value) or "the library does not say which"
        wires, names = self.libraries[0].wire_load, ", ".join(library.name for library in self.libraries)
        boxes = sum(entry["kind"] == "black box" for entry in self.memories())
        cell, _ = driving_cell(self.libraries)
        found = [
            f"Corner: {c.name or 'nominal'} ({conditions}) of {names}, and no other.",
            f"Wires: {f'the wire-load model {wires} of the library' if wires else 'none: layout makes paths slower'}.",
            "Clock: ideal, without a tree, jitter or uncertainty; inputs arrive with the clock's edge, and outputs are "
            f"wanted at the next; gates are sized for {self.clock_Hz / 1e6:.4g} MHz, module by module, with inputs "
            f"that {cell.name} drives.",
            f"Memories: up to {self.memory_bits:,} bits flip-flops; "
            + (f"{boxes} black boxes are not in area and power, and take no time." if boxes else "no black boxes."),
            "Area: cells only, without gaps between them, wiring, clock tree, test logic and the crossbars' macros.",
        ]
        if self.timing is not None:
            found.append(f"Power: {ACTIVITY:g} transitions of every net per clock cycle, an assumption; no clock tree.")
        return found

    def facts(self) -> dict[str, Any]:
        """Everything as plain values, for JSON. Areas are in the library's unit, by convention square micrometres."""
        whole, timing = totals(self.components), self.timing
        return {
            "top": self.top,
            "design": self.design,
            "libraries": [library.name for library in self.libraries],
            "corner": asdict(self.corner),
            "clock_Hz": self.clock_Hz,
            "clock_met": self.met,
            "largest_clock_Hz": self.largest_Hz,
            "area_um2": whole.area,
            "cells": whole.cells,
            "flip_flops": whole.flip_flops,
            "components": [
                {
                    **_own(part),
                    "with_inside": _own(totals(self.components, part.path)),
                }
                for part in self.components
            ],
            "memories": self.memories(),
            "timing": None
            if timing is None
            else {
                "opensta": opensta_version(),
                **{
                    name: None if path is None else asdict(path)
                    for name, path in (
                        ("slowest", timing.slowest),
                        ("registers", timing.registers),
                        ("hold", timing.hold),
                    )
                },
            },
            "power_W": None if timing is None or timing.power is None else asdict(timing.power),
            "assumptions": self.assumptions(),
        }

    def files(self) -> dict[str, bytes | str]:
        """File name -> content: facts, netlist, models of black boxes, constraints, OpenSTA's log."""
        found: dict[str, bytes | str] = {
            "synthesis.json": json.dumps(self.facts(), indent=1, allow_nan=False) + "\n",
            "netlist.v": self.mapped.netlist,
            "constraints.sdc": self.constraints,
        }
        if self.mapped.black_boxes:
            found["memories.v"] = self.mapped.models
        if self.timing is not None:
            found["opensta.log"] = self.timing.log
        return found


def _own(part: Component) -> dict[str, Any]:
    return {
        "path": part.path,
        "module": part.module,
        "cells": part.cells,
        "flip_flops": part.flip_flops,
        "area_um2": part.area,
    }


def check_options(libraries: Sequence[Library], clock_Hz: float, memory_bits: int, corner: str = "") -> Corner:
    """The corner asked for, by its name; "" for the library's default.

    Raises
    ------
    SpikeLoomError : a clock that is not positive, or a negative number of bits
    LibraryError : there are no such operating conditions
    """
    if not (math.isfinite(clock_Hz) and clock_Hz > 0.0):
        raise SpikeLoomError(f"The clock must be a frequency in hertz above 0, such as 100e6, not {clock_Hz:g}")
    if memory_bits < 0:
        raise SpikeLoomError(f"The size of memories that become flip-flops must be 0 bits or more, not {memory_bits}")
    if not corner:
        return libraries[0].default_corner
    known = {name: found for library in reversed(libraries) for name, found in library.corners.items()}
    if corner not in known:
        names = f"it has {', '.join(sorted(known))}" if known else "it names none"
        raise LibraryError(
            f"The library {libraries[0].name} has no operating conditions '{corner}': {names}; give one of them, the "
            "file of another corner, or leave the corner out"
        )
    return known[corner]


def synthesise(
    files: Mapping[str, str],
    ports: Sequence[dict[str, Any]],
    top: str,
    libraries: Sequence[Library],
    clock_Hz: float,
    memory_bits: int = MEMORY_BITS,
    corner: str = "",
    design: str = "",
) -> CellSynthesis:
    """Map an exported unit to cells, and, where OpenSTA is installed, time it.

    Parameters
    ----------
    files, ports, top : of the export, see `hw.export.verilog`
    libraries : of cells, at one corner
    clock_Hz : frequency asked for
    memory_bits : largest memory, in bits, that becomes flip-flops; larger ones are black boxes
    corner : operating conditions by name, "" for the library's default
    design : digest of the hardware, which the results tell

    Raises
    ------
    SpikeLoomError, LibraryError : see `check_options`; a kind of cell that is needed is missing
    SynthesisError : a tool does not take the design or the library
    """
    conditions = check_options(libraries, clock_Hz, memory_bits, corner)
    mapped = map_to_cells(files, top, libraries, clock_Hz, memory_bits)
    cells = {name: cell for library in reversed(libraries) for name, cell in library.cells.items()}
    parts = components(read_netlist(mapped.netlist, cells), top, libraries)
    constraints = sdc(ports, clock_Hz, top)
    timing = None
    if opensta_version() is not None:
        texts = {f"cells_{index}.lib": library.text for index, library in enumerate(libraries)}
        if mapped.black_boxes:
            texts["memories.lib"] = ideal_liberty(mapped.black_boxes)
        timing = time_netlist(mapped.netlist, top, texts, constraints, corner)
    return CellSynthesis(
        top, tuple(libraries), conditions, clock_Hz, memory_bits, mapped, tuple(parts), timing, constraints, design
    )
