"""`python -m benchmarks.deviations`: the table "Measured" of docs/deviations.md, what each difference from the papers
comes to on the network of the preset `digits` with ideal cells.

The reset of [BS] eq. 1 and the percentile of [WK] are no settings: they are put into the reference and the conversion
for their rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import nn

import spikeloom
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.programmed_chip import ProgrammedLayer
from spikeloom.sim.reference.neuron import NeuronLayer
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.training.training import train

_CONSOLE = Console(soft_wrap=True, highlight=False)
IDEAL: dict[str, Any] = {"preset": "digits", "device": {"device_sigma": 0.0, "read_sigma": 0.0}}


class PaperReset(NeuronLayer):
    """[BS] eq. 1: the reset comes a step after the spike, and the leak does not touch it, U <- beta U + z - theta S.

    `membranes` are U - theta S, as the hardware stores them; a neuron that fired leaks by what it had before its reset.
    """

    def __init__(self, layer: ProgrammedLayer, parameters: LayerParameters, images: int) -> None:
        super().__init__(replace(layer, leak=0), parameters, images)
        self._layer = layer
        self._fired = np.zeros(self.membranes.shape, np.int64)

    def step(
        self, codes: NDArray[np.int16], live: NDArray[np.int64], shift: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        before = self.membranes[live] + self._fired[live] * (self._layer.theta << shift)
        self.membranes[live] -= before >> self._layer.leak
        spikes, counts = super().step(codes, live, shift)
        self._fired[live] = spikes
        return spikes, counts


def all_quantiles(values: NDArray[np.floating], shares: Sequence[float]) -> list[float]:
    """[WK] 2.1: quantiles of all activations, the zeros of silent neurons included; 1 where they are 0."""
    found = np.quantile(np.maximum(values, 0.0), list(shares))
    return [float(each) if each > 0.0 else 1.0 for each in found]


@contextlib.contextmanager
def put_in(paper: str) -> Iterator[None]:
    """What has no setting, for as long as the block runs: "reset", "percentile" or nothing."""
    with contextlib.ExitStack() as stack:
        if paper == "reset":
            stack.enter_context(mock.patch("spikeloom.sim.reference.layer.NeuronLayer", PaperReset))
        if paper == "percentile":
            stack.enter_context(mock.patch("spikeloom.sw.passes.normalise.positive_quantiles", all_quantiles))
        yield


def signs(model: nn.Module) -> nn.Module:
    """The model with sign(W) times the mean size of W in every layer, not trained for it."""
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.copy_(torch.where(layer.weight < 0, -1.0, 1.0) * layer.weight.abs().mean())
    return model


def row(title: str, model: nn.Module, data: Dataset, changes: dict[str, dict[str, Any]], paper: str = "") -> None:
    """Print a line of the table: accuracy, mean steps, mean spikes of all neurons per image, on all test images."""
    config = spikeloom.Config.load(IDEAL).updated(changes)
    with put_in(paper):
        chip = spikeloom.compile(model, data.train_images[: config.data.calibration_images], config)
        result = chip.predict(data.test_images)
    spikes = sum(int(counts.sum()) for counts in result.spikes) / len(result)
    _CONSOLE.print(
        f"| {title} | {100 * result.accuracy(data.test_labels):.1f} % | {result.steps.mean():.2f} | {spikes:,.1f} |"
    )


def main() -> None:
    """Print the rows, in the order of the page."""
    data = load_data("digits")
    config = spikeloom.Config.load(IDEAL)
    model = train(config.train, data, config.seed)
    row("as the preset has it", model, data, {})
    for leak in (3, 2):
        row(f"`neuron.leak = {leak}`", model, data, {"neuron": {"leak": leak}})
        row("the same, reset as in [BS] eq. 1", model, data, {"neuron": {"leak": leak}}, "reset")
    row("`neuron.v0 = 0`, as [WS] eq. 12 and [WK]", model, data, {"neuron": {"v0": 0.0}})
    zero = {"neuron": {"reset": "zero", "output_reset": "zero"}}
    row('`neuron.reset` and `output_reset = "zero"`, as [WK] eq. 3', model, data, zero)
    membrane = {"neuron": {"output_reset": "none"}, "decision": {"readout": "membrane"}}
    row('`decision.readout = "membrane"`, as [WS] eq. 17 (k in thresholds)', model, data, membrane)
    for share in (0.99, 0.9):
        fixed = {"convert": {"normalisation": "percentile", "percentile": share}}
        row(f"`convert.percentile = {share}`", model, data, fixed)
        row("the same, of all activations as [WK] 2.1", model, data, fixed, "percentile")
    one = {"device": {"bits": 1}, "convert": {"weight_scale": "mse"}}
    row('`device.bits = 1` with `convert.weight_scale = "mse"`: -1, 0, +1', model, data, one)
    row("`device.bits = 1`, weights sign(W) times their mean size: -1, +1 only", signs(model), data, one)


if __name__ == "__main__":
    main()
