"""Sums over overlapping windows: every value of a map is added to all reads that have it among their rows.

A 3 x 3 convolution reads each spike nine times. Instead of nine lists of rows (`sim.crossbar.row_sums`), each spike is
taken once: the reads of one line of output positions that have it are neighbours, and so are the weights that it meets
there, once the rows of the crossbar are sorted for it. So a spike costs a few long additions, and no row is ever
listed.

    row order    window, then channel, then dy, then the columns dx as neighbouring reads meet a value: those of one
                 remainder of dx by the stride together, falling

Sums of integers are the same in any order, so the results are those of `sim.crossbar.row_sums`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.plan import MapShape, Window
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.crossbar.grids import Grid
from spikeloom.sim.crossbar.row_sums import ListedValues

__all__ = ["SortedGrids", "SpreadTable", "WindowScatter", "scatter_rows"]


_INT = np.int32
WINDOW = np.dtype(
    [("start", _INT), ("positions", _INT), ("channels", _INT), ("weights", _INT), ("bounds", _INT), ("loads", _INT)]
)
"""A window: where the map's positions begin in the list, positions, channels, weights per channel (kernel height x
width), where its positions begin in `SpreadTable.bounds`, where its values begin in `SortedGrids.loads`."""
SEGMENT = np.dtype([("first", _INT), ("reads", _INT), ("place", _INT)])
"""First read, reads, and place in the row order that channel 0 meets the first one at; the next reads meet the next
places."""


class SpreadTable(NamedTuple):
    """Where values go.

    windows : `WINDOW` [windows]
    bounds : int32, segments of position p of window w: bounds[w.bounds + p] .. bounds[w.bounds + p + 1] - 1
    segments : `SEGMENT` [segments]
    order : int32 [rows], the crossbar's row at each place of the row order above
    """

    windows: NDArray[np.void]
    bounds: NDArray[np.int32]
    segments: NDArray[np.void]
    order: NDArray[np.int32]


class SortedGrids(NamedTuple):
    """What a crossbar has at each place of the row order.

    tile_of : int32 [rows], the row tile
    w, q : the grids, integers [rows, columns]
    loads : int64 [values], see `WindowScatter.loads`
    """

    tile_of: NDArray[np.int32]
    w: Grid
    q: Grid
    loads: NDArray[np.int64]


class WindowScatter:
    """Where the values of the maps go that a stage's windows read.

    Parameters
    ----------
    windows, shapes : the windows, and the map that each reads
    starts : where the positions of each window's map begin in the list of `sim.crossbar.windows.MapLists`
    replicas, replica : crossbars that share the positions, and which of them this is (`hw.params.plan`)

    Attributes
    ----------
    table : what the compiled functions take of it
    values : of all the windows' maps
    """

    def __init__(
        self,
        windows: Sequence[Window],
        shapes: Sequence[MapShape],
        starts: Sequence[int],
        replicas: int = 1,
        replica: int = 0,
    ) -> None:
        orders, table, bounds, segments = [], [], [], []
        rows = values = places = before = 0
        for window, shape, start in zip(windows, shapes, starts, strict=True):
            weights = window.size
            table.append((start, shape.positions, shape.channels, weights, places, values))
            counts, found = _segments(window, shape, rows)
            if replicas > 1:
                counts, found = _of_replica(counts, found, replicas, replica)
            bounds.append(before + np.concatenate([[0], np.cumsum(counts)]))
            segments.append(found)
            orders.append(rows + _order(window, shape))
            rows += window.rows(shape)
            values += shape.size
            places += shape.positions + 1
            before += len(found)
        self.table = SpreadTable(
            windows=np.array(table, WINDOW),
            bounds=np.concatenate(bounds).astype(np.int32),
            segments=np.concatenate(segments),
            order=np.concatenate(orders).astype(np.int32),
        )
        self.values = values

    def loads(self, row_conductance: NDArray[np.int64]) -> NDArray[np.int64]:
        """What each value of the windows' maps adds to the conductance count (sum of `row_conductance`, int64 [rows])
        of all reads that have it, int64 [values].
        """
        out = np.empty(self.values, np.int64)
        _fill_loads(tuple(self.table), row_conductance[self.table.order], out)
        return out


def _columns(window: Window) -> NDArray[np.int64]:
    """Columns dx of a window in the row order."""
    stride = window.stride[1]
    parts = [np.arange(window.kernel[1])[rest::stride][::-1] for rest in range(min(stride, window.kernel[1]))]
    return np.concatenate(parts)


def _order(window: Window, shape: MapShape) -> NDArray[np.int64]:
    """Rows of the window, counted from its first, in the row order."""
    height, width = window.kernel
    channel, dy, dx = np.ix_(np.arange(shape.channels), np.arange(height), _columns(window))
    return ((dy * width + dx) * shape.channels + channel).ravel()


def _segments(window: Window, shape: MapShape, rows: int) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    """Segments of every position of the map, int64 [positions], and all of them, `SEGMENT` [segments].

    rows : of the windows before this one
    """
    outputs_y, outputs_x = window.outputs(shape)
    (height, width), (stride_y, stride_x), (pad_y, pad_x) = window.kernel, window.stride, window.padding
    place = np.empty(width, np.int64)
    place[_columns(window)] = np.arange(width)
    lines, columns = [], []
    for y in range(shape.height):
        least, most = -(-(y + pad_y - height + 1) // stride_y), (y + pad_y) // stride_y
        out = np.arange(max(0, least), min(outputs_y - 1, most) + 1)
        lines.append((out, y + pad_y - out * stride_y))
    for x in range(shape.width):
        first = max(0, -(-(x + pad_x - width + 1) // stride_x))
        reads = min(outputs_x - 1, (x + pad_x) // stride_x) - first + 1
        columns.append((first, reads, place[x + pad_x - first * stride_x] if reads > 0 else 0))
    counts, found = [], []
    for out, dy in lines:
        for first, reads, at in columns:
            counts.append(len(out) if reads > 0 else 0)
            if reads > 0:
                found.append(_records(out * outputs_x + first, reads, rows + dy * width + at))
    return np.array(counts), np.concatenate(found) if found else np.empty(0, SEGMENT)


def _records(first: NDArray[np.int64], reads: int, place: NDArray[np.int64]) -> NDArray[np.void]:
    """Segments of so many reads each."""
    segments = np.empty(len(first), SEGMENT)
    segments["first"], segments["reads"], segments["place"] = first, reads, place
    return segments


def _of_replica(
    counts: NDArray[np.int64], segments: NDArray[np.void], replicas: int, replica: int
) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    """Segments of a replica, of one read each: its own reads are those whose number is `replica` modulo `replicas`."""
    reads = segments["reads"]
    each = np.repeat(np.arange(len(segments)), reads)
    offset = np.arange(len(each)) - np.repeat(np.cumsum(reads) - reads, reads)
    read = segments["first"][each] + offset
    own = read % replicas == replica
    position = np.repeat(np.arange(len(counts)), counts)[each]
    of_one = _records(read // replicas, 1, segments["place"][each] + offset)
    return np.bincount(position[own], minlength=len(counts)), of_one[own]


@kernel(nogil=True)
def _fill_loads(table: SpreadTable, conductance: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """See `WindowScatter.loads`; conductance : int64 [rows], in the row order."""
    windows, bounds, segments, _ = table
    for w in range(windows.shape[0]):
        window = windows[w]
        for position in range(window["positions"]):
            base = window["bounds"] + position
            for c in range(window["channels"]):
                total = np.int64(0)
                for s in range(bounds[base], bounds[base + 1]):
                    row = segments[s]["place"] + c * window["weights"]
                    for j in range(segments[s]["reads"]):
                        total += conductance[row + j]
                out[window["loads"] + position * window["channels"] + c] = total


@kernel(nogil=True)
def scatter_rows(
    table: SpreadTable, grids: SortedGrids, values: ListedValues, u: Grid, v: Grid, units: NDArray[np.int64],
    rows: NDArray[np.int64], tiles: NDArray[np.int64], conductance: NDArray[np.int64], pulses: NDArray[np.int64],
) -> None:  # fmt: skip
    """Sums of all reads of a batch of images, those of `sim.crossbar.row_sums.add_rows`, and all with unit 1.

    table : `WindowScatter.table`
    grids : a `SortedGrids`; q is not looked at unless v has as many values as u
    values : a `sim.crossbar.row_sums.ListedValues`; factors of no columns say that all values are 1
    u, v : int32 or int64 [images * positions * row tiles * columns], written
    units : int64 [images * positions, row tiles], written: 1 where a tile is driven, else 0
    rows, tiles, conductance : int64 [images], written: driven rows and tiles, and sum of x^2 * row conductance
    pulses : int64 [crossbar rows], how often a row is driven is added; of length 0 if that is not asked for
    """
    windows, bounds, segments, order = table
    tile_of, w, q, loads = grids
    first, where, factors = values
    images, columns, tile_count = first.shape[0], w.shape[1], units.shape[1]
    positions = units.shape[0] // images
    noisy, weighted = v.shape[0] == u.shape[0], factors.shape[1] > 0
    plain = tile_count == 1 and not weighted
    weights, powers, length = w.reshape(-1), q.reshape(-1), np.uint64(columns)
    units[:] = 0
    u[:] = 0
    if noisy:
        v[:] = 0
    for b in range(images):
        driven, load = np.int64(0), np.int64(0)
        for number in range(windows.shape[0]):
            window = windows[number]
            start, channels, per_channel = window["start"], window["channels"], window["weights"]
            for position in range(window["positions"]):
                low, high = first[b, start + position], first[b, start + position + 1]
                if low == high:
                    continue
                place, to_row, base = window["loads"], -position * channels * per_channel, window["bounds"] + position
                begin, end = bounds[base], bounds[base + 1]
                for s in range(begin, end):
                    driven += (high - low) * segments[s]["reads"]
                    if plain:
                        for j in range(segments[s]["reads"]):
                            units[b * positions + segments[s]["first"] + j, 0] = 1
                for k in range(low, high):
                    value, row = where[b, k], to_row + where[b, k] * per_channel
                    x = np.int64(factors[b, k]) if weighted else np.int64(1)
                    load += x * x * loads[place + value]
                    for s in range(begin, end):
                        read, reads = b * positions + segments[s]["first"], segments[s]["reads"]
                        at = row + segments[s]["place"]
                        if plain:
                            to, a, n = np.uint64(read * columns), np.uint64(at * columns), np.uint64(reads * columns)
                            for i in range(n):
                                u[to + i] += weights[a + i]
                            if noisy:
                                for i in range(n):
                                    v[to + i] += powers[a + i]
                            continue
                        for j in range(at, at + reads):
                            tile = tile_of[j]
                            units[read, tile] = 1
                            to, a = np.uint64((read * tile_count + tile) * columns), np.uint64(j * columns)
                            read += 1
                            if weighted:
                                for i in range(length):
                                    u[to + i] += x * weights[a + i]
                            else:
                                for i in range(length):
                                    u[to + i] += weights[a + i]
                            if noisy and weighted:
                                for i in range(length):
                                    v[to + i] += x * x * powers[a + i]
                            elif noisy:
                                for i in range(length):
                                    v[to + i] += powers[a + i]
                    if len(pulses):
                        for s in range(begin, end):
                            at = row + segments[s]["place"]
                            for j in range(at, at + segments[s]["reads"]):
                                pulses[order[j]] += 1
        rows[b], tiles[b], conductance[b] = driven, units[b * positions : (b + 1) * positions].sum(), load
