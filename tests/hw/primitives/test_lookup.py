"""Constants by number."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.primitives.lookup import looked_up
from tests.benches.stream_bench import simulate


class Lookup(wiring.Component):
    def __init__(self, values: list[int], bits: int) -> None:
        self._values = values
        super().__init__({"index": In(bits), "found": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.clocked = clocked = Module()
        clocked.d.sync += Signal().eq(1)
        m.d.comb += self.found.eq(looked_up(m, self.index, self._values, "value"))
        return m


def test_every_number_has_its_value() -> None:
    for values, bits in (([3, 0, 200], 2), ([7, 9, 11], 1), ([5], 1)):
        dut = Lookup(values, bits)

        async def bench(ctx, dut=dut, values=values, bits=bits):
            for index in range(1 << bits):
                ctx.set(dut.index, index)
                await ctx.delay(1e-9)
                assert ctx.get(dut.found) == (values[index] if index < len(values) else 0)

        simulate(dut, bench)
