"""Alternative names for paths that `make`, the shell scripts of simulators and cocotb do not support.

A space ends a word for make and for Verilator's start script, `$` begins a variable, `;` and `,` separate cocotb's
libraries, and so on. Such a path gets a symbolic link with a plain name, in a folder of the user's for temporary files:
the programs are told the link, and everything stays where it is. Most paths are plain, and are their own names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["PathError", "is_plain", "plain_path", "plain_temporary", "plain_words"]

_PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")
_BASES = ("/tmp", "/var/tmp", "/dev/shm")


class PathError(SpikeLoomError):
    """A path holds characters that a tool does not take, and no link can be made; the sentence says what to do."""


def is_plain(path: Path | str) -> bool:
    """Whether every part of an absolute path consists of ASCII letters, digits, and `_ . + -`."""
    return all(_PLAIN.fullmatch(part) for part in Path(path).parts[1:])


def plain_path(path: Path | str) -> Path:
    """The absolute path itself, where it is plain; else another name of the same file or folder, which need not exist.

    Raises `PathError` where no folder for the link can be found.
    """
    path = Path(os.path.abspath(path))
    odd = [index for index, part in enumerate(path.parts) if index and not _PLAIN.fullmatch(part)]
    if not odd:
        return path
    target = Path(*path.parts[: odd[-1] + 1])
    link = _links(path) / hashlib.sha256(os.fsencode(target)).hexdigest()[:12]
    with contextlib.suppress(FileExistsError):
        os.symlink(target, link)
    if os.readlink(link) != str(target):
        raise PathError(f"'{link}' does not lead to '{target}': remove it")
    return link.joinpath(*path.parts[odd[-1] + 1 :])


def plain_temporary() -> Path:
    """Folder for temporary files with a plain path. Raises `PathError` where there is none."""
    wanted = Path(tempfile.gettempdir()).resolve()
    return wanted if is_plain(wanted) else _links(wanted)


def plain_words(words: Iterable[object], roots: Iterable[Path | str]) -> list[str]:
    """Words of a command in which each of the paths `roots` has its plain name, wherever it stands."""
    names = {str(root): str(plain_path(root)) for root in roots}
    texts = [str(word) for word in words]
    for root in sorted(names, key=len, reverse=True):  # a root may lie in another one
        texts = [text.replace(root, names[root]) for text in texts]
    return texts


def _links(path: Path) -> Path:
    """The user's folder for links, made when needed; `path` is for the sentence of the error."""
    for base in _bases():
        folder = base / f"spikeloom-{os.getuid()}"
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            now = folder.lstat()
            # In a folder that others can write, somebody else could have made it to lead us astray.
            if stat.S_ISDIR(now.st_mode) and now.st_uid == os.getuid() and not now.st_mode & 0o022:
                return folder
    raise PathError(
        f"The path '{path}' holds other characters than letters, digits and _ . + -, which Verilator's build and "
        "cocotb do not take, and there is no folder for a link to it: set TMPDIR to a folder with a plain path that "
        "you can write"
    )


def _bases() -> Iterator[Path]:
    for base in dict.fromkeys([Path(tempfile.gettempdir()).resolve(), *map(Path, _BASES)]):
        if is_plain(base) and os.access(base, os.W_OK):
            yield base
