"""Options of the device model, the table [device], and what follows from them without the kind of the cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails

from spikeloom.sim.chip.parameters import parameter_classes, registered_fields
from spikeloom.sim.chip.units import ADC_SIGMAS
from spikeloom.sim.common.arguments import plain_numbers
from spikeloom.sim.common.units import (
    CODES,
    CONDUCTANCE,
    FRACTION,
    PROGRAM_VOLTAGE,
    READ_VOLTAGE,
    RESISTANCE,
    SHARE,
    SIGMA,
    Table,
)

__all__ = ["OF_THE_KIND", "DeviceOptions"]

OF_THE_KIND = ("kind", "drifts", "reachable_S")
"""What `sim.chip.device_config.Device` has besides, from the kind of the cells: options have other names."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False), FRACTION]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False), SHARE]
Sigma = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False), SIGMA]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class DeviceOptions(Table):
    """What a cell kind is asked about: `sim.chip.device_config.Device` without what the kind itself answers."""

    model_config = ConfigDict(extra="allow")  # only what `sim.chip.parameters` knows, see `_registered`

    bits: Annotated[int, Field(ge=1, le=6, description="bits of a cell; levels 0 .. 2^bits - 1")] = 4
    g_min_S: Annotated[Positive, CONDUCTANCE, Field(description="conductance of level 0, siemens")] = 1e-6
    g_max_S: Annotated[Positive, CONDUCTANCE, Field(description="conductance of the top level, siemens")] = 1e-5
    v_read_V: Annotated[Positive, READ_VOLTAGE, Field(description="read voltage of a driven row, volts")] = 0.2
    device_sigma: Annotated[
        Sigma,
        Field(
            description="device-to-device variation, relative, fixed: of a cell's conductance; with method "
            "'write-verify' of its steps (linear and emulated cells) or its speed (tantalum cell)"
        ),
    ] = 0.0
    program_sigma: Annotated[
        Sigma, Field(description="residual error of programming, relative to g_max - g_min, drawn once per programming")
    ] = 0.0
    read_sigma: Annotated[
        Sigma, Field(description="read noise of a cell, relative to its conductance, drawn anew at each read")
    ] = 0.0
    adc_sigma: Annotated[
        float,
        Field(
            ge=0.0,
            le=ADC_SIGMAS[1],
            allow_inf_nan=False,
            description="noise of readout and ADC, codes rms at the layer's gain, drawn anew at each conversion; 0, or "
            f"at least {ADC_SIGMAS[0]:g}",
        ),
        CODES,
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
            description="voltage of a programming pulse, volts; for the energy of linear and emulated cells, and the "
            "highest voltage of the write driver for tantalum cells"
        ),
    ] = 1.0
    cell: str = "linear"
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
    def _registered(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
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

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As of any model: unchecked. Registered options at their defaults are left out."""
        copied = super().model_copy(update=update, deep=deep)
        extra = copied.__pydantic_extra__
        if extra:
            fields = registered_fields()
            kept = {name: v for name, v in extra.items() if name not in fields or v != fields[name].default}
            object.__setattr__(copied, "__pydantic_extra__", kept)
        return copied

    @property
    def reads_noisy(self) -> bool:
        """Whether two reads of the same rows may have different codes: cells or conversions have noise."""
        return self.read_sigma > 0.0 or self.adc_sigma > 0.0

    @property
    def levels(self) -> int:
        """Number of conductance levels, 2^bits."""
        return 1 << self.bits

    @property
    def step_S(self) -> float:
        """dG, the conductance between neighbouring levels, siemens."""
        return (self.g_max_S - self.g_min_S) / (self.levels - 1)
