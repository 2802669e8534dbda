"""Compiled kernels cached on disk, never those of an older source.

Numba compiles functions and constants of other files into a kernel, but looks at the kernel's own file alone when it
takes compiled code from its cache. So here the code is kept in a folder named by the checksum of that file and of
everything that it imports of the program, directly or not: an edit of any of them leads to another folder, and nothing
has to be deleted by hand.

The folders are `numba/MODULE/CHECKSUM` in the program's cache (`sim.common.cache`), or `spikeloom/MODULE/CHECKSUM` in
$NUMBA_CACHE_DIR where that is set. Numba's setting is changed for our own kernels only, while they are decorated: those
of a user's program stay where they were. Where a folder cannot be written, and where a source has changed since this
process began, so that what was imported may be older than the file, kernels are recompiled, and not kept.

A kernel takes at most ten arguments: what belongs together is a NamedTuple, made by the names of its fields, and the
kernel unpacks it. Numba takes half a microsecond longer to tell the type of a NamedTuple than that of a plain tuple, so
kernels that are called step by step are given `tuple(...)` of it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit

from spikeloom.sim.common.cache import cache_folder

__all__ = ["RETENTION_s", "kernel", "sources"]

RETENTION_s = 30 * 86400.0
"""Folders of other checksums that were not used for so long are removed when a new one is made."""
_DAY_s = 86400.0
_ROOT = Path(__file__).resolve().parents[2]
_TREES = ("hw", "sim", "sw")
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<module>spikeloom[\w.]*)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n]*)"
    r"|import[ \t]+(?P<modules>spikeloom\.[\w., \t]+))",
    re.M,
)
_GUARD = threading.Lock()


def _begin_s() -> float:
    """When this process began, seconds since 1970; when this module was imported, where the system does not say."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return time.time()


_BEGIN_s = _begin_s()


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: `numba.njit` with these options, and compiled code that is kept."""

    def compiled(function: Callable[..., Any]) -> Any:
        folder = _folder(function.__code__.co_filename)
        if folder is not None:
            with _GUARD:
                before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
                try:
                    kept = njit(cache=True, **options)(function)
                except RuntimeError:  # Numba has no place for it
                    kept = None
                finally:
                    config.CACHE_DIR = before
            stats = getattr(kept, "stats", None)  # None with NUMBA_DISABLE_JIT, which leaves the function as it is
            if kept is not None and (stats is None or Path(stats.cache_path).is_relative_to(folder)):
                return kept
        return njit(**options)(function)

    return compiled


@functools.cache
def sources(path: Path) -> frozenset[Path]:
    """A file of the program, and those that it imports, directly or not; imports within functions and for types too."""
    found, ahead = {path}, [path]
    while ahead:
        for other in _read(ahead.pop())[1] - found:
            found.add(other)
            ahead.append(other)
    return frozenset(found)


@functools.cache
def _read(path: Path) -> tuple[bytes, frozenset[Path]]:
    """Checksum of a file, and the files of the program that it imports."""
    content = path.read_bytes()
    names: set[str] = set()
    for match in _IMPORT.finditer(content.decode()):
        if match["module"]:
            names.add(match["module"])
            names |= {f"{match['module']}.{name}" for name in re.findall(r"\w+", match["names"])}
        else:
            names |= set(re.findall(r"spikeloom[\w.]+", match["modules"]))
    places = {_ROOT.joinpath(*name.split(".")[1:]) for name in names}
    files = {place.with_suffix(".py") for place in places} | {place / "__init__.py" for place in places}
    return hashlib.sha256(content).digest(), frozenset(file for file in files if file.is_file())


@functools.cache
def _folder(file: str) -> Path | None:
    """Where compiled kernels of a file are kept; created if missing. None if they are not to be kept."""
    path = Path(file).resolve()
    try:
        parts = path.relative_to(_ROOT).with_suffix("").parts
        if parts[0] not in _TREES:
            return None
        used = sorted(sources(path))
        if max(source.stat().st_mtime for source in used) > _BEGIN_s:
            return None
        digest = hashlib.sha256()
        for source in used:
            digest.update(f"{source.relative_to(_ROOT).as_posix()}\0".encode() + _read(source)[0])
        base = Path(config.CACHE_DIR) / "spikeloom" if config.CACHE_DIR else cache_folder("numba")
        folder = base.absolute() / ".".join(parts) / digest.hexdigest()[:24]
        now = time.time()
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _remove_old(folder, now)
        elif now - folder.stat().st_mtime > _DAY_s:
            os.utime(folder)
        return folder
    except (OSError, ValueError, RuntimeError):  # not writable; a file of another program; no home folder
        return None


def _remove_old(folder: Path, now: float) -> None:
    """Remove the folders of other checksums, beside a new one, that nobody has used for `RETENTION_s`."""
    for other in folder.parent.iterdir():
        if other != folder and now - other.stat().st_mtime > RETENTION_s:
            shutil.rmtree(other, ignore_errors=True)
