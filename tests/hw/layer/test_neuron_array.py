# amaranth: UnusedElaboratable=no
"""NeuronArray against plain integers, and the proofs of its stream's contract and that no membrane saturates."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
from amaranth.hdl import Assert, Assume, Mux, ResetInserter, Signal

from spikeloom.hw.interfaces.registers import layer_registers
from spikeloom.hw.layer.neuron_array import NeuronArray
from spikeloom.hw.params.cycles import NEURON_CYCLES
from spikeloom.hw.params.parameters import LayerParameters, Reset
from tests.benches.proof_bench import inside, mutant, with_junk
from tests.benches.stream_bench import collect, plain, send, simulate
from tests.formal import Harness, assert_fails, constant, in_turn, prove, reaches, reaches_stalls, stream_contract
from tests.models.neuron import update

SHAPES = [(1, 1), (4, 4), (3, 1), (10, 4), (8, 4), (7, 6), (20, 6)]
STALLS = [(0, 0), (0.6, 0), (0, 0.6), (0.4, 0.4)]


@dataclass(frozen=True)
class Settings:
    """The run-time registers of a layer."""

    theta: int
    v0: int
    clip: int
    leak: int
    reset: int
    biases: tuple[int, ...]


class Golden:
    """A layer's neurons, one at a time, and whether one of them has saturated."""

    def __init__(self, layer: LayerParameters, settings: Settings) -> None:
        self.layer, self.settings = layer, settings
        self.stored = [[0] * layer.outputs for _ in range(layer.positions)]
        self.membranes = self.stored[0]
        self.overflow = 0

    def neuron(self, index: int, total: int, first: int, phase: int) -> int:
        """One step of neuron `index`; returns its spike."""
        layer, settings = self.layer, self.settings
        v = settings.v0 if first else self.membranes[index]
        z, weight = total + settings.biases[index], 2 ** (layer.phases - 1 - phase)
        after = update(settings, v, z, weight, layer.membrane_bits)
        self.overflow |= after.overflow
        self.membranes[index] = after.v
        return int(after.spike)

    def step(self, sums: list[int], first: int, phase: int, position: int = 0) -> list[dict]:
        """One step of the layer at one position, as its groups appear at the output."""
        layer, result = self.layer, []
        self.membranes = self.stored[position]
        spikes = [self.neuron(i, sums[i], first, phase) for i in range(layer.outputs)]
        for group in range(layer.groups):
            low, high = group * layer.lanes, min((group + 1) * layer.lanes, layer.outputs)
            padding = [0] * (layer.lanes - (high - low))
            result.append(
                {
                    "group": group,
                    "spikes": sum(spike << lane for lane, spike in enumerate(spikes[low:high])),
                    "membranes": self.membranes[low:high] + padding,
                    "first": first,
                    "phase": phase,
                    **place(layer, position),
                }
            )
        return result


def place(layer, position):
    """The mark of a position, where there are several."""
    return {"position": position} if layer.positions > 1 else {}


def offered(layer, sums, first, phase, position=0):
    """A step as it comes from the column readout; the padding lanes hold the largest sum, which must not matter."""
    padded = sums + [layer.max_sum] * (layer.groups * layer.lanes - layer.outputs)
    marks = {"first": first, "phase": phase, **place(layer, position)}
    return [{"group": g, "sums": padded[g * layer.lanes : (g + 1) * layer.lanes], **marks} for g in range(layer.groups)]


async def load(ctx, dut, settings):
    """Write the registers and, in a scrambled order, the biases; their complements before, which must leave nothing."""
    order = list(range(len(settings.biases)))
    random.Random(3).shuffle(order)
    for flip in (-1, 0):
        for name in (register.name for register in layer_registers(dut.parameters) if register.name != "gain"):
            port = getattr(dut, name)
            value = getattr(settings, name) ^ flip
            ctx.set(port, value if port.shape().signed else value & ((1 << len(port)) - 1))
        for index in order:
            ctx.set(dut.bias_write.index, index)
            ctx.set(dut.bias_write.value, settings.biases[index] ^ flip)
            ctx.set(dut.bias_write.enable, 1)
            await ctx.tick()
            ctx.set(dut.bias_write.enable, 0)
            ctx.set(dut.bias_write.value, 1)
            await ctx.tick()


def run(layer, settings, steps, stalls=(0, 0), times=None, device=NeuronArray, model=None):
    """Drive the device with `steps` of (sums, first, phase[, position]) and compare it with the golden model, which has
    the settings `model` if given.
    """
    dut = device(parameters=layer)
    golden = Golden(layer, model or settings)
    groups = [group for step in steps for group in offered(layer, *step)]
    expected = [group for step in steps for group in golden.step(*step)]
    sent, taken = times if times is not None else ([], [])
    spiked: list[int] = []

    async def feed(ctx):
        await load(ctx, dut, settings)
        await send(ctx, dut.i, groups, random.Random(1), stalls[0], sent)

    async def check(ctx):
        assert await collect(ctx, dut.o, len(expected), random.Random(2), stalls[1], taken) == expected
        assert ctx.get(dut.overflow) == golden.overflow
        await ctx.tick()
        assert sum(spiked) == sum(group["spikes"].bit_count() for group in expected)
        ctx.set(dut.clear_flags, 1)
        await ctx.tick()
        assert ctx.get(dut.overflow) == 0

    async def monitor(ctx):
        while True:
            *_, count = await ctx.tick().sample(dut.spiked)
            spiked.append(count)

    simulate(dut, feed, check, background=[monitor])
    return expected, golden


def scenario(layer, seed, images=3, steps=None, **overrides):
    """Random registers, and a few images of random sums with all extremes among them."""
    rng = random.Random(seed)
    theta = rng.randint(1, layer.max_theta)
    bias = [0, 1, -1, layer.max_bias, -layer.max_bias]
    settings = Settings(
        **{
            "theta": theta,
            "v0": rng.randint(-theta, theta) << (layer.phases - 1),
            "clip": 0,
            "leak": 0,
            "reset": Reset.SUBTRACT,
            "biases": tuple(rng.choice([*bias, rng.randint(-50, 50)]) for _ in range(layer.outputs)),
            **overrides,
        }
    )

    def draw():
        usual = [rng.randint(-theta, theta), rng.randint(-theta, 2 * theta)]
        return rng.choice([0, layer.max_sum, -layer.max_sum, *usual])

    sequence = []
    for _ in range(images):
        for step in range(steps or layer.max_steps):
            sequence.append(([draw() for _ in range(layer.outputs)], int(step == 0), step % layer.phases))
    return settings, sequence


def layer(outputs, lanes, phases=1, **overrides):
    return LayerParameters(
        **{
            "inputs": 3,
            "outputs": outputs,
            "lanes": lanes,
            "phases": phases,
            "max_steps": 8,
            "max_theta": 300,
            **overrides,
        }
    )


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("outputs, lanes", SHAPES)
def test_shapes(outputs, lanes, stalls):
    """All groupings and stalls; a single group is followed at once by one that needs its membranes."""
    parameters = layer(outputs, lanes, phases=4)
    settings, steps = scenario(parameters, seed=outputs, images=2)
    run(parameters, settings, steps, stalls)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("outputs, lanes, positions", [(1, 1, 2), (4, 4, 5), (10, 4, 3), (5, 2, 4)])
def test_positions(outputs, lanes, positions, stalls):
    """One neuron per column and position, with the column's bias; positions one after another in every step."""
    parameters = layer(outputs, lanes, phases=2, positions=positions)
    settings, steps = scenario(parameters, seed=positions, images=2 * positions, steps=6)
    images = [steps[start : start + 6] for start in range(0, len(steps), 6)]
    steps = [
        (*images[image + position][step], position)
        for image in range(0, len(images), positions)
        for step in range(6)
        for position in range(positions)
    ]
    expected, golden = run(parameters, settings, steps, stalls)
    assert any(group["spikes"] for group in expected)
    assert positions == 2 or len({tuple(membranes) for membranes in golden.stored}) > 1


@pytest.mark.parametrize(
    "old, new, overrides",
    [
        ("self.i.ready.eq((~held_valid | add) & ~again)", "self.i.ready.eq(~held_valid | add)", {}),
        ("fired.spikes.eq(Cat(spikes) & ~padding)", "fired.spikes.eq(Cat(spikes))", {"outputs": 4}),
        ("(Cat(saturated) & ~padding).any()", "Cat(saturated).any()", {"outputs": 4, "sums": 0, "steps": 100}),
        ("before >> self.leak", "before.as_unsigned() >> self.leak", {"leak": 2}),
        ("(left >= 0) &", "(left > 0) &", {}),
        ("(left >= 0) & (limits.excess >= 0)", "left >= 0", {"clip": 10}),
    ],
    ids=["overtakes", "padding-spikes", "padding-overflows", "logical-leak", "fires-late", "fires-unclipped"],
)
def test_mutants_fail(old, new, overrides):
    """Typical mistakes are found: the tests' scenarios reach them."""
    overrides = dict(overrides)
    parameters = layer(overrides.pop("outputs", 3), 3, phases=2, max_theta=20)
    factor = overrides.pop("sums", 1)
    common = {"images": 2, "steps": 30, "theta": 15, "v0": 0, "biases": (0,) * parameters.outputs}
    settings, steps = scenario(parameters, seed=1, **{**common, **overrides})
    steps = [([factor * value for value in sums], first, phase) for sums, first, phase in steps]
    run(parameters, settings, steps)
    with pytest.raises(AssertionError):
        run(parameters, settings, steps, device=mutant(NeuronArray, old, new))


@pytest.mark.parametrize("phases", [1, 2, 5, 8])
@pytest.mark.parametrize("reset", list(Reset))
def test_phases_and_resets(phases, reset):
    parameters = layer(5, 3, phases=phases)
    settings, steps = scenario(parameters, seed=phases, reset=reset)
    expected, _ = run(parameters, settings, steps)
    assert any(group["spikes"] for group in expected)


@pytest.mark.parametrize("leak", [0, 1, 2, 7, 15])
@pytest.mark.parametrize("clip", [0, 1, 137, -1])
def test_leak_and_clip(leak, clip):
    parameters = layer(5, 3, phases=3, max_theta=20)
    clip = (1 << (parameters.membrane_bits - 1)) - 1 if clip < 0 else clip
    settings, steps = scenario(parameters, seed=leak, leak=leak, clip=clip)
    run(parameters, settings, steps)


@pytest.mark.parametrize("resets", [(Reset.SUBTRACT,), (Reset.ZERO,), (Reset.NONE,), (Reset.ZERO, Reset.NONE)])
@pytest.mark.parametrize(("leak", "clip"), [(0, 0), (2, 0), (0, 137)])
def test_without_some_features(resets, leak, clip):
    """What there is works as ever; what is missing has no port."""
    parameters = layer(5, 3, phases=2, max_theta=20, leak=leak > 0, clip=clip > 0, resets=resets)
    ports = NeuronArray(parameters=parameters).signature.members.keys()
    expected = {"leak": leak > 0, "clip": clip > 0, "reset": len(resets) > 1}
    assert {name: name in ports for name in expected} == expected
    for reset in resets:
        settings, steps = scenario(parameters, seed=int(reset), leak=leak, clip=clip, reset=reset)
        found, _ = run(parameters, settings, steps)
        assert any(group["spikes"] for group in found)


def test_a_reset_that_is_not_there_leaves_the_membrane():
    parameters = layer(3, 3, resets=(Reset.ZERO, Reset.NONE))
    settings, steps = scenario(parameters, seed=1, reset=Reset.NONE)
    expected, _ = run(parameters, settings, steps)
    assert run(parameters, replace(settings, reset=Reset.SUBTRACT), steps, model=settings)[0] == expected


@pytest.mark.parametrize("lanes", [2, 5, 6, 7, 10, 12])
def test_every_lane_clips(lanes):
    """One neuron more than lanes; without a reset, every lane of the first group reaches its clip."""
    parameters = layer(lanes + 1, lanes, phases=2, max_theta=20)
    for seed, reset in enumerate(Reset):
        biases = (1,) * (lanes + 1)
        settings, steps = scenario(parameters, seed, images=6, leak=3, clip=137, reset=reset, biases=biases)
        expected, _ = run(parameters, settings, steps)
        if reset == Reset.NONE:
            full = [group["membranes"] for group in expected if group["group"] == 0]
            assert [max(lane) for lane in zip(*full, strict=True)] == [137] * lanes


@pytest.mark.parametrize(
    ("outputs", "lanes", "positions", "other"), [(5, 3, 1, {"phases": 3, "max_theta": 20}), (10, 4, 3, {"phases": 2})]
)
def test_registers_of_all_values(outputs, lanes, positions, other):
    """Biases, thresholds, starts and bounds of any size, and sums up to the largest."""
    parameters = layer(outputs, lanes, positions=positions, **other)
    rng, most = random.Random(positions), parameters.max_bias
    for seed in range(6):
        start = parameters.max_v0
        settings, _ = scenario(
            parameters,
            seed=seed,
            theta=rng.randint(1, parameters.max_theta),
            v0=rng.randint(-start, start),
            clip=rng.choice([0, rng.getrandbits(parameters.membrane_bits - 1)]),
            leak=rng.choice([0, rng.getrandbits(4)]),
            reset=rng.choice(list(Reset)),
            biases=tuple(rng.randint(-most, most) for _ in range(outputs)),
        )
        sums = [[rng.randint(-parameters.max_sum, parameters.max_sum) for _ in range(outputs)] for _ in range(12)]
        steps = []
        for index, values in enumerate(sums):
            step, position = divmod(index, positions)
            mark = (position,) if positions > 1 else ()
            steps.append((values, int(step == 0), step % parameters.phases, *mark))
        run(parameters, settings, steps, STALLS[seed % len(STALLS)])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("phases", [1, 3])
def test_saturates_only_past_max_steps(phases, sign):
    """The derived width holds the worst case of max_steps steps; long after it, the membrane saturates."""
    parameters = layer(3, 2, phases=phases, max_theta=7, max_bias=5)
    worst = {
        "theta": parameters.max_theta,
        "v0": sign * parameters.max_v0,
        "reset": Reset.NONE,
        "biases": (sign * parameters.max_bias,) * 3,
    }
    for steps, overflow in ((parameters.max_steps, 0), (8 * parameters.max_steps, 1)):
        settings, _ = scenario(parameters, seed=0, **worst)
        sequence = [([sign * parameters.max_sum] * 3, int(step == 0), 0) for step in range(steps)]
        expected, golden = run(parameters, settings, sequence)
        assert golden.overflow == overflow
        end = (1 << (parameters.membrane_bits - 1)) - (1 if sign > 0 else 0)
        assert (expected[-1]["membranes"][0] == sign * end) == bool(overflow)


@pytest.mark.parametrize("outputs, lanes", SHAPES)
def test_cycles(outputs, lanes):
    """One group per cycle, also from one step to the next, but that the same neurons wait for their membranes."""
    parameters = layer(outputs, lanes)
    settings, steps = scenario(parameters, seed=1)
    sent: list[int] = []
    taken: list[int] = []
    run(parameters, settings, steps, times=(sent, taken))
    expected: list[int] = [sent[0]]
    for number in range(1, len(steps) * parameters.groups):
        same = expected[number - parameters.groups] + NEURON_CYCLES if number >= parameters.groups else 0
        expected.append(max(expected[-1] + 1, same))
    assert sent == expected
    assert taken == [cycle + NEURON_CYCLES for cycle in sent]


def test_bias_index_is_split_exactly():
    """Every neuron gets its own bias where `lanes` is no power of two."""
    parameters = layer(100, 7, max_bias=200)
    settings, _ = scenario(parameters, seed=1, v0=0, biases=tuple(range(-50, 50)), theta=300, reset=Reset.NONE)
    expected, _ = run(parameters, settings, [([0] * 100, 1, 0)])
    membranes = [value for group in expected for value in group["membranes"]]
    assert membranes[:100] == list(range(-50, 50))


def biases_after_reset(device=NeuronArray) -> None:
    """Membranes of one step are the biases: those written since the reset, else 0, whatever the memory holds."""
    parameters, rng = layer(10, 4, max_bias=200), random.Random(7)
    dut, reset = device(parameters=parameters), Signal()
    word = parameters.lanes * parameters.bias_bits
    dut._biases.init = [rng.getrandbits(word) for _ in range(parameters.groups)]

    async def bench(ctx):
        ctx.set(dut.theta, parameters.max_theta)
        ctx.set(dut.reset, Reset.NONE)
        ctx.set(dut.o.ready, 1)
        for written in ([], [5], [3, 2, 9], list(range(10)), [7, 7], []):
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            expected = [0] * 10
            for index in written:
                expected[index] = rng.randint(-200, 200)
                for name, value in {"index": index, "value": expected[index], "enable": 1}.items():
                    ctx.set(getattr(dut.bias_write, name), value)
                await ctx.tick()
            ctx.set(dut.bias_write.enable, 0)
            membranes: list[int] = []
            for group in [*offered(parameters, [0] * 10, 1, 0), *[None] * NEURON_CYCLES]:
                ctx.set(dut.i.valid, group is not None)
                if group is not None:
                    ctx.set(dut.i.payload, group)
                *_, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
                membranes += plain(payload)["membranes"] if valid else []
            assert membranes[:10] == expected, written

    simulate(ResetInserter(reset)(dut), bench)


def test_biases_are_0_until_they_are_written() -> None:
    biases_after_reset()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("held_biased.eq((written >> came.group)[0])", "held_biased.eq(1)"),
        ("lane, (1 << lanes) - 1))", "lane, Const(1, lanes) << lane))"),
    ],
    ids=["kept", "own lane alone"],
)
def test_mutants_fail_biases_after_a_reset(old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        biases_after_reset(mutant(NeuronArray, old, new))


class Contract(Harness):
    """A group stays until it is taken, whatever comes in."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        stream_contract(m, self.dut.o, Assert)
        last = self.dut.o.payload.group == self.dut.parameters.groups - 1
        reaches(m, last_group=self.dut.o.valid & last, saturates=self.dut.overflow, fires=self.dut.spiked != 0)
        reaches_stalls(m, "group", self.dut.o)
        return m


class Overrunning(NeuronArray):
    """Deliberately faulty: takes a group although the one before is stuck."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.i.valid):
            m.d.sync += self.o.payload.group.eq(self.i.payload.group)
        return m


SMALL = LayerParameters(
    inputs=1, outputs=3, lanes=2, adc_bits=1, max_gain_shift=0, max_theta=1, max_bias=1, max_steps=2
)


def test_contract():
    prove(Contract(with_junk(NeuronArray(parameters=SMALL))), "neurons", depth=4, mode="prove")


def test_mutants_fail_the_contract():
    assert_fails(Contract(Overrunning(parameters=SMALL)), "neurons", depth=8)


def within(value, bound):
    """-bound <= value <= bound"""
    return (value <= bound) & (value >= -bound)


class NeverSaturates(Harness):
    """Registers in their ranges and at most max_steps steps after a `first`: no membrane ever leaves its width.

    `inductive` adds the bounds of what the memories and the two stages hold, for the induction.
    """

    def __init__(self, dut: NeuronArray, inductive: bool = False) -> None:
        super().__init__(dut)
        self._inductive = inductive

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, layer, taken = self.dut, self.dut.parameters, self.dut.i.payload
        constant(m, dut.theta, dut.v0, dut.clip, dut.leak, dut.reset)
        m.d.comb += [
            Assume((dut.theta >= 1) & (dut.theta <= layer.max_theta)),
            Assume(within(dut.v0, layer.max_v0)),
            Assume(within(dut.bias_write.value, layer.max_bias)),
            *(Assume(within(taken.sums[lane], layer.max_sum)) for lane in range(layer.lanes)),
        ]

        # The environment: groups in order, one `first` per step, at most max_steps steps per image.
        group, steps, first = Signal(range(layer.groups + 1)), Signal(range(layer.max_steps + 1)), Signal()
        last = group == layer.groups - 1
        m.d.comb += [
            Assume((taken.group == group) & (taken.phase < layer.phases)),
            Assume((group == 0) | (taken.first == first)),
            Assume(taken.first | ((steps != 0) & (steps != layer.max_steps))),
        ]
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += [group.eq(Mux(last, 0, group + 1)), first.eq(taken.first)]
            with m.If(last):
                m.d.sync += steps.eq(Mux(taken.first, 1, steps + 1))

        m.d.comb += Assert(~dut.overflow)
        taking = dut.i.valid & dut.i.ready & last
        near, out = min(layer.max_steps, 4), dut.o.payload  # more steps are too many to be looked for
        reaches(
            m,
            many_steps=taking & (steps == near - 1) & ~taken.first,
            next_image=in_turn(m, taking & (steps == near - 1) & ~taken.first, taking & taken.first),
            largest=dut.o.valid & (out.membranes[0] == layer.max_v0 + layer.max_sum + layer.max_bias),
            smallest=dut.o.valid & (out.membranes[0] <= -layer.max_v0 - 2 * (layer.max_sum + layer.max_bias)),
            bias=in_turn(m, dut.bias_write.enable & (dut.bias_write.value < 0), taking),
        )
        reaches_stalls(m, "group", dut.o)
        if self._inductive:
            self._invariants(m, group, steps, first)
        return m

    def _invariants(self, m, group, steps, first) -> None:
        array, layer = inside(self.dut), self.dut.parameters
        increment = (layer.max_sum + layer.max_bias) << (layer.phases - 1)
        bits, held, holds, last = layer.membrane_bits, array.held, array.held_valid, layer.groups - 1
        m.d.comb += [Assert(steps <= layer.max_steps), Assert(group < layer.groups)]
        m.d.comb += Assert((group == 0) | first | ((steps != 0) & (steps < layer.max_steps)))
        latest, before = Signal.like(group), Signal.like(group)  # the groups that were taken last
        m.d.comb += [latest.eq(Mux(group == 0, last, group - 1)), before.eq(Mux(latest == 0, last, latest - 1))]
        limits, adds = array.limits, array.added_valid
        with m.If(adds):
            m.d.comb += [
                Assert(array.added.group == Mux(holds, before, latest)),
                Assert(array.place == array.added.group),
                Assert((limits.highest >= 0) & (limits.lowest <= 0)),
                Assert(limits.excess == limits.highest - limits.threshold),
            ]
            if layer.groups == 1:
                m.d.comb += Assert(~holds)
        with m.If(holds):
            m.d.comb += Assert(held.group == latest)
            m.d.comb += Assert((held.first == first) & (array.shift < layer.phases))
            m.d.comb += Assert((group != 0) | (steps != 0))
            m.d.comb += [Assert(within(held.sums[lane], layer.max_sum)) for lane in range(layer.lanes)]

        for number in range(layer.groups):
            done = Mux(group > number, Mux(first, 1, steps + 1), steps)  # steps of this group, the held one too
            membranes, biases = (store.read_port(domain="comb") for store in (array.membranes, array.biases))
            m.d.comb += [membranes.addr.eq(number), biases.addr.eq(number)]
            waiting, going = holds & (held.group == number), adds & (array.added.group == number)
            for lane in range(layer.lanes):
                stored = membranes.data.word_select(lane, bits).as_signed()
                read = array.read.data.word_select(lane, bits).as_signed()
                bias = biases.data.word_select(lane, layer.bias_bits).as_signed()
                read_bias = array.read_bias.data.word_select(lane, layer.bias_bits).as_signed()
                m.d.comb += [
                    Assert(~array.written[number] | within(bias, layer.max_bias)),
                    Assert(~waiting | ~array.held_biased | within(read_bias, layer.max_bias)),
                    Assert(
                        (waiting & held.first) | going | (done == 0) | within(stored, layer.max_v0 + done * increment)
                    ),
                    Assert(~going | within(array.totals[lane], layer.max_v0 + done * increment)),
                    Assert(~waiting | held.first | within(read, layer.max_v0 + (done - 1) * increment)),
                ]


class Narrow(LayerParameters):
    """Deliberately faulty: membranes one bit too narrow."""

    @property
    def membrane_bits(self) -> int:
        return super().membrane_bits - 1


def saturating(cls: type[LayerParameters], outputs: int, phases: int, max_steps: int) -> LayerParameters:
    return cls(
        inputs=1,
        outputs=outputs,
        lanes=min(2, outputs),
        adc_bits=2,
        max_gain_shift=0,
        max_theta=3,
        max_bias=1,
        phases=phases,
        max_steps=max_steps,
    )


@pytest.mark.parametrize(("outputs", "phases", "max_steps"), [(1, 1, 4), (3, 2, 32)])
def test_never_saturates(outputs, phases, max_steps):
    parameters = saturating(LayerParameters, outputs, phases, max_steps)
    prove(
        NeverSaturates(with_junk(NeuronArray(parameters=parameters)), inductive=True),
        "saturation",
        depth=2,
        mode="prove",
    )


def test_mutants_fail_never_saturates():
    parameters = saturating(Narrow, 1, 1, 2)
    assert_fails(NeverSaturates(NeuronArray(parameters=parameters)), "saturation", depth=8)
