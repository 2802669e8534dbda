"""SVHN, the street view house numbers: digits cut out to 32 x 32 pixels, from their original MATLAB files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.kinds import DataSetKind, SourceFile, read_file

__all__ = ["Svhn"]


class Svhn(DataSetKind):
    """Colour images of ten digits; the 531,131 extra images are not used [WS 6]."""

    name = "svhn"
    shape = (3, 32, 32)
    classes = 10
    url = "http://ufldl.stanford.edu/housenumbers/"
    files = (
        SourceFile("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
        SourceFile("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
    )

    def read(self, folder: Path) -> Dataset:
        """The data set, from the two files."""
        train, test = (_batch(folder / file.name) for file in self.files)
        return Dataset(self.name, *train, *test, self.shape, self.classes)


def _batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """X, uint8 [y, x, channels, images], as channels, y, x, and y, labels 1 .. 10, where 10 is the digit 0."""
    held = _variables(path)
    missing = [name for name in ("X", "y") if name not in held]
    if missing:
        raise DataError(
            f"'{path}' is not an original file: it has no variable {' and no '.join(missing)}; replace it by the "
            "original file"
        )
    images, labels = held["X"], held["y"]
    if not _is_bytes(images, 4) or images.shape[:3] != (32, 32, 3) or not images.shape[3]:
        raise DataError(
            f"'{path}' is damaged: X is {_described(images)}, and must be uint8 [32, 32, 3, images]; replace it by the "
            "original file"
        )
    count = images.shape[3]
    if not _is_bytes(labels, 2) or labels.shape != (count, 1):
        raise DataError(
            f"'{path}' is damaged: y is {_described(labels)}, and must be uint8 [{count}, 1], a label per image; "
            "replace it by the original file"
        )
    if labels.min() < 1 or labels.max() > 10:
        raise DataError(
            f"'{path}' is damaged: its labels are {labels.min()} .. {labels.max()}, and must be 1 .. 10, where 10 is "
            "the digit 0; replace it by the original file"
        )
    flat = images.transpose(3, 2, 0, 1).reshape(count, -1)
    return np.ascontiguousarray(flat), labels[:, 0].astype(np.int64) % 10


def _variables(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat  # imported here because it is slow to import

    raw = read_file(path, bytes)
    try:
        held: dict[str, Any] = loadmat(io.BytesIO(raw), variable_names=["X", "y"])
    except Exception as error:  # what is damaged raises nearly anything, of SciPy, NumPy and zlib
        raise DataError(
            f"'{path}' is truncated or damaged: it is no whole MATLAB file of version 5 ({type(error).__name__}); "
            "replace it by the original file"
        ) from error
    return held


def _is_bytes(value: Any, dimensions: int) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == dimensions


def _described(value: Any) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else f"of type {type(value).__name__}"
