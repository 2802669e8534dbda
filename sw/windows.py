"""Sums over windows in real numbers, whole batches at once: what a crossbar's columns carry at every position.

Maps are arrays [images, values] in the hardware's order (`hw.geometry`), which is PyTorch's channels-last; windows are
read by PyTorch's convolutions. A layer with one position that reads one whole map is a matrix product of NumPy.

Most of these convolutions are small. Shared by PyTorch's own threads, each would end with threads that wait for one
another, in a loop that takes the processor from whatever else is running: a few of them took twenty times as long. So
each runs in one thread, and the images of a large one are shared.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from hw.geometry import CrossbarStage, MapShape, Plan, Window
from sim.threads import in_order, processors

__all__ = ["Kernels", "WindowReader", "map_order", "pool_blocks"]

Kernels = tuple[Any, ...]
"""A layer's weights as `WindowReader.sums` takes them: an array or tensor a window, None where no row conducts."""
T = TypeVar("T", bound=np.generic)
_SHARED_FROM = 1 << 27
"""Products of a layer from which its images are shared by threads: a few milliseconds of one."""


class WindowReader:
    """Reads the windows of one crossbar stage."""

    def __init__(self, plan: Plan, stage: CrossbarStage) -> None:
        self.windows = stage.windows
        self.shapes = tuple(plan.maps[window.source] for window in stage.windows)
        self.outputs = plan.channels[stage.layer]
        height, width = self.windows[0].outputs(self.shapes[0])
        self.positions = height * width
        self.dense = len(self.windows) == 1 and _is_whole(self.windows[0], self.shapes[0])

    def kernels(self, weight: NDArray[np.floating], rows: slice | None = None) -> Kernels:
        """Weights [rows, columns] made ready; with `rows` only those rows conduct (not for a dense layer)."""
        if self.dense:
            assert rows is None
            return (weight,)
        if rows is not None:
            kept = np.zeros_like(weight)
            kept[rows] = weight[rows]
            weight = kept
        ready: list[Any] = []
        start = 0
        for window, shape in zip(self.windows, self.shapes, strict=True):
            stop = start + window.rows(shape)
            if rows is None or (rows.start < stop and rows.stop > start):
                # [dy, dx, channel, column] -> [column, channel, dy, dx]
                kernel = weight[start:stop].reshape(*window.kernel, shape.channels, weight.shape[1])
                ready.append(torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), np.float32)))
            else:
                ready.append(None)
            start = stop
        return tuple(ready)

    def sums(self, maps: Sequence[NDArray[np.floating] | None], kernels: Kernels) -> NDArray[np.floating]:
        """Sums [images, positions * columns] of the maps (0 is the image) that the windows read; others may be None.

        Of a matrix product's own type if there is one position and one whole map, else float32.
        """
        if self.dense:
            x = maps[self.windows[0].source]
            assert x is not None
            return x @ kernels[0]
        count = next(len(values) for values in maps if values is not None)
        columns = next(kernel.shape[0] for kernel in kernels if kernel is not None)
        rows = sum(kernel[0].numel() for kernel in kernels if kernel is not None)
        shares = min(processors(), count) if count * self.positions * rows * columns >= _SHARED_FROM else 1
        out = np.empty((count, self.positions * columns), np.float32)

        def work(part: slice) -> None:
            self._convolve(maps, kernels, part, out[part])

        edges = [count * share // shares for share in range(shares + 1)]
        with _one_thread():
            parts = [slice(*pair) for pair in itertools.pairwise(edges)]
            for _ in in_order(work, parts, shares) if shares > 1 else map(work, parts):
                pass
        return out

    def _convolve(
        self, maps: Sequence[NDArray[np.floating] | None], kernels: Kernels, part: slice, out: NDArray[np.float32]
    ) -> None:
        """The sums of a part of the images, written to `out`."""
        total: torch.Tensor | None = None
        for window, shape, kernel in zip(self.windows, self.shapes, kernels, strict=True):
            values = maps[window.source]
            if kernel is None:
                continue
            assert values is not None
            x = torch.from_numpy(np.ascontiguousarray(values[part], np.float32))
            x = x.view(len(x), shape.height, shape.width, shape.channels).permute(0, 3, 1, 2)
            sums = F.conv2d(x, kernel, stride=window.stride, padding=window.padding)
            total = sums if total is None else total + sums
        assert total is not None
        out.reshape(len(out), -1, total.shape[1])[:] = total.flatten(2).transpose(1, 2).numpy()

    def spread(self, bias: NDArray[T]) -> NDArray[T]:
        """A bias [outputs] for every position, [positions * outputs]."""
        return bias if self.positions == 1 else np.tile(bias, self.positions)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch without threads of its own; those that begin here inherit it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _is_whole(window: Window, shape: MapShape) -> bool:
    return window.kernel == (shape.height, shape.width) and window.padding == (0, 0)


def map_order(pixels: NDArray[T], shape: MapShape) -> NDArray[T]:
    """Images [images, pixels] of PyTorch's order as maps [images, values] of the hardware's."""
    if shape.channels == 1 or shape.positions == 1:
        return pixels
    return np.ascontiguousarray(
        pixels.reshape(len(pixels), shape.channels, shape.positions).transpose(0, 2, 1)
    ).reshape(len(pixels), -1)


def pool_blocks(values: NDArray[T], shape: MapShape, kernel: tuple[int, int]) -> NDArray[T]:
    """Windows that do not overlap of maps [images, values]: [images, height, width, kernel values, channels].

    Kernel values are in the order dy, dx; a rest at the rim is left out.
    """
    height, width = shape.height // kernel[0], shape.width // kernel[1]
    maps = values.reshape(len(values), shape.height, shape.width, shape.channels)
    maps = maps[:, : height * kernel[0], : width * kernel[1]]
    blocks = maps.reshape(len(values), height, kernel[0], width, kernel[1], shape.channels)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(len(values), height, width, -1, shape.channels)
