"""Signals of more than 65,536 bits in Amaranth's export.

Amaranth 0.5 packs a net into one number, cell and bit, with 16 bits for the bit, and refuses wires of more than 65,536
bits, which the Verilog standard lets a tool refuse. Yosys, Verilator and Icarus take them, and a dense layer on an
image of 64 x 64 x 3 pixels through DACs is driven by 98,304. Here the bit of a net gets 32 bits, and the check is left
out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.back import rtlil

from tests.coverage.rtlil_text.internals import Net, changed, wire_attributes

__all__ = ["wide_signals"]

_BITS = 32
_MASK = (1 << _BITS) - 1
_ALONE = threading.RLock()


def _from_cell(cls: type[int], cell: int, bit: int) -> int:
    assert 0 <= bit <= _MASK
    assert cell > 0 or bit >= 2  # cell 0, bits 0 and 1: the constants
    return cls(cell << _BITS | bit)


def _wire(
    self: Any,
    width: int,
    *,
    name: str,
    src_loc: Any = None,
    attrs: Any = None,
    signed: bool = False,
    port_kind: str | None = None,
) -> None:
    self.name, self.width, self.signed, self.port_kind = name, width, signed, port_kind
    self.attributes = wire_attributes(attrs, src_loc)


@contextmanager
def wide_signals() -> Iterator[None]:
    """Let Amaranth convert signals of any width while the block runs; netlists must not be carried out of it."""
    changes: list[tuple[type, str, Any]] = [
        (Net, "from_cell", classmethod(_from_cell)),
        (Net, "cell", property(lambda net: int(net) >> _BITS)),
        (Net, "bit", property(lambda net: int(net) & _MASK)),
        (rtlil.Wire, "__init__", _wire),
    ]
    with _ALONE, changed(changes):
        yield
