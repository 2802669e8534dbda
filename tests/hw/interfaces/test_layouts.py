"""Words taken apart and put together by Amaranth's layouts."""

from __future__ import annotations

import random

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal, signed, unsigned
from amaranth.lib import data
from amaranth.sim import Simulator

from spikeloom.hw.interfaces.layouts import layout_fields, pack, unpack, word_layout, word_of
from spikeloom.hw.interfaces.programming_port import RESULT_WORD

MIXED = data.StructLayout(
    {"a": unsigned(3), "b": signed(5), "many": data.ArrayLayout(signed(4), 3), "c": unsigned(1), "d": signed(2)}
)


@pytest.mark.parametrize("seed", range(5))
def test_the_numbers_are_those_that_amaranth_reads(seed: int) -> None:
    rng = random.Random(seed)
    words = [rng.getrandbits(MIXED.size) for _ in range(20)]
    for word in words:
        constant = MIXED.from_bits(word)
        ours = unpack(MIXED, word)
        assert list(ours) == ["a", "b", "many", "c", "d"]
        assert [ours[name] for name in "abcd"] == [constant[name] for name in "abcd"]
        assert ours["many"] == word >> 8 & 0xFFF
        assert pack(MIXED, ours) == word
    arrays = unpack(layout_fields(MIXED), np.array(words))
    for name, numbers in arrays.items():
        assert numbers.tolist() == [unpack(MIXED, word)[name] for word in words]
    assert pack(MIXED, arrays).tolist() == words


def test_fields_that_are_not_named_are_zeros() -> None:
    assert pack(RESULT_WORD, {"failed": 1}) == 1 << 31
    assert pack(MIXED, {"b": -1}) == 0b11111000


def test_a_word_in_hardware_has_its_gaps() -> None:
    layout = word_layout([("low", 2, 3), ("high", 8, 1)])
    low, out, m = Signal(3), Signal(32), Module()
    m.d.comb += out.eq(word_of(layout, low=low, high=Const(1, 1)))
    seen = []

    async def bench(ctx: object) -> None:
        for value in range(8):
            ctx.set(low, value)  # type: ignore[attr-defined]
            seen.append(ctx.get(out))  # type: ignore[attr-defined]

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [value << 2 | 1 << 8 for value in range(8)]


@pytest.mark.parametrize("values", [{"high": Const(0, 1), "low": Const(0, 3)}, {"low": Const(0, 3)}])
def test_a_word_of_other_fields_is_a_mistake(values: dict[str, Const]) -> None:
    with pytest.raises(AssertionError, match="fields"):
        word_of(word_layout([("low", 2, 3), ("high", 8, 1)]), **values)


def test_a_field_of_another_width_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match=r"^field low has 3 bits from 2 on$"):
        word_of(word_layout([("low", 2, 3)]), low=Const(0, 4))
