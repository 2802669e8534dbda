"""Max and average pooling of a feature map: the spike of the most active input of a window, or the average."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import ArgumentTypeError
from spikeloom.hw.feature_maps.map_memory import MapReadSignature, MapWriteSignature
from spikeloom.hw.feature_maps.window_walk import WindowWalk
from spikeloom.hw.interfaces.streams import copy_marks, step_layout
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.hw.params.plan import MapShape
from spikeloom.hw.params.stage_kinds import PoolStage

__all__ = ["PoolUnit"]


class _Input(NamedTuple):
    """One channel of the word that has arrived.

    spike : of this input
    before : the sum, or V, that was read with it
    first, shift : first step of the image; K - 1 - p
    arrived, opens : there is a word in this cycle; it is the window's first
    """

    spike: Value
    before: Value
    first: Value
    shift: Value
    arrived: Value
    opens: Value


class PoolUnit(wiring.Component):
    """Pools the windows of a map, all channels of a word at once.

    In phase p of K a spike weighs 2^(K-1-p). For a channel and a window of `size` inputs:

    - MAX: every input's sum grows by the weight of its spike; the output is the spike of the input with the largest
      sum, that of this step included, and of equal sums the first, dy slowest [WS 4.5]
    - AVERAGE: V grows by the weights of the window's spikes; with V >= size * 2^(K-1-p) there is a spike, and V loses
      that much

    Sums start at 0 and V at `stage.start` in an image's first step; neither is ever cleared before. V never exceeds
    size * 2^(K-1) after a step, and a sum is at most max_steps * 2^(K-1).

    Cycles: a word per cycle. With `i` taken in cycle 0, the N = (output positions) * size words are read in cycles 1 ..
    N; a window's output is written in the cycle after its last word is read, and the step is on offer in cycle N + 2.
    Nothing stalls.

    Parameters
    ----------
    parameters : NpuParameters of the unit
    stage : number of the stage, a PoolStage

    Members
    -------
    i : In(stream of step_layout), the source is complete; it stays as it is until `released`
    map_0 : Out(MapReadSignature), the source
    released : Out(1), the step's last word is read in this cycle
    write : Out(MapWriteSignature) of the stage's map
    o : Out(stream of step_layout), the map is complete

    Raises
    ------
    TypeError : the stage is not a PoolStage
    """

    def __init__(self, *, parameters: NpuParameters, stage: int) -> None:
        plan = parameters.plan
        pool = plan.stages[stage]
        if not isinstance(pool, PoolStage):
            raise ArgumentTypeError(f"Stage {stage} must be a PoolStage to be pooled, not {pool!r}")
        self._parameters = parameters
        self._stage = pool
        self._source, self._shape = plan.maps[pool.window.source], plan.maps[stage + 1]
        depth = pool.sums(self._source, self._shape)
        self._sums = memory.MemoryData(shape=unsigned(self._shape.channels * self.sum_bits), depth=depth, init=[])
        super().__init__(
            {
                "i": In(stream.Signature(step_layout(parameters))),
                "map_0": Out(MapReadSignature(self._source)),
                "released": Out(1),
                "write": Out(MapWriteSignature(self._shape)),
                "o": Out(stream.Signature(step_layout(parameters))),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    @property
    def stage(self) -> PoolStage:
        """The pooling stage of the plan."""
        return self._stage

    @property
    def shape(self) -> MapShape:
        """Of the map that is made."""
        return self._shape

    @property
    def size(self) -> int:
        """Inputs of a window."""
        return self._stage.window.size

    @property
    def sum_bits(self) -> int:
        """Bits of a sum, or of V after a step."""
        return self._stage.sum_bits(self._parameters.count_bits, self._parameters.phases)

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.walk = walk = WindowWalk(windows=self._stage.windows, shapes=(self._source,))
        m.submodules.sums = sums = memory.Memory(self._sums)
        read, write = sums.read_port(), sums.write_port()
        largest = self._stage.largest

        # A word and its sums are fetched in one cycle and used in the next.
        fetched, arrived = Signal(), Signal()
        here = Signal.like(walk.o.payload)
        marks = Signal(step_layout(self._parameters))
        shift = Signal(self._parameters.phase_bits)
        word = walk.o.payload
        m.d.comb += [
            self.i.ready.eq(~walk.o.valid & ~arrived & ~self.o.valid),
            walk.start.eq(self.i.valid & self.i.ready),
            walk.o.ready.eq(1),
            fetched.eq(walk.o.valid),
            self.released.eq(fetched & word.end),
            self.map_0.address.eq(word.address),
            self.map_0.enable.eq(fetched),
            read.addr.eq(word.address if largest else word.position),
            read.en.eq(fetched if largest else fetched & word.closes),
            write.addr.eq(here.address if largest else here.position),
            write.en.eq(arrived if largest else arrived & here.closes),
            self.write.address.eq(here.position),
            self.write.enable.eq(arrived & here.closes),
            *copy_marks(self.o.payload, marks),
        ]
        m.d.sync += arrived.eq(fetched)
        with m.If(fetched):
            m.d.sync += here.eq(word)
        with m.If(walk.start):
            m.d.sync += [marks.eq(self.i.payload), shift.eq(self._parameters.phases - 1 - self.i.payload.phase)]
        with m.If(arrived & here.end):
            m.d.sync += self.o.valid.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        # All channels of the word.
        step = self._largest if largest else self._average
        results = []
        for channel in range(self._shape.channels):
            before = read.data[channel * self.sum_bits : (channel + 1) * self.sum_bits]
            now = _Input(self.map_0.data[channel], before, marks.first, shift, arrived, here.opens)
            results.append(step(m, channel, now))
        m.d.comb += [
            write.data.eq(Cat(stored for stored, _ in results)),
            self.write.data.eq(Cat(output for _, output in results)),
        ]
        return m

    def _largest(self, m: Module, channel: int, now: _Input) -> tuple[Signal, Signal]:
        """MAX: the input's sum, and the spike of the best input of the window so far."""
        total, most = (Signal(self.sum_bits, name=f"{name}_{channel}") for name in ("total", "most"))
        better, passed, output = (Signal(name=f"{name}_{channel}") for name in ("better", "passed", "output"))
        m.d.comb += [
            total.eq(Mux(now.first, 0, now.before) + (now.spike << now.shift)),
            better.eq(now.opens | (total > most)),
            output.eq(Mux(better, now.spike, passed)),
        ]
        with m.If(now.arrived):
            m.d.sync += passed.eq(output)
            with m.If(better):
                m.d.sync += most.eq(total)
        return total, output

    def _average(self, m: Module, channel: int, now: _Input) -> tuple[Signal, Signal]:
        """AVERAGE: V after the step, and the spike; both are used with the window's last input."""
        before, number = (Signal(range(self.size + 1), name=f"{name}_{channel}") for name in ("before", "number"))
        total = Signal(self.sum_bits + 1, name=f"total_{channel}")
        after = Signal(self.sum_bits, name=f"after_{channel}")
        output = Signal(name=f"output_{channel}")
        threshold = self.size << now.shift
        m.d.comb += [
            number.eq(Mux(now.opens, 0, before) + now.spike),
            total.eq(Mux(now.first, self._stage.start, now.before) + (number << now.shift)),
            output.eq(total >= threshold),
            after.eq(total - Mux(output, threshold, 0)),
        ]
        with m.If(now.arrived):
            m.d.sync += before.eq(number)
        return after, output
