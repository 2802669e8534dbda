"""Units with maps on small random plans against plain integers: decisions, reads, activity and cycles."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.cycles import Macro, image_cycles, step_cycles
from spikeloom.hw.params.decision_rules import DECISION_RULES, verdict_cycles
from spikeloom.hw.params.parameters import Coding, DecisionRule, LayerParameters, NpuParameters, Readout, Reset
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage, PoolStage
from tests.hw.encoder.test_spike_encoder import vectors_of
from tests.hw.test_npu import Run
from tests.models.map_model import run_golden_maps
from tests.models.network_model import Outcome, random_layer

COMMON = {"tile_rows": 5, "tile_columns": 3, "adc_bits": 5, "max_gain_shift": 3, "max_theta": 63, "max_bias": 15}


def unit_of(plan: Plan, phases: int = 1, row_bits: int = 1, lanes: int = 3) -> NpuParameters:
    """A unit for a plan, small in every respect."""
    layers = tuple(
        LayerParameters(
            inputs=plan.rows(placement.stage),
            outputs=plan.maps[placement.number + 1].channels,
            positions=placement.positions,
            row_bits=row_bits if placement.stage.layer == 0 else 1,
            lanes=min(lanes, plan.maps[placement.number + 1].channels),
            phases=phases,
            max_steps=12,
            **COMMON,
        )
        for placement in plan.placements
    )
    lanes = min(4, plan.input.size)
    return NpuParameters(layers=layers, plan=plan, phases=phases, max_steps=12, encoder_lanes=lanes, pulse_cycles=2)


def convolution() -> Plan:
    """2 x 5 x 4 -> conv 3x3, padded -> dense."""
    image = MapShape(channels=2, height=5, width=4)
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
        CrossbarStage(layer=1, windows=(Window.whole(1, MapShape(channels=4, height=5, width=4)),)),
    )
    return Plan(input=image, stages=stages, channels=(4, 3))


def pooled(kind: type[PoolStage]) -> Plan:
    """1 x 6 x 7 -> conv 2x2 -> pool 2x3, a line left over -> conv 2x1, padded -> pool -> dense."""
    pool = kind(window=Window(source=1, kernel=(2, 3), stride=(2, 3)), start=3 * (kind == AveragePoolStage))
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(2, 2)),)),
        pool,
        CrossbarStage(layer=1, windows=(Window(source=2, kernel=(2, 1), padding=(1, 0)),)),
        kind(window=Window(source=3, kernel=(2, 1), stride=(2, 1))),
        CrossbarStage(layer=2, windows=(Window(source=4, kernel=(1, 2)),)),
    )
    return Plan(input=MapShape(channels=1, height=6, width=7), stages=stages, channels=(4, 5, 3))


def residual() -> Plan:
    """2 x 4 x 4 -> conv -> conv joined with the image (1x1) -> strided conv joined with a strided 1x1 -> dense."""
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
        CrossbarStage(layer=1, windows=(Window(source=1, kernel=(3, 3), padding=(1, 1)), Window(source=0))),
        CrossbarStage(
            layer=2,
            windows=(
                Window(source=2, kernel=(3, 3), stride=(2, 2), padding=(1, 1)),
                Window(source=2, stride=(2, 2)),
                Window(source=0, kernel=(2, 2), stride=(2, 2)),
            ),
        ),
        CrossbarStage(layer=3, windows=(Window(source=3, kernel=(2, 2)),)),
    )
    return Plan(input=MapShape(channels=2, height=4, width=4), stages=stages, channels=(2, 3, 3, 4))


def hidden() -> Plan:
    """1 x 3 x 3 -> conv 2x2 -> dense -> dense: layers with a single position between others."""
    shape = MapShape(channels=2, height=2, width=2)
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(2, 2)),)),
        CrossbarStage(layer=1, windows=(Window.whole(1, shape),)),
        CrossbarStage(layer=2, windows=(Window(source=2),)),
    )
    return Plan(input=MapShape(channels=1, height=3, width=3), stages=stages, channels=(2, 5, 3))


def single(shape: MapShape) -> Plan:
    """One dense layer on the image's map."""
    return Plan(input=shape, stages=(CrossbarStage(layer=0, windows=(Window.whole(0, shape),)),), channels=(3,))


def check(
    parameters: NpuParameters,
    settings: dict[str, int],
    stall: float = 0.0,
    registers: dict[str, int] | None = None,
    count: int = 3,
    **how: Any,
) -> list[Outcome]:
    """Images through the unit, every one compared with the golden model; `how` is for `Run`."""
    rng = random.Random(len(parameters.layers) + parameters.phases)
    layers = [random_layer(p, rng, **(registers or {"theta": 12})) for p in parameters.layers]
    for placement, layer in zip(parameters.plan.placements, layers, strict=True):  # biases show whose word it is
        layer.weights = layers[placement.stage.layer].weights
    images = [[rng.choice([0, 0, 255, rng.randrange(256)]) for _ in range(parameters.inputs)] for _ in range(count - 1)]
    images.insert(rng.randrange(count), [0] * parameters.inputs)
    seeds = [rng.getrandbits(128) for _ in images]
    tags = [rng.getrandbits(16) for _ in images]
    run = Run(parameters, layers, settings, stall, **how)
    run.images(images, seeds, tags)
    names = ("rule", "k", "stable_theta", "t_max", "skip", "readout")
    decision = {name: settings[name] for name in names if name in settings}
    bits = parameters.encoded.row_bits
    outcomes = []
    for index, (image, seed, result) in enumerate(zip(images, seeds, run.results, strict=True)):
        vectors = vectors_of(parameters, image, CODINGS[int(settings["coding"])], settings["t_max"], seed, 0)
        encoded = [[v["rows"] >> row * bits & (1 << bits) - 1 for row in range(parameters.inputs)] for v in vectors]
        outcome = run_golden_maps(parameters, layers, encoded, **decision)
        found = {name: result[name] for name in ("winner", "steps", "margin", "reason", "activity")}
        assert found == {name: getattr(outcome, name) for name in found}
        assert (result["tag"], result["overflow"]) == (tags[index], 0)
        columns = zip(*outcome.inputs, strict=True)
        reads = [[rows for windows in layer for rows in windows or [] if any(rows)] for layer in columns]
        assert result["reads"] == reads
        if not stall:
            macro = Macro(max(parameters.pulse_cycles, run.settle), run.wait + 1)
            steps = [
                step_cycles(
                    parameters,
                    [[any(rows) for rows in windows or [[]]] for windows in step],
                    macro,
                    skipped=step[-1] is None,
                    rule=verdict_cycles(DECISION_RULES[int(settings.get("rule", 0))], parameters),
                )
                for step in outcome.inputs
            ]
            start, vector, _ = run.start(index)
            assert result["cycles"] == image_cycles(parameters, steps, vector)
            assert run.taken[index] - start - result["cycles"] in range(run.late + 1)
        outcomes.append(outcome)
    return outcomes


PLANS = {
    "convolution": convolution(),
    "max": pooled(MaxPoolStage),
    "average": pooled(AveragePoolStage),
    "residual": residual(),
    "dense": single(MapShape(channels=2, height=2, width=3)),
    "hidden": hidden(),
}


@pytest.mark.halved
@pytest.mark.parametrize(("phases", "stall"), [(1, 0.0), (3, 0.0), (3, 0.4)])
@pytest.mark.parametrize("name", PLANS)
def test_plans(name: str, phases: int, stall: float) -> None:
    check(unit_of(PLANS[name], phases), {"coding": Coding.EVEN if phases == 1 else Coding.PHASE, "t_max": 4}, stall)


REPLICAS = {
    "two": convolution().with_replicas((2, 1)),
    "three": convolution().with_replicas((3, 1)),
    "seven": convolution().with_replicas((7, 1)),
    "a position each": convolution().with_replicas((20, 1)),
    "pooled": pooled(MaxPoolStage).with_replicas((4, 5, 1)),
    "joined": residual().with_replicas((2, 3, 4, 1)),
    "one of three": residual().with_replicas((1, 5, 1, 1)),
}
LONG_COPIES = ("two", "joined", "seven", "a position each", "one of three")


@pytest.mark.halved
@pytest.mark.parametrize(("phases", "stall"), [(1, 0.0), (2, 0.4)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LONG_COPIES else []) for name in REPLICAS]
)
def test_replicas(name: str, phases: int, stall: float) -> None:
    """Every window by its replica, with its registers, its own reads and counters; cycles as the formula says."""
    check(unit_of(REPLICAS[name], phases), {"coding": Coding.EVEN if phases == 1 else Coding.PHASE, "t_max": 4}, stall)


@pytest.mark.parametrize(
    ("lanes", "settle", "wait"),
    [
        (1, 1, 0),
        (2, 9, 2),
        *(
            pytest.param(lanes, settle, wait, marks=pytest.mark.slow)
            for lanes, settle, wait in ((2, 1, 0), (1, 5, 0), (2, 5, 0), (1, 9, 2))
        ),
    ],
)
def test_cycles_of_copies(lanes: int, settle: int, wait: int) -> None:
    """Crossbars that are slower than the gathering, or faster; several groups and slow converters."""
    for replicas in ((3, 1), (4, 1)):
        parameters = unit_of(convolution().with_replicas(replicas), lanes=lanes)
        check(parameters, {"coding": Coding.EVEN, "t_max": 3}, count=2, settle=settle, wait=wait)


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("name", ["max", "dense"])
def test_winner_k_and_skipped_periods(name: str, stall: float) -> None:
    settings = {
        "coding": Coding.EVEN,
        "rule": DecisionRule.WINNER_K,
        "k": 2,
        "t_max": 8,
        "skip": 1,
        "readout": Readout.MEMBRANE,
    }
    outcomes = check(unit_of(PLANS[name], 2), settings, stall)
    assert {outcome.reason for outcome in outcomes} >= {1}
    assert all(outcome.steps > 2 for outcome in outcomes)


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_a_stable_class_and_skipped_periods(stall: float) -> None:
    settings = {
        "coding": Coding.EVEN,
        "rule": DecisionRule.STABLE,
        "stable_theta": 200,
        "t_max": 8,
        "skip": 1,
        "readout": Readout.MEMBRANE,
    }
    outcomes = check(replace(unit_of(PLANS["max"], 2), rules=DECISION_RULES.unit), settings, stall, count=4)
    assert {outcome.reason for outcome in outcomes} >= {1}
    assert all(outcome.steps > 3 for outcome in outcomes)


@pytest.mark.halved
@pytest.mark.parametrize("reset", list(Reset))
def test_membranes_of_every_position(reset: Reset) -> None:
    """Leak, start, clip and resets, so that a membrane that belongs to another position would show."""
    registers = {"theta": 9, "reset": reset, "leak": 3, "v0": 4, "clip": 40, "gain": 1}
    check(unit_of(PLANS["convolution"], 2), {"coding": Coding.RATE, "t_max": 6}, 0.0, registers)


def test_analog_image() -> None:
    """Row codes of 8 bits; the first layer reads two windows of the image."""
    window = Window(source=0, kernel=(2, 3), stride=(1, 2), padding=(0, 1))
    stages = (
        CrossbarStage(layer=0, windows=(window, Window(source=0, kernel=(2, 1), stride=(1, 2)))),
        CrossbarStage(layer=1, windows=(Window(source=1, kernel=(3, 2)),)),
    )
    plan = Plan(input=MapShape(channels=2, height=4, width=4), stages=stages, channels=(3, 3))
    for replicas in ((1, 1), (3, 1)):
        check(unit_of(plan.with_replicas(replicas), row_bits=8), {"coding": Coding.ANALOG, "t_max": 3})


@pytest.mark.parametrize("name", ["residual", "dense"])
def test_dropped_images_leave_nothing(name: str) -> None:
    """Parts of images between whole ones, and results that are taken late."""
    settings = {"coding": Coding.RATE, "rule": DecisionRule.WINNER_K, "k": 2, "t_max": 3}
    check(unit_of(PLANS[name]), settings, 0.2, count=6, drops=True, late=20)
