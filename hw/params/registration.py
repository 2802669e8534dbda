"""What may be given to a registry, checked before anything of it is used: the same sentences for every registry."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["NAME", "Attribute", "Registration", "is_tuple_of", "is_whole"]


class Attribute(NamedTuple):
    """An attribute that everything in a registry has.

    name : of the attribute
    allowed : whether a value is one that it may have
    words : what it may be, such as "a text"
    """

    name: str
    allowed: Callable[[Any], bool]
    words: str


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_tuple_of(value: Any, allowed: Callable[[Any], bool]) -> bool:
    """Whether a value is a tuple, and all in it are allowed."""
    return isinstance(value, tuple) and all(allowed(item) for item in value)


NAME = Attribute(
    "name",
    lambda value: isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_-]*", value) is not None,
    "a text of small letters, digits, '-' and '_'",
)


@dataclass(frozen=True)
class Registration:
    """What one registry takes: objects or classes, derived from a class, with some attributes.

    Parameters
    ----------
    what : that is registered, in words, singular
    base : the class that all are derived from
    objects : whether it takes objects, or classes
    attributes : that all have
    remedy : for what is not derived from `base`; "" is to derive it
    """

    what: str
    base: type
    objects: bool
    attributes: tuple[Attribute, ...] = (NAME,)
    remedy: str = ""

    def check(self, candidate: Any) -> None:
        """Raise `SpikeLoomError` for what cannot be registered, naming it, what is allowed and the remedy."""
        is_class = isinstance(candidate, type)
        cls = candidate if is_class else type(candidate)
        derived = issubclass(cls, self.base)
        if not derived or is_class == self.objects:
            wanted = f"{'an object of ' if self.objects else ''}a class derived from {_path(self.base)}"
            remedy = self.remedy or f"derive a class from {self.base.__name__}"
            if derived:
                remedy = f"give {cls.__name__}(...)" if self.objects else f"give the class {cls.__name__}"
            raise SpikeLoomError(f"{self._a} is registered as {wanted}, not as {_in_words(candidate)}; {remedy}")
        for attribute in self.attributes:
            if not hasattr(candidate, attribute.name):
                raise SpikeLoomError(
                    f"The {self.what} {cls.__name__} has no {attribute.name}; set it in the class, to {attribute.words}"
                )
            value = getattr(candidate, attribute.name)
            if not attribute.allowed(value):
                raise SpikeLoomError(
                    f"The {attribute.name} of the {self.what} {cls.__name__} must be {attribute.words}, not "
                    f"{value!r:.60}"
                )

    @property
    def _a(self) -> str:
        return f"{'An' if self.what[0] in 'aeiou' else 'A'} {self.what}"


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _in_words(given: Any) -> str:
    if isinstance(given, type):
        return f"the class {given.__name__}"
    kind = type(given)
    return f"{given!r:.60}" if kind.__module__ == "builtins" else f"an object of the class {kind.__name__}"
