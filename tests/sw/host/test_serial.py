"""A host of a board: a fake one behind a pseudo terminal, over good and bad lines, and what is said of wrong ones."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.serial.protocol import Response, Taking
from spikeloom.sw.host import Host
from spikeloom.sw.host.errors import BusError, HostError, TransportClosed
from spikeloom.sw.host.frames import image_frames
from spikeloom.sw.host.transport import INTERRUPT, READ, accesses
from tests.fixtures.fake_chip import FakeChip
from tests.fixtures.host_chips import IDS, PIXELS
from tests.fixtures.serial_board import Noise, SerialBoard
from tests.fixtures.serial_hosts import ANSWERS, CHIP, connected, exact


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SerialBoard]:
    with SerialBoard(FakeChip(CHIP.parameters, ANSWERS), tmp_path / "tty") as board:
        yield board


def test_connect_load_and_infer(board: SerialBoard) -> None:
    """Twice by one host, then by another one; every request has come once."""
    for _ in range(2):
        with Host.connect(str(board.port)) as host:
            assert host.parameters == CHIP.parameters
            exact(host, board.chip)
            exact(host, board.chip)
            assert host.transport.repeated == 0 and host.transport.clock() == 0
    assert board.counts["faults"] == 0


@pytest.mark.parametrize(("buffer_bytes", "room"), [(128, 1), (300, 2), (2048, 1), (2048, 5)])
def test_buffers_of_any_size(board: SerialBoard, buffer_bytes: int, room: int) -> None:
    """Requests are cut to what the board has room for, and results are fetched before an image that has none."""
    board.buffer_bytes, board.room = buffer_bytes, room
    with Host.connect(board.port) as host:
        exact(host, board.chip)


def losing(*lost: int) -> Callable[[bytes], bytes]:
    """A line that loses these pieces, counted from 0."""
    count = iter(range(1 << 30))
    return lambda data: b"" if next(count) in lost else data


def spoiling(*spoiled: int) -> Callable[[bytes], bytes]:
    """A line that flips a bit of these pieces."""
    count = iter(range(1 << 30))
    return lambda data: data[:3] + bytes([data[3] ^ 4]) + data[4:] if next(count) in spoiled else data


IDENTIFIED = 4
"""Writes while a host identifies a chip without a plan."""


@pytest.mark.parametrize("line", ["inbound", "outbound"])
@pytest.mark.parametrize("fault", [losing, spoiling])
def test_a_piece_that_is_lost_or_spoiled(board: SerialBoard, line: str, fault: Any) -> None:
    """The request comes again, and is carried out once: the programmer's starts are in the log, each once."""
    with connected(board) as host:
        exact(host, board.chip)
        once = len(board.chip.log)
        board.chip.log.clear()
        setattr(board, line, fault(1, 4, 9))
        exact(host, board.chip)
        assert len(board.chip.log) == once - IDENTIFIED and host.transport.repeated >= 3


def test_everything_twice(board: SerialBoard) -> None:
    board.inbound = lambda data: data + data
    with connected(board) as host:
        exact(host, board.chip)


def test_garbage_before_every_request(board: SerialBoard) -> None:
    """The board says that it was broken, and answers the request all the same."""
    board.inbound = lambda data: b"\x01\xc0\xdb" + data
    with connected(board) as host:
        exact(host, board.chip)
        assert host.transport.repeated == 0 and board.counts["faults"] > 20


def test_every_answer_to_hello_comes_too_late(board: SerialBoard) -> None:
    """An answer to the try before counts: a slow adapter is no other device."""

    def late(data: bytes) -> bytes:
        if board.requests == 0:
            time.sleep(0.18)
        return data

    board.outbound = late
    with connected(board, 0.1, 3) as host:
        exact(host, board.chip)


@pytest.mark.parametrize("after", range(0, 40, 3))
def test_a_cable_that_is_pulled(board: SerialBoard, after: int) -> None:
    """Anywhere in a session: an error at once that says it, and again for all later calls; plugged in, all is well."""
    count = iter(range(1 << 30))

    def cut(data: bytes) -> bytes:
        if next(count) == after:
            raise ConnectionResetError
        return data

    board.inbound = cut
    began = time.monotonic()
    with pytest.raises(TransportClosed) as error:
        with connected(board, 1.0) as host:
            try:
                exact(host, board.chip)
                exact(host, board.chip)
            except TransportClosed as gone:
                sentence = f"The serial port '{board.port}' is gone: plug the board's cable in again, and connect again"
                assert str(gone) == sentence
                host.status()
    if after > 12:
        assert str(error.value) == (
            f"The connection to the board at '{board.port}' is closed (the port is gone): connect again"
        )
    assert time.monotonic() - began < 3
    board.unplug()
    board.inbound = lambda data: data
    board.plug()
    with connected(board, 2.0) as host:
        exact(host, board.chip)


def test_a_board_that_falls_silent(board: SerialBoard) -> None:
    """An error after the tries, and the port is free for another host."""
    host = connected(board)
    board.outbound = lambda data: b""
    began = time.monotonic()
    sentence = (
        rf"^The board at '{board.port}' gave no answer in 3 tries of 0\.1 s: check its cable and its power, program "
        r"its bitstream again if it has lost it, and connect again$"
    )
    with pytest.raises(TransportClosed, match=sentence):
        host.load(CHIP)
    assert 0.3 < time.monotonic() - began < 1.5
    with pytest.raises(TransportClosed, match=r"is closed \(the board does not answer\): connect again$"):
        host.infer(PIXELS) if host._programmed else host.status()
    board.outbound = lambda data: data
    with connected(board) as other:
        exact(other, board.chip)
    host.close()


def test_a_line_that_breaks_every_frame(board: SerialBoard) -> None:
    host = connected(board)
    board.inbound = lambda data: data[:3] + bytes([data[3] ^ 4]) + data[4:]
    with pytest.raises(
        TransportClosed, match=r"has received nothing but broken frames in 3 tries of 0\.1 s: check its"
    ):
        host.status()


def test_a_closed_host(board: SerialBoard) -> None:
    host = connected(board)
    host.close()
    host.close()
    with pytest.raises(TransportClosed, match=r" is closed \(the host was closed\): connect again$"):
        host.status()


def test_waits_and_resets(board: SerialBoard) -> None:
    """Long waits are made of short ones; a reset throws results away."""
    board.clock_Hz = 400
    with connected(board) as host:
        transport, before = host.transport, board.requests
        transport.wait(1000)
        assert board.requests - before == 10
        host.load(CHIP, fault_aware=False)
        transport.send(image_frames(CHIP, PIXELS[:5], IDS[:5], 0))
        assert [tag for tag, _ in transport.receive(2, 100)] == [0, 1]
        assert [tag for tag, _ in transport.receive(9, 250)] == [2, 3, 4] and transport.receive(1, 0) == []
        transport.send(image_frames(CHIP, PIXELS[:3], IDS[:3], 7))
        transport.hardware_reset()
        assert transport.receive(5, 100) == [] and host.identify() == CHIP.parameters
        board.counts |= {"clock_low": 5, "clock_high": 3}
        assert transport.clock() == 3 << 32 | 5
        answers = transport.execute(
            np.concatenate([accesses(INTERRUPT, 9), accesses(READ, [0x0300_0000, 0x0500_0000])])
        )
        assert answers.tolist() == [(0, 1), (2, 0), (3, 0)] and transport.devices is None
        with pytest.raises(BusError):
            transport.fill(0x0500_0000, np.arange(3, dtype=np.uint32))


@pytest.mark.parametrize(
    ("taking", "message"),
    [
        (
            Taking.STUCK,
            r"^The chip at '.*' has taken a part of an image only, and gives no result: reset it \(host\.tran",
        ),
        (Taking.FULL, r"^The chip at '.*' takes no further image, and gives no result: reset it"),
    ],
)
def test_a_chip_that_takes_no_image(
    board: SerialBoard, monkeypatch: pytest.MonkeyPatch, taking: Taking, message: str
) -> None:
    with connected(board) as host:
        host.load(CHIP, fault_aware=False)
        monkeypatch.setattr(board, "_image", lambda _: taking)
        with pytest.raises(HostError, match=message):
            host.infer(PIXELS)
        monkeypatch.undo()
        host.transport.hardware_reset()
        exact(host, board.chip)


def test_an_image_that_is_too_long(board: SerialBoard) -> None:
    board.buffer_bytes = 85
    with connected(board) as host:
        host.load(CHIP, fault_aware=False)
        frames = image_frames(CHIP, np.zeros((1, 8), np.uint8), IDS[:1], 0)
        host.transport.send(frames)
        longer = np.concatenate([frames.words] * 5, axis=1)
        with pytest.raises(
            HostError, match=r"^An image frame, 144 bytes, and a result do not fit into the board's buf"
        ):
            host.transport.send(type(frames)(longer, frames.tags, frames.ids))


def test_a_bus_without_answer(board: SerialBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(board) as host:
        monkeypatch.setattr(board, "_access", lambda *_: bytes([Response.TIMEOUT, 0, 0, 0, 0]))
        with pytest.raises(
            HostError, match=r"^The bus of the chip at '.*' gave no answer: reset the chip \(host\.trans"
        ):
            host.status()
        monkeypatch.setattr(board, "_access", lambda *_: b"")
        with pytest.raises(HostError, match=r"gave an answer that does not fit what it was asked: program it with a"):
            host.status()
        monkeypatch.setattr(board, "_execute", lambda _: None)
        with pytest.raises(
            HostError, match=r"^The board at '.*' refuses a request of 15 bytes \(status 2\): program it"
        ):
            host.status()
        monkeypatch.undo()
        exact(host, board.chip)


def test_a_thousand_faults(board: SerialBoard) -> None:
    """Seeded, both ways: each is healed, or gives an error in one sentence, within bounds of time, and then a clean
    line gives what it should. What was healed has not changed a bit.
    """
    noise = Noise(1, 0.25, 0.02, 0.05)
    errors: list[str] = []
    longest, repeated = 0.0, 0
    while noise.faults < 1000:
        board.inbound = board.outbound = noise
        began = time.monotonic()
        failed = False
        try:
            with connected(board, 0.008, 10) as host:
                exact(host, board.chip)
                exact(host, board.chip)
                repeated += host.transport.repeated
        except HostError as error:
            errors.append(str(error))
            failed = True
        longest = max(longest, time.monotonic() - began)
        board.inbound = board.outbound = lambda data: data
        if noise.cut:
            noise.cut = False
            board.unplug()
            board.plug()
        if failed:
            with connected(board, 2.0) as host:
                exact(host, board.chip)
    said = rf"(The serial port '{board.port}' is gone: plug .*|.*'{board.port}'.* in 10 tries of 0\.008 s: check .*)"
    assert errors and all(re.fullmatch(said, error) for error in errors), errors
    assert repeated > 100 and longest < 20
