# amaranth: UnusedElaboratable=no
"""The bridge: every request is carried out once and answered once, against models of what is behind it."""

from __future__ import annotations

import struct

import pytest

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.verilog import export_component
from spikeloom.hw.serial.access_port import ACCESS_CYCLES
from spikeloom.hw.serial.bridge import SerialBridge
from spikeloom.hw.serial.commands import AnswerReader, fill, image, read, wait_for, write
from spikeloom.hw.serial.protocol import (
    BRIDGE_ADDRESS,
    BRIDGE_REGISTERS,
    NO_SEQUENCE,
    Command,
    Hello,
    Operation,
    Response,
    Status,
    Taking,
    emulator_address,
    encode_frame,
    most_payload,
    result_bytes,
)
from tests.benches.serial_bench import Board, run


def joined(*pieces) -> bytes:
    return b"".join(piece.request for piece in pieces)


def test_hello() -> None:
    board = Board()

    async def bench(ctx):
        answer = await board.ask(ctx, 7, Operation.HELLO, struct.pack("<I", 0xC0DBDCDD))
        assert answer[:2] == (7, Status.OK)
        assert Hello.parse(answer.payload) == Hello(0xC0DBDCDD, 1, 256, 12_000_000, 4, 3, 2)
        answer = await board.ask(ctx, 7, Operation.HELLO, struct.pack("<I", 5))  # again: always carried out
        assert Hello.parse(answer.payload).nonce == 5
        for payload in (b"", b"abc", b"abcde"):
            assert await board.ask(ctx, 8, Operation.HELLO, payload) == (8, Status.BAD, b"")

    run(board, bench)


@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_accesses(stall: float) -> None:
    board = Board(stall=stall)

    async def bench(ctx):
        pieces = [
            write(0x10, 0x12345678), read(0x10), write(0x1000, 1), read(0x2000), read(0x14),
            write(emulator_address(1) + 8, 0xDEADBEEF), read(emulator_address(1) + 8), read(emulator_address(31)),
            write(BRIDGE_ADDRESS, 1), read(BRIDGE_ADDRESS + BRIDGE_REGISTERS["requests"]), read(BRIDGE_ADDRESS + 0x10),
            read(0x07000000), write(0xFFFFFFFC, 3),
        ]  # fmt: skip
        answer = await board.ask(ctx, 0, Operation.EXECUTE, joined(*pieces))
        reader = AnswerReader(answer.payload)
        assert reader.byte() == Response.OKAY
        assert reader.access() == (Response.OKAY, 0x12345678)
        assert reader.byte() == Response.SLVERR
        assert reader.access() == (Response.SLVERR, 0)
        assert reader.access() == (Response.OKAY, 0)
        assert reader.byte() == Response.OKAY
        assert reader.access() == (Response.OKAY, 0xDEADBEEF)
        assert reader.access() == (Response.OKAY, 0)
        assert reader.byte() == Response.SLVERR
        assert reader.access() == (Response.OKAY, 0)
        assert reader.access()[0] == Response.DECERR
        assert reader.access()[0] == Response.DECERR
        assert reader.byte() == Response.DECERR
        assert reader.is_at_end
        assert board.log == [
            ("write", 0x10, 0x12345678), ("read", 0x10), ("write", 0x1000, 1), ("read", 0x2000), ("read", 0x14),
            ("load", 1 << 20 | 8, 0xDEADBEEF), ("look", 1 << 20 | 8), ("look", 31 << 20),
        ]  # fmt: skip

    run(board, bench)


def test_fill_stops_at_the_first_error() -> None:
    board = Board()

    async def bench(ctx):
        pieces = [fill(emulator_address(0) + 4, [1, 2, 3, 0xC0C0DBDB]), fill(0x1004, [7, 8]), write(8, 9)]
        answer = await board.ask(ctx, 0, Operation.EXECUTE, joined(*pieces))
        assert answer == (0, Status.OK, bytes([0, Response.SLVERR, 0]))
        assert board.log == [("load", 4, word) for word in (1, 2, 3, 0xC0C0DBDB)] + [
            ("write", 0x1004, 7),
            ("write", 8, 9),
        ]

    run(board, bench)


def test_images_and_results() -> None:
    board = Board()

    async def bench(ctx):
        pixels = [bytes(range(k, k + 6)) for k in (1, 0xBE, 0xD9)]
        board.room = 4
        board.results += [(0x1122334455667788, 0, 9), (0xC0DB, 1, 9)]
        pieces = [image(1000, 9, pixels[0], 3), image(1000, 0xC0DB, pixels[1], 3), image(1000, 3, pixels[2], 3)]
        pieces += [wait_for(Command.RESULT, 1000, 2), image(1000, 3, pixels[2], 3), wait_for(Command.RESULT, 10, 2)]
        answer = await board.ask(ctx, 0, Operation.EXECUTE, joined(*pieces))
        reader = AnswerReader(answer.payload)
        assert [reader.byte() for _ in range(3)] == [Taking.TAKEN, Taking.TAKEN, Taking.FULL]
        assert reader.result() == (9, [0x1122334455667788, 0xC0DB], True)
        assert reader.byte() == Taking.FULL  # not before the one that was refused
        assert reader.result() is None and reader.is_at_end
        assert board.words == [
            (int.from_bytes(pixels[number][3 * k : 3 * k + 3], "little"), k, tag)
            for number, tag in enumerate((9, 0xC0DB))
            for k in (0, 1)
        ]
        board.room = 99
        answer = await board.ask(ctx, 1, Operation.EXECUTE, joined(image(0, 3, pixels[2], 3)))
        assert answer.payload == bytes([Taking.TAKEN]) and len(board.words) == 6

    run(board, bench)


def test_every_wait_is_bounded() -> None:
    board = Board(dead=("axi", "emulator"), stall=0.0)

    async def bench(ctx):
        pieces = [read(4), write(8, 1), read(emulator_address(0)), read(BRIDGE_ADDRESS)]
        answer = await board.ask(ctx, 0, Operation.EXECUTE, joined(*pieces))
        reader = AnswerReader(answer.payload)
        assert reader.access()[0] == reader.byte() == reader.access()[0] == Response.TIMEOUT
        assert reader.access() == (Response.OKAY, 0)
        board.dead = ()
        answer = await board.ask(ctx, 1, Operation.EXECUTE, joined(write(8, 1)))
        assert answer.payload == bytes([Response.TIMEOUT]) and not board.log  # a late answer could be another's
        answer = await board.ask(ctx, 2, Operation.EXECUTE, joined(wait_for(Command.RESET, 3), write(8, 1)))
        assert answer.payload == bytes([0, Response.OKAY]) and board.log == [("write", 8, 1)]
        board.dead = ("emulator",)
        answer = await board.ask(ctx, 3, Operation.EXECUTE, joined(write(emulator_address(0), 1), write(8, 2)))
        assert answer.payload == bytes([Response.TIMEOUT, Response.TIMEOUT])
        # Streams: no room at all; room for one of two words; a frame that breaks off; one without end.
        board.room, pixels = 0, bytes(6)
        answer = await board.ask(ctx, 4, Operation.EXECUTE, joined(image(50, 1, pixels, 3), image(50, 1, pixels, 3)))
        assert answer.payload == bytes([Taking.FULL, Taking.FULL]) and not board.words
        board.room = 1
        answer = await board.ask(ctx, 5, Operation.EXECUTE, joined(image(50, 1, pixels, 3), image(50, 1, pixels, 3)))
        assert answer.payload == bytes([Taking.STUCK, Taking.FULL]) and len(board.words) == 1
        board.results.append((5, 0, 77))
        answer = await board.ask(ctx, 6, Operation.EXECUTE, joined(wait_for(Command.RESULT, 50)))
        assert AnswerReader(answer.payload).result() == (77, [5], False)
        board.results.extend([(k, 0, 77) for k in range(12)])
        answer = await board.ask(ctx, 7, Operation.EXECUTE, joined(wait_for(Command.RESULT, 50)))
        assert AnswerReader(answer.payload).result() == (77, list(range(8)), False)
        assert len(answer.payload) == result_bytes(2)

    run(board, bench)


def test_waits_in_cycles() -> None:
    board = Board(stall=0.0)
    found: list[int] = []

    async def reset(ctx):
        async for *_, up in ctx.tick().sample(board.bridge.chip_reset):
            if up:
                found.append(1)

    async def bench(ctx):
        clock = read(BRIDGE_ADDRESS + BRIDGE_REGISTERS["clock_low"])
        for sequence, (kind, cycles) in enumerate([(Command.WAIT, 300), (Command.RESET, 20), (Command.INTERRUPT, 100)]):
            pieces = [clock, wait_for(kind, 0), clock, wait_for(kind, cycles), clock]
            answer = AnswerReader((await board.ask(ctx, sequence, Operation.EXECUTE, joined(*pieces))).payload)
            first, _, second, level, third = (
                answer.access()[1], answer.byte(), answer.access()[1], answer.byte(), answer.access()[1],
            )  # fmt: skip
            assert third - second == second - first + cycles and level == 0
        assert len(found) == 20
        ctx.set(board.bridge.irq, 1)
        answer = await board.ask(ctx, 9, Operation.EXECUTE, joined(wait_for(Command.INTERRUPT, 0xFFFFFFFF)))
        assert answer.payload == bytes([1])

    async def both(ctx):
        await bench(ctx)

    board.emulator, kept = reset, board.emulator  # in the place of a side that is not used
    run(board, both)
    board.emulator = kept


def test_a_repeated_request_is_carried_out_once() -> None:
    board = Board()

    async def bench(ctx):
        request = encode_frame(5, Operation.EXECUTE, joined(write(4, 1), read(4)))
        answers = []
        for broken in (False, True, False):
            damaged = bytearray(request)
            damaged[4] ^= broken
            await board.send(ctx, damaged)
            answers += await board.settle(ctx)
        assert answers[0] == answers[2] == (5, Status.OK, bytes([0, 0, 1, 0, 0, 0]))
        assert answers[1] == (NO_SEQUENCE, Status.BROKEN, b"")
        assert board.log == [("write", 4, 1), ("read", 4)]
        await board.ask(ctx, 5, Operation.HELLO, bytes(4))
        await board.send(ctx, request)  # in a new session it is another one
        assert (await board.settle(ctx))[0] == answers[0] and len(board.log) == 4

    run(board, bench)


def test_a_bad_request_does_nothing() -> None:
    board = Board(buffer_bytes=128)
    w = write(4, 1).request
    longest = joined(*[read(4)] * 24)  # in requests and in answers
    assert len(longest) == 120 and most_payload(128) == 122

    async def bench(ctx):
        wrong = [w[:-1], w + b"\0", w + b"\x08abcd", w + b"\x0babcd", w + b"\x11abcd", w + b"\xffabcd"]
        wrong += [w + fill(4, [1]).request[:-1], w + fill(4, []).request, w + image(1, 1, b"", 3).request]
        wrong += [w + image(1, 1, bytes(6), 3).request[:-1], w + image(1, 1, bytes(6), 3).request[:8]]
        wrong += [w + joined(*[wait_for(Command.RESULT, 1)] * 2)]  # the answer may be too long
        for sequence, payload in enumerate(wrong):
            answer = await board.ask(ctx, sequence, Operation.EXECUTE, payload)
            assert answer == (sequence, Status.BAD, b""), payload
        for operation in (2, 3, 0x81, 0xFF):
            assert await board.ask(ctx, 40, operation, w) == (40, Status.BAD, b"")
        assert not board.log
        assert (await board.ask(ctx, 41, Operation.EXECUTE)) == (41, Status.OK, b"")
        assert (await board.ask(ctx, 42, Operation.EXECUTE, longest)).payload == bytes(120)

    run(board, bench)


def test_a_request_during_another_is_lost_and_counted() -> None:
    board = Board()

    async def bench(ctx):
        await board.ask(ctx, 0, Operation.HELLO, bytes(4))
        assert not ctx.get(board.bridge.error)
        long = encode_frame(1, Operation.EXECUTE, joined(wait_for(Command.WAIT, 700), write(4, 1)))
        await board.send(ctx, long + long)  # the second is lost, and ends while the first is carried out
        assert [frame.sequence for frame in await board.settle(ctx)] == [1]
        # The third begins during the answer, and is held until it is sent.
        await board.send(ctx, long)
        assert [frame.sequence for frame in await board.settle(ctx)] == [1]
        answer = await board.ask(ctx, 2, Operation.EXECUTE, joined(read(BRIDGE_ADDRESS)))
        assert AnswerReader(answer.payload).access() == (0, 1 << 16)
        assert board.log == [("write", 4, 1)] and ctx.get(board.bridge.error)
        await board.ask(ctx, 3, Operation.HELLO, bytes(4))
        assert not ctx.get(board.bridge.error)

    run(board, bench)


def test_a_request_during_an_answer_is_kept() -> None:
    board = Board()

    async def bench(ctx):
        await board.send(ctx, encode_frame(1, Operation.EXECUTE, joined(*[read(4)] * 20)))
        await ctx.tick().until(board.bridge.line_out.i.valid)
        await board.send(ctx, encode_frame(2, Operation.EXECUTE, joined(write(4, 1))))
        assert [frame.sequence for frame in await board.settle(ctx)] == [1, 2]

    run(board, bench)


def test_parameters_that_are_refused() -> None:
    good = {"clocks_per_bit": 4, "layers": 2, "encoder_lanes": 8, "clock_Hz": 1, "buffer_bytes": 128}
    SerialBridge(**good)
    for name, value in [
        ("clocks_per_bit", 3), ("layers", 0), ("layers", 33), ("encoder_lanes", 0), ("clock_Hz", 1 << 32),
        ("buffer_bytes", 32), ("buffer_bytes", 96), ("buffer_bytes", 64), ("layers", "2"), ("clocks_per_bit", 4.0),
    ]:  # fmt: skip
        with pytest.raises(SpikeLoomError, match=rf"^{name}\b.*"):
            SerialBridge(**{**good, name: value})


def test_export() -> None:
    bridge = SerialBridge(clocks_per_bit=4, layers=2, encoder_lanes=8, clock_Hz=1, buffer_bytes=256)
    files = export_component(bridge, "bridge")
    assert list(files)[-1] == "bridge.sv" and f"10'h{ACCESS_CYCLES:x}" in files["bridge_access_port.sv"]
