"""What a result holds for: digests of the sources that it came from."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.blocks import ROOT, test_files

__all__ = ["HELPERS", "file_digest", "sources_digest", "suite_digest"]

HELPERS = ("benches", "checks", "fixtures", "models")
"""Folders in `tests/` of what tests share."""


def _digest(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()[:16]


@functools.cache
def file_digest(name: str) -> str:
    """Digest of one file, named from the root."""
    return _digest([ROOT / name])


@functools.cache
def sources_digest() -> str:
    """Digest of what every test shares: the hardware, the reference that it is held to, and the tests' helpers."""
    helpers = [path for folder in HELPERS for path in _modules(f"tests/{folder}")]
    shared = [ROOT / "tests" / "formal.py", ROOT / "tests" / "conftest.py"]
    return _digest([*_modules("hw"), *_modules("sim"), *helpers, *shared])


def _modules(folder: str) -> list[Path]:
    """Every module in a folder of the root and the folders in it; to find none is an error, not a digest of nothing."""
    found = list((ROOT / folder).rglob("*.py"))
    if not found:
        raise FileNotFoundError(f"There are no modules in {folder}")
    return found


@functools.cache
def suite_digest() -> str:
    """Digest of all that decides whether a mutant survives."""
    return _digest([*(ROOT / name for name in test_files())]) + sources_digest()
