"""Units with vectors of more than 65,536 bits are exported as narrower ones are; Amaranth is left as it was."""

from __future__ import annotations

import re
import threading

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal, _nir
from amaranth.lib.wiring import Component, In, Out

from tests.coverage.rtlil_text.files import rtlil_files
from tests.coverage.rtlil_text.rtlil_modules import rtlil_modules
from tests.coverage.rtlil_text.wide_signals import wide_signals

PATCHED = [(_nir.Net, "from_cell"), (_nir.Net, "cell"), (_nir.Net, "bit"), (rtlil.Wire, "__init__")]


class Wide(Component):
    """Keeps a vector, and says whether any of its bits is set."""

    def __init__(self, width: int) -> None:
        super().__init__({"i": In(width), "o": Out(width), "any": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept = Signal.like(self.i, name="kept")
        m.d.sync += kept.eq(self.i)
        m.d.comb += [self.o.eq(kept ^ kept[1:]), self.any.eq(kept.any())]
        return m


def normal(text: str, width: int) -> str:
    """The text with the width as a letter, and zeros of that width as one."""
    text = re.sub(rf"\b{width}'h0+\b", f"{width}'h0", text)
    return re.sub(r"\b\d{2,6}\b", lambda match: {width: "W", width - 1: "W-1"}.get(int(match[0]), match[0]), text)


@pytest.mark.slow
@pytest.mark.parametrize("width", [65534, 65537])
def test_a_wide_unit_is_the_narrow_one_with_another_width(width: int) -> None:
    """On both sides of the widest net, with the constants and the clock, and of the widest wire."""
    (wide,), (narrow,) = (rtlil_files(Wide(n), "wide").values() for n in (width, 100))
    assert normal(wide, width) == normal(narrow, 100)


def test_a_narrow_unit_is_what_amaranth_writes_by_itself() -> None:
    with wide_signals():
        here = rtlil_modules(Wide(100), "wide")
    assert here == rtlil_modules(Wide(100), "wide")


def test_amaranth_is_left_as_it_was_in_threads_too() -> None:
    before = [owner.__dict__[name] for owner, name in PATCHED]
    inside = threading.Barrier(1)

    def work() -> None:
        with wide_signals():
            inside.wait()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(KeyError), wide_signals():
        raise KeyError
    assert [owner.__dict__[name] for owner, name in PATCHED] == before
    with pytest.raises(AssertionError):
        _nir.Net.from_cell(1, 1 << 16)
