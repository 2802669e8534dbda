"""Cell pairs and thresholds."""

import numpy as np
import pytest

from spikeloom.sw.ir.network import Network
from spikeloom.sw.passes.quantise import MAX_THETA, on_grid, quantise, threshold_for

RNG = np.random.default_rng(3)


def levels(weight: np.ndarray, bits: int = 4, rule: str = "max", factor: float = 1.0):
    bias = np.linspace(-1, 1, len(weight))
    return quantise(Network.dense(("a", weight, bias, None)), bits, rule, factor)[0]


@pytest.mark.parametrize("bits", [1, 2, 4, 6])
def test_one_side_of_each_pair_is_zero_and_values_are_near(bits):
    weight = RNG.normal(size=(5, 9)) * 0.2
    layer = levels(weight, bits)
    top = (1 << bits) - 1
    assert layer.positive.dtype == np.uint8 and layer.positive.shape == (9, 5)
    assert not np.any((layer.positive > 0) & (layer.negative > 0))
    assert max(layer.positive.max(), layer.negative.max()) <= top
    np.testing.assert_allclose(layer.weights * layer.scale, weight.T, atol=layer.scale / 2 + 1e-12)
    assert layer.theta * layer.scale == pytest.approx(1.0)
    np.testing.assert_array_equal(layer.bias, np.rint(np.linspace(-1, 1, 5) * layer.theta))


def test_biases_are_multiplied_before_they_are_rounded():
    weight = RNG.normal(size=(5, 9)) * 0.01
    plain, smaller = levels(weight), levels(weight, factor=255 / 256)
    np.testing.assert_array_equal(smaller.bias, np.rint(np.linspace(-1, 1, 5) * 255 / 256 * plain.theta))


def test_mse_is_at_least_as_near_as_max():
    weight = RNG.normal(size=(50, 40)) * 0.05
    weight[0, 0] = 0.6  # an outlier that spoils the scale "max"
    errors = {
        rule: np.mean((levels(weight, 4, rule).weights * levels(weight, 4, rule).scale - weight.T) ** 2)
        for rule in ("max", "mse")
    }
    assert errors["mse"] < 0.8 * errors["max"]


def test_extreme_weights():
    assert threshold_for(np.zeros((2, 2)), 15, "max") == (15, 1 / 15)
    assert threshold_for(np.full((2, 2), 1e-9), 15, "max") == (MAX_THETA, 1 / MAX_THETA)
    assert threshold_for(np.full((2, 2), 30.0), 15, "max") == (1, 2.0)
    assert threshold_for(np.full((2, 2), 30.0), 15, "mse") == (1, 2.0)
    assert np.all(levels(np.full((2, 2), 30.0)).weights == 15)


@pytest.mark.parametrize("top", [13, 14, 15])
def test_weights_that_are_levels_already_keep_their_threshold(top):
    """Even if the top level is not among them, and a larger threshold would fit."""
    expected = RNG.integers(-top, top + 1, (30, 20))
    expected[0, 0] = top
    layer = levels((expected / 18).astype(np.float32).astype(np.float64), 4, "mse")
    assert layer.theta == 18
    np.testing.assert_array_equal(layer.weights.T, expected)


def test_max_puts_the_largest_weight_at_the_top_level_whatever_training_did():
    weight = RNG.integers(-13, 14, (30, 20)) / 18.0
    weight[0, 0] = 13.0 / 18.0
    assert levels(weight, 4, "max").theta == int(15 / (13.0 / 18.0)) == 20
    assert np.abs(levels(weight, 4, "max").weights).max() == 14


def test_a_grid_is_seen_at_any_scale():
    weight = RNG.integers(-15, 16, (30, 20)) * 0.0371
    weight[0, 0] = 15 * 0.0371
    assert on_grid(weight, 15) and not on_grid(weight, 14) and not on_grid(RNG.normal(size=(30, 20)), 15)
