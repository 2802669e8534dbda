"""Training of the example networks with the cells' levels and spiking activations taken into account.

What decides whether a few time steps are enough is training: activations that are clipped and rounded to a few levels
(`sw.frontend.clipped_relu.ClippedReLU`) and weights that are rounded to the cells' levels by the very rule of
`sw.passes.quantise` (`sw.training.quantised_weights`), with gradients passed straight through both. Trained networks
are kept, under a name made of everything that determines them.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spikeloom.sim.common.cache import cache_folder
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import sources_digest
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset
from spikeloom.sw.training.exact_training import fit_exact
from spikeloom.sw.training.example_networks import MLP, TRAINED, build
from spikeloom.sw.training.fit import Progress, fit
from spikeloom.sw.training.given_network import given_network

__all__ = ["build", "train"]

_LAYER_FIELDS = ("network", "pooling", "batch_norm")


def train(
    section: TrainSection,
    data: Dataset,
    seed: int,
    progress: Progress | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> nn.Sequential:
    """A trained network in evaluation mode, or the one that [train] weights names.

    A training gives the same network, bit for bit, for the same arguments on the same machine with the same number of
    threads, and with `exact_sums` on every machine. A long one that was interrupted resumes.

    Parameters
    ----------
    seed : of initial weights, order of the images, dropout, augmentation and weight noise
    cache : folder of trained networks; by default `networks` in $SPIKELOOM_CACHE or the user's cache
    """
    if section.weights != TRAINED:
        return given_network(section, data, seed)
    folder = Path(cache) if cache is not None else cache_folder("networks")
    path = folder / f"{data.name}-{_key(section, data, seed)}.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(section, data.shape, data.classes)
        if not _restore(model, path):
            threads = torch.get_num_threads()
            # in float32, convolutions in two threads are slower where images are small, or the machine has other work
            if section.precision == "float32":
                torch.set_num_threads(min(2, threads) if section.network == MLP else 1)
            try:
                if section.exact_sums:
                    fit_exact(model, section, data, seed, progress)
                else:
                    fit(model, section, data, progress, path.with_suffix(".checkpoint"))
            finally:
                torch.set_num_threads(threads)
            _store(model, path)
    return model.eval()


def _key(section: TrainSection, data: Dataset, seed: int) -> str:
    """A name for everything that determines the trained network."""
    settings = section.model_dump(mode="json", exclude={"weights"})
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
