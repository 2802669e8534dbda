"""Assembles a layer's neuron groups into the next layer's input vector."""

from __future__ import annotations

import dataclasses

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.streams import fired_layout, vector_layout
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.primitives.adder_tree import adder_tree

__all__ = ["SpikeCollector"]


class SpikeCollector(wiring.Component):
    """Puts the groups' spikes side by side and counts them.

    Relies on the padding lanes of the last group (columns past the last output) not to spike.

    Cycles: takes a group per cycle; the vector is valid in the cycle after its last group (number groups - 1) was
    taken. Groups of the next step are taken from the cycle on after that in which the vector is taken, so that `ready`
    of the layers before does not depend on that of the layers behind.

    Parameters
    ----------
    parameters : the layer whose spikes are collected

    Members
    -------
    i : In(stream of fired_layout), groups 0 .. groups - 1 of a step
    o : Out(stream of vector_layout of the next layer), its rows are this layer's outputs, one bit each
    """

    def __init__(self, *, parameters: LayerParameters) -> None:
        self._parameters = parameters
        self._following = dataclasses.replace(parameters, inputs=parameters.outputs, row_bits=1)
        super().__init__(
            {
                "i": In(stream.Signature(fired_layout(parameters))),
                "o": Out(stream.Signature(vector_layout(self._following))),
            }
        )

    @property
    def parameters(self) -> LayerParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        parameters = self._parameters
        group = self.i.payload.group
        spikes = self.i.payload.spikes
        vector = self.o.payload
        m = Module()

        active = Signal(range(parameters.lanes + 1))
        m.d.comb += [
            active.eq(adder_tree(list(spikes))),
            self.i.ready.eq(~self.o.valid),
            vector.silent.eq(vector.count == 0),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            with m.Switch(group):
                for index in range(parameters.groups):
                    with m.Case(index):
                        first = index * parameters.lanes
                        m.d.sync += vector.rows[first : first + parameters.lanes].eq(spikes)
            m.d.sync += [
                vector.count.eq(Mux(group == 0, 0, vector.count) + active),
                vector.first.eq(self.i.payload.first),
                vector.phase.eq(self.i.payload.phase),
                self.o.valid.eq(group == parameters.groups - 1),
            ]
        return m
