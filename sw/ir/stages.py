"""Every kind of stage in real numbers, if it is no crossbar: on activations, and on spikes step by step.

Maps are arrays [images, values] in the hardware's order (`hw.params.plan`). Crossbars are read by
`sw.ir.window_reader`, whatever their windows are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parts import Parts
from spikeloom.hw.params.plan import MapShape
from spikeloom.hw.params.stage_kinds import AveragePoolStage, CrossbarStage, MaxPoolStage, PoolStage
from spikeloom.sim.common.kernels import kernel

__all__ = ["REAL", "RealStage", "pool_blocks", "pool_max"]

T = TypeVar("T", bound=np.generic)
Floats = NDArray[np.floating]


class RealStage(Protocol):
    """A kind of stage in real numbers.

    stage : of the kind
    shapes, maps : of what its windows read; [images, values] each
    """

    def values(
        self, stage: Any, shapes: Sequence[MapShape], maps: Sequence[NDArray[np.floating]]
    ) -> NDArray[np.floating]:
        """Its map of activations, [images, values]."""
        ...

    def start(self, stage: Any, shapes: Sequence[MapShape], count: int) -> NDArray[np.float32]:
        """What it keeps at the start of `count` images, [images, ...]."""
        ...

    def step(
        self,
        stage: Any,
        shapes: Sequence[MapShape],
        state: NDArray[np.float32],
        maps: Sequence[NDArray[np.float32]],
        gain: np.float32,
    ) -> NDArray[np.float32]:
        """One step on maps of spikes, 0 and 1, which weigh `gain`: its spikes; what it keeps changes in place."""
        ...


class MaxValues:
    """MAX: the input with the largest sum passes."""

    def values(self, stage: PoolStage, shapes: Sequence[MapShape], maps: Sequence[Floats]) -> Floats:
        blocks = pool_blocks(maps[0], shapes[0], stage.window.kernel)
        return blocks.max(axis=3).reshape(len(maps[0]), -1)  # type: ignore[no-any-return]

    def start(self, stage: PoolStage, shapes: Sequence[MapShape], count: int) -> NDArray[np.float32]:
        """Sums of the inputs."""
        return np.zeros((count, shapes[0].size), np.float32)

    def step(
        self,
        stage: PoolStage,
        shapes: Sequence[MapShape],
        state: NDArray[np.float32],
        maps: Sequence[NDArray[np.float32]],
        gain: np.float32,
    ) -> NDArray[np.float32]:
        (source,), (spikes,) = shapes, maps
        height, width = stage.window.outputs(source)
        fired = np.empty((len(spikes), height * width * source.channels), np.float32)
        pool_max(state, np.ascontiguousarray(spikes), gain, source.height, source.width, *stage.window.kernel, fired)
        return fired


class AverageValues:
    """AVERAGE: integrates, and fires at the window's size."""

    def values(self, stage: PoolStage, shapes: Sequence[MapShape], maps: Sequence[Floats]) -> Floats:
        blocks = pool_blocks(maps[0], shapes[0], stage.window.kernel)
        return _mean(blocks).reshape(len(maps[0]), -1)

    def start(self, stage: PoolStage, shapes: Sequence[MapShape], count: int) -> NDArray[np.float32]:
        """V of the outputs."""
        height, width = stage.window.outputs(shapes[0])
        return np.full((count, height * width * shapes[0].channels), stage.start, np.float32)

    def step(
        self,
        stage: PoolStage,
        shapes: Sequence[MapShape],
        state: NDArray[np.float32],
        maps: Sequence[NDArray[np.float32]],
        gain: np.float32,
    ) -> NDArray[np.float32]:
        inputs = pool_blocks(maps[0], shapes[0], stage.window.kernel)
        threshold = stage.window.size * gain
        state += inputs.sum(axis=3).reshape(len(maps[0]), -1) * gain
        over = state >= threshold
        state -= over * threshold
        return over.astype(np.float32)


def pool_blocks(values: NDArray[T], shape: MapShape, kernel: tuple[int, int]) -> NDArray[T]:
    """Windows that do not overlap of maps [images, values]: [images, height, width, kernel values, channels].

    Kernel values are in the order dy, dx; a rest at the rim is left out.
    """
    height, width = shape.height // kernel[0], shape.width // kernel[1]
    maps = values.reshape(len(values), shape.height, shape.width, shape.channels)
    maps = maps[:, : height * kernel[0], : width * kernel[1]]
    blocks = maps.reshape(len(values), height, kernel[0], width, kernel[1], shape.channels)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(len(values), height, width, -1, shape.channels)


def _mean(blocks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Means over axis 3, added up one after another: NumPy's own order depends on the array's shape."""
    total: NDArray[np.floating] = blocks[:, :, :, 0].copy()
    for index in range(1, blocks.shape[3]):
        total += blocks[:, :, :, index]
    mean: NDArray[np.floating] = total / blocks.shape[3]
    return mean


@kernel(nogil=True)
def pool_max(state, spikes, gain, height, width, kernel_height, kernel_width, fired):  # type: ignore[no-untyped-def]
    """One step of a MAX pooling unit: each window passes on what its most active input fires, the first of equals.

    state : float32 [images, height * width * channels], sums of the inputs' spikes, in place
    spikes : float32 of the same shape, 0 or 1, which weigh `gain`
    fired : float32 [images, windows * channels], written; windows do not overlap, a rest at the rim is left out
    """
    channels = state.shape[1] // (height * width)
    columns = width // kernel_width
    for b in range(state.shape[0]):
        for i in range(state.shape[1]):
            state[b, i] += spikes[b, i] * gain
        for y in range(height // kernel_height):
            for x in range(columns):
                first = (y * kernel_height * width + x * kernel_width) * channels
                for c in range(channels):
                    best = first + c
                    for dy in range(kernel_height):
                        for dx in range(kernel_width):
                            at = first + (dy * width + dx) * channels + c
                            if state[b, at] > state[b, best]:
                                best = at
                    fired[b, (y * columns + x) * channels + c] = spikes[b, best]


REAL: Parts[RealStage | None] = Parts("form in real numbers", "sw.ir.stages.REAL")
"""Every kind of stage in real numbers; None for crossbars."""
REAL.add(CrossbarStage, None)
REAL.add(MaxPoolStage, MaxValues())
REAL.add(AveragePoolStage, AverageValues())
