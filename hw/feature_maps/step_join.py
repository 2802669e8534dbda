"""Combines the collectors of a stage's replicas: the map is complete when all parts are."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.interfaces.streams import step_layout
from spikeloom.hw.params.parameters import LayerParameters

__all__ = ["StepJoin"]


class StepJoin(wiring.Component):
    """Passes a step on when every replica has offered it, and takes it from all of them together.

    Cycles: none; the step is on offer in the cycle in which the last replica offers it.

    Parameters
    ----------
    layer : LayerParameters of any of the replicas
    replicas : their number, at least 2

    Members
    -------
    i_<c> : In(stream of step_layout), replica c's part of the map is complete
    o : Out(stream of step_layout), the map is complete; marks as replica 0 has them

    Raises
    ------
    ValueError : fewer than two replicas
    """

    def __init__(self, *, layer: LayerParameters, replicas: int) -> None:
        if replicas < 2:
            raise SpikeLoomError(f"StepJoin needs at least two replicas, not {replicas!r}")
        self._layer = layer
        self._replicas = replicas
        super().__init__(
            {
                **{f"i_{n}": In(stream.Signature(step_layout(layer))) for n in range(replicas)},
                "o": Out(stream.Signature(step_layout(layer))),
            }
        )

    @property
    def layer(self) -> LayerParameters:
        """Parameters of the replicas' layer."""
        return self._layer

    @property
    def replicas(self) -> int:
        """Number of the streams that are joined."""
        return self._replicas

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        inputs = [getattr(self, f"i_{n}") for n in range(self._replicas)]
        m.d.comb += [
            self.o.valid.eq(Cat(i.valid for i in inputs).all()),
            self.o.payload.eq(inputs[0].payload),
            *(i.ready.eq(self.o.valid & self.o.ready) for i in inputs),
        ]
        return m
