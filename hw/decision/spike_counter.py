"""Scores of the classes: weighted spike counts, or the output membranes."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.streams import fired_layout, score_layout
from spikeloom.hw.params.parameters import NpuParameters, Readout

__all__ = ["SpikeCounter"]


class SpikeCounter(wiring.Component):
    """Emits the score of every class, one after another, and keeps the spike counts of the image.

    Readout SPIKES: S_i += spike_i << (K - 1 - p), the weight of a spike of phase p [WS 4.1]; `first` starts from 0.
    Readout MEMBRANE: S_i = V_i after the reset [WS eq. 17]. Spikes are counted in both.

    A count cannot wrap: at most max_steps steps follow a `first`, each adding at most 2^(K-1).

    Cycles: the score of a group's first class is valid in the cycle after that in which the group is offered; a score
    per cycle, so a group takes as many cycles as it has classes, and is taken in the cycle before its last class is
    valid.

    Parameters
    ----------
    parameters : the unit's parameters; the counter belongs to its last layer

    Members
    -------
    i : In(stream of fired_layout), groups 0 .. groups - 1 of a step
    o : Out(stream of score_layout), classes 0 .. classes - 1 of a step; padding lanes are left out
    readout : In(1), a Readout; constant during an image
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        self._counts = memory.MemoryData(shape=unsigned(parameters.count_bits), depth=parameters.classes, init=[])
        super().__init__(
            {
                "i": In(stream.Signature(fired_layout(parameters.layers[-1]))),
                "o": Out(stream.Signature(score_layout(parameters))),
                "readout": In(1),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        parameters = self._parameters
        layer = parameters.layers[-1]
        fired = self.i.payload
        m = Module()
        m.submodules.counts = counts = memory.Memory(self._counts)
        write = counts.write_port()
        read = counts.read_port(transparent_for=(write,))

        lane = Signal(range(layer.lanes))
        index = Signal(parameters.class_bits)
        following = Signal.like(index)
        last = Signal()
        m.d.comb += [
            last.eq(index == parameters.classes - 1),
            following.eq(Mux(last, 0, index + 1)),
        ]

        # The count of the class to come is read while the one before is put out.
        put = Signal()
        spike = Signal()
        weight = Signal(parameters.count_bits)
        count = Signal(parameters.count_bits)
        m.d.comb += [
            spike.eq(fired.spikes.bit_select(lane, 1)),
            weight.eq(spike << (parameters.phases - 1 - fired.phase)[: parameters.phase_bits]),
            count.eq(Mux(fired.first, 0, read.data) + weight),
            put.eq(self.i.valid & (~self.o.valid | self.o.ready)),
            read.addr.eq(following),
            read.en.eq(put),
            write.addr.eq(index),
            write.data.eq(count),
            write.en.eq(put),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(put):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.last.eq(last),
                self.o.payload.score.eq(Mux(self.readout == Readout.MEMBRANE, fired.membranes[lane], count)),
                index.eq(following),
                lane.eq(lane + 1),
            ]
            with m.If(last | (lane == layer.lanes - 1)):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += lane.eq(0)
        return m
