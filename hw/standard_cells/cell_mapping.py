"""Maps an exported unit to the cells of Liberty libraries with Yosys, module by module.

The hierarchy stays, so that every component has its own cells and its area is exact. Arithmetic and memories are
elaborated first (`synth` to its step `fine`); large memories then become black boxes, small ones flip-flops. Flip-flops
are mapped by `dfflibmap`, logic by `abc`: for area, or, for modules with a budget, for delay.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.yosys import WITHOUT_WRAPPERS, SynthesisError, run_yosys, write_sources
from spikeloom.hw.standard_cells.liberty import Cell, Library, LibraryError
from spikeloom.hw.standard_cells.memories import (
    Memory,
    forwarding,
    ideal_liberty,
    models,
    read_memories,
    stubs,
    with_black_boxes,
)

__all__ = ["MAPPING", "CellMapper", "Mapped", "check_library", "driving_cell", "map_to_cells"]

MAPPING = "mapping to cells: half a minute to a minute per 100,000 cells"
"""What commands say while they map, as docs/standard-cells.md has it."""
_TASK = "map the design to cells"

_ELABORATE = """\
read_verilog -sv {sources}
hierarchy -check -top {top}
proc
{wrappers}
synth -top {top} -run begin:fine
write_rtlil design.il
"""

_PREPARE = """\
read_rtlil design.il
{read}
read_verilog -sv stubs.v
proc
opt
{apart}
synth -top {top} -noabc -run fine:
dfflibmap {liberty} {avoid}
write_rtlil logic.il
"""

_MAP = """\
read_rtlil logic.il
{abc}
write_rtlil gates.il
setundef -zero
{ties}
opt_clean -purge
check -assert
select -assert-none t:$*
write_verilog -noattr -noexpr -simple-lhs netlist.v
"""

_FOR_DELAY = (
    "+strash;&get,-n;&fraig,-x;&put;scorr;dch,-f;map,-B,0.9,{D};topo;buffer,-c;topo;upsize,{D};dnsize,{D};stime,-p"
)
"""Script of `abc` for modules with a budget. That of Yosys, for all others, makes logic small first (`dc2`), which
turns parallel carries into chains that sizing cannot mend."""

_LONGEST_ps = 1e6
"""Longest delay that `abc` is asked for: no module comes near it, and its numbers end at 2^31."""

_LOADS = 4
"""Input pins of the driving cell that mapping takes for the load of every output of a module."""


_RTLIL_MODULE = re.compile(r"^(?:attribute [^\n]*\n)*module \\(\S+)\n.*?^end\n", re.M | re.S)
_SIGNED = re.compile(r"^(  (?:input|output|wire)) signed\b", re.M)


@dataclass(frozen=True)
class Mapped:
    """A mapped unit.

    Parameters
    ----------
    netlist : Verilog, every module of the unit with cells inside; the names and ports of the export
    memories : every memory of a module, before mapping
    black_boxes : those of them that are black boxes
    models : the black boxes as Verilog for simulators, "" without any
    apart : memories of flip-flops that are modules of their own
    """

    netlist: str
    memories: tuple[Memory, ...]
    black_boxes: tuple[Memory, ...]
    models: str
    apart: tuple[Memory, ...] = ()

    def liberty(self, libraries: Iterable[Library]) -> dict[str, str]:
        """What OpenSTA reads, file name -> Liberty text; black boxes take no time."""
        texts = {f"cells_{index}.lib": library.text for index, library in enumerate(libraries)}
        return {**texts, "memories.lib": ideal_liberty(self.black_boxes)} if self.black_boxes else texts


def _allowed(libraries: Iterable[Library]) -> list[Cell]:
    return [cell for library in libraries for cell in library.cells.values() if cell.allowed]


def _buffers(libraries: Iterable[Library], sign: str = "") -> list[Cell]:
    """Buffers, or with "!" inverters, from the smallest on."""
    found = [
        cell
        for cell in _allowed(libraries)
        if cell.kind == "logic" and len(cell.inputs) == 1 and cell.plain_function == sign + next(iter(cell.inputs))
    ]
    return sorted(found, key=lambda cell: cell.area)


def check_library(libraries: Sequence[Library]) -> None:
    """Raise `LibraryError` if no cell of a kind is there without which nothing can be mapped."""
    cells = _allowed(libraries)
    logic = [cell for cell in cells if cell.kind == "logic" and len(cell.functions) == 1 and len(cell.inputs) == 2]
    needed = {
        "D flip-flop (a cell with a group ff)": any(cell.kind == "flip-flop" for cell in cells),
        "inverter": bool(_buffers(libraries, "!")),
        "gate of two inputs (NAND, NOR, AND or OR)": any("^" not in cell.plain_function for cell in logic),
    }
    missing = [what for what, there in needed.items() if not there]
    if missing:
        names = ", ".join(library.name for library in libraries)
        raise LibraryError(
            f"The library {names} has no {' and no '.join(missing)} that tools may use (dont_use): "
            "give a library of standard cells, or the files of all its parts, --liberty for each"
        )


def driving_cell(libraries: Sequence[Library]) -> tuple[Cell, Library]:
    """The smallest buffer, else the smallest inverter, and its library."""
    cell = (_buffers(libraries) + _buffers(libraries, "!"))[0]
    return cell, next(library for library in libraries if library.cells.get(cell.name) is cell)


def _ties(libraries: Sequence[Library]) -> str:
    """Command that puts cells in the place of constants, where the library has them."""
    found: dict[str, str] = {}
    for cell in _allowed(libraries):
        if not cell.inputs and cell.kind == "logic" and cell.plain_function in ("0", "1"):
            option = "-hicell" if cell.plain_function == "1" else "-locell"
            found.setdefault(option, f"{option} {cell.name} {next(iter(cell.functions))}")
    return f"hilomap {' '.join(found.values())}" if len(found) == 2 else ""


def _large(memories: Sequence[Memory], bits: int, whole: bool) -> list[Memory]:
    """Memories of more bits that can be black boxes; with `whole`, the lanes of one count together."""
    sizes = Counter[tuple[str, str]]()
    for memory in memories:
        sizes[memory.whole] += memory.size
    return [m for m in memories if (sizes[m.whole] if whole else m.size) > bits and not m.plain]


def map_to_cells(
    files: Mapping[str, str],
    top: str,
    libraries: Sequence[Library],
    memory_bits: int,
    apart: bool = False,
) -> Mapped:
    """Map a unit once, for area; parameters and errors as for `CellMapper`."""
    return CellMapper(files, top, libraries, memory_bits, apart).map()


class CellMapper:
    """Maps a unit again and again, with other budgets of its modules; modules whose budget stays are not mapped again.

    Parameters
    ----------
    files : file name -> text, as from `hw.export.verilog`; only `.sv` files are read, and the wrapper with the macros,
        `chip.sv` or `axi_chip.sv`, is left out
    top : module of the unit
    libraries : of cells; the first one's units hold for loads
    memory_bits : a memory of more bits becomes a black box, unless it cannot be one (`Memory.plain`)
    apart : make a memory of flip-flops a module of its own, unless it cannot be one; else it is a part of the module
        that it is in, which is smaller. The size of a memory is that of all of its lanes then, as the energy has it

    Raises
    ------
    LibraryError : a cell of a kind that is needed is missing
    SynthesisError : Yosys does not take the design or the library
    """

    def __init__(
        self,
        files: Mapping[str, str],
        top: str,
        libraries: Sequence[Library],
        memory_bits: int,
        apart: bool = False,
    ) -> None:
        check_library(libraries)
        self._libraries = libraries
        names = [f"cells_{index}.lib" for index in range(len(libraries))]
        self._liberty = " ".join(f"-liberty {file}" for file in names)
        avoid = [f"-dont_use {cell.name}" for lib in libraries for cell in lib.cells.values() if not cell.allowed]
        self._avoid = " ".join(avoid)
        with tempfile.TemporaryDirectory(prefix="standard-cells-") as name:
            folder = self._filled(name)
            sources = write_sources(folder, files)
            run_yosys(folder, _ELABORATE.format(sources=sources, top=top, wrappers=WITHOUT_WRAPPERS))
            design = (folder / "design.il").read_text(encoding="utf-8")
            self._memories = read_memories(design)
            self._boxes = _large(self._memories, memory_bits, apart)
            self._own = [
                replace(memory, apart=True)
                for memory in self._memories
                if apart and memory not in self._boxes and not memory.plain
            ]
            boxed = with_black_boxes(design, [*self._boxes, *self._own])
            (folder / "design.il").write_text(boxed, encoding="utf-8")
            stubs_v = stubs(self._boxes) + models(self._own) + forwarding(self._own)
            (folder / "stubs.v").write_text(stubs_v, encoding="utf-8")
            script = _PREPARE.format(
                top=top,
                read="\n".join(f"read_liberty -lib -ignore_miss_func {file}" for file in names),
                liberty=self._liberty,
                avoid=self._avoid,
                apart="memory -nomap" if self._own else "",
            )
            run_yosys(folder, script, _TASK)
            self._logic = (folder / "logic.il").read_text(encoding="utf-8")
        self._area: dict[str, str] = {}
        """Module -> RTLIL of its gates, once it has been mapped for area."""
        self._delay: dict[str, tuple[float, str]] = {}
        """Module -> its last budget, and the RTLIL of its gates for that."""

    def _filled(self, name: str) -> Path:
        """A folder with the libraries, and with what `abc` takes a module's outside for."""
        folder = Path(name)
        for index, library in enumerate(self._libraries):
            (folder / f"cells_{index}.lib").write_text(library.text, encoding="latin-1")
        cell, library = driving_cell(self._libraries)
        load_fF = _LOADS * max(cell.inputs.values()) * library.capacitance_fF
        (folder / "abc.constr").write_text(f"set_driving_cell {cell.name}\nset_load {load_fF:.6g}\n", encoding="utf-8")
        return folder

    def _abc(self, changed: Mapping[str, float] | None) -> Iterator[str]:
        """Commands for modules with these budgets, or for all of them for area."""
        common = f"abc {self._liberty} {self._avoid} -constr abc.constr"
        if changed is None:
            yield f"{common} -D {_LONGEST_ps:.0f}"
            return
        for module, budget_ps in changed.items():
            yield f"{common} -script {_FOR_DELAY} -D {min(max(budget_ps, 1.0), _LONGEST_ps):.0f} {module}"

    def map(self, budgets_ps: Mapping[str, float] | None = None) -> Mapped:
        """Map the unit.

        budgets_ps : module -> delay in picoseconds that its logic is mapped for; others are mapped for area

        Raises
        ------
        LibraryError : the library has no cells for a part of the design
        SynthesisError : Yosys does not take the design or the library
        """
        budgets = dict(budgets_ps or {})
        if budgets and not self._area:
            self.map()
        first = not self._area
        changed = {module: ps for module, ps in budgets.items() if self._delay.get(module, (None, ""))[0] != ps}

        def text(match: re.Match[str]) -> str:
            if first or match[1] in changed:
                return match[0]
            return self._delay[match[1]][1] if match[1] in budgets else self._area[match[1]]

        with tempfile.TemporaryDirectory(prefix="standard-cells-") as name:
            folder = self._filled(name)
            (folder / "logic.il").write_text(_RTLIL_MODULE.sub(text, self._logic), encoding="utf-8")
            script = _MAP.format(abc="\n".join(self._abc(None if first else changed)), ties=_ties(self._libraries))
            try:
                run_yosys(folder, script, _TASK)
            except SynthesisError as error:
                raise self._refused(error) from error
            gates = (folder / "gates.il").read_text(encoding="utf-8")
            netlist = (folder / "netlist.v").read_text(encoding="utf-8")
        made = {match[1]: match[0] for match in _RTLIL_MODULE.finditer(gates)}
        if first:
            self._area = made
        self._delay |= {module: (ps, made[module]) for module, ps in changed.items()}
        netlist = netlist[netlist.index("module ") :]  # without Yosys' own comment, which names its build
        netlist = _SIGNED.sub(r"\1", netlist)  # cells have bits, no numbers, and OpenSTA does not know the word
        return Mapped(netlist, tuple(self._memories), tuple(self._boxes), models(self._boxes), tuple(self._own))

    def _refused(self, error: SynthesisError) -> SpikeLoomError:
        if "Assertion failed" not in str(error):
            return error
        names = ", ".join(given.name for given in self._libraries)
        return LibraryError(
            f"The library {names} has no cells for some parts of the design, as Yosys says ({error}); "
            "give a library of standard cells, or the files of all its parts, --liberty for each"
        )
