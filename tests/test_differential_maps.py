"""Windows, pooling, residual additions and replicas: the reference against the Verilog, on random networks that nobody
chose."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.conftest import SIMULATORS
from tests.differential import QUICK_MAPS, THOROUGH, cases, check, examples


@examples(QUICK_MAPS, True)
@given(cases(maps=True))
def test_random_networks_of_maps(case: dict[str, Any]) -> None:
    check(case, SIMULATORS)


@pytest.mark.slow
@examples(THOROUGH, False)
@given(cases(maps=True))
def test_many_random_networks_of_maps(case: dict[str, Any]) -> None:
    check(case, ["verilator"])
