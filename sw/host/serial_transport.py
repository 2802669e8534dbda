"""Transport to a board: commands in frames over a serial port."""

from __future__ import annotations

import os
import struct
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.serial.commands import AnswerReader, Piece, fill, image, read, wait_for, write
from spikeloom.hw.serial.protocol import (
    BRIDGE_ADDRESS,
    BRIDGE_REGISTERS,
    Command,
    Hello,
    Response,
    Taking,
    most_payload,
)
from spikeloom.sim.common.arguments import check_whole, is_number
from spikeloom.sw.host.emulated_cells import BoardCells
from spikeloom.sw.host.emulated_devices import EmulatedDevices, is_emulated
from spikeloom.sw.host.errors import BusError, HostError
from spikeloom.sw.host.serial_link import SerialLink
from spikeloom.sw.host.serial_port import SerialPort
from spikeloom.sw.host.transport import ANSWER, INTERRUPT, READ, WRITE, Accesses, Answers, Frames, Transport

__all__ = ["DEFAULT_BAUD", "SerialTransport"]

DEFAULT_BAUD = 1_000_000
_MOST_CYCLES = (1 << 32) - 1
_ROOM_CYCLES = 1 << 16
"""Clock cycles that a board waits for room for an image before it answers."""
_HELD = 2
"""Images that a chip has room for."""


class SerialTransport(Transport):
    """A chip on a board: reset, with the cells that it has, and a session of its own.

    Parameters
    ----------
    port : name of the serial port, such as "/dev/ttyUSB0" or "COM3"
    baud : bits per second; what the board was built with
    patience_s : longest silence where an answer is due, seconds
    tries : times that a request is sent until the transport gives up
    cells : of emulated crossbars, those of a chip that is loaded, or the path of a file of them that `spikeloom board`
        wrote; other chips' are made by the model of devices

    Errors are `PortError` where the port cannot be opened, `ForeignChipError` where no board of this version is behind
    it, and `TransportClosed` where nothing answers (any more); the port is then free again.
    """

    def __init__(
        self,
        port: str | os.PathLike[str],
        *,
        baud: int = DEFAULT_BAUD,
        patience_s: float = 2.0,
        tries: int = 4,
        cells: BoardCells | str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(port, str | os.PathLike):
            raise ArgumentTypeError(f"A serial port has a name, such as '/dev/ttyUSB0', not {type(port).__name__}")
        check_whole("baud", baud, 1, 2**31 - 1)
        check_whole("tries", tries, 1, 1000)
        if not is_number(patience_s) or not 0 < patience_s <= 86_400:
            raise SpikeLoomError(f"patience_s must be a number of seconds in 0 .. 86,400, above 0, not {patience_s!r}")
        given = cells if cells is None or isinstance(cells, BoardCells) else BoardCells.load(cells)
        self._port = SerialPort(os.fspath(port), baud, patience_s)
        self._patience_s = patience_s
        self._results: deque[tuple[int, list[int]]] = deque()
        self._held = 0
        try:
            self._link = SerialLink(self._port, patience_s, tries)
            self.hardware_reset()
            if is_emulated(self):
                self.devices = EmulatedDevices(self, self.board.layers, given)
        except BaseException:
            self._port.close()
            raise

    @property
    def board(self) -> Hello:
        """What the board has said that it is."""
        return self._link.board

    @property
    def repeated(self) -> int:
        """Requests that were sent again so far, since they or their answers were lost or damaged on the line."""
        return self._link.repeated

    def execute(self, table: Accesses) -> Answers:
        """Carry out accesses over the board's bus, as many in each request as its buffer has room for."""
        pieces = []
        for kind, address, data in table.tolist():
            if kind == WRITE:
                pieces.append(write(address, data))
            else:
                pieces.append(read(address) if kind == READ else wait_for(Command.INTERRUPT, address))
        answers = np.zeros(len(table), ANSWER)
        for part in self._parts(pieces):
            kinds = table["kind"][part]
            cycles = int(table["address"][part][kinds == INTERRUPT].sum(dtype=np.int64))
            with self.request(pieces[part], cycles) as reader:
                for row, kind in enumerate(kinds.tolist(), part.start):
                    if kind == READ:
                        answers[row] = reader.access()
                    else:
                        answers[row]["response" if kind == WRITE else "data"] = reader.byte()
        if (answers["response"] == Response.TIMEOUT).any():
            raise HostError(
                f"The bus of the chip at '{self._port.name}' gave no answer: reset the chip "
                "(host.transport.hardware_reset()), or connect again, and load it again"
            )
        return answers

    def fill(self, address: int, words: NDArray[np.uint32]) -> None:
        """Write words, one after another, to one address; `BusError` if the board answers with an error."""
        at_once = (most_payload(self.board.buffer_bytes) - len(fill(0, []).request)) // 4
        for start in range(0, len(words), at_once):
            with self.request([fill(address, words[start : start + at_once].tolist())]) as reader:
                response = reader.byte()
            if response != Response.OKAY:
                raise BusError(address, response, "write")

    @contextmanager
    def request(self, pieces: Sequence[Piece], cycles: int = 0) -> Iterator[AnswerReader]:
        """Have commands carried out that fit into one request; in the block their answers are read, to the last.

        cycles : clock cycles that they may wait
        """
        payload = b"".join(piece.request for piece in pieces)
        answer_bytes = sum(piece.answer_bytes for piece in pieces)
        reader = AnswerReader(self._link.execute(payload, answer_bytes, cycles / max(self.board.clock_Hz, 1)))
        try:
            yield reader
            whole = reader.is_at_end
        except (IndexError, struct.error, ValueError) as error:
            if isinstance(error, SpikeLoomError):
                raise
            whole = False
        if not whole:
            raise HostError(
                f"The board at '{self._port.name}' gave an answer that does not fit what it was asked: program it "
                "with a bitstream of this version of SpikeLoom"
            )

    def _parts(self, pieces: Sequence[Piece]) -> Iterator[slice]:
        """Places of commands that go into one request."""
        most = most_payload(self.board.buffer_bytes)
        start = asked = answered = 0
        for place, piece in enumerate(pieces):
            asked, answered = asked + len(piece.request), answered + piece.answer_bytes
            if place > start and (asked > most or answered > most):
                yield slice(start, place)
                start, asked, answered = place, len(piece.request), piece.answer_bytes
        if start < len(pieces):
            yield slice(start, len(pieces))

    def send(self, frames: Frames) -> None:
        """Send frames of images, as many in each request as the board has room for; results that are in the way of an
        image are kept for `receive`.
        """
        lanes = self.board.encoder_lanes
        images = [
            image(_ROOM_CYCLES, tag, words.tobytes(), lanes)
            for words, tag in zip(frames.words, frames.tags.tolist(), strict=True)
        ]
        place, ends = 0, time.monotonic() + self._patience_s
        while place < len(images):
            taken, came = self._send_some(images, place)
            place += taken
            if taken or came:
                ends = time.monotonic() + self._patience_s
            elif time.monotonic() > ends:
                raise self._blocked("takes no further image")

    def _blocked(self, what: str) -> HostError:
        return HostError(
            f"The chip at '{self._port.name}' {what}, and gives no result: reset it (host.transport.hardware_reset()), "
            "or connect again, and load it again"
        )

    def _send_some(self, images: Sequence[Piece], place: int) -> tuple[int, int]:
        """Send images from a place on in one request; how many were taken, and how many results came meanwhile."""
        result = wait_for(Command.RESULT, _ROOM_CYCLES, self.board.layers)
        most, held = most_payload(self.board.buffer_bytes), self._held
        pieces: list[Piece] = []
        asked = answered = 0
        for sent in images[place : place + most]:
            more = [result, sent] if held >= _HELD else [sent]
            asked += sum(len(piece.request) for piece in more)
            answered += sum(piece.answer_bytes for piece in more)
            if asked > most or answered > most:
                break
            held += 1 if len(more) == 1 else 0
            pieces += more
        if not pieces:
            raise HostError(
                f"An image frame, {len(images[place].request)} bytes, and a result do not fit into the board's buffer "
                f"of {self.board.buffer_bytes} bytes: build the board with a larger one"
            )
        taken = came = 0
        takings = []
        with self.request(pieces, len(pieces) * _ROOM_CYCLES) as reader:
            for piece in pieces:
                if piece is result:
                    came += self._keep(reader)
                else:
                    takings.append(Taking(reader.byte()))
                    self._held += takings[-1] == Taking.TAKEN
        taken = takings.count(Taking.TAKEN)
        if self.devices is not None:
            self.devices.frames_sent += taken
        if Taking.STUCK in takings:
            raise self._blocked("has taken a part of an image only")
        if taken < len(takings):
            self._held = _HELD  # the next request begins with a result
        return taken, came

    def _keep(self, reader: AnswerReader) -> bool:
        """Keep a result, if there is one."""
        found = reader.result()
        if found is None:
            self._held = 0  # what gave no result is not in the chip any more, or else it will be full
            return False
        tag, words, _ = found
        self._results.append((tag, words))
        self._held = max(0, self._held - 1)
        return True

    def receive(self, count: int, idle_cycles: int) -> list[tuple[int, list[int]]]:
        """Up to `count` result frames; it gives up after so many idle cycles."""
        left = idle_cycles
        while len(self._results) < count and left > 0:
            step = self._step(left)
            with self.request([wait_for(Command.RESULT, step, self.board.layers)], step) as reader:
                left = idle_cycles if self._keep(reader) else left - step
        return [self._results.popleft() for _ in range(min(count, len(self._results)))]

    def _step(self, cycles: int) -> int:
        """The part of a wait that one request waits: a fraction of a second, so that a lost board is noticed."""
        return min(cycles, max(1, self.board.clock_Hz // 4), _MOST_CYCLES)

    def wait(self, cycles: int) -> None:
        """Let clock cycles pass; requests take some more."""
        while cycles > 0:
            step = self._step(cycles)
            self._do(Command.WAIT, step)
            cycles -= step

    def hardware_reset(self, cycles: int = 8) -> None:
        """Reset the chip, not its cells; results on their way are gone."""
        self._do(Command.RESET, cycles)
        self._results.clear()
        self._held = 0

    def _do(self, command: Command, cycles: int) -> None:
        with self.request([wait_for(command, cycles)], cycles) as reader:
            reader.byte()

    def clock(self) -> int:
        """Clock cycles since the board began."""
        names = ("clock_high", "clock_low", "clock_high")
        pieces = [read(BRIDGE_ADDRESS + BRIDGE_REGISTERS[name]) for name in names]
        with self.request(pieces) as reader:
            (_, before), (_, low), (_, after) = (reader.access() for _ in names)
        high = after if low < 1 << 31 else before  # the upper half may have gone up between the reads
        return high << 32 | low

    def close(self) -> None:
        """Give the port up. May be called again."""
        self._port.close()
