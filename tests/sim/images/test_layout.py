"""Shapes of images: what is taken, and a remedy that works for what is not."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikeloom.sim.images.layout import check_shape, image_shape
from spikeloom.sim.images.pixels import check_images
from tests.fixtures.networks import random_chip

LAYOUTS = [
    ((10, 32, 32, 3), (3, 32, 32), "images.permute(0, 3, 1, 2), or images.transpose(0, 3, 1, 2) in NumPy, puts"),
    ((32, 32, 3, 10), (3, 32, 32), "images.permute(3, 2, 0, 1), or images.transpose(3, 2, 0, 1) in NumPy, puts"),
    ((3, 32, 32, 10), (3, 32, 32), "images.permute(3, 0, 1, 2), or images.transpose(3, 0, 1, 2) in NumPy, puts"),
    ((10, 32, 32), (3, 32, 32), "the chip's images have 3 channels, these have none"),
    ((3, 32, 32), (3, 32, 32), "a single image needs an axis of images in front, images[None]"),
    ((32, 32, 3), (3, 32, 32), "images.permute(2, 0, 1)[None], or images.transpose(2, 0, 1)[None] in NumPy, puts"),
    ((28, 28), (1, 28, 28), "a single image needs an axis of images in front, images[None]"),
    ((784,), (1, 28, 28), "a single image needs an axis of images in front, images[None]"),
    ((28, 28, 100), (1, 28, 28), "images.permute(2, 0, 1), or images.transpose(2, 0, 1) in NumPy, puts"),
    ((10, 1, 20, 28), (1, 28, 20), "images.permute(0, 1, 3, 2), or images.transpose(0, 1, 3, 2) in NumPy, puts"),
    ((10, 20, 28), (1, 28, 20), "images.permute(0, 2, 1), or images.transpose(0, 2, 1) in NumPy, puts"),
    (
        (10, 4, 16),
        (1, 8, 8),
        "the number of pixels is right, and images.reshape(10, 1, 8, 8) arranges them so, if their order is right too",
    ),
    ((784, 10), (784,), "images.permute(1, 0), or images.transpose(1, 0) in NumPy, puts"),
]


@pytest.mark.parametrize(("given_shape", "shape", "remedy"), LAYOUTS)
def test_a_wrong_layout_is_refused_with_the_remedy(given_shape, shape, remedy) -> None:
    if len(shape) == 3:
        known = f"[images, {', '.join(map(str, shape))}], or flat [images, {math.prod(shape)}]"
    else:
        known = f"[images, {shape[0]}] or as many pixels per image"
    with pytest.raises(
        ValueError, match="^" + re.escape(f"Images must have shape {known}, not {given_shape}: {remedy}")
    ):
        check_shape(given_shape, shape)


@pytest.mark.parametrize("own", [(), (1,), (0,), (2, 2), (3, 8, 8), (1, 1, 1, 1, 1, 1, 1)])
def test_what_has_no_remedy_is_refused_with_both_shapes(own) -> None:
    with pytest.raises(ValueError, match=r"^Images must have shape \[images, 3, 5, 7\], or flat .* not \([^:]*\)$"):
        check_shape(own, (3, 5, 7))


@pytest.mark.parametrize("own", [(28, 28), (1, 28, 28), (28, 28, 1), (784,), (1, 784), (28, 1, 28)])
def test_axes_of_length_one_and_flat_images_change_nothing(own) -> None:
    for shape in ((1, 28, 28), (28, 28), (784,)):
        check_shape((5, *own), shape)


def test_a_flat_chip_takes_any_shape_unless_its_calibration_images_had_one() -> None:
    chip = random_chip(np.random.default_rng(0), sizes=[12, 4])
    assert image_shape(chip.parameters) == (12,)
    assert image_shape(chip.parameters, (12,)) == (12,)
    assert image_shape(chip.parameters, (1, 12)) == (12,)
    assert image_shape(chip.parameters, (2, 3, 2)) == (2, 3, 2)
    check_shape((5, 3, 2, 2), (12,))
    with pytest.raises(ValueError, match=r"must have shape \[images, 2, 3, 2\].*permute\(0, 2, 1, 3\)"):
        check_shape((5, 3, 2, 2), (2, 3, 2))


SIZES = st.integers(1, 6)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_order_of_axes_is_the_chips_own_or_refused_with_a_remedy_that_works(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(SIZES, SIZES, SIZES))
    count = data.draw(st.integers(1, 9))
    order = data.draw(st.permutations(range(4)))
    right = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 256, (count, *shape), np.uint8)
    wrong = right.transpose(order)
    flat = [n for n in wrong.shape[1:] if n > 1]
    same = flat == [n for n in shape if n > 1]
    distinct = len({count, *shape}) == 4 and 1 not in (count, *shape)
    try:
        pixels = check_images(wrong, shape)
    except ValueError as error:
        assert not same or wrong.shape[0] == 0 or math.prod(wrong.shape[1:]) != math.prod(shape)
        moved = re.search(r"images\.transpose\(([0-9, ]*)\)(\[None\])? in NumPy", str(error))
        if moved is None:
            assert "images[None]" in str(error) or 1 in (count, *shape)
            return
        axes = [int(axis) for axis in moved[1].split(",")]
        mended: NDArray[np.uint8] = wrong.transpose(axes)
        mended = mended[None] if moved[2] else mended
        again = check_images(mended, shape)
        if distinct:
            np.testing.assert_array_equal(again, right.reshape(count, -1))
    else:
        assert same or len(flat) <= 1 or len([n for n in shape if n > 1]) <= 1
        if distinct:
            np.testing.assert_array_equal(pixels, right.reshape(count, -1))
