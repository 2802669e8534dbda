"""A learnt rule and tuned thresholds in the chip that `spikeloom.compile` makes: registers, weight image, Verilog."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.hw.params.parameters import DecisionRule
from spikeloom.sim.lifetime.search import frozen
from spikeloom.sw.chip import Chip
from spikeloom.sw.common.errors import CalibrationError, ConfigError, SpikeLoomWarning
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.decision.learn_rule import learn_rule
from spikeloom.sw.decision.trajectories import record_trajectories
from spikeloom.sw.passes.tune import Cost, Tuned
from spikeloom.sw.training.training import train
from tests.fixtures.drifting import DRIFT
from tests.fixtures.models import make_config, make_images, make_model

VALIDATION = 150
LEARNED = {"strategy": "learned"}
TUNED = Tuned((1.0, 1.0), Cost(9.0, 0.9, 3.0), Cost(8.0, 0.9, 2.0), (), 1)
QUICK = {"reductions": 2, "repeats": 1, "batch": 100}


def config(**tables: dict[str, Any]) -> Config:
    """With fixed settings of the conversion, which would else depend on the rule that is learnt."""
    convert = {"normalisation": "max", "weight_scale": "max", "adc_quantile": 1.0, "output_offset": "network"}
    tables = {**tables, "convert": {**convert, **tables.get("convert", {})}}
    return Config.load("tiny").updated({"data": {"validation_images": VALIDATION}, **tables})


@functools.cache
def digits() -> tuple[Any, Dataset, tuple[Any, Any]]:
    """A trained network, its training set, and images that were kept out."""
    data, validation = load_data("digits").split(VALIDATION)
    settings = config()
    return train(settings.train, data, settings.seed), data, validation


def compiled(**tables: dict[str, Any]) -> Chip:
    model, data, validation = digits()
    settings = config(**tables)
    chosen = settings.decision.strategy == "learned" or settings.convert.tune
    return spikeloom.compile(model, data.train_images[:200], settings, validation if chosen else None)


def registers(chip: Chip) -> list[Any]:
    """All that a chip is but for its cells and biases, which follow from the model."""
    layers = [{**vars(layer), "positive": 0, "negative": 0, "bias": 0} for layer in chip.programmed.layers]
    return [
        layers,
        chip.programmed.rule,
        chip.programmed.k,
        chip.programmed.t_max,
        chip.programmed.readout,
        chip.programmed.parameters,
    ]


def test_a_learnt_k_makes_the_chip_that_the_same_k_given_makes() -> None:
    learnt = compiled(decision=LEARNED)
    assert learnt.learnt_rule is not None and learnt.tuned is None and learnt.learnt_rule.images == VALIDATION
    k = learnt.learnt_rule.k
    assert k is not None and learnt.programmed.k == k and learnt.programmed.rule == DecisionRule.WINNER_K
    assert k == learnt.learnt_rule.search.best  # with these images there is no doubt about it
    assert registers(learnt) == registers(compiled(decision={"k": k}))
    assert registers(learnt) != registers(compiled(decision={"k": k + 1}))


def test_a_chip_that_nothing_is_worth_stopping_for_runs_to_t_max() -> None:
    """From black images, which never lead, no k can be learnt."""
    model, data, _ = digits()
    settings = config(decision={**LEARNED, "t_max": 3})
    with pytest.warns(SpikeLoomWarning, match="^Validation images are black: every pixel of 20 is 0"):
        chip = spikeloom.compile(
            model, data.train_images[:200], settings, (np.zeros((20, 64), np.uint8), np.arange(20) % 10)
        )
    assert chip.learnt_rule is not None and chip.learnt_rule.k is None and chip.learnt_rule.search.ks == (None,)
    assert chip.programmed.rule == DecisionRule.FIXED
    assert (chip.predict(data.test_images[:20]).steps == 3).all()


def test_tuned_thresholds_are_those_of_the_factors_and_the_converters_fit_them() -> None:
    given, chip = compiled(), compiled(convert={"tune": True}, tuning=QUICK)
    assert chip.tuned is not None and chip.learnt_rule is None and chip.passes is not None
    assert chip.passes.untuned is not None and chip.programmed.k == given.programmed.k
    assert [layer.theta for layer in chip.passes.untuned.layers] == [layer.theta for layer in given.programmed.layers]
    assert chip.tuned.factors != (1.0, 1.0) and chip.tuned.after.loss < chip.tuned.before.loss
    for before, after, factor in zip(given.programmed.layers, chip.programmed.layers, chip.tuned.factors, strict=True):
        assert after.theta == max(1, round(before.theta / factor))
        np.testing.assert_array_equal(after.positive, before.positive)


def test_converters_are_calibrated_for_the_tuned_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layer fires so seldom that a smaller step of the converter is enough for the second one's currents."""
    monkeypatch.setattr(
        "spikeloom.sw.compiler.pipeline.tune_chip",
        lambda programmed, *others: (programmed, replace(TUNED, factors=(0.1, 1.0))),
    )
    chip = compiled(convert={"tune": True}, crossbar={"adc_bits": 5})
    assert chip.passes is not None and chip.passes.untuned is not None
    before, after = (
        [layer.gain_shift for layer in programmed.layers] for programmed in (chip.passes.untuned, chip.programmed)
    )
    assert before[0] == after[0] and before[1] > after[1]


def test_k_is_learnt_before_tuning_and_once_more_if_asked() -> None:
    once = compiled(decision=LEARNED, convert={"tune": True}, tuning=QUICK)
    again = compiled(decision=LEARNED, convert={"tune": True}, tuning={**QUICK, "relearn": True})
    first = compiled(decision=LEARNED)
    assert first.learnt_rule is not None and once.learnt_rule is not None and again.learnt_rule is not None
    assert once.learnt_rule.before is None and once.learnt_rule.k == first.learnt_rule.k == once.programmed.k
    assert again.learnt_rule.before is not None and again.learnt_rule.before.k == first.learnt_rule.k
    assert again.tuned == once.tuned and again.programmed.k == again.learnt_rule.k
    assert again.learnt_rule.search.accuracy.tolist() != first.learnt_rule.search.accuracy.tolist()


def test_learning_does_not_depend_on_the_order_of_images_where_cells_drift() -> None:
    """With cells that drift fast, images one after another would be worse and worse."""
    device = {**DRIFT, "read_polarity": "negative", "acceleration": 1e9}
    chip = compiled(device=device, decision=LEARNED)
    assert chip.learnt_rule is not None
    fresh = record_trajectories(frozen(chip.programmed), *digits()[2])
    stopped = fresh.stopped(chip.learnt_rule.k)
    index = chip.learnt_rule.search.ks.index(chip.learnt_rule.k)
    assert chip.learnt_rule.search.accuracy[index] == pytest.approx(stopped[1].mean(), abs=0.02)
    worn = record_trajectories(chip.programmed, *digits()[2])
    assert worn.stopped(None)[1].mean() < chip.learnt_rule.search.accuracy[-1] - 0.1


def test_a_membrane_readout_is_learnt_in_units_of_its_register() -> None:
    chip = compiled(decision={**LEARNED, "readout": "membrane"}, neuron={"output_reset": "none"})
    assert chip.learnt_rule is not None and chip.learnt_rule.k is not None
    unit = chip.learnt_rule.q_values.unit
    assert unit > 1 and chip.programmed.k == chip.learnt_rule.k and chip.programmed.k % unit == 0


def test_tuning_leaves_an_output_layer_alone_whose_membranes_are_read() -> None:
    """Its threshold decides nothing, and a factor that changes nothing is not taken."""
    tables = {"decision": {"readout": "membrane", "k": 1.0}, "neuron": {"output_reset": "none"}}
    chip = compiled(**tables, convert={"tune": True}, tuning=QUICK)
    assert chip.tuned is not None and chip.tuned.factors[0] != 1.0 and chip.tuned.factors[1] == 1.0
    assert chip.programmed.k == chip.programmed.layers[1].theta == compiled(**tables).programmed.layers[1].theta


def test_the_weight_image_holds_what_was_found(tmp_path: Path) -> None:
    chip = compiled(decision=LEARNED, convert={"tune": True}, tuning=QUICK)
    loaded = spikeloom.load(chip.save(tmp_path / "chip.loom"))
    assert registers(chip) == registers(loaded) and loaded.config == chip.config
    assert loaded.learnt_rule is None and loaded.tuned is None


@pytest.mark.parametrize("through_bus", [False, True])
def test_the_verilog_runs_what_was_found(through_bus: bool) -> None:
    """A learnt k and tuned thresholds, on noisy cells that drift: all bits of the reference."""
    device = {**DRIFT, "acceleration": 1e7, "read_sigma": 0.02, "device_sigma": 0.05}
    chip = compiled(device=device, decision=LEARNED, convert={"tune": True}, tuning=QUICK)
    assert chip.tuned is not None and chip.tuned.factors != (1.0, 1.0)
    images = digits()[1].test_images[:10]
    reference = chip.predict(images, trace="full")
    assert reference.compare(chip.cosim(images, trace="full", through_bus=through_bus)) > 0
    assert set(reference.reasons.tolist()) >= {1}


def test_a_model_that_was_not_trained_here(tmp_path: Path) -> None:
    images = make_images(60, 20)
    labels = np.arange(60) % 5
    seen: list[tuple[int, int, str]] = []
    settings = make_config(decision=LEARNED, convert={"tune": True}, tuning={"reductions": 1, "repeats": 1})
    chip = spikeloom.compile(
        make_model(20, 12, 5), images, settings, [images / 255.0, labels.tolist()], lambda *told: seen.append(told)
    )
    assert chip.learnt_rule is not None and chip.tuned is not None and chip.learnt_rule.images == 60
    texts = [text for _, _, text in seen if not text.startswith("passes, ")]
    assert texts[0] == "images run to learn from" and texts[-1].startswith("factors, tuning: loss ")
    assert any(text.startswith("images shown, learning k: k ") for text in texts)
    assert all(0 < done <= total for done, total, _ in seen)
    text = chip.report(tmp_path, images[:5], labels[:5]).read_text()
    assert "60 validation images" in " ".join(text.split()) and 'alt="Progress of the tuning"' in text


def test_learning_is_the_same_every_time() -> None:
    chip, (_, _, validation) = compiled(decision=LEARNED), digits()
    assert chip.learnt_rule is not None
    once, again, other = (
        learn_rule(chip.programmed, *validation, chip.config.learning, seed).q_values.table for seed in (3, 3, 4)
    )
    assert once.tolist() == again.tolist() != other.tolist()


PAIR = (make_images(6, 20), np.zeros(6, int))


@pytest.mark.parametrize(
    ("tables", "validation", "kind", "sentence"),
    [
        (
            {"decision": LEARNED},
            None,
            ConfigError,
            r"^tiny: \[decision\] strategy 'learned' needs labelled validation images: give spikeloom.compile "
            "validation=",
        ),
        (
            {"convert": {"tune": True}},
            None,
            ConfigError,
            r"^tiny: \[convert\] tune true needs labelled validation images",
        ),
        (
            {},
            PAIR,
            ConfigError,
            r"^tiny: validation images are given, but nothing uses them with \[decision\] strategy "
            r"'given' and \[convert\] tune false; leave validation out, or set \[decision\] strategy 'learned' or",
        ),
        ({"decision": LEARNED}, PAIR[0], TypeError, r"^validation must be a pair \(images, labels\), not ndarray$"),
        ({"decision": LEARNED}, (PAIR[0][:0], []), CalibrationError, r"^The validation set is empty; learning and"),
        (
            {"decision": LEARNED},
            (PAIR[0][:, :9], PAIR[1]),
            CalibrationError,
            r"^Validation images must have shape .*\(6, 9\)",
        ),
        ({"decision": LEARNED}, (PAIR[0], PAIR[1][:5]), ValueError, r"^Validation labels must have shape \(6,\)"),
        ({"decision": LEARNED}, (PAIR[0], PAIR[1] + 5), ValueError, r"^Validation labels must lie in 0 .. 4"),
        ({"decision": LEARNED}, (PAIR[0], PAIR[1] * 0.5), TypeError, r"^Validation labels must be integers"),
        ({"decision": LEARNED}, ("images", PAIR[1]), TypeError, r"^Validation images must be "),
    ],
)
def test_validation_images_that_are_missing_or_do_not_fit(
    tables: dict[str, Any], validation: Any, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        spikeloom.compile(make_model(20, 12, 5), PAIR[0], make_config(**tables), validation)
