"""The whole unit on small random networks against plain integers, spike decisions, activity and cycles included."""

from __future__ import annotations

import itertools
import random

import pytest

from hw.npu import Npu
from hw.params import Coding, LayerParameters, NpuParameters, Readout, Reset, Rule
from hw.registers import bias_address, global_address, layer_address
from tests.hw.network_model import (
    ACTIVITY,
    GoldenLayer,
    IdealCrossbar,
    Outcome,
    random_delays,
    random_layer,
    run_golden,
)
from tests.hw.stream_bench import collect, send, simulate
from tests.hw.test_spike_encoder import vectors_of

LAYER_REGISTERS = ("theta", "v0", "clip", "leak", "reset", "gain")


def unit(sizes: tuple[int, ...] = (11, 7, 5), phases: int = 1, row_bits: int = 1, lanes: int = 3) -> NpuParameters:
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
        )
        for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
    )
    return NpuParameters(layers=layers, phases=phases, max_steps=12, encoder_lanes=4, pulse_cycles=2)


def writes_of(layers: list[GoldenLayer], settings: dict[str, int]) -> list[dict]:
    """Load port writes, in random order of the scopes."""
    writes = [(global_address(name), value) for name, value in settings.items()]
    for index, layer in enumerate(layers):
        writes += [(layer_address(index, name), int(getattr(layer, name))) for name in LAYER_REGISTERS]
        writes += [(bias_address(index, neuron), value) for neuron, value in enumerate(layer.bias)]
    return [{"address": address, "data": data} for address, data in writes]


class Run:
    """Images through a unit; `stall` > 0 also makes the macros' delays random."""

    def __init__(self, parameters: NpuParameters, layers: list[GoldenLayer], settings: dict[str, int], stall: float):
        self.parameters, self.layers, self.settings, self.stall = parameters, layers, settings, stall
        self.dut = Npu(parameters=parameters)
        self.rng = random.Random(7)
        self.settle, self.wait = 3, 1
        delays = random_delays(self.rng) if stall else (lambda: self.settle, lambda: self.wait)
        self.macros = [
            IdealCrossbar(getattr(self.dut, f"crossbar_{index}"), layer, self.rng, *delays)
            for index, layer in enumerate(layers)
        ]
        self.results: list[dict] = []

    def images(self, images: list[list[int]], seeds: list[int]) -> None:
        dut, p = self.dut, self.parameters

        async def host(ctx):
            await send(ctx, dut.load, writes_of(self.layers, self.settings), random.Random(1), self.stall)
            for image, seed in zip(images, seeds, strict=True):
                ctx.set(dut.seed, seed)
                padded = image + [self.rng.randrange(256) for _ in range(-len(image) % p.encoder_lanes)]
                words = [padded[start : start + p.encoder_lanes] for start in range(0, len(padded), p.encoder_lanes)]
                await send(ctx, dut.pixels, [{"pixels": w} for w in words], random.Random(2), self.stall)
                ctx.set(dut.seed, self.rng.getrandbits(128))
                while not ctx.get(dut.result.valid):
                    assert not ctx.get(dut.load.ready), "a register could be written into an image"
                    await ctx.tick()
                extra = {
                    "activity": [
                        {name: ctx.get(getattr(getattr(dut, f"activity_{index}"), name)) for name in ACTIVITY}
                        for index in range(len(p.layers))
                    ],
                    "cycles": ctx.get(dut.cycles),
                    "overflow": ctx.get(dut.overflow),
                    "reads": [macro.reads[:] for macro in self.macros],
                }
                for macro in self.macros:
                    macro.reads.clear()
                (result,) = await collect(ctx, dut.result, 1, random.Random(3), self.stall)
                self.results.append({**result, **extra})

        benches = [bench for macro in self.macros for bench in (macro.drive_bench, macro.convert_bench)]
        simulate(dut, host, background=benches, limit=200_000)


def image_cycles(parameters: NpuParameters, outcome: Outcome, settle: int, wait: int) -> int:
    """The formula of Npu's docstring."""
    w = parameters.pixel_words
    offered = 2 * w + 1
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
                seen += drive + layer.groups * group + 4
            else:
                last_lanes = layer.outputs - (layer.groups - 1) * layer.lanes
                end = seen + drive + group + 4 + max(layer.outputs, (layer.groups - 1) * group + last_lanes)
        offered = max(end + 1, offered + driven + w + 1)
    return end + 1


def check(
    parameters: NpuParameters,
    settings: dict[str, int],
    stall: float = 0.0,
    registers: list[dict[str, int]] | None = None,
    count: int = 3,
) -> list[Outcome]:
    rng = random.Random(len(parameters.layers) + parameters.phases)
    registers = registers or [{"theta": 20}] * len(parameters.layers)
    layers = [random_layer(p, rng, **r) for p, r in zip(parameters.layers, registers, strict=True)]
    images = [[rng.choice([0, 255, rng.randrange(256)]) for _ in range(parameters.inputs)] for _ in range(count - 1)]
    images.append([0] * parameters.inputs)
    seeds = [rng.getrandbits(128) for _ in images]
    run = Run(parameters, layers, settings, stall)
    run.images(images, seeds)
    outcomes = []
    decision = {name: settings[name] for name in ("rule", "k", "t_max", "skip", "readout") if name in settings}
    coding, start = Coding(settings.get("coding", 0)), settings.get("even_start", 0)
    mask = (1 << parameters.layers[0].row_bits) - 1
    for image, seed, result in zip(images, seeds, run.results, strict=True):
        vectors = vectors_of(parameters, image, coding, settings["t_max"], seed, start)
        bits = parameters.layers[0].row_bits
        encoded = [[vector["rows"] >> row * bits & mask for row in range(parameters.inputs)] for vector in vectors]
        outcome = run_golden(parameters, layers, encoded, **decision)
        found = {name: result[name] for name in ("winner", "steps", "margin", "reason", "activity")}
        assert found == {name: getattr(outcome, name) for name in found}
        reads = [[codes for codes in column if codes and any(codes)] for column in zip(*outcome.inputs, strict=True)]
        assert result["reads"] == reads
        assert result["overflow"] == 0
        if not stall:
            assert result["cycles"] == image_cycles(parameters, outcome, run.settle, run.wait)
        outcomes.append(outcome)
    return outcomes


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("coding", list(Coding))
@pytest.mark.parametrize("phases", [1, 3])
def test_codings(coding: Coding, phases: int, stall: float) -> None:
    parameters = unit(phases=phases, row_bits=8 if coding == Coding.ANALOG else 1)
    check(parameters, {"coding": coding, "t_max": 6, "even_start": 100}, stall)


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("readout", list(Readout))
@pytest.mark.parametrize("phases", [1, 3])
def test_winner_k_and_skipped_periods(phases: int, readout: Readout, stall: float) -> None:
    settings = {"coding": Coding.EVEN, "rule": Rule.WINNER_K, "k": 4, "t_max": 12, "skip": 2, "readout": readout}
    outcomes = check(unit(phases=phases), settings, stall, count=5)
    assert {outcome.reason for outcome in outcomes} >= {1}
    assert all(outcome.steps > 2 * phases for outcome in outcomes)


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
