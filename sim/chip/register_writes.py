"""The register writes that configure an accelerator for a chip."""

from __future__ import annotations

from spikeloom.hw.interfaces.registers import GLOBAL_REGISTERS, bias_address, global_address, layer_address
from spikeloom.sim.chip.programmed_chip import ChipImage

__all__ = ["check_kinds", "register_writes"]


def check_kinds(image: ChipImage) -> None:
    """Raise `ValueError` for a chip whose coding or rule the unit does not have: it runs in the reference only."""
    int(image.coding)
    int(image.rule)


def register_writes(image: ChipImage) -> list[tuple[int, int]]:
    """Every register write that turns a freshly reset unit into this chip: (address, data)."""
    names = [register.name for register in GLOBAL_REGISTERS if not register.pulse]
    writes = [(global_address(name), int(getattr(image, name))) for name in names]
    for index, layer in enumerate(image.layers):
        fields = {
            "theta": layer.theta,
            "v0": layer.v0,
            "clip": layer.clip,
            "leak": layer.leak,
            "reset": int(layer.reset),
            "gain": layer.gain_shift,
        }
        writes += [(layer_address(index, name), value) for name, value in fields.items()]
        writes += [(bias_address(index, neuron), int(value)) for neuron, value in enumerate(layer.bias)]
    return writes
