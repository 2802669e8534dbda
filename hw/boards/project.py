"""A design for a board as files: the unit's Verilog, the top, pins and clocks, and what each program is called with.

Files and options are those of the platform of amaranth-boards; the steps are run by `hw.boards.toolchain`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from amaranth.lib.wiring import Component, In, Out

from spikeloom.hw.boards.board import SMALLER, Board
from spikeloom.hw.boards.clocks import Clock
from spikeloom.hw.boards.family import Usage
from spikeloom.hw.boards.top import UNIT, BoardTop
from spikeloom.hw.emulator.cell_memory import CellMemory
from spikeloom.hw.emulator.shape import FACTOR_BITS, EmulatorShape
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.structure import structure_of
from spikeloom.hw.export.verilog import export_component, no_collector

__all__ = ["TOP", "Project", "check_cell_memories", "check_memories", "project_of", "unit_text"]

TOP = "top"
"""Module of the whole design, and name of its files."""
_PORTS = {"rx": In(1), "tx": Out(1), "busy": Out(1), "error": Out(1)}


@dataclass(frozen=True)
class Project:
    """A design for a board, ready for the tool chain.

    Parameters
    ----------
    board, clock : of the design
    sources : file name -> text: all that Yosys reads, with its script `top.ys`
    constraints : name and text of the file with pins and clocks
    place, pack : options of nextpnr and of the packer, without files
    """

    board: Board
    clock: Clock
    sources: Mapping[str, str]
    constraints: tuple[str, str]
    place: tuple[str, ...]
    pack: tuple[str, ...]


def unit_text(unit: Component) -> dict[str, str]:
    """Verilog of a board's unit: file name -> text. Raises `SpikeLoomError` for a component with other ports."""
    members = dict(unit.signature.members.items())
    if members != _PORTS:
        raise SpikeLoomError(
            f"A board's unit has the members rx (in), tx, busy and error (out), of 1 bit each, not {', '.join(members)}"
        )
    return export_component(unit, UNIT)


def check_memories(board: Board, unit: Component) -> None:
    """Raise `SpikeLoomError` where a unit has more memory than the board: known before any synthesis.

    Memories larger than a block memory are counted, which nothing else of the FPGA can hold.
    """
    _check_memories(board, (unit,), "The design's memory", SMALLER)


def check_cell_memories(board: Board, shapes: Iterable[EmulatorShape]) -> None:
    """As `check_memories`, of the cells of these emulators alone: known before there is a chip."""
    memories = [
        CellMemory(depth=shape.depth, cells=shape.cells, bits=bits, block_bits=board.memory_bits)
        for shape in shapes
        for bits in (shape.cell_bits, *((FACTOR_BITS,) if shape.programmer else ()))
    ]
    remedy = "choose a larger board, or make the network smaller, or its cells of fewer levels ([device] bits)"
    _check_memories(board, memories, "The memory of the crossbars' cells", remedy)


def _check_memories(board: Board, components: Iterable[Component], what: str, remedy: str) -> None:
    memories = [memory.bits for component in components for memory in structure_of(component).memories]
    sizes = [bits for bits in memories if bits > board.block_ram_bits]
    needed = sum(-(-bits // board.block_ram_bits) for bits in sizes)
    board.check_capacity(Usage(block_rams=needed), f"{what}, {sum(sizes):,} bits,", remedy)


def project_of(board: Board, clock: Clock, unit: Mapping[str, str]) -> Project:
    """The project of a unit on a board.

    Parameters
    ----------
    clock : of `Board.clock`
    unit : file name -> text, as from `unit_text`
    """
    platform = board.platform()
    for name, text in unit.items():
        platform.add_file(name, text)
    with no_collector():
        plan = platform.prepare(
            BoardTop(board, clock), TOP, emit_src=False, debug_verilog=False, synth_opts=board.family.synthesis
        )
    files = {name: text if isinstance(text, str) else text.decode() for name, text in plan.files.items()}
    commands = {words[0]: words[1:] for words in json.loads(files[f"build_{TOP}.json"])["commands"]}
    constraints = next(name for name in files if name.endswith((".lpf", ".pcf")))
    return Project(
        board=board,
        clock=clock,
        sources={name: files[name] for name in (*unit, f"{TOP}.il", f"{TOP}.ys")},
        constraints=(constraints, files[constraints]),
        place=_options(commands[board.family.nextpnr]),
        pack=tuple(board.family.packing.split()),
    )


def _options(words: list[str]) -> tuple[str, ...]:
    """What nextpnr is told of the device, without its files and logs."""
    kept: list[str] = []
    skip = False
    for word in words:
        named = word in ("--log", "--json", "--lpf", "--pcf", "--textcfg", "--asc")
        if not skip and not named and word != "--quiet":
            kept.append(word)
        skip = named
    return tuple(kept)
