"""Warnings of what is legal but surely a slip: one sentence, at the line of the user's program."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pydantic

__all__ = ["SpikeLoomWarning", "warn"]

_OWN = (
    *(str(Path(__file__).parents[1] / name) + "/" for name in ("hw", "sim", "sw")),
    str(Path(pydantic.__file__).parent) + "/",  # a configuration's checks are called from within pydantic
)


class SpikeLoomWarning(UserWarning):
    """Something that is allowed and most likely not meant; the command line prints it as one line."""


def warn(sentence: str, category: type[SpikeLoomWarning] = SpikeLoomWarning) -> None:
    """Warn at the line of the user's program that called into SpikeLoom, wherever inside it this is called."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, category, stacklevel=level + 1)
