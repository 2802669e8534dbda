"""The whole bridge on a line with noise: never carries out what is not whole, and always answers the next request."""

from __future__ import annotations

import random

from spikeloom.hw.serial.commands import read, write
from spikeloom.hw.serial.protocol import NO_SEQUENCE, FrameDecoder, Operation, Status, encode_frame
from tests.benches.serial_bench import Board, run


def damaged(frame: bytes, rng: random.Random) -> tuple[bytes, tuple[int, ...]]:
    """A frame after one of seven kinds of damage, and the places of wrong stop bits."""
    line, place = bytearray(frame), rng.randrange(len(frame))
    kind = rng.randrange(7)
    if kind == 0:
        line[place] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del line[place:]
    elif kind == 2:
        del line[:place]
    elif kind == 3:
        line.insert(place, rng.randrange(256))
    elif kind == 4:
        del line[place]
    elif kind == 5:
        line = bytearray(rng.randbytes(rng.randrange(1, 30)))
    else:
        return bytes(line), (place,)
    return bytes(line), ()


def test_requests_among_damaged_ones() -> None:
    """Each request is damaged some times, then sent whole, as a host that repeats it does."""
    board, rng = Board(seed=2, stall=0.2, buffer_bytes=128), random.Random(5)

    async def bench(ctx):
        done = []
        for number in range(40):
            word = rng.getrandbits(32)
            frame = encode_frame(number % 255, Operation.EXECUTE, write(8, word).request + read(8).request)
            expected = (number % 255, Status.OK, bytes(2) + word.to_bytes(4, "little"))
            whole = False
            for _ in range(rng.randrange(3)):
                line, errors = damaged(frame, rng)
                await board.send(ctx, line, errors)
                answers = await board.settle(ctx)
                assert all(answer in (expected, (NO_SEQUENCE, Status.BROKEN, b"")) for answer in answers)
                # A part without its last delimiter is ended by the next frame's first one.
                intact = not errors and FrameDecoder().feed(line) != []
                assert (expected in answers) == intact
                whole |= intact
                assert board.log == done + [("write", 8, word), ("read", 8)] * whole
            await board.send(ctx, frame)
            answers = await board.settle(ctx)
            assert answers[-1] == expected and set(answers[:-1]) <= {(NO_SEQUENCE, Status.BROKEN, b"")}
            done += [("write", 8, word), ("read", 8)]
            assert board.log == done  # once, however often it came

    run(board, bench)
