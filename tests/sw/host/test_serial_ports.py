"""What a host says of ports that it cannot open, and of what is behind those that it can."""

from __future__ import annotations

import os
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serial

from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.host import Host, SerialTransport
from spikeloom.sw.host.errors import ForeignChipError, PortError, TransportClosed
from tests.fixtures.fake_chip import FakeChip
from tests.fixtures.serial_board import SerialBoard
from tests.fixtures.serial_hosts import ANSWERS, CHIP, connected


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SerialBoard]:
    with SerialBoard(FakeChip(CHIP.parameters, ANSWERS), tmp_path / "tty") as board:
        yield board


class Device:
    """Something else at a port."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.name = os.ttyname(self.slave)
        self.answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while data := os.read(self.master, 1 << 16):
            os.write(self.master, self.answer(data))


NOISE = np.random.default_rng(0).integers(0, 256, 4000, np.uint8).tobytes()


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            lambda _: b"",
            TransportClosed,
            r"^No board has answered at '{}' with 1000000 baud in 2 tries of 0\.1 s: check",
        ),
        (
            lambda _: b"ERROR\r\n",
            ForeignChipError,
            r"^What answers at '{}' with 1000000 baud does not speak .*45 52 52",
        ),
        (
            lambda data: data,
            ForeignChipError,
            r"first bytes: c0 .*give the port of the board, and the baud that it was",
        ),
        (lambda _: NOISE, ForeignChipError, r"does not speak the protocol of a SpikeLoom board"),
    ],
    ids=["silent", "modem", "echo", "noise"],
)
def test_another_device(answer: Any, error: type[Exception], message: str) -> None:
    device, began = Device(answer), time.monotonic()
    with pytest.raises(error, match=message.format(device.name)):
        Host.connect(device.name, patience_s=0.1, tries=2)
    assert time.monotonic() - began < 3


def test_a_device_that_talks_without_end(tmp_path: Path) -> None:
    """No pause to end a try by."""
    master, slave = os.openpty()
    tty.setraw(slave)
    talking = True

    def talk() -> None:
        while talking:
            os.write(master, b"12.5 C\n")
            time.sleep(0.005)

    thread = threading.Thread(target=talk)
    thread.start()
    began = time.monotonic()
    try:
        with pytest.raises(ForeignChipError, match=r"first bytes: (?:\w\w ?){{8}}\)".replace("{{8}}", "{8}")):
            Host.connect(os.ttyname(slave), patience_s=0.05, tries=2)
    finally:
        talking = False
        thread.join()
    assert time.monotonic() - began < 2


def test_a_board_of_another_version(board: SerialBoard) -> None:
    board.version = 7
    with pytest.raises(ForeignChipError, match=r" has version 7 of the serial protocol, this program version 1: make"):
        connected(board)


def test_a_port_in_use(board: SerialBoard) -> None:
    with connected(board):
        with pytest.raises(PortError, match=rf"^The serial port '{board.port}' is in use by another program: end it"):
            connected(board)
    connected(board).close()


def test_no_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The ports that there are come with the sentence."""
    monkeypatch.setattr("spikeloom.sw.host.serial_port.list_ports.comports", lambda: [])
    with pytest.raises(PortError, match=r"^There is no serial port '/dev/ttyLOOM'; no serial port is there: plug the"):
        Host.connect("/dev/ttyLOOM")

    class Port(tuple[str, ...]):
        device, description = "/dev/ttyUSB3", "ULX3S FPGA"

    monkeypatch.setattr("spikeloom.sw.host.serial_port.list_ports.comports", lambda: [Port()])
    with pytest.raises(PortError, match=r"; ports there are: /dev/ttyUSB3 \(ULX3S FPGA\): plug the board in, or give"):
        Host.connect("/dev/ttyLOOM")
    for path, why in (("/dev/null", "Inappropriate ioctl for device"), (str(tmp_path), "Is a directory")):
        with pytest.raises(
            PortError, match=rf"^'{path}' is not a serial port that can be used \({why}\); ports there are: "
        ):
            Host.connect(path)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            serial.SerialException(13, "Permission denied"),
            r"is denied: put the user into the group 'dialout' \(sudo user",
        ),
        (
            ValueError("Invalid baud rate"),
            r"^The serial port 'x' does not take 12345 baud: give the baud that the board",
        ),
        (serial.SerialException(16, "Device or resource busy"), r"^The serial port 'x' is in use by another program"),
    ],
)
def test_a_port_that_may_not_be_opened(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("spikeloom.sw.host.serial_port.serial.Serial", refuse)
    with pytest.raises(PortError, match=message):
        Host.connect("x", baud=12345)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baud": 0}, r"^baud must be an integer in 1 \.\. 2147483647, not 0$"),
        ({"tries": 0}, r"^tries must be an integer in 1 \.\. 1000, not 0$"),
        ({"patience_s": 0}, r"^patience_s must be a number of seconds in 0 \.\. 86,400, above 0, not 0$"),
        ({"patience_s": "long"}, r"^patience_s must be a number of seconds"),
    ],
)
def test_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpikeLoomError, match=message):
        SerialTransport("/dev/ttyLOOM", **options)
    with pytest.raises(TypeError, match=r"^A serial port has a name, such as '/dev/ttyUSB0', not int$"):
        SerialTransport(3)  # type: ignore[arg-type]
