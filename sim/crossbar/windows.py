"""Windows of feature maps: the rows that a layer's crossbar sees at each of its output positions.

Maps are arrays [images, positions * channels], position slowest: index = position * channels + channel, as
everywhere. An image's pixels come channel by channel and are brought into that order once.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.row_sums import ListedValues, list_driven
from spikeloom.sim.crossbar.window_sums import WindowScatter

__all__ = ["Driven", "LayerWindows", "MapLists", "map_of_pixels", "map_of_replicas", "whole_vectors", "window_runs"]

T = TypeVar("T", bound=np.generic)


def map_of_pixels(pixels: NDArray[T], shape: MapShape) -> NDArray[T]:
    """Pixels or their row codes, [images, channels * positions] with channels slowest as PyTorch has them, as a map."""
    if shape.channels == 1 or shape.positions == 1:
        return pixels
    return np.ascontiguousarray(
        pixels.reshape(len(pixels), shape.channels, shape.positions).transpose(0, 2, 1).reshape(len(pixels), shape.size)
    )


def map_of_replicas(parts: Sequence[NDArray[Any]], channels: int) -> NDArray[Any]:
    """Values of a stage's replicas, each [..., own positions * channels], as those of the stage: position p is replica
    p % replicas' own position p // replicas. Of a single replica, its array itself.
    """
    if len(parts) == 1:
        return parts[0]
    shape = parts[0].shape[:-1]
    joined = np.empty((*shape, sum(part.shape[-1] for part in parts) // channels, channels), parts[0].dtype)
    for replica, part in enumerate(parts):
        joined[..., replica :: len(parts), :] = part.reshape(*shape, -1, channels)
    return joined.reshape(*shape, -1)


def window_runs(window: Window, shape: MapShape) -> NDArray[np.int64]:
    """Runs of map positions that a window covers, int64 [output positions, kernel height, 3].

    A run is (from, to, shift): positions from .. to - 1 of the map, in one line of it; the value at place n of the map
    (n = position * channels + channel) is row n + shift of the window. A run outside of the map is empty.
    """
    height, width = window.outputs(shape)
    y, x, dy = np.ogrid[:height, :width, : window.kernel[0]]
    line = y * window.stride[0] - window.padding[0] + dy
    left = x * window.stride[1] - window.padding[1]
    start, stop = np.maximum(left, 0), np.minimum(left + window.kernel[1], shape.width)
    inside = (line >= 0) & (line < shape.height) & (stop > start)
    base = line * shape.width
    shift = (dy * window.kernel[1] - (base + left)) * shape.channels
    runs = np.stack(np.broadcast_arrays(base + start, base + stop, shift), axis=-1)
    runs[~inside] = 0
    return runs.reshape(height * width, window.kernel[0], 3)


@dataclass(frozen=True, eq=False)
class Driven:
    """The reads of a layer for a batch of images: windows, and the values of the maps beneath them that are not 0.

    Parameters
    ----------
    runs : int32 [positions, runs, 3], see `sim.crossbar.row_sums.list_rows`
    values : the listed values
    spread : where each value goes, for windows at several positions
    """

    runs: NDArray[np.int32]
    values: ListedValues
    spread: WindowScatter | None = None

    __repr__ = short_repr


def whole_vectors(codes: NDArray[np.uint8]) -> Driven:
    """Reads with row vectors, uint8 [images, rows]: each is the window of its image's only position."""
    images, rows = codes.shape
    first, counts = np.empty((images, 2), np.int32), np.zeros(images, np.int32)
    where, factors = np.empty((images, rows + 1), np.int32), np.empty((images, rows + 1), np.uint8)
    list_driven(np.ascontiguousarray(codes, np.uint8), rows, 0, counts, first, where, factors)
    return Driven(_WHOLE, ListedValues(first, where, factors))


def _starts(plan: Plan) -> list[int]:
    """Where the positions of every map begin when those of all maps follow one another, an end behind each map."""
    return [0, *np.cumsum([shape.positions + 1 for shape in plan.maps]).tolist()]


class LayerWindows:
    """The windows of one layer: of a crossbar stage, or of one of its replicas. `of` has those of a plan.

    Attributes
    ----------
    runs : int32 [positions, runs, 3] of all its windows, for the maps as `MapLists` lists them
    positions : output positions of its own, each a read of the crossbar
    spread : where the values of those maps go; None with a single position, where no windows overlap
    """

    def __init__(self, plan: Plan, stage: CrossbarStage, number: int = 0) -> None:
        """`number` is that of the replica, 0 .. stage.replicas - 1."""
        starts = _starts(plan)
        parts, rows = [], 0
        for window in stage.windows:
            shape = plan.maps[window.source]
            whole = window == Window.whole(window.source, shape)
            runs = np.array([[[0, shape.positions, 0]]]) if whole else window_runs(window, shape)
            runs[..., :2] += starts[window.source]
            runs[..., 2] += rows
            parts.append(runs)
            rows += window.rows(shape)
        self.runs = np.ascontiguousarray(np.concatenate(parts, axis=1)[number :: stage.replicas], np.int32)
        self.positions = len(self.runs)
        begins = [starts[window.source] for window in stage.windows]
        self.spread = None
        if self.positions > 1:
            self.spread = WindowScatter(stage.windows, plan.sources(stage), begins, stage.replicas, number)

    @staticmethod
    @functools.lru_cache(maxsize=8)
    def of(plan: Plan) -> tuple[LayerWindows, ...]:
        """The windows of every layer, kept for the next run of the same plan."""
        return tuple(LayerWindows(plan, placement.stage, placement.replica) for placement in plan.placements)


class MapLists:
    """What is not 0 in the maps of a step, listed once for all the windows that read it.

    Parameters
    ----------
    plan : of the unit
    images : most of a batch
    coded : whether the image's map has row codes; all other values are 0 and 1
    """

    def __init__(self, plan: Plan, images: int, coded: bool) -> None:
        self._shapes, self._starts = plan.maps, _starts(plan)
        stages = (stage for _, stage in plan.crossbar_stages)
        self._read = {window.source for stage in stages for window in stage.windows}
        values = 1 + sum(plan.maps[source].size for source in self._read)
        self._first = np.zeros((images, self._starts[-1]), np.int32)
        self._where = np.empty((images, values), np.int32)
        self._factors = np.empty((images, 1 + plan.input.size if coded else 0), np.uint8)
        self._counts = np.zeros(images, np.int32)

    def clear(self) -> None:
        """Begin a step."""
        self._counts[:] = 0

    def add(self, number: int, codes: NDArray[np.uint8]) -> None:
        """List map `number`, uint8 [images, size], if a crossbar reads it; maps come in the order of their numbers."""
        if number in self._read:
            factors = self._factors if number == 0 else self._factors[:, :0]
            list_driven(
                codes, self._shapes[number].channels, self._starts[number], self._counts, self._first, self._where,
                factors,
            )  # fmt: skip

    def driven(self, windows: LayerWindows, part: slice) -> Driven:
        """The reads of a layer for a part of the images."""
        values = ListedValues(self._first[part], self._where[part], self._factors[part])
        return Driven(windows.runs, values, windows.spread)


_WHOLE = np.array([[[0, 1, 0]]], np.int32)
