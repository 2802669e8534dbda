"""Signals of a run's waveforms, one value per clock cycle, for drawing or checking.

Reads the VCD dumps that Verilator writes (`sim.cosim.run` with `waves`): one change per line, times in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["Wave", "find_dump", "read_waves"]

_CLOCK = "bench.clk"


@dataclass(frozen=True)
class Wave:
    """A signal as the clock's rising edges find it: `values[i]` is what edge `start + i` sees, None if not known."""

    name: str
    bits: int
    start: int
    values: tuple[int | None, ...]


def find_dump(place: Path) -> Path:
    """The dump in the folder that a co-simulation was given, in that of its job, or the file itself.

    Raises `ValueError` if there is none, or one of a kind that is not read.
    """
    tried = [place, place / "waves.vcd", place / "job_0" / "waves.vcd"]
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        if any((folder / "waves.fst").is_file() for folder in (place, place / "job_0")):
            raise SpikeLoomError(f'{place} has waves of Icarus, which are not read: run it with simulator="verilator"')
        raise SpikeLoomError(
            f"{place} has no waves.vcd: give the folder of a co-simulation with waves=True, or its dump"
        )
    if found.suffix != ".vcd":
        raise SpikeLoomError(f'{found} is no VCD file: give a dump of Verilator, from a run with simulator="verilator"')
    return found


def read_waves(dump: Path, names: Sequence[str], start: int | str = 0, cycles: int = 40) -> list[Wave]:
    """Signals of a dump over some clock cycles, in the order of their names.

    Parameters
    ----------
    dump : the VCD file
    names : from the bench down, without the range of their bits: "bench.chip.macro_0.drive"
    start : the first rising edge of `bench.clk` to read, counted from 0 at the beginning of the dump; or the name of a
        signal, for the first edge that finds it other than 0
    cycles : how many edges; fewer where the dump ends earlier

    Raises `ValueError` for a signal that the dump does not have, or a start that it does not reach.
    """
    trigger = start if isinstance(start, str) else _CLOCK
    wanted = [*names, _CLOCK, trigger]
    with dump.open(encoding="utf-8", errors="replace") as lines:
        codes = _declared(lines, wanted, dump)
        first = None if isinstance(start, str) else start
        rows: list[list[int | None]] = []
        for edge, values in enumerate(_edges(lines, {code for code, _ in codes.values()}, codes[_CLOCK][0])):
            if first is None and values.get(codes[trigger][0]):
                first = edge
            if first is not None and edge >= first:
                rows.append([values.get(codes[name][0]) for name in names])
            if len(rows) == cycles:
                break
    if first is None or not rows:
        what = f"is never other than 0 in {dump}" if first is None else f"is past the last clock cycle of {dump}"
        raise SpikeLoomError(f"start {start!r} {what}")
    return [Wave(name, codes[name][1], first, tuple(row[i] for row in rows)) for i, name in enumerate(names)]


def _declared(lines: TextIO, wanted: Sequence[str], dump: Path) -> dict[str, tuple[str, int]]:
    """Code and width of each wanted signal, from the dump's head, which is read to its end."""
    scope: list[str] = []
    found: dict[str, tuple[str, int]] = {}
    for line in lines:
        words = line.split()
        if words[:1] == ["$scope"]:
            scope.append(words[2])
        elif words[:1] == ["$upscope"]:
            scope.pop()
        elif words[:1] == ["$var"]:
            name = ".".join([*scope, words[4]])
            if name in wanted:
                found[name] = (words[3], int(words[2]))
        elif words[:1] == ["$enddefinitions"]:
            break
    missing = [name for name in wanted if name not in found]
    if missing:
        raise SpikeLoomError(
            f"No signal {missing[0]!r} in {dump}: waves.gtkw beside it lists names that there are, "
            "which are given without the range of their bits"
        )
    return found


def _edges(lines: TextIO, codes: set[str], clock: str) -> Iterator[dict[str, int | None]]:
    """Values right before each rising edge of the clock: what registers take at the edge."""
    values: dict[str, int | None] = {}
    changes: dict[str, int | None] = {}
    for line in lines:
        if line.startswith("#"):
            if changes.get(clock) == 1 and values.get(clock) == 0:
                yield values
            values |= changes
            changes = {}
            continue
        bits, code = line[1:].split() if line.startswith("b") else (line[:1], line[1:].strip())
        if code in codes:
            changes[code] = int(bits, 2) if set(bits) <= {"0", "1"} else None
