"""Images that were surely scaled wrongly cause a warning with a remedy that works; others never do."""

from __future__ import annotations

import json
import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikeloom.sim.common.slips import SpikeLoomWarning
from spikeloom.sim.images.brightness import CalibrationFacts, doubt
from spikeloom.sim.images.pixels import check_images, take_images
from spikeloom.sw.datasets.datasets import load_data

FULL = CalibrationFacts(500, 255, 33.0)


def told(images: object, facts: CalibrationFacts | None = None, single: bool = False) -> str:
    """The one sentence of warning; empty for none."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        take_images(images, 4, facts, single=single)
    assert len(seen) <= 1 and all(item.category is SpikeLoomWarning for item in seen)
    return str(seen[0].message) if seen else ""


BITS = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
SIXTEENTHS = np.array([[0, 16, 3, 8], [1, 2, 15, 0]])
SLIPS = [
    (BITS.astype(np.uint8), "Images are nearly black: the largest pixel of 2 is 1, and uint8 images reach 255; "
     "multiply by 255 / 1, or give images / 1 in floating point"),
    (SIXTEENTHS.astype(np.uint8), "Images are nearly black: the largest pixel of 2 is 16, and uint8 images reach 255; "
     "multiply by 255 / 16, or give images / 16 in floating point"),
    (BITS / 255, "Images are nearly black: the largest pixel of 2 is 0.00392, and floating-point images reach 1; "
     "multiply by 255, since they seem to have been divided by 255 twice"),
    (SIXTEENTHS / 255, "Images are nearly black: the largest pixel of 2 is 0.0627, and floating-point images reach 1; "
     "multiply by 255 / 16, if 0 .. 16 was divided by 255"),
    (BITS / 1000, "Images are black: the largest pixel of 2 is 0.001, and floating-point images reach 1; multiply by "
     "1000, so that the largest is 1"),
    (BITS * 0.0, "Images are black: every pixel of 2 is 0; give images with content"),
]  # fmt: skip


@pytest.mark.parametrize(("images", "sentence"), SLIPS)
def test_dark_sets_are_told_of(images, sentence) -> None:
    assert told(images) == sentence
    assert told(torch.from_numpy(images)) == sentence
    assert told(images, FULL) == sentence
    assert told(images[:1]) == ""  # one image may be dark
    assert told(np.maximum(images, images.dtype.type(40 if images.dtype == np.uint8 else 40 / 255))) == ""


def test_a_calibration_set_of_one_is_a_set() -> None:
    assert told(SIXTEENTHS[:1].astype(np.uint8), single=True).endswith("or give images / 16 in floating point")


def test_sets_unlike_the_calibration_images_are_told_of() -> None:
    dim, bright = np.full((3, 4), 60, np.uint8), np.full((1, 4), 250, np.uint8)
    assert told(dim) == "" and told(dim, CalibrationFacts(9, 239, 60.0)) == ""
    assert told(dim, FULL) == (
        "Images are dark: the largest pixel of 3 is 60 of 255, and that of the calibration images 255; scale both alike"
    )
    assert told(bright, CalibrationFacts(9, 16, 3.0)) == (
        "Images are brighter than all that the chip was made for: their largest pixel is 250 of 255, and that of the 9 "
        "calibration images 16; scale both alike, or calibrate with typical images"
    )
    assert told(bright, CalibrationFacts(9, 63, 3.0)) == ""


def test_inverted_sets_are_told_of() -> None:
    digits = load_data("digits").test_images
    facts = CalibrationFacts.of(load_data("digits").train_images)
    images = 255 - digits
    assert doubt(digits, 255.0, False, facts) is None
    assert doubt(images[:19], 255.0, False, facts) is None  # too few to tell
    sentence = doubt(images, 255.0, False, facts)
    assert sentence == (
        "Images look inverted: their mean pixel is 177 of 255, and that of the calibration images 78; give 255 - "
        "images (1 - images in floating point) if black and white are exchanged"
    )


@settings(max_examples=100, deadline=None)
@given(
    top=st.integers(1, 31),
    count=st.integers(2, 40),
    kind=st.sampled_from(["uint8", "float16", "float32", "float64"]),
    seed=st.integers(0, 99),
)
def test_the_remedy_of_any_dark_set_makes_it_right(top: int, count: int, kind: str, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, top + 1, (count, 4))
    values[0, 0] = top
    images = values.astype(kind) if kind == "uint8" else (values / 255).astype(kind)
    right = np.rint(values * 255.0 / top).astype(np.uint8)
    factor = re.search(r"multiply by ([0-9.]+)(?: / ([0-9]+))?", told(images, FULL))
    assert factor is not None
    mended = images * (float(factor[1]) / float(factor[2] or 1))
    if kind == "uint8":
        np.testing.assert_array_equal(np.rint(mended).astype(np.uint8), right)
        np.testing.assert_array_equal(check_images(images / float(factor[2]), 4), right)
    else:
        found = check_images(np.minimum(mended, 1), 4).astype(int)
        assert np.abs(found - right).max() <= 1  # a half may be rounded either way
        assert told(np.minimum(mended, 1), FULL) == ""


@settings(max_examples=100, deadline=None)
@given(count=st.integers(1, 60), kind=st.sampled_from(["uint8", "float16", "float32", "float64"]), data=st.data())
def test_pixels_of_every_kind_and_number_are_the_same_and_no_false_alarm(count: int, kind: str, data) -> None:
    """Images with a mean of their own, from a fifth to twice that of the calibration images, and one bright pixel."""
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    pixels = rng.integers(0, data.draw(st.integers(40, 256)), (count, 4), dtype=np.uint8)
    pixels[rng.integers(count), rng.integers(4)] = data.draw(st.integers(112, 255))
    images = pixels if kind == "uint8" else (pixels / 255).astype(kind)
    np.testing.assert_array_equal(check_images(images, 4), pixels)
    facts = CalibrationFacts(1000, data.draw(st.integers(200, 255)), data.draw(st.floats(60, 160)))
    assert told(images, facts) == "" and told(images) == ""


def _sets(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    """A data set in its usual parts, and in unusual ones: of one class, the darkest images."""
    order = np.argsort(images.max(axis=1) * 1000.0 + images.mean(axis=1))
    parts = [images, images[:2], images[:20], images[order[:2]], images[order[:20]], images[order[:1]]]
    parts += [images[labels == label] for label in np.unique(labels)]
    return parts + [images[labels == label][:20] for label in np.unique(labels)]


@pytest.mark.parametrize("name", ["digits", pytest.param("mnist", marks=pytest.mark.slow),
                                  pytest.param("fashion-mnist", marks=pytest.mark.slow)])  # fmt: skip
def test_no_false_alarm_on_data_sets(name: str) -> None:
    data = load_data(name)
    facts = CalibrationFacts.of(data.train_images[:1000], data.shape)
    for images, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels)):
        for part in _sets(images, labels):
            assert doubt(part, float(part.max()), False, facts) is None
        for start in range(0, len(images) - 20, 20):
            assert doubt(images[start : start + 20], 255.0, False, facts) is None


def test_facts_come_back_from_json() -> None:
    facts = CalibrationFacts.of(np.array([[0, 9], [3, 4]], np.uint8), (2,))
    assert facts == CalibrationFacts(2, 9, 4.0, (2,))
    assert CalibrationFacts.from_plain(json.loads(json.dumps(facts.plain()))) == facts
    assert CalibrationFacts.from_plain({"images": 2, "maximum": 9, "mean": 4.0}).shape == ()
