# amaranth: UnusedElaboratable=no
"""The arithmetic of NeuronArray, proven against its definition in plain integers, with mutants.

Two proofs: one neuron circuit against the definition, and the whole array with a circuit that is easy to solve, as good
as any for what comes to a neuron and where its results go.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from spikeloom.hw.interfaces.registers import layer_registers
from spikeloom.hw.interfaces.streams import sums_layout
from spikeloom.hw.layer.neuron_array import NeuronArray
from spikeloom.hw.params.parameters import LayerParameters, Reset
from tests.benches.proof_bench import inside, mutant, past, with_junk
from tests.formal import Harness, assert_fails, constant, in_turn, prove, reaches, reaches_stalls


def integer(m: Module, value: Any, name: str) -> Signal:
    """`value` with a name. Amaranth's expressions are as wide as their largest and smallest value needs: they are
    integers, and nothing in the definition is cut off.
    """
    result = Signal(Value.cast(value).shape(), name=name)
    m.d.comb += result.eq(value)
    return result


def weighted(m: Module, layer: LayerParameters, value: Value, phase: Value, name: str) -> Signal:
    """A value of a phase in units of the last one. Shifts are by constants, one of which the phase picks: nothing is
    shared with the circuit's barrel shifters.
    """
    return integer(m, Array(value * 2 ** (layer.phases - 1 - p) for p in range(layer.phases))[phase], name)


def integrated(
    m: Module, layer: LayerParameters, registers: Any, start: Value, current: Value, phase: Value, name: str = ""
) -> Signal:
    """First half of a step of one neuron, from the docstring of NeuronArray and the papers' equations alone: V after
    leak and sum.

    Parameters
    ----------
    registers : has theta, and clip, leak, reset where the layer has them
    start : V0 or the membrane; current : sum and bias, unweighted
    """
    v = integer(m, start, f"v{name}")
    leak = registers.leak if layer.leak else Const(0, 4)
    loss = Array([Const(0), *(v >> shift for shift in range(1, 16))])[leak]  # floor(V / 2^leak)
    return integer(m, v - loss + weighted(m, layer, current, phase, f"increment{name}"), f"sum{name}")


def fired(
    m: Module, layer: LayerParameters, registers: Any, total: Value, phase: Value, name: str = ""
) -> SimpleNamespace:
    """Second half, from V after leak and sum.

    Returns
    -------
    membrane, spike, overflow; and total, saturated, before (V that is compared), threshold
    """
    top = 2 ** (layer.membrane_bits - 1) - 1

    def between(value: Value, low: Value | int, high: Value | int) -> Value:
        return Mux(value < low, low, Mux(value > high, high, value))

    saturated = integer(m, between(total, -top - 1, top), f"saturated{name}")
    limit = registers.clip.as_unsigned() if layer.clip else Const(0)
    clipped = integer(m, Mux(limit == 0, saturated, between(saturated, -limit, limit)), f"bounded{name}")
    threshold = weighted(m, layer, registers.theta, phase, f"threshold{name}")
    spike = Signal(name=f"fires{name}")
    m.d.comb += spike.eq(clipped >= threshold)
    leak = registers.leak if layer.leak else Const(0, 4)
    reset = registers.reset if len(layer.resets) > 1 else Const(layer.resets[0], 2)
    there = {kind: (reset == kind) if kind in layer.resets else Const(0) for kind in Reset}  # others leave the membrane
    subtract, zero = there[Reset.SUBTRACT], there[Reset.ZERO]
    after = Mux(~spike, clipped, Mux(subtract, clipped - threshold, Mux(zero, 0, clipped)))
    return SimpleNamespace(
        membrane=integer(m, after, f"result{name}"),
        spike=spike,
        overflow=total != saturated,
        total=total,
        saturated=saturated,
        before=clipped,
        threshold=threshold,
        leak=leak,
        clip=limit,
        there=there,
    )


class Neuron(wiring.Component):
    """The neuron circuit alone, at full widths: every register, every membrane, every current. What is added in the
    first cycle is fired in the second.
    """

    def __init__(self, layer: LayerParameters, array: type[NeuronArray] = NeuronArray) -> None:
        self.array = array(parameters=layer)
        self.names = [register.name for register in layer_registers(layer) if register.name not in ("v0", "gain")]
        members = {name: In(getattr(self.array, name).shape()) for name in self.names}
        super().__init__(
            {
                **members,
                "start": In(signed(layer.membrane_bits)),
                "sum": In(signed(layer.sum_bits)),
                "bias": In(signed(layer.bias_bits)),
                "phase": In(layer.phase_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m, layer = Module(), self.array.parameters
        for name in self.names:
            m.d.comb += getattr(self.array, name).eq(getattr(self, name))
        loaded = Signal()
        m.d.sync += loaded.eq(1)
        constant(m, *(getattr(self, name) for name in self.names), self.start, self.sum, self.bias, self.phase)
        m.d.comb += Assume(self.phase < layer.phases)
        shift = (layer.phases - 1 - self.phase)[: layer.phase_bits]
        current = self.sum + self.bias
        total = self.array._add(m, 0, self.start, current, shift, ~loaded)
        limits = self.array._limits(m, shift, ~loaded)
        spike, after, over = self.array._fire(m, 0, total, limits)
        expected = fired(m, layer, self, integrated(m, layer, self, self.start, current, self.phase), self.phase)
        with m.If(loaded):
            m.d.comb += [
                Assert(spike == expected.spike),
                Assert(after == expected.membrane),
                Assert(over == expected.overflow),
            ]
            arithmetic(m, expected, self.start, self.phase, layer)
        return m


def arithmetic(m: Module, step: Any, start: Value, phase: Value, layer: LayerParameters) -> None:
    """Covers: every branch of the definition that the layer has."""
    there, clip, leak = step.there, step.clip, step.leak
    kinds = {
        Reset.SUBTRACT: {"subtracts": step.spike & there[Reset.SUBTRACT] & (step.membrane > 0)},
        Reset.ZERO: {
            "resets_to_zero": step.spike & there[Reset.ZERO] & (step.before > step.threshold) & (step.threshold != 0)
        },
        Reset.NONE: {"does_not_reset": step.spike & there[Reset.NONE] & (step.threshold != 0)},
    }
    clips = {
        "saturates_and_clips": (step.total != step.saturated) & (step.before != step.saturated),
        "clips_above": (step.saturated > step.before) & step.spike & (step.total == step.saturated),
        "clips_below": (step.saturated < step.before) & (step.total == step.saturated),
    }
    leaks = {"leaks": (leak == 1) & (start > 1), "leaks_to_below": (leak == 15) & (start < -1)}
    reaches(
        m,
        **{name: cover for kind in layer.resets for name, cover in kinds[kind].items()},
        **(clips if layer.clip else {}),
        **(leaks if layer.leak else {}),
        fires_at_the_threshold=step.spike & (step.before == step.threshold) & (step.threshold != 0),
        misses_by_one=~step.spike & (step.before == step.threshold - 1),
        saturates_above=(step.total > step.saturated) & (clip == 0),
        saturates_below=(step.total < step.saturated) & (clip == 0),
        first_phase_fires=step.spike & (phase == 0) & (step.threshold != 0),
        last_phase_fires=step.spike & (phase == layer.phases - 1) & (step.threshold != 0),
    )


def easy_sum(start: Value, current: Value, shift: Value) -> Value:
    """First half of a neuron without arithmetic, in which every bit of every operand counts."""
    return start ^ (current << 1) ^ shift


def easy_step(total: Value, threshold: Value, bits: int) -> SimpleNamespace:
    """Second half."""
    mixed = total ^ threshold
    return SimpleNamespace(spike=mixed.xor(), membrane=mixed[:bits].as_signed(), overflow=mixed[:2].all() & (total < 0))


class Easy(NeuronArray):
    """The array with the neurons above."""

    def _add(self, m, lane, start, current, shift, add):
        total = Signal.like(easy_sum(start, current, shift), name=f"added_{lane}")
        with m.If(add):
            m.d.sync += total.eq(easy_sum(start, current, shift))
        return total

    def _fire(self, m, lane, added, limits):
        step = easy_step(added, limits.threshold, self.parameters.membrane_bits)
        return step.spike, step.membrane, step.overflow


class Steps(Harness):
    """The whole array: any groups in any order, of any position, any first steps, stalls, bias writes and registers.

    A model holds a membrane for every neuron and position and a bias for every neuron. Every group that comes out has
    spikes and membranes of the neuron's circuit (`easy`: of a stand-in), from V0 or the membrane that the neuron's step
    before has left, the sum and the neuron's bias, with the shift and the threshold of the phase, in the documented
    cycle; none of them depends on another neuron. A group is taken in every cycle in which there is room for it and its
    membranes are not on their way. `overflow` and `spiked` are exact.

    The environment: registers do not change while a group is in one of the two stages; groups, positions, phases and
    neurons that there are; a group's first step at a position since the reset is an image's first.
    """

    REGISTERS = ("theta", "v0", "clip", "leak", "reset")

    def __init__(self, dut: NeuronArray, *, invariants: bool = False, easy: bool = True) -> None:
        super().__init__(dut)
        self.invariants, self.easy = invariants, easy

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        dut, p = self.dut, self.dut.parameters
        came, out = dut.i.payload, dut.o.payload
        bits = signed(p.membrane_bits)
        places = [(position, group) for position in range(p.positions) for group in range(p.groups)]
        self.model = [[Signal(bits, name=f"membrane_{a}_{b}_{n}") for n in range(p.lanes)] for a, b in places]
        self.biases = [Signal(signed(p.bias_bits), name=f"bias_{n}") for n in range(p.groups * p.lanes)]
        self.stepped = Signal(len(places))  # there has been a step

        # A group that is held, with its biases; one that is added; and one on offer.
        held, self.held_group = Signal(), Signal(sums_layout(p))
        self.held_biases = [Signal(signed(p.bias_bits), name=f"held_bias_{n}") for n in range(p.lanes)]
        added, self.added_group = Signal(), Signal(sums_layout(p))
        offered, expected = Signal(), Signal(out.shape())
        flag = Signal()
        self.held, self.added = held, added
        fires = added & (~offered | dut.o.ready)
        adds = held & (~added | fires)
        place, added_place, came_place = (self._place(m, group) for group in (self.held_group, self.added_group, came))
        again = (held & (place == came_place)) | (added & (added_place == came_place))
        takes, taken = dut.i.valid & dut.i.ready, offered & dut.o.ready
        self.place, self.added_place = place, added_place
        self._environment(m, takes, came, came_place)

        with m.If(takes):
            m.d.sync += [held.eq(1), self.held_group.eq(came)]
            m.d.sync += [
                kept.eq(Array(self.biases)[came.group * p.lanes + lane]) for lane, kept in enumerate(self.held_biases)
            ]
        with m.Elif(adds):
            m.d.sync += held.eq(0)

        self.totals = []
        for lane in range(p.lanes):
            total = self._total(m, lane)
            self.totals.append(Signal.like(total, name=f"total_{lane}"))
            with m.If(adds):
                m.d.sync += self.totals[-1].eq(total)
        with m.If(adds):
            m.d.sync += [added.eq(1), self.added_group.eq(self.held_group)]
        with m.Elif(fires):
            m.d.sync += added.eq(0)

        steps = [self._step(m, lane) for lane in range(p.lanes)]
        with m.If(fires):
            m.d.sync += [offered.eq(1), expected.spikes.eq(Cat(step.real & step.spike for step in steps))]
            m.d.sync += [getattr(expected, name).eq(getattr(self.added_group, name)) for name in self.marks(p)]
            m.d.sync += self.stepped.eq(self.stepped | (1 << added_place))
            for lane, step in enumerate(steps):
                m.d.sync += expected.membranes[lane].eq(Mux(step.real, step.membrane, 0))
                for index, words in enumerate(self.model):
                    with m.If(added_place == index):
                        m.d.sync += words[lane].eq(step.membrane)
        with m.Elif(taken):
            m.d.sync += offered.eq(0)
        with m.If(fires & Cat(step.real & step.overflow for step in steps).any()):
            m.d.sync += flag.eq(1)
        with m.Elif(dut.clear_flags):
            m.d.sync += flag.eq(0)
        write = dut.bias_write
        for index, bias in enumerate(self.biases[: p.outputs]):
            with m.If(write.enable & (write.index == index)):
                m.d.sync += bias.eq(write.value)

        m.d.comb += [
            Assert(dut.i.ready == ((~held | adds) & ~again)),
            Assert(dut.o.valid == offered),
            Assert(dut.overflow == flag),
            Assert(dut.spiked == Mux(taken, sum(expected.spikes), 0)),
        ]
        with m.If(offered):
            m.d.comb += [Assert(getattr(out, name) == getattr(expected, name)) for name in self.marks(p)]
            m.d.comb += Assert(out.spikes == expected.spikes)
            m.d.comb += [Assert(out.membranes[lane] == expected.membranes[lane]) for lane in range(p.lanes)]

        if not self.easy:
            start = past(m, Array(words[0] for words in self.model)[place])
            with m.If(fires & past(m, adds) & ~self.added_group.first):
                arithmetic(m, steps[0], start, self.added_group.phase, p)
        self._covers(m, again, adds, fires, takes, taken, expected, flag)
        if self.invariants:
            self._invariants(m)
        return m

    @staticmethod
    def marks(p: LayerParameters) -> tuple[str, ...]:
        return ("group", "first", "phase", "position") if p.positions > 1 else ("group", "first", "phase")

    def _place(self, m: Module, group: Any) -> Signal:
        """Number of a group's membranes."""
        p = self.dut.parameters
        place = Signal(range(p.positions * p.groups), name="place")
        m.d.comb += place.eq((group.position if p.positions > 1 else 0) * p.groups + group.group)
        return place

    def _environment(self, m: Module, takes: Value, came: Any, came_place: Value) -> None:
        dut, p = self.dut, self.dut.parameters
        m.d.comb += [Assume(came.group < p.groups), Assume(came.phase < p.phases)]
        m.d.comb += Assume(dut.bias_write.index < p.outputs)
        if p.positions > 1:
            m.d.comb += Assume(came.position < p.positions)
        before = [past(m, getattr(dut, name)) for name in self.REGISTERS]
        with m.If(self.held | self.added):
            same = [Value.cast(getattr(dut, n)) == value for n, value in zip(self.REGISTERS, before, strict=True)]
            m.d.comb += Assume(Cat(same).all())
        m.d.comb += Assume(~takes | came.first | self.stepped.bit_select(came_place, 1))

    def _total(self, m: Module, lane: int) -> Value:
        """First half of the step of the group that is held."""
        dut, p, group = self.dut, self.dut.parameters, self.held_group
        membrane = Array(words[lane] for words in self.model)[self.place]
        start = integer(m, Mux(group.first, dut.v0, membrane), f"start_{lane}")
        current = group.sums[lane] + self.held_biases[lane]
        if not self.easy:
            return integrated(m, p, dut, start, current, group.phase, f"_{lane}")
        shift = Signal(p.phase_bits)
        m.d.comb += shift.eq(Array(range(p.phases - 1, -1, -1))[group.phase])
        return easy_sum(start, current, shift)

    def _step(self, m: Module, lane: int) -> SimpleNamespace:
        """Second half of the step of the group that is added; real : there is such a neuron."""
        dut, p, group, total = self.dut, self.dut.parameters, self.added_group, self.totals[lane]
        if self.easy:
            threshold = Signal(p.theta_bits + p.phases - 1)
            m.d.comb += threshold.eq(weighted(m, p, dut.theta, group.phase, f"theta_{lane}"))
            step = easy_step(total, threshold, p.membrane_bits)
        else:
            step = fired(m, p, dut, total, group.phase, f"_{lane}")
        step.real = group.group * p.lanes + lane < p.outputs
        return step

    def _covers(self, m, again, adds, fires, takes, taken, expected, flag) -> None:
        dut, p = self.dut, self.dut.parameters
        last = dut.o.payload.group == p.groups - 1
        waits = dut.i.valid & again & ~dut.i.payload.first
        reaches(
            m,
            same_neurons_wait_for_both_stages=in_turn(m, waits & self.held, waits & self.added, takes),
            first_after_another=in_turn(m, taken & ~expected.first, taken & expected.first),
            last_group_fires=taken & last & expected.spikes.any(),
            flag_comes_up_again=in_turn(m, flag, dut.clear_flags, ~flag, flag),
            bias_before_its_step=adds & (self.held_biases[0] < 0),
            bias_with_the_group=takes & dut.bias_write.enable & (dut.bias_write.index == dut.i.payload.group * p.lanes),
        )
        if p.positions * p.groups > 1:
            reaches(m, one_after_another=adds & fires & taken)
        if p.positions > 1:
            reaches(m, last_position=taken & (dut.o.payload.position == p.positions - 1) & expected.spikes.any())
        reaches_stalls(m, "group", dut.o)

    def _invariants(self, m) -> None:
        """The memories hold the model's membranes and biases; the stages, what has been read of them and added."""
        array, p = inside(self.dut), self.dut.parameters
        bits, bias_bits = p.membrane_bits, p.bias_bits
        held_group, added_group = self.held_group, self.added_group
        m.d.comb += [Assert(array.held_valid == self.held), Assert(array.added_valid == self.added)]
        m.d.comb += Assert(~self.held | ~self.added | (self.place != self.added_place))
        for index, words in enumerate(self.model):
            port = array.membranes.read_port(domain="comb")
            m.d.comb += port.addr.eq(index)
            with m.If(self.stepped[index]):
                m.d.comb += [Assert(port.data.word_select(n, bits).as_signed() == word) for n, word in enumerate(words)]
        for group in range(p.groups):
            port = array.biases.read_port(domain="comb")
            m.d.comb += port.addr.eq(group)
            for lane in range(p.lanes):
                stored = port.data.word_select(lane, bias_bits).as_signed()
                m.d.comb += Assert(Mux(array.written[group], stored, 0) == self.biases[group * p.lanes + lane])
        for valid, group in ((self.held, held_group), (self.added, added_group)):
            with m.If(valid):
                m.d.comb += Assert((group.group < p.groups) & (group.phase < p.phases))
                if p.positions > 1:
                    m.d.comb += Assert(group.position < p.positions)
        with m.If(self.held):
            known = self.stepped.bit_select(self.place, 1)
            m.d.comb += [
                Assert(held_group.first | known),
                Assert(Value.cast(array.held) == Value.cast(held_group)),
                Assert(array.shift == p.phases - 1 - held_group.phase),
            ]
            for lane in range(p.lanes):
                word = Array(words[lane] for words in self.model)[self.place]
                stored = array.read_bias.data.word_select(lane, bias_bits).as_signed()
                m.d.comb += [
                    Assert(~known | (array.read.data.word_select(lane, bits).as_signed() == word)),
                    Assert(Mux(array.held_biased, stored, 0) == self.held_biases[lane]),
                ]
        with m.If(self.added):
            shift = (p.phases - 1 - added_group.phase)[: p.phase_bits]
            threshold, top = self.dut.theta << shift, 2 ** (bits - 1) - 1
            highest = Mux(self.dut.clip == 0, top, self.dut.clip)
            m.d.comb += [Assert(getattr(array.added, n) == getattr(added_group, n)) for n in self.marks(p)]
            m.d.comb += [
                Assert(array.place == self.added_place),
                Assert(array.limits.threshold == threshold),
                Assert(array.limits.highest == highest),
                Assert(array.limits.lowest == Mux(self.dut.clip == 0, -top - 1, -self.dut.clip)),
                Assert(array.limits.excess == highest - threshold),
            ]
            for lane in range(p.lanes):
                real = added_group.group * p.lanes + lane < p.outputs
                m.d.comb += [Assert(array.padding[lane] == ~real), Assert(array.totals[lane] == self.totals[lane])]


def layer(outputs: int = 3, lanes: int = 2, **overrides: Any) -> LayerParameters:
    """Small widths, at which membranes saturate soon."""
    small = {
        "inputs": 1,
        "adc_bits": 2,
        "max_gain_shift": 0,
        "max_theta": 3,
        "max_bias": 1,
        "phases": 3,
        "max_steps": 1,
    }
    return LayerParameters(outputs=outputs, lanes=lanes, **{**small, **overrides})


@pytest.mark.parametrize(
    "parameters",
    [layer(), layer(1, 1, phases=1), layer(1, 1, phases=2, positions=2), layer(5, 3, positions=2), layer(2, 2)],
    ids=["two groups", "one neuron", "one neuron at two positions", "two groups at two positions", "one group"],
)
def test_steps(parameters: LayerParameters) -> None:
    prove(Steps(with_junk(Easy(parameters=parameters)), invariants=True), "neuron_steps", depth=1, mode="prove")


def test_steps_with_the_circuit() -> None:
    """Both proofs in one, of one neuron."""
    parameters = layer(1, 1, phases=2, max_theta=1, adc_bits=1)
    prove(
        Steps(with_junk(NeuronArray(parameters=parameters)), invariants=True, easy=False),
        "neuron",
        depth=1,
        mode="prove",
    )


@pytest.mark.parametrize("parameters", [layer(1, 1, phases=1), layer(1, 1)], ids=["K = 1", "K = 3"])
def test_circuit(parameters: LayerParameters) -> None:
    prove(Neuron(parameters), "neuron", depth=2, reach=2, skip=1)


LEAN: dict[str, dict[str, Any]] = {
    "subtracts only": {"leak": False, "clip": False, "resets": (Reset.SUBTRACT,)},
    "zero only, leaks": {"clip": False, "resets": (Reset.ZERO,)},
    "never resets, clips": {"leak": False, "resets": (Reset.NONE,)},
    "zero or none": {"leak": False, "clip": False, "resets": (Reset.ZERO, Reset.NONE)},
    "subtract or zero, leaks, clips": {"resets": (Reset.SUBTRACT, Reset.ZERO)},
}
"""Circuits without some of the features."""


@pytest.mark.parametrize("name", LEAN)
def test_circuit_without_some_features(name: str) -> None:
    prove(Neuron(layer(1, 1, phases=2, **LEAN[name])), "neuron", depth=2, reach=2, skip=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [layer(1, 1, phases=1, adc_bits=8, max_theta=1023, max_bias=1023), LayerParameters(inputs=256, outputs=1, lanes=1)],
    ids=["one step", "32 steps"],
)
def test_circuit_at_full_width(parameters: LayerParameters) -> None:
    """Registers, codes and membranes as wide as in a chip: K = 1, membranes of 13 bits, and of 21 with gain shift."""
    prove(Neuron(parameters), "neuron", depth=2, reach=2, skip=1, timeout=1200)


LOSS = "loss.eq(Mux(self.leak == 0, 0, before >> self.leak))"
TOTAL = "added.eq(kept + increment)"
LIMITED = "limited.eq(Mux(above, limits.highest, Mux(below, limits.lowest, added)))"
OVER = "over.eq(Mux(added[-1], ~added[bits - 1 :].all(), added[bits - 1 :].any()))"
CEILING = "ceiling.eq(Mux(self.clip == 0, top, self.clip))"
LOWEST = "lowest.eq(Mux(self.clip == 0, -top - 1, -self.clip))"
SPIKE = "spike.eq((left >= 0) & (limits.excess >= 0))"
REDUCED = "reduced.eq(Mux(above, limits.excess, left))"
CHOSEN = "spike & (self.reset == kind)"
BROKEN_CIRCUIT = {
    "leaks_after_the_integration": (TOTAL, "added.eq(before + increment - ((before + increment) >> self.leak))"),
    "leak_0_loses_all": (LOSS, "loss.eq(before >> self.leak)"),
    "leaks_nothing": (LOSS, "loss.eq(0)"),
    "leaks_one_shift_more": (LOSS, LOSS.replace(">> self.leak", ">> (self.leak + 1)")),
    "leaks_without_the_sign": (LOSS, LOSS.replace("before >>", "before.as_unsigned() >>")),
    "leaks_towards_zero": (LOSS, LOSS.replace("before >> self.leak", "(before + before[-1]) >> self.leak")),
    "does_not_integrate": (TOTAL, "added.eq(before - loss)"),
    "integrates_downwards": (TOTAL, "added.eq(before - loss - increment)"),
    "does_not_weigh": ("increment.eq(current << shift if", "increment.eq(current if"),
    "weighs_twice": ("increment.eq(current << shift if", "increment.eq(current << (shift << 1) if"),
    "wraps_above": (CEILING, "ceiling.eq(Mux(self.clip == 0, top + 1, self.clip))"),
    "wraps_below": (LIMITED, "limited.eq(Mux(above, limits.highest, added))"),
    "saturates_to_the_wrong_end": (LIMITED, "limited.eq(Mux(above, limits.lowest, Mux(below, limits.highest, added)))"),
    "saturates_one_early_above": (CEILING, CEILING.replace("top", "top - 1")),
    "saturates_one_early_below": (LOWEST, LOWEST.replace("-top - 1", "-top")),
    "no_flag_below": (OVER, OVER.replace("~added[bits - 1 :].all()", "0")),
    "no_flag_above": (OVER, OVER.replace("added[bits - 1 :].any()", "0")),
    "clip_0_is_a_limit": (CEILING, "ceiling.eq(self.clip)"),
    "clip_0_is_a_limit_below": (LOWEST, "lowest.eq(-self.clip)"),
    "no_clip": (CEILING, "ceiling.eq(top)"),
    "no_clip_above": ("above.eq(added > limits.highest)", "above.eq(added > (1 << (bits - 1)) - 1)"),
    "no_clip_below": (LOWEST, "lowest.eq(-top - 1)"),
    "compares_before_the_clip": (SPIKE, "spike.eq(left >= 0)"),
    "compares_the_limit_alone": (SPIKE, "spike.eq(limits.excess >= 0)"),
    "fires_above_only": (SPIKE, SPIKE.replace("left >= 0", "left > 0")),
    "fires_above_only_at_the_limit": (SPIKE, SPIKE.replace("excess >= 0", "excess > 0")),
    "compares_without_the_weight": (
        "weighted.eq(self.theta << shift if features.phases > 1 else self.theta)",
        "weighted.eq(self.theta)",
    ),
    "zero_for_subtract": ("results[Reset.SUBTRACT] = reduced", "results[Reset.SUBTRACT] = Const(0)"),
    "subtracts_before_the_clip": (REDUCED, "reduced.eq(left)"),
    "subtracts_from_the_limit": (REDUCED, "reduced.eq(limits.excess)"),
    "subtracts_without_the_weight": (REDUCED, "reduced.eq(limited - self.theta)"),
    "subtract_for_zero": ("results[Reset.ZERO] = Const(0)", "results[Reset.ZERO] = left"),
    "subtracts_for_none": (CHOSEN, "spike & (~self.reset[0] if kind == Reset.SUBTRACT else self.reset == kind)"),
    "zero_for_none": (CHOSEN, "spike & (self.reset == kind if kind == Reset.SUBTRACT else 1)"),
    "resets_without_a_spike": (CHOSEN, "(self.reset == kind) & (spike if kind == Reset.SUBTRACT else 1)"),
}


@pytest.mark.halved
@pytest.mark.parametrize("name", BROKEN_CIRCUIT)
def test_mutants_fail_the_proof_of_the_circuit(name: str) -> None:
    assert_fails(Neuron(layer(1, 1), mutant(NeuronArray, *BROKEN_CIRCUIT[name])), name, depth=2)


ONE = "spike if one else"
CLIP = "if features.clip:"
NO_EXCESS = "if features.clip or Reset.SUBTRACT in features.resets:"
BROKEN_LEAN = {
    "leaks_without_a_leak": ("subtracts only", "kept: Value = before", "kept: Value = before - (before >> 1)"),
    "the_only_reset_never_comes": ("subtracts only", ONE, "Const(0) if one else"),
    "wraps_above_without_a_clip": ("zero or none", "highest: Value = Const(top,", "highest: Value = Const(top - 1,"),
    "wraps_below_without_a_clip": ("subtracts only", "lowest: Value = Const(-top - 1,", "lowest: Value = Const(-top,"),
    "leaves_the_limit_without_a_clip": ("subtracts only", NO_EXCESS, CLIP),
    "no_excess_without_a_subtraction": ("never resets, clips", NO_EXCESS, "if Reset.SUBTRACT in features.resets:"),
    "the_only_reset_always_comes": ("zero only, leaks", ONE, "Const(1) if one else"),
    "subtracts_for_the_only_zero": ("zero only, leaks", "results[Reset.ZERO] = Const(0)", "results[Reset.ZERO] = left"),
    "resets_without_a_reset": ("never resets, clips", "if Reset.ZERO in features.resets:", "if True:"),
    "no_clip_without_a_leak": ("never resets, clips", CLIP, "if features.clip and features.leak:"),
    "zero_whatever_is_chosen": ("zero or none", CHOSEN, "spike"),
    "zero_for_the_first_of_two": ("zero or none", CHOSEN, "spike & ~self.reset.any()"),
    "one_of_two_is_not_built": (
        "subtract or zero, leaks, clips",
        "if Reset.ZERO in features.resets:",
        "if features.resets[0] == Reset.ZERO:",
    ),
    "two_are_one": ("subtract or zero, leaks, clips", "len(features.resets) == 1", "len(features.resets) <= 2"),
}


@pytest.mark.parametrize("name", BROKEN_LEAN)
def test_mutants_fail_the_proof_without_some_features(name: str) -> None:
    features, old, new = BROKEN_LEAN[name]
    broken = mutant(NeuronArray, old, new)
    assert_fails(Neuron(layer(1, 1, phases=2, **LEAN[features]), broken), name, depth=2)


SHIFT = "shift.eq((parameters.phases - 1 - came.phase)[: parameters.phase_bits])"
BROKEN_STEPS = {
    "starts_from_zero": ("Mux(held.first, self.v0, stored)", "Mux(held.first, 0, stored)"),
    "goes_on_from_the_image_before": ("Mux(held.first, self.v0, stored)", "stored"),
    "always_starts": ("Mux(held.first, self.v0, stored)", "self.v0"),
    "overtakes_what_is_held": ("(held_valid & self._same(came, held)) | ", ""),
    "overtakes_what_is_added": (" | (added_valid & self._same(came, added))", ""),
    "waits_for_nothing": ("again.eq((held_valid & self._same(came, held)) |", "again.eq(self._same(came, held) |"),
    "waits_for_any_position": ("return same & (one.position == other.position) if", "return same if"),
    "writes_where_it_reads": ("write.addr.eq(place)", "write.addr.eq(self._place(held))"),
    "one_membrane_for_all_positions": (
        "return sums.position * groups + sums.group if groups > 1 else sums.position",
        "return sums.group",
    ),
    "positions_overlap": ("sums.position * groups + sums.group if", "sums.position + sums.group if"),
    "bias_of_the_first_group": ("read_bias.addr.eq(came.group)", "read_bias.addr.eq(0)"),
    "bias_in_the_last_phase_only": ("held.sums[lane] + bias,", "held.sums[lane] + Mux(shift == 0, bias, 0),"),
    "bias_without_the_weight": ("held.sums[lane] + bias,", "held.sums[lane] + (bias >> shift),"),
    "no_bias": ("held.sums[lane] + bias,", "held.sums[lane],"),
    "bias_of_the_lane_beside": ("self.bias_write.value.as_unsigned(), 0)", "self.bias_write.value.as_unsigned(), 1)"),
    "bias_before_it_is_written": ("held_biased.eq((written >> came.group)[0])", "held_biased.eq(1)"),
    "sums_of_the_first_lane": ("held.sums[lane] + bias,", "held.sums[0] + bias,"),
    "shift_of_the_phase_before": (SHIFT, SHIFT.replace("- 1 - came", "- came")),
    "weights_rise": (SHIFT, "shift.eq(came.phase)"),
    "shift_of_the_next_group": ("limits = self._limits(m, shift, add)", "limits = self._limits(m, shift, 1)"),
    "lanes_without_a_neuron_spike": ("fired.spikes.eq(Cat(spikes) & ~padding)", "fired.spikes.eq(Cat(spikes))"),
    "lanes_without_a_neuron_show_a_membrane": ("Mux(padding[lane], 0, result)", "result"),
    "lanes_without_a_neuron_overflow": ("(Cat(saturated) & ~padding).any()", "Cat(saturated).any()"),
    "overflow_of_the_last_lane_only": ("(Cat(saturated) & ~padding).any()", "saturated[-1]"),
    "overflow_is_forgotten": ("with m.If(self.clear_flags):", "with m.If(self.clear_flags | self.o.ready):"),
    "overflow_stays": ("with m.If(self.clear_flags):", "with m.If(0):"),
    "counts_spikes_that_wait": (
        "with m.If(self.o.valid & self.o.ready):\n            m.d.comb += self.spiked",
        "with m.If(self.o.valid):\n            m.d.comb += self.spiked",
    ),
    "takes_a_group_over_another": ("self.i.ready.eq((~held_valid | add) & ~again)", "self.i.ready.eq(~again)"),
    "waits_a_cycle": ("self.i.ready.eq((~held_valid | add) & ~again)", "self.i.ready.eq(~held_valid & ~again)"),
    "adds_over_another": ("add.eq(held_valid & (~added_valid | fire))", "add.eq(held_valid)"),
    "adds_a_cycle_later": ("add.eq(held_valid & (~added_valid | fire))", "add.eq(held_valid & ~added_valid)"),
    "fires_over_another": ("fire.eq(added_valid & (~self.o.valid | self.o.ready))", "fire.eq(added_valid)"),
    "fires_a_cycle_later": ("(~self.o.valid | self.o.ready)),", "~self.o.valid),"),
}


LONG_STEPS = ("one_membrane_for_all_positions",)


@pytest.mark.halved
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG_STEPS else name for name in BROKEN_STEPS]
)
def test_mutants_fail_the_proof_of_the_steps(name: str) -> None:
    broken = mutant(NeuronArray, *BROKEN_STEPS[name])
    easy = type("Easy", (broken,), {"_add": Easy._add, "_fire": Easy._fire})
    assert_fails(Steps(with_junk(easy(parameters=layer(3, 2, positions=2)))), name, depth=9)
