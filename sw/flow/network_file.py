"""The network in units of its thresholds that a chip was converted from, in the folder of a run: a weight image does
not contain it, and `spikeloom by-step` compares the chip with it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.diagnostics.by_step.targets import LayerInReals, network_on
from spikeloom.sw.ir.graph import Rectifier
from spikeloom.sw.ir.network import Network

__all__ = ["NETWORK", "load_network", "network_bytes"]

NETWORK = "convert/network.npz"


def network_bytes(network: Network) -> bytes:
    """Weights [outputs, rows] and biases of every layer, `clip` (NaN without a ReLU) and `levels` of the ReLUs."""
    buffer = io.BytesIO()
    rectifiers = [layer.rectifier for layer in network.layers]
    held: dict[str, Any] = {
        "clip": np.array([np.nan if each is None else each.clip for each in rectifiers]),
        "levels": np.array([0 if each is None else each.levels for each in rectifiers], np.int64),
    }
    for index, layer in enumerate(network.layers):
        held |= {f"weight{index}": layer.weight, f"bias{index}": layer.bias}
    np.savez_compressed(buffer, **held)
    return buffer.getvalue()


def load_network(folder: Path, chip: ProgrammedChip) -> Network | None:
    """What the step `convert` of the run in this folder left, as the stages of its chip have it; None without it."""
    path = folder / NETWORK
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as held:
        layers = []
        for index, (clip, levels) in enumerate(zip(held["clip"].tolist(), held["levels"].tolist(), strict=True)):
            rectifier = None if np.isnan(clip) else Rectifier(f"relu{index}", clip, levels)
            layers.append(LayerInReals(held[f"weight{index}"], held[f"bias{index}"], rectifier))
    return network_on(chip, layers)
