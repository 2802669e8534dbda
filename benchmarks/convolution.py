"""Convolutional networks: Net2 on images of MNIST's shape and ResNet-20 on images of CIFAR-10's.

Images are random: half of the pixels 0, the others uniform. Weights are random too, thresholds as `spikeloom.compile`
finds them for these images, so that about a tenth of the neurons fire in a step, as in trained networks. Neither needs
data. Every image runs for the same number of steps, so that figures compare.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import spikeloom
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.cosim.simulator import Simulator
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.estimates.timing import timing
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.training.example_networks import build

__all__ = ["NETWORKS", "Network", "convolution"]

STEPS = 10
_RESNET = "16c3p-16r3-16r3-16r3-32r3s2-32r3-32r3-64r3s2-64r3-64r3-g-10"


@dataclass(frozen=True)
class Network:
    """A network and how many images are measured.

    layers : layer string; batch_norm : whether convolutions have one; shape : of an image
    images : of the reference and the ANN; rtl_images : of the Verilog
    """

    title: str
    layers: str
    batch_norm: bool
    shape: tuple[int, int, int]
    images: int
    rtl_images: int


NETWORKS = (
    Network("Net2, 28x28, 12c5-2s-64c5-2s-10", "12c5-2s-64c5-2s-10", False, (1, 28, 28), 200, 32),
    Network("ResNet-20, 32x32x3", _RESNET, True, (3, 32, 32), 32, 2),
)


def convolution(network: Network) -> dict[str, Any]:
    """Images per second of the ANN, the reference and the Verilog; clock cycles counted and by the formula."""
    model, images = _model(network)
    start = time.perf_counter()
    chip = spikeloom.compile(
        model, images[:32], {"decision": {"t_max": STEPS, "rule": "fixed"}, "hardware": {"lanes": 64}}
    )
    out: dict[str, Any] = {"title": network.title, "steps": STEPS, "compile_s": time.perf_counter() - start}
    noisy = chip.programmed.device.model_copy(update={"device_sigma": 0.05, "read_sigma": 0.01})
    ideal = noisy.model_copy(update={"device_sigma": 0.0, "program_sigma": 0.0, "read_sigma": 0.0})
    out["ann_images_per_s"] = _ann(model, images)
    for name, device in (("ideal", ideal), ("noisy", noisy)):
        programmed = chip.programmed.with_device(device)
        arrays = build_arrays(programmed)
        result = run_reference(programmed, images[:4], arrays=arrays)  # compiles the kernels
        seconds = _median(functools.partial(run_reference, programmed, images, arrays=arrays))
        out[f"{name}_images_per_s"] = len(images) / seconds
    layers = programmed.parameters.layers
    out["activity"] = float(result.spikes.sum() / (result.steps.sum() * sum(layer.neurons for layer in layers)))
    rows = result.activity["row_pulses"].mean(axis=0) / [layer.column_tiles for layer in layers]
    out["additions"] = float(rows @ [layer.outputs for layer in layers])
    out["conversions"] = float(result.activity["conversions"].sum() / len(result))
    return {**out, **_verilog(programmed, images[: network.rtl_images])}


def _model(network: Network) -> tuple[nn.Module, NDArray[np.uint8]]:
    """The network with random weights, batch norms that have seen the images, and images uint8 [images, pixels]."""
    rng = np.random.default_rng(0)
    pixels = int(np.prod(network.shape))
    values = rng.integers(0, 256, (network.images, pixels))
    images = (values * (rng.random(values.shape) < 0.5)).astype(np.uint8)
    section = TrainSection(
        network=network.layers, batch_norm=network.batch_norm, activation="relu", activation_levels=0
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = build(section, network.shape, 10)
        for _ in range(10):
            model(torch.from_numpy(images[:32].astype(np.float32) / 255.0))
    return model.eval(), images


def _median(work: Callable[[], Any], runs: int = 3) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _ann(model: nn.Module, images: NDArray[np.uint8]) -> float:
    """Images per second of the network in floating point, all images in a batch."""
    x = torch.from_numpy(images.astype(np.float32) / 255.0)
    with torch.no_grad():
        model(x)
        return len(x) / _median(lambda: model(x))


def _verilog(programmed: ProgrammedChip, pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """One simulator, its start included. Raises `AssertionError` if its clock cycles are not the formula's."""
    start = time.perf_counter()
    Simulator.build(programmed)
    built = time.perf_counter()
    rtl = run_cosim(programmed, pixels, workers=1, quick=False)
    seconds = time.perf_counter() - built
    reference = run_reference(programmed, pixels, trace="spikes")
    reference.compare(rtl, ("reference", "Verilog"))
    assert rtl.cycles is not None
    formula = timing(programmed, pixels, reference).cycles
    assert np.array_equal(formula, rtl.cycles), f"the Verilog took {rtl.cycles}, the formula says {formula}"
    return {
        "rtl_images": len(pixels),
        "rtl_build_s": built - start,
        "rtl_images_per_s": len(pixels) / seconds,
        "rtl_cycles_per_s": float(rtl.cycles.sum()) / seconds,
        "cycles_per_image": float(rtl.cycles.mean()),
        "formula_cycles_per_image": float(formula.mean()),
    }
