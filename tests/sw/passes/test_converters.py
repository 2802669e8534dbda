"""Ranges of converters: nothing is changed where nothing is lost, and few bits lose little."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.waterfall import wide_adc
from spikeloom.sw.passes.calibrate import calibrate_adc, row_codes
from spikeloom.sw.passes.converter_sums import Converters
from spikeloom.sw.passes.converters import choose_converters
from spikeloom.sw.passes.float_snn import spiking_network
from spikeloom.sw.passes.quantise import Levels
from tests.fixtures.models import make_config, make_images, make_model

IMAGES = make_images(100, 80, seed=4)


def chip(adc_bits: int, **tables: dict[str, Any]) -> ProgrammedChip:
    tables = {"crossbar": {"adc_bits": adc_bits, "tile_rows": 48}, "device": {"bits": 6}, **tables}
    return spikeloom.compile(make_model(80, 24, 10), IMAGES, make_config(decision={"t_max": 20}, **tables)).programmed


@pytest.mark.parametrize("coding", ["even", "analog", "phase", "rate"])
def test_good_converters_clip_nothing_and_change_nothing(coding: str) -> None:
    wide = chip(16, coding={"input": coding})
    found = choose_converters(wide, IMAGES, 12)
    assert tuple(each.shift for each in found) == calibrate_adc(wide, IMAGES, 12, 1.0)
    assert not any(each.compensates for each in found)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_few_bits_are_better_than_the_range_that_clips_nothing(bits: int) -> None:
    classes = run_reference(wide_adc(chip(16)), IMAGES).classes
    agree = [
        np.mean(run_reference(programmed, IMAGES).classes == classes)
        for programmed in (chip(bits), chip(bits, convert={"adc_quantile": 1.0}))
    ]
    assert agree[0] > agree[1] + 0.1


def test_what_is_made_up_for_is_in_threshold_and_biases() -> None:
    levels = Levels("a", *(np.zeros((3, 2), np.uint8),) * 2, np.array([10, -20]), 100, 0.01)
    layer = Converters(3, 0.8, np.array([2.0, 4.0]), 0.5).applied(levels)
    assert layer.theta == 125 and layer.scale == pytest.approx(1 / 125)
    np.testing.assert_array_equal(layer.bias, [15, -20])  # (10 + 2) / 0.8 and (-20 + 4) / 0.8
    assert Converters(3, 1.0, np.zeros(2), 0.1).applied(levels) is levels


def test_a_chip_says_what_its_converters_lose() -> None:
    model = make_model(80, 24, 10)
    config = make_config(crossbar={"adc_bits": 2}, device={"bits": 6})
    notes = spikeloom.compile(model, IMAGES, config).notes
    assert sum("Converters of layer" in note for note in notes) >= 1
    assert any("behind the chip's converters" in note for note in notes)
    plain = spikeloom.compile(model, IMAGES, make_config()).notes
    assert not any("Converters" in note or "behind" in note for note in plain)


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_a_share_of_the_currents_leaves_hidden_layers_as_they_are(share: float) -> None:
    wide = chip(16)
    hidden, last = choose_converters(wide, IMAGES, 2, share)
    assert (hidden.shift, last.shift) == calibrate_adc(wide, IMAGES, 2, share)
    assert not hidden.compensates and last.compensates


def test_sums_of_a_first_layer_that_are_known_change_nothing() -> None:
    wide = chip(16)
    network, first = spiking_network(wide), []  # type: ignore[var-annotated]
    made, taken, known = (
        network.output_currents(100, row_codes(wide, IMAGES), 8, each) for each in (None, first, first)
    )
    assert len(first) == 8 and made.any()
    np.testing.assert_array_equal(made, taken)
    np.testing.assert_array_equal(made, known)
