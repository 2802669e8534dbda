"""`spikeloom.compile`: what it makes, what it refuses, and that every option changes the chip."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import spikeloom
from spikeloom.sw.common.errors import CalibrationError, ConfigError, UnsupportedError, WeightError
from tests.fixtures.models import make_chip, make_config, make_images, make_model

IMAGES = make_images(50, 20)


def test_the_classes_are_those_of_the_model():
    model, images = make_model(20, 30, 20, 5), make_images(200, 20, seed=8)
    config = make_config(device={"bits": 6}, decision={"rule": "fixed", "t_max": 60}, crossbar={"adc_bits": 12})
    chip = spikeloom.compile(model, IMAGES, config)
    expected = model(torch.from_numpy(images.astype(np.float32) / 255)).argmax(1).numpy()
    assert np.mean(chip.predict(images).classes == expected) >= 0.93
    assert len(np.unique(expected)) > 2


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x.reshape(-1, 4, 5), lambda x: torch.from_numpy(x / 255.0)])
def test_calibration_images_of_every_kind(make):
    chip = spikeloom.compile(make_model(20, 6, 3), make(IMAGES), "tiny")
    expected = spikeloom.compile(make_model(20, 6, 3), IMAGES, "tiny")
    assert chip.programmed.parameters == expected.programmed.parameters


def test_a_percentile_or_a_rounding_rule_changes_the_weights():
    thetas = {
        name: [layer.theta for layer in make_chip(convert=convert).programmed.layers]
        for name, convert in {
            "max": {"normalisation": "max", "weight_scale": "max"},
            "percentile": {"weight_scale": "max", "normalisation": "percentile", "percentile": 0.5},
            "mse": {"normalisation": "max", "weight_scale": "mse"},
        }.items()
    }
    assert thetas["max"] != thetas["percentile"] and thetas["max"] != thetas["mse"]


@pytest.mark.parametrize("phases", [2, 8])
def test_biases_do_not_depend_on_the_coding(phases):
    """Pixels fill their range with phases too: [WS eq. 8] divides by what its normalisation has multiplied by."""
    fixed = {"normalisation": "max", "weight_scale": "max", "output_offset": "network"}
    of_rate, of_phase = (
        make_chip(coding={"input": name, "phases": phases}, decision={"t_max": 16}, convert=fixed).programmed.layers
        for name in ("rate", "phase")
    )
    for a, b in zip(of_rate, of_phase, strict=True):
        np.testing.assert_array_equal(a.bias, b.bias)


def test_biases_are_smaller_where_not_all_phases_have_bits():
    model = make_model(20, 12, 5)
    model[1].weight.data *= 1e-3  # biases of many steps
    fixed = {"normalisation": "max", "weight_scale": "max", "output_offset": "network"}
    eight, sixteen = (
        spikeloom.compile(
            model, IMAGES, make_config(coding={"input": "phase", "phases": k}, decision={"t_max": k}, convert=fixed)
        )
        for k in (8, 16)
    )
    bias = eight.programmed.layers[0].bias
    assert np.abs(bias).max() > 1000
    np.testing.assert_allclose(sixteen.programmed.layers[0].bias, bias * (255 * 256 / 65535), atol=1.0)


@pytest.mark.parametrize("empty", [np.zeros((0, 20), np.uint8), torch.zeros(0, 20), []])
def test_an_empty_calibration_set_is_refused(empty):
    with pytest.raises(CalibrationError, match=r"^The calibration set is empty; normalisation and ADC"):
        spikeloom.compile(make_model(20, 6, 3), empty, "tiny")


def test_calibration_images_of_another_shape_are_refused():
    with pytest.raises(CalibrationError, match=r"^Calibration images must have shape \[images, 20\] .*\(50, 19\)"):
        spikeloom.compile(make_model(20, 6, 3), IMAGES[:, :19], "tiny")


def test_calibration_images_of_another_range_are_refused():
    with pytest.raises(
        CalibrationError, match=r"^Floating-point calibration images must lie in 0 .. 1, .*: divide by 255$"
    ):
        spikeloom.compile(make_model(20, 6, 3), IMAGES.astype(np.float32), "tiny")


@pytest.mark.parametrize("images", ["images", 3, IMAGES.astype(np.int32)])
def test_calibration_images_of_another_type_are_refused(images):
    with pytest.raises(TypeError, match=r"^Calibration images must be "):
        spikeloom.compile(make_model(20, 6, 3), images, "tiny")


def test_a_misspelt_preset_is_refused():
    with pytest.raises(ConfigError, match="did you mean the preset 'tiny'"):
        spikeloom.compile(make_model(20, 6, 3), IMAGES, "tyni")


def test_compiling_twice_gives_the_same_chip():
    a, b = make_chip(), make_chip()
    assert a.programmed.parameters == b.programmed.parameters
    for x, y in zip(a.programmed.layers, b.programmed.layers, strict=True):
        np.testing.assert_array_equal(x.weights, y.weights)
        assert replace(x, positive=y.positive, negative=y.negative, bias=y.bias).__dict__ == y.__dict__


def test_importing_the_package_is_quick():
    """Neither PyTorch nor the simulation is imported."""
    heavy = "{'torch', 'numba', 'amaranth', 'pydantic'}"
    code = f"import spikeloom, sys; assert not {heavy} & set(sys.modules); spikeloom.Config"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_of_the_package_are_refused():
    with pytest.raises(AttributeError, match=r"^module 'spikeloom' has no attribute 'Chop'$"):
        _ = spikeloom.Chop


def test_black_calibration_images_are_refused():
    with pytest.raises(
        CalibrationError, match=r"^The calibration images are all black \(every pixel of 9 images is 0 of 255\)"
    ):
        spikeloom.compile(make_model(20, 6, 3), np.zeros((9, 20), np.uint8), "tiny")


def test_activations_beyond_all_numbers_are_refused():
    model = make_model(20, 6, 3).double()
    with torch.no_grad():
        for layer in (model[1], model[3]):
            layer.weight.fill_(1e200)
    with pytest.raises(WeightError, match=r"^Layer '3' has activations beyond the largest number .* weight is 1e\+200"):
        spikeloom.compile(model, IMAGES, "tiny")


@pytest.mark.parametrize("value", [-1e30, -1e12])
def test_biases_out_of_proportion_are_refused(value):
    model = make_model(20, 6, 3)
    with torch.no_grad():
        model[1].bias.fill_(value)
    with pytest.raises(ConfigError, match=r"^tiny: (membranes of layer '1' would need|layer '1' needs a bias) "):
        spikeloom.compile(model, IMAGES, "tiny")


def test_linear_layers_without_a_rectifier_between_are_refused():
    with pytest.raises(UnsupportedError, match=r"^Layers '0' and '1' follow one another without a ReLU between them"):
        spikeloom.compile(torch.nn.Sequential(torch.nn.Linear(20, 6), torch.nn.Linear(6, 3)), IMAGES, "tiny")


def test_average_pooling_in_the_weights_needs_some():
    config = make_config(convert={"average_pooling": "weights"})
    with pytest.raises(
        ConfigError,
        match=r"average_pooling must be 'spikes' for this network, which has none to fold, not 'weights'; le",
    ):
        spikeloom.compile(make_model(20, 6, 3), IMAGES, config)
