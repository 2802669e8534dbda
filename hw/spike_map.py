"""Memory of one feature map: what a stage made in this step, a word a position."""

from __future__ import annotations

from amaranth.hdl import Module, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.geometry import MapShape

__all__ = ["MapReadSignature", "MapWriteSignature", "SpikeMap", "address_bits"]


def address_bits(shape: MapShape) -> int:
    """Bits of a position of a map, at least 1."""
    return max(1, (shape.positions - 1).bit_length())


def _positive(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be a positive integer, not {value!r}")


class MapReadSignature(wiring.Signature):
    """Read port of a map, as seen from who reads.

    Members
    -------
    address : Out, position to read
    enable : Out(1), read in this cycle; `data` shows it from the next cycle on, until the cycle after the next read
    data : In(channels * value_bits), values of the position's channels, channel 0 lowest
    """

    def __init__(self, shape: MapShape, value_bits: int = 1) -> None:
        super().__init__(
            {
                "address": Out(address_bits(shape)),
                "enable": Out(1),
                "data": In(unsigned(shape.channels * value_bits)),
            }
        )


class MapWriteSignature(wiring.Signature):
    """Write port of a map, as seen from who writes.

    Members
    -------
    address : Out, position to write
    enable : Out(1), write in this cycle; reads of the next cycle on see it
    data : Out(channels * value_bits), values of the position's channels, channel 0 lowest
    """

    def __init__(self, shape: MapShape, value_bits: int = 1) -> None:
        super().__init__(
            {
                "address": Out(address_bits(shape)),
                "enable": Out(1),
                "data": Out(unsigned(shape.channels * value_bits)),
            }
        )


class SpikeMap(wiring.Component):
    """One map: `positions` words of the values of all channels, one port to write and one to read.

    A map is written whole in every step before it is read: stages go one after another, so the stages that read it
    share the port. Its words are never cleared. A word that is read and written in the same cycle is not defined.

    Parameters
    ----------
    shape : of the map
    value_bits : bits of a value: 1 (spike), or 8 in the image of a first layer with 8-bit DACs

    Members
    -------
    write : In(MapWriteSignature)
    read : In(MapReadSignature)

    Raises
    ------
    TypeError, ValueError : value_bits is not a positive integer
    """

    def __init__(self, *, shape: MapShape, value_bits: int = 1) -> None:
        _positive("SpikeMap value_bits", value_bits)
        self._shape = shape
        self._value_bits = value_bits
        self._words = memory.MemoryData(shape=unsigned(shape.channels * value_bits), depth=shape.positions, init=[])
        super().__init__(
            {"write": In(MapWriteSignature(shape, value_bits)), "read": In(MapReadSignature(shape, value_bits))}
        )

    @property
    def shape(self) -> MapShape:
        return self._shape

    @property
    def value_bits(self) -> int:
        return self._value_bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = words = memory.Memory(self._words)
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            write.addr.eq(self.write.address),
            write.data.eq(self.write.data),
            write.en.eq(self.write.enable),
            read.addr.eq(self.read.address),
            read.en.eq(self.read.enable),
            self.read.data.eq(read.data),
        ]
        return m
