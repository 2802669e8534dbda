"""Commands of a request and what is answered to them, for a host: bytes there, values back."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from spikeloom.hw.serial.protocol import Command, Word, result_bytes

__all__ = ["AnswerReader", "Piece", "fill", "image", "read", "wait_for", "write"]


@dataclass(frozen=True)
class Piece:
    """A command: its bytes in the request, and the most bytes of its answer.

    Pieces go into one request as long as neither sum is over `most_payload`.
    """

    request: bytes
    answer_bytes: int


def write(address: int, word: int) -> Piece:
    """WRITE; its answer: `AnswerReader.byte`, a `Response`."""
    return Piece(struct.pack("<BII", Command.WRITE, address, word), 1)


def read(address: int) -> Piece:
    """READ; its answer: `AnswerReader.access`."""
    return Piece(struct.pack("<BI", Command.READ, address), 5)


def fill(address: int, words: Sequence[int]) -> Piece:
    """FILL with 1 .. 65,535 words; its answer: `AnswerReader.byte`, a `Response`."""
    return Piece(struct.pack(f"<BIH{len(words)}I", Command.FILL, address, len(words), *words), 1)


def image(cycles: int, tag: int, pixels: bytes, encoder_lanes: int) -> Piece:
    """IMAGE of whole words of the stream; its answer: `AnswerReader.byte`, a `Taking`."""
    return Piece(struct.pack("<BIHH", Command.IMAGE, cycles, tag, len(pixels) // encoder_lanes) + pixels, 1)


def wait_for(kind: Command, cycles: int, layers: int = 0) -> Piece:
    """WAIT, RESET, INTERRUPT (answer: `AnswerReader.byte`), or RESULT of a unit with so many layers (answer:
    `AnswerReader.result`).
    """
    return Piece(struct.pack("<BI", kind, cycles), result_bytes(layers) if kind == Command.RESULT else 1)


class AnswerReader:
    """Reads the payload of an answer, in the order of the commands.

    Every method raises `IndexError` or `struct.error` past the end: the answer is not one to these commands.
    """

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._position = 0

    @property
    def is_at_end(self) -> bool:
        """Everything has been read."""
        return self._position == len(self._payload)

    def _next(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self._payload, self._position)
        self._position += struct.calcsize(layout)
        return int(value)

    def byte(self) -> int:
        """The next byte."""
        return self._next("<B")

    def access(self) -> tuple[int, int]:
        """Response and data of a READ."""
        return self._next("<B"), self._next("<I")

    def result(self) -> tuple[int, list[int], bool] | None:
        """Tag, words, and whether the frame is whole, of a RESULT; None if there was none."""
        tag, marker = 0, Word.MORE
        words: list[int] = []
        while marker == Word.MORE:
            marker = Word(self.byte())
            if marker == Word.NONE:
                break
            if not words:
                tag = self._next("<H")
            words.append(self._next("<Q"))
        return (tag, words, marker == Word.LAST) if words else None
