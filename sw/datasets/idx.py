"""MNIST and Fashion-MNIST, from their original files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.kinds import DataSetKind, SourceFile, read_file

__all__ = ["FashionMnist", "Mnist"]

_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _files(*md5: str) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(name, checksum) for name, checksum in zip(_FILES, md5, strict=True))


class Mnist(DataSetKind):
    """Handwritten digits in four gzipped IDX files."""

    name = "mnist"
    shape = (1, 28, 28)
    classes = 10
    url = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    files = _files(
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    )

    def read(self, folder: Path) -> Dataset:
        """The data set, from the four IDX files."""
        arrays = [_idx(folder / file) for file in _FILES]
        for images, labels, file in ((arrays[0], arrays[1], _FILES[1]), (arrays[2], arrays[3], _FILES[3])):
            if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
                raise DataError(
                    f"'{folder / file}' has {labels.shape} labels for images of shape {images.shape}; put the original "
                    "files there"
                )
        train, train_labels, test, test_labels = arrays
        return Dataset(
            self.name,
            train.reshape(len(train), -1),
            train_labels.astype(np.int64),
            test.reshape(len(test), -1),
            test_labels.astype(np.int64),
            shape=train.shape[1:],
            classes=self.classes,
        )


class FashionMnist(Mnist):
    """Articles of clothing, in files of the same form."""

    name = "fashion-mnist"
    url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    files = _files(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    )


def _idx(path: Path) -> NDArray[np.uint8]:
    """An array from a gzipped IDX file of unsigned bytes: magic 0, 0, 8, dimensions; sizes big-endian; values."""
    raw = read_file(path, gzip.decompress)
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise DataError(f"'{path}' is not an IDX file of unsigned bytes; put the original file there")
    header = 4 + 4 * raw[3]
    shape = struct.unpack(f">{raw[3]}I", raw[4:header]) if len(raw) >= header else ()
    if not shape or len(raw) - header != int(np.prod(shape)):
        raise DataError(
            f"'{path}' is cut off or damaged: it has {len(raw)} bytes, which do not fit its header; "
            "put the original file there"
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
