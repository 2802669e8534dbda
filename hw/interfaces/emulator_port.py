"""The bus over which a host reaches a crossbar emulator: its identification, its gain, and its cells."""

from __future__ import annotations

from amaranth.lib.wiring import In, Out, Signature

__all__ = ["EMULATOR_ADDRESS_BITS", "EmulatorBusSignature"]

EMULATOR_ADDRESS_BITS = 20
"""Bits of a byte address inside an emulator's window."""


class EmulatorBusSignature(Signature):
    """Requests for words of an emulator's address map, as seen from who asks.

    Members
    -------
    address : Out(20), byte address in the emulator's window; its two lowest bits are not looked at
    data : Out(32), word to write
    write, read : Out(1), a request; never both; held, with address and data stable, until `done`
    done : In(1), a cycle with a request and `done` completes it; the next request may follow in the next cycle
    answer : In(32), with `done` of a read: the word
    error : In(1), with `done`: there is no such word, or not for this direction; nothing was done, `answer` is 0

    A request may be withdrawn (by a reset) before `done`; it may or may not have been carried out.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "address": Out(EMULATOR_ADDRESS_BITS),
                "data": Out(32),
                "write": Out(1),
                "read": Out(1),
                "done": In(1),
                "answer": In(32),
                "error": In(1),
            }
        )
