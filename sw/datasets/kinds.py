"""Kinds of data sets: what a data set is before it is read. All are registered in `sw.datasets.datasets.DATA_SETS`.

A kind is one class, which knows its name, its images' shape, where its files come from, and how they are read.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from spikeloom.hw.params.plugins import load_plugins
from spikeloom.hw.params.registration import NAME, Attribute, Registration, is_tuple_of, is_whole
from spikeloom.sim.common.cache import cache_folder
from spikeloom.sw.common.errors import DataError, SpikeLoomError
from spikeloom.sw.common.files import readable_error
from spikeloom.sw.datasets.dataset import Dataset

__all__ = ["ENVIRONMENT", "DataSetKind", "DataSetKinds", "SourceFile", "read_file"]

ENVIRONMENT = "SPIKELOOM_DATA"
_TIMEOUT_s = 20
T = TypeVar("T")


class SourceFile(NamedTuple):
    """A file as it is published, and its checksum as it is published: MD5, which tells a damaged download. No other one
    is published for these files.
    """

    name: str
    md5: str


class DataSetKind:
    """A data set; a kind has one instance.

    name : in [data] set
    shape : of an image, (channels, height, width)
    classes : number of classes
    origin : for one that needs no folder of files, where its images come from, a clause; "" for the others
    url, files : where its files are published, and what they are; none where they cannot be downloaded
    shifts : whether its images are large enough to be shifted in training
    """

    name: ClassVar[str]
    shape: ClassVar[tuple[int, int, int]]
    classes: ClassVar[int]
    origin: ClassVar[str] = ""
    url: ClassVar[str] = ""
    files: ClassVar[tuple[SourceFile, ...]] = ()
    shifts: ClassVar[bool] = True

    def complete(self, folder: Path) -> bool:
        """Whether a folder has everything that is read from it."""
        return all((folder / file.name).exists() for file in self.files)

    def read(self, folder: Path) -> Dataset:
        """The data set of a complete folder; of one with an `origin` the folder means nothing. Raises `DataError`."""
        raise NotImplementedError

    def load(self, folder: Path | None) -> Dataset:
        """The data set from its subfolder of `folder`, or else downloaded. Raises `DataError`."""
        place = None if folder is None else folder / self.name
        if not self.origin and (place is None or not self.complete(place)):
            place = self.download(place)
        data = self.read(Path() if place is None else place)
        self.check(data)
        return data

    def download(self, looked_in: Path | None) -> Path:
        """Fetch the files into the user's cache, checked; return that folder."""
        looked = f"'{looked_in.absolute()}' does not have it" if looked_in is not None else f"{ENVIRONMENT} is not set"
        if not self.files:
            raise DataError(
                f"Data set '{self.name}' is not there: {looked}; name a data folder that has the folder '{self.name}' "
                f"with its files, or set {ENVIRONMENT} to it"
            )
        import pooch  # imported here because it is slow to import and seldom needed

        place = cache_folder("data") / self.name
        pooch.get_logger().setLevel("ERROR")
        for file in self.files:
            try:
                pooch.retrieve(
                    self.url + file.name,
                    known_hash=f"md5:{file.md5}",
                    fname=file.name,
                    path=place,
                    downloader=pooch.HTTPDownloader(timeout=_TIMEOUT_s),
                )
            except Exception as error:  # requests, urllib3 and pooch have no common base class
                raise DataError(
                    f"Data set '{self.name}' is not there: {looked}, and downloading {self.url + file.name} failed "
                    f"({type(error).__name__}). Either name a data folder that has {self._published()}, or set "
                    f"{ENVIRONMENT} to it, or connect to the network"
                ) from error
        return place

    def _published(self) -> str:
        """The files below the data folder, as a list in words."""
        *others, last = (f"'{self.name}/{file.name}'" for file in self.files)
        return f"{', '.join(others)} and {last}" if others else last

    def check(self, data: Dataset) -> None:
        """Raise `DataError` for what was read and is not what the kind says."""
        inputs = int(np.prod(self.shape))
        for what, images, labels in (
            ("training", data.train_images, data.train_labels),
            ("test", data.test_images, data.test_labels),
        ):
            if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != inputs or not len(images):
                raise DataError(
                    f"The {what} images of data set '{self.name}' must be uint8 [images, {inputs}], not {images.dtype} "
                    f"{list(images.shape)}"
                )
            if labels.dtype != np.int64 or labels.shape != (len(images),):
                raise DataError(
                    f"The {what} labels of data set '{self.name}' must be int64 [{len(images)}], not {labels.dtype} "
                    f"{list(labels.shape)}"
                )
            if labels.min() < 0 or labels.max() >= self.classes:
                raise DataError(
                    f"The {what} labels of data set '{self.name}' must be 0 .. {self.classes - 1}, not {labels.min()} "
                    f".. {labels.max()}"
                )


def _is_size(value: Any) -> bool:
    return is_whole(value) and value > 0


_REGISTRATION = Registration(
    "data set",
    DataSetKind,
    objects=True,
    attributes=(
        NAME,
        Attribute(
            "shape",
            lambda value: is_tuple_of(value, _is_size) and len(value) == 3,
            "(channels, height, width), whole numbers from 1 on",
        ),
        Attribute("classes", _is_size, "a whole number from 1 on"),
    ),
)


class DataSetKinds:
    """All data sets, in the order in which they were added: iterable, and found by name."""

    group = "spikeloom.data_sets"

    def __init__(self, *kinds: DataSetKind) -> None:
        self._built_in = {kind.name: kind for kind in kinds}
        self._registered: dict[str, DataSetKind] = {}

    def register(self, kind: DataSetKind) -> None:
        """Add a data set from outside of the source tree. A class that is registered already is not added again.

        Raises `ValueError` for what is no such object, and for a name that is taken or invalid.
        """
        _REGISTRATION.check(kind)
        if type(self._registered.get(kind.name)) is type(kind):
            return
        if kind.name in (*self._built_in, *self._registered):
            raise SpikeLoomError(f"There is a data set '{kind.name}' already; give {type(kind).__name__} another name")
        self._registered[kind.name] = kind

    def unregister(self, name: str) -> None:
        """Take a registered data set away."""
        del self._registered[name]

    def __iter__(self) -> Iterator[DataSetKind]:
        load_plugins(self.group)
        return iter((*self._built_in.values(), *self._registered.values()))

    def __getitem__(self, name: str) -> DataSetKind:
        """Raises `DataError` if there is none of this name."""
        known = {kind.name: kind for kind in self}
        if not isinstance(name, str) or name not in known:
            raise DataError(f"There is no data set '{name}'; known are {', '.join(known)}")
        return known[name]

    def names(self) -> tuple[str, ...]:
        """Of all."""
        return tuple(kind.name for kind in self)

    def built_in(self) -> tuple[DataSetKind, ...]:
        """Those of the source tree."""
        return tuple(self._built_in.values())

    def registered(self) -> tuple[DataSetKind, ...]:
        """Those that are not built in, so far."""
        return tuple(self._registered.values())

    def meanings(self) -> str:
        """What they are, for the manual."""
        own = [f"{kind.name} {kind.origin}" for kind in self if kind.origin]
        return f"data set; {', '.join(own)}, the others from {ENVIRONMENT} or a download"


def read_file(path: Path, decode: Callable[[bytes], T]) -> T:
    """The content of a file, decoded. Raises `DataError` for one that cannot be."""
    try:
        return decode(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, KeyError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"'{path}' is truncated or damaged; replace it by the original file") from error
    except OSError as error:
        raise DataError(f"{readable_error(path, error, 'read')}; replace it by the original file") from error
