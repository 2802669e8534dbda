"""What a chip is judged by: labels that are moved by one, networks that were trained with pixels in another unit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import spikeloom
from spikeloom.sim.chip.label_shift import shift_of
from spikeloom.sw.common.errors import SpikeLoomWarning
from spikeloom.sw.diagnostics.basis import UNITS
from tests.fixtures.healthy import blobs, dense, fit
from tests.fixtures.models import make_config

IMAGES, LABELS = blobs(0, (40,), 5, 800)
TESTS, EXPECTED = IMAGES[400:], LABELS[400:]


def trained(unit: Callable[[Any], Any] | None = None) -> spikeloom.Chip:
    """A chip whose network was trained with pixels in a unit, by moving the unit into the first layer of one that
    reads 0 .. 1: what it gives for pixels in that unit is what the first one gives for 0 .. 1.
    """
    model = fit(dense(40, 24, 16, 5), IMAGES[:400], LABELS[:400], 0)
    if unit is not None:
        zero, one = (float(unit(np.full((1, 1), x))[0, 0]) for x in (0.0, 1.0))
        weight, bias = model[1].weight.data, model[1].bias.data
        bias -= weight.sum(1) * zero / (one - zero)
        weight /= one - zero
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return spikeloom.compile(model, IMAGES[:300], make_config())


def names(found: Any) -> list[str]:
    return [finding.name for finding in found]


def check_other_unit(chip: spikeloom.Chip, images: Any, labels: Any, name: str) -> None:
    (finding,) = chip.diagnose(images, labels)
    assert finding.name == "other-unit" and finding.size["unit"] == name and finding.severity == "fault"
    accuracy, other = finding.size["accuracy"], finding.size["in_the_other_unit"]
    assert isinstance(accuracy, float) and isinstance(other, float) and other > 0.95 > accuracy + 0.1
    assert UNITS[name][1] in finding.remedy


def test_a_network_that_was_trained_with_pixels_of_0_to_255_is_told() -> None:
    check_other_unit(trained(UNITS["pixels of 0 .. 255"][0]), TESTS, EXPECTED, "pixels of 0 .. 255")


@pytest.mark.parametrize("name", [name for name in UNITS if "255" not in name])
def test_a_network_that_was_trained_with_signed_pixels_is_told(name: str) -> None:
    """Whether an image is bright, by a network that asks whether its mean is above 0: with pixels of 0 .. 1 all are."""
    rng = np.random.default_rng(1)
    dark = rng.random((200, 1)) < 0.5
    low, high = (0.0, 0.5) if "mean" in name else (0.3, 0.7)  # means of all images: 3/8 and 1/2
    images = (255 * (rng.random((200, 30)) * 0.5 + np.where(dark, low, high) / 2)).astype(np.uint8)
    model = nn.Sequential(nn.Linear(30, 2))
    model[0].weight.data.copy_(torch.tensor([[1.0], [-1.0]]).expand(2, 30))
    model[0].bias.data.zero_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chip = spikeloom.compile(model, images, make_config())
    check_other_unit(chip, images, dark[:, 0].astype(int), name)


def test_pixels_are_standardised_by_channel() -> None:
    unit = UNITS["pixels less their mean over their deviation"][0]
    maps = np.random.default_rng(0).random((50, 3, 4, 4)) * np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    maps[:, 2] = 0.25
    done = unit(maps)
    np.testing.assert_allclose(done.mean(axis=(0, 2, 3)), 0.0, atol=1e-12)
    np.testing.assert_allclose(done.std(axis=(0, 2, 3)), [1.0, 1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("by", [-1, 1])
def test_labels_that_are_moved_by_one_are_told(by: int) -> None:
    chip = trained()
    kept = (EXPECTED + by >= 0) & (EXPECTED + by < 5)
    moved = EXPECTED[kept] + by
    with pytest.warns(SpikeLoomWarning, match=r"^The labels look moved by one: \d+% of them are the class of the chip"):
        assert chip.predict(TESTS[kept]).accuracy(moved) < 0.05
    found = chip.diagnose(TESTS[kept], moved)
    assert names(found) == ["shifted-labels"] and found[0].size["shift"] == by
    assert "Accuracy: " in str(found)


def test_right_labels_are_not_told() -> None:
    chip = trained()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert chip.predict(TESTS).accuracy(EXPECTED) > 0.95
        found = chip.diagnose(TESTS, EXPECTED)
    assert names(found) == [] and str(found).endswith("at stage 'chip'.")


def test_few_labels_say_nothing() -> None:
    classes = np.arange(16) % 4
    assert shift_of(classes, classes + 1) == (1, 1.0) and shift_of(classes, classes - 1) == (-1, 1.0)
    assert shift_of(classes[:15], classes[:15] + 1) is None
    half = np.where(np.arange(16) < 8, classes + 1, classes)
    assert shift_of(classes, half) is None, "as many are the class itself"
