"""The files that a data set is read from, as they are now: a run sees by them that its data set was replaced."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.common.files import readable_error
from spikeloom.sw.datasets.datasets import DATA_SETS, ENVIRONMENT

__all__ = ["FileState", "data_files", "file_digests"]


class FileState(NamedTuple):
    """A file, its name below the folder of its data set, its size in bytes and its time of change in nanoseconds."""

    path: Path
    name: str
    size: int
    changed_ns: int


def data_files(name: str, folder: Path | None) -> tuple[FileState, ...]:
    """Files in the subfolder of a data set in `folder` (else $SPIKELOOM_DATA), sorted; none of sets without one.

    Downloaded files have published checksums: nobody replaces them.
    """
    named = folder if folder is not None else os.environ.get(ENVIRONMENT)
    if named is None or DATA_SETS[name].origin:
        return ()
    place = Path(named) / name
    try:
        files = sorted(path for path in place.rglob("*") if path.is_file())
        states = [(path, path.stat()) for path in files]
    except OSError as error:
        raise DataError(readable_error(place, error, "read")) from error
    return tuple(
        FileState(path, path.relative_to(place).as_posix(), stat.st_size, stat.st_mtime_ns) for path, stat in states
    )


def file_digests(files: tuple[FileState, ...]) -> dict[str, str]:
    """SHA-256 of files by name; of a file whose size and time are as before it is computed once per process."""
    return {file.name: _digest(file) for file in files}


@functools.lru_cache(maxsize=1024)
def _digest(file: FileState) -> str:
    try:
        with file.path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise DataError(readable_error(file.path, error, "read")) from error
