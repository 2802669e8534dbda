"""Units of configuration fields and their plausible ranges: one description for page, check and message.

A field that bears a `Unit` refuses what its own bounds refuse, with the remedy that the unit knows, and warns about
values that are legal but almost certainly a mistake, such as percent for a fraction, or 100 for 100 MHz.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, model_validator
from pydantic.fields import FieldInfo

from spikeloom.sim.common.arguments import plain_numbers
from spikeloom.sim.common.slips import warn, was_said

__all__ = [
    "CAPACITANCE",
    "CODES",
    "CONDUCTANCE",
    "ENERGY",
    "FRACTION",
    "FREQUENCY",
    "PROGRAM_VOLTAGE",
    "PULSE_TIME",
    "READ_VOLTAGE",
    "RESISTANCE",
    "SHARE",
    "SIGMA",
    "STEP_TIME",
    "Table",
    "Unit",
    "fields_of",
    "unit_of",
]  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """What a number counts.

    Parameters
    ----------
    name : of the unit; empty for shares
    low, high : values from which to which nobody need wonder; 0 is plausible where the field allows it
    smaller : what another unit that is often meant is in this one, (its name, factor), such as ("uS", 1e-6)
    """

    name: str
    low: float
    high: float
    smaller: tuple[str, float]

    @property
    def usual(self) -> str:
        """The plausible values in words."""
        return f"{self.low:g} .. {self.high:g} {self.name}".rstrip()

    def hint(self, value: float) -> str:
        """What the value would be, were it in the smaller unit; empty if that is not plausible either."""
        name, factor = self.smaller
        if not value:
            return ""
        meant = float(f"{value * factor:.12g}")
        return f"{meant:g} is {value:g} {name}" if self.low <= meant <= self.high else ""

    @property
    def percent(self) -> bool:
        """Whether it is a share, which is often given in percent."""
        return self.smaller == _PERCENT

    def slip(self, value: float) -> str | None:
        """The end of a sentence on a legal value that is almost certainly a mistake; None for a plausible one."""
        if value == 0.0 or self.low <= value <= self.high:
            return None
        usual = f"usual values are {self.usual}"
        hint = self.hint(value)
        return f"{usual}{f'; {hint}' if hint else ''}"


_PERCENT = ("%", 1e-2)
FRACTION = Unit("", 0.0, 1.0, _PERCENT)
"""A share of which all values up to 1 make sense."""
SHARE = Unit("", 0.0, 0.5, _PERCENT)
"""A share of which more than half would leave nothing of a chip, such as that of stuck cells."""
SIGMA = Unit("", 0.0, 0.5, _PERCENT)
"""A relative spread."""
CONDUCTANCE = Unit("siemens", 1e-12, 0.1, ("uS", 1e-6))
READ_VOLTAGE = Unit("volts", 1e-3, 5.0, ("mV", 1e-3))
PROGRAM_VOLTAGE = Unit("volts", 0.05, 5.0, ("mV", 1e-3))
"""Up to what the thick-oxide transistors of CMOS processes bear, which drive and select the cells."""
PULSE_TIME = Unit("seconds", 1e-11, 1e-4, ("ns", 1e-9))
STEP_TIME = Unit("seconds", 1e-9, 0.5, ("ms", 1e-3))
RESISTANCE = Unit("ohm", 1e-4, 1e4, ("mOhm", 1e-3))
ENERGY = Unit("joules", 1e-21, 1e-6, ("pJ", 1e-12))
CAPACITANCE = Unit("farads", 1e-18, 1e-12, ("fF", 1e-15))
FREQUENCY = Unit("hertz", 1e4, 1e11, ("MHz", 1e6))
CODES = Unit("codes", 1e-2, 4.0, ("thousandths of a code", 1e-3))
"""Noise of converters, rms, in their codes (LSB)."""


def fields_of(table: Any) -> dict[str, FieldInfo]:
    """The fields of a class of tables by name, those registered from outside of the source tree included; of anything
    else none.
    """
    fields: dict[str, FieldInfo] = table.all_fields() if hasattr(table, "all_fields") else {}
    return fields or dict(getattr(table, "model_fields", {}))


def unit_of(field: FieldInfo) -> Unit | None:
    """The unit of a field, if it bears one."""
    return next((item for item in field.metadata if isinstance(item, Unit)), None)


class Table(BaseModel):
    """A table of the configuration: frozen, without room for keys that nobody reads, with units."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    _warned: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, values: Any) -> Any:
        return plain_numbers(values)

    @model_validator(mode="after")
    def _warn(self) -> Table:
        known, self._warned = self._warned, tuple(self.slips())  # a table within a configuration is checked again
        for sentence in self._warned:
            if sentence not in known and not was_said(sentence):
                warn(sentence)
        return self

    @classmethod
    def all_fields(cls) -> dict[str, FieldInfo]:
        """The fields by name, those that are registered from outside of the source tree included."""
        return dict(cls.model_fields)

    @property
    def warned(self) -> tuple[str, ...]:
        """What was said of the values when they were checked; nothing of values that never were."""
        return self._warned

    def slips(self) -> Iterator[str]:
        """A sentence for every value that is legal but almost certainly a mistake."""
        for name, field in self.all_fields().items():
            unit, given = unit_of(field), getattr(self, name)
            values = dict.fromkeys(given) if isinstance(given, tuple) else (given,)
            texts = [] if unit is None else [text for value in values if (text := unit.slip(value)) is not None]
            if texts:
                shown = list(values) if len(values) > 1 else next(iter(values))
                yield f"[{type(self).__name__.removesuffix('Section').lower()}] {name} is {shown!r}: {texts[0]}"
