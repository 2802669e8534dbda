"""Structural parameters of the neural processing unit, and everything that follows from them.

One frozen dataclass per level (`LayerParameters`, `NpuParameters`); derived numbers are properties, computed in one
place, so that the hardware, the integer reference and the software agree on every width. Values that a host loads at
run time (thresholds, biases, rule, ...) are not here: see `hw.interfaces.registers`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.params.codings import CODINGS, Coding, check_codings
from spikeloom.hw.params.decision_rules import DecisionRule, built_rules, check_rules
from spikeloom.hw.params.neuron_features import ALL_RESETS, Reset, check_features
from spikeloom.hw.params.optional_parts import ALL_OPTIONAL, check_optional
from spikeloom.hw.params.plan import LayerPlacement, Plan
from spikeloom.hw.params.readouts import READOUT_BITS, Codes, readout_of

__all__ = ["Coding", "DecisionRule", "LayerParameters", "NpuParameters", "Readout", "Reset", "ceil_div"]


class Readout(enum.IntEnum):
    """What the decision compares: weighted spike counts, or the output membranes themselves [WS eq. 17]."""

    SPIKES = 0
    MEMBRANE = 1


_LARGEST_WRITE = 2**31 - 1
_MOST_TILE_ROWS = 1 << 16


def ceil_div(a: int, b: int) -> int:
    """Smallest integer not below a / b."""
    return -(-a // b)


def _unsigned_bits(maximum: int) -> int:
    return max(1, int(maximum).bit_length())


def _signed_bits(magnitude: int) -> int:
    """Bits of a two's complement number that holds -magnitude .. +magnitude."""
    return int(magnitude).bit_length() + 1


def _positive(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentTypeError(f"{name} must be an integer, not {value!r}")
    if value < 1:
        raise SpikeLoomError(f"{name} must be a positive integer, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class LayerParameters:
    """One layer on its crossbar tiles.

    Parameters
    ----------
    inputs, outputs : rows and columns of the layer's weight matrix, >= 1
    positions : output positions, each a read of the crossbar and `outputs` neurons of its own; 1 for a dense layer. Of
        a replica, those that it does
    row_bits : bits of a row code: 1 (spike) or 8 (the first layer's DAC; full scale is 255)
    tile_rows, tile_columns : most rows and columns of a tile; at most 65,536 rows, the 16 bits of a row's number when
        cells are programmed
    lanes : ADCs per row tile, and neuron circuits; column i is converted by lane i % lanes in group i // lanes
    adc_bits : bits of an ADC, 1 .. 16; 1 is the sense amplifier with codes -1, 0, +1 [BS]
    max_gain_shift, max_theta, max_bias : largest values the run-time registers may take (bias: largest magnitude), at
        most 15, 2^31 - 1 and 2^31 - 1, since a register write has 32 bits
    phases, max_steps : K and the largest T_max; copied from the unit, since the widths depend on them
    leak, clip, resets : what the neurons are built with: a leak, a clip, the kinds of reset, in the order of their
        numbers. What is missing has no logic and no register; the only kind of reset needs no register either
    programmer, activity_counters : whether the unit programs the cells, and counts what layers do; the same in all
        layers
    """

    inputs: int
    outputs: int
    positions: int = 1
    row_bits: int = 1
    tile_rows: int = 256
    tile_columns: int = 64
    lanes: int = 16
    adc_bits: int = 8
    max_gain_shift: int = 7
    max_theta: int = 1023
    max_bias: int = 1023
    phases: int = 1
    max_steps: int = 32
    leak: bool = True
    clip: bool = True
    resets: tuple[Reset, ...] = ALL_RESETS
    programmer: bool = True
    activity_counters: bool = True

    def __post_init__(self) -> None:
        check_features(self)
        check_optional(self)
        for name in (
            "inputs",
            "outputs",
            "positions",
            "tile_rows",
            "tile_columns",
            "lanes",
            "phases",
            "max_steps",
            "max_theta",
        ):
            _positive(f"Layer parameter {name}", getattr(self, name))
        if self.row_bits not in (1, 8):
            raise SpikeLoomError(f"Layer parameter row_bits must be 1 or 8, not {self.row_bits!r}")
        if not READOUT_BITS[0] <= self.adc_bits <= READOUT_BITS[-1]:
            raise SpikeLoomError(
                f"Layer parameter adc_bits must be in {READOUT_BITS[0]} .. {READOUT_BITS[-1]}, not {self.adc_bits!r}"
            )
        if not 0 <= self.max_gain_shift <= 15:
            raise SpikeLoomError(f"Layer parameter max_gain_shift must be in 0 .. 15, not {self.max_gain_shift!r}")
        for name, low, high in (
            ("max_theta", 1, _LARGEST_WRITE),
            ("max_bias", 0, _LARGEST_WRITE),
            ("tile_rows", 1, _MOST_TILE_ROWS),
        ):
            if not low <= getattr(self, name) <= high:
                raise SpikeLoomError(f"Layer parameter {name} must be in {low} .. {high}, not {getattr(self, name)!r}")
        if self.phases > 16:
            raise SpikeLoomError(f"Layer parameter phases must be in 1 .. 16, not {self.phases!r}")
        if self.lanes > self.outputs:
            raise SpikeLoomError(f"Layer parameter lanes ({self.lanes}) must not exceed outputs ({self.outputs})")

    @property
    def neurons(self) -> int:
        """Neurons of the layer: outputs at every position."""
        return self.outputs * self.positions

    @property
    def position_bits(self) -> int:
        """Bits of the number of a position."""
        return _unsigned_bits(self.positions - 1)

    @property
    def row_tiles(self) -> int:
        """Tiles that share the rows."""
        return ceil_div(self.inputs, self.tile_rows)

    @property
    def column_tiles(self) -> int:
        """Tiles that share the columns."""
        return ceil_div(self.outputs, self.tile_columns)

    @property
    def groups(self) -> int:
        """Column groups, read one after another: ceil(outputs / lanes)."""
        return ceil_div(self.outputs, self.lanes)

    @property
    def group_bits(self) -> int:
        """Bits of the number of a column group."""
        return _unsigned_bits(self.groups - 1)

    @property
    def phase_bits(self) -> int:
        """Bits of the number of a phase."""
        return _unsigned_bits(self.phases - 1)

    @property
    def count_bits(self) -> int:
        """Bits of a number of active rows, 0 .. inputs."""
        return _unsigned_bits(self.inputs)

    @property
    def codes(self) -> Codes:
        """The codes of its converters."""
        return readout_of(self.adc_bits).codes(self.adc_bits)

    @property
    def code_min(self) -> int:
        """Smallest code of a converter."""
        return self.codes.low

    @property
    def code_max(self) -> int:
        """Largest code of a converter."""
        return self.codes.high

    @property
    def code_bits(self) -> int:
        """Bits of a signed ADC code (2 for the sense amplifier)."""
        return self.codes.width

    @property
    def max_sum(self) -> int:
        """Largest magnitude of (sum over row tiles of code) << gain shift."""
        return (self.row_tiles * self.codes.magnitude) << self.max_gain_shift

    @property
    def sum_bits(self) -> int:
        """Bits of a sum over the row tiles, shifted by the gain; signed."""
        return _signed_bits(self.max_sum)

    @property
    def gain_bits(self) -> int:
        """Bits of the gain shift."""
        return _unsigned_bits(self.max_gain_shift)

    @property
    def theta_bits(self) -> int:
        """Bits of the threshold."""
        return _unsigned_bits(self.max_theta)

    @property
    def bias_bits(self) -> int:
        """Bits of a bias; signed."""
        return _signed_bits(self.max_bias)

    @property
    def max_v0(self) -> int:
        """Largest magnitude of the start membrane V0, in the membrane's unit (the last phase's)."""
        return self.max_theta << (self.phases - 1)

    @property
    def v0_bits(self) -> int:
        """Bits of the start membrane; signed."""
        return _signed_bits(self.max_v0)

    @property
    def max_membrane(self) -> int:
        """Bound on |V| after any number of steps up to max_steps: |V0| + steps * largest increment."""
        return self.max_v0 + self.max_steps * ((self.max_sum + self.max_bias) << (self.phases - 1))

    @property
    def membrane_bits(self) -> int:
        """Membrane width derived so that no input sequence of max_steps steps can overflow it."""
        return _signed_bits(self.max_membrane)


@dataclass(frozen=True, kw_only=True)
class NpuParameters:
    """The whole unit: its layers and what they share.

    Parameters
    ----------
    layers : LayerParameters of every layer, first to last
    plan : what every layer reads; a chain of dense layers if not given, inputs of one equal outputs of the one before
    phases : K, phases per period; 1 is rate coding [WS 4.1]
    max_steps : largest T_max the widths allow for
    encoder_lanes : pixels encoded in one cycle
    encoders : 2 take turns, so that the next image's first vector is there when an image ends; 1 makes it then
    pulse_cycles : clock cycles a read pulse drives the rows, >= 1
    codings : input codings that the encoder is built for, in the order of their codes. What others need has no logic,
        memory or register; the only coding needs no register either
    rules : decision rules of the terminator, in the order of their codes: FIXED, WINNER_K, and optional ones
    """

    layers: tuple[LayerParameters, ...]
    plan: Plan = None  # type: ignore[assignment]  # the chain of dense layers where none is given
    phases: int = 1
    max_steps: int = 32
    encoder_lanes: int = 16
    pulse_cycles: int = 4
    encoders: int = 2
    codings: tuple[Coding, ...] = CODINGS.unit
    rules: tuple[DecisionRule, ...] = built_rules()

    def __post_init__(self) -> None:
        if not self.layers:
            raise SpikeLoomError("NPU parameter layers must name at least one layer")
        for name in ("phases", "max_steps", "encoder_lanes", "pulse_cycles"):
            _positive(f"NPU parameter {name}", getattr(self, name))
        if isinstance(self.encoders, bool) or self.encoders not in (1, 2):
            raise SpikeLoomError(f"NPU parameter encoders must be 1 or 2, not {self.encoders!r}")
        check_codings(self.codings)
        check_rules(self.rules)
        dense = self.plan is None
        if dense:
            sizes = (self.layers[0].inputs, *(layer.outputs for layer in self.layers))
            object.__setattr__(self, "plan", Plan.dense(sizes))
        plan = self.plan
        if len(self.layers) != len(plan.channels):
            raise SpikeLoomError(f"There are {len(self.layers)} layers, but the plan has {len(plan.channels)}")
        first = plan.crossbar_stages[0].stage.layers
        for index, (layer, placement) in enumerate(zip(self.layers, plan.placements, strict=True)):
            if layer.phases != self.phases or layer.max_steps != self.max_steps:
                raise SpikeLoomError(f"Layer {index}: phases and max_steps must equal the unit's")
            for name in ALL_OPTIONAL:
                if getattr(layer, name) != getattr(self.layers[0], name):
                    raise SpikeLoomError(f"Layer {index}: {name} must equal that of the other layers")
            if dense and index > 0 and layer.inputs != self.layers[index - 1].outputs:
                raise SpikeLoomError(
                    f"Layer {index} has {layer.inputs} inputs, but layer {index - 1} has "
                    f"{self.layers[index - 1].outputs} outputs"
                )
            if index not in first and layer.row_bits != 1:
                raise SpikeLoomError(f"Layer {index}: only the first layer may have row codes of {layer.row_bits} bits")
            self._check_layer(index, layer, placement)
        readers = [n for n, stage in enumerate(plan.stages) if any(w.source == 0 for w in stage.windows)]
        if self.layers[0].row_bits != 1 and readers != [plan.crossbar_stages[0].number]:
            raise SpikeLoomError(
                f"An image of {self.layers[0].row_bits}-bit row codes can be read by the first layer only"
            )
        if self.encoder_lanes > self.inputs:
            raise SpikeLoomError(
                f"NPU parameter encoder_lanes ({self.encoder_lanes}) must not exceed the inputs ({self.inputs})"
            )

    def _check_layer(self, index: int, layer: LayerParameters, placement: LayerPlacement) -> None:
        """A layer has the plan's rows, channels and positions, replicas are equal but for their positions; row codes of
        8 bits belong to the image alone.
        """
        plan, stage = self.plan, placement.stage
        for name, given, planned in (
            ("inputs", layer.inputs, plan.rows(stage)),
            ("outputs", layer.outputs, plan.channels[index]),
            ("positions", layer.positions, placement.positions),
        ):
            if given != planned:
                raise SpikeLoomError(f"Layer {index} has {name} {given}, but the plan says {planned}")
        if replace(layer, positions=1) != replace(self.layers[stage.layer], positions=1):
            raise SpikeLoomError(
                f"Layer {index} is a replica of layer {stage.layer}, and differs from it in more than positions"
            )
        if layer.row_bits != 1 and any(window.source != 0 for window in stage.windows):
            raise SpikeLoomError(f"Layer {index}: row codes of {layer.row_bits} bits can only come from the image")

    @property
    def inputs(self) -> int:
        """Pixels of an image."""
        return self.plan.input.size

    @property
    def sizes(self) -> tuple[int, ...]:
        """Pixels, then channels of every crossbar stage; replicas are not told apart."""
        return (self.inputs, *(self.layers[stage.layer].outputs for _, stage in self.plan.crossbar_stages))

    @property
    def encoded(self) -> LayerParameters:
        """A layer that has the whole image as its rows: the shape of the encoder's vectors."""
        return replace(self.layers[0], inputs=self.inputs, positions=1)

    @property
    def programmer(self) -> bool:
        """The unit programs the cells of its layers."""
        return self.layers[0].programmer

    @property
    def activity_counters(self) -> bool:
        """The unit counts what its layers do."""
        return self.layers[0].activity_counters

    @property
    def draws_seeds(self) -> bool:
        """The encoder is built for a coding that draws at random, so that images have seeds."""
        return any(coding.draws_seeds for coding in self.codings)

    @property
    def classes(self) -> int:
        """Outputs of the last layer."""
        return self.layers[-1].outputs

    @property
    def class_bits(self) -> int:
        """Bits of the number of a class."""
        return _unsigned_bits(self.classes - 1)

    @property
    def pixel_words(self) -> int:
        """Words of encoder_lanes pixels per image."""
        return ceil_div(self.inputs, self.encoder_lanes)

    @property
    def step_bits(self) -> int:
        """Bits of a step number, 0 .. max_steps."""
        return _unsigned_bits(self.max_steps)

    @property
    def phase_bits(self) -> int:
        """Bits of the number of a phase."""
        return _unsigned_bits(self.phases - 1)

    @property
    def max_count(self) -> int:
        """Largest weighted spike count: one spike of weight 2^(K-1-p) per step, bounded by the first phase's."""
        return self.max_steps << (self.phases - 1)

    @property
    def count_bits(self) -> int:
        """Bits of a weighted spike count."""
        return _unsigned_bits(self.max_count)

    @property
    def score_bits(self) -> int:
        """Signed bits of a score: a spike count, or an output membrane."""
        return max(self.count_bits + 1, self.layers[-1].membrane_bits)

    @property
    def margin_bits(self) -> int:
        """Signed bits of a difference of two scores."""
        return self.score_bits + 1
