"""Files and folders that are written as a whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sw.errors import FileError

__all__ = ["MANIFEST", "readable_error", "write_atomic", "write_folder"]

MANIFEST = "files.json"


def write_atomic(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a file: afterwards it has all of `content`, or is what it was before. Folders on the way are made.

    Raises `FileError` if there is no space, no permission, or something in the way.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    name = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except OSError as error:
        if name is not None:
            Path(name).unlink(missing_ok=True)
        raise FileError(readable_error(path, error)) from error
    except BaseException:
        if name is not None:
            Path(name).unlink(missing_ok=True)
        raise


def write_folder(path: str | os.PathLike[str], files: Mapping[str, bytes | str]) -> Path:
    """Write a set of files into a folder, which may hold other things too; return the folder.

    All of them are first written beside it, so that a lack of space leaves the folder as it was; then each is moved
    into place, what an earlier export wrote and this one does not is removed, and `files.json` lists names and SHA-256
    sums.

    Raises `FileError` if there is no space, no permission, or something in the way.
    """
    path = Path(path)
    contents = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}
    contents[MANIFEST] = (json.dumps(sums, indent=1) + "\n").encode()
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        for name, content in contents.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(content)
        path.mkdir(exist_ok=True)
        before = _listed(path)
        for name in contents:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary / name, path / name)
        for name in before - contents.keys():
            (path / name).unlink(missing_ok=True)
    except OSError as error:
        raise FileError(readable_error(path, error)) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return path


def _listed(folder: Path) -> set[str]:
    """Names an earlier export has written into the folder."""
    try:
        names = json.loads((folder / MANIFEST).read_text())
    except (FileNotFoundError, ValueError):
        return set()
    safe = [name for name in names if not Path(name).is_absolute() and ".." not in Path(name).parts]
    return set(safe)


def readable_error(path: str | os.PathLike[str], error: OSError) -> str:
    """One sentence for a failed write."""
    reason = {
        errno.ENOSPC: "there is no space left on the device",
        errno.EDQUOT: "the disk quota is used up",
        errno.EACCES: "permission is denied",
        errno.EPERM: "permission is denied",
        errno.EROFS: "the file system is read-only",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EEXIST: "a part of the path is a file, not a folder",
        errno.EISDIR: "it is a folder",
    }.get(error.errno or 0, error.strerror or str(error))
    return f"Cannot write '{os.fspath(path)}': {reason}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
