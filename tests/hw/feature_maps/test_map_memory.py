# amaranth: UnusedElaboratable=no
"""SpikeMap against a list, and the sizes of its ports."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Module, Signal

from spikeloom.hw.feature_maps.map_memory import SpikeMap, address_bits
from spikeloom.hw.params.plan import MapShape
from spikeloom.hw.primitives.constant_division import reciprocal
from tests.benches.proof_bench import mutant, with_junk
from tests.benches.stream_bench import simulate
from tests.formal import Harness, assert_fails, constant, in_turn, prove, reaches


@pytest.mark.parametrize("banks", [1, 2, 3, 4, 5, 12])
@pytest.mark.parametrize(("positions", "bits"), [(1, 1), (2, 1), (12, 1), (13, 8), (16, 1)])
def test_words(positions: int, bits: int, banks: int) -> None:
    """Random writes, to every bank in the same cycle, and reads; a word that was read stays until the next read,
    whatever is written.
    """
    banks = min(banks, positions)
    shape = MapShape(channels=3, height=1, width=positions)
    dut, rng = SpikeMap(shape=shape, value_bits=bits, banks=banks), random.Random(1)
    ports = [dut.write] if banks == 1 else [getattr(dut, f"write_{bank}") for bank in range(banks)]
    assert {len(port.data) for port in ports} == {3 * bits} and len(dut.read.address) == address_bits(shape)
    words: dict[int, int] = {}
    shown: int | None = None

    async def bench(ctx):
        nonlocal shown
        for _ in range(300):
            read, written = rng.randrange(positions), {}
            for bank, port in enumerate(ports):
                place, word, enable = rng.randrange(positions), rng.getrandbits(3 * bits), rng.random() < 0.5
                place -= (place - bank) % banks
                if place >= 0:
                    ctx.set(port.address, place // banks)
                    ctx.set(port.data, word)
                ctx.set(port.enable, enable and place >= 0)
                if enable and place >= 0:
                    written[place] = word
            enabled = rng.random() < 0.5 and read not in written
            ctx.set(dut.read.address, read)
            ctx.set(dut.read.enable, enabled)
            await ctx.tick()
            if enabled:
                shown = words.get(read)
            words.update(written)
            assert shown is None or ctx.get(dut.read.data) == shown
        assert len(words) == positions

    simulate(dut, bench)


class Words(Harness):
    """A word that is read is the one that was last written to its position, through the port of its bank.

    Of a free position: all others are the same.
    """

    def __init__(self, dut: SpikeMap) -> None:
        super().__init__(dut, position=range(dut.shape.positions))

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        dut, positions, banks = self.dut, self.dut.shape.positions, self.dut.banks
        constant(m, self.position)
        m.d.comb += Assume(self.position < positions)
        known, word = Signal(), Signal(len(dut.read.data))
        shown, expected = Signal(), Signal(len(word))
        mine = Signal()
        for bank in range(banks):
            port = getattr(dut, f"write_{bank}")
            place = Array([p // banks if p % banks == bank else positions for p in range(positions)])[self.position]
            m.d.comb += Assume(~port.enable | (port.address < len(range(bank, positions, banks))))
            with m.If(port.enable & (port.address == place)):
                m.d.sync += [known.eq(1), word.eq(port.data)]
                m.d.comb += mine.eq(1)
        with m.If(dut.read.enable):
            m.d.comb += [Assume(dut.read.address < positions)]
            m.d.sync += [shown.eq(known & (dut.read.address == self.position)), expected.eq(word)]
            m.d.comb += Assume(~mine | (dut.read.address != self.position))
        with m.If(shown):
            m.d.comb += Assert(dut.read.data == expected)
        waits = ~dut.read.enable
        others = [getattr(dut, f"write_{bank}").enable for bank in range(banks)]
        reaches(
            m,
            shows=shown & expected.all(),
            shows_the_second_word=in_turn(m, mine, shown, mine, shown & (dut.read.data != 0)),
            shows_on_while_it_is_written=in_turn(m, shown & waits & mine, shown & waits),
            all_banks_at_once=in_turn(m, Cat(others).all() & mine, shown),
            last_position=shown & (self.position == positions - 1),
        )
        return m


def banked(positions: int, banks: int, component: Any = SpikeMap) -> SpikeMap:
    return component(shape=MapShape(channels=2, width=positions), banks=banks)


@pytest.mark.parametrize(("positions", "banks"), [(4, 2), (7, 3), (10, 5), (12, 7)])
def test_words_of_banks(positions: int, banks: int) -> None:
    prove(Words(with_junk(banked(positions, banks))), "spike_map", depth=8)


BROKEN = {
    "shows_another_bank": ("with m.Switch(last):", "with m.Switch(wanted):"),
    "forgets_the_bank": ("m.d.sync += last.eq(wanted)", "pass"),
    "reads_in_vain": ("with m.If(self.read.enable):\n            m.d.sync", "with m.If(1):\n            m.d.sync"),
    "mixes_the_places": ("read.addr.eq(place)", "read.addr.eq(self.read.address)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    dut = banked(7, 3, mutant(SpikeMap, *BROKEN[name]))
    assert_fails(Words(dut), f"spike_map_{name}", depth=8)


@pytest.mark.parametrize("divisor", [1, 2, 3, 5, 6, 7, 8, 11, 12, 63, 64, 100, 1000])
def test_division_by_a_constant(divisor: int) -> None:
    for largest in (1, 5, 63, 783, 1024, 4095):
        factor, shift = reciprocal(divisor, largest)
        assert all(value * factor >> shift == value // divisor for value in range(largest + 1))


@pytest.mark.parametrize(("banks", "error"), [(0, ValueError), (True, TypeError), (5, ValueError)])
def test_banks(banks: object, error: type) -> None:
    with pytest.raises(error, match=r"^SpikeMap (banks must be|has 5 banks for 4 positions)"):
        SpikeMap(shape=MapShape(channels=1, width=4), banks=banks)


@pytest.mark.parametrize(("bits", "error"), [(0, ValueError), (True, TypeError), ("1", TypeError)])
def test_bits_of_a_value(bits: object, error: type) -> None:
    with pytest.raises(error, match=r"^SpikeMap value_bits must be"):
        SpikeMap(shape=MapShape(channels=1), value_bits=bits)
