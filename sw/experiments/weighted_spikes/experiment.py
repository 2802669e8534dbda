"""The experiment: its scale, data sets, and the files in a run's folder."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.experiments.weighted_spikes.cases import Case, Network, Scale
from spikeloom.sw.experiments.weighted_spikes.recordings import Recording
from spikeloom.sw.experiments.winner_k.experiment import Images
from spikeloom.sw.flow.flow import Flow

__all__ = ["SETS", "Experiment"]

SETS = ("tests", "validation")
"""Images that are recorded."""


@functools.lru_cache(maxsize=1)
def _dataset(name: str, folder: Path | None) -> Dataset:
    return load_data(name, folder)


@functools.cache
def _missing(name: str, folder: Path | None) -> str | None:
    try:
        _dataset(name, folder)
    except DataError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Experiment:
    """One run of it.

    Parameters
    ----------
    scale : how large
    data : folder of the data sets; None for $SPIKELOOM_DATA or a download
    """

    scale: Scale
    data: Path | None = None

    def facts(self) -> dict[str, Any]:
        """What determines every step, as plain values."""
        folder = None if self.data is None else str(self.data.resolve())
        return {"scale": self.scale.facts(), "data": folder}

    def dataset(self, network: Network) -> Dataset:
        """The data set of a network. Raises `DataError` in a sentence that says how to get it."""
        return _dataset(network.config.data.set, self.data)

    def missing(self, network: Network) -> str | None:
        """Why a network's data set cannot be read, in a sentence; None if it can be."""
        return _missing(network.config.data.set, self.data)

    def training(self, network: Network) -> Dataset:
        """The data set without the held-out images."""
        return self.dataset(network).split(network.config.data.validation_images)[0]

    def images(self, network: Network, which: str) -> Images:
        """The first test images, or the first held-out ones."""
        data = self.dataset(network)
        if which == "tests":
            return Images(data.test_images, data.test_labels).first(network.tests)
        return Images(*data.split(network.config.data.validation_images)[1]).first(network.validation)

    @staticmethod
    def network_path(flow: Flow, network: Network) -> Path:
        """Where a trained network lies."""
        return flow.folder / "networks" / f"{network.name}.safetensors"

    @staticmethod
    def recording_path(flow: Flow, case: Case, which: str, start: int) -> Path:
        """Where the recording of images from number `start` on lies."""
        return flow.folder / "recordings" / f"{case.slug}-{which}-{start}.npz"

    def recording(self, flow: Flow, case: Case, which: str) -> Recording:
        """What the step `record` left of a case."""
        count = len(self.images(self.scale.network(case.network), which))
        starts = range(0, count, self.scale.chunk)
        paths = [self.recording_path(flow, case, which, start) for start in starts]
        return Recording.joined([Recording.from_bytes(path.read_bytes()) for path in paths])
