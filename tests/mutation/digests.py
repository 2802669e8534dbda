"""What a result holds for: digests of the sources that it came from."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.blocks import ROOT, test_files

__all__ = ["HELPERS", "digest_of_files", "file_digest", "imported", "mutants_digest", "shared", "sources_digest"]
__all__ += ["suite_digest"]

HELPERS = ("benches", "checks", "fixtures", "models")
"""Folders in `tests/` of what tests share."""

_FROM_TESTS = re.compile(r"^ *from (tests\.[\w.]*\btest_\w+) import", re.M)
_OF_MUTANTS = ("designs", "importing", "operators", "places")
"""Modules of this package that say what a mutant is, and when it is equivalent."""


def digest_of_files(paths: Iterable[Path]) -> str:
    """Digest of files of the tree, with their names from the root."""
    whole = hashlib.sha256()
    for path in sorted(set(paths)):
        whole.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()[:16]


def imported(paths: Iterable[Path]) -> set[Path]:
    """The files, and the test files that they take something from, and these from others."""
    found: set[Path] = set()
    left = list(paths)
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            names = _FROM_TESTS.findall(path.read_text(encoding="utf-8"))
            left += [ROOT / f"{name.replace('.', '/')}.py" for name in names]
    return found


@functools.cache
def file_digest(name: str) -> str:
    """Digest of one test file, named from the root, and of the test files that it takes something from."""
    return digest_of_files(imported([ROOT / name]))


def shared() -> list[Path]:
    """The tests' helpers, with the test files that they take something from."""
    helpers = [path for folder in HELPERS for path in _modules(f"tests/{folder}")]
    return sorted(imported([*helpers, *(p for p in (ROOT / "tests").glob("*.py") if not p.name.startswith("test_"))]))


@functools.cache
def sources_digest() -> str:
    """Digest of what every test shares: the hardware, the reference it is compared with, and the tests' helpers."""
    return digest_of_files([*_modules("hw"), *_modules("sim"), *shared()])


@functools.cache
def mutants_digest() -> str:
    """Digest of what all verdicts share: the sources, and what makes a mutant and compares it."""
    return digest_of_files(Path(__file__).with_name(f"{name}.py") for name in _OF_MUTANTS) + sources_digest()


def _modules(folder: str) -> list[Path]:
    """Every module in a folder of the root and the folders in it; to find none is an error, not a digest of nothing."""
    found = list((ROOT / folder).rglob("*.py"))
    if not found:
        raise FileNotFoundError(f"There are no modules in {folder}")
    return found


@functools.cache
def suite_digest() -> str:
    """Digest of all that decides whether a mutant survives."""
    return digest_of_files(imported(ROOT / name for name in test_files())) + mutants_digest()
