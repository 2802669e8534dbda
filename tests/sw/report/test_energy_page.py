"""The tables of docs/energy.md are what the list of parts says."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikeloom.sw.report.energy_page import renewed, tables

PAGE = Path(__file__).parents[3] / "docs" / "energy.md"


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert renewed(text) == text, "write it anew with: python -m spikeloom.sw.report.energy_page docs/energy.md"


def test_a_page_without_a_table_is_told() -> None:
    assert all(table.startswith("|") for table in tables().values())
    with pytest.raises(ValueError, match=r"^The page must have a table 'parts' between"):
        renewed("nothing")
