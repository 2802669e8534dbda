"""Data sets that are published as one archive, .tar.gz, of a folder of files: read from the archive, or unpacked."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import ClassVar

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.datasets.kinds import DataSetKind, read_file

__all__ = ["ArchivedKind"]


class ArchivedKind(DataSetKind):
    """A data set in an archive, the only one of `files`.

    inner : the folder in the archive
    members : the files in that folder which are read
    """

    inner: ClassVar[str]
    members: ClassVar[tuple[str, ...]]

    def complete(self, folder: Path) -> bool:
        """Whether the archive, or what it holds, is in the folder."""
        return (folder / self.files[0].name).exists() or self._unpacked(folder) is not None

    def contents(self, folder: Path) -> list[tuple[Path, bytes]]:
        """Path and content of every member, from the unpacked folder or the archive. Raises `DataError`."""
        place = self._unpacked(folder)
        if place is not None:
            return [(place / member, read_file(place / member, bytes)) for member in self.members]
        archive = folder / self.files[0].name
        named = [archive / self.inner / member for member in self.members]
        return list(zip(named, read_file(archive, self._taken_out), strict=True))

    def _unpacked(self, folder: Path) -> Path | None:
        for place in (folder / self.inner, folder):
            if all((place / member).is_file() for member in self.members):
                return place
        return None

    def _taken_out(self, raw: bytes) -> list[bytes]:
        """Nothing is written anywhere, so the names of members cannot do harm."""
        contents = []
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as archive:
            for member in self.members:
                file = archive.extractfile(f"{self.inner}/{member}")
                if file is None:
                    raise DataError(
                        f"'{self.files[0].name}' has '{self.inner}/{member}', which is not a file; replace it by the "
                        "original archive"
                    )
                contents.append(file.read())
        return contents
