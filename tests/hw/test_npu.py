"""The whole unit on small random networks against plain integers, spike decisions, activity and cycles included."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest

from spikeloom.hw.interfaces.registers import bias_address, global_address, layer_address, layer_registers
from spikeloom.hw.npu import Npu
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES, stable_count_bits
from spikeloom.hw.params.parameters import Coding, DecisionRule, LayerParameters, NpuParameters, Readout, Reset
from tests.benches.proof_bench import mutant
from tests.benches.stream_bench import collect, send, simulate
from tests.hw.encoder.test_spike_encoder import vectors_of
from tests.models.network_model import (
    ACTIVITY,
    GoldenLayer,
    IdealCrossbar,
    Outcome,
    random_delays,
    random_layer,
    run_golden,
)

LEAN = {"leak": False, "clip": False, "resets": (Reset.SUBTRACT,)}
"""Features of neurons that subtract, and have nothing else."""


def unit(
    sizes: tuple[int, ...] = (11, 7, 5), phases: int = 1, row_bits: int = 1, lanes: int = 3, **features: Any
) -> NpuParameters:
    """A unit of dense layers; `features` are leak, clip and resets of all of them."""
    common = {"tile_rows": 4, "tile_columns": 3, "adc_bits": 5, "max_gain_shift": 3, "max_theta": 63, "max_bias": 15}
    layers = tuple(
        LayerParameters(
            inputs=inputs,
            outputs=outputs,
            row_bits=row_bits if index == 0 else 1,
            lanes=min(lanes, outputs),
            phases=phases,
            max_steps=12,
            **common,
            **features,
        )
        for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
    )
    return NpuParameters(layers=layers, phases=phases, max_steps=12, encoder_lanes=4, pulse_cycles=2)


def mixed() -> NpuParameters:
    """A unit whose first layer has all features, and whose last subtracts only."""
    whole = unit()
    return replace(whole, layers=(*whole.layers[:-1], replace(whole.layers[-1], **LEAN)))


def writes_of(layers: list[GoldenLayer], settings: dict[str, int]) -> list[dict]:
    """Load port writes, of the registers that there are, in random order of the scopes."""
    writes = [(global_address(name), int(value)) for name, value in settings.items()]
    for index, layer in enumerate(layers):
        names = [register.name for register in layer_registers(layer.parameters)]
        writes += [(layer_address(index, name), int(getattr(layer, name))) for name in names]
        writes += [(bias_address(index, neuron), value) for neuron, value in enumerate(layer.bias)]
    return [{"address": address, "data": data} for address, data in writes]


class Run:
    """Images through a unit; `stall` > 0 also makes the macros' delays random.

    `ahead` gives images as soon as the unit takes them, else each after the result of the one before. `drops` puts
    parts of images in between, which are dropped. Results are taken up to `late` cycles late.
    """

    def __init__(
        self,
        parameters: NpuParameters,
        layers: list[GoldenLayer],
        settings: dict[str, int],
        stall: float,
        ahead: bool = True,
        drops: bool = False,
        late: int = 0,
        unit: type = Npu,
        settle: int = 3,
        wait: int = 1,
    ) -> None:
        self.parameters, self.layers, self.settings, self.stall = parameters, layers, settings, stall
        self.ahead, self.drops, self.late = ahead, drops, late
        self.dut = unit(parameters=parameters)
        self.rng = random.Random(7)
        self.settle, self.wait = settle, wait
        delays = random_delays(self.rng) if stall else (lambda: self.settle, lambda: self.wait)
        self.macros = [
            IdealCrossbar(getattr(self.dut, f"crossbar_{index}"), layer, self.rng, *delays)
            for index, layer in enumerate(layers)
        ]
        self.results: list[dict] = []
        self.sent: list[list[int]] = []  # cycles in which the words of an image were taken
        self.taken: list[int] = []  # cycles in which the results were

    async def _words(self, ctx, image: list[int], count: int, seed: int, tag: int) -> list[int]:
        """Give the first `count` words of an image; returns the cycles in which they were taken."""
        dut, p, times = self.dut, self.parameters, []
        padded = image + [self.rng.randrange(256) for _ in range(-len(image) % p.encoder_lanes)]
        words = [padded[start : start + p.encoder_lanes] for start in range(0, len(padded), p.encoder_lanes)]
        for index, word in enumerate(words[:count]):
            if dut.parameters.draws_seeds:
                ctx.set(dut.seed, self.rng.getrandbits(128) if index else seed)
            ctx.set(dut.tag, self.rng.getrandbits(16) if index else tag)
            await send(ctx, dut.pixels, [{"pixels": word}], random.Random(tag + index), self.stall, times)
        return times

    async def _monitor(self, ctx) -> None:
        """Registers can be written only while the unit holds no image, not even a part of one."""
        dut, images, part = self.dut, 0, 0
        ports = (dut.load.ready, dut.pixels.valid, dut.pixels.ready, dut.drop, dut.result.valid, dut.result.ready)
        while True:
            *_, load, valid, ready, drop, offered, taken = await ctx.tick().sample(*ports)
            assert load == (images == 0 and part == 0)
            assert not (drop and ready)
            part = 0 if drop else part + (valid and ready)
            images -= offered and taken
            if part == self.parameters.pixel_words:
                part, images = 0, images + 1
            assert 0 <= images <= 2

    def images(self, images: list[list[int]], seeds: list[int], tags: list[int]) -> None:
        dut, p = self.dut, self.parameters

        async def feed(ctx):
            await send(ctx, dut.load, writes_of(self.layers, self.settings), random.Random(1), self.stall)
            for index, (image, seed, tag) in enumerate(zip(images, seeds, tags, strict=True)):
                while not self.ahead and len(self.taken) < index:
                    await ctx.tick()
                while self.drops and self.rng.random() < 0.6:
                    await self._words(ctx, image[::-1], self.rng.randrange(p.pixel_words), seed, tag ^ 1)
                    for _ in range(self.rng.choice([0, 0, 1, 40])):
                        await ctx.tick()
                    ctx.set(dut.drop, 1)
                    await ctx.tick()
                    ctx.set(dut.drop, 0)
                self.sent.append(await self._words(ctx, image, p.pixel_words, seed, tag))
                if self.drops:  # a whole image cannot be dropped
                    ctx.set(dut.drop, 1)
                    await ctx.tick()
                    ctx.set(dut.drop, 0)

        async def take(ctx):
            for _ in images:
                while not ctx.get(dut.result.valid):
                    await ctx.tick()
                extra = {
                    "activity": [
                        {name: ctx.get(getattr(getattr(dut, f"activity_{index}"), name)) for name in ACTIVITY}
                        for index in range(len(p.layers))
                    ],
                    "cycles": ctx.get(dut.cycles),
                    "gap": ctx.get(dut.gap),
                    "tag": ctx.get(dut.result_tag),
                    "overflow": ctx.get(dut.overflow),
                    "reads": [macro.reads[:] for macro in self.macros],
                }
                for macro in self.macros:
                    macro.reads.clear()
                for _ in range(self.rng.randint(0, self.late)):
                    await ctx.tick()
                (result,) = await collect(ctx, dut.result, 1, random.Random(3), self.stall, self.taken)
                assert not any(macro.reads for macro in self.macros), "a layer read while a result waited"
                self.results.append({**result, **extra})
            for _ in range(200):
                await ctx.tick()
                assert not ctx.get(dut.result.valid) and ctx.get(dut.load.ready)

        benches = [bench for macro in self.macros for bench in (macro.drive_bench, macro.convert_bench)]
        simulate(dut, feed, take, background=[*benches, self._monitor], limit=200_000)

    def start(self, index: int) -> tuple[int, int, int]:
        """The formulas of Npu's docstring: an image's start, and first vector offered after it; its `gap`."""
        before = self.taken[index - 1] if index else -1
        start = max(self.sent[index][0], before)
        words = self.parameters.pixel_words
        offered = max(self.sent[index][-1] + words + 2, before + (1 if self.parameters.encoders == 2 else words + 2))
        return start, offered - start, offered - before - 1


def image_cycles(
    parameters: NpuParameters, outcome: Outcome, settle: int, wait: int, offered: int, rule: int = 0
) -> int:
    """The formula of Npu's docstring; step 1's vector is `offered` cycles after the image's start, and a verdict takes
    `rule` cycles longer.
    """
    w = parameters.pixel_words
    for inputs in outcome.inputs:
        seen, driven = offered, 0
        for index, (layer, codes) in enumerate(zip(parameters.layers, inputs, strict=True)):
            if codes is None:
                end = seen
                break
            drive = max(parameters.pulse_cycles, settle) if any(codes) else 0
            group = wait + 1 if any(codes) else 1
            driven = drive if index == 0 else driven
            if index < len(parameters.layers) - 1:
                seen += drive + layer.groups * group + 5
            else:
                last_lanes = layer.outputs - (layer.groups - 1) * layer.lanes
                end = seen + drive + group + 6 + rule + max(layer.outputs, (layer.groups - 1) * group + last_lanes)
        offered = max(end + 1, offered + driven + w + 1)
    return end + 1


def check(
    parameters: NpuParameters,
    settings: dict[str, int],
    stall: float = 0.0,
    registers: list[dict[str, int]] | None = None,
    count: int = 4,
    **how: Any,
) -> list[Outcome]:
    """Images through the unit, every one compared with the golden model; `how` is for `Run`."""
    rng = random.Random(len(parameters.layers) + parameters.phases)
    registers = registers or [{"theta": 20}] * len(parameters.layers)
    layers = [random_layer(p, rng, **r) for p, r in zip(parameters.layers, registers, strict=True)]
    images = [[rng.choice([0, 255, rng.randrange(256)]) for _ in range(parameters.inputs)] for _ in range(count - 1)]
    images.insert(rng.randrange(count), [0] * parameters.inputs)
    seeds = [rng.getrandbits(128) for _ in images]
    tags = [rng.getrandbits(16) for _ in images]
    run = Run(parameters, layers, settings, stall, **how)
    run.images(images, seeds, tags)
    outcomes = []
    names = ("rule", "k", "stable_theta", "t_max", "skip", "readout")
    decision = {name: settings[name] for name in names if name in settings}
    late = 2 + stable_count_bits(parameters) if settings.get("rule") is DecisionRule.STABLE else 0
    coding, start = CODINGS[int(settings.get("coding", 0))], settings.get("even_start", 0)
    mask = (1 << parameters.layers[0].row_bits) - 1
    for index, (image, seed, result) in enumerate(zip(images, seeds, run.results, strict=True)):
        vectors = vectors_of(parameters, image, coding, settings["t_max"], seed, start)
        bits = parameters.layers[0].row_bits
        encoded = [[vector["rows"] >> row * bits & mask for row in range(parameters.inputs)] for vector in vectors]
        outcome = run_golden(parameters, layers, encoded, **decision)
        found = {name: result[name] for name in ("winner", "steps", "margin", "reason", "activity")}
        assert found == {name: getattr(outcome, name) for name in found}
        assert result["tag"] == tags[index]
        reads = [[codes for codes in column if codes and any(codes)] for column in zip(*outcome.inputs, strict=True)]
        assert result["reads"] == reads
        assert result["overflow"] == 0
        began, offered, gap = run.start(index)
        cycles = image_cycles(parameters, outcome, run.settle, run.wait, offered, late)
        if not stall:
            assert (result["cycles"], result["gap"]) == (cycles, gap)
            assert run.taken[index] - began - result["cycles"] in range(run.late + 1)
        if not run.ahead and not stall:
            assert offered == 2 * parameters.pixel_words + 1
        outcomes.append(outcome)
    return outcomes


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("coding", list(CODINGS))
@pytest.mark.parametrize("phases", [1, 3])
def test_codings(coding: Coding, phases: int, stall: float) -> None:
    parameters = unit(phases=phases, row_bits=8 if coding == Coding.ANALOG else 1)
    if phases == 3:  # with nothing else; writes to the registers that are missing then have no effect
        parameters = replace(parameters, codings=(coding,))
    check(parameters, {"coding": coding, "t_max": 6, "even_start": 100}, stall)


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("readout", list(Readout))
@pytest.mark.parametrize("phases", [1, 3])
def test_winner_k_and_skipped_periods(phases: int, readout: Readout, stall: float) -> None:
    settings = {
        "coding": Coding.EVEN,
        "rule": DecisionRule.WINNER_K,
        "k": 4,
        "t_max": 12,
        "skip": 2,
        "readout": readout,
    }
    outcomes = check(unit(phases=phases), settings, stall, count=5)
    assert {outcome.reason for outcome in outcomes} >= {1}
    assert all(outcome.steps > 2 * phases for outcome in outcomes)


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("readout", list(Readout))
@pytest.mark.parametrize("phases", [1, 3])
def test_a_stable_class_and_skipped_periods(phases: int, readout: Readout, stall: float) -> None:
    settings = {
        "coding": Coding.EVEN,
        "rule": DecisionRule.STABLE,
        "stable_theta": 100 if phases == 1 else 130,
        "t_max": 12,
        "skip": 2,
        "readout": readout,
    }
    outcomes = check(replace(unit(phases=phases), rules=DECISION_RULES.unit), settings, stall, count=6)
    assert {outcome.reason for outcome in outcomes} >= {1}
    assert all(outcome.steps > 2 * phases + 1 for outcome in outcomes)


@pytest.mark.parametrize("rule", [DecisionRule.FIXED, DecisionRule.WINNER_K])
def test_other_rules_take_no_longer_where_a_stable_class_is_built(rule: DecisionRule) -> None:
    whole = replace(unit(), rules=DECISION_RULES.unit)
    check(whole, {"coding": Coding.EVEN, "rule": rule, "k": 4, "t_max": 8})


@pytest.mark.parametrize("reset", list(Reset))
def test_resets_leak_clip_gain(reset: Reset) -> None:
    registers = [
        {"theta": 12, "reset": reset, "leak": 2, "v0": 6, "gain": 1},
        {"theta": 9, "reset": reset, "clip": 30, "v0": -3, "gain": 2},
    ]
    check(unit(phases=3), {"coding": Coding.RATE, "t_max": 8}, 0.3, registers)


@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize("sizes", [(11, 5), (9, 6, 4, 7, 3), (6, 1), (5, 4, 1)])
def test_depths(sizes: tuple[int, ...], skip: int) -> None:
    check(unit(sizes), {"coding": Coding.EVEN, "t_max": 5, "skip": skip})


def test_images_one_by_one() -> None:
    """An image that comes after the result before it takes as long as a lone one."""
    check(unit(), {"coding": Coding.RATE, "t_max": 4}, ahead=False)


@pytest.mark.parametrize("late", [0, 60])
def test_no_cycle_is_lost_between_images_at_hand(late: int) -> None:
    """Where the next image's first vector is made when a result is taken, layer 0 gets it in the next cycle."""
    parameters, rng = unit(), random.Random(1)
    layers = [random_layer(p, rng, theta=20) for p in parameters.layers]
    run = Run(parameters, layers, {"coding": Coding.EVEN, "t_max": 6}, 0, late=late)
    images = [[rng.randrange(256) for _ in range(parameters.inputs)] for _ in range(6)]
    run.images(images, [0] * 6, list(range(6)))
    assert [result["gap"] for result in run.results[1:]] == [0] * 5
    assert [result["tag"] for result in run.results] == list(range(6))


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize(("sizes", "row_bits"), [((11, 7, 5), 1), ((4, 3), 8)])
def test_single_encoder(sizes: tuple[int, ...], row_bits: int, stall: float) -> None:
    """The next image's first vector is made when the result before it is taken; some images come late, or in part."""
    parameters = replace(unit(sizes, phases=2, row_bits=row_bits), encoders=1)
    check(parameters, {"coding": Coding.RATE, "t_max": 6}, stall, count=8, drops=stall > 0)
    check(parameters, {"coding": Coding.PHASE, "t_max": 3}, stall, ahead=False)


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("sizes", [(11, 7, 5), (9, 4), (4, 3, 2)])
def test_dropped_images_leave_nothing(sizes: tuple[int, ...], stall: float) -> None:
    """Parts of images, dropped between whole ones while others are processed or not: no result of them, no trace."""
    settings = {"coding": Coding.RATE, "rule": DecisionRule.WINNER_K, "k": 2, "t_max": 4}
    check(unit(sizes), settings, stall, count=12, drops=True, late=20)


BROKEN = {
    "forgets_to_drop": ("encoder.drop.eq(self.drop),", ""),
    "writes_before_the_last_image": ("self.load.ready.eq(controller.idle)", "self.load.ready.eq(controller.restart)"),
    "keeps_the_activity": ("core.clear_activity.eq(controller.restart)", "core.clear_activity.eq(0)"),
    "keeps_the_image": ("encoder.restart.eq(controller.restart)", "encoder.restart.eq(0)"),
    "shows_the_next_tag": ("self.result_tag.eq(encoder.o_tag)", "self.result_tag.eq(self.tag)"),
}


@pytest.mark.filterwarnings("ignore:.*created but never used")
@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_checks(name: str) -> None:
    with pytest.raises(AssertionError):
        check(unit(), {"coding": Coding.RATE, "t_max": 4}, drops=True, late=9, unit=mutant(Npu, *BROKEN[name]))


@pytest.mark.parametrize("index", [0, 1])
def test_overflow_and_clear_flags(index: int) -> None:
    """Steps past max_steps saturate layer `index`: its flag comes up and stays, until `clear_flags` is written."""
    common = {"adc_bits": 5, "max_gain_shift": 0, "max_theta": 3, "max_bias": 15, "max_steps": 4}
    layer = LayerParameters(inputs=2, outputs=2, lanes=1, **common)
    parameters = NpuParameters(layers=(layer, layer), max_steps=4, encoder_lanes=1, pulse_cycles=1)
    assert layer.max_membrane == 127 and layer.membrane_bits == 8  # 3 + 4 * 31, just enough for four steps
    registers = {"theta": 1, "v0": 3, "reset": Reset.NONE}
    quiet = GoldenLayer(layer, [[1, 1], [1, 1]], [0, 0], **registers)
    loud = GoldenLayer(layer, [[-99, -99], [-99, -99]], [-15, -15], **{**registers, "v0": -3})
    layers = [loud if number == index else quiet for number in range(2)]
    dut, rng = Npu(parameters=parameters), random.Random(1)
    macros = [
        IdealCrossbar(getattr(dut, f"crossbar_{number}"), golden, rng, lambda: 1, lambda: 0)
        for number, golden in enumerate(layers)
    ]

    async def host(ctx):
        async def write(name: str, value: int) -> None:
            await send(ctx, dut.load, [{"address": global_address(name), "data": value}], rng, 0)

        async def image(t_max: int) -> int:
            await write("t_max", t_max)
            await send(ctx, dut.pixels, [{"pixels": [255]}] * 2, rng, 0)
            await collect(ctx, dut.result, 1, rng, 0)
            return ctx.get(dut.overflow)

        await send(ctx, dut.load, writes_of(layers, {"coding": Coding.EVEN}), rng, 0)
        flag = 1 << index
        assert [await image(t_max) for t_max in (4, 7, 4)] == [0, flag, flag]
        await write("clear_flags", 0)
        await ctx.tick().repeat(4)
        assert ctx.get(dut.overflow) == flag
        await write("clear_flags", 1)
        await ctx.tick().repeat(4)
        assert ctx.get(dut.overflow) == 0
        assert [await image(t_max) for t_max in (4, 7)] == [0, flag]

    benches = [bench for macro in macros for bench in (macro.drive_bench, macro.convert_bench)]
    simulate(dut, host, background=benches)
