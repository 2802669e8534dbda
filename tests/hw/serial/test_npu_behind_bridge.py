"""The accelerator behind the bridge, from the serial pins: identification, a load session, an image, its result."""

from __future__ import annotations

import random
import struct
import zlib

from amaranth.hdl import Module
from amaranth.lib.wiring import In

from spikeloom.hw.host.register_map import build_id, unit_byte_address
from spikeloom.hw.interfaces.streams import RESULT_LAYOUT
from spikeloom.hw.npu_axi import NpuAxi
from spikeloom.hw.serial.bridge import SerialBridge
from spikeloom.hw.serial.commands import AnswerReader, image, read, wait_for, write
from spikeloom.hw.serial.protocol import Command, FrameDecoder, Hello, Operation, Status, Taking, encode_frame
from tests.benches.stream_bench import simulate
from tests.hw.test_npu import writes_of
from tests.hw.test_npu_axi import SETTINGS, Bench

CLOCKS = 4


def joined_to_bridge(npu: NpuAxi, bridge: SerialBridge) -> Module:
    """Every member of the bridge that the accelerator has, too."""
    m = Module()
    m.submodules.npu, m.submodules.bridge = npu, bridge
    for name, member in bridge.signature.members.items():
        if hasattr(npu, name):
            inner, outer = getattr(bridge, name), getattr(npu, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
    return m


def test_identification_load_and_image_from_the_pins() -> None:
    parts = Bench(stall=0.0)
    p, rng = parts.parameters, random.Random(9)
    bridge = SerialBridge(
        clocks_per_bit=CLOCKS, layers=len(p.layers), encoder_lanes=p.encoder_lanes, clock_Hz=1, buffer_bytes=2048
    )
    m = joined_to_bridge(parts.dut, bridge)
    pixels, seed = [rng.randrange(256) for _ in range(p.inputs)], rng.getrandbits(128)
    received, decoder = [], FrameDecoder()

    async def line(ctx):
        """Take bytes from `tx`, each bit in its middle."""
        while True:
            *_, level = await ctx.tick().sample(bridge.tx)
            if level:
                continue
            byte = 0
            for cycle in range(1, 9 * CLOCKS + CLOCKS // 2 + 1):
                *_, level = await ctx.tick().sample(bridge.tx)
                if cycle % CLOCKS == CLOCKS // 2 and cycle > CLOCKS:
                    byte = byte >> 1 | level << 8
            assert byte & 0x100  # stop bit
            received.extend(decoder.feed(bytes([byte & 0xFF])))

    async def ask(ctx, sequence, operation, payload):
        for byte in encode_frame(sequence, operation, payload):
            for level in [0, *(byte >> k & 1 for k in range(8)), 1]:
                ctx.set(bridge.rx, level)
                await ctx.tick().repeat(CLOCKS)
        while not received:
            await ctx.tick()
        answer = received.pop()
        assert answer[:2] == (sequence, Status.OK)
        return answer.payload

    async def host(ctx):
        ctx.set(bridge.rx, 1)
        await ctx.tick().repeat(10)
        assert Hello.parse(await ask(ctx, 0, Operation.HELLO, b"abcd")).layers == len(p.layers)
        answer = AnswerReader(await ask(ctx, 1, Operation.EXECUTE, read(unit_byte_address("build")).request))
        assert answer.access() == (0, build_id(p))
        commands = [write(unit_byte_address("load_begin"), build_id(p))]
        settings = b""
        for one in writes_of(parts.layers, SETTINGS):
            address, data = 4 * one["address"], one["data"] & 0xFFFFFFFF
            commands.append(write(address, data))
            settings += struct.pack("<II", address, data)
        commands.append(write(unit_byte_address("load_end"), zlib.crc32(settings)))
        commands += [write(unit_byte_address(f"seed_{k}"), seed >> 32 * k & 0xFFFFFFFF) for k in range(4)]
        count = len(commands)
        padded = bytes(pixels) + bytes(-len(pixels) % p.encoder_lanes)
        commands += [image(1000, 77, padded, p.encoder_lanes), wait_for(Command.RESULT, 20_000, len(p.layers))]
        answer = AnswerReader(await ask(ctx, 2, Operation.EXECUTE, b"".join(one.request for one in commands)))
        assert [answer.byte() for _ in range(count)] == [0] * count
        assert answer.byte() == Taking.TAKEN
        tag, (word, *_), whole = answer.result()
        result = RESULT_LAYOUT.const(RESULT_LAYOUT.from_bits(word))
        outcome = parts.outcome(pixels, seed)
        names = ("winner", "steps", "margin", "reason")
        assert (tag, whole) == (77, True)
        assert [result[name] for name in names] == [getattr(outcome, name) for name in names]

    simulate(m, host, background=[line, *parts.background], limit=200_000)
