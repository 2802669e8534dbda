"""How often what costs energy happens: whole numbers per image, from what a result has counted and from the hardware's
structure.

The reference and the Verilog give the same numbers, but for clock cycles, which the reference does not have. Where the
hardware does more than it has to, such as memory words with lanes past the last output, that is counted too. Two
numbers are upper ends: the encoder has begun on the vector after the last one, and the loader on its map, when an image
is decided, and both are counted as whole (`Events.vectors`, `Events.images_written`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.params.plan import MapShape, Window, shared_columns
from spikeloom.sim.chip.energy_calibration import Calibration
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.short_repr import short_repr

__all__ = ["Count", "Events", "words_inside"]

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Count:
    """Events at one place.

    Parameters
    ----------
    place : a layer's name, or "encoder", "map 1", "unit"
    events : int64 [images]; None where it takes clock cycles that are not known
    scale : what the coefficient is multiplied with
    layer : number of the layer, where the place is one
    calibrated : whether a calibration of the chip's energies holds here, if it has the part: not in memories outside
    """

    place: str
    events: Counts | None
    scale: float = 1.0
    layer: int | None = None
    calibrated: bool = True

    __repr__ = short_repr


class Events:
    """A result with the programmed chip that it is of; what both say of every layer.

    Raises ValueError where they have another number of layers.
    """

    def __init__(self, chip: ProgrammedChip, result: Result) -> None:
        if result.spikes.shape[1] != len(chip.layers):
            raise SpikeLoomError(
                f"The result has {result.spikes.shape[1]} layers, but the programmed chip has {len(chip.layers)}"
            )
        self.chip = chip
        self.result = result
        self.parameters = chip.parameters
        self.shapes = chip.parameters.layers
        self.steps: Counts = result.steps.astype(np.int64)

    @cached_property
    def runs(self) -> Counts:
        """Steps in which each layer ran, int64 [images, layers]; the last one is not run in skipped periods."""
        runs = np.repeat(self.steps[:, None], len(self.shapes), axis=1)
        runs[:, -1] -= self.chip.skip * self.parameters.phases
        return runs

    @property
    def calibration(self) -> Calibration | None:
        """The chip's, if its energies are calibrated."""
        return self.chip.energy.calibration

    def cycles(self, place: str, times: int = 1) -> list[Count]:
        """Clock cycles, times a number; not known where the result has none."""
        cycles = self.result.cycles
        return [Count(place, None if cycles is None else cycles.astype(np.int64) * times)]

    @property
    def vectors(self) -> Counts:
        """Vectors that the encoder makes of an image, int64 [images]: one ahead of the first layer, two of a map."""
        return self.steps + (1 if self.parameters.plan.is_dense_chain else 2)

    @property
    def images_written(self) -> Counts:
        """Times that the image's map is written, int64 [images]: the next step's while the layers work."""
        return self.steps + 1

    def words(self, layer: int) -> Counts:
        """Column groups that pass from a layer's converters through its neurons, int64 [images]."""
        shape = self.shapes[layer]
        return self.runs[:, layer] * (shape.positions * shape.groups)

    def by_layer(self, counted: list[Counts], scales: list[float] | None = None) -> list[Count]:
        """Counts of all layers."""
        scales = [1.0] * len(counted) if scales is None else scales
        return [
            Count(self.chip.layers[index].name, events, scale, index)
            for index, (events, scale) in enumerate(zip(counted, scales, strict=True))
        ]

    def activity(self, name: str) -> list[Counts]:
        """What was counted in each layer; `ValueError` for what nobody has counted."""
        if name in COUNTERS:
            self.result.check_counted()
        else:
            self.result.check_loads()
        return list(self.result.activity[name].T)


def words_inside(window: Window, shape: MapShape) -> int:
    """Words of a map that a stage reads through a window in a step, padding left out: as `hw.feature_maps.window_walk`
    does, columns that a window shares with the one on its left are not read again.
    """
    outputs = window.outputs(shape)
    kept = shared_columns(window, shape)
    found = []
    for count, size, kernel, stride, padding, again in zip(
        outputs, (shape.height, shape.width), window.kernel, window.stride, window.padding, (0, kept), strict=True
    ):
        at, offset = np.arange(count)[:, None], np.arange(kernel)
        places = at * stride - padding + offset
        found.append(int(((places >= 0) & (places < size) & ((at == 0) | (offset >= again))).sum()))
    return found[0] * found[1]


def full_scale(shape: LayerParameters) -> float:
    """The largest row code, S."""
    return 255.0 if shape.row_bits == 8 else 1.0
