"""The picture of docs/convolution.md is what its script draws."""

from __future__ import annotations

import re

import numpy as np

from docs.pictures.convolution import PICTURE, picture


def test_picture_is_up_to_date() -> None:
    """The same cells and lines; coordinates to a thousandth of a point, and text may sit elsewhere under another
    matplotlib.
    """
    drawn, kept = picture(), PICTURE.read_text(encoding="utf-8")
    assert picture() == drawn, "two drawings differ"
    shapes = [re.findall(r'<path d="([^"]+)"[^>]*(?:fill|stroke): #', text) for text in (drawn, kept)]
    assert len(shapes[0]) == len(shapes[1]) > 300
    for ours, theirs in zip(*shapes, strict=True):
        a, b = (np.array(re.findall(r"-?\d+\.?\d*", path), float) for path in (ours, theirs))
        np.testing.assert_allclose(a, b, atol=1e-3)
