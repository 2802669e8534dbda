"""The reference of every stage kind except crossbars (`sim.reference.layer`): feature maps in, feature maps out.

Pooling takes each channel on its own. In the phase that shifts by s = K - 1 - p, for a window of n inputs in the order
dy, dx:

    MAX       a_i <- a_i + (spike_i << s) for every input; the spike of the input with the largest a passes, the first
              of equals [WS 4.5]
    AVERAGE   v <- v + (number of spikes << s); a spike where v >= n << s, then v <- v - (n << s)

a starts an image at 0, v at the stage's `start`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parts import Parts
from spikeloom.hw.params.plan import MapShape, Plan
from spikeloom.hw.params.stage_kinds import AveragePoolStage, CrossbarStage, MaxPoolStage, PoolStage
from spikeloom.sim.common.kernels import kernel

__all__ = ["REFERENCES", "StageRun", "StageRuns"]


class StageRun(Protocol):
    """One stage for a batch of images."""

    def step(self, maps: Sequence[NDArray[np.uint8]], live: NDArray[np.int64], shift: int) -> NDArray[np.uint8]:
        """One step of the images numbered `live`, in the phase that shifts by so much.

        maps : uint8 [live, inputs], 0 and 1, what each of its windows reads

        Returns its map, uint8 [live, outputs].
        """
        ...


class _Shape(NamedTuple):
    """Windows in each direction, channels, a window's inputs in each direction, and inputs of a line of the map."""

    height: int
    width: int
    channels: int
    kernel_y: int
    kernel_x: int
    line: int


@kernel(nogil=True)
def _max_step(
    codes: NDArray[np.uint8],
    live: NDArray[np.int64],
    sums: NDArray[np.int32],
    windows: _Shape,
    shift: int,
    out: NDArray[np.uint8],
) -> None:
    """One step; codes uint8 [live, inputs], sums int32 [images, inputs], out uint8 [live, outputs]."""
    height, width, channels, kernel_y, kernel_x, line = windows
    best, length = np.empty(channels, np.int32), np.uint64(channels)
    for b in range(codes.shape[0]):
        chip = live[b]
        for y in range(height):
            for x in range(width):
                at = np.uint64((y * width + x) * channels)
                best[:] = -1
                for dy in range(kernel_y):
                    for dx in range(kernel_x):
                        place = np.uint64(((y * kernel_y + dy) * line + x * kernel_x + dx) * channels)
                        for c in range(length):
                            spike = codes[b, place + c]
                            total = np.int32(sums[chip, place + c] + (np.int32(spike) << shift))
                            sums[chip, place + c] = total
                            out[b, at + c] = spike if total > best[c] else out[b, at + c]
                            best[c] = max(total, best[c])


@kernel(nogil=True)
def _average_step(
    codes: NDArray[np.uint8],
    live: NDArray[np.int64],
    sums: NDArray[np.int32],
    windows: _Shape,
    shift: int,
    out: NDArray[np.uint8],
) -> None:
    """One step; codes uint8 [live, inputs], sums int32 [images, outputs], out uint8 [live, outputs]."""
    height, width, channels, kernel_y, kernel_x, line = windows
    threshold = np.int32((kernel_y * kernel_x) << shift)
    count = np.empty(channels, np.int32)
    for b in range(codes.shape[0]):
        chip = live[b]
        for y in range(height):
            for x in range(width):
                at = (y * width + x) * channels
                count[:] = 0
                for dy in range(kernel_y):
                    for dx in range(kernel_x):
                        place = ((y * kernel_y + dy) * line + x * kernel_x + dx) * channels
                        for c in range(channels):
                            count[c] += codes[b, place + c]
                for c in range(channels):
                    total = np.int32(sums[chip, at + c] + (count[c] << shift))
                    fires = total >= threshold
                    sums[chip, at + c] = total - threshold if fires else total
                    out[b, at + c] = np.uint8(fires)


class _Windows:
    """What both kinds know: shapes, and sums of a batch of images."""

    def __init__(self, stage: PoolStage, source: MapShape, sums: NDArray[np.int32]) -> None:
        height, width = stage.window.outputs(source)
        self._sums = sums
        self._shape = tuple(_Shape(height, width, source.channels, *stage.window.kernel, source.width))
        self._size = height * width * source.channels


class MaxPool(_Windows):
    """MAX pooling of a batch of images."""

    def __init__(self, stage: PoolStage, sources: Sequence[MapShape], images: int) -> None:
        (source,) = sources
        super().__init__(stage, source, np.zeros((images, source.size), np.int32))

    def step(self, maps: Sequence[NDArray[np.uint8]], live: NDArray[np.int64], shift: int) -> NDArray[np.uint8]:
        out = np.empty((len(live), self._size), np.uint8)
        _max_step(maps[0], live, self._sums, self._shape, shift, out)
        return out


class AveragePool(_Windows):
    """AVERAGE pooling of a batch of images."""

    def __init__(self, stage: PoolStage, sources: Sequence[MapShape], images: int) -> None:
        (source,) = sources
        height, width = stage.window.outputs(source)
        super().__init__(stage, source, np.full((images, height * width * source.channels), stage.start, np.int32))

    def step(self, maps: Sequence[NDArray[np.uint8]], live: NDArray[np.int64], shift: int) -> NDArray[np.uint8]:
        out = np.empty((len(live), self._size), np.uint8)
        _average_step(maps[0], live, self._sums, self._shape, shift, out)
        return out


REFERENCES: Parts[Callable[[Any, Sequence[MapShape], int], StageRun] | None] = Parts(
    "reference", "sim.reference.stages.REFERENCES"
)
"""The reference of every kind of stage, called with the stage, the maps that its windows read and the number of images;
None for crossbars, whose layers run on arrays.
"""
REFERENCES.add(CrossbarStage, None)
REFERENCES.add(MaxPoolStage, MaxPool)
REFERENCES.add(AveragePoolStage, AveragePool)


class StageRuns:
    """The stages of a plan that are no crossbars, for a batch of so many images."""

    def __init__(self, plan: Plan, images: int) -> None:
        self._plan = plan
        made = {number: REFERENCES[type(stage)] for number, stage in enumerate(plan.stages)}
        self._runs = {
            number: make(plan.stages[number], plan.sources(plan.stages[number]), images)
            for number, make in made.items()
            if make is not None
        }

    def __contains__(self, number: object) -> bool:
        return number in self._runs

    def step(
        self, number: int, maps: Sequence[NDArray[np.uint8]], live: NDArray[np.int64], shift: int
    ) -> NDArray[np.uint8]:
        """One step of stage `number`, of the maps made so far; see `StageRun`."""
        read = [maps[window.source] for window in self._plan.stages[number].windows]
        return self._runs[number].step(read, live, shift)
