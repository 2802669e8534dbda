"""Short representations of objects that hold arrays: types and shapes instead of all numbers."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["short_repr", "short_text"]

_LONGEST = 60
_MOST = 8


def short_repr(self: Any) -> str:
    """`__repr__` of a dataclass: a short text per field that is shown."""
    fields = [field.name for field in dataclasses.fields(self) if field.repr]
    shown = ", ".join(f"{name}={short_text(getattr(self, name))}" for name in fields)
    return f"{type(self).__name__}({shown})"


def short_text(value: Any) -> str:
    """A value in at most about 60 characters: arrays as `uint8[20, 12]`, long sequences as what they hold."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, Mapping):
        return _cut("{" + ", ".join(f"{key}: {short_text(item)}" for key, item in value.items()) + "}")
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _sequence(value)
    return _cut(repr(value), f"{type(value).__name__}(...)")


def _sequence(value: Sequence[Any]) -> str:
    plain = all(isinstance(item, int | float | str | None) for item in value)
    if len(value) <= _MOST and (plain or all(isinstance(item, np.ndarray | Sequence) for item in value)):
        text = "(" + ", ".join(repr(item) if plain else short_text(item) for item in value) + ")"
        if len(text) <= _LONGEST:
            return text
    counts = Counter(type(item).__name__ for item in value)
    return "(" + ", ".join(f"{count} {name}" for name, count in counts.items()) + ")"


def _cut(text: str, instead: str | None = None) -> str:
    if len(text) <= _LONGEST and "\n" not in text:
        return text
    return instead if instead is not None else f"{text[: _LONGEST - 4]} ...}}"
