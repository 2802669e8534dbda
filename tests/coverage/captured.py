"""Where the Verilog comes from: while hardware is exported, its RTLIL with the places in the Amaranth source is kept.

Meanwhile an export is Amaranth's RTLIL as Yosys writes it (`tests.coverage.rtlil_text`): every line has a place. That
text knows nothing of it: its RTLIL is made with `src` attributes here, which Yosys leaves out as before, so that the
Verilog is the same. Amaranth gives attributes to signals and cells. Choices of a `switch` have none although the
netlist knows the line of every `m.If`, `m.Elif`, `m.Case` and `m.State`; here they get theirs.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import _nir

from spikeloom.hw.export import axi_verilog, verilog
from tests.coverage.rtlil_text import files
from tests.coverage.rtlil_text.internals import changed

__all__ = ["Captured", "digest_of"]


class _Patterns(tuple[str, ...]):
    """Patterns of a choice, and the line of the source that has it."""

    place: tuple[str, int] | None = None


def digest_of(text: str) -> str:
    """Of a Verilog file."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _line(place: tuple[str, int] | None, line: Callable[[str], None]) -> None:
    if place is not None:
        line(f'attribute \\src "{place[0]}:{place[1]}"')


def _changes() -> list[tuple[Any, str, Any]]:
    """(owner, name, what stands there instead) of Amaranth's converter."""
    begin, case, switch, convert = (
        _nir.Matches.__init__,
        rtlil.Case.emit,
        rtlil.Switch.emit,
        rtlil.convert_fragment,
    )

    def matches(cell: Any, *args: Any, src_loc: Any, **how: Any) -> None:
        begin(cell, *args, src_loc=src_loc, **how)
        cell.patterns = _Patterns(cell.patterns)
        cell.patterns.place = src_loc

    def emit_case(self: Any, line: Any) -> None:
        _line(getattr(self.patterns, "place", None), line)
        case(self, line)

    def emit_switch(self: Any, line: Any) -> None:
        _line(getattr(self.cases[0].patterns, "place", None) if self.cases else None, line)
        switch(self, line)

    @functools.wraps(convert)
    def with_places(*args: Any, **how: Any) -> Any:
        return convert(*args, **{**how, "emit_src": True})

    return [
        (_nir.Matches, "__init__", matches),
        (rtlil.Case, "emit", emit_case),
        (rtlil.Switch, "emit", emit_switch),
        (rtlil, "convert_fragment", with_places),
    ]


class Captured:
    """While its `with` block lasts, what this process exports is written from RTLIL, and that is kept, too.

    Attributes
    ----------
    rtlil : digest of a Verilog file (`digest_of`) -> RTLIL of its module, with `src` attributes
    """

    def __init__(self) -> None:
        self.rtlil: dict[str, str] = {}
        self._latest: dict[str, str] = {}

    def __enter__(self) -> Captured:
        convert, split = files.rtlil_modules, files.readable_modules

        def modules(*args: Any, **how: Any) -> Any:
            with changed(_changes()):
                found = convert(*args, **how)
            self._latest = {re.sub(r"\W+", "_", module.name): module.text for module in found}
            return found

        def texts(*args: Any, **how: Any) -> Iterator[tuple[str, str]]:
            for name, body in split(*args, **how):
                self.rtlil[digest_of(body)] = self._latest[name]
                yield name, body

        changes: list[tuple[Any, str, Any]] = [(files, "rtlil_modules", modules), (files, "readable_modules", texts)]
        for exporter in (verilog, axi_verilog):
            changes += [(exporter, "export_component", files.rtlil_files), (exporter, "waivers", lambda *_: "")]
        self._exit = changed(changes)
        self._exit.__enter__()
        return self

    def __exit__(self, *how: Any) -> None:
        self._exit.__exit__(*how)
