"""The tables of a configuration file: one frozen class each, one sentence and a unit for every field.

The tables [device], [programming] and [energy] belong to the device model: `sim.chip.device_config`. Checks that
concern more than one table are in `sw.config.config`, in one place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.readouts import READOUT_BITS
from spikeloom.sim.common.arguments import is_number, is_whole
from spikeloom.sim.common.choices import Choices
from spikeloom.sim.common.units import FRACTION, FREQUENCY, PULSE_TIME, Table
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.config.kind_fields import KindOf
from spikeloom.sw.datasets.datasets import DATA_SETS

__all__ = [
    "CodingSection",
    "ConvertSection",
    "CrossbarSection",
    "DataSection",
    "HardwareSection",
    "NeuronSection",
    "Section",
    "Share",
]


Share = Annotated[float, FRACTION]


class Section(Table):
    """A table whose numbers are finite."""

    model_config = ConfigDict(allow_inf_nan=False)


class DataSection(Section):
    """Which images the run trains on, calibrates with and tests."""

    set: Annotated[
        str, Choices(DATA_SETS.names, DATA_SETS.meanings), Field(description="data set, see `sw.datasets.datasets`")
    ] = "digits"
    test_limit: Annotated[
        int, Field(ge=0, description="number of test images used, from the first on, images; 0 is all")
    ] = 0
    calibration_images: Annotated[
        int, Field(ge=1, description="training images used for normalisation and ADC calibration, images")
    ] = 1000
    validation_images: Annotated[
        int,
        Field(
            ge=0,
            description="last training images, held out of training and calibration; used to learn k and to tune "
            "thresholds, images",
        ),
    ] = 0


def _share(value: Any) -> Any:
    """A percentile as a fraction; one sentence for a percentage."""
    if is_number(value) and value > 1.0:
        raise SpikeLoomError(
            f"percentile must be at most 1, a fraction, not {value!r}; "
            + (f"{value:g} % is {value / 100.0:.6g}" if value <= 100.0 else "99.9 % is 0.999")
        )
    return float(value) if is_whole(value) else value


def _quantile(value: Any) -> Any:
    """ "auto", or a number above 0 and at most 1."""
    number = is_number(value)
    if value != "auto" and not (number and 0.0 < value <= 1.0):
        percent = f"; {value:g} % is {value / 100.0:.6g}" if number and 1.0 < value <= 100.0 else ""
        raise SpikeLoomError(f"adc_quantile must be 'auto' or a number above 0 and at most 1, not {value!r}{percent}")
    return float(value) if number else value


class ConvertSection(Section):
    """From a trained network to integer levels."""

    normalisation: Annotated[
        Literal["auto", "max", "percentile"],
        Field(
            description="activation that becomes a firing rate of 1: the largest, the percentile, or the one with "
            "which the spiking network's classes agree best with the model's on the calibration images"
        ),
    ] = "auto"
    percentile: Annotated[
        float,
        BeforeValidator(_share),
        Field(
            gt=0.0,
            le=1.0,
            description="share of the positive activations up to a rate of 1, for normalisation by percentile, "
            "fraction",
        ),
    ] = 0.999
    output_offset: Annotated[
        Literal["auto", "network"],
        Field(
            description="offset common to all outputs, which does not change classes: chosen so that output neurons "
            "decide best on the calibration images, or as in the network"
        ),
    ] = "auto"
    average_pooling: Annotated[
        Literal["spikes", "weights"],
        Field(
            description="average pooling after an activation: a unit that works on spikes, or in the weights of the "
            "next layer, which then has a row for every averaged value"
        ),
    ] = "spikes"
    weight_scale: Annotated[
        Literal["auto", "max", "mse"],
        Field(
            description="scale of a layer: the largest weight is the top level, least mean square error of the "
            "weights, or least error of the layer's output on the calibration images; with mse and auto, weights that "
            "training has quantised to the cells' levels are not changed; for a network from NIR, auto is mse"
        ),
    ] = "auto"
    adc_quantile: Annotated[
        float | Literal["auto"],
        BeforeValidator(_quantile),
        Field(
            description="share of the calibration images' column currents that must not saturate an ADC, above 0 and "
            "at most 1, fraction; auto uses the range with the smallest error"
        ),
    ] = "auto"
    tune: Annotated[
        bool, Field(description="whether thresholds are tuned on the validation images to reduce the cost per image")
    ] = False


class CodingSection(Section):
    """How pixels become row signals."""

    input: Annotated[
        str,
        KindOf(CODINGS),
        Field(description=f"input coding: {CODINGS.sentence}"),
    ] = "even"
    phases: Annotated[int, Field(ge=1, le=16, description="K, phases per period; 1 is rate coding, time steps")] = 1
    even_start: Annotated[
        int, Field(ge=0, le=254, description="start value of the error diffusion, 1/255 of a spike")
    ] = 127


class NeuronSection(Section):
    """The integrate-and-fire neuron."""

    reset: Annotated[
        Literal["subtract", "zero", "none"], Field(description="reset after a spike of a hidden neuron")
    ] = "subtract"
    output_reset: Annotated[
        Literal["subtract", "zero", "none"],
        Field(description="reset after a spike of an output neuron; none only accumulates"),
    ] = "subtract"
    v0: Annotated[
        float, Field(ge=0.0, le=1.0, description="initial membrane of an image, thresholds of the last phase")
    ] = 0.5
    leak: Annotated[
        int, Field(ge=0, le=15, description="V loses V >> leak per step; 0 is no leak, bits of the shift")
    ] = 0
    clip: Annotated[float, Field(ge=0.0, description="limit of |V|; 0 is no limit, thresholds of the first phase")] = (
        0.0
    )


def _replicas(value: Any) -> Any:
    """A list as a tuple; one sentence for what is neither a number nor a list of numbers of at least 1."""
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    if not numbers or not all(is_whole(n) and n >= 1 for n in numbers):
        raise SpikeLoomError(
            f"replicas must be a whole number of at least 1, or a list of such numbers, one per layer, not {value!r}"
        )
    return tuple(numbers) if isinstance(value, list | tuple) else value


class CrossbarSection(Section):
    """Size of an array and its converters."""

    tile_rows: Annotated[int, Field(ge=1, le=65536, description="rows of a crossbar tile, rows")] = 256
    tile_columns: Annotated[int, Field(ge=1, le=65536, description="columns of a crossbar tile, columns")] = 64
    adc_bits: Annotated[
        int,
        Field(
            ge=READOUT_BITS[0],
            le=READOUT_BITS[-1],
            description="bits of an ADC; 1 is a sense amplifier with codes -1, 0, 1, bits",
        ),
    ] = 8
    replicas: Annotated[
        int | tuple[int, ...],
        BeforeValidator(_replicas),
        Field(
            description="replicas: crossbars with the same weights, which process a layer's output positions in "
            "turn; one number "
            "for all layers with several positions (at most as many as it has), or a number per layer, crossbars"
        ),
    ] = 1


class HardwareSection(Section):
    """Structure and timing of the digital part."""

    lanes: Annotated[
        int,
        Field(ge=1, description="ADCs per row tile and neuron circuits per layer; at most a layer's outputs, lanes"),
    ] = 16
    encoder_lanes: Annotated[
        int, Field(ge=1, description="pixels encoded in a clock cycle; at most the number of pixels, lanes")
    ] = 16
    encoders: Annotated[
        int,
        Field(
            ge=1,
            le=2,
            description="spike encoders; 2 take turns, so that the next image's first vector is there when an image "
            "ends; 1 has half of their flip-flops and logic, and makes it then, which takes pixels / encoder_lanes + 1 "
            "clock cycles more per image, encoders",
        ),
    ] = 2
    input_codings: Annotated[
        Literal["used", "all"],
        Field(description="input codings that the encoders are built for: the one of [coding] input, or all"),
    ] = "used"
    neuron_features: Annotated[
        Literal["used", "all"],
        Field(
            description="leak, clip and kinds of reset that neurons are built with: what the network uses, or all, so "
            "that the unit can be loaded with other networks of its shape"
        ),
    ] = "used"
    decision_rules: Annotated[
        Literal["used", "all"],
        Field(
            description="decision rules that the unit is built for: fixed and winner_k, which every unit has, and the "
            "one of [decision] rule, or all"
        ),
    ] = "used"
    programmer: Annotated[
        bool,
        Field(
            description="every layer has a programmer, which brings its cells to their levels by write and verify; "
            "without, cells are programmed elsewhere"
        ),
    ] = True
    activity_counters: Annotated[
        bool,
        Field(
            description="every layer counts its row pulses, tile reads, conversions, saturations and spikes; without, "
            "energy comes from what the reference counts"
        ),
    ] = True
    pulse_cycles: Annotated[
        int,
        Field(
            ge=1,
            le=65535,
            description="shortest read pulse, clock cycles; rows are driven for the longer of this and settle_cycles",
        ),
    ] = 4
    settle_cycles: Annotated[
        int, Field(ge=1, le=65535, description="time the array takes to settle before it samples, clock cycles")
    ] = 2
    adc_cycles: Annotated[int, Field(ge=1, le=65535, description="time of a conversion, clock cycles")] = 1
    program_cycles: Annotated[int, Field(ge=1, le=65535, description="length of a programming pulse, clock cycles")] = (
        10
    )
    clock_Hz: Annotated[float, FREQUENCY, Field(gt=0.0, description="clock frequency, hertz")] = 1e8

    def slips(self) -> Iterator[str]:
        """Those of the fields, and of pulses that are as long as no cell's."""
        yield from super().slips()
        if FREQUENCY.slip(self.clock_Hz):
            return
        for name in ("pulse_cycles", "settle_cycles", "program_cycles"):
            time_s = getattr(self, name) / self.clock_Hz
            if PULSE_TIME.slip(time_s):
                given = f"{name} is {getattr(self, name)}, {time_s:.3g} s at clock_Hz {self.clock_Hz:g}"
                yield f"[hardware] {given}: usual are {PULSE_TIME.usual}"
