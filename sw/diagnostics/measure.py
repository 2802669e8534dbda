"""Measurements of a diagnosis: one run of the integer reference over some images, counted layer by layer.

Layers are those of the network: replicas of a crossbar count as one. Columns are a layer's outputs: neurons of a dense
layer, channels of a convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import Readout, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.converter_counts import ConverterCounts, Observer
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.diagnostics.stages import Stages
from spikeloom.sw.ir.network import Network, SpikingLayer

__all__ = ["BEYOND", "EXPECTED", "FEW", "LayerMeasures", "Measures", "measure"]

BEYOND = 0.25
"""Share of the positive activations above the firing rate of 1 at which a layer's rates mean little."""

EXPECTED = 8
"""Columns that ought to fire, for a share of silent ones to mean anything."""
FEW = 32
"""Images without which nothing is said about all of them."""


@dataclass(frozen=True, eq=False)
class LayerMeasures:
    """A layer of the network on the chip.

    Parameters
    ----------
    name, index, last : which layer it is
    programmed : its programming
    counts : what its converters and neurons did
    saturations : conversions out of the ADC's range, noise included
    positions : output positions
    top : highest level of a cell
    source : the layer in real numbers, in units of thresholds; None if it is not known
    """

    __repr__ = short_repr

    name: str
    index: int
    last: bool
    programmed: ProgrammedLayer
    counts: ConverterCounts
    saturations: int
    positions: int
    top: int
    source: SpikingLayer | None

    @cached_property
    def levels(self) -> NDArray[np.uint8]:
        """|w| of every pair, of which one cell is at level 0, uint8 [rows, columns]."""
        return self.programmed.positive | self.programmed.negative

    @cached_property
    def zeros(self) -> float:
        """Share of weights of level 0."""
        return 1.0 - np.count_nonzero(self.levels) / self.levels.size

    @property
    def rate(self) -> float:
        """Mean firing rate: spikes of a neuron and step."""
        return float(self.counts.fired.mean()) / max(1, self.counts.reads)

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Columns that never fired, bool [columns]."""
        silent: NDArray[np.bool_] = self.counts.fired == 0
        return silent

    @cached_property
    def bias_ratio(self) -> float:
        """Median over the columns of |bias| to the root of the mean square of the column's current; of driven reads."""
        if not self.counts.driven:
            return 0.0
        root = np.sqrt(self.counts.columns / self.counts.driven)
        bias = np.abs(self.programmed.bias.astype(np.float64))
        return float(np.median(np.divide(bias, root, out=np.where(bias > 0.0, np.inf, 0.0), where=root > 0.0)))

    @cached_property
    def weight_error(self) -> float | None:
        """Squares of the errors that rounding and clipping leave in the weights, as a share of those of the weights."""
        if self.source is None:
            return None
        weight = self.source.weight.T
        power = float(np.sum(weight**2))
        scale = self.programmed.scale
        return float(np.sum((self.programmed.weights * scale - weight) ** 2)) / power if power else 0.0

    @property
    def converter_error(self) -> float:
        """Squares of the errors of all codes, as a share of those of the currents."""
        c = self.counts
        return (c.rounding + c.clipping) / c.power if c.power else 0.0


@dataclass(frozen=True, eq=False)
class Activation:
    """A layer in real numbers, in units of its threshold: the largest value of every column, float64 [columns], and the
    share of the positive values that are above 1.
    """

    __repr__ = short_repr

    largest: NDArray[np.float64]
    above_one: float


@dataclass(frozen=True, eq=False)
class Measures:
    """A chip on some images.

    Parameters
    ----------
    programmed, pixels, labels : the chip; uint8 [images, inputs]; int64 [images] or None
    result : what the chip gave
    layers : of the network, first to last
    stages : the classes after every stage of the conversion
    nir : whether its neurons are those of a NIR file
    """

    __repr__ = short_repr

    chip: Compiled
    programmed: ProgrammedChip
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    result: Result
    layers: Sequence[LayerMeasures]
    stages: Stages
    nir: bool

    def activation(self, layer: LayerMeasures) -> Activation | None:
        """What the layer gives in real numbers; None for NIR, tuned thresholds, and a chip that was loaded."""
        return None if self._activations is None else self._activations[layer.index]

    @cached_property
    def _activations(self) -> list[Activation] | None:
        passes = self.chip.passes
        if passes is None or passes.untuned is not None:
            return None
        return _activations(passes.normalised, self.pixels)

    def clipped(self, layer: LayerMeasures) -> bool:
        """Whether much of what a layer's neurons ought to fire is above a rate of 1."""
        activation = None if layer.last else self.activation(layer)
        return activation is not None and activation.above_one >= BEYOND

    def spikes_count(self, layer: LayerMeasures) -> bool:
        """Whether anything reads the spikes of a layer."""
        return not layer.last or self.programmed.readout == Readout.SPIKES

    @property
    def stuck(self) -> bool:
        """Whether a layer whose spikes are read never fires, or fires always."""
        return any(
            layer.silent.all() or (layer.rate >= 0.9 and layer.programmed.reset != Reset.NONE)
            for layer in self.layers
            if self.spikes_count(layer)
        )

    @cached_property
    def hushed(self) -> tuple[tuple[LayerMeasures, NDArray[np.intp], int], ...]:
        """Layers of which half or more of the columns never fire, and half or more of those that ought to fire twice in
        the median number of steps: (layer, the columns that ought to and do not, how many ought to).
        """
        periods = float(np.median(self.result.steps)) / self.programmed.parameters.phases
        found = []
        for layer in self.layers[:-1]:
            activation = self.activation(layer) if 2 * layer.silent.sum() >= len(layer.silent) else None
            if activation is not None:
                expected = activation.largest * periods + layer.programmed.v0 / layer.programmed.theta >= 2.0
                silent = np.flatnonzero(expected & layer.silent)
                if expected.sum() >= EXPECTED and 2 * len(silent) >= expected.sum():
                    found.append((layer, silent, int(expected.sum())))
        return tuple(found)

    @cached_property
    def one_class(self) -> bool:
        """Whether the chip gives one class for all of at least 32 images, of which a tenth or more are of others."""
        classes = self.result.classes
        others = float(np.mean(self.stages.truth != classes[0]))
        return len(classes) >= FEW and bool((classes == classes[0]).all()) and others >= 0.1


def measure(
    chip: Compiled, programmed: ProgrammedChip, pixels: NDArray[np.uint8], labels: NDArray[np.int64] | None
) -> Measures:
    """Run `programmed`, which is the chip's or one of cheaper devices, over the images and count."""
    observer = Observer(programmed)
    # one thread: sums of real numbers must not depend on how many processors there are
    result = run_reference(programmed, pixels, threads=1, observe=observer)
    network = chip.network
    plan = programmed.parameters.plan
    layers = []
    for index, (number, stage) in enumerate(plan.crossbar_stages):
        parts = list(stage.layers)
        layers.append(
            LayerMeasures(
                name=programmed.layers[parts[0]].name,
                index=index,
                last=index == len(plan.crossbar_stages) - 1,
                programmed=programmed.layers[parts[0]],
                counts=observer.counts(parts),
                saturations=int(result.activity["saturations"][:, parts].sum()),
                positions=plan.maps[number + 1].positions,
                top=programmed.device.levels - 1,
                source=None if network is None else network.layers[index],
            )
        )
    stages = Stages(chip, programmed, pixels, labels, result.classes)
    return Measures(
        chip, programmed, pixels, labels, result, layers, stages, network is not None and chip.passes is None
    )


def _activations(network: Network, pixels: NDArray[np.uint8]) -> list[Activation]:
    found = []
    for layer, values in zip(network.stages, network.activations(pixels), strict=True):
        if isinstance(layer, SpikingLayer):
            positive = int(np.count_nonzero(values > 0.0))
            above = int(np.count_nonzero(values > 1.0 + 1e-6))
            largest = values.reshape(-1, layer.outputs).max(axis=0).astype(np.float64)
            found.append(Activation(largest, above / positive if positive else 0.0))
    return found
