"""Floating-point sums over windows, for whole batches: the values on a crossbar's columns at every position.

Maps are arrays [images, values] in the hardware's order (`hw.params.plan`), which is PyTorch's channels-last. An
image's sums are a function of that image and the layer: not of the images beside it, of how they are shared by threads,
or of the processor (`sw.ir.window_sums`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.sim.common.threads import in_order, processors
from spikeloom.sim.crossbar.windows import window_runs
from spikeloom.sw.ir.window_sums import add_windows, list_values

__all__ = ["WindowReader"]

T = TypeVar("T", bound=np.generic)
_SHARED_FROM = 1 << 27
"""Products of a layer from which its images are shared by threads: some ten milliseconds of one."""
_LISTED = 1 << 20
"""Values of a map that are listed at a time, twelve bytes each."""
_BLOCK = 1 << 16
"""Weights that are used for all images before the next ones: half a megabyte."""


class WindowReader:
    """Reads the windows of one crossbar stage."""

    def __init__(self, plan: Plan, stage: CrossbarStage) -> None:
        self.windows = stage.windows
        self.shapes = tuple(plan.maps[window.source] for window in stage.windows)
        self.outputs = plan.channels[stage.layer]
        height, width = self.windows[0].outputs(self.shapes[0])
        self.positions = height * width
        self.dense = len(self.windows) == 1 and _is_whole(self.windows[0], self.shapes[0])
        self._runs = tuple(_runs(window, shape) for window, shape in zip(self.windows, self.shapes, strict=True))

    def sums(
        self, maps: Sequence[NDArray[np.floating] | None], weight: NDArray[np.float64], dtype: DTypeLike = np.float32
    ) -> NDArray[np.floating]:
        """Sums [images, positions * columns] of all rows; see `read`."""
        return self.read(maps, weight, dtype=dtype)[0]

    def read(
        self,
        maps: Sequence[NDArray[np.floating] | None],
        weight: NDArray[np.float64],
        rows: slice | None = None,
        dtype: DTypeLike = np.float32,
    ) -> tuple[NDArray[np.floating], NDArray[np.int32]]:
        """Sums [images, positions * columns] of what the windows read, and rows driven, int32 [images, positions].

        Each block of rows is added up in double precision, and rounded to `dtype` when it is added to the sums.

        Parameters
        ----------
        maps : float32 or float64 [images, values] each, 0 is the image; those that are not read may be None
        weight : float64 [rows, columns]
        rows : the only ones that conduct; all by default
        dtype : float32 or float64, of the sums
        """
        first, last = (0, len(weight)) if rows is None else (rows.start, rows.stop)
        weight = np.ascontiguousarray(weight, np.float64)
        count, columns = next(len(values) for values in maps if values is not None), weight.shape[1]
        sums = np.zeros((count, self.positions * columns), dtype)
        driven = np.zeros((count, self.positions), np.int32)

        def work(part: slice) -> None:
            start = 0
            for window, shape, runs in zip(self.windows, self.shapes, self._runs, strict=True):
                stop = start + window.rows(shape)
                begin, end = max(first, start) - start, min(last, stop) - start
                if begin < end:
                    values = maps[window.source]
                    assert values is not None
                    _add(values[part], shape, runs, weight[start:stop], begin, end, sums[part], driven[part])
                start = stop

        threads = processors() if count * self.positions * (last - first) * columns >= _SHARED_FROM else 1
        size = max(1, min(_LISTED // max(shape.size for shape in self.shapes), -(-count // threads)))
        parts = [slice(start, min(start + size, count)) for start in range(0, count, size)]
        for _ in in_order(work, parts, threads) if threads > 1 else map(work, parts):
            pass
        return sums, driven

    def spread(self, bias: NDArray[T]) -> NDArray[T]:
        """A bias [outputs] for every position, [positions * outputs]."""
        return bias if self.positions == 1 else np.tile(bias, self.positions)


def _add(
    values: NDArray[np.floating],
    shape: MapShape,
    runs: NDArray[np.int64],
    weight: NDArray[np.float64],
    begin: int,
    end: int,
    sums: NDArray[np.floating],
    driven: NDArray[np.int32],
) -> None:
    """Add what one window reads of a map [images, values], with the rows begin .. end - 1."""
    if runs is _WHOLE:
        values, weight = values[:, begin:end], weight[begin:end]
        begin, end = 0, end - begin
    count, size = values.shape
    positions = 1 if runs is _WHOLE else shape.positions
    first = np.empty((count, positions + 1), np.int32)
    where, listed = np.empty((count, size + 1), np.int32), np.empty((count, size + 1), np.float64)
    list_values(np.ascontiguousarray(values), size // positions, first, where, listed)
    block = max(16, min(len(weight), _BLOCK // max(1, weight.shape[1])))
    add_windows(first, where, listed, runs, weight, begin, end, block, sums, driven)


_WHOLE = np.array([[[0, 1, 0]]], np.int64)
"""The run of a window that is a whole map, taken as one position."""


def _runs(window: Window, shape: MapShape) -> NDArray[np.int64]:
    return _WHOLE if _is_whole(window, shape) else np.ascontiguousarray(window_runs(window, shape), np.int64)


def _is_whole(window: Window, shape: MapShape) -> bool:
    return window.kernel == (shape.height, shape.width) and window.padding == (0, 0)
