"""Configuration of the device model, of programming, and of the energy coefficients (the tables [device],
[programming] and [energy] of a run).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.tantalum_range import GM_S, off_conductance_S
from spikeloom.sim.chip.units import CODE
from spikeloom.sim.common.arguments import is_number
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

    bits: Annotated[int, Field(ge=1, le=6, description="bits of a cell; levels 0 .. 2^bits - 1")] = 4
    g_min_S: Annotated[Positive, CONDUCTANCE, Field(description="conductance of level 0, siemens")] = 1e-6
    g_max_S: Annotated[Positive, CONDUCTANCE, Field(description="conductance of the top level, siemens")] = 1e-5
    v_read_V: Annotated[Positive, READ_VOLTAGE, Field(description="read voltage of a driven row, volts")] = 0.2
    device_sigma: Annotated[
        Sigma,
        Field(
            description="device-to-device spread, relative, fixed: of a cell's conductance; with method 'verify' of "
            "its steps (linear cell) or its speed (tantalum cell)"
        ),
    ] = 0.0
    program_sigma: Annotated[
        Sigma, Field(description="error left by programming, relative to g_max - g_min, drawn once a programming")
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
            description="cycle-to-cycle spread of a programming pulse's step (linear cell) or length (tantalum cell), "
            "relative, drawn a pulse"
        ),
    ] = 0.0
    pulse_up: Annotated[
        Positive, Field(description="levels that an up pulse of amplitude 1 level moves a mean linear cell at g_min")
    ] = 1.0
    pulse_down: Annotated[
        Positive, Field(description="levels that a down pulse of amplitude 1 level moves a mean linear cell at g_max")
    ] = 1.0
    soft_bounds: Annotated[
        Fraction,
        Field(description="share of a linear cell's step that is lost at the bound it moves to, linear between"),
    ] = 0.0
    v_program_V: Annotated[
        Positive,
        PROGRAM_VOLTAGE,
        Field(
            description="voltage of a programming pulse, volts; for the energy of linear cells, and the highest that "
            "the write driver has for tantalum cells"
        ),
    ] = 1.0
    cell: Annotated[
        Literal["linear", "tantalum"],
        Field(description="linear: reads do not disturb cells; tantalum: tantalum-oxide cells, which drift with reads"),
    ] = "linear"
    read_polarity: Annotated[
        Literal["positive", "negative"],
        Field(description="sign of the read voltage at a tantalum cell: positive drifts up, negative down"),
    ] = "positive"
    acceleration: Annotated[
        Positive, Field(description="factor on the drift of a tantalum cell; 1 is the measured device")
    ] = 1.0
    drift_every: Annotated[
        int, Field(ge=1, le=2**31 - 1, description="images after which drifted conductances are worked out again")
    ] = 1
    refresh_every: Annotated[
        int,
        Field(ge=0, le=2**31 - 1, description="images after which tantalum cells are programmed anew; 0 is never"),
    ] = 0

    @model_validator(mode="after")
    def _check(self) -> Device:
        if self.g_max_S <= self.g_min_S:
            raise SpikeLoomError(f"g_max_S ({self.g_max_S!r}) must be above g_min_S ({self.g_min_S!r})")
        if self.cell == "tantalum":
            low, high = self.reachable_S
            if self.g_min_S < low * (1.0 - 1e-9) or self.g_max_S > high * (1.0 + 1e-9):
                raise SpikeLoomError(
                    f"g_min_S ({self.g_min_S!r}) and g_max_S ({self.g_max_S!r}) must lie between {low:.6g} and "
                    f"{high:.6g}, what a tantalum cell reaches at v_read_V {self.v_read_V!r}"
                )
            if not self.v_read_V <= 0.3:
                raise SpikeLoomError(f"v_read_V must be at most 0.3 with cell 'tantalum', not {self.v_read_V!r}")
        if self.stuck_on + self.stuck_off > 1.0:
            raise SpikeLoomError(f"stuck_on + stuck_off must be at most 1, not {self.stuck_on + self.stuck_off!r}")
        return self

    @property
    def drifts(self) -> bool:
        """Whether reads move the cells."""
        return self.cell == "tantalum"

    @property
    def reachable_S(self) -> tuple[float, float]:
        """Conductances of a tantalum cell that does not conduct, and of one that conducts all over, siemens."""
        return float(off_conductance_S(self.v_read_V)), GM_S

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
        Literal["direct", "verify"],
        Field(
            description="direct: conductances are set to the levels; verify: pulses and reads until inside the window"
        ),
    ] = "direct"
    window: Annotated[
        float, Field(ge=0.0, le=31.875, description="largest distance from the target that passes, levels, in eighths")
    ] = 0.25
    tries: Annotated[int, Field(ge=1, le=255, description="most pulses a cell gets in a pass")] = 60
    amplitude_min: Annotated[
        float, Field(ge=0.125, le=31.875, description="smallest amplitude of a pulse, levels, in eighths")
    ] = 0.25
    amplitude_max: Annotated[
        float, Field(ge=0.125, le=31.875, description="largest amplitude of a pulse, levels, in eighths")
    ] = 1.0
    fault_aware: Annotated[
        bool, Field(description="a second pass moves the partner of a failed cell so that the pair has its weight")
    ] = False

    @model_validator(mode="after")
    def _check(self) -> Programming:
        if self.amplitude_min > self.amplitude_max:
            raise SpikeLoomError(
                f"amplitude_min ({self.amplitude_min!r}) must be at most amplitude_max ({self.amplitude_max!r})"
            )
        return self

    @property
    def window_code(self) -> int:
        """Register program_window: the window in eighths of a level, 0 .. 255."""
        return round(self.window * CODE)

    @property
    def amplitude_codes(self) -> tuple[int, int]:
        """Registers program_amplitude_min and _max: amplitudes in eighths of a level, 1 .. 255."""
        return round(self.amplitude_min * CODE), round(self.amplitude_max * CODE)

    @property
    def registers(self) -> dict[str, int]:
        """The host registers that hold these settings, by name, with their values."""
        smallest, largest = self.amplitude_codes
        return {
            "program_window": self.window_code,
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
        Joules, Field(description="one bit from a part of the chip to another, some 1 mm away, joules")
    ] = (2.5e-14, 1.2e-13, 2.4e-13)
    flip_flop_J_per_cycle: Annotated[
        Joules, Field(description="clock of one bit of flip-flop for a clock cycle, joules")
    ] = (5e-16, 2e-15, 5e-15)
