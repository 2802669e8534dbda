"""The register writes that make a chip of a unit."""

from __future__ import annotations

from spikeloom.hw.interfaces.registers import bias_address, global_address, layer_address
from spikeloom.sim.chip.programmed_chip import ChipImage

__all__ = ["register_writes"]


def register_writes(image: ChipImage) -> list[tuple[int, int]]:
    """Every register write that turns a freshly reset unit into this chip: (address, data)."""
    values = {
        "coding": int(image.coding),
        "rule": int(image.rule),
        "k": image.k,
        "t_max": image.t_max,
        "skip": image.skip,
        "even_start": image.even_start,
        "readout": int(image.readout),
    }
    writes = [(global_address(name), value) for name, value in values.items()]
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
