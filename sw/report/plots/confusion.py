"""Plot of a confusion matrix."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spikeloom.sw.report.plots.style import INK, STYLE, axes_or_new, whole_ticks

__all__ = ["confusion"]

_MOST_NUMBERS = 12
"""Classes up to which every field has its number."""


def confusion(matrix: NDArray[np.integer], axes: Axes | None = None) -> Figure:
    """Images by class (row) and decision (column), int [classes, classes]; the colour is the share of the class."""
    with matplotlib.rc_context(STYLE):
        figure, ax = axes_or_new(axes, 5.2, 4.6)
        counts = np.asarray(matrix, np.int64)
        share = 100.0 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        picture = ax.imshow(share, cmap="Blues", vmin=0.0, vmax=100.0, interpolation="nearest")
        if len(counts) <= _MOST_NUMBERS:
            room = 215.0 / len(counts)  # points of a field
            size = float(np.clip(room / (0.62 * len(str(counts.max()))), 4.5, 8.0))
            for row, column in np.argwhere(counts):
                colour = "white" if share[row, column] > 55.0 else INK
                text = str(counts[row, column])
                ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
        bar = figure.colorbar(picture, ax=ax, shrink=0.9, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label("images of the class (%)")
        ax.set_xlabel("recognised as class")
        ax.set_ylabel("class")
        for axis in (ax.xaxis, ax.yaxis):
            if len(counts) <= _MOST_NUMBERS:
                axis.set_ticks(range(len(counts)))
            else:
                whole_ticks(axis)
            axis.set_tick_params(length=0)
        ax.spines[:].set_visible(True)
    return figure
