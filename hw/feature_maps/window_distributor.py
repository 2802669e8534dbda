"""Distributes a stage's vectors to the replicas of its crossbar, in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.interfaces.streams import vector_layout
from spikeloom.hw.params.parameters import LayerParameters

__all__ = ["WindowDistributor", "stage_layer"]


def stage_layer(replicas: Sequence[LayerParameters]) -> LayerParameters:
    """The layer that a stage's replicas are together: all their positions."""
    return replace(replicas[0], positions=sum(replica.positions for replica in replicas))


class WindowDistributor(wiring.Component):
    """Hands vector p of a step to replica p % n, as its own position p // n, and holds it still there.

    A replica has a register for its vector, since it drives its rows from there: while it does, the other replicas get
    theirs. Vectors proceed in order: one whose replica has not yet taken the one before waits, and all behind it.

    Cycles: a vector is taken in the cycle in which it is offered if its replica's register is empty, or its vector is
    taken in that cycle; the replica sees it in the next one. A vector per cycle.

    Parameters
    ----------
    replicas : LayerParameters of every replica, n >= 2; their positions are 0, n, 2 n, ... and 1, n + 1, ... and so on

    Members
    -------
    i : In(stream of vector_layout of all positions), positions 0 .. of a step in order
    o_<c> : Out(stream of vector_layout of replica c), `positions` vectors per step, in order

    Raises
    ------
    ValueError : fewer than two replicas, or replicas that cannot be those of one stage
    """

    def __init__(self, *, replicas: Sequence[LayerParameters]) -> None:
        self._replicas = tuple(replicas)
        count = len(self._replicas)
        if count < 2:
            raise SpikeLoomError(f"WindowDistributor needs at least two replicas, not {count}")
        self._layer = stage_layer(self._replicas)
        for number, replica in enumerate(self._replicas):
            own = len(range(number, self._layer.positions, count))
            if replica != replace(self._layer, positions=own):
                raise SpikeLoomError(f"WindowDistributor's replica {number} is none of a stage of {self._layer}")
        super().__init__(
            {
                "i": In(stream.Signature(vector_layout(self._layer))),
                **{f"o_{n}": Out(stream.Signature(vector_layout(replica))) for n, replica in enumerate(self._replicas)},
            }
        )

    @property
    def replicas(self) -> tuple[LayerParameters, ...]:
        """Parameters of every replica's layer."""
        return self._replicas

    @property
    def layer(self) -> LayerParameters:
        """The stage: all positions."""
        return self._layer

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        count = len(self._replicas)
        turn = Signal(range(count))  # the replica of the vector on offer
        own = Signal(range(max(2, self._replicas[0].positions)))  # its own position
        vector, taken = self.i.payload, Signal()
        rooms = []
        for number, replica in enumerate(self._replicas):
            o = getattr(self, f"o_{number}")
            room, mine = Signal(name=f"room_{number}"), Signal(name=f"mine_{number}")
            m.d.comb += [
                room.eq((turn == number) & (~o.valid | o.ready)),
                mine.eq(room & self.i.valid),
            ]
            with m.If(mine):
                m.d.sync += [
                    o.valid.eq(1),
                    o.payload.rows.eq(vector.rows),
                    o.payload.count.eq(vector.count),
                    o.payload.silent.eq(vector.silent),
                    o.payload.first.eq(vector.first),
                    o.payload.phase.eq(vector.phase),
                ]
                if replica.positions > 1:
                    m.d.sync += o.payload.position.eq(own)
            with m.Elif(o.ready):
                m.d.sync += o.valid.eq(0)
            rooms.append(room)
        m.d.comb += [self.i.ready.eq(Cat(rooms).any()), taken.eq(self.i.valid & self.i.ready)]
        with m.If(taken):
            end = vector.position == self._layer.positions - 1
            m.d.sync += turn.eq(Mux(end | (turn == count - 1), 0, turn + 1))
            with m.If(end):
                m.d.sync += own.eq(0)
            with m.Elif(turn == count - 1):
                m.d.sync += own.eq(own + 1)
        return m
