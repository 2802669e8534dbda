"""The unit of a board: what resets its emulators."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from spikeloom.hw.boards import board_unit
from spikeloom.hw.boards.board_unit import BoardUnit
from spikeloom.hw.host.register_map import unit_byte_address
from spikeloom.hw.interfaces.crossbar_port import CrossbarSignature
from spikeloom.hw.interfaces.emulator_port import EmulatorBusSignature
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from spikeloom.hw.serial.commands import wait_for, write
from spikeloom.hw.serial.protocol import Command, Operation, encode_frame
from tests.benches.stream_bench import simulate

LAYER = LayerParameters(inputs=4, outputs=2, lanes=1, tile_rows=1)
UNIT = NpuParameters(layers=(LAYER,), encoder_lanes=4)
CLOCKS = 4


class Counted(wiring.Component):
    """In the place of an emulator: counts the cycles of its reset."""

    def __init__(self, *, parameters: LayerParameters, **_: object) -> None:
        super().__init__(
            {"crossbar": In(CrossbarSignature(parameters)), "reset": In(1), "load": In(EmulatorBusSignature())}
        )
        self.cycles = Signal(16)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.cycles.eq(self.cycles + self.reset)
        return m


def test_emulators_are_reset_by_a_reset_over_the_serial_port_and_by_a_soft_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """By both, for as long. The accelerator ends what it asks of a crossbar when it is reset, so that a read is begun
    anew by the next drive in any case; but an operation of many row tiles that was going on would be taken for a part
    of the next one, which a host may ask for in the same frame as the RESET.
    """
    made: list[Counted] = []

    def counted(**parameters: object) -> Counted:
        made.append(Counted(**parameters))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(board_unit, "CrossbarEmulator", counted)
    unit = BoardUnit(parameters=UNIT, clock_Hz=1_000_000, clocks_per_bit=CLOCKS, buffer_bytes=64)

    async def bench(ctx) -> None:
        ctx.set(unit.rx, 1)
        await ctx.tick().repeat(20)
        (emulator,) = made
        counts = []
        requests = (wait_for(Command.RESET, 1), wait_for(Command.RESET, 37), write(unit_byte_address("reset"), 1))
        for number, request in enumerate(requests):
            for byte in encode_frame(number, Operation.EXECUTE, request.request):
                for bit in (0, *(byte >> place & 1 for place in range(8)), 1):
                    ctx.set(unit.rx, bit)
                    await ctx.tick().repeat(CLOCKS)
            await ctx.tick().repeat(200)
            counts.append(ctx.get(emulator.cycles))
        assert counts == [1, 38, 39]

    simulate(unit, bench)
