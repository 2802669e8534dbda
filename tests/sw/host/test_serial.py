"""A host of a board: a fake one behind a pseudo terminal, over good and bad lines, and what is said of wrong ones."""

from __future__ import annotations

import errno
import os
import random
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serial

from spikeloom.hw.host.register_map import build_id, unit_byte_address
from spikeloom.hw.interfaces.streams import frame_words
from spikeloom.hw.serial.protocol import Operation, Status, encode_frame
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.host import Host, SerialTransport
from spikeloom.sw.host.errors import BusError, ForeignChipError, HostError, PortError, TransportClosed
from spikeloom.sw.host.frames import image_frames
from spikeloom.sw.host.serial_port import SerialPort
from spikeloom.sw.host.transport import WRITE, accesses
from tests.fixtures.fake_chip import FakeChip
from tests.fixtures.host_chips import IDS, PIXELS, host_chip
from tests.fixtures.serial_board import Noise, SerialBoard

CHIP = host_chip()
RNG = np.random.default_rng(6)
ANSWERS = {
    tag: (tag % 3 | (tag + 1) << 16, RNG.integers(0, 1 << 20, frame_words(CHIP.parameters) - 1).tolist())
    for tag in range(1 << 10)
}


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SerialBoard]:
    with SerialBoard(FakeChip(CHIP.parameters, ANSWERS), tmp_path / "tty") as board:
        yield board


def exact(host: Host, chip: FakeChip) -> None:
    """Load by pulses, and run images: every cell, pixel and field is what it should be."""
    chip.frames.clear()
    chip.cells.clear()
    report = host.load(CHIP, "pulses", fault_aware=False)
    for index, layer in enumerate(report.layers):
        assert len(layer.wanted.reshape(-1)) == sum(cell[0] == index for cell in chip.cells)
        for (_, row, column, side), code in ((c, v) for c, v in chip.cells.items() if c[0] == index):
            assert layer.wanted[side, row, column] == code == layer.final.codes[side, row, column]
    first = host._tag
    result = host.infer(PIXELS, IDS)
    assert host.status() == {"status": ("loaded",), "errors": (), "events": ()}
    assert result.classes.tolist() == [tag % 3 for tag in range(first, first + 12)]
    assert result.steps.tolist() == [tag + 1 for tag in range(first, first + 12)]
    assert result.cycles is not None
    assert result.cycles.tolist() == [ANSWERS[tag][1][0] for tag in range(first, first + 12)]
    sent = image_frames(CHIP, PIXELS, IDS, first).words
    assert [pixels for _, pixels in chip.frames] == [words.tobytes() for words in sent]


def test_connect_load_and_infer(board: SerialBoard) -> None:
    """Twice by one host, then by another one; every request has come once."""
    for _ in range(2):
        with Host.connect(str(board.port)) as host:
            assert host.parameters == CHIP.parameters
            exact(host, board.chip)
            exact(host, board.chip)
            assert host.transport.repeated == 0 and host.transport.clock() == 0
    assert board.counts["broken_frames"] == 0


@pytest.mark.parametrize(("buffer_bytes", "room"), [(128, 1), (300, 2), (2048, 1), (2048, 5)])
def test_buffers_of_any_size(board: SerialBoard, buffer_bytes: int, room: int) -> None:
    """Requests are cut to what the board has room for, and results are fetched before an image that has none."""
    board.buffer_bytes, board.room = buffer_bytes, room
    with Host.connect(board.port) as host:
        exact(host, board.chip)


