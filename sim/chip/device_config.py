"""Configuration of the device model, of programming, and of the energy coefficients (the tables [device],
[programming] and [energy] of a run).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.cell_kinds import CELL_CHOICES, CELLS, CellKind
from spikeloom.sim.chip.parameters import parameter_classes, registered_fields
from spikeloom.sim.chip.units import CODES_PER_LEVEL
from spikeloom.sim.common.arguments import is_number, plain_numbers
from spikeloom.sim.common.units import (
    CAPACITANCE,
    CONDUCTANCE,
    ENERGY,
    FRACTION,
    PROGRAM_VOLTAGE,
    READ_VOLTAGE,
    RESISTANCE,
    SHARE,
    SIGMA,
    Table,
)

__all__ = ["Device", "Energy", "Interval", "Programming"]

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False), FRACTION]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False), SHARE]
Sigma = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False), SIGMA]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Device(Table):
    """The memristor and its array. All sigmas are fractions (0.05 is 5 %), and 0 switches the effect off."""

    model_config = ConfigDict(extra="allow")  # only what `sim.chip.parameters` knows, see `_registered`

    bits: Annotated[int, Field(ge=1, le=6, description="bits of a cell; levels 0 .. 2^bits - 1")] = 4
    g_min_S: Annotated[Positive, CONDUCTANCE, Field(description="conductance of level 0, siemens")] = 1e-6
    g_max_S: Annotated[Positive, CONDUCTANCE, Field(description="conductance of the top level, siemens")] = 1e-5
    v_read_V: Annotated[Positive, READ_VOLTAGE, Field(description="read voltage of a driven row, volts")] = 0.2
    device_sigma: Annotated[
        Sigma,
        Field(
            description="device-to-device variation, relative, fixed: of a cell's conductance; with method "
            "'write-verify' of its steps (linear cell) or its speed (tantalum cell)"
        ),
    ] = 0.0
    program_sigma: Annotated[
        Sigma, Field(description="residual error of programming, relative to g_max - g_min, drawn once per programming")
    ] = 0.0
    read_sigma: Annotated[
        Sigma, Field(description="read noise of a cell, relative to its conductance, drawn anew at each read")
    ] = 0.0
    stuck_on: Annotated[Share, Field(description="share of cells stuck at g_max")] = 0.0
    stuck_off: Annotated[Share, Field(description="share of cells stuck at g_min")] = 0.0
    wire_ohm: Annotated[
        NotNegative,
        RESISTANCE,
        Field(description="resistance of one wire segment between neighbouring cells, ohm; 0 is no IR drop"),
    ] = 0.0
    pulse_sigma: Annotated[
        Sigma,
        Field(
            description="cycle-to-cycle variation of a programming pulse's step (linear cell) or length (tantalum "
            "cell), relative, drawn per pulse"
        ),
    ] = 0.0
    pulse_up: Annotated[
        Positive,
        Field(description="levels by which an up pulse of amplitude 1 level moves an average linear cell at g_min"),
    ] = 1.0
    pulse_down: Annotated[
        Positive,
        Field(description="levels by which a down pulse of amplitude 1 level moves an average linear cell at g_max"),
    ] = 1.0
    soft_bounds: Annotated[
        Fraction,
        Field(
            description="share of a linear cell's step that is lost at the bound towards which it moves, linear in "
            "between"
        ),
    ] = 0.0
    v_program_V: Annotated[
        Positive,
        PROGRAM_VOLTAGE,
        Field(
            description="voltage of a programming pulse, volts; for the energy of linear cells, and the highest "
            "voltage of the write driver for tantalum cells"
        ),
    ] = 1.0
    cell: Annotated[str, CELL_CHOICES, Field(description="kind of the cells, see `sim.chip.cell_kinds.CELLS`")] = (
        "linear"
    )
    read_polarity: Annotated[
        Literal["positive", "negative"],
        Field(description="sign of the read voltage at a tantalum cell: positive drifts up, negative down"),
    ] = "positive"
    acceleration: Annotated[
        Positive, Field(description="acceleration of the drift of a tantalum cell; 1 is the measured device")
    ] = 1.0
    drift_every: Annotated[
        int, Field(ge=1, le=2**31 - 1, description="number of images between updates of drifted conductances")
    ] = 1
    refresh_every: Annotated[
        int,
        Field(ge=0, le=2**31 - 1, description="number of images between programmings of tantalum cells; 0 is never"),
    ] = 0

    @model_validator(mode="wrap")
    @classmethod
    def _registered(cls, values: Any, handler: ModelWrapValidatorHandler[Device]) -> Device:
        """Check options that are registered (`sim.chip.parameters`); other keys than these are errors, as everywhere.

        An option at its default is left out, so that equal devices are the same text, whatever is installed.
        """
        if not isinstance(values, Mapping):
            return handler(values)
        given = {name: plain_numbers(v) for name, v in values.items() if name not in cls.model_fields}
        known: dict[Any, Any] = {name: value for name, value in values.items() if name in cls.model_fields}
        problems: list[Any] = []
        for kind in parameter_classes() if given else ():
            own = {name: given.pop(name) for name in kind.model_fields if name in given}
            try:
                checked = kind(**own)
            except ValidationError as error:
                problems += error.errors()
            else:
                fields = kind.model_fields
                known |= {name: v for name in own if (v := getattr(checked, name)) != fields[name].default}
        for name, value in given.items():
            if isinstance(name, str):
                problems.append(InitErrorDetails(type="extra_forbidden", loc=(name,), input=value))
            else:
                known[name] = value  # which pydantic refuses
        if not problems:
            return handler(known)
        try:
            handler(known)
        except ValidationError as error:
            problems = error.errors() + problems
        raise ValidationError.from_exception_data(cls.__name__, problems)

    if not TYPE_CHECKING:  # of registered options, only those that are not at their defaults are there

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                field = None if name.startswith("_") else registered_fields().get(name)
                if field is None:
                    raise
                return field.default

    @classmethod
    def all_fields(cls) -> dict[str, FieldInfo]:
        """The options by name, those that are registered included."""
        return {**cls.model_fields, **registered_fields()}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Device:
        """As of any model: unchecked. Registered options at their defaults are left out."""
        copied = super().model_copy(update=update, deep=deep)
        extra = copied.__pydantic_extra__
        if extra:
            fields = registered_fields()
            kept = {name: v for name, v in extra.items() if name not in fields or v != fields[name].default}
            object.__setattr__(copied, "__pydantic_extra__", kept)
        return copied

    @model_validator(mode="after")
    def _check(self) -> Device:
        if self.g_max_S <= self.g_min_S:
            raise SpikeLoomError(f"g_max_S ({self.g_max_S!r}) must be above g_min_S ({self.g_min_S!r})")
        for problem in self.kind.problems(self):
            raise SpikeLoomError(problem)
        if self.stuck_on + self.stuck_off > 1.0:
            raise SpikeLoomError(f"stuck_on + stuck_off must be at most 1, not {self.stuck_on + self.stuck_off!r}")
        return self

    @property
    def kind(self) -> CellKind:
        """The kind of the cells."""
        return CELLS[self.cell]

    @property
    def drifts(self) -> bool:
        """Whether reads move the cells."""
        return self.kind.drifts

    @property
    def reachable_S(self) -> tuple[float, float]:
        """The lowest and the highest conductance that the cells can have, siemens."""
        return self.kind.reachable_S(self)

    @property
    def levels(self) -> int:
        """Number of conductance levels, 2^bits."""
        return 1 << self.bits

    @property
    def step_S(self) -> float:
        """dG, the conductance between neighbouring levels, siemens."""
        return (self.g_max_S - self.g_min_S) / (self.levels - 1)


class Programming(Table):
    """How levels get into the cells: at once, or by pulses and verify reads. Lengths are in levels (dG)."""

    method: Annotated[
        Literal["direct", "write-verify"],
        Field(
            description="direct: conductances are set to the levels; write-verify: pulses and reads until within the "
            "tolerance"
        ),
    ] = "direct"
    tolerance: Annotated[
        float,
        Field(
            ge=0.0, le=31.875, description="tolerance: largest accepted distance from the target, levels, in eighths"
        ),
    ] = 0.25
    tries: Annotated[int, Field(ge=1, le=255, description="largest number of pulses per cell and pass")] = 60
    amplitude_min: Annotated[
        float, Field(ge=0.125, le=31.875, description="smallest amplitude of a pulse, levels, in eighths")
    ] = 0.25
    amplitude_max: Annotated[
        float, Field(ge=0.125, le=31.875, description="largest amplitude of a pulse, levels, in eighths")
    ] = 1.0
    fault_aware: Annotated[
        bool,
        Field(
            description="a second pass reprograms the partner of a failed cell so that the pair represents its weight"
        ),
    ] = False

    @model_validator(mode="after")
    def _check(self) -> Programming:
        if self.amplitude_min > self.amplitude_max:
            raise SpikeLoomError(
                f"amplitude_min ({self.amplitude_min!r}) must be at most amplitude_max ({self.amplitude_max!r})"
            )
        return self

    @property
    def tolerance_code(self) -> int:
        """Register program_window: the tolerance in eighths of a level, 0 .. 255."""
        return round(self.tolerance * CODES_PER_LEVEL)

    @property
    def amplitude_codes(self) -> tuple[int, int]:
        """Registers program_amplitude_min and _max: amplitudes in eighths of a level, 1 .. 255."""
        return round(self.amplitude_min * CODES_PER_LEVEL), round(self.amplitude_max * CODES_PER_LEVEL)

    @property
    def registers(self) -> dict[str, int]:
        """The host registers that hold these settings, by name, with their values."""
        smallest, largest = self.amplitude_codes
        return {
            "program_window": self.tolerance_code,
            "program_tries": self.tries,
            "program_amplitude_min": smallest,
            "program_amplitude_max": largest,
        }


Interval = tuple[float, float, float]
"""A coefficient that is not known well: its lowest, typical and highest value."""


def _interval(value: Any, info: ValidationInfo) -> Interval:
    """A number, which is all three, or a list of three in rising order."""
    parts = tuple(value) if isinstance(value, list | tuple) else (value,) * 3
    numbers = all(is_number(each) for each in parts)
    if len(parts) == 3 and numbers and all(0.0 <= each < math.inf for each in parts) and list(parts) == sorted(parts):
        low, typical, high = (float(each) for each in parts)
        return low, typical, high
    raise SpikeLoomError(
        f"{info.field_name} must be a number of at least 0, or a list [low, typical, high] of such numbers in rising "
        f"order, not {value!r}"
    )


Joules = Annotated[Interval, BeforeValidator(_interval), ENERGY]
Farads = Annotated[Interval, BeforeValidator(_interval), CAPACITANCE]


class Energy(Table):
    """What the events of an image cost: each a number, or [low, typical, high]. What is counted, and where the defaults
    come from: docs/energy.md.
    """

    adc_J_per_conversion: Annotated[
        Joules, Field(description="one conversion at 8 bits, joules; scaled by 2^(adc_bits - 8)")
    ] = (5e-13, 2e-12, 1e-11)
    dac_J_per_pulse: Annotated[
        Joules, Field(description="one row pulse of a 1-bit driver, joules, without the row wire")
    ] = (1e-14, 5e-14, 4e-13)
    dac8_J_per_pulse: Annotated[
        Joules, Field(description="one row pulse of an 8-bit DAC, joules, without the row wire")
    ] = (1e-13, 4e-13, 2e-12)
    sample_J: Annotated[Joules, Field(description="one column sampled and held, joules")] = (5e-16, 1e-15, 5e-14)
    wire_F_per_cell: Annotated[
        Farads, Field(description="capacitance of a row or column wire from a cell to the next, with the cell, farads")
    ] = (1e-16, 2e-16, 5e-16)
    adder_J_per_bit: Annotated[
        Joules, Field(description="one bit of an addition, subtraction or comparison, joules")
    ] = (1.5e-15, 3.1e-15, 1e-14)
    memory_J_per_bit: Annotated[
        Joules,
        Field(
            description="one bit read from or written to a memory of up to 8 KiB, joules; times sqrt(size / 8 KiB) for "
            "larger ones"
        ),
    ] = (5e-14, 1.56e-13, 3e-13)
    transport_J_per_bit: Annotated[
        Joules, Field(description="one bit transferred between parts of the chip, about 1 mm apart, joules")
    ] = (2.5e-14, 1.2e-13, 2.4e-13)
    flip_flop_J_per_cycle: Annotated[
        Joules, Field(description="clock of one bit of flip-flop for a clock cycle, joules")
    ] = (5e-16, 2e-15, 5e-15)
