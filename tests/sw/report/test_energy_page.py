"""The tables of docs/energy.md are what the list of parts says."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikeloom.hw.export.structure import structure
from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.run_folder import load_chip
from spikeloom.sw.flow.steps import make_flow
from spikeloom.sw.report.energy_page import renewed, tables
from tests.conftest import dataset_folder_or_skip

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "energy.md"
CHIPS = {"digits": "digits", "MNIST": "mnist", "Net2, max pooling": "net2_max"}
"""Column of the table of three chips -> configuration."""


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert renewed(text) == text, "write it anew with: python -m spikeloom.sw.report.energy_page docs/energy.md"


def test_a_page_without_a_table_is_told() -> None:
    assert all(table.startswith("|") for table in tables().values())
    with pytest.raises(ValueError, match=r"^The page must have a table 'parts' between"):
        renewed("nothing")


@pytest.mark.parametrize(
    "column", [pytest.param(name, marks=[] if name == "digits" else [pytest.mark.slow]) for name in CHIPS]
)
def test_flip_flops_of_the_three_chips(column: str, tmp_path: Path) -> None:
    """They depend on the weights, since these give the largest thresholds and biases."""
    data = None if column == "digits" else dataset_folder_or_skip()
    flow = make_flow(Config.load(ROOT / "examples" / f"{CHIPS[column]}.toml"), tmp_path, data)
    flow.run(stop="convert")
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert f"| | {' | '.join(CHIPS)} |" in lines
    (row,) = [line.strip("| ").split(" | ") for line in lines if line.startswith("| flip-flops, bits |")]
    assert row[1 + [*CHIPS].index(column)] == f"{structure(load_chip(flow).parameters).flip_flops:,}"
