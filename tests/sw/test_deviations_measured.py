"""The table "Measured" of docs/deviations.md: every row as `python -m benchmarks.deviations` prints it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import deviations

PAGE = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text(encoding="utf-8")


def test_every_row_is_what_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    deviations.main()
    rows = [line.strip() for line in capsys.readouterr().out.splitlines()]
    table = PAGE[PAGE.index("## Measured") :]
    assert rows == [line for line in table.splitlines() if line.startswith("| ") and "%" in line]
    assert len(rows) == 14
