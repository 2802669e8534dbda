"""Writes the encoder's vector to the image's map: channel planes become words of all channels, position by position."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.feature_maps.map_memory import MapWriteSignature
from spikeloom.hw.interfaces.streams import copy_marks, step_layout, vector_layout
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["MapLoader"]


class _State(enum.IntEnum):
    EMPTY = 0  # the map may be written, and is not
    WRITE = 1  # a position per cycle
    OFFER = 2  # the map is complete; until the step is let in
    READ = 3  # until the step's last reader is done with it


class MapLoader(wiring.Component):
    """Writes the image's map of the next step as soon as the step before no longer reads it.

    So the map is mostly there when the step is let in: it is made while the later layers work. Pixel c * positions + p
    of the vector is channel c at position p.

    Cycles: a vector that is taken in cycle 0 is written in cycles 1 .. positions, and the step is on offer from cycle
    positions + 1 on. After `released` in cycle 0 the next vector is taken in cycle 1.

    Parameters
    ----------
    parameters : NpuParameters of the unit

    Members
    -------
    i : In(stream of vector_layout of the encoder)
    released : In(1), the step that was let in has read its last word of the map
    restart : In(1), forget the map and the step; may come in any cycle
    write : Out(MapWriteSignature) of map 0
    o : Out(stream of step_layout), the map is complete; withdrawn by `restart` only
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        super().__init__(
            {
                "i": In(stream.Signature(vector_layout(parameters.encoded))),
                "released": In(1),
                "restart": In(1),
                "write": Out(MapWriteSignature(parameters.plan.input, parameters.encoded.row_bits)),
                "o": Out(stream.Signature(step_layout(parameters))),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        shape, bits = self._parameters.plan.input, self._parameters.encoded.row_bits
        state = Signal(_State)
        position = Signal.like(self.write.address)
        planes = [Signal(shape.positions * bits, name=f"plane_{channel}") for channel in range(shape.channels)]
        m.d.comb += [
            self.i.ready.eq(state == _State.EMPTY),
            self.o.valid.eq(state == _State.OFFER),
            self.write.address.eq(position),
            self.write.enable.eq(state == _State.WRITE),
            self.write.data.eq(Cat(plane[:bits] for plane in planes)),
        ]

        with m.Switch(state):
            with m.Case(_State.EMPTY):
                with m.If(self.i.valid):
                    m.d.sync += [Cat(planes).eq(self.i.payload.rows), *copy_marks(self.o.payload, self.i.payload)]
                    m.d.sync += [position.eq(0), state.eq(_State.WRITE)]
            with m.Case(_State.WRITE):
                m.d.sync += [plane.eq(plane[bits:]) for plane in planes]  # no shifter: its cost is the square
                m.d.sync += position.eq(position + 1)
                with m.If(position == shape.positions - 1):
                    m.d.sync += state.eq(_State.OFFER)
            with m.Case(_State.OFFER):
                with m.If(self.o.ready):
                    m.d.sync += state.eq(_State.READ)
            with m.Case(_State.READ):
                with m.If(self.released):
                    m.d.sync += state.eq(_State.EMPTY)
        with m.If(self.restart):
            m.d.sync += state.eq(_State.EMPTY)
        return m
