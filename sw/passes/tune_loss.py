"""The loss minimised by tuning, measured on calibration images; and tuning as a pass.

    loss = sum over layers of C_l S_l(P) / R_l                                                          [WK eq. 6]

with R_l rows, C_l columns, and S_l spikes into layer l until the decision, mean per image. Each spike drives a row of
C_l cells, and reaches the share 1 / R_l of a neuron's inputs. Measured with the integer reference, on the chip's own
devices, or with the spiking network in real numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.arguments import check_labels, check_progress, check_whole
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.images.layout import image_shape
from spikeloom.sim.images.pixels import check_images
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.errors import CalibrationError
from spikeloom.sw.ir.network import Network
from spikeloom.sw.passes.calibrate import row_codes
from spikeloom.sw.passes.float_snn import Maps, SpikingNetwork, spiking_network
from spikeloom.sw.passes.tune import Cost, Factors, Progress, Tuned, Tuning, scale_chip, scale_network, tune

__all__ = ["ChipLoss", "FloatLoss", "tune_chip", "tune_network", "weighted_spikes"]


def weighted_spikes(spikes: NDArray[np.floating], chip: ProgrammedChip) -> float:
    """Equation 6 for spikes into each layer, [layers]."""
    shapes = chip.parameters.layers
    return float(sum(shape.outputs * count / shape.inputs for shape, count in zip(shapes, spikes, strict=True)))


@dataclass(frozen=True, eq=False)
class _Batch:
    """Images uint8 [images, inputs], their numbers int64 [images], labels int64 [images] or None."""

    images: NDArray[np.uint8]
    ids: NDArray[np.int64]
    labels: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def drawn(
        cls, chip: ProgrammedChip, images: Any, labels: Any, size: int, seed: int | np.random.Generator
    ) -> _Batch:
        """`size` images (or all, if there are fewer), drawn without putting back, in their order."""
        if hasattr(images, "__len__") and len(images) == 0:
            raise CalibrationError("The calibration set is empty; tuning needs at least one image")
        pixels = check_images(images, image_shape(chip.parameters))
        known = None if labels is None else check_labels(labels, len(pixels), chip.parameters.classes)
        check_whole("batch", size)
        ids = np.sort(np.random.default_rng(seed).permutation(len(pixels))[:size])
        return cls(pixels[ids], ids, None if known is None else known[ids])

    def accuracy(self, classes: NDArray[np.integer]) -> float:
        return float("nan") if self.labels is None else float(np.mean(classes == self.labels))


class ChipLoss:
    """Cost of factors on a chip, from the integer reference with all device effects.

    Random draws are the same for all factors: each image keeps its number. Cells are programmed once.

    Parameters
    ----------
    images, labels : calibration images; labels only if the accuracy is wanted
    batch, seed : number of images drawn from them, and of the draw
    limit : factors are at least 1 / limit
    """

    def __init__(
        self,
        chip: ProgrammedChip,
        images: Any,
        labels: Any = None,
        batch: int = 500,
        seed: int | np.random.Generator = 0,
        limit: float = 16.0,
    ) -> None:
        self.chip = chip
        self.batch = _Batch.drawn(chip, images, labels, batch, seed)
        # room for the largest thresholds that any factors ask for, so that the programmed arrays fit all
        least = scale_chip(chip, (1.0 / (2.0 * limit),) * len(chip.parameters.plan.crossbar_stages)).parameters
        self._wide = replace(chip, parameters=least)
        self._arrays: tuple[CrossbarArray, ...] = build_arrays(self._wide)

    def __call__(self, factors: Factors) -> Cost:
        """Cost with these factors, by the integer reference."""
        scaled = scale_chip(self._wide, factors)
        same = scaled.parameters == self._wide.parameters
        result = run_reference(scaled, self.batch.images, self.batch.ids, arrays=self._arrays if same else None)
        tiles = np.array([shape.column_tiles for shape in self.chip.parameters.layers])
        spikes = result.activity["row_pulses"].mean(axis=0) / tiles
        return Cost(weighted_spikes(spikes, self.chip), self.batch.accuracy(result.classes), float(result.steps.mean()))


class FloatLoss:
    """Cost of factors on the spiking network in real numbers: a normalised network with the chip's coding and rule.

    Parameters
    ----------
    network : normalised, thresholds 1
    chip : gives coding, neuron and decision
    images, labels, batch, seed : as in `ChipLoss`
    """

    def __init__(
        self,
        network: Network,
        chip: ProgrammedChip,
        images: Any,
        labels: Any = None,
        batch: int = 500,
        seed: int | np.random.Generator = 0,
    ) -> None:
        self.network, self.chip = network, chip
        self.batch = _Batch.drawn(chip, images, labels, batch, seed)

    def __call__(self, factors: Factors) -> Cost:
        """Cost with these factors, by the network in real numbers."""
        spiking: SpikingNetwork = spiking_network(self.chip, scale_network(self.network, factors))
        spikes = np.zeros(len(self.chip.layers))  # those of all replicas at the first
        firsts = [stage.layer for _, stage in self.chip.parameters.plan.crossbar_stages]
        classes, steps = [], []

        def observe(layer: int, step: int, maps: Maps) -> None:
            spikes[firsts[layer]] += spiking.layers[layer].pulses(maps)

        images = self.batch.images
        for start in range(0, len(images), spiking.batch):
            part = images[start : start + spiking.batch]
            # numbers as in `row_codes`: only rate coding draws, and its draws are the same for all factors
            result = spiking.run(len(part), row_codes(self.chip, part, start), observe)
            classes.append(result.classes)
            steps.append(result.steps)
        return Cost(
            weighted_spikes(spikes / len(images), self.chip),
            self.batch.accuracy(np.concatenate(classes)),
            float(np.concatenate(steps).mean()),
        )


def tune_chip(
    chip: ProgrammedChip,
    images: Any,
    labels: Any = None,
    settings: Tuning | None = None,
    batch: int = 500,
    seed: int | np.random.Generator = 0,
    progress: Progress | None = None,
) -> tuple[ProgrammedChip, Tuned]:
    """The chip with tuned thresholds, from calibration images (never test images); the same for the same seed.

    Parameters
    ----------
    labels : needed if `settings` keep the accuracy; else they only tell how it fares
    """
    check_progress(progress)
    settings = Tuning() if settings is None else settings
    loss = ChipLoss(chip, images, labels, batch, seed, settings.limit)
    factors = len(chip.parameters.plan.crossbar_stages)
    tuned = replace(tune(loss, factors, settings, progress), images=len(loss.batch))
    return scale_chip(chip, tuned.factors), tuned


def tune_network(
    network: Network,
    chip: ProgrammedChip,
    images: Any,
    labels: Any = None,
    settings: Tuning | None = None,
    batch: int = 500,
    seed: int | np.random.Generator = 0,
    progress: Progress | None = None,
) -> tuple[Network, Tuned]:
    """The normalised network with tuned weights and biases, measured in real numbers; `chip` gives coding and rule."""
    loss = FloatLoss(network, chip, images, labels, batch, seed)
    tuned = replace(tune(loss, len(network.layers), settings, progress), images=len(loss.batch))
    return scale_network(network, tuned.factors), tuned
