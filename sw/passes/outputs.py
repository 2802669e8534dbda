"""Operating point of the output neurons: an offset common to all classes, and the threshold.

A number added to all logits changes no class of the model, but output neurons fire only above 0 and only once per step:
logits that are all negative give no spikes, and all large ones a spike of every class in every step. So the offset and
the rate of 1 are chosen for the chip. The spikes into the output layer do not depend on either: the layer's currents
are recorded once, and each candidate is the decision of the output neurons alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import Readout
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.ir.graph import Floats
from spikeloom.sw.passes.float_snn import SpikingNetwork
from spikeloom.sw.passes.normalise import positive_quantiles
from spikeloom.sw.passes.quantise import MAX_THETA

__all__ = ["OutputChoice", "OutputLayer"]

_SECONDS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Shares of the images whose second class is to be at most 0."""
_WINNERS = (0.9, 1.0, 0.5, 0.25)
"""Shares of the images whose winner is to be at most a rate of 1."""
STEP_COST = 0.001
"""What a mean time step may cost in the share of images that are classified as the model does."""
KEEP = 0.005
"""How much worse what the network was trained with may be than the best, in the same unit."""


@dataclass(frozen=True)
class OutputChoice:
    """Offset and threshold in conductance steps; share of images with the model's class, mean steps to it, and how many
    images that was measured on.
    """

    offset: float
    theta: int
    agreement: float
    steps: float
    images: int

    @property
    def cost(self) -> float:
        """Share of images that differ from the network, and steps, weighed by STEP_COST."""
        return 1.0 - self.agreement + STEP_COST * self.steps


@dataclass(frozen=True, eq=False)
class OutputLayer:
    """The output neurons of a network, and what drives them.

    Parameters
    ----------
    network : with the chip's integers and dynamics
    currents : float32 [steps, images, classes], of `SpikingNetwork.output_currents`
    logits : float64 [images, classes], the model's outputs in conductance steps
    bias : float64 [classes], conductance steps
    bias_factor : as in `sw.passes.quantise`
    v0 : start of the membranes, thresholds
    settings : registers of the decision rule for a threshold of 1 (`sw.passes.map.decision_settings`)
    """

    __repr__ = short_repr

    network: SpikingNetwork
    currents: NDArray[np.float32]
    logits: Floats
    bias: Floats
    bias_factor: float
    v0: float
    settings: Mapping[str, float]

    def measured(self, offset: float, theta: int) -> OutputChoice:
        """The decision with this offset and threshold."""
        layer = self.network.layers[-1]
        with np.errstate(over="ignore"):  # a bias that no register holds is reported by `sw.passes.map`
            bias = np.rint((self.bias + offset) * self.bias_factor).astype(np.float32)
        clip = layer.clip * theta / layer.theta
        trial = replace(layer, bias=bias, theta=float(theta), v0=float(round(self.v0 * theta)), clip=clip)
        unit = theta if self.network.readout == Readout.MEMBRANE else 1
        settings = {name: value * unit for name, value in self.settings.items()}
        found = self.network.decide(self.currents, trial, settings)
        wanted = np.argmax(self.logits, axis=1)
        return OutputChoice(
            offset, theta, float(np.mean(found.classes == wanted)), float(found.steps.mean()), len(wanted)
        )

    def best(self, offsets: Sequence[float], shares: Sequence[float] | None) -> OutputChoice | None:
        """The cheapest of the offsets, with thresholds at these shares of the positive outputs; by default at several
        of the winners'. None if no offset has a positive output.
        """
        trials = [
            self.measured(offset, thetas[0]) for offset in offsets if (thetas := self._thresholds(offset, shares))
        ]
        if not trials:
            return None
        best = min(trials, key=_cost)
        thetas = self._thresholds(best.offset, shares)[1:]
        return min([best, *(self.measured(best.offset, theta) for theta in thetas)], key=_cost)

    def _thresholds(self, offset: float, shares: Sequence[float] | None) -> list[int]:
        """Thresholds to try with an offset, the most promising first; none without a positive output."""
        outputs = self.logits + offset
        if not (outputs > 0.0).any():
            return []
        if shares is None and self.network.readout == Readout.SPIKES:
            scales = positive_quantiles(outputs.max(axis=1), _WINNERS)
        else:
            scales = positive_quantiles(outputs, shares or (1.0,))
        return list(dict.fromkeys(min(MAX_THETA, max(1, round(scale))) for scale in scales))

    def offsets(self) -> list[float]:
        """Offsets to try, which move with the logits, and so are not rounded: the same chip for every offset of the
        model.
        """
        middle = -float(self.logits.mean())
        if self.logits.shape[1] == 1:
            return [0.0]  # a single output is compared with 0, and not with another
        if self.network.readout == Readout.MEMBRANE:
            return [middle]
        second = np.partition(self.logits, -2, axis=1)[:, -2]
        lowest = float(np.quantile(self.logits.min(axis=1), 0.25))
        values = [-float(np.quantile(second, share)) for share in _SECONDS]
        return [*values, middle, -lowest]


def _cost(choice: OutputChoice) -> float:
    return choice.cost
