"""Memory of one feature map, the output of a stage in the current step, with one word per position.

The map of a stage with n replicas has n banks: position p is word p // n of bank p % n. So every replica writes a bank
of its own, whenever it has a word, and none waits for another.
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.params.plan import MapShape
from spikeloom.hw.primitives.constant_division import divided

__all__ = ["MapReadSignature", "MapWriteSignature", "SpikeMap", "address_bits"]


def address_bits(shape: MapShape) -> int:
    """Bits of a position of a map, at least 1."""
    return max(1, (shape.positions - 1).bit_length())


def _positive(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentTypeError(f"{name} must be an integer, not {value!r}")
    if value < 1:
        raise SpikeLoomError(f"{name} must be a positive integer, not {value!r}")


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
    """One map: `positions` words of the values of all channels, one write port and one read port per bank.

    A map is written whole in every step before it is read: stages go one after another, so the stages that read it
    share the port. Its words are never cleared. A word that is read and written in the same cycle is not defined.

    Parameters
    ----------
    shape : of the map
    value_bits : bits of a value: 1 (spike), or 8 in the image of a first layer with 8-bit DACs
    banks : memories that the positions are dealt out to, 1 .. positions

    Members
    -------
    write : In(MapWriteSignature), with one bank
    write_<b> : In(MapWriteSignature) of bank b's words, with several
    read : In(MapReadSignature)

    Raises
    ------
    TypeError, ValueError : value_bits or banks are not positive integers, or there are more banks than positions
    """

    def __init__(self, *, shape: MapShape, value_bits: int = 1, banks: int = 1) -> None:
        _positive("SpikeMap value_bits", value_bits)
        _positive("SpikeMap banks", banks)
        if banks > shape.positions:
            raise SpikeLoomError(f"SpikeMap has {banks} banks for {shape.positions} positions")
        self._shape = shape
        self._value_bits = value_bits
        self._banks = banks
        depths = [len(range(bank, shape.positions, banks)) for bank in range(banks)]
        word = unsigned(shape.channels * value_bits)
        self._words = [memory.MemoryData(shape=word, depth=depth, init=[]) for depth in depths]
        parts = {
            f"write_{bank}": In(MapWriteSignature(MapShape(channels=shape.channels, width=depth), value_bits))
            for bank, depth in enumerate(depths)
        }
        super().__init__(
            {
                **(parts if banks > 1 else {"write": In(MapWriteSignature(shape, value_bits))}),
                "read": In(MapReadSignature(shape, value_bits)),
            }
        )

    @property
    def shape(self) -> MapShape:
        """Shape of the map."""
        return self._shape

    @property
    def value_bits(self) -> int:
        """Bits of a value."""
        return self._value_bits

    @property
    def banks(self) -> int:
        """Memories that share the positions."""
        return self._banks

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        if self._banks == 1:
            read = self._bank(m, "words", self._words[0], self.write)
            m.d.comb += [
                read.addr.eq(self.read.address),
                read.en.eq(self.read.enable),
                self.read.data.eq(read.data),
            ]
            return m
        place, bank = divided(self.read.address, self._banks, self._shape.positions - 1)
        wanted, last = Signal(range(self._banks)), Signal(range(self._banks))  # of this read, and of the last one
        m.d.comb += wanted.eq(bank)
        with m.If(self.read.enable):
            m.d.sync += last.eq(wanted)
        with m.Switch(last):
            for number, words in enumerate(self._words):
                read = self._bank(m, f"words_{number}", words, getattr(self, f"write_{number}"))
                m.d.comb += [read.addr.eq(place), read.en.eq(self.read.enable & (wanted == number))]
                with m.Case(number) if number < self._banks - 1 else m.Default():
                    m.d.comb += self.read.data.eq(read.data)
        return m

    def _bank(self, m: Module, name: str, words: memory.MemoryData, port: wiring.PureInterface) -> memory.ReadPort:
        """One memory, written by `port`; its read port."""
        m.submodules[name] = made = memory.Memory(words)
        write = made.write_port()
        m.d.comb += [write.addr.eq(port.address), write.data.eq(port.data), write.en.eq(port.enable)]
        return made.read_port()
