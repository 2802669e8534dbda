"""The neurons of a layer: a row of neuron circuits, and their membranes and biases in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.registers import layer_registers
from spikeloom.hw.interfaces.streams import copy_marks, fired_layout, sums_layout
from spikeloom.hw.params.parameters import LayerParameters, Reset
from spikeloom.hw.primitives.adder_tree import adder_tree
from spikeloom.hw.primitives.constant_division import divided

__all__ = ["BiasWriteSignature", "NeuronArray"]


class BiasWriteSignature(wiring.Signature):
    """Write port of a layer's bias memory, as seen from who writes.

    Members
    -------
    index : Out(bits of outputs - 1), the neuron
    value : Out(signed(bias_bits)), its bias
    enable : Out(1), write in this cycle
    """

    def __init__(self, parameters: LayerParameters) -> None:
        super().__init__(
            {
                "index": Out(range(max(2, parameters.outputs))),
                "value": Out(signed(parameters.bias_bits)),
                "enable": Out(1),
            }
        )


class _Limits(NamedTuple):
    """What a group's membranes are compared with.

    threshold : theta << (K-1-p)
    highest, lowest : a membrane's bounds: clip and -clip, or what its bits hold
    excess : highest - threshold, what a membrane at its upper bound has left after a spike
    """

    threshold: Value
    highest: Value
    lowest: Value
    excess: Value


class NeuronArray(wiring.Component):
    """Integrate and fire, `lanes` neurons at a time; a column has a neuron of its own at every position.

    A neuron's step in phase p of K, all in two's complement integers, membranes in units of the last phase:

        V <- v0 if first, else its membrane                    (no sweep over the memory between images)
        V <- V - (V >> leak)             if leak > 0           (arithmetic shift)
        V <- saturate(V + ((sum + bias) << (K-1-p)))           [WS eq. 8]; `overflow` is set if it saturates
        V <- min(max(V, -clip), clip)    if clip > 0
        spike = V >= theta << (K-1-p)
        V <- V - (theta << (K-1-p)) | 0 | V   if spike         reset SUBTRACT [WS eq. 10] | ZERO [WK eq. 3] | NONE

    What the layer does not have (its parameters leak, clip, resets) is not built: no leak and no clip are as 0; a
    single kind of reset follows every spike.

    The membrane in memory and in `o` is the one after the reset. At most max_steps steps after a `first`,
    membrane_bits are wide enough for V never to saturate.

    Cycles: takes a group per cycle; a group taken in cycle t is valid at `o` in cycle t + NEURON_CYCLES (later only
    under back-pressure): a cycle to read, one to add, one to limit, fire and write. The same group of the same position
    waits until its membranes are written, so it can follow NEURON_CYCLES later; nothing is forwarded.

    Parameters
    ----------
    parameters : the layer's parameters

    Members
    -------
    i : In(stream of sums_layout), groups 0 .. groups - 1 of a position
    o : Out(stream of fired_layout); lanes past the last output: no spike, membrane 0
    theta : In(theta_bits), threshold in the last phase, >= 1; this and the next four are constant during an image
    v0 : In(signed(v0_bits)), membrane at an image's start
    clip : In(membrane_bits - 1), largest magnitude of a membrane, 0 for no limit; with a clip only
    leak : In(4), leak shift 1 .. 15, 0 for no leak; with a leak only
    reset : In(2), a Reset; with several kinds of them only. One that the layer does not have leaves the membrane
    bias_write : In(BiasWriteSignature), never during an image; a bias that was not written since the reset is 0
    clear_flags : In(1), clears `overflow`
    overflow : Out(1), a membrane has saturated since the last `clear_flags`
    spiked : Out(range(lanes + 1)), number of spikes that pass `o` in this cycle (0 without a transfer)
    """

    def __init__(self, *, parameters: LayerParameters) -> None:
        self._parameters = parameters
        lanes, groups = parameters.lanes, parameters.groups
        membranes = unsigned(lanes * parameters.membrane_bits)
        self._membranes = memory.MemoryData(shape=membranes, depth=parameters.positions * groups, init=[])
        self._biases = memory.MemoryData(shape=unsigned(lanes * parameters.bias_bits), depth=groups, init=[])
        names = {register.name for register in layer_registers(parameters)}
        settings = {"clip": In(parameters.membrane_bits - 1), "leak": In(4), "reset": In(2)}
        features = {name: member for name, member in settings.items() if name in names}
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(parameters))),
                "o": Out(stream.Signature(fired_layout(parameters))),
                "theta": In(parameters.theta_bits),
                "v0": In(signed(parameters.v0_bits)),
                **features,
                "bias_write": In(BiasWriteSignature(parameters)),
                "clear_flags": In(1),
                "overflow": Out(1),
                "spiked": Out(range(lanes + 1)),
            }
        )

    @property
    def parameters(self) -> LayerParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        parameters = self._parameters
        lanes, bits = parameters.lanes, parameters.membrane_bits
        m = Module()
        m.submodules.membranes = membranes = memory.Memory(self._membranes)
        m.submodules.biases = biases = memory.Memory(self._biases)
        write = membranes.write_port()
        read = membranes.read_port()
        read_bias = biases.read_port()
        written = self._write_bias(m, biases)

        # A group is held while its membranes and biases come from the memories, and then added.
        held = Signal(sums_layout(parameters))
        added = Signal(self._marks_layout())
        held_valid = Signal()
        added_valid = Signal()
        again = Signal()  # this group's membranes are not written yet
        fire = Signal()
        add = Signal()
        take = Signal()
        came = self.i.payload
        m.d.comb += [
            fire.eq(added_valid & (~self.o.valid | self.o.ready)),
            add.eq(held_valid & (~added_valid | fire)),
            again.eq((held_valid & self._same(came, held)) | (added_valid & self._same(came, added))),
            self.i.ready.eq((~held_valid | add) & ~again),
            take.eq(self.i.valid & self.i.ready),
            read.addr.eq(self._place(came)),
            read.en.eq(take),
            read_bias.addr.eq(came.group),
            read_bias.en.eq(take),
        ]
        held_biased = Signal()  # the group's biases are in the memory
        shift: Value = Signal(parameters.phase_bits, name="shift") if parameters.phases > 1 else Const(0)
        with m.If(take):
            m.d.sync += [
                held_valid.eq(1),
                held.eq(came),
                held_biased.eq((written >> came.group)[0]),
            ]
            if parameters.phases > 1:
                m.d.sync += shift.eq((parameters.phases - 1 - came.phase)[: parameters.phase_bits])
        with m.Elif(add):
            m.d.sync += held_valid.eq(0)

        # Stage 1: start, leak and sums. What all lanes compare with goes along.
        limits = self._limits(m, shift, add)
        place = Signal.like(write.addr)
        padding = self._padding(m, held, add)
        totals = []
        for lane in range(lanes):
            stored = read.data[lane * bits : (lane + 1) * bits].as_signed()
            stored_bias = read_bias.data[lane * parameters.bias_bits : (lane + 1) * parameters.bias_bits].as_signed()
            bias = Mux(held_biased, stored_bias, Const(0, signed(parameters.bias_bits)))
            start = Mux(held.first, self.v0, stored)
            totals.append(self._add(m, lane, start, held.sums[lane] + bias, shift, add))
        with m.If(add):
            m.d.sync += [
                added_valid.eq(1),
                added.group.eq(held.group),
                *copy_marks(added, held),
                place.eq(self._place(held)),
            ]
        with m.Elif(fire):
            m.d.sync += added_valid.eq(0)

        # Stage 2: the new membranes go to the memory and, with the spikes, to the output.
        spikes, results, saturated = [], [], []
        for lane in range(lanes):
            spike, result, over = self._fire(m, lane, totals[lane], limits)
            spikes.append(spike)
            results.append(result)
            saturated.append(over)
        m.d.comb += [write.addr.eq(place), write.data.eq(Cat(results)), write.en.eq(fire)]

        self._output(m, fire, added, padding, spikes, results, (Cat(saturated) & ~padding).any())
        return m

    def _padding(self, m: Module, held: data.View, add: Value) -> Value:
        """Lanes without a neuron of the group that was added, one bit each; the last group may have some."""
        lanes, groups = self._parameters.lanes, self._parameters.groups
        real = self._parameters.outputs - (groups - 1) * lanes
        if real == lanes:
            return Const(0, lanes)
        padding = Signal(lanes)
        ends = Signal()  # this is the last group
        m.d.comb += padding.eq(Mux(ends, ((1 << lanes) - 1) & ~((1 << real) - 1), 0))
        with m.If(add):
            m.d.sync += ends.eq(held.group == groups - 1)
        return padding

    def _output(
        self,
        m: Module,
        fire: Value,
        added: data.View,
        padding: Value,
        spikes: Sequence[Value],
        results: Sequence[Value],
        saturated: Value,
    ) -> None:
        """The registers of `o`, and the flag."""
        real = self._parameters.outputs - (self._parameters.groups - 1) * self._parameters.lanes
        fired = self.o.payload
        with m.If(self.clear_flags):
            m.d.sync += self.overflow.eq(0)
        with m.If(fire):
            m.d.sync += [
                self.o.valid.eq(1),
                fired.group.eq(added.group),
                *copy_marks(fired, added),
                fired.spikes.eq(Cat(spikes) & ~padding),
            ]
            for lane, result in enumerate(results):
                m.d.sync += fired.membranes[lane].eq(result if lane < real else Mux(padding[lane], 0, result))
            with m.If(saturated):
                m.d.sync += self.overflow.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.o.valid & self.o.ready):
            m.d.comb += self.spiked.eq(adder_tree(list(fired.spikes)))

    def _marks_layout(self) -> data.StructLayout:
        """A group without its sums."""
        members = sums_layout(self._parameters).members
        return data.StructLayout({name: shape for name, shape in members.items() if name != "sums"})

    def _same(self, one: data.View, other: data.View) -> Value:
        """Two groups have the same membranes."""
        same = one.group == other.group
        return same & (one.position == other.position) if self._parameters.positions > 1 else same

    def _place(self, sums: data.View) -> Value:
        """Word of the membranes of a group at a position."""
        groups = self._parameters.groups
        if self._parameters.positions == 1:
            return sums.group
        return sums.position * groups + sums.group if groups > 1 else sums.position

    def _add(self, m: Module, lane: int, start: Value, current: Value, shift: Value, add: Value) -> Signal:
        """Stage 1 of a neuron circuit: the register of the membrane after leak and sum, in all its bits."""
        features, bits = self._parameters, self._parameters.membrane_bits
        increment = Signal(signed(len(current) + features.phases - 1), name=f"increment_{lane}")
        before = Signal(signed(bits), name=f"before_{lane}")
        added = Signal(signed(max(bits, len(increment)) + 1), name=f"added_{lane}")
        m.d.comb += [before.eq(start), increment.eq(current << shift if features.phases > 1 else current)]
        kept: Value = before
        if features.leak:
            loss = Signal(signed(bits), name=f"loss_{lane}")
            m.d.comb += loss.eq(Mux(self.leak == 0, 0, before >> self.leak))
            kept = before - loss
        with m.If(add):
            m.d.sync += added.eq(kept + increment)
        return added

    def _limits(self, m: Module, shift: Value, add: Value) -> _Limits:
        """Registers of what a group's membranes are compared with, the same for all lanes."""
        features, bits = self._parameters, self._parameters.membrane_bits
        top = (1 << (bits - 1)) - 1
        threshold = Signal(features.theta_bits + features.phases - 1)
        weighted = Signal.like(threshold)
        m.d.comb += weighted.eq(self.theta << shift if features.phases > 1 else self.theta)
        registers = [threshold.eq(weighted)]
        ceiling: Value = Const(top, signed(bits))
        highest: Value = Const(top, signed(bits))
        lowest: Value = Const(-top - 1, signed(bits))
        excess: Value = Const(0)  # not looked at: a threshold is at most `top`
        if features.clip:
            highest, lowest = Signal(signed(bits), name="highest"), Signal(signed(bits), name="lowest")
            ceiling = Signal.like(highest, name="ceiling")
            m.d.comb += ceiling.eq(Mux(self.clip == 0, top, self.clip))
            registers += [highest.eq(ceiling), lowest.eq(Mux(self.clip == 0, -top - 1, -self.clip))]
        if features.clip or Reset.SUBTRACT in features.resets:
            excess = Signal(signed(max(bits, len(threshold) + 1) + 1), name="excess")
            registers.append(excess.eq(ceiling - weighted))
        with m.If(add):
            m.d.sync += registers
        return _Limits(threshold, highest, lowest, excess)

    def _fire(self, m: Module, lane: int, added: Signal, limits: _Limits) -> tuple[Value, Value, Value]:
        """Stage 2 of a neuron circuit: spike, membrane after the reset, and whether the membrane saturated.

        The membrane is limited, compared and reset side by side, not one after another: it reaches the threshold where
        the sum does and the limit is not below; what is left is that of the sum, or of the limit.
        """
        features, bits = self._parameters, self._parameters.membrane_bits

        def signal(name: str, shape: Shape) -> Signal:
            return Signal(shape, name=f"{name}_{lane}")

        over, above, below, spike = (signal(name, unsigned(1)) for name in ("over", "above", "below", "spike"))
        limited, after = signal("limited", signed(bits)), signal("after", signed(bits))
        left = signal("left", signed(max(len(added), len(limits.threshold) + 1) + 1))
        m.d.comb += [
            over.eq(Mux(added[-1], ~added[bits - 1 :].all(), added[bits - 1 :].any())),
            above.eq(added > limits.highest),
            below.eq(added < limits.lowest),
            left.eq(added - limits.threshold),
            spike.eq((left >= 0) & (limits.excess >= 0)),
            limited.eq(Mux(above, limits.highest, Mux(below, limits.lowest, added))),
            after.eq(limited),
        ]
        results: dict[Reset, Value] = {}
        if Reset.SUBTRACT in features.resets:
            reduced = signal("reduced", signed(bits))
            m.d.comb += reduced.eq(Mux(above, limits.excess, left))
            results[Reset.SUBTRACT] = reduced
        if Reset.ZERO in features.resets:
            results[Reset.ZERO] = Const(0)
        one = len(features.resets) == 1  # then there is nothing to choose
        branch = m.If
        for kind, result in results.items():
            with branch(spike if one else spike & (self.reset == kind)):
                m.d.comb += after.eq(result)
            branch = m.Elif
        return spike, after, over

    def _write_bias(self, m: Module, biases: memory.Memory) -> Value:
        """Split a neuron's index into group and lane.

        Returns the groups that were written since the reset, one bit each. A memory cannot be reset at once, so these
        bits say which words are 0 whatever is in them; the first write to a group fills its word, with 0 but for the
        lane that is meant.
        """
        parameters = self._parameters
        lanes = parameters.lanes
        index = self.bias_write.index
        port = biases.write_port(granularity=parameters.bias_bits)
        group = Signal(parameters.group_bits)
        lane = Signal(range(max(2, lanes)))
        written = Signal(parameters.groups)
        lane_bits = (lanes - 1).bit_length()
        m.d.comb += [
            group.eq(divided(index, lanes, (1 << len(index)) - 1)[0]),
            lane.eq(index[:lane_bits] if lanes == 1 << lane_bits else index - group * lanes),
            port.addr.eq(group),
            port.data.eq(Cat(Mux(lane == number, self.bias_write.value.as_unsigned(), 0) for number in range(lanes))),
        ]
        with m.If(self.bias_write.enable):
            m.d.comb += port.en.eq(Mux((written >> group)[0], Const(1, lanes) << lane, (1 << lanes) - 1))
            m.d.sync += written.eq(written | Const(1, parameters.groups) << group)
        return written
