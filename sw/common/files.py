"""Files and folders that are written completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from spikeloom.sw.common.errors import ArgumentTypeError, FileError

__all__ = [
    "MANIFEST",
    "as_path",
    "check_no_foreign",
    "readable_error",
    "reason",
    "writable_file",
    "writable_folder",
    "write_atomic",
    "write_folder",
    "write_together",
]

MANIFEST = "files.json"

_REASONS = {
    errno.ENOSPC: "there is no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder",
    errno.EBUSY: "it is in use",
    errno.ENOENT: "it is not there",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


def as_path(path: Any, what: str) -> Path:
    """The path a user has given. Raises `TypeError` or `FileError`, naming `what` it is for, if it is no path."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentTypeError(f"The {what} must be a path (text or pathlib.Path), not {type(path).__name__}")
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise FileError(f"The {what} must be a path that is not empty and has no NUL character, not {text!r}")
    return Path(text)


def writable_file(path: Any, what: str) -> Path:
    """The path of a file that will be written, checked before the work of which it is the result; nothing is made.

    Raises `TypeError` or `FileError` as `as_path` does, and `FileError` for a folder, a file in place of one of its
    folders, and a folder that nothing can be written to.
    """
    place = as_path(path, what)
    if os.path.isdir(place):
        raise FileError(f"Cannot write '{place}': it is a folder; give the path of a file, such as one in it")
    _try_to_write(place, place.parent)
    return place


def writable_folder(path: Any, what: str) -> Path:
    """As `writable_file`, for a folder into which files will be written; it may be there, or be made then."""
    place = as_path(path, what)
    _try_to_write(place, place)
    return place


def _try_to_write(path: Path, folder: Path) -> None:
    """Write a file without a name into the folder, or into the first one above it that is there."""
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()  # what os.path.lexists would hide, such as a name that is too long
        while not os.path.lexists(folder):
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileNotFoundError as error:  # the folder has a name: it leads nowhere, or makes no files
        link = os.path.islink(folder)
        nowhere = f"'{folder}' is a link to '{os.readlink(folder)}', which does not exist" if link else ""
        why = nowhere or f"its file system makes no files in '{folder}'"
        raise FileError(f"Cannot write '{path}': {why}; choose another path") from error
    except OSError as error:
        raise FileError(f"{readable_error(path, error)}; choose another path") from error


def write_atomic(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a file: afterwards it has all of `content`, or is what it was before. Folders on the way are made.

    Raises `FileError` if there is no space, no permission, or something in the way.
    """
    path = as_path(path, "file")
    data = content.encode() if isinstance(content, str) else content
    name = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:200]}.")
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


def write_together(folder: str | os.PathLike[str], files: Mapping[str, bytes | str]) -> Path:
    """Write files into a folder, which may hold other things too; return the folder.

    All of them are first written aside, so that a lack of space leaves the folder as it was; then each is moved into
    place, in the order given. A folder that did not exist before does not exist after a failure.

    Raises `FileError` if there is no space, no permission, or something in the way.
    """
    folder = as_path(folder, "folder")
    temporary = None
    made = False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = folder if folder.is_dir() else folder.parent
        temporary = Path(tempfile.mkdtemp(dir=beside, prefix=f".{folder.name[:200]}."))
        for name, content in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(content.encode() if isinstance(content, str) else content)
        made = not folder.is_dir()
        folder.mkdir(exist_ok=True)
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary / name, folder / name)
    except OSError as error:
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        raise FileError(readable_error(folder, error)) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def check_no_foreign(path: str | os.PathLike[str], files: Mapping[str, bytes | str | None]) -> None:
    """Raise `FileError` where `write_folder` would write over a file of the user's: before the work of which the files
    are the result. None in the place of a content that is not known yet.
    """
    path = as_path(path, "folder")
    before = _listed(path)
    for name, content in {**files, MANIFEST: None}.items():
        data = content.encode() if isinstance(content, str) else content
        if os.path.lexists(path / name) and name not in before and not _holds(path / name, data):
            raise FileError(
                f"Cannot write '{path}': it has a file '{name}' that is not from an earlier export and would be "
                "overwritten; move it away, or choose another folder"
            )


def write_folder(
    path: str | os.PathLike[str], files: Mapping[str, bytes | str], changed: Literal["replace", "refuse"] = "replace"
) -> Path:
    """Write a set of files as by `write_together`, with a list of them, `files.json`: names and SHA-256 sums.

    What an earlier export wrote and this one does not is removed. A file of the same name that no export wrote is the
    user's, and is not written over. A file of an earlier export that has been `changed` since is written anew, or, with
    "refuse", taken for the user's too.

    Raises `FileError` as `write_together` does, and for a user's file in the way.
    """
    path = as_path(path, "folder")
    contents = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}
    before = _listed(path)
    check_no_foreign(path, contents)
    edited = [name for name, digest in before.items() if changed == "refuse" and _edited(path / name, digest)]
    for name in edited:
        if not _holds(path / name, contents.get(name)):
            raise FileError(
                f"Cannot write '{path}': its file '{name}' was edited after an earlier export and would be "
                "overwritten; choose another folder, or remove the file"
            )
    # The list comes first, with old and new names, so that an export that is stopped half-way is known as one.
    write_together(path, {MANIFEST: _manifest({**before, **sums}), **contents})
    try:
        for name in before.keys() - contents.keys() - {MANIFEST}:
            (path / name).unlink(missing_ok=True)
    except OSError as error:
        raise FileError(readable_error(path, error)) from error
    write_atomic(path / MANIFEST, _manifest(sums))
    return path


def _manifest(sums: Mapping[str, str]) -> str:
    return json.dumps({name: sums[name] for name in sorted(sums) if name != MANIFEST}, indent=1) + "\n"


def _holds(path: Path, content: bytes | None) -> bool:
    try:
        return content is not None and path.read_bytes() == content
    except OSError:
        return False


def _edited(path: Path, digest: str) -> bool:
    """Whether a file that the list names has another content by now; the list itself has no sum."""
    try:
        return bool(digest) and hashlib.sha256(path.read_bytes()).hexdigest() != digest
    except OSError:
        return False


def _listed(folder: Path) -> dict[str, str]:
    """Files an earlier export has written into the folder, and their sums; the list itself is one of them."""
    try:
        names = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(names, dict) or not all(isinstance(s, str) and len(s) == 64 for s in names.values()):
        return {}
    safe = {name: s for name, s in names.items() if not Path(name).is_absolute() and ".." not in Path(name).parts}
    return {**safe, MANIFEST: ""}


def readable_error(path: str | os.PathLike[str] | int, error: OSError, doing: str = "write") -> str:
    """One sentence for a failed write, or whatever `doing` says."""
    return f"Cannot {doing} '{path if isinstance(path, int) else os.fspath(path)}': {reason(error)}"


def reason(error: OSError) -> str:
    """Why an operation on a file failed, in words."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
