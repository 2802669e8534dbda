"""What conversion chooses: a common offset and the scale of the logits do not matter, and few levels lose little."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import spikeloom
from spikeloom.sw.datasets.datasets import load_data
from tests.fixtures.models import make_config, make_images, make_model

IMAGES = make_images(200, 20, seed=3)
FIXED = {"normalisation": "max", "weight_scale": "max", "adc_quantile": 1.0, "output_offset": "network"}
IDEAL = {"decision": {"t_max": 20}, "device": {"bits": 4}}


@functools.cache
def digits_model(loss: str = "cross entropy") -> nn.Sequential:
    """The network of the README's quick start."""
    data = load_data("digits")
    x = torch.from_numpy(data.train_images.reshape(-1, 64).astype(np.float32) / 255)
    y = torch.from_numpy(data.train_labels.astype(np.int64))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(200):
            out = model(x)
            if loss == "cross entropy":
                value = F.cross_entropy(out, y)
            else:
                value = F.binary_cross_entropy_with_logits(out, F.one_hot(y, 10).float())
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
    return model.eval()


def moved(model: nn.Sequential, offset: float, scale: float = 1.0) -> nn.Sequential:
    """The model with logits scale * (logits + offset)."""
    last = model[-1]
    other = nn.Linear(last.in_features, last.out_features)
    with torch.no_grad():
        other.weight.copy_(last.weight * scale)
        other.bias.copy_((last.bias.double() + offset) * scale)
    return nn.Sequential(*model[:-1], other).eval()


def digits_chip(model: nn.Module, **convert: Any) -> Any:
    return spikeloom.compile(model, load_data("digits").train_images[:500], {**IDEAL, "convert": convert})


def digits_accuracy(chip: Any) -> tuple[float, float]:
    data = load_data("digits")
    result = chip.predict(data.test_images)
    return result.accuracy(data.test_labels), float(result.steps.mean())


def test_a_common_offset_of_the_logits_changes_nothing() -> None:
    data = load_data("digits")
    plain = digits_chip(digits_model())
    expected = plain.predict(data.test_images)
    for offset in (-50.0, 50.0, -1000.0):
        chip = digits_chip(moved(digits_model(), offset))
        assert np.mean(chip.predict(data.test_images).classes == expected.classes) == 1.0
        assert any("was added to every output of the model" in note for note in chip.notes)
    silent = digits_chip(moved(digits_model(), -50.0), **FIXED)
    assert len(np.unique(silent.predict(data.test_images).classes)) == 1  # what an offset does if nothing is done


def test_logits_of_independent_classes_lose_nothing() -> None:
    """Trained with one sigmoid per class, nearly all logits are negative."""
    model, data = digits_model("sigmoids"), load_data("digits")
    with torch.no_grad():
        x = torch.from_numpy(data.test_images.reshape(-1, 64).astype(np.float32) / 255)
        ann = float(np.mean(model(x).argmax(1).numpy() == data.test_labels))
    accuracy, _ = digits_accuracy(digits_chip(model))
    assert accuracy >= ann - 0.01


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10**6),
    st.floats(-1e3, 1e3),
    st.floats(-3.0, 3.0),
    st.sampled_from([{"input": "even"}, {"input": "phase", "phases": 4}, {"input": "analog"}, {"input": "rate"}]),
    st.sampled_from(["spikes", "membrane"]),
)
def test_random_offsets_and_scales(seed: int, offset: float, power: float, coding: dict, readout: str) -> None:
    model = make_model(20, 16, 12, 5, seed=seed)
    reset = "none" if readout == "membrane" else "subtract"
    config = make_config(
        coding=coding,
        decision={"readout": readout, "t_max": 16},
        neuron={"output_reset": reset},
        device={"device_sigma": 0.0},
    )
    plain = spikeloom.compile(model, IMAGES, config)
    other = spikeloom.compile(moved(model, offset, 10.0**power), IMAGES, config)
    for a, b in zip(plain.programmed.layers, other.programmed.layers, strict=True):
        np.testing.assert_array_equal(a.weights, b.weights)
        assert abs(a.theta - b.theta) <= 1
        assert np.abs(a.bias - b.bias).max() <= 1  # an offset of 1000 leaves four digits to the logits
    agree = np.mean(plain.predict(IMAGES).classes == other.predict(IMAGES).classes)
    assert agree >= 0.95


def test_an_offset_before_a_rectifier_stays() -> None:
    """There it changes classes: what is below 0 becomes 0."""
    model = nn.Sequential(*make_model(20, 16, 5), nn.ReLU()).eval()
    chip = spikeloom.compile(model, IMAGES, make_config())
    assert not any("was added to every output" in note for note in chip.notes)
    pixels = torch.from_numpy(IMAGES.astype(np.float32) / 255)
    outputs = chip.passes.normalised.outputs(IMAGES)
    ratio = outputs / np.maximum(model(pixels).detach().numpy(), 1e-9)
    positive = outputs > 1e-3
    assert np.ptp(ratio[positive]) < 1e-3 * ratio[positive].max()  # the same numbers in another unit


def test_a_network_that_ends_with_a_convolution() -> None:
    torch.manual_seed(0)
    parts = [nn.Conv2d(1, 6, 3, bias=True), nn.ReLU(), nn.Conv2d(6, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    images = make_images(120, 64, seed=5).reshape(-1, 1, 8, 8)
    chips = []
    for offset in (0.0, -40.0):
        model = nn.Sequential(*parts).eval()
        with torch.no_grad():
            model[2].bias.add_(offset)
        chips.append(spikeloom.compile(model, images, make_config(decision={"t_max": 20})))
    plain, moved_down = (chip.predict(images) for chip in chips)
    np.testing.assert_array_equal(plain.classes, moved_down.classes)
    assert moved_down.spikes[:, -1].sum() > 0
    silent = spikeloom.compile(model, images, make_config(decision={"t_max": 20}, convert=FIXED)).predict(images)
    assert silent.spikes[:, -1].sum() == 0


@pytest.mark.parametrize(("cells", "converters", "least"), [(1, 8, 0.93), (2, 8, 0.96), (4, 2, 0.93), (4, 1, 0.92)])
def test_few_bits_lose_little(cells: int, converters: int, least: float) -> None:
    """Digits; the old settings give chance with 1-bit cells and with converters of 1 bit. A point of 500 images is
    chance as well: choices of nearly equal error have given 93 to 95.5 % with converters of few bits.
    """
    data = load_data("digits")
    bits = {"device": {"bits": cells}, "crossbar": {"adc_bits": converters}}
    chips = [
        spikeloom.compile(digits_model(), data.train_images[:500], {**IDEAL, **bits, "convert": convert})
        for convert in ({}, FIXED)
    ]
    now, before = (digits_accuracy(chip)[0] for chip in chips)
    assert now >= least and now > before


def test_a_chip_says_how_often_it_gives_the_models_class() -> None:
    """The whole chip: what its diagnosis measured on calibration images."""
    chip = digits_chip(digits_model())
    (note,) = (note for note in chip.notes if note.startswith("The chip as configured"))
    assert chip.notes[-1] == note
    images = load_data("digits").train_images[:500]
    with torch.no_grad():
        wanted = digits_model()(torch.from_numpy(images.reshape(-1, 64).astype(np.float32) / 255)).argmax(1).numpy()
    chosen = np.linspace(0, 499, chip.findings.images).round().astype(int)
    agreement = np.mean(chip.predict(images).classes[chosen] == wanted[chosen])
    assert f"gives {agreement:.1%} of {chip.findings.images} calibration images" in note
