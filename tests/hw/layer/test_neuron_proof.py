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
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls


def integer(m: Module, value: Any, name: str) -> Signal:
    """`value` with a name. Amaranth's expressions are as wide as their largest and smallest value needs: they are
    integers, and nothing in the definition is cut off.
    """
    result = Signal(Value.cast(value).shape(), name=name)
    m.d.comb += result.eq(value)
    return result


def definition(
    m: Module, layer: LayerParameters, registers: Any, start: Value, current: Value, phase: Value, name: str = ""
) -> SimpleNamespace:
    """One step of one neuron, from the docstring of NeuronArray and the papers' equations alone.

    Shifts are by constants, one of which the register picks: nothing is shared with the circuit's barrel shifters.

    Parameters
    ----------
    registers : has theta, and clip, leak, reset where the layer has them
    start : V0 or the membrane; current : sum and bias, unweighted

    Returns
    -------
    membrane, spike, overflow; and before (V that is compared), threshold
    """
    top, weights = 2 ** (layer.membrane_bits - 1) - 1, [2 ** (layer.phases - 1 - p) for p in range(layer.phases)]

    def weighted(value: Value, what: str) -> Signal:
        return integer(m, Array(value * weight for weight in weights)[phase], f"{what}{name}")

    def between(value: Value, low: Value | int, high: Value | int) -> Value:
        return Mux(value < low, low, Mux(value > high, high, value))

    v = integer(m, start, f"v{name}")
    leak = registers.leak if layer.leak else Const(0, 4)
    loss = Array([Const(0), *(v >> shift for shift in range(1, 16))])[leak]  # floor(V / 2^leak)
    total = integer(m, v - loss + weighted(current, "increment"), f"sum{name}")
    saturated = integer(m, between(total, -top - 1, top), f"saturated{name}")
    limit = registers.clip.as_unsigned() if layer.clip else Const(0)
    clipped = integer(m, Mux(limit == 0, saturated, between(saturated, -limit, limit)), f"bounded{name}")
    threshold = weighted(registers.theta, "threshold")
    spike = Signal(name=f"fires{name}")
    m.d.comb += spike.eq(clipped >= threshold)
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
    """The neuron circuit alone, at full widths: every register, every membrane, every current."""

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
        m.d.comb += Assume(self.phase < layer.phases)
        shift = (layer.phases - 1 - self.phase)[: layer.phase_bits]
        threshold = Signal(layer.theta_bits + layer.phases - 1)
        m.d.comb += threshold.eq(self.theta << shift)
        current = self.sum + self.bias
        spike, after, over = self.array._neuron(m, 0, self.start, current, shift, threshold)
        expected = definition(m, layer, self, self.start, current, self.phase)
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


def easy_neuron(
    m: Module, start: Value, current: Value, shift: Value, threshold: Value, bits: int
) -> tuple[Value, Value, Value]:
    """Spike, membrane and overflow of a neuron without arithmetic, in which every bit of every operand counts."""
    mixed = Signal(signed(bits), name="mixed")
    m.d.comb += mixed.eq(start ^ (current << 1) ^ Cat(threshold, shift))
    return mixed.xor(), mixed, mixed[:2].all() & (current < 0)


class Easy(NeuronArray):
    """The array with the neurons above."""

    def _neuron(self, m, lane, start, current, shift, threshold):
        return easy_neuron(m, start, current, shift, threshold, self.parameters.membrane_bits)


class Steps(Harness):
    """The whole array: any groups in any order, of any position, any first steps, stalls, bias writes and registers.

    A model holds a membrane for every neuron and position and a bias for every neuron. Every group that comes out has
    spikes and membranes of the neuron's circuit (`easy`: of a stand-in), from V0 or the membrane that the neuron's step
    before has left, the sum and the neuron's bias, with the shift and the threshold of the phase, in the documented
    cycle; none of them depends on another neuron. `overflow` and `spiked` are exact.

    The environment: registers do not change while a group is in the first stage; groups, positions, phases and neurons
    that there are; a group's first step at a position since the reset is an image's first.
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
        model = [[Signal(bits, name=f"membrane_{a}_{b}_{n}") for n in range(p.lanes)] for a, b in places]
        biases = [Signal(signed(p.bias_bits), name=f"bias_{n}") for n in range(p.groups * p.lanes)]

        # The two stages: a group that waits, with its biases, and one on offer.
        held, held_group = Signal(), Signal(sums_layout(p))
        held_biases = [Signal(signed(p.bias_bits), name=f"held_bias_{n}") for n in range(p.lanes)]
        offered, expected = Signal(), Signal(out.shape())
        flag = Signal()
        takes, advances, taken = dut.i.valid & dut.i.ready, held & (~offered | dut.o.ready), offered & dut.o.ready

        # The environment.
        write = dut.bias_write
        m.d.comb += [Assume(came.group < p.groups), Assume(came.phase < p.phases), Assume(write.index < p.outputs)]
        if p.positions > 1:
            m.d.comb += Assume(came.position < p.positions)
        before = [past(m, getattr(dut, name)) for name in self.REGISTERS]
        with m.If(held):
            same = [Value.cast(getattr(dut, n)) == value for n, value in zip(self.REGISTERS, before, strict=True)]
            m.d.comb += Assume(Cat(same).all())

        # The step of the group in the first stage.
        position = held_group.position if p.positions > 1 else 0
        place = Signal(range(len(places)))
        m.d.comb += place.eq(position * p.groups + held_group.group)
        steps, fired = [], []
        for lane in range(p.lanes):
            membrane = Array(words[lane] for words in model)[place]
            start = integer(m, Mux(held_group.first, dut.v0, membrane), f"start_{lane}")
            current, phase = held_group.sums[lane] + held_biases[lane], held_group.phase
            if self.easy:
                shift, threshold = Signal(p.phase_bits), Signal(p.theta_bits + p.phases - 1)
                weights = range(p.phases - 1, -1, -1)
                m.d.comb += shift.eq(Array(weights)[phase])
                m.d.comb += threshold.eq(Array(dut.theta * 2**weight for weight in weights)[phase])
                spike, after, overflow = easy_neuron(m, start, current, shift, threshold, p.membrane_bits)
                step = SimpleNamespace(spike=spike, membrane=after, overflow=overflow)
            else:
                step = definition(m, p, dut, start, current, phase, f"_{lane}")
            step.start, step.real = start, held_group.group * p.lanes + lane < p.outputs
            steps.append(step)
            fired.append(step.real & step.spike)
        stepped = Signal(len(places))  # there has been a step
        came_place = (came.position if p.positions > 1 else 0) * p.groups + came.group
        m.d.comb += Assume(~takes | came.first | stepped.bit_select(came_place, 1) | (held & (place == came_place)))
        with m.If(takes):
            m.d.sync += [held.eq(1), held_group.eq(came)]
            m.d.sync += [kept.eq(Array(biases)[came.group * p.lanes + lane]) for lane, kept in enumerate(held_biases)]
        with m.Elif(advances):
            m.d.sync += held.eq(0)
        with m.If(advances):
            m.d.sync += [offered.eq(1), expected.spikes.eq(Cat(fired))]
            m.d.sync += [getattr(expected, name).eq(getattr(held_group, name)) for name in self.marks(p)]
            m.d.sync += stepped.eq(stepped | (1 << place))
            for lane, step in enumerate(steps):
                m.d.sync += expected.membranes[lane].eq(Mux(step.real, step.membrane, 0))
                for index, words in enumerate(model):
                    with m.If(place == index):
                        m.d.sync += words[lane].eq(step.membrane)
        with m.Elif(taken):
            m.d.sync += offered.eq(0)
        with m.If(advances & Cat(step.real & step.overflow for step in steps).any()):
            m.d.sync += flag.eq(1)
        with m.Elif(dut.clear_flags):
            m.d.sync += flag.eq(0)
        for index, bias in enumerate(biases[: p.outputs]):
            with m.If(write.enable & (write.index == index)):
                m.d.sync += bias.eq(write.value)

        m.d.comb += [
            Assert(dut.i.ready == (~held | advances)),
            Assert(dut.o.valid == offered),
            Assert(dut.overflow == flag),
            Assert(dut.spiked == Mux(taken, sum(expected.spikes), 0)),
        ]
        with m.If(offered):
            m.d.comb += [Assert(getattr(out, name) == getattr(expected, name)) for name in self.marks(p)]
            m.d.comb += Assert(out.spikes == expected.spikes)
            m.d.comb += [Assert(out.membranes[lane] == expected.membranes[lane]) for lane in range(p.lanes)]

        if not self.easy:
            with m.If(advances & ~held_group.first):
                arithmetic(m, steps[0], steps[0].start, held_group.phase, p)
        self._covers(m, held_group, held_biases, place, advances, takes, taken, expected, flag)
        if self.invariants:
            self._invariants(m, model, biases, held, held_group, held_biases, place, stepped)
        return m

    @staticmethod
    def marks(p: LayerParameters) -> tuple[str, ...]:
        return ("group", "first", "phase", "position") if p.positions > 1 else ("group", "first", "phase")

    def _covers(self, m, held_group, held_biases, place, advances, takes, taken, expected, flag) -> None:
        dut, p = self.dut, self.dut.parameters
        last = dut.o.payload.group == p.groups - 1
        reaches(
            m,
            same_neurons_in_the_next_cycle=past(m, advances) & advances & (past(m, place) == place) & ~held_group.first,
            first_after_another=in_turn(m, taken & ~expected.first, taken & expected.first),
            last_group_fires=taken & last & expected.spikes.any(),
            flag_comes_up_again=in_turn(m, flag, dut.clear_flags, ~flag, flag),
            bias_before_its_step=advances & (held_biases[0] < 0),
            bias_with_the_group=takes & dut.bias_write.enable & (dut.bias_write.index == dut.i.payload.group * p.lanes),
        )
        if p.positions > 1:
            reaches(m, last_position=taken & (dut.o.payload.position == p.positions - 1) & expected.spikes.any())
        reaches_stalls(m, "group", dut.o)

    def _invariants(self, m, model, biases, held, held_group, held_biases, place, stepped) -> None:
        """The memories hold the model's membranes and biases; the first stage, what has been read of them."""
        array, p = inside(self.dut), self.dut.parameters
        bits, bias_bits = p.membrane_bits, p.bias_bits
        m.d.comb += Assert(array.held_valid == held)
        for index, words in enumerate(model):
            port = array.membranes.read_port(domain="comb")
            m.d.comb += port.addr.eq(index)
            with m.If(stepped[index]):
                m.d.comb += [Assert(port.data.word_select(n, bits).as_signed() == word) for n, word in enumerate(words)]
        for group in range(p.groups):
            port = array.biases.read_port(domain="comb")
            m.d.comb += port.addr.eq(group)
            for lane in range(p.lanes):
                stored = port.data.word_select(lane, bias_bits).as_signed()
                m.d.comb += Assert(Mux(array.written[group], stored, 0) == biases[group * p.lanes + lane])
        with m.If(held):
            shift = p.phases - 1 - held_group.phase
            known = stepped.bit_select(place, 1)
            m.d.comb += [
                Assert(held_group.first | known),
                Assert(Value.cast(array.held) == Value.cast(held_group)),
                Assert((held_group.group < p.groups) & (held_group.phase < p.phases)),
                Assert(array.shift == shift),
                Assert(array.threshold == self.dut.theta << shift[: p.phase_bits]),
            ]
            if p.positions > 1:
                m.d.comb += Assert(held_group.position < p.positions)
            for lane in range(p.lanes):
                word = Array(words[lane] for words in model)[place]
                stored = array.read_bias.data.word_select(lane, bias_bits).as_signed()
                m.d.comb += [
                    Assert(~known | (array.read.data.word_select(lane, bits).as_signed() == word)),
                    Assert(Mux(array.held_biased, stored, 0) == held_biases[lane]),
                ]


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
    prove(Neuron(parameters), "neuron", depth=1, reach=1)


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
    prove(Neuron(layer(1, 1, phases=2, **LEAN[name])), "neuron", depth=1, reach=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [layer(1, 1, phases=1, adc_bits=8, max_theta=1023, max_bias=1023), LayerParameters(inputs=256, outputs=1, lanes=1)],
    ids=["one step", "32 steps"],
)
def test_circuit_at_full_width(parameters: LayerParameters) -> None:
    """Registers, codes and membranes as wide as in a chip: K = 1, membranes of 13 bits, and of 21 with gain shift."""
    prove(Neuron(parameters), "neuron", depth=1, reach=1, timeout=1200)


LEAK = "leaked.eq(Mux(self.leak == 0, before, before - (before >> self.leak)) if features.leak else before),"
LIMITED = "limited.eq(Mux(over, Mux(total[-1], -top - 1, top), total))"
OVER = "over.eq(Mux(total[-1], ~total[bits - 1 :].all(), total[bits - 1 :].any()))"
TOTAL = "total.eq(leaked + increment),"
CHOSEN = "spike & (self.reset == kind)"
BROKEN_CIRCUIT = {
    "leaks_after_the_integration": (
        f"{LEAK}\n            {TOTAL}",
        "leaked.eq(before + increment),\n            total.eq(leaked - Mux(self.leak == 0, 0, leaked >> self.leak)),",
    ),
    "leak_0_loses_all": (LEAK, "leaked.eq(before - (before >> self.leak)),"),
    "leaks_nothing": (LEAK, "leaked.eq(before),"),
    "leaks_one_shift_more": (LEAK, LEAK.replace(">> self.leak", ">> (self.leak + 1)")),
    "leaks_without_the_sign": (LEAK, LEAK.replace("(before >>", "(before.as_unsigned() >>")),
    "leaks_towards_zero": (LEAK, LEAK.replace("(before >> self.leak)", "((before + before[-1]) >> self.leak)")),
    "does_not_integrate": (TOTAL, "total.eq(leaked),"),
    "integrates_downwards": (TOTAL, "total.eq(leaked - increment),"),
    "does_not_weigh": ("increment.eq(current << shift if", "increment.eq(current if"),
    "weighs_twice": ("increment.eq(current << shift if", "increment.eq(current << (shift << 1) if"),
    "wraps_above": (LIMITED, "limited.eq(Mux(over & total[-1], -top - 1, total))"),
    "wraps_below": (LIMITED, "limited.eq(Mux(over & ~total[-1], top, total))"),
    "saturates_to_the_wrong_end": (LIMITED, LIMITED.replace("-top - 1, top", "top, -top - 1")),
    "saturates_one_early_below": (LIMITED, LIMITED.replace("-top - 1", "-top")),
    "no_flag_below": (OVER, OVER.replace("~total[bits - 1 :].all()", "0")),
    "no_flag_above": (OVER, OVER.replace("total[bits - 1 :].any()", "0")),
    "clip_0_is_a_limit": ("with m.If(self.clip != 0):", "with m.If(1):"),
    "no_clip": ("with m.If(self.clip != 0):", "with m.If(0):"),
    "no_clip_above": ("with m.If(limited > self.clip):", "with m.If(0):"),
    "no_clip_below": ("with m.Elif(limited < -self.clip):", "with m.Elif(0):"),
    "compares_before_the_clip": ("spike.eq(clipped >= threshold)", "spike.eq(limited >= threshold)"),
    "fires_above_only": ("spike.eq(clipped >= threshold)", "spike.eq(clipped > threshold)"),
    "compares_without_the_weight": ("spike.eq(clipped >= threshold)", "spike.eq(clipped >= self.theta)"),
    "zero_for_subtract": ("(Reset.SUBTRACT, clipped - threshold)", "(Reset.SUBTRACT, Const(0))"),
    "subtracts_without_the_weight": ("(Reset.SUBTRACT, clipped - threshold)", "(Reset.SUBTRACT, clipped - self.theta)"),
    "subtract_for_zero": ("(Reset.ZERO, Const(0))", "(Reset.ZERO, clipped - threshold)"),
    "subtracts_for_none": (CHOSEN, "spike & (~self.reset[0] if kind == Reset.SUBTRACT else self.reset == kind)"),
    "zero_for_none": (CHOSEN, "spike & (self.reset == kind if kind == Reset.SUBTRACT else 1)"),
    "resets_without_a_spike": (CHOSEN, "(self.reset == kind) & (spike if kind == Reset.SUBTRACT else 1)"),
}


@pytest.mark.parametrize("name", BROKEN_CIRCUIT)
def test_mutants_fail_the_proof_of_the_circuit(name: str) -> None:
    assert_fails(Neuron(layer(1, 1), mutant(NeuronArray, *BROKEN_CIRCUIT[name])), name, depth=1)


ONE = "spike if one else"
BUILT = "if kind in features.resets:"
BROKEN_LEAN = {
    "leaks_without_a_leak": (
        "subtracts only",
        "features.leak else before)",
        "features.leak else before - (before >> 1))",
    ),
    "the_only_reset_never_comes": ("subtracts only", ONE, "Const(0) if one else"),
    "the_only_reset_always_comes": ("zero only, leaks", ONE, "Const(1) if one else"),
    "subtracts_before_the_only_zero": ("zero only, leaks", BUILT, "if True:"),
    "resets_without_a_reset": ("never resets, clips", BUILT, "if True:"),
    "no_clip_without_a_leak": ("never resets, clips", "if features.clip:", "if features.clip and features.leak:"),
    "zero_whatever_is_chosen": ("zero or none", CHOSEN, "spike"),
    "zero_for_the_first_of_two": ("zero or none", CHOSEN, "spike & ~self.reset.any()"),
    "one_of_two_is_not_built": ("subtract or zero, leaks, clips", BUILT, "if kind == features.resets[0]:"),
    "two_are_one": ("subtract or zero, leaks, clips", "len(features.resets) == 1", "len(features.resets) <= 2"),
}


@pytest.mark.parametrize("name", BROKEN_LEAN)
def test_mutants_fail_the_proof_without_some_features(name: str) -> None:
    features, old, new = BROKEN_LEAN[name]
    broken = mutant(NeuronArray, old, new)
    assert_fails(Neuron(layer(1, 1, phases=2, **LEAN[features]), broken), name, depth=1)


BROKEN_STEPS = {
    "starts_from_zero": ("Mux(held.first, self.v0, stored)", "Mux(held.first, 0, stored)"),
    "goes_on_from_the_image_before": ("Mux(held.first, self.v0, stored)", "stored"),
    "always_starts": ("Mux(held.first, self.v0, stored)", "self.v0"),
    "no_forwarding": ("membranes.read_port(transparent_for=(write,))", "membranes.read_port()"),
    "one_membrane_for_all_positions": (
        "return sums.position * groups + sums.group if groups > 1 else sums.position",
        "return sums.group",
    ),
    "positions_overlap": ("sums.position * groups + sums.group if", "sums.position + sums.group if"),
    "bias_of_the_first_group": ("read_bias.addr.eq(self.i.payload.group)", "read_bias.addr.eq(0)"),
    "bias_in_the_last_phase_only": ("held.sums[lane] + bias,", "held.sums[lane] + Mux(shift == 0, bias, 0),"),
    "bias_without_the_weight": ("held.sums[lane] + bias,", "held.sums[lane] + (bias >> shift),"),
    "no_bias": ("held.sums[lane] + bias,", "held.sums[lane],"),
    "bias_of_the_lane_beside": ("self.bias_write.value.as_unsigned(), 0)", "self.bias_write.value.as_unsigned(), 1)"),
    "bias_before_it_is_written": ("held_biased.eq((written >> self.i.payload.group)[0])", "held_biased.eq(1)"),
    "sums_of_the_first_lane": ("held.sums[lane] + bias,", "held.sums[0] + bias,"),
    "shift_of_the_phase_before": ("shift.eq(remaining)", "shift.eq(remaining + 1)"),
    "weights_rise": ("shift.eq(remaining)", "shift.eq(self.i.payload.phase)"),
    "threshold_without_the_weight": ("threshold.eq(self.theta << remaining)", "threshold.eq(self.theta)"),
    "threshold_of_the_first_phase": (
        "threshold.eq(self.theta << remaining)",
        "threshold.eq(self.theta << (parameters.phases - 1))",
    ),
    "lanes_without_a_neuron_spike": ("fired.spikes.eq(Cat(spikes) & ~padding)", "fired.spikes.eq(Cat(spikes))"),
    "lanes_without_a_neuron_show_a_membrane": ("Mux(padding[lane], 0, results[lane])", "results[lane]"),
    "lanes_without_a_neuron_overflow": ("(Cat(saturated) & ~padding).any()", "Cat(saturated).any()"),
    "overflow_of_the_last_lane_only": ("(Cat(saturated) & ~padding).any()", "saturated[-1]"),
    "overflow_is_forgotten": ("with m.If(self.clear_flags):", "with m.If(self.clear_flags | self.o.ready):"),
    "overflow_stays": ("with m.If(self.clear_flags):", "with m.If(0):"),
    "counts_spikes_that_wait": (
        "with m.If(self.o.valid & self.o.ready):\n            m.d.comb += self.spiked",
        "with m.If(self.o.valid):\n            m.d.comb += self.spiked",
    ),
    "takes_a_group_over_another": ("self.i.ready.eq(~held_valid | advance)", "self.i.ready.eq(1)"),
    "waits_a_cycle": ("self.i.ready.eq(~held_valid | advance)", "self.i.ready.eq(~held_valid)"),
}


@pytest.mark.parametrize("name", BROKEN_STEPS)
def test_mutants_fail_the_proof_of_the_steps(name: str) -> None:
    broken = mutant(NeuronArray, *BROKEN_STEPS[name])
    easy = type("Easy", (broken,), {"_neuron": Easy._neuron})
    assert_fails(Steps(with_junk(easy(parameters=layer(3, 2, positions=2)))), name, depth=9)
