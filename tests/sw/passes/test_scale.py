"""How a layer becomes levels: what a level stands for and the biases are fitted to the layer's output."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.hw.params.plan import CrossbarStage
from spikeloom.sw.ir.graph import Rectifier
from spikeloom.sw.ir.network import Network
from spikeloom.sw.ir.window_reader import WindowReader
from spikeloom.sw.passes.quantise import round_weights
from spikeloom.sw.passes.scale import LayerInputs, layer_fits

RELU = Rectifier("relu", np.inf, 0)


def inputs(rectifier: Rectifier | None, seed: int = 0, outputs: int = 16) -> LayerInputs:
    """A dense layer on images of which most inputs are 0."""
    rng = np.random.default_rng(seed)
    weight, bias = rng.laplace(size=(outputs, 60)), rng.normal(size=outputs)
    x = np.maximum(rng.normal(-0.5, 1.0, size=(80, 60)), 0.0)
    plan = Network.dense(("a", weight, bias, rectifier)).plan
    stage = plan.stages[0]
    assert isinstance(stage, CrossbarStage)
    return LayerInputs(WindowReader(plan, stage), [x], [x], weight, bias, rectifier)


def error(layer: LayerInputs, top: int, step: float, value: float, correction: np.ndarray) -> float:
    x = layer.maps[0]
    assert x is not None
    exact = x @ layer.weight.T + layer.bias
    made = value * (x @ round_weights(layer.weight, step, top).T) + layer.bias + correction
    if layer.rectifier is None:
        exact, made = (y - y.mean(axis=1, keepdims=True) for y in (exact, made))
    else:
        exact, made = np.maximum(exact, 0.0), np.maximum(made, 0.0)
    return float(np.mean((exact - made) ** 2))


@pytest.mark.parametrize("rectifier", [RELU, None])
@pytest.mark.parametrize("top", [1, 3, 15])
def test_the_fit_is_better_than_any_step_alone(rectifier: Rectifier | None, top: int) -> None:
    layer = inputs(rectifier)
    fit = layer.fit(top)
    assert fit.error == pytest.approx(error(layer, top, fit.step, fit.value, fit.correction), rel=1e-9)
    steps = np.abs(layer.weight).max() / top * 2.0 ** -np.linspace(0.0, 5.0, 60)
    plain = min(error(layer, top, step, step, np.zeros(16)) for step in steps)
    assert fit.error < plain * (0.9 if top == 1 else 1.0)


@pytest.mark.parametrize("top", [1, 3])
def test_biases_are_fitted_where_neurons_work(top: int) -> None:
    """As in a convolution over images of which most is empty ground: an error that is compensated on average over all
    positions would leave most of it where something is, and make neurons fire where nothing is.
    """
    rng = np.random.default_rng(3)
    layer = inputs(RELU)
    x = np.where(rng.random((400, 1)) < 0.2, rng.random((400, 60)), 0.0)
    layer = LayerInputs(layer.reader, [x], [x], layer.weight + 0.2, np.full(16, -0.1), RELU)
    fit = layer.fit(top)

    def on_average(step: float) -> float:
        lost = x @ (layer.weight - step * round_weights(layer.weight, step, top)).T
        return error(layer, top, step, step, lost.mean(axis=0))

    steps = np.abs(layer.weight).max() / top * 2.0 ** -np.linspace(0.0, 5.0, 60)
    assert fit.error < 0.7 * min(on_average(step) for step in steps)


def test_weights_on_the_levels_stay_as_they_are() -> None:
    layer = inputs(RELU)
    levels = np.random.default_rng(1).integers(-3, 4, size=layer.weight.shape)
    levels[0, 0] = 3
    exact = LayerInputs(layer.reader, layer.maps, layer.level_maps, 0.37 * levels, layer.bias, RELU)
    fit = exact.fit(3)
    assert fit.step == fit.value == pytest.approx(0.37) and not fit.correction.any()
    np.testing.assert_array_equal(round_weights(exact.weight, fit.step, 3), levels)


def test_a_single_output_is_compared_with_zero() -> None:
    layer = inputs(None, outputs=1)
    fit = layer.fit(7)
    x = layer.maps[0]
    assert x is not None
    made = fit.value * (x @ round_weights(layer.weight, fit.step, 7).T) + layer.bias + fit.correction
    assert np.abs(made - (x @ layer.weight.T + layer.bias)).std() < 0.5


def test_later_layers_make_up_for_earlier_ones() -> None:
    """The second layer reads what the first makes in levels: its bias takes what the first has lost on average."""
    rng = np.random.default_rng(2)
    first, second = rng.laplace(size=(30, 40)), rng.normal(size=(10, 30))
    network = Network.dense(("a", first, np.zeros(30), RELU), ("b", second, np.zeros(10), None))
    pixels = rng.integers(0, 256, size=(100, 40)).astype(np.uint8)
    fits = layer_fits(network, (1.0, 1.0, 1.0), pixels, 1)
    x = pixels / 255.0
    hidden = np.maximum(fits[0].value * (x @ round_weights(first, fits[0].step, 1).T) + fits[0].correction, 0.0)
    made = fits[1].value * (hidden @ round_weights(second, fits[1].step, 1).T) + fits[1].correction
    wanted = np.maximum(x @ first.T, 0.0) @ second.T
    lost = (made - wanted) - (made - wanted).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(lost.mean(axis=0), 0.0, atol=1e-9)
