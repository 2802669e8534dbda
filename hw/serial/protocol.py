"""The protocol on the serial line: frames of bytes, what they ask for, and what is answered.

Board and host share this module; it needs nothing but Python. docs/hardware/serial/protocol.md has it byte by byte.
All numbers are little endian.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from spikeloom.hw.errors import SpikeLoomError

__all__ = [
    "BRIDGE_ADDRESS", "BRIDGE_REGISTERS", "CRC_BYTES", "EMULATOR_ADDRESS", "EMULATOR_LAYER_BYTES", "END", "ESCAPE",
    "ESCAPED_END", "ESCAPED_ESCAPE", "MAGIC", "MOST_CLOCKS", "NO_SEQUENCE", "OVERHEAD_BYTES", "SEQUENCES", "VERSION",
    "Command", "Frame", "FrameDecoder", "Hello", "Operation", "Response", "Status", "Taking", "Word",
    "emulator_address", "encode_frame", "longest_line", "most_payload", "result_bytes", "result_words",
]  # fmt: skip

END, ESCAPE = 0xC0, 0xDB
"""A frame's delimiter, before and after it; and what comes before a byte that stands for another."""
ESCAPED_END, ESCAPED_ESCAPE = 0xDC, 0xDD
"""After ESCAPE: a byte END or ESCAPE of the frame."""
CRC_BYTES = 4
"""A frame ends with the CRC-32 of all before (that of `zlib.crc32`)."""
OVERHEAD_BYTES = 2 + CRC_BYTES
"""Bytes of a frame beside its payload: sequence number, operation or status, checksum."""
SEQUENCES = 255
"""Requests are numbered 0 .. 254, then 0 again."""
NO_SEQUENCE = 0xFF
"""Sequence number of an answer to a broken frame, whose own is not known."""
MOST_CLOCKS = 0xFFFF
"""Most clock cycles of a bit, which HELLO answers in 16 bits."""
MAGIC = b"SLBD"
VERSION = 1
"""Version of this protocol."""


class Operation(IntEnum):
    """What a request is: it begins a session, or has commands to carry out, one after another.

    The payload of HELLO is a nonce, u32, that of its answer a packed `Hello`. A board carries out every HELLO; of
    other requests none that has the sequence number of the one before: the kept answer is sent again.
    """

    HELLO = 0
    EXECUTE = 1


class Status(IntEnum):
    """Of an answer: carried out; not a whole frame; a whole frame that asks for what there is not, or whose answer
    might be too long. After the last two nothing was carried out, and the answer has no payload.
    """

    OK = 0
    BROKEN = 1
    BAD = 2


class Command(IntEnum):
    """Kind of a command: a byte. Behind it are a word, u32 (an address, or clock cycles), and what the kind adds.

    | kind, word | adds | answer |
    |---|---|---|
    | WRITE address | data u32 | `Response` u8 |
    | READ address | | `Response` u8, data u32 |
    | FILL address | count u16 > 0, data u32 count times, all to this address | `Response` u8, the first not OKAY |
    | IMAGE cycles | tag u16, count u16 > 0, count words of `encoder_lanes` bytes | `Taking` u8 |
    | RESULT cycles | | see `Word` |
    | WAIT cycles, RESET cycles | | 0 u8 |
    | INTERRUPT cycles | | level u8 |

    WRITE, READ and INTERRUPT have the numbers of `sw.host.transport`. A command waits for at most `cycles` clock
    cycles, an IMAGE and a RESULT for all of its words together.
    """

    WRITE = 1
    READ = 2
    FILL = 3
    IMAGE = 4
    RESULT = 5
    WAIT = 6
    RESET = 7
    INTERRUPT = 10


class Response(IntEnum):
    """Of an access: good; the bus's error; no such address; no answer, and from then on none until a RESET."""

    OKAY = 0
    SLVERR = 2
    DECERR = 3
    TIMEOUT = 4


class Taking(IntEnum):
    """Of an IMAGE: taken; nothing of it was taken, since a result waits and there is no room, or since there was no
    room for `cycles`; a part of it was taken, and then nothing for `cycles`: RESET, or what register `timeout` does.

    After FULL or STUCK no further image of the same request is taken (FULL), so that images keep their order.
    """

    TAKEN = 0
    FULL = 1
    STUCK = 2


class Word(IntEnum):
    """Of a RESULT: before each word comes MORE or LAST; behind the first of these the tag, u16; then the word, u64.

    NONE ends the answer where nothing came for `cycles`, in the frame or before it, and where a frame does not end
    with the last word that it may have (`result_words`).
    """

    NONE = 0
    MORE = 1
    LAST = 2


BRIDGE_ADDRESS = 0x0400_0000
"""First byte address that is not one of the accelerator's bus."""
BRIDGE_REGISTERS = {"faults": 0x00, "requests": 0x04, "clock_low": 0x08, "clock_high": 0x0C}
"""Name -> byte offset from BRIDGE_ADDRESS; all are read only. Broken frames (bits 7..0 of the word) and lost ones,
which came while a request was held (bits 23..16); requests carried out, 8 bits; clock cycles since the start, lower 32
bits and upper 16 bits. Counts begin again at 0 after their largest value."""
EMULATOR_ADDRESS = 0x0500_0000
EMULATOR_LAYER_BYTES = 1 << 20
"""Bytes of addresses that each layer's emulator has, from EMULATOR_ADDRESS on; up to 32 layers."""

_HELLO = struct.Struct("<I4sHHIHHB")


class Frame(NamedTuple):
    """A whole frame: sequence number, operation (request) or status (answer), payload."""

    sequence: int
    code: int
    payload: bytes


@dataclass(frozen=True)
class Hello:
    """What a board answers to HELLO.

    Parameters
    ----------
    nonce : of the request
    version : of the protocol
    buffer_bytes : most bytes of a frame without delimiters and escapes, of requests and of answers
    clock_Hz, clocks_per_bit : of the board; their quotient is the baud rate
    encoder_lanes : bytes of an image frame's word
    layers : number of layers
    """

    nonce: int
    version: int
    buffer_bytes: int
    clock_Hz: int
    clocks_per_bit: int
    encoder_lanes: int
    layers: int

    BYTES = _HELLO.size

    def pack(self) -> bytes:
        """Payload of the answer."""
        return _HELLO.pack(
            self.nonce, MAGIC, self.version, self.buffer_bytes, self.clock_Hz, self.clocks_per_bit, self.encoder_lanes,
            self.layers,
        )  # fmt: skip

    @classmethod
    def parse(cls, payload: bytes) -> Hello | None:
        """Of an answer's payload; None if it is not that of a board of this kind (later versions may append to it)."""
        if len(payload) < _HELLO.size:
            return None
        nonce, magic, *rest = _HELLO.unpack_from(payload)
        return cls(nonce, *rest) if magic == MAGIC else None


def emulator_address(layer: int) -> int:
    """Byte address at which a layer's emulator begins."""
    return EMULATOR_ADDRESS + layer * EMULATOR_LAYER_BYTES


def most_payload(buffer_bytes: int) -> int:
    """Most bytes of a payload, of requests and of answers. A request whose answer might be longer is BAD."""
    return buffer_bytes - OVERHEAD_BYTES


def result_words(layers: int) -> int:
    """Most words of a result frame: answer, cycles and gap, and three of counters a layer."""
    return 2 + 3 * layers


def result_bytes(layers: int) -> int:
    """Most bytes of the answer to a RESULT; a request is BAD if its answer does not fit with so many for each."""
    return 3 + 9 * result_words(layers)


def longest_line(buffer_bytes: int) -> int:
    """Most bytes that a frame takes on the line."""
    return 2 + 2 * buffer_bytes


def encode_frame(sequence: int, code: int, payload: bytes = b"") -> bytes:
    """Bytes on the line of a frame, with its delimiters.

    Parameters
    ----------
    sequence : 0 .. 255
    code : operation or status, 0 .. 255
    payload : any bytes

    Raises
    ------
    SpikeLoomError : a number is out of its range
    """
    for name, value in (("sequence", sequence), ("code", code)):
        if not 0 <= value <= 0xFF:
            raise SpikeLoomError(f"A frame's {name} must be in 0 .. 255, not {value!r}")
    body = bytes((sequence, code)) + payload
    body += zlib.crc32(body).to_bytes(CRC_BYTES, "little")
    body = body.replace(bytes([ESCAPE]), bytes([ESCAPE, ESCAPED_ESCAPE]))
    body = body.replace(bytes([END]), bytes([ESCAPE, ESCAPED_END]))
    return bytes([END]) + body + bytes([END])


class FrameDecoder:
    """Finds frames in a sequence of bytes, however it is cut in pieces, and goes on after broken ones.

    Parameters
    ----------
    buffer_bytes : most bytes of a frame without delimiters and escapes; a longer one is broken

    Attributes
    ----------
    broken : number of broken frames so far: bytes between two delimiters that are no frame
    """

    def __init__(self, buffer_bytes: int = 1 << 16) -> None:
        self.broken = 0
        self._buffer_bytes = buffer_bytes
        self._piece = bytearray()  # since the last END, as on the line

    @property
    def is_inside(self) -> bool:
        """Bytes have come since the last END."""
        return bool(self._piece)

    def feed(self, received: bytes) -> list[Frame]:
        """The whole frames that end in these bytes, in order."""
        found = []
        *ended, rest = received.split(bytes([END]))
        for part in ended:
            piece, self._piece = bytes(self._piece + part), bytearray()
            frame = self._frame(piece)
            if frame is not None:
                found.append(frame)
            elif piece:
                self.broken += 1
        self._piece = (self._piece + rest)[: 2 * self._buffer_bytes + 1]  # more than any frame has
        return found

    def _frame(self, piece: bytes) -> Frame | None:
        body = bytearray()
        escaped = False
        for byte in piece:
            if escaped:
                if byte not in (ESCAPED_END, ESCAPED_ESCAPE):
                    return None
                body.append(END if byte == ESCAPED_END else ESCAPE)
                escaped = False
            elif byte == ESCAPE:
                escaped = True
            else:
                body.append(byte)
        if escaped or not OVERHEAD_BYTES <= len(body) <= self._buffer_bytes:
            return None
        checksum = int.from_bytes(body[-CRC_BYTES:], "little")
        if checksum != zlib.crc32(body[:-CRC_BYTES]):
            return None
        return Frame(body[0], body[1], bytes(body[2:-CRC_BYTES]))
