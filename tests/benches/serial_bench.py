"""A board around the serial bridge: bytes instead of a line, registers, emulators and streams with random stalls.

The line's two ends are replaced by ones that give and take whole bytes, so that a frame takes a fifth of the cycles.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.serial.bridge import SerialBridge
from spikeloom.hw.serial.protocol import Frame, FrameDecoder, encode_frame
from tests.benches.stream_bench import simulate

__all__ = ["BYTE_CYCLES", "Board", "ByteBridge", "run"]

BYTE_CYCLES = 11
WRONG_FROM = 0x1000
"""Addresses of the registers from which on the bus answers with an error."""


async def accepted(ctx: Any, ready: Any) -> None:
    """Wait for the end of a cycle with `ready`."""
    taken = 0
    while not taken:
        *_, taken = await ctx.tick().sample(ready)


class ByteReceiver(wiring.Component):
    """The ports of `UartReceiver`, which the bench drives."""

    def __init__(self) -> None:
        super().__init__({"rx": In(1), "data": Out(8), "valid": Out(1), "error": Out(1), "idle": Out(1, init=1)})

    def elaborate(self, platform):
        return Module()


class ByteTransmitter(wiring.Component):
    """The ports of `UartTransmitter`, which the bench drives."""

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1), "idle": Out(1, init=1)})

    def elaborate(self, platform):
        return Module()


class ByteBridge(SerialBridge):
    def _line(self):
        self.line_in, self.line_out = ByteReceiver(), ByteTransmitter()
        return self.line_in, self.line_out


class Board:
    """What is around a bridge; everything that it does to them is kept in order.

    stall : probability that a side waits a cycle longer
    dead : sides that never answer, of "axi", "emulator", "pixels"
    """

    def __init__(self, *, seed: int = 1, stall: float = 0.3, dead: tuple[str, ...] = (), **bridge: Any) -> None:
        settings = {"clocks_per_bit": 4, "layers": 2, "encoder_lanes": 3, "clock_Hz": 12_000_000, "buffer_bytes": 256}
        self.bridge = ByteBridge(**{**settings, **bridge})
        self.rng, self.stall, self.dead = random.Random(seed), stall, dead
        self.registers: dict[int, int] = {}
        self.emulators: dict[int, int] = {}
        self.log: list[tuple[Any, ...]] = []  # what was done to the board
        self.words: list[tuple[int, int, int]] = []  # of image frames: data, last, tag
        self.results: deque[tuple[int, int, int]] = deque()  # words to come: data, last, tag
        self.room = 1 << 30  # words of images that are taken
        self.decoder = FrameDecoder()
        self.frames: list[Frame] = []

    async def send(self, ctx: Any, line: bytes, errors: tuple[int, ...] = ()) -> None:
        """Bytes on the line, one at a time; those at places `errors` with a wrong stop bit."""
        end = self.bridge.line_in
        for place, byte in enumerate(line):
            ctx.set(end.data, byte)
            strobe = end.error if place in errors else end.valid
            ctx.set(strobe, 1)
            await ctx.tick()
            ctx.set(strobe, 0)
            await ctx.tick().repeat(BYTE_CYCLES - 1)

    async def settle(self, ctx: Any, limit: int = 20_000) -> list[Frame]:
        """Wait until the bridge is at rest; the answers since the last call."""
        rest = 0
        for _ in range(limit):
            *_, quiet = await ctx.tick().sample(self.bridge.quiet)
            rest = rest + 1 if quiet else 0
            if rest > 2 * BYTE_CYCLES:
                found, self.frames = self.frames, []
                return found
        raise AssertionError(f"the bridge is not at rest after {limit} cycles")

    async def ask(self, ctx: Any, sequence: int, operation: int, payload: bytes = b"", limit: int = 20_000) -> Frame:
        """Send a request; its answer, which must be the only one."""
        await self.send(ctx, encode_frame(sequence, operation, payload))
        (answer,) = await self.settle(ctx, limit)
        return answer

    async def line(self, ctx: Any) -> None:
        end, wait = self.bridge.line_out, 0
        while True:
            ctx.set(end.i.ready, wait == 0)
            *_, valid, ready, byte = await ctx.tick().sample(end.i.valid, end.i.ready, end.i.payload)
            wait = BYTE_CYCLES if valid and ready else max(0, wait - 1)
            ctx.set(end.idle, wait == 0)
            if valid and ready:
                self.frames += self.decoder.feed(bytes([byte]))

    async def once(self, ctx: Any, *valids: Any) -> None:
        """Let an access wait for its answer: it is not asked for once more."""
        while not self.goes():
            *_, again = await ctx.tick().sample(Cat(valids))
            assert not again, "an access was offered again after it was taken"

    async def axi_write(self, ctx: Any) -> None:
        b = self.bridge
        parts: dict[str, int] = {}
        while True:
            ready = {name: "axi" not in self.dead and name not in parts and self.goes() for name in ("aw", "w")}
            ctx.set(b.s_axil_awready, ready["aw"])
            ctx.set(b.s_axil_wready, ready["w"])
            names = (b.s_axil_awvalid, b.s_axil_wvalid, b.s_axil_awaddr, b.s_axil_wdata, b.s_axil_wstrb)
            *_, aw, w, address, data, strobe = await ctx.tick().sample(*names)
            parts |= {"aw": address} if aw and ready["aw"] else {}
            parts |= {"w": data} if w and ready["w"] else {}
            if len(parts) == 2:
                ctx.set(b.s_axil_awready, 0)
                ctx.set(b.s_axil_wready, 0)
                assert strobe == 0b1111
                wrong = parts["aw"] >= WRONG_FROM
                self.log.append(("write", parts["aw"], parts["w"]))
                if not wrong:
                    self.registers[parts["aw"]] = parts["w"]
                await self.once(ctx, b.s_axil_awvalid, b.s_axil_wvalid)
                ctx.set(b.s_axil_bvalid, 1)
                ctx.set(b.s_axil_bresp, 2 * wrong)
                await accepted(ctx, b.s_axil_bready)
                ctx.set(b.s_axil_bvalid, 0)
                parts = {}

    async def axi_read(self, ctx: Any) -> None:
        b = self.bridge
        while True:
            ready = "axi" not in self.dead and self.goes()
            ctx.set(b.s_axil_arready, ready)
            *_, valid, address = await ctx.tick().sample(b.s_axil_arvalid, b.s_axil_araddr)
            if valid and ready:
                ctx.set(b.s_axil_arready, 0)
                self.log.append(("read", address))
                await self.once(ctx, b.s_axil_arvalid)
                ctx.set(b.s_axil_rvalid, 1)
                ctx.set(b.s_axil_rdata, 0 if address >= WRONG_FROM else self.registers.get(address, 0))
                ctx.set(b.s_axil_rresp, 2 * (address >= WRONG_FROM))
                await accepted(ctx, b.s_axil_rready)
                ctx.set(b.s_axil_rvalid, 0)

    async def emulator(self, ctx: Any) -> None:
        b = self.bridge
        while True:
            *_, write, read, address, data = await ctx.tick().sample(
                b.load_write, b.load_read, b.load_address, b.load_data
            )
            assert not (write and read)
            if (write or read) and self.goes() and "emulator" not in self.dead:
                self.log.append(("load", address, data) if write else ("look", address))
                if write:
                    self.emulators[address] = data
                ctx.set(b.load_read_data, self.emulators.get(address, 0))
                ctx.set(b.load_ack, 1)
                await ctx.tick()
                ctx.set(b.load_ack, 0)

    async def pixels(self, ctx: Any) -> None:
        b, wanted = self.bridge, False
        while True:
            # Once up, ready stays until a word is taken, as that of the unit.
            wanted = "pixels" not in self.dead and self.room > 0 and (wanted or self.goes())
            ctx.set(b.s_axis_pixels_tready, wanted)
            names = (b.s_axis_pixels_tvalid, b.s_axis_pixels_tdata, b.s_axis_pixels_tlast, b.s_axis_pixels_tuser)
            *_, valid, data, last, tag = await ctx.tick().sample(*names)
            if valid and wanted:
                self.words.append((data, last, tag))
                self.room, wanted = self.room - 1, False

    async def result(self, ctx: Any) -> None:
        b = self.bridge
        while True:
            if not self.results or not self.goes():
                await ctx.tick()
                continue
            data, last, tag = self.results[0]
            ctx.set(b.m_axis_result_tdata, data)
            ctx.set(b.m_axis_result_tlast, last)
            ctx.set(b.m_axis_result_tuser, tag)
            ctx.set(b.m_axis_result_tvalid, 1)
            await accepted(ctx, b.m_axis_result_tready)
            ctx.set(b.m_axis_result_tvalid, 0)
            self.results.popleft()

    def goes(self) -> bool:
        return self.rng.random() >= self.stall


def run(board: Board, bench: Any, limit: int = 200_000) -> None:
    """Run `bench(ctx)` with the board around its bridge."""
    sides = [board.line, board.axi_write, board.axi_read, board.emulator, board.pixels, board.result]
    simulate(board.bridge, bench, background=sides, limit=limit)
