"""Configuration of the device model, of programming, and of the energy coefficients (the tables [device],
[programming] and [energy] of a run).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.cell_kinds import CELL_CHOICES, CELLS, CellKind
from spikeloom.sim.chip.device_options import DeviceOptions
from spikeloom.sim.chip.energy_calibration import Calibration, Interval, interval
from spikeloom.sim.chip.units import ADC_SIGMAS, CODES_PER_LEVEL
from spikeloom.sim.common.units import CAPACITANCE, ENERGY, Table

__all__ = ["Device", "Energy", "Interval", "Programming"]


class Device(DeviceOptions):
    """The memristor and its array. All sigmas are fractions (0.05 is 5 %), and 0 switches the effect off."""

    cell: Annotated[str, CELL_CHOICES, Field(description="kind of the cells, see `sim.chip.cell_kinds.CELLS`")] = (
        "linear"
    )

    @model_validator(mode="after")
    def _check(self) -> Device:
        if self.g_max_S <= self.g_min_S:
            raise SpikeLoomError(f"g_max_S ({self.g_max_S!r}) must be above g_min_S ({self.g_min_S!r})")
        for problem in self.kind.problems(self):
            raise SpikeLoomError(problem)
        if self.stuck_on + self.stuck_off > 1.0:
            raise SpikeLoomError(f"stuck_on + stuck_off must be at most 1, not {self.stuck_on + self.stuck_off!r}")
        if 0.0 < self.adc_sigma < ADC_SIGMAS[0]:
            raise SpikeLoomError(
                f"adc_sigma must be 0.0 (no noise) or at least {ADC_SIGMAS[0]:g} codes, the step in which the noise is "
                f"made, not {self.adc_sigma!r}"
            )
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


def _interval(value: Any, info: ValidationInfo) -> Interval:
    return interval(value, str(info.field_name))


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
        Joules,
        Field(description="one bit of an addition, subtraction or comparison, with the logic around it, joules"),
    ] = (4.8e-15, 1.2e-14, 1.8e-13)
    memory_J_per_bit: Annotated[
        Joules,
        Field(
            description="one bit read from or written to a memory of up to 8 KiB, joules; times sqrt(size / 8 KiB) for "
            "larger ones"
        ),
    ] = (7.8e-15, 1.56e-13, 3e-13)
    transport_J_per_bit: Annotated[
        Joules, Field(description="one bit transferred between parts of the chip, about 1 mm apart, joules")
    ] = (2.5e-14, 1.2e-13, 2.4e-13)
    flip_flop_J_per_cycle: Annotated[
        Joules, Field(description="clock of one bit of flip-flop for a clock cycle, joules")
    ] = (4.8e-15, 6.5e-15, 4e-14)
    calibration: Annotated[
        Calibration | None,
        BeforeValidator(Calibration.of),
        Field(
            description="file of spikeloom calibrate, relative to the current folder, whose joules take the place of "
            "adder_J_per_bit, of flip_flop_J_per_cycle, and of memory_J_per_bit for memories of flip-flops; empty is "
            "none"
        ),
    ] = None
