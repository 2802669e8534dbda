"""CIFAR-10, the binary version, as a folder or as the archive."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.kinds import DataSetKind, SourceFile, read_file

__all__ = ["Cifar10"]

_FILES = (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin")
_FOLDER, _ARCHIVE = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"


class Cifar10(DataSetKind):
    """Colour images of ten classes."""

    name = "cifar-10"
    shape = (3, 32, 32)
    classes = 10
    url = "https://www.cs.toronto.edu/~kriz/"
    files = (SourceFile(_ARCHIVE, "c32a1d4ab5d03f1284b67883e8d87530"),)

    def complete(self, folder: Path) -> bool:
        """Whether the archive, or what it holds, is in the folder."""
        return (folder / _ARCHIVE).exists() or _unpacked(folder) is not None

    def read(self, folder: Path) -> Dataset:
        """The data set, from the archive or what it holds."""
        place = _unpacked(folder)
        if place is not None:
            parts = [read_file(place / file, bytes) for file in _FILES]
        else:
            parts = read_file(folder / _ARCHIVE, _members)
        images, labels = zip(
            *(_batch(raw, folder / file) for raw, file in zip(parts, _FILES, strict=True)), strict=True
        )
        train = np.concatenate(images[:-1]), np.concatenate(labels[:-1])
        return Dataset(self.name, *train, images[-1], labels[-1], self.shape, self.classes)


def _unpacked(folder: Path) -> Path | None:
    for place in (folder / _FOLDER, folder):
        if all((place / file).exists() for file in _FILES):
            return place
    return None


def _members(raw: bytes) -> list[bytes]:
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as archive:
        files = [archive.extractfile(f"{_FOLDER}/{file}") for file in _FILES]
        return [file.read() for file in files if file is not None]


def _batch(raw: bytes, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Records of one label byte and 3,072 pixel bytes, planes red, green, blue."""
    if not raw or len(raw) % 3073:
        raise DataError(
            f"'{path}' is cut off or damaged: {len(raw)} bytes are not a multiple of 3,073; put the original file there"
        )
    records = np.frombuffer(raw, np.uint8).reshape(-1, 3073)
    if records[:, 0].max() > 9:
        raise DataError(
            f"'{path}' is damaged: it has a label of {records[:, 0].max()}, and the largest is 9; put the "
            "original file there"
        )
    return records[:, 1:], records[:, 0].astype(np.int64)
