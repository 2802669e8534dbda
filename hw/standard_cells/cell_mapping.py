"""Maps an exported unit to the cells of Liberty libraries with Yosys, module by module.

The hierarchy stays, so that every component has its own cells and its area is exact. Arithmetic and memories are
elaborated first (`synth` to its step `fine`); large memories then become black boxes, small ones flip-flops. Flip-flops
are mapped by `dfflibmap`, logic by `abc`, which is told the clock's period, and buffers and sizes gates for it.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spikeloom.hw.export.yosys import WITHOUT_WRAPPERS, SynthesisError, run_yosys, write_sources
from spikeloom.hw.standard_cells.liberty import Cell, Library, LibraryError
from spikeloom.hw.standard_cells.memories import Memory, forwarding, models, read_memories, stubs, with_black_boxes

__all__ = ["Mapped", "check_library", "driving_cell", "map_to_cells"]

_ELABORATE = """\
read_verilog -sv {sources}
hierarchy -check -top {top}
proc
{wrappers}
synth -top {top} -run begin:fine
write_rtlil design.il
"""

_MAP = """\
read_rtlil design.il
{read}
read_verilog -sv stubs.v
proc
opt
{apart}
synth -top {top} -noabc -run fine:
dfflibmap {liberty} {avoid}
abc {liberty} {avoid} -constr abc.constr -D {period_ps:.0f}
setundef -zero
{ties}
opt_clean -purge
check -assert
select -assert-none t:$*
write_verilog -noattr -noexpr -simple-lhs netlist.v
"""

_LOADS = 4
"""Input pins of the driving cell that mapping takes for the load of every output of a module."""


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
    clock_Hz: float,
    memory_bits: int,
    apart: bool = False,
) -> Mapped:
    """Map a unit.

    Parameters
    ----------
    files : file name -> text, as from `hw.export.verilog`; only `.sv` files are read, and the wrapper with the macros,
        `chip.sv` or `axi_chip.sv`, is left out
    top : module of the unit
    libraries : of cells; the first one's units hold for loads
    clock_Hz : clock that gates are sized for
    memory_bits : a memory of more bits becomes a black box, unless it cannot be one (`Memory.plain`)
    apart : make a memory of flip-flops a module of its own, unless it cannot be one; else it is a part of the module
        that it is in, which is smaller. The size of a memory is that of all of its lanes then, as the energy has it

    Raises
    ------
    LibraryError : a cell of a kind that is needed is missing
    SynthesisError : Yosys does not take the design or the library
    """
    check_library(libraries)
    cell, library = driving_cell(libraries)
    load_fF = _LOADS * max(cell.inputs.values()) * library.capacitance_fF
    with tempfile.TemporaryDirectory(prefix="standard-cells-") as name:
        folder = Path(name)
        sources = write_sources(folder, files)
        run_yosys(folder, _ELABORATE.format(sources=sources, top=top, wrappers=WITHOUT_WRAPPERS))
        design = (folder / "design.il").read_text(encoding="utf-8")
        memories = read_memories(design)
        chosen = _large(memories, memory_bits, apart)
        own = [
            replace(memory, apart=True) for memory in memories if apart and memory not in chosen and not memory.plain
        ]
        (folder / "design.il").write_text(with_black_boxes(design, [*chosen, *own]), encoding="utf-8")
        (folder / "stubs.v").write_text(stubs(chosen) + models(own) + forwarding(own), encoding="utf-8")
        (folder / "abc.constr").write_text(f"set_driving_cell {cell.name}\nset_load {load_fF:.6g}\n", encoding="utf-8")
        names = [f"cells_{index}.lib" for index in range(len(libraries))]
        for file, given in zip(names, libraries, strict=True):
            (folder / file).write_text(given.text, encoding="latin-1")
        avoid = [f"-dont_use {cell.name}" for lib in libraries for cell in lib.cells.values() if not cell.allowed]
        script = _MAP.format(
            top=top,
            read="\n".join(f"read_liberty -lib -ignore_miss_func {file}" for file in names),
            liberty=" ".join(f"-liberty {file}" for file in names),
            avoid=" ".join(avoid),
            period_ps=1e12 / clock_Hz,
            ties=_ties(libraries),
            apart="memory -nomap" if own else "",
        )
        try:
            run_yosys(folder, script)
        except SynthesisError as error:
            if "Assertion failed" in str(error):
                names_of = ", ".join(given.name for given in libraries)
                raise LibraryError(
                    f"The library {names_of} has no cells for some parts of the design, as Yosys says ({error}); "
                    "give a library of standard cells, or the files of all its parts, --liberty for each"
                ) from error
            raise
        netlist = (folder / "netlist.v").read_text(encoding="utf-8")
    netlist = netlist[netlist.index("module ") :]  # without Yosys' own comment, which names its build
    netlist = _SIGNED.sub(r"\1", netlist)  # cells have bits, no numbers, and OpenSTA does not know the word
    return Mapped(netlist, tuple(memories), tuple(chosen), models(chosen), tuple(own))
