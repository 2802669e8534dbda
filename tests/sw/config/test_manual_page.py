"""docs/configuration.md is what the classes say."""

import re
from pathlib import Path

from spikeloom.sw.config.config import Config
from spikeloom.sw.config.manual_page import configuration_page


def test_the_page_is_up_to_date():
    page = Path(__file__).parents[3] / "docs" / "configuration.md"
    assert page.read_text(encoding="utf-8") == configuration_page(), "run python -m spikeloom.sw.config.manual_page"


def test_the_page_has_every_field():
    page = configuration_page()
    for name, field in Config.model_fields.items():
        for key in getattr(field.annotation, "model_fields", [name]):
            assert f"| `{key}` |" in page


def test_every_row_has_four_cells():
    rows = [line for line in configuration_page().splitlines() if line.startswith("|")]
    assert all(len(re.split(r"(?<!\\)\|", row)) == 6 for row in rows)
