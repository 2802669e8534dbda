"""Locks between processes: a lock file that the operating system releases when its holder ends, for any reason."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["Busy", "locked", "shared"]


class Busy(SpikeLoomError):
    """Another process holds the lock. `holder` is its number, or "?" if it has not said so yet."""

    def __init__(self, path: Path, holder: str) -> None:
        self.holder = holder
        super().__init__(f"Process {holder} holds '{path}'")


@contextlib.contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[None]:
    """Hold the lock file while the block runs; it is gone afterwards.

    A file that a killed process left behind holds nobody up: the lock is the kernel's (`flock`), not the file.

    Parameters
    ----------
    path : of the lock file; its folder must be there
    wait : wait for the other process instead of raising `Busy`

    Raises `Busy`, or `OSError` where the file cannot be made.
    """
    handle = _acquire(path, wait)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        with contextlib.suppress(OSError):  # removed from outside, or a folder that can no longer be written
            path.unlink()
        os.close(handle)


@contextlib.contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold a file that is there together with others, so that `locked` of the same path is refused or waits.

    Raises `FileNotFoundError` where the file does not exist, or was removed by the process that held it alone.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        if not _same(handle, path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        yield
    finally:
        os.close(handle)


def _acquire(path: Path, wait: bool) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _same(handle, path):
                return handle
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode(errors="replace").strip() or "?"
            os.close(handle)
            raise Busy(path, holder) from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its last holder has just removed the file: take a new one


def _same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False
