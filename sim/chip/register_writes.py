"""The register writes that configure an accelerator for a chip."""

from __future__ import annotations

from spikeloom.hw.interfaces.registers import (
    GLOBAL_REGISTERS,
    bias_address,
    global_address,
    layer_address,
    layer_registers,
)
from spikeloom.sim.chip.programmed_chip import ProgrammedChip

__all__ = ["check_kinds", "register_writes"]


def check_kinds(chip: ProgrammedChip) -> None:
    """Raise `ValueError` for a chip whose coding or rule the unit does not have: it runs in the reference only."""
    int(chip.coding)
    int(chip.rule)


def register_writes(chip: ProgrammedChip) -> list[tuple[int, int]]:
    """Every register write that turns a freshly reset unit into this chip: (address, data). Registers that a layer
    does not have are not written.
    """
    names = [register.name for register in GLOBAL_REGISTERS if not register.pulse]
    writes = [(global_address(name), int(getattr(chip, name))) for name in names]
    for index, (layer, shape) in enumerate(zip(chip.layers, chip.parameters.layers, strict=True)):
        fields = {
            "theta": layer.theta,
            "v0": layer.v0,
            "clip": layer.clip,
            "leak": layer.leak,
            "reset": int(layer.reset),
            "gain": layer.gain_shift,
        }
        there = [register.name for register in layer_registers(shape)]
        writes += [(layer_address(index, name), fields[name]) for name in there]
        writes += [(bias_address(index, neuron), int(value)) for neuron, value in enumerate(layer.bias)]
    return writes
