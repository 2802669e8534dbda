"""Algorithm 2 on losses whose minimum is known, and what factors do to networks and chips."""

import math
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.ir.network import Network
from spikeloom.sw.passes.calibrate import row_codes
from spikeloom.sw.passes.float_snn import spiking_network
from spikeloom.sw.passes.tune import Cost, Factors, Tuning, scale_chip, scale_network, tune
from tests.fixtures.models import make_chip, make_images

IMAGES = make_images(80, 20, seed=6)


def bowl(*goal: float):
    """A loss that is least at `goal`, steeper the further away in ratio."""

    def measure(factors: Factors) -> Cost:
        loss = sum(math.log(f / g) ** 2 for f, g in zip(factors, goal, strict=True))
        return Cost(loss, 1.0, 1.0)

    return measure


@pytest.mark.parametrize("goal", [(1.0, 1.0), (2.0, 0.4, 1.3), (0.3,)])
def test_the_minimum_of_a_bowl_is_found(goal):
    found = tune(bowl(*goal), len(goal))
    np.testing.assert_allclose(found.factors, goal, rtol=0.02)
    assert found.after.loss < max(found.before.loss, 1e-4)  # the median, not the loss itself, never rises


def test_moves_follow_the_algorithm_by_hand():
    """One layer, one round, beta 1/2, loss |P - 2|: 1 -> 1.5 -> 2.25, up and down no better; the median is of 3."""
    asked = []

    def measure(factors: Factors) -> Cost:
        asked.append(factors[0])
        return Cost(abs(factors[0] - 2.0), float("nan"), 1.0)

    found = tune(measure, 1, Tuning(reductions=1, repeats=1))
    # medians of |0.5 P - 2|, |P - 2|, |1.5 P - 2|: 1 at P = 1 (1.5, 1, 0.5), 0.5 at 1.5 (1.25, 0.5, 0.25), and from
    # there 0.875 at 2.25 up, 1.25 at 0.75 down
    assert found.factors == (1.5,)
    assert asked == [1.0, 0.5, 1.5, 0.75, 2.25, 1.125, 3.375, 0.375]
    assert found.evaluations == 8 and found.before.loss == 1.0 and found.after.loss == 0.5


def test_a_failure_turns_round_once_and_a_success_keeps_the_direction():
    """Down is better from the start: up fails, then down as long as it helps, then up again, then the end."""
    visited = []

    def measure(factors: Factors) -> Cost:
        visited.append(factors[0])
        return Cost(max(factors[0], 0.2), float("nan"), 1.0)

    found = tune(measure, 1, Tuning(beta=0.5, reductions=1, repeats=1))
    assert found.factors == (0.125,)  # medians are 1, 0.5, 0.25, 0.2, and 0.2 again
    assert visited.index(2.25) < visited.index(0.25)  # of the medians at 1.5 and at 0.5


def test_one_outlier_does_not_move_a_factor():
    """A single lucky measurement at the candidate is not the median."""

    def measure(factors: Factors) -> Cost:
        return Cost(0.0 if factors[0] == 1.5 else 10.0, 1.0, 1.0)

    assert tune(measure, 1, Tuning(reductions=1, repeats=1)).factors == (1.0,)


def test_rounds_and_betas_are_those_of_table_1():
    seen = []
    found = tune(bowl(1.7, 0.6), 2, progress=lambda *now: seen.append(now))
    assert [move.layer for move in found.history] == [0, 1] * 8
    assert [move.round for move in found.history] == [n // 2 for n in range(16)]
    np.testing.assert_allclose([move.beta for move in found.history[::4]], [0.5, 0.1, 0.02, 0.004])
    assert [now[:2] for now in seen] == [(n, 16) for n in range(1, 17)] and seen[-1][2].startswith("loss ")
    assert found.history[-1].factors == found.factors and found.history[-1].cost == found.after


def test_a_loss_without_a_minimum_stops_at_the_limit():
    def falling(factors: Factors) -> Cost:
        return Cost(1.0 / factors[0], 1.0, 1.0)

    found = tune(falling, 1, Tuning(limit=4.0))
    assert 3.9 < found.factors[0] <= 4.0


def test_a_constant_loss_leaves_all_factors_at_one():
    assert tune(lambda factors: Cost(3.0, 1.0, 1.0), 3).factors == (1.0, 1.0, 1.0)


def test_accuracy_is_kept_where_asked_for():
    def measure(factors: Factors) -> Cost:
        return Cost(1.0 / factors[0], 0.98 - 0.1 * max(0.0, factors[0] - 2.0), 1.0)

    assert tune(measure, 1).factors[0] > 8
    found = tune(measure, 1, Tuning(accuracy_drop=0.01))
    assert 2.0 < found.factors[0] <= 2.1 and found.after.accuracy >= 0.97 - 1e-9
    with pytest.raises(ValueError, match=r"^accuracy_drop needs labels"):
        tune(lambda factors: Cost(1.0, float("nan"), 1.0), 1, Tuning(accuracy_drop=0.0))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"beta": 1.0}, "^beta must be above 0 and below 1, not 1.0"),
        ({"alpha": 0.0}, "^alpha must be above 0 and at most 1, not 0.0"),
        ({"reductions": 0}, "^reductions must be a positive integer, not 0"),
        ({"repeats": 1.5}, "^repeats must be a positive integer, not 1.5"),
        ({"limit": 1.0}, "^limit must be a finite number above 1, not 1.0"),
        ({"accuracy_drop": -0.1}, "^accuracy_drop must be None or in 0 .. 1, not -0.1"),
    ],
)
def test_settings_out_of_range(values, words):
    with pytest.raises(ValueError, match=words):
        Tuning(**values)
    with pytest.raises(ValueError, match=r"^There must be at least one layer to tune, not 0"):
        tune(bowl(), 0)


# Networks and chips


def test_factors_one_change_nothing():
    chip = make_chip()
    assert chip.passes is not None
    ones = (1.0, 1.0, 1.0)
    scaled = scale_chip(chip.programmed, ones)
    assert scaled.parameters == chip.programmed.parameters
    assert [layer.theta for layer in scaled.layers] == [layer.theta for layer in chip.programmed.layers]
    run_reference(chip.programmed, IMAGES).compare(run_reference(scaled, IMAGES))
    same = scale_network(chip.passes.normalised, ones)
    np.testing.assert_array_equal(same.layers[1].weight, chip.passes.normalised.layers[1].weight)


def test_a_factor_divides_the_threshold():
    """Weights and biases times P spike as thresholds (and start values and clips) divided by P."""
    chip = make_chip(neuron={"clip": 1.5})
    assert chip.passes is not None
    network, factors = chip.passes.normalised, (2.0, 0.5, 1.0)
    times = spiking_network(chip.programmed, scale_network(network, factors))
    plain = spiking_network(chip.programmed, network)
    divided = replace(
        plain,
        layers=tuple(
            replace(layer, theta=layer.theta / f, v0=layer.v0 / f, clip=layer.clip / f)
            for layer, f in zip(plain.layers, factors, strict=True)
        ),
    )
    runs = (each.run(len(IMAGES), row_codes(chip.programmed, IMAGES)) for each in (times, divided, plain))
    first, second, before = runs
    np.testing.assert_array_equal(first.classes, second.classes)
    np.testing.assert_array_equal(first.steps, second.steps)
    assert not np.array_equal(first.steps, before.steps)


def test_a_scaled_chip_keeps_levels_and_grows_its_registers():
    programmed = make_chip(neuron={"clip": 2.0}).programmed
    before = programmed.layers[0]
    scaled = scale_chip(programmed, (0.1, 4.0, 1000.0))
    after = scaled.layers[0]
    assert after.theta == round(before.theta / 0.1) > programmed.parameters.layers[0].max_theta
    assert scaled.parameters.layers[0].max_theta >= after.theta
    assert after.v0 == pytest.approx(before.v0 * 10, abs=1) and after.clip == pytest.approx(before.clip * 10, abs=1)
    assert after.positive is before.positive and after.bias is before.bias
    assert scaled.layers[1].theta == round(programmed.layers[1].theta / 4.0)
    assert scaled.layers[2].theta == 1 and scaled.layers[2].clip >= 1
    run_reference(scaled, IMAGES[:4])


def test_factors_that_do_not_fit():
    chip = make_chip()
    assert chip.passes is not None
    with pytest.raises(ValueError, match=r"^There are 3 layers, but 2 tuning factors are given"):
        scale_chip(chip.programmed, (1.0, 1.0))
    for bad in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"^Tuning factors must be positive finite numbers"):
            scale_network(Network(chip.passes.normalised.input, chip.passes.normalised.layers[:1]), (bad,))
