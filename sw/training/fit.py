"""The training loop: epochs of gradient steps with the cells' weights, which can be interrupted and resumed.

A training that takes longer than `CHECKPOINT_S` leaves a checkpoint after an epoch: weights, the optimiser's state, and
the state of the random numbers. Resumed from it, it gives the network that it would have given without interruption.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset
from spikeloom.sw.training.augmentation import AUGMENTATIONS
from spikeloom.sw.training.exact_training import rate
from spikeloom.sw.training.quantised_weights import CellWeights

__all__ = ["CHECKPOINT_S", "MOMENTUM", "Progress", "fit"]

Progress = Callable[[int, int, str], None]
"""Called with (epochs done, epochs, a text such as "loss 0.12")."""
CHECKPOINT_S = 60.0
"""Shortest time from the start, or from a checkpoint, to the next one."""
MOMENTUM = 0.9
"""Of gradient descent, as He et al. use it (CVPR 2016, 4.2); Nesterov's form."""


def fit(
    model: nn.Sequential,
    section: TrainSection,
    data: Dataset,
    progress: Progress | None,
    checkpoint: Path,
    every_s: float = CHECKPOINT_S,
) -> None:
    """Train an untrained model in place, or go on where a checkpoint is; the checkpoint is deleted in the end.

    Parameters
    ----------
    checkpoint : file for it
    every_s : shortest time between checkpoints, seconds
    """
    training = _Training(model, section, data)
    first = training.resume(checkpoint)
    saved = time.monotonic()
    for epoch in range(first, section.epochs):
        began = time.monotonic()
        loss = training.epoch()
        now = time.monotonic()
        if epoch + 1 < section.epochs and now - saved >= every_s:
            training.save(checkpoint, epoch + 1)
            saved = now
        if progress is not None:
            speed = len(data.train_images) / max(now - began, 1e-9)
            progress(epoch + 1, section.epochs, f"loss {loss:.4f}, {speed:,.0f} images/s")
    training.cells.settle()
    checkpoint.unlink(missing_ok=True)


class _Training:
    """What is the same in all epochs."""

    def __init__(self, model: nn.Sequential, section: TrainSection, data: Dataset) -> None:
        self._model, self._section, self._shape = model, section, data.shape
        self._images = torch.tensor(data.train_images)
        self._labels = torch.tensor(data.train_labels)
        if section.precision == "bfloat16":
            model.to(memory_format=torch.channels_last)
        self._optimiser = _optimiser(model, section)
        total = section.epochs * math.ceil(len(self._images) / section.batch)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimiser, lambda step: rate(step, total))
        self.cells = CellWeights(model, section)
        model.train()

    def epoch(self) -> float:
        """One pass over the images; their mean loss."""
        section, total = self._section, 0.0
        augmented = AUGMENTATIONS.get(section.augment)
        order = torch.randperm(len(self._images))
        for start in range(0, len(self._images), section.batch):
            chosen = order[start : start + section.batch]
            x = self._images[chosen].float() / 255.0
            if augmented is not None:
                x = augmented(x, self._shape)
            with torch.autocast("cpu", torch.bfloat16, enabled=section.precision == "bfloat16"):
                outputs = self.cells.forward(x)
            loss = F.cross_entropy(outputs.float(), self._labels[chosen], label_smoothing=section.label_smoothing)
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            self._schedule.step()
            total += float(loss.detach()) * len(chosen)
        return total / len(self._images)

    def save(self, path: Path, epochs: int) -> None:
        """Write a checkpoint."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        buffer = io.BytesIO()
        torch.save(state | {"epochs": epochs, "random": torch.get_rng_state()}, buffer)
        write_atomic(path, buffer.getvalue())

    def resume(self, path: Path) -> int:
        """Take the state of a checkpoint; the number of epochs that were done, 0 without one or with a damaged one."""
        try:
            state = torch.load(path, weights_only=True)
        except Exception:  # there is none, or it is damaged: the training begins anew
            return 0
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["random"])
        return int(state["epochs"])

    def _parts(self) -> dict[str, Any]:
        return {"model": self._model, "optimiser": self._optimiser, "schedule": self._schedule}


def _optimiser(model: nn.Module, section: TrainSection) -> torch.optim.Optimizer:
    lr, decay = section.learning_rate, section.weight_decay
    if section.optimiser == "adam":
        return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=decay, fused=True)
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=MOMENTUM, nesterov=True, weight_decay=decay, fused=True)
