"""Selected signals of a co-simulation over some clock cycles as a self-contained SVG picture.

A value is drawn from the edge that finds it to the next edge. The same dump gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.cosim.wave_reading import Wave, find_dump, read_waves
from spikeloom.sw.common.files import write_atomic

__all__ = ["wave_picture", "wave_svg"]

_CYCLE, _ROW, _LEVEL, _TOP, _LETTER = 18, 26, 16, 26, 7.0
_MOST_CYCLES = 1000
_STYLE = (
    "text { fill: #1f2933 } .mark { fill: #66727f; font-size: 11px; text-anchor: middle } .name { text-anchor: end } "
    ".value { font-size: 11px; text-anchor: middle } .grid { stroke: #e3e8ee } "
    ".bit { fill: none; stroke: #2563a8; stroke-width: 1.5 } .bus { fill: #eef3f9; stroke: #2563a8 } "
    ".unknown { fill: #f3d9d7; stroke: #c2413b }"
)


def wave_picture(
    waves: str | os.PathLike[str],
    path: str | os.PathLike[str],
    signals: Mapping[str, str] | Sequence[str],
    start: int | str = 0,
    cycles: int = 40,
) -> Path:
    """Draw signals of a co-simulation into an SVG file, and return its path.

    Parameters
    ----------
    waves : the folder that `Chip.cosim` was given with `waves=True`, or a VCD dump of it
    path : the file to write
    signals : names as `waves.gtkw` in the job's folder lists them, without the range of their bits; or a dictionary of
        what the picture calls each, to its name
    start : the first clock cycle, counted from 0 at the beginning of the dump; or the name of a signal, for the first
        cycle in which it is not 0
    cycles : how many clock cycles, 1 to 1000; fewer where the dump ends

    Raises `ValueError` for a folder without such a dump, and for signals or cycles that it does not have.
    """
    named = dict(signals) if isinstance(signals, Mapping) else {name.removeprefix("bench."): name for name in signals}
    if isinstance(signals, str) or not named:
        raise SpikeLoomError(f"signals are names, or a dictionary of labels to names, not {signals!r}")
    for name, value, least in (("start", start, 0), ("cycles", cycles, 1)):
        if isinstance(value, str) and name == "start":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise SpikeLoomError(f"{name} is a whole number of at least {least}, not {value!r}")
    if cycles > _MOST_CYCLES:
        raise SpikeLoomError(f"cycles is at most {_MOST_CYCLES}, what a picture can show, not {cycles}")
    found = read_waves(find_dump(Path(waves)), list(named.values()), start, cycles)
    write_atomic(path, wave_svg(dict(zip(named, found, strict=True))))
    return Path(path)


def wave_svg(waves: Mapping[str, Wave]) -> str:
    """The picture of waves of the same cycles, from top to bottom, each beside its label."""
    first = next(iter(waves.values()))
    cycles = len(first.values)
    left = round(max(map(len, waves)) * _LETTER) + 16
    width, height = left + cycles * _CYCLE + 10, _TOP + len(waves) * _ROW + 6
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="Helvetica, Arial, \'DejaVu Sans\', sans-serif" font-size="13" role="img">',
        f"<title>Clock cycles {first.start} to {first.start + cycles - 1}: {escape(', '.join(waves))}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for cycle in range(cycles):
        x = left + cycle * _CYCLE
        lines.append(f'<line class="grid" x1="{x}" y1="{_TOP - 4}" x2="{x}" y2="{height - 4}"/>')
        if cycle % 5 == 0:
            lines.append(f'<text class="mark" x="{x + _CYCLE / 2:g}" y="{_TOP - 10}">{first.start + cycle}</text>')
    for row, (label, wave) in enumerate(waves.items()):
        low = _TOP + row * _ROW + _LEVEL + 4
        lines.append(f'<text class="name" x="{left - 8}" y="{low - 4}">{escape(label)}</text>')
        lines += _bit(wave, left, low) if wave.bits == 1 else _bus(wave, left, low)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _runs(wave: Wave) -> list[tuple[int, int, int | None]]:
    """(first cycle, how many, value) of each stretch of one value."""
    runs, at = [], 0
    for value, same in groupby(wave.values):
        count = len(list(same))
        runs.append((at, count, value))
        at += count
    return runs


def _bit(wave: Wave, left: int, low: int) -> list[str]:
    """One line that goes up and down, and a box where the value is not known."""
    boxes, points = [], []
    for at, count, value in _runs(wave):
        x, end = left + at * _CYCLE, left + (at + count) * _CYCLE
        y = low - (_LEVEL if value else 0)
        points += [f"{x},{y}", f"{end},{y}"]
        if value is None:
            boxes.append(_box("unknown", x, low, end - x))
    return [f'<polyline class="bit" points="{" ".join(points)}"/>', *boxes]


def _bus(wave: Wave, left: int, low: int) -> list[str]:
    """A box for each value, which is written in it where there is room: decimal, or hexadecimal beyond 16 bits."""
    lines = []
    for at, count, value in _runs(wave):
        x, width = left + at * _CYCLE, count * _CYCLE
        lines.append(_box("bus" if value is not None else "unknown", x, low, width))
        text = "x" if value is None else f"{value}" if wave.bits <= 16 else f"{value:x}"
        if len(text) * _LETTER <= width - 2:
            lines.append(f'<text class="value" x="{x + width / 2:g}" y="{low - 4}">{text}</text>')
    return lines


def _box(kind: str, x: int, low: int, width: int) -> str:
    return f'<rect class="{kind}" x="{x}" y="{low - _LEVEL}" width="{width}" height="{_LEVEL}" rx="3"/>'
