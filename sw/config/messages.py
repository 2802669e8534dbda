"""Configuration errors found by pydantic, as sentences: the key, what is allowed, what was given."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from spikeloom.sim.common.units import fields_of, unit_of
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.config.renamed import key_sentence, value_sentence

__all__ = ["nearest_name", "option_words", "sentences"]


_GONE = {
    "device.t_pulse_s": "a read pulse lasts as long as the hardware drives the rows, max(pulse_cycles, "
    "settle_cycles) / clock_Hz of [hardware]: set these",
    "energy.neuron_J_per_update": "what neurons add and store is counted by bits: set adder_J_per_bit and "
    "memory_J_per_bit",
    "energy.control_J_per_cycle": "clocked flip-flops are counted: set flip_flop_J_per_cycle",
}
"""Keys of earlier versions, and what has taken their place."""


def sentences(error: ValidationError, tables: Mapping[str, FieldInfo], table: str = "") -> list[str]:
    """One sentence per problem that pydantic found; `table` is the name of the one that was checked alone.

    pydantic takes every `ValueError` of a check for the user's: one that is not is raised unchanged.
    """
    sentences: list[str] = []
    for problem in error.errors():
        where = [*([table] if table else []), *(str(part) for part in problem["loc"])]
        kind, given = problem["type"], problem.get("input")
        if kind == "value_error":
            cause = problem["ctx"]["error"]
            if not isinstance(cause, SpikeLoomError):
                raise cause
            text = str(cause)
            prefix = f"[{where[0]}] " if where else ""
            sentences += [prefix + line for line in text.split("\n")]
        elif not where:
            must = _must_be(kind, given, problem.get("ctx", {}))
            sentences.append(f"the values {must}" if must else problem["msg"])
        elif kind == "invalid_key":
            sentences.append(f"{f'[{where[0]}] ' if len(where) > 1 else ''}a key must be a text, not {where[-1]}")
        elif kind == "extra_forbidden":
            sentences.append(_unknown_key(where, tables))
        else:
            renamed = value_sentence(where, given)
            sentences.append(renamed or _bad_value(where, kind, given, problem) + _remedy(where, kind, given, tables))
    return sentences


def _unknown_key(where: list[str], known: Mapping[str, FieldInfo]) -> str:
    *tables, key = where
    renamed = key_sentence(where)
    if renamed is not None:
        return renamed
    gone = _GONE.get(".".join(where))
    if gone is not None:
        return f"[{tables[0]}] {key} is no longer a setting; {gone}"
    fields: Any = known
    for table in tables:
        fields = fields_of(fields[table].annotation)
    names = list(fields) if tables else [*fields, "preset"]  # which is no field: it is read before the others
    place = f" in [{tables[0]}]" if tables else ""
    what = "Unknown key"
    if not tables and isinstance(getattr(fields.get(key), "annotation", None), type):
        what = "Unknown table"
    nearest = nearest_name(key, names)
    homes = [f"[{name}]" for name, field in known.items() if key in fields_of(field.annotation)]
    hint = f"did you mean '{nearest}'?" if nearest else f"valid are {', '.join(names)}"
    if homes:
        hint = f"it belongs to {' or '.join(homes)}"
    elif tables and key in known:
        hint = "it belongs to the top of the file, before the first table"
    return f"{what} '{key}'{place}; {hint}"


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, whatever its case."""
    found = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.5)
    return found[0] if found else None


def _bad_value(where: list[str], kind: str, given: Any, problem: Any) -> str:
    """A value of the wrong type or out of range: what is allowed, and what was given."""
    name = f"[{where[0]}] {'.'.join(where[1:])}" if len(where) > 1 else ".".join(where)
    must = _must_be(kind, given, problem.get("ctx", {}))
    return f"{name}: {problem['msg']}, not {_short(given)}" if must is None else f"{name} {must}"


def option_words(error: ValidationError) -> str:
    """What is wrong with the value of an option of the command line, in which pydantic found it."""
    problem = error.errors()[0]
    kind, given = problem["type"], problem.get("input")
    if kind == "value_error":
        return problem["msg"].removeprefix("Value error, ")
    return _must_be(kind, given, problem.get("ctx", {})) or f"{problem['msg']}, not {_short(given)}"


def _must_be(kind: str, given: Any, ctx: Mapping[str, Any]) -> str | None:
    """What is allowed and what was given, without the name; None for a kind of problem that has no words here."""
    allowed = {
        "greater_than": "above {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than": "below {lt}",
        "less_than_equal": "at most {le}",
        "literal_error": "{expected}",
        "finite_number": "a finite number",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "int_parsing": "a whole number",
        "float_type": "a number",
        "float_parsing": "a number",
        "bool_type": "true or false",
        "bool_parsing": "true or false",
        "string_type": "a text",
        "tuple_type": "a list",
        "model_type": "a table",
        "string_pattern_mismatch": "made of letters, digits, '.', '_' and '-', with a letter or digit first",
        "string_too_short": "at least {min_length} letter long",
        "string_too_long": "at most {max_length} letters long",
    }.get(kind)
    if allowed is None:
        return None
    nearest = None
    if kind == "literal_error" and isinstance(given, str):
        nearest = nearest_name(given, re.findall(r"'([^']*)'", ctx["expected"]))
    hint = f"; did you mean '{nearest}'?" if nearest else ""
    return f"must be {allowed.format(**ctx)}, not {_short(given)}{hint}"


def _remedy(where: list[str], kind: str, given: Any, tables: Mapping[str, FieldInfo]) -> str:
    """What a value out of range would be in the unit that was probably meant, as the end of a sentence."""
    if not kind.startswith(("greater_than", "less_than")) or len(where) != 2 or not isinstance(given, int | float):
        return ""
    field = fields_of(tables[where[0]].annotation).get(where[1])
    unit = None if field is None else unit_of(field)
    hint = "" if unit is None else unit.hint(given)
    if not hint and unit is not None and unit.percent and kind.startswith("less_than"):
        hint = "it is a fraction, 0.05 is 5 %"
    return f": {hint}" if hint else ""


def _short(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
