"""The table of calibrations that are carried over: its errors, and where it stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from docs.pictures.carried import BEGIN, END, Network, errors, renewed, table
from docs.pictures.three_chips import PAGE
from spikeloom.sim.chip.energy_margins import CARRIED, CLOCKS
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from tests.sw.analysis.test_calibration import chip, made, result

__all__ = ["chip", "result"]


@pytest.fixture
def own(chip: ProgrammedChip, result: Result) -> Network:
    fit = made(chip, result, {"neurons": 3e-13, "membranes": 5e-13})
    return Network(chip, result.part(np.arange(1, 33)), fit)


def test_errors_are_those_of_the_calibration_that_is_carried_over(own: Network) -> None:
    assert errors(own, own) == pytest.approx((0.0, 0.0, 0.0), abs=1e-3)
    calibration = own.fit.calibration
    half = {part: tuple(0.5 * value for value in values) for part, values in calibration.parts.items()}
    clocks = {part: values if part in CLOCKS else half[part] for part, values in calibration.parts.items()}
    other = replace(own, fit=replace(own.fit, calibration=calibration.model_copy(update={"parts": clocks})))
    data, clock, both = errors(own, other)
    assert data == pytest.approx(-0.5, abs=1e-3) and clock == pytest.approx(0.0, abs=1e-9) and -0.5 < both < 0.0
    text = table({"one": own, "two": other})
    assert text.count("\n") == 6 and "| two | one | -50.0 % | +0.0 % |" in text and "| one | itself |" in text


def test_the_interval_is_as_wide_as_what_was_measured() -> None:
    """Every error of the page's table is within the factors for another design."""
    page = PAGE.read_text(encoding="utf-8")
    rows = page.partition(BEGIN)[2].partition(END)[0].splitlines()[2:]
    assert len(rows) >= 4
    for row in rows:
        data, clocks = (float(cell.removesuffix(" %")) / 100.0 for cell in row.strip("| ").split(" | ")[2:4])
        for margin in CARRIED:
            error = clocks if "clock and leakage" in margin.of else data
            assert margin.low <= 1.0 / (1.0 + error) <= margin.high, row


def test_the_page_has_a_place_for_it() -> None:
    assert f"{BEGIN}new\n{END}" in renewed(PAGE.read_text(encoding="utf-8"), "new\n")
    with pytest.raises(ValueError, match="must have a table between <!-- carried over: begin -->"):
        renewed("nothing", "new\n")
