"""No exported module has a register that is always the same, or that nothing reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.export.verilog import export_component
from tests.hw.export.idle_registers import idle_registers
from tests.mutation.designs import units

QUICK = ("dense, one encoder", "dense, one layer", "dense, even coding")


@pytest.mark.parametrize(
    "make",
    [pytest.param(make, id=name, marks=() if name in QUICK else pytest.mark.slow) for name, make in units()],
)
def test_every_register_is_needed(make: Any, tmp_path: Path) -> None:
    assert idle_registers(export_component(make(), "unit"), tmp_path) == []


class Idle(wiring.Component):
    """A counter that counts, and registers that could go, each for another reason."""

    def __init__(self) -> None:
        super().__init__({"a": In(4), "enable": In(1), "sum": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept = Signal(4)
        never = Signal(3)  # 0, and stays 0
        turns = Signal(2, init=2)  # always 2: what it would become is what it is
        alone = Signal(4)  # read by itself only
        unread = Signal(4)
        m.d.sync += [never.eq(never & self.a[:3]), unread.eq(self.a), alone.eq(alone + self.a)]
        with m.If(self.enable):
            m.d.sync += [kept.eq(kept + self.a), turns.eq(turns ^ never)]
        m.d.comb += self.sum.eq(kept + never + turns)
        return m


def test_idle_registers_are_found(tmp_path: Path) -> None:
    found = idle_registers(export_component(Idle(), "unit"), tmp_path)
    assert found == [
        "unit.alone is not read",
        "unit.never is constant",
        "unit.turns is constant",
        "unit.unread is not read",
    ]
