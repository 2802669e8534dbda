from __future__ import annotations

import pytest

import spikeloom
from spikeloom.sw.datasets.datasets import load_data
from spikeloom.sw.experiments.winner_k.cases import CASES, VARIANTS, case
from spikeloom.sw.experiments.winner_k.scale import Scale, full, quick
from spikeloom.sw.experiments.winner_k.sensitivity import ASSUMPTIONS, Assumption
from spikeloom.sw.training.training import train


@pytest.mark.parametrize("scale", [full(), quick()], ids=["full", "quick"])
def test_all_cases_have_the_same_devices_and_data(scale: Scale) -> None:
    configs = [scale.config(each, 3) for each in (*CASES, *VARIANTS)]
    for config in configs:
        assert config.device == scale.base.device and config.crossbar == scale.base.crossbar and config.seed == 3
        assert config.device.drifts and config.device.drift_every == 1 and config.device.bits == 4
        assert config.data.validation_images > 0 and config.decision.t_max == 20


@pytest.mark.parametrize("scale", [full(), quick()], ids=["full", "quick"])
def test_the_papers_cases_have_the_papers_method(scale: Scale) -> None:
    for each in CASES[:5]:
        config = scale.config(each, 1)
        assert (config.coding.input, config.neuron.reset, config.neuron.output_reset, config.neuron.v0) == (
            "rate",
            "zero",
            "zero",
            0.0,
        )
        assert config.train.activation == "relu" and config.train.activation_levels == 0
    learnt = scale.config(case("OT"), 1).learning
    assert (learnt.reward_correct, learnt.reward_wrong, learnt.reward_step) == (50.0, -50.0, -1.0)
    assert (learnt.rate, learnt.discount) == (0.1, 0.9)
    tuning = scale.config(case("OT"), 1).tuning
    assert (tuning.beta, tuning.alpha, tuning.reductions, tuning.repeats) == (0.5, 0.2, 4, 2)


def test_the_full_experiment_is_the_papers_network() -> None:
    base = full().base
    assert base.data.set == "mnist" and base.train.hidden == (1000, 30)


def test_every_assumption_is_a_configuration_and_changes_something() -> None:
    scale = full()
    for assumption in ASSUMPTIONS:
        plain = [scale.config(case(name), 1) for name in ("99N", "OT")]
        changed = [
            scale.config(case("99N"), 1, assumption.both),
            scale.config(case("OT"), 1, {**assumption.both, **assumption.tuned}),
        ]
        moved = changed != plain or bool(assumption.train) or assumption.threshold != 0.85
        assert moved == (assumption.name != "as-above")
    assert {each.name for each in ASSUMPTIONS} >= set(quick().assumptions or ())


@pytest.mark.slow
@pytest.mark.parametrize(
    "assumption",
    [
        pytest.param(
            each, id=each.name, marks=[pytest.mark.slow] if each.both.get("device", {}).get("wire_ohm") else []
        )
        for each in ASSUMPTIONS
        if each.both
    ],
)
def test_an_assumption_about_the_chip_makes_another_chip(assumption: Assumption) -> None:
    """A setting that the network's own rounding undoes would be the row above once more."""
    scale = quick()
    images = []
    for changes in ({}, assumption.both):
        config = scale.config(case("99N"), 1, changes)
        section = config.updated({"train": {"epochs": 1}}).train
        data = load_data("digits")
        chip = spikeloom.compile(train(section, data, 1), data.train_images[:200], config).programmed
        levels = [(layer.positive.tobytes(), layer.negative.tobytes(), layer.theta) for layer in chip.layers]
        images.append((levels, chip.parameters, chip.device))
    assert images[0] != images[1]
