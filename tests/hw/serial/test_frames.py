"""Frames in hardware: checksum, receiver and sender against the Python side, byte for byte, on a damaged line."""

from __future__ import annotations

import random
import zlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikeloom.hw.serial.checksum import Checksum
from spikeloom.hw.serial.frame_receiver import FrameReceiver
from spikeloom.hw.serial.frame_sender import FrameSender
from spikeloom.hw.serial.protocol import END, ESCAPE, ESCAPED_ESCAPE, Frame, FrameDecoder, encode_frame, most_payload
from tests.benches.serial_bench import BYTE_CYCLES
from tests.benches.stream_bench import simulate

BUFFER = 64
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
body = st.binary(max_size=12) | st.lists(st.sampled_from([END, ESCAPE, 0xDC, 0xDD]), max_size=12).map(bytes)


def damaged(frame: bytes, kind: str, place: int, value: int) -> bytes:
    line, place = bytearray(frame), place % len(frame)
    if kind == "flip":
        line[place] ^= 1 << value % 8
    elif kind == "cut":
        del line[place:]
    elif kind == "insert":
        line.insert(place, value)
    elif kind == "drop":
        del line[place]
    elif kind == "garbage":
        line = bytearray(random.Random(value).randbytes(place))
    return bytes(line)


kinds = st.sampled_from(["none", "none", "flip", "cut", "insert", "drop", "garbage"])
lines = st.lists(st.tuples(body, kinds, st.integers(0, 60), st.integers(0, 255)), min_size=1, max_size=8)


def test_checksum() -> None:
    dut, data = Checksum(), b"123456789"

    async def byte(ctx, strobe, value=0):
        ctx.set(dut.data, value)
        ctx.set(strobe, 1)
        await ctx.tick()
        ctx.set(strobe, 0)
        await ctx.tick().repeat(9)

    async def bench(ctx):
        for _ in range(2):
            for value in data:
                await byte(ctx, dut.valid, value)
            found = []
            for _ in range(4):
                found.append(ctx.get(dut.value))
                await byte(ctx, dut.next)
            assert int.from_bytes(bytes(found), "little") == zlib.crc32(data) == 0xCBF43926
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            assert not ctx.get(dut.good)
        for value in data + zlib.crc32(data).to_bytes(4, "little"):
            assert not ctx.get(dut.good)
            await byte(ctx, dut.valid, value)
        assert ctx.get(dut.good)

    simulate(dut, bench)


def taken(line: bytes, errors: frozenset[int] = frozenset()) -> tuple[list[bytes], int, int]:
    """Bodies that a receiver has, each freed at once; broken and lost frames."""
    dut, bodies, counts = FrameReceiver(buffer_bytes=BUFFER), [], [0, 0]

    async def bench(ctx):
        for place, byte in enumerate(line):
            strobe = dut.error if place in errors else dut.valid
            ctx.set(dut.data, byte)
            ctx.set(strobe, 1)
            await ctx.tick()
            ctx.set(strobe, 0)
            if not ctx.get(dut.whole):
                await ctx.tick().repeat(BYTE_CYCLES - 1)
                continue
            found = []
            for address in range(ctx.get(dut.length)):
                ctx.set(dut.request_address, address)
                await ctx.tick().repeat(2)
                found.append(ctx.get(dut.request_byte))
            bodies.append(bytes(found))
            ctx.set(dut.free, 1)
            await ctx.tick()
            ctx.set(dut.free, 0)

    async def watch(ctx):
        while True:
            *_, broken, lost = await ctx.tick().sample(dut.broken, dut.lost)
            counts[0] += broken
            counts[1] += lost

    simulate(dut, bench, background=[watch])
    return bodies, counts[0], counts[1]


@few
@given(lines)
def test_receiver_and_decoder_agree_on_any_line(parts) -> None:
    line = b"".join(damaged(encode_frame(1, 2, payload), *damage) for payload, *damage in parts)
    line += encode_frame(3, 4, b"last")
    decoder = FrameDecoder(BUFFER)
    frames = decoder.feed(line)
    assert frames[-1] == Frame(3, 4, b"last")
    assert taken(line) == ([bytes((f.sequence, f.code)) + f.payload for f in frames], decoder.broken, 0)


def test_lengths_at_the_limits() -> None:
    most = bytes(most_payload(BUFFER))
    good = [encode_frame(0, 0, most), encode_frame(0xC0, 0xDB)]
    wrong = [
        encode_frame(0, 0, most + b"\0"),
        encode_frame(0, 0, bytes(300)),
        bytes([END, 1]) + zlib.crc32(b"\1").to_bytes(4, "little") + bytes([END]),  # too short
    ]
    bodies, broken, lost = taken(b"".join([good[0], wrong[0], good[1], wrong[1], wrong[2], good[0]]))
    assert bodies == [bytes(2) + most, b"\xc0\xdb", bytes(2) + most] and (broken, lost) == (3, 0)


def test_escapes_that_stand_for_nothing_break_a_frame() -> None:
    """Though the checksum of what may be taken for it is right: before another byte, and before the end."""
    frame = encode_frame(1, 2, b"a\xdbb")
    assert frame.count(bytes([ESCAPE, ESCAPED_ESCAPE])) == 1
    for wrong in (frame.replace(bytes([ESCAPE, ESCAPED_ESCAPE]), bytes([ESCAPE, 0x41])), frame[:-1] + b"\xdb\xc0"):
        assert taken(frame + wrong + frame) == ([b"\1\2a\xdbb"] * 2, 1, 0)
        decoder = FrameDecoder(BUFFER)
        assert len(decoder.feed(frame + wrong + frame)) == 2 and decoder.broken == 1


def test_a_wrong_stop_bit_breaks_a_frame() -> None:
    frame = encode_frame(1, 2, b"abc")
    assert taken(frame * 2, frozenset([3])) == ([b"\1\2abc"], 1, 0)
    assert taken(frame * 2, frozenset([0])) == ([b"\1\2abc"], 1, 0)


def test_a_frame_is_held_until_it_is_freed() -> None:
    dut, frame = FrameReceiver(buffer_bytes=BUFFER), encode_frame(1, 2, b"abc")

    async def send(ctx, line):
        for byte in line:
            ctx.set(dut.data, byte)
            ctx.set(dut.valid, 1)
            await ctx.tick()
            ctx.set(dut.valid, 0)
            await ctx.tick().repeat(BYTE_CYCLES - 1)

    async def bench(ctx):
        await send(ctx, frame + encode_frame(9, 9, b"xyz")[:6])
        assert ctx.get(dut.whole) and ctx.get(dut.length) == 5
        for address, byte in enumerate(b"\1\2abc"):
            ctx.set(dut.request_address, address)
            await ctx.tick().repeat(2)
            assert ctx.get(dut.request_byte) == byte
        ctx.set(dut.free, 1)
        await ctx.tick()
        ctx.set(dut.free, 0)
        await send(ctx, encode_frame(9, 9, b"xyz")[6:])
        assert not ctx.get(dut.whole)  # its beginning was not taken
        await send(ctx, frame)
        assert ctx.get(dut.whole)

    simulate(dut, bench)


@few
@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), body), min_size=1, max_size=3))
def test_sender(answers) -> None:
    dut, sent = FrameSender(buffer_bytes=BUFFER), []

    async def bench(ctx):
        for sequence, status, payload in answers:
            for address, byte in enumerate(payload):
                ctx.set(dut.address, address)
                ctx.set(dut.data, byte)
                ctx.set(dut.write, 1)
                await ctx.tick()
            ctx.set(dut.write, 0)
            for empty in (0, 1, 0):  # the payload stays
                ctx.set(dut.sequence_number, sequence)
                ctx.set(dut.status, status)
                ctx.set(dut.length, len(payload))
                ctx.set(dut.empty, empty)
                ctx.set(dut.start, 1)
                await ctx.tick()
                ctx.set(dut.start, 0)
                await ctx.tick().until(~dut.busy)

    async def line(ctx):
        while True:
            ctx.set(dut.line_ready, 1)
            *_, valid, byte = await ctx.tick().sample(dut.line_valid, dut.line_data)
            if valid:
                sent.append(byte)
                ctx.set(dut.line_ready, 0)
                for _ in range(BYTE_CYCLES - 1):
                    await ctx.tick()

    simulate(dut, bench, background=[line])
    frames = [
        encode_frame(sequence, status, b"" if empty else payload)
        for sequence, status, payload in answers
        for empty in (0, 1, 0)
    ]
    assert bytes(sent) == b"".join(frames)
