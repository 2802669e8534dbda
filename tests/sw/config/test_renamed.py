"""Names of earlier versions: configurations with them are refused with the name of now."""

from __future__ import annotations

from typing import Any

import pytest

from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.renamed import KEYS, VALUES, renew
from spikeloom.sw.config.tables import Tables

REFUSED: list[tuple[dict[str, dict[str, Any]], str]] = [
    ({"crossbar": {"copies": 2}}, "[crossbar] copies is called replicas now; rename it"),
    ({"programming": {"window": 0.5}}, "[programming] window is called tolerance now; rename it"),
    (
        {"programming": {"method": "verify"}},
        '[programming] method = "verify" is called "write-verify" now; rename it',
    ),
    ({"train": {"augment": True}}, '[train] augment = true is called "affine" now; rename it'),
    ({"train": {"augment": False}}, '[train] augment = false is called "none" now; rename it'),
]


@pytest.mark.parametrize(("given", "sentence"), REFUSED)
def test_a_name_of_before_is_refused_with_that_of_now(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.load(given)
    assert list(caught.value.problems) == [sentence]


def test_every_renamed_name_is_among_them_and_those_of_now_are_there() -> None:
    given = {f"{table}.{key}" for tables, _ in REFUSED for table, keys in tables.items() for key in keys}
    assert given == {*KEYS, *VALUES}
    for name, new in KEYS.items():
        table, key = name.split(".")
        fields: Any = Tables.model_fields[table].annotation
        assert new in fields.model_fields and key not in fields.model_fields


def test_tables_of_an_earlier_version_get_the_names_of_now() -> None:
    tables: Any = {
        "crossbar": {"copies": [2, 1], "adc_bits": 4},
        "programming": {"window": 0.5, "method": "verify"},
        "neuron": 3,
    }
    renew(tables)
    assert tables == {
        "crossbar": {"replicas": [2, 1], "adc_bits": 4},
        "programming": {"tolerance": 0.5, "method": "write-verify"},
        "neuron": 3,
    }
    for other in (None, [1], {"crossbar": 3, "programming": {"method": "direct"}}, {}):
        before = repr(other)
        renew(other)
        assert repr(other) == before
