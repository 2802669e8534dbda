"""Normalised networks: the same classes, activations of at most 1."""

import numpy as np
import pytest

from spikeloom.sw.ir.graph import Rectifier
from spikeloom.sw.ir.network import Network
from spikeloom.sw.passes.normalise import activation_scales, normalise

RNG = np.random.default_rng(2)
IMAGES = RNG.integers(0, 256, (100, 8), dtype=np.uint8)


def network(clip: float = float("inf")) -> Network:
    return Network.dense(
        ("a", RNG.normal(size=(6, 8)) * 3, RNG.normal(size=6), Rectifier("r", clip)),
        ("b", RNG.normal(size=(4, 6)) * 2, RNG.normal(size=4), None),
    )


def test_max_makes_the_largest_activation_one_and_keeps_classes():
    before = network()
    after = normalise(before, activation_scales(before, IMAGES, [1.0])[0])
    for values in after.activations(IMAGES):
        assert values.max() == pytest.approx(1.0)
    np.testing.assert_array_equal(after.classes(IMAGES), before.classes(IMAGES))


def test_percentile_is_of_the_positive_activations():
    before = network()
    scales, largest = activation_scales(before, IMAGES, [0.9, 1.0])
    for scale, values in zip(scales, before.activations(IMAGES), strict=True):
        assert scale == pytest.approx(np.percentile(values[values > 0], 90))
    assert largest == [values.max() for values in before.activations(IMAGES)]


def test_a_clip_becomes_the_threshold():
    before = network(clip=0.5)
    after = normalise(before, activation_scales(before, IMAGES, [1.0])[0])
    rectifier = after.layers[0].rectifier
    assert rectifier is not None and rectifier.clip == pytest.approx(1.0)


def test_a_silent_layer_keeps_its_scale():
    silent = Network.dense(("a", np.zeros((3, 8)), np.full(3, -1.0), None))
    assert activation_scales(silent, IMAGES, [1.0, 0.9]) == [[1.0], [1.0]]
