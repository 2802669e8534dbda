"""What decoded activations are compared with: the activations of a network in real numbers, in the chip's own units.

A chip's neuron that fires in every step has a rate of 1. The network that a chip was converted from has been normalised
to that unit (`sw.passes.normalise`), so its activations are what the rates should be. A chip that was loaded does not
know it, and where thresholds were tuned their units are others: then it is the network that the chip's own integers
make, whose activations differ from the rates by what spikes do to them, and not by the rounding of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.plan import CrossbarStage
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.ir.graph import Rectifier
from spikeloom.sw.ir.network import MapUnit, Network, SpikingLayer
from spikeloom.sw.passes.quantise import full_rate

__all__ = ["Against", "LayerInReals", "Target", "network_of_levels", "network_on", "target"]

Against = Literal["network", "levels"]
"""The network that the chip was converted from, or the one that its levels make."""

_NO_NETWORK = {
    "loaded": "a chip that was loaded does not know the network it was converted from: compile it again, or set "
    "against to 'levels', which compares with the network that its own integers make",
    "tuned": "the thresholds of this chip were tuned, so that its rates have another unit than the network: set "
    "against to 'levels', which compares with the network that its own integers make",
}


class Target(NamedTuple):
    """A network in units of a chip's thresholds.

    full : what pixel 255 is in the mean over a period; activations are multiplied by it, as the chip's biases are
    """

    network: Network
    full: float
    against: Against

    def activations(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Of every stage, float32 [images, values], for uint8 images [images, inputs]."""
        made = self.network.activations(pixels)
        return [np.ascontiguousarray(values * self.full, np.float32) for values in made]


def target(chip: Compiled, against: Against | None = None, network: Network | None = None) -> Target:
    """What the chip is compared with; of its own network, if it is known and in the chip's units, unless `against` asks
    for another.

    network : that of the chip, in units of its thresholds, where the chip does not hold it itself

    Raises `ValueError` where `against` asks for a network that is not known.
    """
    if against not in (None, "network", "levels"):
        raise SpikeLoomError(f"against must be 'network' or 'levels', not {against!r}")
    tuned = chip.tuned is not None or (chip.passes is not None and chip.passes.untuned is not None)
    network = chip.network if network is None else network
    missing = "tuned" if tuned else "loaded" if network is None else None
    if against == "network" and missing is not None:
        raise SpikeLoomError(f"against cannot be 'network': {_NO_NETWORK[missing]}")
    full = full_rate(chip.programmed.coding, chip.programmed.parameters.phases)
    if network is None or missing is not None or against == "levels":
        return Target(network_of_levels(chip.programmed), full, "levels")
    return Target(network, full, "network")


class LayerInReals(NamedTuple):
    """Weight float64 [outputs, rows] and bias [outputs] in units of the layer's threshold, and its ReLU, if any."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    rectifier: Rectifier | None


def network_of_levels(chip: ProgrammedChip) -> Network:
    """The network that a chip's integers make, with ReLUs in the place of neurons, in units of its thresholds."""
    full = full_rate(chip.coding, chip.parameters.phases)
    stages = [stage for _, stage in chip.parameters.plan.crossbar_stages]
    layers = []
    for stage in stages:
        layer = chip.layers[stage.layer]
        weight = np.ascontiguousarray(layer.weights.T / layer.theta, np.float64)
        rectifier = None if stage is stages[-1] else Rectifier(layer.name)
        layers.append(LayerInReals(weight, layer.bias / layer.theta / full, rectifier))
    return network_on(chip, layers)


def network_on(chip: ProgrammedChip, layers: Sequence[LayerInReals]) -> Network:
    """A network of these layers, first to last, with the windows and pooling units of a chip."""
    shared = chip.parameters.plan
    firsts = [stage.layer for _, stage in shared.crossbar_stages]
    plan = shared.with_replicas([1] * len(firsts))
    stages: list[SpikingLayer | MapUnit] = []
    for stage in plan.stages:
        if isinstance(stage, CrossbarStage):
            name = chip.layers[firsts[stage.layer]].name
            stages.append(SpikingLayer(name, *layers[stage.layer], stage.windows))
        else:
            stages.append(MapUnit(stage.title, stage))
    return Network(plan.input, tuple(stages))
