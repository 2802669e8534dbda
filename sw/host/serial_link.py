"""Requests to a board and its answers over a serial port: each is carried out exactly once, or an error says why not.

A request is sent again, with the same number, until its answer comes; the board carries out a number once. Nothing
waits without a bound: a try ends after `patience_s` of silence, or in any case after a multiple of it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from spikeloom.hw.serial.protocol import (
    NO_SEQUENCE,
    OVERHEAD_BYTES,
    SEQUENCES,
    VERSION,
    Frame,
    FrameDecoder,
    Hello,
    Operation,
    Status,
    encode_frame,
    longest_line,
)
from spikeloom.sw.host.errors import ForeignChipError, HostError, TransportClosed
from spikeloom.sw.host.serial_port import SerialPort

__all__ = ["SerialLink"]

_SHOWN = 8
_BITS_PER_BYTE = 10
_MOST_PATIENCES = 4
"""A try ends after so many times `patience_s`, though bytes come."""


class SerialLink:
    """A session with a board.

    Parameters
    ----------
    port : an open port
    patience_s : longest silence where an answer is due, seconds
    tries : times that a request is sent until the link gives up

    Attributes
    ----------
    board : what the board says that it is
    repeated : requests that were sent again so far

    Raises `TransportClosed` where nothing answers, `ForeignChipError` where something else does, or a board of another
    version of the protocol.
    """

    def __init__(self, port: SerialPort, patience_s: float, tries: int) -> None:
        self._port = port
        self._patience_s = patience_s
        self._tries = tries
        self._decoder = FrameDecoder()
        self._sequence = 0
        self._heard = bytearray()  # the first bytes that came in answer to a request
        self.repeated = 0
        self.board = self._hello()

    def execute(self, payload: bytes, answer_bytes: int, need_s: float = 0.0) -> bytes:
        """Have the board carry out commands (`hw.serial.commands`); returns its answer to them.

        answer_bytes : most bytes of it
        need_s : time that the board may take for them, beside that on the line
        """
        line_bytes = longest_line(len(payload) + OVERHEAD_BYTES) + longest_line(answer_bytes + OVERHEAD_BYTES)
        need_s += _BITS_PER_BYTE * line_bytes / self._port.baud
        self._sequence = (self._sequence + 1) % SEQUENCES
        sent = encode_frame(self._sequence, Operation.EXECUTE, payload)
        outcome = "gave no answer"
        for attempt in range(self._tries):
            self.repeated += attempt > 0
            answer = self._ask(sent, lambda frame: frame.sequence == self._sequence, need_s)
            if answer is None:
                outcome = "gave no answer" if not self._heard else "gave no whole answer"
            elif answer.code == Status.OK:
                return answer.payload
            elif answer.code == Status.BROKEN:
                outcome = "has received nothing but broken frames"
            else:
                raise HostError(
                    f"The board at '{self._port.name}' refuses a request of {len(payload)} bytes (status "
                    f"{answer.code}): program it with a bitstream of this version of SpikeLoom"
                )
        raise self._end(
            f"The board at '{self._port.name}' {outcome} in {self._tries} tries of {self._patience_s:g} s: check its "
            "cable and its power, program its bitstream again if it has lost it, and connect again"
        )

    def _hello(self) -> Hello:
        """Begin a session; answers to earlier ones are left out, and one that comes late, in the next try, counts."""
        self._port.discard()
        frames: list[Frame] = []
        nonce = secrets.token_bytes(4)
        sent = encode_frame(self._sequence, Operation.HELLO, nonce)
        for _ in range(self._tries):
            answer = self._ask(sent, lambda frame: _greets(frame, nonce, frames), 0.0)
            if answer is not None and answer.code == Status.OK:
                hello = Hello.parse(answer.payload)
                assert hello is not None
                self._check(hello)
                return hello
        raise self._stranger(len(frames))

    def _check(self, hello: Hello) -> None:
        if hello.version != VERSION:
            self._port.close()
            raise ForeignChipError(
                f"The board at '{self._port.name}' has version {hello.version} of the serial protocol, this program "
                f"version {VERSION}: make its bitstream again by `spikeloom board`, or use the SpikeLoom that made it"
            )

    def _stranger(self, frames: int) -> HostError:
        """What to say where no board has answered to HELLO."""
        name, baud, heard = self._port.name, self._port.baud, bytes(self._heard)
        spent = f"in {self._tries} tries of {self._patience_s:g} s"
        if frames or heard:
            self._port.close()
            return ForeignChipError(
                f"What answers at '{name}' with {baud} baud does not speak the protocol of a SpikeLoom board (first "
                f"bytes: {heard.hex(' ') or 'none'}): give the port of the board, and the baud that it was built "
                "with"
            )
        return self._end(
            f"No board has answered at '{name}' with {baud} baud {spent}: check that it has power and the right "
            "bitstream (`spikeloom board CONFIG --program`), and give its port and the baud that it was built with"
        )

    def _end(self, sentence: str) -> TransportClosed:
        """Close the port; the error to raise."""
        self._port.close("the board does not answer")
        return TransportClosed(sentence)

    def _ask(self, sent: bytes, wanted: Callable[[Frame], bool], need_s: float) -> Frame | None:
        """Send a request; the frame that is wanted, or the answer to a broken one, or None after silence."""
        self._heard.clear()
        if not self._port.write(sent):
            return None
        begun = time.monotonic() + need_s
        quiet, last = begun + self._patience_s, begun + _MOST_PATIENCES * self._patience_s
        patience_s, broken = self._patience_s, None
        while time.monotonic() < min(quiet, last):
            data = self._port.read()
            if not data:
                continue
            self._heard += data[: _SHOWN - len(self._heard)]
            quiet = max(quiet, time.monotonic() + patience_s)
            for frame in self._decoder.feed(data):
                if wanted(frame):
                    return frame
                if frame.sequence == NO_SEQUENCE and frame.code == Status.BROKEN:
                    # Of this request, or of noise before it: then its answer comes, too, and soon.
                    broken, patience_s = frame, self._patience_s / 8
                    quiet = time.monotonic() + patience_s
        return broken


def _greets(frame: Frame, nonce: bytes, others: list[Frame]) -> bool:
    """Whether a frame answers this HELLO; whole frames that do not are kept."""
    hello = Hello.parse(frame.payload)
    if frame.code == Status.OK and hello is not None and hello.nonce == int.from_bytes(nonce, "little"):
        return True
    others.append(frame)
    return False
