from __future__ import annotations

import json
import re

import numpy as np
import pytest

from docs.pictures.winner_k import NUMBERS, PAGE, PICTURES, draw, kept, page


def test_the_kept_pictures_are_those_of_the_kept_numbers() -> None:
    numbers = json.loads(NUMBERS.read_text(encoding="utf-8"))
    drawn = draw(numbers)
    assert draw(numbers) == drawn, "two drawings differ"
    for name, path in PICTURES.items():
        pairs = [re.findall(r'<path d="([^"]+)" clip-path', text) for text in (drawn[name], path.read_text())]
        assert len(pairs[0]) == len(pairs[1]) > 5, name
        for ours, theirs in zip(*pairs, strict=True):
            a, b = (np.array(re.findall(r"-?\d+\.?\d*", text), float) for text in (ours, theirs))
            np.testing.assert_allclose(a, b, atol=1e-3)


def test_the_pages_tables_are_those_of_the_kept_numbers() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, json.loads(NUMBERS.read_text(encoding="utf-8"))) == text


def test_the_numbers_of_a_quick_run_are_refused() -> None:
    with pytest.raises(ValueError, match="full run"):
        kept({"quick": True})
