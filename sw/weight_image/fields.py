"""Converts the JSON of a weight image to the program's classes, with a message for every invalid value."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ValidationError

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.kinds import Kind, Kinds
from spikeloom.hw.params.neuron_features import ALL_FEATURES
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.arguments import is_number, is_whole
from spikeloom.sim.common.units import fields_of
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.field_rules import value_of
from spikeloom.sw.config.messages import sentences
from spikeloom.sw.config.rules import unused_fields

__all__ = ["built", "disagreement", "entry", "number_or_name", "table"]

T = TypeVar("T")

_KINDS: dict[Any, tuple[Any, str]] = {
    int: (is_whole, "a whole number"),
    float: (is_number, "a number"),
    str: (lambda value: isinstance(value, str), "a text"),
    dict: (lambda value: isinstance(value, dict), "a table"),
    list: (lambda value: isinstance(value, list), "a list"),
}
"""Kinds of values: what tells one, and its name in a sentence."""


def entry(values: Mapping[str, Any], name: str, kind: Any, where: str) -> Any:
    """The entry of a table. Raises `ValueError` if it is missing or of another kind: a type of `_KINDS`, or an
    enumeration or a registered kind, a member of which it becomes.
    """
    if name not in values:
        raise SpikeLoomError(f"{where} lacks '{name}'")
    value = values[name]
    if isinstance(kind, type) and issubclass(kind, enum.IntEnum):
        known = [int(member) for member in kind]
        if not (is_whole(value) and value in known):
            raise SpikeLoomError(f"{name} of {where} must be one of {', '.join(map(str, known))}, not {value!r:.60}")
        return kind(value)
    if isinstance(kind, type) and issubclass(kind, Kind):
        return _registered(kind.kinds, value, f"{name} of {where}")
    fits, what = _KINDS[kind]
    if not fits(value):
        raise SpikeLoomError(f"{name} of {where} must be {what}, not {value!r:.60}")
    return value


def number_or_name(kind: Kind) -> int | str:
    """How a weight image names a kind: a kind of the unit by its code, another one by its name."""
    return int(kind) if kind.code is not None and kind.kinds[kind.code] is kind else kind.name


def _registered(kinds: Kinds[Any], value: Any, what: str) -> Kind:
    """The kind that `number_or_name` has given."""
    if isinstance(value, str):
        named: Kind = kinds[value]
        return named
    known = [int(kind) for kind in kinds if kind.code is not None and kinds[kind.code] is kind]
    if not (is_whole(value) and value in known):
        raise SpikeLoomError(f"{what} must be one of {', '.join(map(str, known))}, not {value!r:.60}")
    found: Kind = kinds[value]
    return found


def built(cls: type[T], values: Any, where: str, **ready: Any) -> T:
    """An instance of a dataclass; `ready` are fields that are no plain values any more.

    Raises `ValueError` for an entry that is missing, unknown or of another kind, and what the class itself raises.
    """
    if not isinstance(values, dict):
        raise SpikeLoomError(f"{where} must be a table, not {values!r:.60}")
    fields: dict[str, Any] = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise SpikeLoomError(f"{where} has '{unknown[0]}', which is no entry of it")
    hints, found = get_type_hints(cls), dict(ready)
    for name, field in fields.items():
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if name in ready or (name not in values and optional):
            continue
        kind = hints[name]
        plain = kind in _KINDS or (isinstance(kind, type) and issubclass(kind, enum.IntEnum | Kind))
        found[name] = entry(values, name, kind, where) if plain else values[name]
    return cls(**found)


M = TypeVar("M", bound=BaseModel)


def table(cls: type[M], values: Any, name: str) -> M:
    """A table of the configuration. Raises `ValueError` with the sentences of `Config` for what is wrong in it."""
    if not isinstance(values, dict):
        raise SpikeLoomError(f"[{name}] must be a table, not {values!r:.60}")
    try:
        return cls(**values)
    except ValidationError as error:
        raise SpikeLoomError("; ".join(sentences(error, Config.model_fields, name))) from error


def disagreement(chip: ProgrammedChip, config: Config) -> str | None:
    """The first setting in which a chip is not what its configuration says, in words; None where they agree. Settings
    that do nothing are not looked at, nor is what learning, tuning and calibration choose.
    """
    held: dict[str, Any] = {
        "seed": chip.seed,
        "coding.input": chip.coding.name,
        "coding.phases": chip.parameters.phases,
        "decision.t_max": chip.t_max,
        "decision.skip": chip.skip,
        "decision.readout": chip.readout.name.lower(),
        "hardware.encoders": chip.parameters.encoders,
        "hardware.programmer": chip.parameters.programmer,
        "hardware.activity_counters": chip.parameters.activity_counters,
        "hardware.pulse_cycles": chip.parameters.pulse_cycles,
        "hardware.settle_cycles": chip.settle_cycles,
        "hardware.adc_cycles": chip.adc_cycles,
        "hardware.program_cycles": chip.program_cycles,
        "hardware.clock_Hz": chip.clock_Hz,
    }
    if any(layer != dataclasses.replace(layer, **ALL_FEATURES) for layer in chip.parameters.layers):
        held["hardware.neuron_features"] = "used"
    if chip.parameters.codings != CODINGS.unit:
        held["hardware.input_codings"] = "used"
    if chip.parameters.rules != DECISION_RULES.unit:
        held["hardware.decision_rules"] = "used"
    held |= {f"coding.{own.name}": getattr(chip, own.name) for own in CODINGS.registers}
    for name, part in (("device", chip.device), ("programming", chip.programming), ("energy", chip.energy)):
        held |= {f"{name}.{key}": getattr(part, key) for key in fields_of(type(part))}
    unused = unused_fields(config)
    for name, value in held.items():
        said = value_of(config, name)
        if name not in unused and said != value:
            home, _, key = name.rpartition(".")
            return f"{f'[{home}] ' if home else ''}{key} is {said!r} in its configuration, but {value!r} in its chip"
    return None
