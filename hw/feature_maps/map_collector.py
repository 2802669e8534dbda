"""Assembles a layer's neuron groups into its feature map, one word per position."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.feature_maps.map_memory import MapWriteSignature
from spikeloom.hw.interfaces.streams import copy_marks, fired_layout, step_layout
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.params.plan import MapShape

__all__ = ["MapCollector"]


class MapCollector(wiring.Component):
    """Puts the groups of a position side by side, writes them, and says when the map is complete.

    Cycles: takes a group per cycle; a position's word is written in the cycle in which its last group is taken, and the
    step is on offer in the cycle after the last position's. No group is taken while it waits.

    Parameters
    ----------
    layer : LayerParameters of the layer whose spikes are collected

    Members
    -------
    i : In(stream of fired_layout), groups 0 .. groups - 1 of positions 0 .. positions - 1 of a step
    write : Out(MapWriteSignature) of the layer's map
    o : Out(stream of step_layout), the map is complete
    """

    def __init__(self, *, layer: LayerParameters) -> None:
        self._layer = layer
        shape = MapShape(channels=layer.outputs, width=layer.positions)
        super().__init__(
            {
                "i": In(stream.Signature(fired_layout(layer))),
                "write": Out(MapWriteSignature(shape)),
                "o": Out(stream.Signature(step_layout(layer))),
            }
        )

    @property
    def layer(self) -> LayerParameters:
        """Parameters of the layer whose spikes it collects."""
        return self._layer

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        layer, fired = self._layer, self.i.payload
        before = Signal((layer.groups - 1) * layer.lanes)  # spikes of the position's groups but the last
        taken, complete = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid),
            taken.eq(self.i.valid & self.i.ready),
            self.write.enable.eq(taken & (fired.group == layer.groups - 1)),
            self.write.data.eq(Cat(before, fired.spikes)),
            complete.eq(self.write.enable),
        ]
        if layer.positions > 1:
            m.d.comb += self.write.address.eq(fired.position)
            m.d.comb += complete.eq(self.write.enable & (fired.position == layer.positions - 1))
        for group in range(layer.groups - 1):
            with m.If(taken & (fired.group == group)):
                m.d.sync += before.word_select(group, layer.lanes).eq(fired.spikes)
        with m.If(complete):
            m.d.sync += [self.o.valid.eq(1), *copy_marks(self.o.payload, fired)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
