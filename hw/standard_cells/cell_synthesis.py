"""A unit in a library of standard cells: everything that is found out about it, as plain values and as files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spikeloom.hw.export.constraints import sdc
from spikeloom.hw.standard_cells.cell_mapping import CellMapper, Mapped, driving_cell
from spikeloom.hw.standard_cells.components import Component, mapped_components, totals
from spikeloom.hw.standard_cells.corners import check_options, conditions_of
from spikeloom.hw.standard_cells.liberty import Corner, Library, LibraryError
from spikeloom.hw.standard_cells.power import Power, netlist_energy, netlist_probes, power_of
from spikeloom.hw.standard_cells.timing import Timing, opensta_version
from spikeloom.hw.standard_cells.timing_closure import map_for_clock

__all__ = ["MEMORY_BITS", "SYNTHESIS_FILES", "CellSynthesis", "synthesise"]

MEMORY_BITS = 1024
"""Largest memory, in bits, that becomes flip-flops where nothing else is asked for."""
SYNTHESIS_FILES = "synthesis.json", "netlist.v", "constraints.sdc", "memories.v", "opensta.log"
"""Files of a result; those of memories and timing where there are such."""


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
    for_delay : modules that were mapped for delay, since they are on paths that were too slow
    components : every instance of the unit
    timing : None where OpenSTA is missing
    power : at the clock asked for, or, where that is not met, at the highest one; else the reason why it is not known
    constraints : SDC that gates were timed with
    design : digest of the hardware, for whoever looks for the results of a chip
    """

    top: str
    libraries: tuple[Library, ...]
    corner: Corner
    clock_Hz: float
    memory_bits: int
    mapped: Mapped
    for_delay: tuple[str, ...]
    components: tuple[Component, ...]
    timing: Timing | None
    power: Power | str
    constraints: str
    design: str = ""

    @property
    def largest_Hz(self) -> float | None:
        """Highest clock with the slowest path's delay, None without timing."""
        return None if self.timing is None else _largest_Hz(self.timing, self.clock_Hz)

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
            f"Corner: {c.name or 'nominal'} ({conditions}) of {names}, and no other.{self._silent()}",
            f"Wires: {f'the wire-load model {wires} of the library' if wires else 'none: layout makes paths slower'}.",
            "Clock: ideal, without a tree, jitter or uncertainty; inputs arrive with the clock's edge, and outputs are "
            f"wanted at the next. {self._mapping()} Every module is mapped with inputs that {cell.name} drives.",
            f"Memories: up to {self.memory_bits:,} bits flip-flops; "
            + (f"{boxes} black boxes are not in area and power, and take no time." if boxes else "no black boxes."),
            "Area: cells only, without gaps between them, wiring, clock tree, test logic and the crossbars' macros.",
        ]
        if isinstance(self.power, str):
            found.append(f"Power: not known: {self.power}.")
        else:
            found.append(
                f"Power: at {self.power.clock_Hz / 1e6:.4g} MHz{'' if self.met else ', the highest clock'}; "
                f"assumed are {self.power.activity:g} transitions of every net per clock cycle, and the clock in every "
                "flip-flop in every cycle; no clock tree, wires, glitches or memories outside; not an image's energy."
            )
        return found

    def _mapping(self) -> str:
        if self.timing is None:
            return "Every module is mapped for area: without OpenSTA it is not known what is too slow."
        if not self.for_delay:
            return "Every module is mapped for area."
        return f"Mapped for delay, since they were on paths that were too slow: {', '.join(self.for_delay)}."

    def _silent(self) -> str:
        """Names libraries that do not say their conditions."""
        silent = [lib.name for lib in self.libraries[1:] if conditions_of(lib, self.corner.name) == (None, None, None)]
        return f" {', '.join(silent)} does not say its own." if silent else ""

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
            "mapped_for_delay": list(self.for_delay),
            "timing": None
            if timing is None
            else {
                "opensta": opensta_version(),
                "endpoints_too_slow": len(timing.failing),
                **{
                    name: None if path is None else asdict(path)
                    for name, path in (
                        ("slowest", timing.slowest),
                        ("registers", timing.registers),
                        ("hold", timing.hold),
                    )
                },
            },
            "power_W": None if isinstance(self.power, str) else asdict(self.power),
            "assumptions": self.assumptions(),
        }

    def files(self) -> dict[str, bytes | str]:
        """File name -> content, of `SYNTHESIS_FILES`: facts, netlist, constraints, black boxes, OpenSTA's log."""
        facts = json.dumps(self.facts(), indent=1, allow_nan=False) + "\n"
        models = self.mapped.models if self.mapped.black_boxes else None
        log = None if self.timing is None else self.timing.log
        contents = (facts, self.mapped.netlist, self.constraints, models, log)
        return {name: text for name, text in zip(SYNTHESIS_FILES, contents, strict=True) if text is not None}


def _own(part: Component) -> dict[str, Any]:
    return {
        "path": part.path,
        "module": part.module,
        "cells": part.cells,
        "flip_flops": part.flip_flops,
        "area_um2": part.area,
    }


def _largest_Hz(timing: Timing, clock_Hz: float) -> float:
    return 1.0 / (1.0 / clock_Hz - timing.slowest.slack_ns * 1e-9)


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
    SpikeLoomError, LibraryError : see `corners.check_options`; a kind of cell that is needed is missing
    SynthesisError : a tool does not take the design or the library
    """
    conditions = check_options(libraries, clock_Hz, memory_bits, corner)
    constraints = sdc(ports, clock_Hz, top)
    mapper = CellMapper(files, top, libraries, memory_bits)
    timing, for_delay = None, tuple[str, ...]()
    power: Power | str = "OpenSTA is missing"
    if opensta_version() is None:
        mapped = mapper.map()
    else:
        found = map_for_clock(mapper, top, libraries, constraints, corner)
        mapped, timing, for_delay = found.mapped, found.timing, found.for_delay
        power = _power(mapped, timing, top, libraries, constraints, clock_Hz, conditions, corner)
    parts = tuple(mapped_components(mapped.netlist, top, libraries))
    return CellSynthesis(
        top, tuple(libraries), conditions, clock_Hz, memory_bits, mapped, for_delay, parts, timing, power, constraints,
        design,
    )  # fmt: skip


def _power(
    mapped: Mapped,
    timing: Timing,
    top: str,
    libraries: Sequence[Library],
    constraints: str,
    clock_Hz: float,
    conditions: Corner,
    corner: str,
) -> Power | str:
    """Power at the clock, at most the highest one; or why it is not known."""
    volts = conditions.voltage_V
    if not volts:
        return f"{libraries[0].name} does not say the voltage of its corner"
    probes = netlist_probes(mapped, top, libraries)
    try:
        energy = netlist_energy(mapped, probes, top, libraries, constraints, clock_Hz, volts, corner)
    except LibraryError as error:
        return str(error)
    return power_of(energy, min(clock_Hz, _largest_Hz(timing, clock_Hz)))
