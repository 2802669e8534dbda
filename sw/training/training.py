"""Training of the example networks with the cells' levels and spiking activations taken into account.

What decides whether a few time steps are enough is training: activations that are clipped and rounded to a few levels
(`sw.frontend.clipped_relu.ClippedReLU`) and weights that are rounded to the cells' levels by the very rule of
`sw.passes.quantise` (`sw.training.quantised_weights`), with gradients passed straight through both. Trained networks
are kept, under a name made of everything that determines them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from spikeloom.sim.common.cache import cache_folder
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import sources_digest
from spikeloom.sw.config.sections import TrainSection
from spikeloom.sw.datasets.datasets import Dataset
from spikeloom.sw.training.exact_training import fit_exact, rate
from spikeloom.sw.training.example_networks import MLP, build
from spikeloom.sw.training.quantised_weights import CellWeights

__all__ = ["build", "train"]

_LAYER_FIELDS = ("network", "pooling", "batch_norm")
Progress = Callable[[int, int, str], None]
"""Called with (epochs done, epochs, a text such as "loss 0.12")."""


def train(
    section: TrainSection,
    data: Dataset,
    seed: int,
    progress: Progress | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> nn.Sequential:
    """A trained network in evaluation mode; the same one, bit for bit, for the same arguments on the same machine with
    the same number of threads, and with `exact_sums` on every machine.

    Parameters
    ----------
    seed : of initial weights, order of the images, dropout, augmentation and weight noise
    cache : folder of trained networks; by default `networks` in $SPIKELOOM_CACHE or the user's cache
    """
    folder = Path(cache) if cache is not None else cache_folder("networks")
    path = folder / f"{data.name}-{_key(section, data, seed)}.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(section, data.shape, data.classes)
        if not _restore(model, path):
            threads = torch.get_num_threads()
            # convolutions in two threads are slower where images are small, or the machine has other work
            torch.set_num_threads(min(2, threads) if section.network == MLP else 1)
            try:
                if section.exact_sums:
                    fit_exact(model, section, data, seed, progress)
                else:
                    _fit(model, section, data, progress)
            finally:
                torch.set_num_threads(threads)
            _store(model, path)
    return model.eval()


def _fit(model: nn.Sequential, section: TrainSection, data: Dataset, progress: Progress | None) -> None:
    images = torch.tensor(data.train_images)
    labels = torch.tensor(data.train_labels)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=section.learning_rate, weight_decay=section.weight_decay, fused=True
    )
    steps_per_epoch = math.ceil(len(images) / section.batch)
    total = section.epochs * steps_per_epoch
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, total))
    cells = CellWeights(model, section)
    model.train()
    for epoch in range(section.epochs):
        loss_sum = 0.0
        order = torch.randperm(len(images))
        for start in range(0, len(images), section.batch):
            chosen = order[start : start + section.batch]
            x = images[chosen].float() / 255.0
            if section.augment:
                x = _augmented(x, data.shape)
            loss = F.cross_entropy(cells.forward(x), labels[chosen], label_smoothing=section.label_smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            loss_sum += float(loss.detach()) * len(chosen)
        if progress is not None:
            progress(epoch + 1, section.epochs, f"loss {loss_sum / len(images):.4f}")
    cells.settle()


def _augmented(x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Images turned (to 12 degrees), scaled (to 10 %), sheared and shifted (to 2 pixels of 28) at random, bilinear."""
    channels = 1 if len(shape) == 2 else shape[0]
    height, width = shape[-2:]
    count = len(x)
    angle = (torch.rand(count) * 2 - 1) * math.radians(12)
    scale_x = 1 + (torch.rand(count) * 2 - 1) * 0.1
    scale_y = 1 + (torch.rand(count) * 2 - 1) * 0.1
    shear = (torch.rand(count) * 2 - 1) * 0.1
    shift = (torch.rand(count, 2) * 2 - 1) * (4 / 28)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = torch.stack(
        [
            torch.stack([cos * scale_x, -sin * scale_y + shear, shift[:, 0]], 1),
            torch.stack([sin * scale_x, cos * scale_y, shift[:, 1]], 1),
        ],
        1,
    )
    pictures = x.view(count, channels, height, width)
    grid = F.affine_grid(rows, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, align_corners=False).view(count, -1)


def _key(section: TrainSection, data: Dataset, seed: int) -> str:
    """A name for everything that determines the trained network."""
    settings = section.model_dump(mode="json")
    if section.network == MLP:  # names of perceptrons are as they were before there were other networks
        settings = {name: value for name, value in settings.items() if name not in _LAYER_FIELDS}
    if not section.exact_sums:  # likewise
        del settings["exact_sums"]
    facts: dict[str, Any] = {
        "train": settings,
        "data": data.checksum(),
        "seed": seed,
        "sources": sources_digest((f"{__name__}:train",)),
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]


def _restore(model: nn.Module, path: Path) -> bool:
    """Fill in a cached network; False if there is none, or it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        model.load_state_dict(load(path.read_bytes()))
    except (OSError, SafetensorError, RuntimeError):
        return False
    return True


def _store(model: nn.Module, path: Path) -> None:
    from safetensors.torch import save

    write_atomic(path, save({name: value.contiguous() for name, value in model.state_dict().items()}))
