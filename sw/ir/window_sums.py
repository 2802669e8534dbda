"""Compiled sums over windows in double precision, with a fixed order of additions.

Libraries of matrix products and convolutions choose the order of their additions by the processor, by the number of
threads, and by the number of images, so that last digits differ; and where a map is odd enough, one of them has been
seen to add up wrongly. Here a sum's order depends on the layer and on the image's values that are not 0, and on
nothing else. Numba contracts no products and sums unless it is told to, so every processor rounds alike.

Values are listed once (`list_values`), and each window takes its rows from the list (`add_windows`): spikes and
rectified activations are sparse, and nothing is ever copied window by window.
"""

from __future__ import annotations

import numpy as np

from spikeloom.sim.common.kernels import kernel

__all__ = ["add_windows", "list_values"]


@kernel(nogil=True)
def list_values(maps, channels, first, where, values):  # type: ignore[no-untyped-def]
    """List the values of maps that are not 0, position by position.

    maps : float32 or float64 [images, positions * channels]
    first : int32 [images, positions + 1], written: listed values before each position, and before the end
    where, values : int32 and float64 [images, more than all values], written: place in the map, and value
    """
    positions = maps.shape[1] // channels
    for b in range(maps.shape[0]):
        count = 0
        for position in range(positions):
            first[b, position] = count
            for at in range(position * channels, (position + 1) * channels):
                where[b, count] = at
                values[b, count] = maps[b, at]
                count += 1 if maps[b, at] != 0.0 else 0
        first[b, positions] = count


@kernel(nogil=True)
def add_windows(first, where, values, runs, weight, start, stop, block, sums, driven):  # type: ignore[no-untyped-def]
    """Add up the windows of all images at all positions: value times row of weights, for rows start .. stop - 1.

    first, where, values : as `list_values` leaves them
    runs : int64 [positions, runs, 3], from and to in `first`, and what to add to a place for its row
    weight : float64 [rows, columns]
    block : rows whose weights stay in a processor's cache; part of the order of additions
    sums : float32 or float64 [images, positions * columns]; the sums are added, a block's at a time
    driven : int32 [images, positions]; the number of values is added
    """
    columns = weight.shape[1]
    total = np.empty(columns, np.float64)
    rows, factors = np.empty(block, np.int64), np.empty(block, np.float64)
    for begin in range(start, stop, block):
        end = min(begin + block, stop)
        for b in range(first.shape[0]):
            for position in range(runs.shape[0]):
                count = 0
                for run in range(runs.shape[1]):
                    shift = runs[position, run, 2]
                    for k in range(first[b, runs[position, run, 0]], first[b, runs[position, run, 1]]):
                        row = where[b, k] + shift
                        if begin <= row < end:
                            rows[count] = row
                            factors[count] = values[b, k]
                            count += 1
                if count == 0:
                    continue
                driven[b, position] += count
                for i in range(columns):
                    total[i] = 0.0
                n = 0
                while n + 4 <= count:
                    p, q, r, s = rows[n], rows[n + 1], rows[n + 2], rows[n + 3]
                    e, f, g, h = factors[n], factors[n + 1], factors[n + 2], factors[n + 3]
                    for i in range(columns):
                        total[i] += (e * weight[p, i] + f * weight[q, i]) + (g * weight[r, i] + h * weight[s, i])
                    n += 4
                while n < count:
                    p, e = rows[n], factors[n]
                    for i in range(columns):
                        total[i] += e * weight[p, i]
                    n += 1
                at = position * columns
                for i in range(columns):
                    sums[b, at + i] += total[i]
