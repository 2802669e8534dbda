"""Equation 6 counted from every spike; tuning as a pass makes it smaller, the same way every time."""

import functools
from dataclasses import replace

import numpy as np
import pytest

import spikeloom
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.waterfall import wide_adc
from spikeloom.sw.chip import Chip
from spikeloom.sw.common.errors import CalibrationError
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.passes.tune import Tuning, scale_chip
from spikeloom.sw.passes.tune_loss import ChipLoss, FloatLoss, tune_chip, tune_network, weighted_spikes
from spikeloom.sw.training.training import train
from tests.fixtures.models import make_chip, make_images

IMAGES = make_images(120, 20, seed=6)
LABELS = np.random.default_rng(3).integers(0, 5, 120)
QUICK = Tuning(reductions=2, repeats=1)


@functools.cache
def digits() -> tuple[Chip, Dataset]:
    plain = {"normalisation": "max", "weight_scale": "max", "output_offset": "network"}  # which leaves room to tune
    config = Config.load("tiny").updated({"decision": {"t_max": 12}, "convert": plain})
    data = load_data("digits")
    return spikeloom.compile(train(config.train, data, config.seed), data.train_images[:200], config), data


def counted(programmed: ProgrammedChip, ids: np.ndarray) -> float:
    """Equation 6 from the recorded spikes of hidden layers and the encoder's rows."""
    result = run_reference(programmed, IMAGES[ids], ids, trace="spikes")
    assert result.trace is not None
    loss = 0.0
    for index, shape in enumerate(programmed.parameters.layers):
        if index:
            into = result.trace.unpacked(index - 1).sum() / len(ids)
        else:
            into = result.activity["row_pulses"][:, 0].mean() / shape.column_tiles
        loss += shape.outputs * into / shape.inputs
    return loss


@pytest.mark.parametrize("tables", [{}, {"coding": {"input": "analog"}}, {"coding": {"input": "rate"}}])
def test_the_loss_counts_spikes_into_layers(tables):
    programmed = make_chip(device={"read_sigma": 0.05}, crossbar={"tile_columns": 5}, **tables).programmed
    assert programmed.parameters.layers[0].column_tiles == 3
    loss = ChipLoss(programmed, IMAGES, LABELS, batch=40, seed=2)
    ids = np.sort(np.random.default_rng(2).permutation(120)[:40])
    for factors in ((1.0, 1.0, 1.0), (2.0, 0.5, 1.0)):
        cost = loss(factors)
        scaled = scale_chip(programmed, factors)
        assert cost.loss == pytest.approx(counted(scaled, ids))
        result = run_reference(scaled, IMAGES[ids], ids)
        assert cost.accuracy == result.accuracy(LABELS[ids]) and cost.steps == result.steps.mean()


def test_weights_of_equation_6():
    programmed = make_chip().programmed
    assert weighted_spikes(np.array([20.0, 6.0, 3.5]), programmed) == pytest.approx(12 + 6 * 7 / 12 + 3.5 * 5 / 7)


def test_programmed_cells_are_used_again_up_to_the_limit(monkeypatch):
    programmed = make_chip(device={"device_sigma": 0.1}).programmed
    loss = ChipLoss(programmed, IMAGES, batch=20, limit=8.0)
    given = []

    def run(chip, images, ids, arrays):
        given.append(arrays is not None)
        return run_reference(chip, images, ids, arrays=arrays)

    monkeypatch.setattr("spikeloom.sw.passes.tune_loss.run_reference", run)
    for factor in (1 / 8, 1 / 16, 8.0):
        loss((factor,) * 3)
    assert given == [True, True, True]
    loss((1 / 40, 1.0, 1.0))
    assert given[-1] is False


def test_float_and_integer_losses_agree_on_an_ideal_chip():
    """The integers, taken as a network with thresholds 1, in real numbers and through ideal cells.

    In real numbers a membrane that reaches its threshold exactly may miss it by rounding; here most thresholds are 16
    levels, whose parts are exact.
    """
    chip = make_chip(convert={"normalisation": "max", "weight_scale": "max", "output_offset": "network"})
    assert chip.passes is not None
    programmed = wide_adc(
        replace(chip.programmed, device=chip.programmed.device.model_copy(update={"read_sigma": 0.0}))
    )
    network = chip.passes.normalised
    layers = tuple(
        replace(layer, weight=part.weights.T / part.theta, bias=part.bias / part.theta)
        for layer, part in zip(network.layers, programmed.layers, strict=True)
    )
    network = replace(network, stages=layers)
    integer, real = (
        ChipLoss(programmed, IMAGES, LABELS, batch=60)((1.0,) * 3),
        FloatLoss(network, programmed, IMAGES, LABELS, 60),
    )
    found = real((1.0,) * 3)
    assert found.loss == pytest.approx(integer.loss, rel=0.02) and found.steps == pytest.approx(integer.steps, rel=0.02)
    assert found.accuracy == pytest.approx(integer.accuracy, abs=0.05)


def test_tuning_a_chip_saves_spikes_and_is_the_same_every_time():
    programmed = make_chip(decision={"t_max": 12}).programmed
    new, tuned = tune_chip(programmed, IMAGES, settings=QUICK, batch=60, seed=3)
    again, same = tune_chip(programmed, IMAGES, settings=QUICK, batch=60, seed=3)
    other = tune_chip(programmed, IMAGES, settings=QUICK, batch=60, seed=4)[1]
    assert repr(tuned) == repr(same) != repr(other)  # repr: NaN accuracies are not equal
    assert [layer.theta for layer in new.layers] == [layer.theta for layer in again.layers]
    assert tuned.after.loss < tuned.before.loss and np.isnan(tuned.after.accuracy)
    assert [layer.theta for layer in new.layers] == [
        max(1, round(layer.theta / factor)) for layer, factor in zip(programmed.layers, tuned.factors, strict=True)
    ]


def test_tuning_a_network_saves_spikes():
    chip = make_chip(decision={"t_max": 12})
    assert chip.passes is not None
    network, tuned = tune_network(chip.passes.normalised, chip.programmed, IMAGES, settings=QUICK, batch=60)
    assert tuned.after.loss < tuned.before.loss
    for before, after, factor in zip(chip.passes.normalised.layers, network.layers, tuned.factors, strict=True):
        np.testing.assert_allclose(after.weight, before.weight * factor)
        np.testing.assert_allclose(after.bias, before.bias * factor)


def test_digits_keep_their_accuracy_where_asked_for():
    chip, data = digits()
    seen = []
    images, labels = data.train_images[-200:], data.train_labels[-200:]
    settings = Tuning(reductions=2, repeats=1, accuracy_drop=0.01)
    new, tuned = tune_chip(chip.programmed, images, labels, settings, 200, progress=lambda *now: seen.append(now))
    assert tuned.after.loss < tuned.before.loss and tuned.after.accuracy >= tuned.before.accuracy - 0.01
    assert seen[-1][:2] == (4, 4)
    result = run_reference(new, images)
    assert result.accuracy(labels) == tuned.after.accuracy and result.steps.mean() == tuned.after.steps


def test_images_and_labels_that_cannot_be_used():
    programmed = make_chip().programmed
    with pytest.raises(CalibrationError, match=r"^The calibration set is empty; tuning needs at least one image"):
        tune_chip(programmed, IMAGES[:0])
    with pytest.raises(ValueError, match=r"^Labels must have shape \(120,\)"):
        tune_chip(programmed, IMAGES, LABELS[:3])
    with pytest.raises(ValueError, match=r"^batch must be a positive integer, not 0"):
        tune_chip(programmed, IMAGES, batch=0)
    with pytest.raises(ValueError, match=r"^accuracy_drop needs labels"):
        tune_chip(programmed, IMAGES, settings=Tuning(accuracy_drop=0.0), batch=10)
