"""Versions of SpikeLoom and of the packages it uses, for reports and weight images."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

__all__ = ["version_of"]

_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def version_of(name: str) -> str | None:
    """Version of an installed distribution, None if there is none of that name.

    SpikeLoom itself need not be installed: a checkout that is only on Python's path, as `make setup` leaves it under a
    folder whose name has a `$`, says its version in pyproject.toml.
    """
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if name != "spikeloom" or not _PROJECT.is_file():
            return None
        return str(tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"])
