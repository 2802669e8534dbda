"""The table of sizes of exports: every number is counted again."""

from __future__ import annotations

import pytest

from docs.pictures.export_size import BEGIN, CHANGELOG, END, PAGE, UNITS, renewed_changelog, row, size

QUICK = tuple(UNITS)[:2]


@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=() if title in QUICK else pytest.mark.slow) for title in UNITS]
)
def test_numbers_are_those_of_the_exports(title: str) -> None:
    table = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    now = size(UNITS[title].files())
    assert row(title, now) in table, "run `python -m docs.pictures.export_size`"
    if title == QUICK[0]:
        text = CHANGELOG.read_text(encoding="utf-8")
        assert renewed_changelog(text, now) == text, "run `python -m docs.pictures.export_size`"


def test_a_changelog_without_the_sentence() -> None:
    with pytest.raises(ValueError, match="must say once what the digits example has, not 0 times"):
        renewed_changelog("# Changelog\n", size({"waivers.vlt": ""}))
