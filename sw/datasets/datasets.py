"""Data sets from their original files: scikit-learn's digits, MNIST, Fashion-MNIST and CIFAR-10.

Digits come with scikit-learn. The others are looked for in the given folder (`--data`, or the environment's
SPIKELOOM_DATA, with the subfolders mnist, fashion-mnist and cifar-10), and are else downloaded, with a checksum, into
the user's cache.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.cache import cache_folder
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import DataError
from spikeloom.sw.common.files import as_path, readable_error

__all__ = ["ENVIRONMENT", "SHAPES", "Dataset", "load_data"]

SHAPES = {
    "digits": ((1, 8, 8), 10),
    "mnist": ((1, 28, 28), 10),
    "fashion-mnist": ((1, 28, 28), 10),
    "cifar-10": ((3, 32, 32), 10),
}
"""Of every data set: shape of an image (channels, height, width), and number of classes."""

ENVIRONMENT = "SPIKELOOM_DATA"

_IDX = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
_CIFAR = (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin")
_CIFAR_FOLDER, _CIFAR_ARCHIVE = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
_SOURCES = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", _IDX),
    "fashion-mnist": ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", _IDX),
    "cifar-10": ("https://www.cs.toronto.edu/~kriz/", (_CIFAR_ARCHIVE,)),
}
_MD5 = {
    "mnist": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "fashion-mnist": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    "cifar-10": ("c32a1d4ab5d03f1284b67883e8d87530",),
}
"""The publishers' checksums, in the order of the files in `_SOURCES`."""
_TIMEOUT_s = 20
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images uint8 [images, inputs] (0 .. 255, flat) and labels int64 [images], for training and for testing.

    Parameters
    ----------
    shape : of an image, (height, width) or (channels, height, width)
    classes : number of classes
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    shape: tuple[int, ...]
    classes: int

    __repr__ = short_repr

    @property
    def inputs(self) -> int:
        return self.train_images.shape[1]

    def split(self, validation: int) -> tuple[Dataset, tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """The data set without its last `validation` training images, and those images with their labels.

        Raises `DataError` if no training image would be left.
        """
        kept = len(self.train_images) - validation
        if validation < 0 or kept < 1:
            raise DataError(
                f"Validation images must be 0 .. {len(self.train_images) - 1} of the {len(self.train_images)} training "
                f"images of '{self.name}', not {validation}"
            )
        held_out = self.train_images[kept:], self.train_labels[kept:]
        return replace(self, train_images=self.train_images[:kept], train_labels=self.train_labels[:kept]), held_out

    def checksum(self) -> str:
        """SHA-256 of all images and labels."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(str((array.shape, array.dtype)).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load_data(name: str, folder: str | os.PathLike[str] | None = None) -> Dataset:
    """A data set by name; `folder` (else $SPIKELOOM_DATA) holds mnist/, fashion-mnist/ and cifar-10/.

    Raises `DataError` if the files are neither there nor to be had from the network, or are damaged.
    """
    if name == "digits":
        return _digits()
    if not isinstance(name, str) or name not in _SOURCES:
        raise DataError(f"There is no data set '{name}'; known are digits, {', '.join(_SOURCES)}")
    named = as_path(folder, "data folder") if folder is not None else os.environ.get(ENVIRONMENT)
    if named is not None and not Path(named).is_dir():
        raise DataError(
            f"The data folder '{named}' (--data or {ENVIRONMENT}) is not there; name an existing folder, or omit it "
            f"to download the data sets"
        )
    place = Path(named) / name if named is not None else None
    if place is None or not _complete(name, place):
        place = _download(name, place)
    return _cifar(place) if name == "cifar-10" else _mnist(name, place)


def _complete(name: str, folder: Path) -> bool:
    """Whether the folder has every file of the data set."""
    if name == "cifar-10":
        return (folder / _CIFAR_ARCHIVE).exists() or _cifar_folder(folder) is not None
    return all((folder / file).exists() for file in _IDX)


def _cifar_folder(folder: Path) -> Path | None:
    for place in (folder / _CIFAR_FOLDER, folder):
        if all((place / file).exists() for file in _CIFAR):
            return place
    return None


def _download(name: str, looked_in: Path | None) -> Path:
    """Fetch the files into the user's cache, checked; return that folder."""
    import pooch  # imported here because it is slow to import and seldom needed

    url, files = _SOURCES[name]
    place = cache_folder("data") / name
    pooch.get_logger().setLevel("ERROR")
    for file, md5 in zip(files, _MD5[name], strict=True):
        try:
            pooch.retrieve(
                url + file,
                known_hash=f"md5:{md5}",
                fname=file,
                path=place,
                downloader=pooch.HTTPDownloader(timeout=_TIMEOUT_s),
            )
        except Exception as error:  # requests, urllib3 and pooch have no common base class
            looked = f"'{looked_in}' does not have it" if looked_in is not None else f"{ENVIRONMENT} is not set"
            raise DataError(
                f"Data set '{name}' is not there: {looked}, and downloading {url + file} failed "
                f"({type(error).__name__}). Either name a folder that has '{name}/{file}' with --data or "
                f"{ENVIRONMENT}, or connect to the network"
            ) from error
    return place


def _digits() -> Dataset:
    """scikit-learn's 1,797 digits of 8 x 8 pixels: 1,297 to train, 500 to test, each class in proportion."""
    from sklearn.datasets import load_digits  # imported here because scikit-learn is slow to import

    bunch = load_digits()
    images = np.rint(bunch.data * (255 / 16)).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    order = np.random.default_rng(20210118).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.arange(len(labels) + 1) * 500 // len(labels)
    is_test = np.zeros(len(labels), bool)
    is_test[order[np.diff(counts) == 1]] = True
    return Dataset("digits", images[~is_test], labels[~is_test], images[is_test], labels[is_test], (8, 8), 10)


def _mnist(name: str, folder: Path) -> Dataset:
    arrays = [_idx(folder / file) for file in _IDX]
    for images, labels, file in ((arrays[0], arrays[1], _IDX[1]), (arrays[2], arrays[3], _IDX[3])):
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise DataError(
                f"'{folder / file}' has {labels.shape} labels for images of shape {images.shape}; put the original "
                "files there"
            )
    train, train_labels, test, test_labels = arrays
    return Dataset(
        name,
        train.reshape(len(train), -1),
        train_labels.astype(np.int64),
        test.reshape(len(test), -1),
        test_labels.astype(np.int64),
        shape=train.shape[1:],
        classes=10,
    )


def _idx(path: Path) -> NDArray[np.uint8]:
    """An array from a gzipped IDX file of unsigned bytes: magic 0, 0, 8, dimensions; sizes big-endian; values."""
    raw = _read(path, gzip.decompress)
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise DataError(f"'{path}' is not an IDX file of unsigned bytes; replace it by the original file")
    header = 4 + 4 * raw[3]
    shape = struct.unpack(f">{raw[3]}I", raw[4:header]) if len(raw) >= header else ()
    if not shape or len(raw) - header != int(np.prod(shape)):
        raise DataError(
            f"'{path}' is truncated or damaged: it has {len(raw)} bytes, which do not fit its header; "
            "replace it by the original file"
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def _cifar(folder: Path) -> Dataset:
    place = _cifar_folder(folder)
    if place is not None:
        parts = [_read(place / file, bytes) for file in _CIFAR]
    else:
        parts = _read(folder / _CIFAR_ARCHIVE, _members)
    images, labels = zip(
        *(_cifar_batch(raw, folder / file) for raw, file in zip(parts, _CIFAR, strict=True)), strict=True
    )
    train = np.concatenate(images[:-1]), np.concatenate(labels[:-1])
    return Dataset("cifar-10", *train, images[-1], labels[-1], (3, 32, 32), 10)


def _members(raw: bytes) -> list[bytes]:
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as archive:
        files = [archive.extractfile(f"{_CIFAR_FOLDER}/{file}") for file in _CIFAR]
        return [file.read() for file in files if file is not None]


def _cifar_batch(raw: bytes, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Records of one label byte and 3,072 pixel bytes, planes red, green, blue."""
    if not raw or len(raw) % 3073:
        raise DataError(
            f"'{path}' is truncated or damaged: {len(raw)} bytes are not a multiple of 3,073; replace it by the "
            f"original file"
        )
    records = np.frombuffer(raw, np.uint8).reshape(-1, 3073)
    if records[:, 0].max() > 9:
        raise DataError(
            f"'{path}' is damaged: it has a label of {records[:, 0].max()}, and the largest is 9; replace it by the "
            f"original file"
        )
    return records[:, 1:], records[:, 0].astype(np.int64)


def _read(path: Path, decode: Callable[[bytes], T]) -> T:
    try:
        return decode(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, KeyError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"'{path}' is truncated or damaged; replace it by the original file") from error
    except OSError as error:
        raise DataError(f"{readable_error(path, error, 'read')}; replace it by the original file") from error
