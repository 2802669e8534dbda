"""A configuration field that takes one of several names, to which others can be added."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args, get_origin

from pydantic import GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

__all__ = ["Choices", "choices_of", "description_of", "listed"]


class Choices:
    """Bears the names that a field takes; errors are those of a `Literal`.

    Parameters
    ----------
    names : gives them as they are now
    meanings : gives the description of the field with all of them; without it, it is the field's own
    """

    def __init__(self, names: Callable[[], Iterable[str]], meanings: Callable[[], str] | None = None) -> None:
        self.names, self.meanings = names, meanings

    def _checked(self, value: Any) -> str:
        names = tuple(self.names())
        if isinstance(value, str) and value in names:
            return value
        raise PydanticKnownError("literal_error", {"expected": listed(names)})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)


def _own(field: FieldInfo) -> Choices | None:
    return next((item for item in field.metadata if isinstance(item, Choices)), None)


def choices_of(field: FieldInfo) -> tuple[Any, ...]:
    """The values that a field may have, where they are few; none for a number or a text."""
    own = _own(field)
    if own is not None:
        return tuple(own.names())
    if field.annotation is bool:
        return True, False
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def description_of(field: FieldInfo) -> str:
    """What a field means."""
    own = _own(field)
    return field.description or "" if own is None or own.meanings is None else own.meanings()


def listed(names: Iterable[str]) -> str:
    """ "'a'", "'a' or 'b'", "'a', 'b' or 'c'"."""
    *others, last = (repr(name) for name in names)
    return f"{', '.join(others)} or {last}" if others else last
