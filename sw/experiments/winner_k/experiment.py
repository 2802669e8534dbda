"""The experiment: its scale, seeds, data, and the files in a run's folder."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import DataError
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.experiments.winner_k.cases import CASES, VARIANTS, Case
from spikeloom.sw.experiments.winner_k.scale import Scale
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.weight_image.file import load

__all__ = ["Experiment", "Images"]


@dataclass(frozen=True, eq=False)
class Images:
    """Images uint8 [images, inputs] and their classes int64 [images]."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.pixels)

    def first(self, count: int) -> Images:
        """The first `count`, or all if there are fewer."""
        return Images(self.pixels[:count], self.labels[:count])

    def spread(self, count: int) -> Images:
        """About `count`, at equal distances."""
        every = max(1, len(self) // count)
        return Images(self.pixels[::every][:count], self.labels[::every][:count])


@functools.lru_cache(maxsize=1)
def _dataset(name: str, folder: Path | None) -> Dataset:
    return load_data(name, folder)


@dataclass(frozen=True)
class Experiment:
    """One run of it.

    Parameters
    ----------
    scale : how large
    seeds : of training, devices and random spikes
    data : folder of the data sets; None for $SPIKELOOM_DATA or a download
    """

    scale: Scale
    seeds: tuple[int, ...]
    data: Path | None = None

    @property
    def cases(self) -> tuple[Case, ...]:
        """Cases and variants."""
        return (*CASES, *VARIANTS)

    def facts(self) -> dict[str, Any]:
        """What determines every step, as plain values."""
        folder = None if self.data is None else str(self.data.resolve())
        return {"scale": self.scale.facts(), "seeds": list(self.seeds), "data": folder}

    def dataset(self) -> Dataset:
        """The whole data set. Raises `DataError` in a sentence that says how to get it."""
        section = self.scale.base.data
        try:
            return _dataset(section.set, self.data)
        except DataError as error:
            raise DataError(f"{error}. `spikeloom paper winner-k --quick` needs no data") from error

    def training(self) -> Dataset:
        """The data set without the validation images."""
        return self.dataset().split(self.scale.base.data.validation_images)[0]

    def validation(self) -> Images:
        """The last training images, kept out of training."""
        return Images(*self.dataset().split(self.scale.base.data.validation_images)[1])

    def calibration(self) -> NDArray[np.uint8]:
        """The first training images."""
        return self.training().train_images[: self.scale.base.data.calibration_images]

    def tests(self) -> Images:
        """All test images."""
        data = self.dataset()
        return Images(data.test_images, data.test_labels)

    @staticmethod
    def network_path(flow: Flow, network: str, seed: int) -> Path:
        """Where a trained network lies."""
        return flow.folder / "networks" / f"{network}-{seed}.safetensors"

    @staticmethod
    def chip_path(flow: Flow, case: Case, seed: int) -> Path:
        """Where a case's chip lies."""
        return flow.folder / "chips" / f"{case.slug}-{seed}.loom"

    def chip(self, flow: Flow, case: Case, seed: int) -> Compiled:
        """A case's chip, as the step `chips` left it."""
        return load(self.chip_path(flow, case, seed))
