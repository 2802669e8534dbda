"""The programmed chip as data: everything that the reference and the Verilog need to give the same bits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.interfaces.registers import GLOBAL_REGISTERS, LAYER_REGISTERS
from spikeloom.hw.params.codings import check_coding_built
from spikeloom.hw.params.decision_rules import STABLE_THETA, check_rule_built
from spikeloom.hw.params.neuron_features import check_used
from spikeloom.hw.params.optional_parts import check_programmer
from spikeloom.hw.params.parameters import Coding, DecisionRule, NpuParameters, Readout, Reset
from spikeloom.sim.chip.chip_facts import chip_line, chip_rows
from spikeloom.sim.chip.device_config import Device, Energy, Programming
from spikeloom.sim.common.plain_table import html_table
from spikeloom.sim.common.short_repr import short_repr

__all__ = ["ProgrammedChip", "ProgrammedLayer"]


@dataclass(frozen=True, eq=False)
class ProgrammedLayer:
    """One layer's programming.

    Parameters
    ----------
    name : the layer's name in the user's model
    positive, negative : uint8 [inputs, outputs], levels p and n of the cell pairs, 0 .. 2^bits - 1, one of the two 0
    bias : int32 [outputs], in units of one conductance step
    theta : threshold of the last phase, in units of one conductance step, >= 1
    v0 : membrane at an image's start, unit of the last phase
    clip : membrane limit, unit of the last phase; 0 is off
    leak : shift of the leak V -= V >> leak; 0 is off
    reset : what follows a spike
    gain_shift : g, the ADC's least significant bit is 2^g conductance steps
    scale : s_l, real weight = (p - n) * scale
    """

    name: str
    positive: NDArray[np.uint8]
    negative: NDArray[np.uint8]
    bias: NDArray[np.int32]
    theta: int
    v0: int
    clip: int
    leak: int
    reset: Reset
    gain_shift: int
    scale: float

    __repr__ = short_repr

    @property
    def weights(self) -> NDArray[np.int32]:
        """Integer weights w = p - n, int32 [inputs, outputs]."""
        return self.positive.astype(np.int32) - self.negative.astype(np.int32)


@dataclass(frozen=True, eq=False)
class ProgrammedChip:
    """A whole network, ready to run: layers, coding, decision, device, and the hardware it was made for.

    Parameters
    ----------
    name : of the run
    layers : programming of every layer; replicas have equal weights
    parameters : structural parameters of the unit; every layer has the features that its programming needs
    coding, even_start : input coding; start value of the error diffusion, 0 .. 254
    rule, k, t_max, skip, readout : decision; k is the register value (margin), t_max in steps, skip in periods
    device, energy : device model and energy coefficients
    settle_cycles, adc_cycles : clock cycles the array needs to settle, and an ADC to convert (the macro's)
    clock_Hz : clock frequency
    seed : of every random draw, 0 .. 2^32 - 1
    programming : how the levels get into the cells
    program_cycles : clock cycles of a programming pulse (the macro's)
    stable_theta : register value of the rule STABLE, in units of the scores with fraction bits
    """

    name: str
    layers: tuple[ProgrammedLayer, ...]
    parameters: NpuParameters
    coding: Coding
    even_start: int
    rule: DecisionRule
    k: int
    t_max: int
    skip: int
    readout: Readout
    device: Device
    energy: Energy
    settle_cycles: int = 2
    adc_cycles: int = 1
    clock_Hz: float = 1e8
    seed: int = 0
    programming: Programming = field(default_factory=Programming)
    program_cycles: int = 10
    stable_theta: int = 1

    def __repr__(self) -> str:
        return f"ProgrammedChip({chip_line(self)})"

    def _repr_html_(self) -> str:
        return html_table(f"Chip {self.name}", chip_rows(self))

    def __post_init__(self) -> None:
        p = self.parameters
        if len(self.layers) != len(p.layers):
            raise SpikeLoomError(f"The programmed chip has {len(self.layers)} layers, its hardware {len(p.layers)}")
        firsts = [placement.stage.layer for placement in p.plan.placements]
        for index, (layer, shape) in enumerate(zip(self.layers, p.layers, strict=True)):
            where = f"Layer {index} ({layer.name})"
            expected = (shape.inputs, shape.outputs)
            if layer.positive.shape != expected or layer.negative.shape != expected:
                raise SpikeLoomError(
                    f"{where}: levels have shapes {layer.positive.shape} and {layer.negative.shape}, "
                    f"but the hardware has {expected}"
                )
            if layer.bias.shape != (shape.outputs,):
                raise SpikeLoomError(
                    f"{where}: bias has shape {layer.bias.shape}, but the hardware has {shape.outputs} columns"
                )
            top = self.device.levels - 1
            if max(int(layer.positive.max()), int(layer.negative.max())) > top:
                raise SpikeLoomError(f"{where}: a level is above {top}, the top level of a {self.device.bits}-bit cell")
            if bool(np.any((layer.positive > 0) & (layer.negative > 0))):
                raise SpikeLoomError(f"{where}: one of the two levels of every cell pair must be 0")
            first = self.layers[firsts[index]]
            if not (np.array_equal(layer.positive, first.positive) and np.array_equal(layer.negative, first.negative)):
                raise SpikeLoomError(
                    f"{where} is a replica of layer {firsts[index]} ({first.name}), and has other weights"
                )
            held = {register.name: register.range(shape) for register in LAYER_REGISTERS}
            for name, value, low, high in (
                ("theta", layer.theta, 1, min(shape.max_theta, held["theta"][1])),
                ("v0", layer.v0, max(-shape.max_v0, held["v0"][0]), min(shape.max_v0, held["v0"][1])),
                ("clip", layer.clip, 0, min(shape.max_membrane, held["clip"][1])),
                ("leak", layer.leak, 0, held["leak"][1]),
                ("gain_shift", layer.gain_shift, 0, shape.max_gain_shift),
                ("largest bias", int(np.abs(layer.bias).max(initial=0)), 0, shape.max_bias),
            ):
                if not low <= value <= high:
                    raise SpikeLoomError(f"{where}: {name} must be in {low} .. {high}, not {value!r}")
            check_used(where, shape, clip=layer.clip, leak=layer.leak, reset=layer.reset)
        if not 0.0 < self.clock_Hz < float("inf"):
            raise SpikeLoomError(f"Programmed chip: clock_Hz must be a positive number, not {self.clock_Hz!r}")
        if self.device.refresh_every and self.programming.method == "write-verify":
            raise SpikeLoomError(
                "Refreshing (refresh_every) is not supported yet with programming method 'write-verify'"
            )
        self._check_pulsed()
        if p.layers[0].row_bits < self.coding.row_bits:
            raise SpikeLoomError(
                f"{self.coding.name.capitalize()} input needs a first layer with row_bits {self.coding.row_bits}, not "
                f"{p.layers[0].row_bits}"
            )
        check_coding_built(self.coding, p.codings)
        check_rule_built(self.rule, p.rules)
        check_programmer(p, self.programming.method)
        held = {register.name: register.range(p) for register in GLOBAL_REGISTERS}
        for name, value, low, high in (
            ("t_max", self.t_max, 1, p.max_steps),
            ("k", self.k, 1, held["k"][1]),
            (STABLE_THETA.name, self.stable_theta, 1, held[STABLE_THETA.name][1]),
            ("even_start", self.even_start, 0, 254),
            ("skip", self.skip, 0, (self.t_max - 1) // p.phases),
            ("seed", self.seed, 0, 2**32 - 1),
            ("settle_cycles", self.settle_cycles, 1, 65535),
            ("adc_cycles", self.adc_cycles, 1, 65535),
            ("program_cycles", self.program_cycles, 1, 65535),
        ):
            if not low <= value <= high:
                raise SpikeLoomError(f"Programmed chip: {name} must be in {low} .. {high}, not {value!r}")

    def _check_pulsed(self) -> None:
        """Options that cells which pulses program do not have (`sim.chip.cell_kinds.CellKind.unused_pulsed`)."""
        if self.programming.method != "write-verify":
            return
        fields = self.device.all_fields()
        for names, because in self.device.kind.unused_pulsed:
            for name in names:
                value, default = getattr(self.device, name), fields[name].default
                if value != default:
                    raise SpikeLoomError(
                        f"{name} must be {default!r} with cell {self.device.cell!r} and programming method "
                        f"'write-verify', {because}, not {value!r}; leave it out, or set method 'direct'"
                    )

    @property
    def pulse_s(self) -> float:
        """Length of a programming pulse, seconds."""
        return self.program_cycles / self.clock_Hz

    @property
    def read_cycles(self) -> int:
        """Clock cycles of a read pulse: a row is driven, and its cells conduct, until the shortest pulse is over and
        the macro has sampled (`hw.layer.dac_driver`).
        """
        return max(self.parameters.pulse_cycles, self.settle_cycles)

    @property
    def read_s(self) -> float:
        """Length of a read pulse, seconds."""
        return self.read_cycles / self.clock_Hz

    @property
    def verify_s(self) -> float:
        """Time that a cell conducts in a verify read, seconds: until the macro has sampled."""
        return self.settle_cycles / self.clock_Hz

    @property
    def whole(self) -> bool:
        """Scores are whole numbers, and averages of them are rounded down."""
        return True

    def setting(self, name: str) -> int:
        """The value of a register of the unit, by its name."""
        return int(getattr(self, name))

    def with_device(self, device: Device) -> ProgrammedChip:
        """The same chip on other devices."""
        return replace(self, device=device)
