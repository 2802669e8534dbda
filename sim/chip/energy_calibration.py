"""Joules per event of a design's digital parts, fitted to the switching of its netlist in one library of cells.

`spikeloom calibrate` writes them as JSON, and the option `calibration` of the table [energy] takes the file; a weight
image has its content. What is calibrated, and how: docs/standard-cells.md.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.host.build_id import build_id
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.chip.energy_margins import CLOCKS, MEMORIES, factors
from spikeloom.sim.common.arguments import is_number, plain_numbers

__all__ = ["CALIBRATED", "FORMAT", "Calibration", "Interval", "design_of", "interval"]

FORMAT = 2
"""Version of the file."""

CALIBRATED = (
    "neurons",
    "encoding",
    "pooling",
    "decision",
    "activity counters",
    *MEMORIES,
    *CLOCKS,
    "column readout",
    "row drivers' logic",
    "spike collectors",
    "map logic",
    "other logic",
)
"""Parts of `sim.estimates.energy_parts` that a calibration may have, memories as far as they are flip-flops."""

Interval = tuple[float, float, float]
"""A coefficient that is not known well: its lowest, typical and highest value."""


def interval(value: Any, name: str) -> Interval:
    """A number, which is all three, or a list of three in rising order; else `ValueError` with the name."""
    parts = tuple(value) if isinstance(value, list | tuple) else (value,) * 3
    numbers = all(is_number(each) for each in parts)
    if len(parts) == 3 and numbers and all(0.0 <= each < math.inf for each in parts) and list(parts) == sorted(parts):
        low, typical, high = (float(each) for each in parts)
        return low, typical, high
    raise SpikeLoomError(
        f"{name} must be a number of at least 0, or a list [low, typical, high] of such numbers in rising "
        f"order, not {value!r}"
    )


def _parts(value: Any) -> dict[str, Interval]:
    if not isinstance(value, dict):
        raise SpikeLoomError(f"parts must be a table of parts and their joules, not {value!r:.60}")
    unknown = [str(name) for name in value if name not in CALIBRATED]
    if unknown:
        raise SpikeLoomError(f"parts has '{unknown[0]}', and parts are {', '.join(CALIBRATED)}")
    return {name: interval(each, f"parts '{name}'") for name, each in value.items()}


def design_of(parameters: NpuParameters) -> str:
    """Digest of the hardware: the number by which a host knows it."""
    return f"{build_id(parameters):08x}"


class Calibration(BaseModel):
    """What was fitted, and to what. `parts` has the fit and its spread between images; energies are of `interval`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)]
    library: str
    corner: str
    voltage_V: Annotated[float, Field(gt=0.0)]
    clock_Hz: Annotated[float, Field(gt=0.0)]
    memory_bits: Annotated[int, Field(ge=0)]
    chip: str
    design: str
    images: Annotated[int, Field(ge=1)]
    images_checked: Annotated[int, Field(ge=1)]
    images_beyond: Annotated[int, Field(ge=0)]
    error: Annotated[float, Field(ge=0.0)]
    error_of_data: Annotated[float, Field(ge=0.0)]
    parts: Annotated[dict[str, Interval], BeforeValidator(_parts)]

    @property
    def said(self) -> str:
        """Library and corner in words."""
        return f"{self.library} at {self.corner}"

    def is_of(self, parameters: NpuParameters) -> bool:
        """Whether it was fitted to this hardware."""
        return self.design == design_of(parameters)

    def interval(self, part: str, own: bool = True) -> Interval:
        """Joules of an event of a part: low, typical, high, with `sim.chip.energy_margins`; own : `is_of` the chip."""
        lowest, typical, highest = self.parts[part]
        low, high = factors(part, own)
        return lowest * low, typical, highest * high

    @classmethod
    def of(cls, value: Any) -> Calibration | None:
        """A calibration from the name of its file, relative to the current folder, or from its values; None for "".

        Raises `ValueError` for a file that cannot be read or is none.
        """
        if value is None or isinstance(value, Calibration):
            return value
        if isinstance(value, dict):
            return cls._checked(value, "calibration")
        if not isinstance(value, str):
            raise SpikeLoomError(
                f"calibration must be the name of a file that spikeloom calibrate wrote, not {value!r}"
            )
        if not value:
            return None
        try:
            content = json.loads(Path(value).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SpikeLoomError(
                f"calibration: there is no file '{value}'; write it with spikeloom calibrate, or correct the name, "
                "which is relative to the current folder"
            ) from None
        except (OSError, ValueError) as error:
            raise SpikeLoomError(
                f"calibration: '{value}' cannot be read ({error}); give a file that spikeloom calibrate wrote"
            ) from None
        values = content.get("calibration") if isinstance(content, dict) else None
        return cls._checked(values, f"calibration: '{value}'")

    @classmethod
    def _checked(cls, values: Any, name: str) -> Calibration:
        if not isinstance(values, dict):
            raise SpikeLoomError(f"{name} has no calibration; give a file that spikeloom calibrate wrote")
        try:
            return cls(**plain_numbers(values))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SpikeLoomError(
                f"{name} has a wrong {where or 'value'} ({first['msg']}); give a file that this version of "
                "spikeloom calibrate wrote"
            ) from None
