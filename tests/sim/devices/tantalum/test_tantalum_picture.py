"""The picture of docs/tantalum-oxide.md is what its script draws."""

from __future__ import annotations

import re

import numpy as np

from docs.pictures.tantalum_oxide import PICTURE, picture


def test_picture_is_up_to_date() -> None:
    """The same drawing; coordinates to a thousandth of a point, and text may sit elsewhere under another matplotlib."""
    drawn, kept = picture(), PICTURE.read_text(encoding="utf-8")
    assert picture() == drawn, "two drawings differ"
    curves = [re.findall(r'<path d="([^"]+)" clip-path', text) for text in (drawn, kept)]
    assert len(curves[0]) == len(curves[1]) > 40
    for ours, theirs in zip(*curves, strict=True):
        a, b = (np.array(re.findall(r"-?\d+\.?\d*", path), float) for path in (ours, theirs))
        np.testing.assert_allclose(a, b, atol=1e-3)
