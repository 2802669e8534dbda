"""What may be asked for: a clock, a size of memories, one corner that all libraries are of, and each cell once."""

from __future__ import annotations

from collections.abc import Sequence

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.standard_cells.liberty import Corner, Library, LibraryError

__all__ = ["check_options", "conditions_of"]

_LOWEST_Hz, _HIGHEST_Hz = 1e4, 1e11
"""Clocks that may be asked for: OpenSTA has single precision, so that delays are lost in longer periods."""


def conditions_of(library: Library, corner: str) -> tuple[float | None, float | None, float | None]:
    """Volts, degrees Celsius and process factor of a library at operating conditions of a name, or at its own."""
    found = library.corners.get(corner, library.default_corner)
    return found.voltage_V, found.temperature_C, found.process


def check_options(libraries: Sequence[Library], clock_Hz: float, memory_bits: int, corner: str = "") -> Corner:
    """The corner asked for, by its name; "" for the library's default.

    Raises
    ------
    SpikeLoomError : a clock out of range, or a negative number of bits
    LibraryError : there are no such operating conditions, libraries are of different ones, or two have the same cell
    """
    if not _LOWEST_Hz <= clock_Hz <= _HIGHEST_Hz:  # also nan
        raise SpikeLoomError(
            f"The clock must be from {_LOWEST_Hz:g} to {_HIGHEST_Hz:g} Hz, such as 100e6, not {clock_Hz:g}: "
            "give another one with --clock"
        )
    if memory_bits < 0:
        raise SpikeLoomError(f"The size of memories that become flip-flops must be 0 bits or more, not {memory_bits}")
    known = {name: found for library in reversed(libraries) for name, found in library.corners.items()}
    if corner and corner not in known:
        names = f"it has {', '.join(sorted(known))}" if known else "it names none"
        raise LibraryError(
            f"The library {libraries[0].name} has no operating conditions '{corner}': {names}; give one of them, the "
            "file of another corner, or leave the corner out"
        )
    _check_same(libraries, corner)
    _check_once(libraries)
    return known[corner] if corner else libraries[0].default_corner


def _check_same(libraries: Sequence[Library], corner: str) -> None:
    """Raise `LibraryError` where two libraries say different voltages, temperatures or process factors."""
    for number, (what, unit) in enumerate((("voltage", " V"), ("temperature", " degrees Celsius"), ("process", ""))):
        said = [(library.name, conditions_of(library, corner)[number]) for library in libraries]
        stated = [(name, value) for name, value in said if value is not None]
        other = next((each for each in stated if each[1] != stated[0][1]), None)
        if other is not None:
            raise LibraryError(
                f"The libraries are of different corners: the {what} of {stated[0][0]} is {stated[0][1]:g}{unit}, "
                f"that of {other[0]} {other[1]:g}{unit}; give files of one corner, or a --corner that all have"
            )


def _check_once(libraries: Sequence[Library]) -> None:
    """Raise `LibraryError` where two libraries have a cell of the same name, with which `abc` ends in an error."""
    known: dict[str, Library] = {}
    for library in libraries:
        for name in library.cells:
            if name in known:
                first, second = (each.path or each.name for each in (known[name], library))
                raise LibraryError(
                    f"The Liberty file '{first}' is given twice, and a cell such as {name} must be there once: give "
                    "every file once with --liberty"
                    if first == second
                    else f"The Liberty files '{first}' and '{second}' both have the cell {name}, which must be there "
                    "once: give only files with --liberty that have no cell in common"
                )
        known |= dict.fromkeys(library.cells, library)
