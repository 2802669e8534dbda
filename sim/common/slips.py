"""Warnings about input that is valid but almost certainly a mistake: one sentence, at the line of the user's code."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import pydantic

__all__ = ["SpikeLoomWarning", "said_before", "warn", "was_said"]

_OWN = (
    str(sys.modules[__name__.partition(".")[0]].__file__),  # the face, `spikeloom/__init__.py`
    *(str(Path(__file__).parents[2] / name) + "/" for name in ("hw", "sim", "sw")),
    str(Path(pydantic.__file__).parent) + "/",  # a configuration's checks are called from within pydantic
)


class SpikeLoomWarning(UserWarning):
    """Something that is allowed and most likely not meant; the command line prints it as one line."""


_SAID: ContextVar[frozenset[str]] = ContextVar("said", default=frozenset())


@contextmanager
def said_before(sentences: Iterable[str]) -> Iterator[None]:
    """While it lasts, `was_said` knows these sentences: what has been said of a value is not said again when the value
    is checked again.
    """
    token = _SAID.set(frozenset(sentences))
    try:
        yield
    finally:
        _SAID.reset(token)


def was_said(sentence: str) -> bool:
    """Whether the sentence is one of `said_before`."""
    return sentence in _SAID.get()


def warn(sentence: str, category: type[SpikeLoomWarning] = SpikeLoomWarning) -> None:
    """Warn at the line of the user's program that called into SpikeLoom, wherever inside it this is called."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, category, stacklevel=level + 1)
