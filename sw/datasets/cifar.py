"""CIFAR-10, the binary version, and CIFAR-100, the Python version; both as a folder or as the archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.datasets.archive import ArchivedKind
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.kinds import SourceFile
from spikeloom.sw.datasets.pickled import byte_array, read_pickle

__all__ = ["Cifar10", "Cifar100"]

_PIXELS = 3072
Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


class Cifar10(ArchivedKind):
    """Colour images of ten classes."""

    name = "cifar-10"
    shape = (3, 32, 32)
    classes = 10
    url = "https://www.cs.toronto.edu/~kriz/"
    files = (SourceFile("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),)
    inner = "cifar-10-batches-bin"
    members = (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin")

    def read(self, folder: Path) -> Dataset:
        """The data set, from the archive or what it holds."""
        images, labels = zip(*(_records(raw, path) for path, raw in self.contents(folder)), strict=True)
        train = np.concatenate(images[:-1]), np.concatenate(labels[:-1])
        return Dataset(self.name, *train, images[-1], labels[-1], self.shape, self.classes)


class Cifar100(ArchivedKind):
    """Colour images of a hundred classes, the fine labels."""

    name = "cifar-100"
    shape = (3, 32, 32)
    classes = 100
    url = Cifar10.url
    files = (SourceFile("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),)
    inner = "cifar-100-python"
    members = ("train", "test")

    def read(self, folder: Path) -> Dataset:
        """The data set, from the archive or what it holds; its pickles are not executed."""
        train, test = (_pickled(raw, path) for path, raw in self.contents(folder))
        return Dataset(self.name, *train, *test, self.shape, self.classes)


def _records(raw: bytes, path: Path) -> Batch:
    """Records of one label byte and 3,072 pixel bytes, planes red, green, blue."""
    if not raw or len(raw) % (1 + _PIXELS):
        raise DataError(
            f"'{path}' is truncated or damaged: {len(raw)} bytes are not a multiple of 3,073; replace it by the "
            "original file"
        )
    records = np.frombuffer(raw, np.uint8).reshape(-1, 1 + _PIXELS)
    if records[:, 0].max() > 9:
        raise DataError(
            f"'{path}' is damaged: it has a label of {records[:, 0].max()}, and the largest is 9; replace it by the "
            "original file"
        )
    return records[:, 1:], records[:, 0].astype(np.int64)


def _pickled(raw: bytes, path: Path) -> Batch:
    """A dictionary with the array `data`, uint8 [images, 3072], and the list `fine_labels`."""
    held = read_pickle(raw, path)
    wanted = {b"data", b"fine_labels"}
    if not isinstance(held, dict) or not wanted <= held.keys():
        found = f"the keys {_listed(held)}" if isinstance(held, dict) else f"no dictionary but {type(held).__name__}"
        raise DataError(
            f"'{path}' is not an original file: it has {found}, and must have data and fine_labels; replace it by the "
            "original file"
        )
    images, labels = byte_array(held[b"data"]), held[b"fine_labels"]
    if isinstance(images, str) or images.ndim != 2 or images.shape[1] != _PIXELS or not len(images):
        found = images if isinstance(images, str) else f"an array of shape {list(images.shape)}"
        raise DataError(
            f"'{path}' is damaged: its data are {found}, and must be an array of uint8 [images, {_PIXELS}]; replace it "
            "by the original file"
        )
    if not isinstance(labels, list) or len(labels) != len(images):
        found = f"{len(labels)} values" if isinstance(labels, list) else f"of type {type(labels).__name__}"
        raise DataError(
            f"'{path}' is damaged: its fine_labels are {found}, and must be a list of {len(images)} integers, one per "
            "image; replace it by the original file"
        )
    for place, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < Cifar100.classes:
            raise DataError(
                f"'{path}' is damaged: the fine label of image {place} is {label!s:.20}, and must be an integer 0 "
                f".. {Cifar100.classes - 1}; replace it by the original file"
            )
    return images, np.array(labels, np.int64)


def _listed(keys: dict[object, object]) -> str:
    named = [key.decode("latin1") if isinstance(key, bytes) else repr(key) for key in keys]
    return ", ".join(f"{name:.20}" for name in named[:8]) or "of an empty dictionary"
