"""Spiking networks of other libraries, the NIR files that their own exporters write of them, and their spikes.

`python -m tests.sw.nir_libraries snntorch` writes tests/sw/nir_files/snntorch-*.nir and .npz, and so for spikingjelly;
with each the library must be installed. snnTorch is a test dependency, so its networks are also run live.

Weights and thresholds are multiples of powers of two on the levels of a 6-bit cell, so that what differs is the
neurons' doing and not the rounding of weights.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

FOLDER = Path(__file__).parent / "nir_files"
STEPS, IMAGES = 24, 12


@dataclass(frozen=True, eq=False)
class Written:
    """What a library writes and does.

    Parameters
    ----------
    graph : its `nir.NIRGraph`
    pixels : uint8 [images, ...]
    spikes : of every layer of neurons in order, bool [images, steps, ...]
    """

    graph: Any
    pixels: NDArray[np.uint8]
    spikes: tuple[NDArray[np.bool_], ...]


def even_spikes(pixels: NDArray[np.uint8], steps: int = STEPS) -> NDArray[np.float32]:
    """The chip's input coding "even", written down once more: [steps, images, ...]."""
    ends = (127 + np.arange(steps + 1).reshape(-1, *[1] * pixels.ndim) * pixels.astype(np.int64)) // 255
    return np.diff(ends, axis=0).astype(np.float32)


def on_levels(model: nn.Module, seed: int) -> nn.Module:
    """Random weights n / 8 with |n| <= 15, mostly small, and biases n / 8 with |n| <= 1."""
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            wide = 8.0 / np.sqrt(parameter[0].numel())
            values = np.clip(np.rint(rng.normal(0.1, wide, parameter.shape)), -15, 15)
            parameter.data = torch.from_numpy(values.astype(np.float32) / 8)
        elif parameter.requires_grad:
            parameter.data = torch.from_numpy(rng.integers(-1, 2, parameter.shape).astype(np.float32) / 8)
    return model


def run(model: nn.Module, kind: type[nn.Module], shape: tuple[int, ...], reset: Callable[[nn.Module], None], seed: int):
    """Images, and the spikes of every module of the kind, in order of their calls."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (IMAGES, *shape), dtype=np.uint8)
    found: dict[nn.Module, list[NDArray[Any]]] = {}

    def keep(module: nn.Module, _: Any, output: Any) -> None:
        output = output[0] if isinstance(output, tuple) else output
        found.setdefault(module, []).append(output.detach().numpy() > 0.5)

    handles = [module.register_forward_hook(keep) for module in model.modules() if isinstance(module, kind)]
    reset(model)
    with torch.no_grad():
        for step in even_spikes(pixels):
            model(torch.from_numpy(step))
    for handle in handles:
        handle.remove()
    reset(model)
    return pixels, tuple(np.stack(spikes, axis=1) for spikes in found.values())


# snnTorch: a spike takes the threshold away, and a neuron fires above its threshold


def _leaky(*shape: int, thresholds: tuple[float, ...] = (1.0,), **options: Any) -> nn.Module:
    """A neuron without a leak; its exporter wants beta and threshold of every neuron."""
    import snntorch

    threshold = torch.tensor(thresholds).repeat(shape[0])[: shape[0]].view(-1, *[1] * (len(shape) - 1)).expand(shape)
    return snntorch.Leaky(beta=torch.ones(shape), threshold=threshold.contiguous(), init_hidden=True, **options)


def _snn_dense() -> tuple[nn.Module, tuple[int, ...]]:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(48, 20),
        _leaky(20, thresholds=(1.0, 0.5, 2.0)),
        nn.Linear(20, 12, bias=False),
        _leaky(12),
        nn.Linear(12, 5),
        _leaky(5, output=True),
    ), (48,)


def _snn_conv() -> tuple[nn.Module, tuple[int, ...]]:
    return nn.Sequential(
        nn.Conv2d(2, 4, (3, 3), padding=(1, 1)),
        _leaky(4, 8, 6, thresholds=(1.0, 2.0)),
        nn.AvgPool2d((2, 2)),
        nn.Conv2d(4, 6, (2, 2), stride=(2, 1), bias=False),
        _leaky(6, 2, 2),
        nn.Flatten(),
        nn.Linear(24, 5),
        _leaky(5, output=True),
    ), (2, 8, 6)


def snntorch_network(name: str) -> Written:
    """A network of snnTorch: "dense" or "conv"."""
    import snntorch
    from snntorch.export_nir import export_to_nir

    with torch.random.fork_rng(devices=[]):
        model, shape = {"dense": _snn_dense, "conv": _snn_conv}[name]()
    on_levels(model, 1)

    def reset(module: nn.Module) -> None:
        for layer in module.modules():
            if isinstance(layer, snntorch.Leaky):
                layer.reset_mem()

    pixels, spikes = run(model, snntorch.Leaky, shape, reset, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 1 / (1 - beta) is infinite, and its exporter is of nirtorch's old kind
        graph = export_to_nir(model, torch.rand(1, *shape), ignore_dims=[0])
    return Written(graph, pixels, spikes)


# SpikingJelly: a spike takes the membrane to zero, and a neuron fires at its threshold


def _jelly_dense() -> tuple[nn.Module, tuple[int, ...]]:
    from spikingjelly.activation_based.neuron import IFNode

    model = nn.Sequential(
        nn.Linear(48, 20),
        IFNode(v_threshold=2.0, v_reset=0.0),
        nn.Linear(20, 12, bias=False),
        IFNode(v_reset=0.0),
        nn.Linear(12, 5),
        IFNode(v_reset=0.0),
    )
    return model, (48,)


class JellyResidual(nn.Module):
    """Two residual blocks, one with a strided convolution on the shortcut, and average pooling."""

    def __init__(self) -> None:
        super().__init__()
        from spikingjelly.activation_based.neuron import IFNode

        self.conv1, self.if1 = nn.Conv2d(2, 4, 3, padding=1), IFNode(v_reset=0.0)
        self.conv2, self.if2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), IFNode(v_reset=0.0)
        self.conv3, self.if3 = nn.Conv2d(4, 4, 3, padding=1), IFNode(v_reset=0.0)
        self.conv4, self.if4 = nn.Conv2d(4, 6, 3, stride=2, padding=1), IFNode(v_threshold=2.0, v_reset=0.0)
        self.short = nn.Conv2d(4, 6, 1, stride=2, bias=False)
        self.pool, self.flat = nn.AvgPool2d(2), nn.Flatten()
        self.fc, self.if5 = nn.Linear(12, 5), IFNode(v_reset=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.if1(self.conv1(x))
        x = self.if3(self.conv3(self.if2(self.conv2(x))) + x)
        x = self.if4(self.conv4(x) + self.short(x))
        return self.if5(self.fc(self.flat(self.pool(x))))


def spikingjelly_network(name: str) -> Written:
    """A network of SpikingJelly: "dense" or "residual"."""
    from spikingjelly.activation_based import functional, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    with torch.random.fork_rng(devices=[]):
        model, shape = (JellyResidual(), (2, 8, 6)) if name == "residual" else _jelly_dense()
    on_levels(model, 3)
    pixels, spikes = run(model, neuron.IFNode, shape, functional.reset_net, 4)
    return Written(export_to_nir(model, torch.rand(1, *shape)), pixels, spikes)


LIBRARIES: dict[str, tuple[Callable[[str], Written], tuple[str, ...], dict[str, str]]] = {
    "snntorch": (snntorch_network, ("dense", "conv"), {"reset": "subtract", "threshold": "above"}),
    "spikingjelly": (spikingjelly_network, ("dense", "residual"), {"reset": "zero", "threshold": "at"}),
}
"""How to make its networks, their names, and what of its neurons NIR leaves open."""


def save(library: str) -> None:
    """Write the files of a library."""
    import nir

    make, names, _ = LIBRARIES[library]
    for name in names:
        written = make(name)
        nir.write(FOLDER / f"{library}-{name}.nir", written.graph)
        packed = {f"spikes{n}": np.packbits(spikes) for n, spikes in enumerate(written.spikes)}
        shapes = {f"shape{n}": np.array(spikes.shape) for n, spikes in enumerate(written.spikes)}
        np.savez_compressed(FOLDER / f"{library}-{name}.npz", pixels=written.pixels, **packed, **shapes)
        rates = ", ".join(f"{spikes.mean():.2f}" for spikes in written.spikes)
        print(f"{library}-{name}: spikes a step and neuron {rates}")


def saved(library: str, name: str) -> tuple[Path, NDArray[np.uint8], tuple[NDArray[np.bool_], ...]]:
    """Path of the file, and what `save` kept of the library's run."""
    with np.load(FOLDER / f"{library}-{name}.npz") as file:
        spikes = []
        while f"spikes{len(spikes)}" in file:
            shape = file[f"shape{len(spikes)}"]
            bits = np.unpackbits(file[f"spikes{len(spikes)}"], count=int(shape.prod()))
            spikes.append(bits.reshape(shape).astype(bool))
        return FOLDER / f"{library}-{name}.nir", file["pixels"], tuple(spikes)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or LIBRARIES:
        save(chosen)
