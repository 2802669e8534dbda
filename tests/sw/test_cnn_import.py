"""Convolutions, pooling and joins: the chip's layers compute what the model computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sw.float_snn import spiking_network
from sw.import_torch import import_torch
from sw.passes.calibrate import row_codes
from sw.passes.fold import fold
from sw.passes.normalise import normalise
from sw.sections import ConvertSection
from sw.waterfall import ideal_cells, wide_adc
from tests.sw.models import make_config, make_images
from tests.sw.plain_snn import run_plain
from tests.sw.random_cnn import random_cnn


def outputs(model: torch.nn.Module, pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The model's own outputs in double precision."""
    x = torch.from_numpy(pixels.astype(np.float64) / 255).view(len(pixels), *shape)
    with torch.no_grad():
        return model.double()(x).numpy()


@pytest.mark.parametrize("seed", range(60))
def test_folded_and_normalised_networks_compute_the_same(seed: int) -> None:
    model, shape = random_cnn(seed)
    pixels = make_images(30, int(np.prod(shape)), seed)
    network = fold(import_torch(model, shape))
    expected = outputs(model, pixels, shape)
    limit = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(network.outputs(pixels), expected, atol=limit)
    assert network.input_shape == shape
    normalised = normalise(network, pixels, ConvertSection())
    values = [v.max() for v in normalised.activations(pixels)]
    assert all(v == pytest.approx(1.0, rel=1e-4) or v <= 1.0 for v in values)
    found = normalised.outputs(pixels)
    np.testing.assert_allclose(found * (expected.max() / found.max()), expected, atol=10 * limit)


@pytest.mark.parametrize("seed", range(12))
def test_spiking_networks_of_integers_are_the_plain_ones(seed: int) -> None:
    import sw

    rng = np.random.default_rng(seed)
    model, shape = random_cnn(seed + 500)
    pixels = make_images(20, int(np.prod(shape)), seed)
    readout = str(rng.choice(["spikes", "membrane"]))
    config = make_config(
        coding={"input": str(rng.choice(["phase", "even", "rate"])), "phases": int(rng.choice([1, 3]))},
        neuron={
            "reset": str(rng.choice(["subtract", "zero"])),
            "output_reset": "none" if readout == "membrane" else "subtract",
            "leak": int(rng.choice([0, 0, 3])),
            "v0": float(rng.choice([0.0, 0.5])),
        },
        decision={"t_max": 6, "readout": readout, "skip": int(rng.choice([0, 1])), "k": float(rng.choice([1.0, 3.0]))},
    )
    image = wide_adc(ideal_cells(sw.compile(model, pixels, config, input_shape=shape).image))
    found = spiking_network(image).run(len(pixels), row_codes(image, pixels))
    codes = row_codes(image, pixels)
    steps = {t: codes(np.arange(len(pixels)), t) for t in range(1, image.t_max + 1)}
    for b in range(6):
        expected = run_plain(image, lambda t, b=b: steps[t][b])
        assert (found.classes[b], found.steps[b]) == expected[:2], b
