"""The gain shift is the smallest that fits."""

from dataclasses import replace

import numpy as np
import pytest

import spikeloom
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.passes.calibrate import calibrate_adc
from tests.fixtures.models import make_chip, make_config, make_images, make_model

IMAGES = make_images(60, 80, seed=4)


def chip(adc_bits: int, **tables):
    fixed = {"normalisation": "max", "weight_scale": "max", "adc_quantile": 1.0, "output_offset": "network"}
    tables["convert"] = {**fixed, **tables.get("convert", {})}
    tables = {"crossbar": {"adc_bits": adc_bits, "tile_rows": 48}, "device": {"bits": 6}, **tables}
    return spikeloom.compile(make_model(80, 24, 10), IMAGES, make_config(**tables)).programmed


@pytest.mark.parametrize("input_coding", ["even", "analog", "phase", "rate"])
@pytest.mark.parametrize("adc_bits", [1, 4, 8])
def test_no_saturation_on_the_calibration_images_and_none_to_spare(adc_bits, input_coding):
    programmed = chip(adc_bits, coding={"input": input_coding}, decision={"rule": "fixed"})
    assert any(layer.gain_shift for layer in programmed.layers)
    first = programmed.layers[0]
    assert run_reference(programmed, IMAGES).activity["saturations"][:, 0].sum() == 0
    smaller = replace(programmed, layers=(replace(first, gain_shift=first.gain_shift - 1), *programmed.layers[1:]))
    assert run_reference(smaller, IMAGES).activity["saturations"][:, 0].sum() > 0


def test_a_quantile_below_one_allows_a_smaller_shift():
    shifts = [chip(3, convert={"adc_quantile": q}).layers[0].gain_shift for q in (1.0, 0.9, 0.5)]
    assert shifts == sorted(shifts, reverse=True) and shifts[0] > shifts[-1]


def test_the_quantile_is_held():
    wide = chip(16)
    for quantile in (0.99, 0.8):
        gain = calibrate_adc(wide, IMAGES, 3, quantile)[0]
        narrow = chip(3)
        layers = (replace(narrow.layers[0], gain_shift=gain), *narrow.layers[1:])
        activity = run_reference(replace(narrow, layers=layers), IMAGES[:, :]).activity
        share = activity["saturations"][:, 0].sum() / activity["conversions"][:, 0].sum()
        assert share <= 1 - quantile


def test_a_network_that_is_never_read_has_shift_zero():
    wide = make_chip(80, 24, 10, crossbar={"adc_bits": 16}).programmed
    assert calibrate_adc(wide, np.zeros((3, 80), np.uint8), 2, 1.0)[0] == 0


def test_wide_converters_need_no_shift():
    assert [layer.gain_shift for layer in make_chip(crossbar={"adc_bits": 16}).programmed.layers] == [0, 0, 0]


@pytest.mark.parametrize("skip", [0, 2])
def test_one_analog_layer_that_skips_periods_fits_its_converters(skip: int) -> None:
    """Its currents are the same in every step; the first steps are not run."""
    chip = make_chip(
        20, 5,
        coding={"input": "analog", "phases": 2},
        decision={"skip": skip, "rule": "fixed", "t_max": 8},
        crossbar={"adc_bits": 4},
        convert={"adc_quantile": 1.0},
    )  # fmt: skip
    assert chip.programmed.layers[0].gain_shift > 0
    assert run_reference(chip.programmed, make_images(50, 20)).activity["saturations"].sum() == 0
