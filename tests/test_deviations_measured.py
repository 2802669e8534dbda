"""The tables of docs/deviations.md: rows as `benchmarks.deviations` and `benchmarks.phase_coding` print them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import deviations, phase_coding

PAGE = (Path(__file__).parents[1] / "docs" / "deviations.md").read_text(encoding="utf-8")


def test_every_row_is_what_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    deviations.main()
    rows = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert rows == table_of("## Measured")
    assert len(rows) == 14


@pytest.mark.slow
def test_biases_with_phase_coding(dataset_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    phase_coding.main(str(dataset_folder))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line.startswith("|")] == table_of("## Biases with phase coding")
    for line in lines:
        if not line.startswith("|"):
            assert line.split("ANN ")[1] in PAGE


def table_of(heading: str) -> list[str]:
    """Rows with figures of the section of the page."""
    section = PAGE[PAGE.index(heading) + 2 :].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ") and "%" in line]
