"""The table of default and calibrated energies: its rows, and where it stands."""

from __future__ import annotations

import numpy as np
import pytest

from docs.pictures.switching import BEGIN, END, Column, column, renewed, table
from docs.pictures.three_chips import PAGE, measured
from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.energy_calibration import CALIBRATED
from tests.fixtures.networks import random_chip, random_pixels
from tests.sw.analysis.test_calibration import some


def test_a_column_has_both_energies_and_the_coefficients_that_follow() -> None:
    chip = random_chip(np.random.default_rng(1), sizes=[30, 12, 5], coding=Coding.EVEN, phases=1)
    found = measured(chip, random_pixels(np.random.default_rng(2), 8, 30))
    calibration = some(dict.fromkeys(CALIBRATED, 2e-13) | {"neurons": [1e-13, 2e-13, 4e-13]})
    cells = column(Column(found, calibration))
    assert cells["calibrated on"] == "mine, carried over" and cells["library, corner"] == "cells at slow, 1 V"
    assert cells["- neurons, per event"] == "200 fJ (100 fJ .. 400 fJ)" and "- maps, per event" not in cells
    assert cells["memories of flip-flops, per bit, without their clock"] == "200 fJ"
    assert cells["clock: `flip_flop_J_per_cycle`"] == "200 fJ"
    assert cells["control, default"] != cells["control, calibrated"]
    text = table({"one": cells, "two": {"- maps, per event": "1 fJ"}})
    assert text.startswith("| | one | two |\n|---|---|---|\n| calibrated on | mine, carried over |  |\n")
    assert text.endswith("| - maps, per event |  | 1 fJ |\n")


def test_the_page_has_a_place_for_it() -> None:
    page = PAGE.read_text()
    assert f"{BEGIN}new\n{END}" in renewed(page, "new\n")
    with pytest.raises(ValueError, match="must have a table between <!-- switching: begin -->"):
        renewed("nothing", "new\n")
