"""Configuration of the device model and of the energy coefficients (the [device] and [energy] tables of a run)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Device", "Energy"]

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Device(BaseModel):
    """The memristor and its array. All sigmas are fractions (0.05 is 5 %), and 0 switches the effect off."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    bits: Annotated[int, Field(ge=1, le=6, description="bits of a cell; levels 0 .. 2^bits - 1")] = 4
    g_min_S: Annotated[Positive, Field(description="conductance of level 0, siemens")] = 1e-6
    g_max_S: Annotated[Positive, Field(description="conductance of the top level, siemens")] = 1e-5
    v_read_V: Annotated[Positive, Field(description="read voltage of a driven row, volts")] = 0.2
    t_pulse_s: Annotated[Positive, Field(description="length of a read pulse, seconds")] = 1e-8
    device_sigma: Annotated[
        Fraction, Field(description="device-to-device spread of a cell's conductance, relative to its target, fixed")
    ] = 0.0
    program_sigma: Annotated[
        Fraction, Field(description="error left by programming, relative to g_max - g_min, drawn once a programming")
    ] = 0.0
    read_sigma: Annotated[
        Fraction, Field(description="read noise of a cell, relative to its conductance, drawn anew at each read")
    ] = 0.0
    stuck_on: Annotated[Fraction, Field(description="share of cells stuck at g_max")] = 0.0
    stuck_off: Annotated[Fraction, Field(description="share of cells stuck at g_min")] = 0.0
    wire_ohm: Annotated[
        NotNegative,
        Field(description="resistance of one wire segment between neighbouring cells, ohm; 0 is no IR drop"),
    ] = 0.0

    @model_validator(mode="after")
    def _check(self) -> Device:
        if self.g_max_S <= self.g_min_S:
            raise ValueError(f"g_max_S ({self.g_max_S!r}) must be above g_min_S ({self.g_min_S!r})")
        if self.stuck_on + self.stuck_off > 1.0:
            raise ValueError(f"stuck_on + stuck_off must be at most 1, not {self.stuck_on + self.stuck_off!r}")
        return self

    @property
    def levels(self) -> int:
        """Number of conductance levels, 2^bits."""
        return 1 << self.bits

    @property
    def step_S(self) -> float:
        """dG, the conductance between neighbouring levels, siemens."""
        return (self.g_max_S - self.g_min_S) / (self.levels - 1)


class Energy(BaseModel):
    """Energy coefficients of the periphery, joules an event; sources in `sim.energy` and the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    adc_J_per_conversion: Annotated[
        NotNegative, Field(description="one conversion at 8 bits, joules; scaled by 2^(adc_bits - 8)")
    ] = 2e-12
    dac_J_per_pulse: Annotated[NotNegative, Field(description="one row pulse of a 1-bit driver, joules")] = 2.5e-14
    dac8_J_per_pulse: Annotated[NotNegative, Field(description="one row pulse of an 8-bit DAC, joules")] = 4e-13
    neuron_J_per_update: Annotated[NotNegative, Field(description="one neuron update, joules")] = 1e-13
    control_J_per_cycle: Annotated[NotNegative, Field(description="control and clock, joules a clock cycle")] = 1e-12
