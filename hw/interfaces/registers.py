"""Run-time registers: the address map, declared once.

A load address has 24 bits. Bits 23 .. 16 select the scope: 0 the unit, l + 1 layer l. Bits 15 .. 0 are the offset;
in a layer, offset 0x8000 + i is the bias of neuron i.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Shape

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES, rule_bits
from spikeloom.hw.params.kinds import KindRegister
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

__all__ = [
    "BIAS_OFFSET",
    "GLOBAL_REGISTERS",
    "LAYER_REGISTERS",
    "LOAD_BITS",
    "MAX_BIASES",
    "MAX_LAYERS",
    "Register",
    "bias_address",
    "encoder_registers",
    "global_address",
    "global_registers",
    "layer_address",
    "layer_registers",
]

BIAS_OFFSET = 0x8000
MAX_BIASES = 0x8000
MAX_LAYERS = 255
LOAD_BITS = 32
"""Bits of a register write's data: no register is wider, whatever the signal is that it sets."""


@dataclass(frozen=True)
class Register:
    """One register of the unit or of a layer.

    Parameters
    ----------
    name : also the name of the hardware port it drives
    offset : bits 15 .. 0 of its load address
    bits : width of the signal that it sets, from the structural parameters (NpuParameters or LayerParameters)
    signed : two's complement if true
    meaning, unit : a sentence and a unit for the manual
    init : value after a hardware reset
    pulse : writing makes the value appear for one cycle, and it reads 0 otherwise
    there : whether a build has the register, from the structural parameters
    """

    name: str
    offset: int
    bits: Callable[[Any], int]
    signed: bool
    meaning: str
    unit: str
    init: int = 0
    pulse: bool = False
    there: Callable[[Any], bool] = lambda p: True

    def width(self, parameters: NpuParameters | LayerParameters) -> int:
        """Bits of the register: those of its signal, and no more than a write has."""
        return min(LOAD_BITS, self.bits(parameters))

    def shape(self, parameters: NpuParameters | LayerParameters) -> Shape:
        """Shape of the register's signal."""
        return Shape(self.width(parameters), self.signed)

    def range(self, parameters: NpuParameters | LayerParameters) -> tuple[int, int]:
        """Smallest and largest value the register can hold."""
        bits = self.width(parameters)
        return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if self.signed else (0, (1 << bits) - 1)


_GLOBAL = (
    Register(
        "coding", 0, lambda p: CODINGS.bits, False, f"input coding: {CODINGS.text}; only with several codings", "-",
        there=lambda p: len(p.codings) > 1,
    ),
    Register(
        "rule", 1, lambda p: rule_bits(p.rules), False, f"decision rule: {DECISION_RULES.text}; stable only if built",
        "-",
    ),
    Register("t_max", 3, lambda p: p.step_bits, False, "step at which inference ends at the latest", "steps", 1),
    Register("skip", 4, lambda p: p.step_bits, False, "first periods in which the last layer is not run", "periods"),
    Register("readout", 6, lambda p: 1, False, "scores: 0 weighted spike counts, 1 output membranes", "-"),
    Register("clear_flags", 7, lambda p: 1, False, "write 1: clear every layer's overflow flag", "-", pulse=True),
)  # fmt: skip


def _of_codings(own: KindRegister) -> Callable[[Any], bool]:
    """Whether an encoder is built for a coding with this register."""
    return lambda p: any(own in coding.registers for coding in p.codings)


def _of_rules(own: KindRegister) -> Callable[[Any], bool]:
    """Whether a unit is built for a decision rule with this register."""
    return lambda p: any(own in rule.registers for rule in p.rules)


GLOBAL_REGISTERS: tuple[Register, ...] = tuple(
    sorted(
        _GLOBAL
        + tuple(
            Register(own.name, own.offset, own.bits, False, own.meaning, own.unit, own.init, there=there)
            for own, there in (
                *((own, _of_codings(own)) for own in CODINGS.registers),
                *((own, _of_rules(own)) for own in DECISION_RULES.registers),
            )
        ),
        key=lambda register: register.offset,
    )
)
"""Registers of the unit by offset, those included that not every unit has; those of input codings and decision rules
are declared with their kinds."""

LAYER_REGISTERS: tuple[Register, ...] = (
    Register("theta", 0, lambda p: p.theta_bits, False, "firing threshold", "conductance steps", 1),
    Register("v0", 1, lambda p: p.v0_bits, True, "membrane at the start of an image", "membrane units"),
    Register(
        "clip", 2, lambda p: p.membrane_bits - 1, False, "bound on |V| before firing, 0 is off; only with a clip",
        "membrane units", there=lambda p: p.clip,
    ),
    Register(
        "leak", 3, lambda p: 4, False, "leak shift: V loses V >> leak per step, 0 is off; only with a leak",
        "bits", there=lambda p: p.leak,
    ),
    Register(
        "reset", 4, lambda p: 2, False,
        "after a spike: 0 subtract theta, 1 zero, 2 nothing; only with several kinds of reset",
        "-", there=lambda p: len(p.resets) > 1,
    ),
    Register("gain", 5, lambda p: p.gain_bits, False, "gain shift: an ADC code is 2^gain conductance steps", "bits"),
)  # fmt: skip
"""Registers of a layer by offset, those included that not every layer has."""


def global_registers(parameters: NpuParameters) -> tuple[Register, ...]:
    """The registers of the unit that it has, by offset."""
    return tuple(register for register in GLOBAL_REGISTERS if register.there(parameters))


def encoder_registers(parameters: NpuParameters) -> tuple[Register, ...]:
    """Those of them that the encoder reads, by offset."""
    names = ("coding", *(own.name for own in CODINGS.registers))
    return tuple(register for register in global_registers(parameters) if register.name in names)


def layer_registers(parameters: LayerParameters) -> tuple[Register, ...]:
    """The registers that a layer has, by offset."""
    return tuple(register for register in LAYER_REGISTERS if register.there(parameters))


def _find(registers: tuple[Register, ...], scope: str, name: str) -> Register:
    for register in registers:
        if register.name == name:
            return register
    names = ", ".join(register.name for register in registers)
    raise SpikeLoomError(f"{scope} register must be one of {names}, not {name!r}")


def _layer_base(layer: int) -> int:
    if not 0 <= layer < MAX_LAYERS:
        raise SpikeLoomError(f"Layer of a load address must be in 0 .. {MAX_LAYERS - 1}, not {layer!r}")
    return (layer + 1) << 16


def global_address(name: str) -> int:
    """Load address of a register of the unit; ValueError for an unknown name."""
    return _find(GLOBAL_REGISTERS, "Global", name).offset


def layer_address(layer: int, name: str) -> int:
    """Load address of a register of layer `layer` (0 is the first); ValueError for an unknown name or layer."""
    return _layer_base(layer) | _find(LAYER_REGISTERS, "Layer", name).offset


def bias_address(layer: int, neuron: int) -> int:
    """Load address of the bias of neuron `neuron` of layer `layer`; ValueError outside 0 .. 32767."""
    if not 0 <= neuron < MAX_BIASES:
        raise SpikeLoomError(f"Neuron of a bias address must be in 0 .. {MAX_BIASES - 1}, not {neuron!r}")
    return _layer_base(layer) | BIAS_OFFSET | neuron
