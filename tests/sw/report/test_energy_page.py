"""The tables of docs/energy.md are what the list of parts says."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.pictures import three_chips
from spikeloom.hw.export.structure import structure
from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.run_folder import load_chip
from spikeloom.sw.flow.steps import make_flow
from spikeloom.sw.report.energy_page import renewed, tables
from tests.conftest import dataset_folder_or_skip

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "energy.md"


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert renewed(text) == text, "write it anew with: python -m spikeloom.sw.report.energy_page docs/energy.md"


def test_a_page_without_a_table_is_told() -> None:
    assert all(table.startswith("|") for table in tables().values())
    with pytest.raises(ValueError, match=r"^The page must have a table 'parts' between"):
        renewed("nothing")


def test_the_column_of_digits_is_what_its_network_measures(tmp_path: Path) -> None:
    """Every figure of both tables; the network is the same on every machine."""
    text = PAGE.read_text(encoding="utf-8")
    column = three_chips.cells(*three_chips.measure("digits", tmp_path))
    assert three_chips.renewed(text, "digits", column) == text, "write it anew: python -m docs.pictures.three_chips"
    assert column["**total**"].startswith("**14.2 nJ (") and column["- maps"] == ""


def test_a_row_that_the_page_does_not_have_is_told() -> None:
    text = PAGE.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"^The page has no row 'leakage'$"):
        three_chips.renewed(text, "digits", {"leakage": "1 nJ"})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "net2_max"])
def test_flip_flops_of_the_other_chips(name: str, tmp_path: Path) -> None:
    """They depend on the weights, since these give the largest thresholds and biases."""
    flow = make_flow(Config.load(ROOT / "examples" / f"{name}.toml"), tmp_path, dataset_folder_or_skip())
    flow.run(stop="convert")
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert f"| | {' | '.join(chip.title for chip in three_chips.CHIPS.values())} |" in lines
    (row,) = [line.strip("| ").split(" | ") for line in lines if line.startswith("| flip-flops, bits |")]
    found = row[1 + [*three_chips.CHIPS].index(name)]
    assert found == f"{structure(load_chip(flow).parameters).flip_flops:,}"
