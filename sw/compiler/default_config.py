"""The configuration of `spikeloom.compile` by default: an ideal chip sized to the network."""

from __future__ import annotations

from typing import Any

from spikeloom.sw.config.config import Config
from spikeloom.sw.ir.network import Network
from spikeloom.sw.nir.reader import NirModel

__all__ = ["ideal_config"]

_STEPS = 16
_MOST = {"tile_rows": 256, "tile_columns": 64, "lanes": 16, "encoder_lanes": 16}


def ideal_config(network: Network, nir: NirModel | None = None) -> Config:
    """Cells without variation, noise or faults, and hardware of the network's size.

        tile_rows, tile_columns    smallest powers of two with room for every layer, at most 256 and 64
        lanes, encoder_lanes       smallest powers of two with room for every layer and the image, at most 16
        t_max                      16 * (layers with weights + 1) time steps
        k                          4 spikes

    Everything else is at its default; the neurons of a network from NIR are the file's.

    Parameters
    ----------
    network : as folded
    nir : what the network was read from, if that was a NIR file
    """
    rows = max(layer.inputs for layer in network.layers)
    columns = max(layer.outputs for layer in network.layers)
    values: dict[str, Any] = {
        "name": "ideal",
        "decision": {"k": 4, "t_max": _STEPS * (len(network.layers) + 1)},
        "crossbar": {"tile_rows": _size("tile_rows", rows), "tile_columns": _size("tile_columns", columns)},
        "hardware": {"lanes": _size("lanes", columns), "encoder_lanes": _size("encoder_lanes", network.inputs)},
    }
    if nir is not None:
        values["neuron"] = {"reset": nir.reset, "output_reset": nir.reset, "v0": nir.start}
    return Config.validated(values, "the ideal chip")


def _size(name: str, needed: int) -> int:
    return min(_MOST[name], 1 << max(0, needed - 1).bit_length())
