"""Rules of a configuration as objects: each checks, explains an error in a sentence, and describes itself on the page.

`Unused` names fields that do nothing under certain choices, and so have to keep their defaults there. `Needs` is a
check of any other kind with its text. The list of them all is `sw.config.rules.RULES`; `Config` checks it, and
`sw.config.manual_page` writes it down.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from spikeloom.sim.common.choices import choices_of
from spikeloom.sim.common.units import fields_of

__all__ = ["ANY_TEXT", "Choice", "Needs", "Rule", "Unused", "allowed", "default_of", "field_names", "shown", "value_of"]

ANY_TEXT = object()
"""As a value of a `Choice`: anything but the empty text."""


def value_of(config: BaseModel, name: str) -> Any:
    """The value of a field, such as "device.bits"."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def default_of(config: BaseModel, name: str) -> Any:
    """The default of a field."""
    return _info(type(config), name).default


def field_names(tables: type[BaseModel], pattern: str) -> Iterator[str]:
    """The fields that a pattern stands for: a name itself, or all of a table for "table.*"."""
    table, _, name = pattern.partition(".")
    if name != "*":
        yield pattern
        return
    annotation: Any = tables.model_fields[table].annotation
    yield from (f"{table}.{each}" for each in fields_of(annotation))


def allowed(tables: type[BaseModel], name: str) -> tuple[Any, ...]:
    """The values that a field may have, where they are few; none for a number or a text."""
    return choices_of(_info(tables, name))


def _info(tables: type[BaseModel], name: str) -> FieldInfo:
    table, _, field = name.partition(".")
    annotation: Any = tables.model_fields[table].annotation
    return fields_of(annotation)[field]


@dataclass(frozen=True)
class Choice:
    """A field that has one of some values."""

    field: str
    values: Sequence[Any]

    def holds(self, config: BaseModel) -> bool:
        """Whether the configuration has made this choice."""
        value = value_of(config, self.field)
        return any(value != "" if each is ANY_TEXT else value == each for each in self.values)

    def said(self, config: BaseModel, table: str) -> str:
        """The choice as it is made, for a sentence about a field of `table`: "[programming] method 'direct'"."""
        home, _, name = self.field.partition(".")
        where = name if home == table else f"[{home}] {name}"
        value = value_of(config, self.field)
        if value == "":
            return f"without [{home}] {name}"
        if self.values == (ANY_TEXT,):
            return f"with {where}"
        return f"with {where} {shown(value)}"

    def otherwise(self, config: BaseModel, table: str) -> str:
        """How to make another choice, a clause for a sentence about a field of `table`."""
        home, _, name = self.field.partition(".")
        where = name if home == table else f"[{home}] {name}"
        if self.values == (ANY_TEXT,):
            return f"leave out {where}"
        if self.values == ("",):
            return f"give {where}"
        others = [each for each in allowed(type(config), self.field) if each not in self.values]
        values = _listed([shown(each) for each in others], "or")
        return f"set {where} {values}" if others else f"give {where} another value"

    def text(self) -> str:
        """The choice on the page."""
        if self.values == ("",):
            return f"without `{self.field}`"
        if self.values == (ANY_TEXT,):
            return f"with `{self.field}`"
        first, *others = (json.dumps(value) for value in self.values)
        names = [f"`{self.field} = {first}`", *(f"`{other}`" for other in others)]
        return f"with {_listed(names, 'or')}"


class Rule:
    """What a configuration must satisfy beyond the limits of each field."""

    def problems(self, config: Any) -> Iterable[str]:
        """A sentence for everything that breaks the rule."""
        raise NotImplementedError

    def text(self) -> str:
        """The rule on the page, without a full stop."""
        raise NotImplementedError


@dataclass(frozen=True)
class Unused(Rule):
    """Fields that do nothing where all `choices` are made: they keep their defaults.

    Parameters
    ----------
    fields : names such as "device.pulse_up", or "learning.*" for a whole table
    choices : what must hold, all at once
    because : why nothing would use them, a clause that follows the last choice, if there is one
    apart : fields of a pattern that are used all the same
    remedy : what to do to use it, a clause that ends the sentence; if not given, to make another of the choices
    """

    fields: tuple[str, ...]
    choices: tuple[Choice, ...]
    because: str
    apart: tuple[str, ...] = ()
    remedy: str = ""

    def names(self, tables: type[BaseModel]) -> list[str]:
        """The fields, patterns resolved."""
        return [name for each in self.fields for name in field_names(tables, each) if name not in self.apart]

    def holds(self, config: BaseModel) -> bool:
        """Whether the fields are unused in this configuration."""
        return all(choice.holds(config) for choice in self.choices)

    def problems(self, config: BaseModel) -> Iterator[str]:
        """A sentence for every field that is not at its default where it has no effect."""
        if not self.holds(config):
            return
        for name in self.names(type(config)):
            value, default = value_of(config, name), default_of(config, name)
            if value != default:
                table, _, field = name.partition(".")
                said = " and ".join(choice.said(config, table) for choice in self.choices)
                why = f"{said}, {self.because}" if said else self.because
                remedy = self._remedy(config, table, field)
                yield f"[{table}] {field} must be {shown(default)} {why}, not {shown(value)}; {remedy}"

    def _remedy(self, config: BaseModel, table: str, field: str) -> str:
        """What to do, a clause: leave the field out, or make another of the choices."""
        if self.remedy:
            return self.remedy
        others = [choice.otherwise(config, table) for choice in self.choices]
        left = [other.removeprefix("leave out ") for other in others if other.startswith("leave out ")]
        made = [other for other in others if not other.startswith("leave out ")]
        return _listed([f"leave {_listed([field, *left], 'or')} out", *made], "or")

    def text(self) -> str:
        """The rule as a sentence of the manual."""
        parts = []
        for table, group in groupby(self.fields, lambda name: name.partition(".")[0]):
            first, *others = list(group)
            if first.endswith(".*"):
                parts.append(f"the fields of `[{table}]`")
            else:
                parts.append(f"`{first}`")
            parts += [f"`{other.partition('.')[2]}`" for other in others]
        names = _listed(parts, "and")
        one = len(parts) == 1 and not self.fields[0].endswith(".*")
        but = f" except {_listed([f'`{name}`' for name in self.apart], 'and')}" if self.apart else ""
        said = _listed([choice.text() for choice in self.choices], "and").replace("and with", "and")
        why = f"{said}, {self.because}" if said else self.because
        sentence = f"{names}{but} {'keeps its default' if one else 'keep their defaults'} {why}"
        return sentence[0].upper() + sentence[1:]


@dataclass(frozen=True)
class Needs(Rule):
    """A check of its own: `check` gives a sentence for each problem, `says` is, or gives, the rule on the page."""

    check: Callable[[Any], Iterable[str]]
    says: str | Callable[[], str]

    def problems(self, config: BaseModel) -> Iterable[str]:
        """The sentences of the check."""
        return self.check(config)

    def text(self) -> str:
        """The rule as a sentence of the manual."""
        return self.says if isinstance(self.says, str) else self.says()


def _listed(names: Sequence[str], word: str) -> str:
    """ "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}" if names else ""


def shown(value: Any) -> str:
    """A value in a sentence: as Python has it, but true, false and lists as TOML does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return repr(list(value))
    return repr(value)
