"""Frames and commands in Python: what is encoded is found again, whatever else is on the line."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import spikeloom.hw.serial.protocol as protocol
import spikeloom.sw.host.transport as transport
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.serial.commands import AnswerReader, fill, image, read, wait_for, write
from spikeloom.hw.serial.protocol import (
    END,
    ESCAPE,
    OVERHEAD_BYTES,
    Command,
    Frame,
    FrameDecoder,
    Hello,
    Operation,
    encode_frame,
    longest_line,
)

PAGE = Path(__file__).parents[3] / "docs/hardware/serial/protocol.md"
awkward = st.binary(max_size=40) | st.lists(st.sampled_from([END, ESCAPE, 0xDC, 0xDD, 0]), max_size=40).map(bytes)
number = st.integers(0, 255)


@given(number, number, awkward, st.integers(1, 7))
def test_frames_come_back_however_they_are_cut(sequence: int, code: int, payload: bytes, piece: int) -> None:
    line = encode_frame(sequence, code, payload)
    assert line.count(END) == 2 and line[0] == line[-1] == END and len(line) <= longest_line(len(payload) + 6)
    decoder, found = FrameDecoder(len(payload) + OVERHEAD_BYTES), []
    for start in range(0, len(line), piece):
        found += decoder.feed(line[start : start + piece])
    assert found == [Frame(sequence, code, payload)] and decoder.broken == 0 and not decoder.is_inside


@given(awkward, awkward, st.integers(0, 60), st.sampled_from(["flip", "cut", "insert", "drop"]), st.integers(0, 7))
def test_a_damaged_frame_is_none_and_the_next_is_found(
    payload: bytes, garbage: bytes, place: int, damage: str, bit: int
) -> None:
    line = bytearray(encode_frame(1, 2, payload))
    place %= len(line)
    if damage == "flip":
        line[place] ^= 1 << bit
    elif damage == "cut":
        del line[place:]
    elif damage == "insert":
        line.insert(place, garbage[0] if garbage else 0x55)
    else:
        del line[place]
    decoder = FrameDecoder()
    found = decoder.feed(bytes(line) + garbage + encode_frame(7, 0, payload))
    assert found[-1] == Frame(7, 0, payload)
    assert set(found[:-1]) <= {Frame(1, 2, payload)}  # damage outside of a frame leaves it whole


def test_broken_frames_are_counted() -> None:
    decoder, good = FrameDecoder(buffer_bytes=10), encode_frame(1, 1, b"1234")
    long, short = encode_frame(1, 1, b"12345"), bytes([END, 1, 2, 3, END])
    wrong_escape, open_escape = bytes([END, ESCAPE, 0x01, END]), bytes([END, *good[1:-1], ESCAPE, END])
    for count, line in enumerate([long, short, wrong_escape, open_escape, b"abc" + bytes([END])], 1):
        assert decoder.feed(line) == [] and decoder.broken == count
    assert decoder.feed(good + good[1:]) == [Frame(1, 1, b"1234")] * 2
    decoder.feed(bytes(1000))
    assert decoder.is_inside and len(decoder._piece) <= 21  # what cannot be a frame is not kept


def test_numbers_out_of_range_are_errors() -> None:
    for arguments in ((256, 0), (0, 256), (-1, 0)):
        with pytest.raises(SpikeLoomError, match=r"^A frame's \w+ must be in 0 \.\. 255, not -?\d+$"):
            encode_frame(*arguments)


def test_hello() -> None:
    hello = Hello(7, 1, 2048, 48_000_000, 16, 8, 3)
    assert Hello.parse(hello.pack()) == Hello.parse(hello.pack() + b"later") == hello
    assert Hello.parse(hello.pack()[:-1]) is None and Hello.parse(b"\0" * 40) is None


def test_commands_and_answers() -> None:
    assert write(1, 2).request == bytes([1, 1, 0, 0, 0, 2, 0, 0, 0]) and read(1).request == bytes([2, 1, 0, 0, 0])
    assert fill(1, [2, 3]).request == bytes([3, 1, 0, 0, 0, 2, 0]) + struct.pack("<2I", 2, 3)
    assert image(9, 0x102, bytes(6), 3).request == bytes([4, 9, 0, 0, 0, 2, 1, 2, 0]) + bytes(6)
    assert wait_for(Command.INTERRUPT, 1).request == bytes([10, 1, 0, 0, 0])
    reader = AnswerReader(bytes([1, 5, 0]) + bytes(8) + bytes([2]) + b"\1" * 8 + bytes([0, 1]))
    assert reader.result() == (5, [0, 0x0101010101010101], True)
    assert reader.result() is None and reader.byte() == 1 and reader.is_at_end
    with pytest.raises(struct.error):
        reader.byte()


def test_kinds_are_those_of_the_transport() -> None:
    assert (Command.WRITE, Command.READ, Command.INTERRUPT) == (transport.WRITE, transport.READ, transport.INTERRUPT)


def test_the_page_has_the_numbers() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for kind in (
        protocol.Operation,
        protocol.Status,
        protocol.Command,
        protocol.Response,
        protocol.Taking,
        protocol.Word,
    ):
        for entry in kind:
            assert re.search(rf"\|\s*{entry.name}\s*\|\s*{entry.value}\s*\|", text), entry
    example = encode_frame(1, Operation.EXECUTE, write(0x20, 0xC0).request)
    assert " ".join(f"{byte:02X}" for byte in example) in text


def test_importing_it_loads_nothing_heavy() -> None:
    script = "import sys, spikeloom.hw.serial.commands; print({'numba', 'torch', 'amaranth'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
