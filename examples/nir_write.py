"""Writes digits.nir: a spiking network with a convolution, trained by snnTorch and exported by snnTorch.

    python examples/nir_write.py [FILE]

needs snnTorch and nirtorch (installed by `make setup`). Its weights are trained on the levels of 4-bit cells, so that
quantisation on a chip loses nothing.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import nir
import numpy as np
import snntorch
import torch
from snntorch.export_nir import export_to_nir
from torch import nn
from torch.nn.utils import parametrize

from spikeloom.sw.datasets.datasets import load_data

STEPS, LEVELS, EPOCHS = 12, 16, 40


class Rounded(nn.Module):
    """Multiples of 1/16 up to 15/16; gradients pass straight through."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        levels = torch.clamp(torch.round(weight * LEVELS), 1 - LEVELS, LEVELS - 1) / LEVELS
        return weight + (levels - weight).detach()


def neurons(*shape: int, **options: bool) -> nn.Module:
    """Integrate and fire: no leak, threshold 1. The exporter wants a number for every neuron."""
    return snntorch.Leaky(beta=torch.ones(shape), threshold=torch.ones(shape), init_hidden=True, **options)


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 12, (3, 3)),
        neurons(12, 6, 6),
        nn.AvgPool2d((2, 2)),
        nn.Flatten(),
        nn.Linear(108, 10),
        neurons(10, output=True),
    )


def counts(model: nn.Sequential, images: torch.Tensor) -> torch.Tensor:
    """Output spikes [images, 10] of images 0 .. 255, whose pixels spike at even distances."""
    for module in model:
        if isinstance(module, snntorch.Leaky):
            module.reset_mem()
    total = torch.zeros(len(images), 10)
    for t in range(STEPS):
        spikes = (127 + (t + 1) * images) // 255 - (127 + t * images) // 255
        total = total + model(spikes.float())[0]
    return total


def main(path: Path) -> None:
    data = load_data("digits")
    images, labels = (torch.from_numpy(a.astype(np.int64)) for a in (data.train_images, data.train_labels))
    tests, expected = (torch.from_numpy(a.astype(np.int64)) for a in (data.test_images, data.test_labels))
    images, tests = images.view(-1, 1, 8, 8), tests.view(-1, 1, 8, 8)
    torch.manual_seed(0)
    model = network()
    layers = [module for module in model if isinstance(module, nn.Conv2d | nn.Linear)]
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", Rounded())
        parametrize.register_parametrization(layer, "bias", Rounded())
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(64):
            loss = nn.functional.cross_entropy(counts(model, images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        rate.step()
    with torch.no_grad():
        found = counts(model, tests).argmax(1)
    print(f"snnTorch: {float((found == expected).float().mean()):.1%} of {len(found)} test images")
    for layer in layers:
        parametrize.remove_parametrizations(layer, "weight")
        parametrize.remove_parametrizations(layer, "bias")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 1 / (1 - beta) is infinite
        nir.write(path, export_to_nir(model, torch.rand(1, 1, 8, 8), ignore_dims=[0]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("digits.nir"))
