"""Plots of feature maps: how often every neuron of one image's layers fired, at its position in the map."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spikeloom.hw.params.plan import MapShape, Plan
from spikeloom.sim.crossbar.windows import map_of_replicas
from spikeloom.sw.report.plots.style import STYLE

__all__ = ["feature_maps", "stage_spikes"]

_COLUMNS, _ROWS = 16, 2


def stage_spikes(plan: Plan, fired: Sequence[NDArray[np.bool_]]) -> dict[int, NDArray[np.float64]]:
    """Spikes per step of every neuron of the crossbar stages with several positions, by the stage's number.

    Parameters
    ----------
    fired : per layer, bool [steps, own positions * channels]; the layers of a stage's replicas are combined

    Returns float64 [channels, height, width] for each stage, 0 .. 1.
    """
    found = {}
    for number, stage in plan.crossbar_stages:
        shape = plan.maps[number + 1]
        if shape.positions == 1:
            continue
        rates = map_of_replicas([fired[layer].mean(axis=0) for layer in stage.layers], shape.channels)
        found[number] = rates.reshape(shape.positions, -1).T.reshape(shape.channels, shape.height, shape.width)
    return found


def feature_maps(
    maps: Sequence[NDArray[np.floating]], names: Sequence[str], pixels: NDArray[np.uint8], image: MapShape
) -> Figure:
    """Maps of spikes per step, a row per stage, [channels, height, width]; the image beside them.

    Of a stage with more than 32 channels, the first 32 are drawn.

    Parameters
    ----------
    pixels : uint8 [channels * height * width] of the image, as the network takes it, channel by channel
    """
    with matplotlib.rc_context(STYLE):
        heights = [0.32 + 0.46 * _lines(values) * values.shape[1] / values.shape[2] for values in maps]
        figure = Figure(figsize=(9.4, max(1.8, 0.2 + sum(heights))), layout="constrained")
        grid = figure.add_gridspec(len(maps), 2, width_ratios=[1.0, 5.6], height_ratios=heights)
        ax = figure.add_subplot(grid[:, 0])
        shown = np.moveaxis(pixels.reshape(image.channels, image.height, image.width), 0, -1)
        if image.channels == 3:
            ax.imshow(shown, interpolation="nearest")
        else:
            ax.imshow(shown.mean(axis=-1), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        ax.set(xticks=[], yticks=[], title="input")
        ax.spines[:].set_visible(True)
        panels, picture = [], None
        for row, (values, name) in enumerate(zip(maps, names, strict=True)):
            ax = figure.add_subplot(grid[row, 1])
            most = min(len(values), _COLUMNS * _ROWS)
            picture = ax.imshow(_mosaic(values[:most]), cmap="viridis", vmin=0.0, vmax=1.0, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            channels, height, width = values.shape
            part = f"{most} of {channels}" if most < channels else f"{channels}"
            ax.set_title(f"{name}: {part} channels of {height} x {width}", loc="left")
            panels.append(ax)
        assert picture is not None
        bar = figure.colorbar(picture, ax=panels, shrink=min(1.0, 3.0 / len(panels)), pad=0.01, aspect=12)
        bar.outline.set_visible(False)
        bar.set_label("spikes per step")
    return figure


def _lines(values: NDArray[np.floating]) -> int:
    """Lines of channels that are drawn."""
    return -(-min(len(values), _COLUMNS * _ROWS) // _COLUMNS)


def _mosaic(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Channels side by side, [channels, height, width] -> one picture; NaN between them."""
    channels, height, width = values.shape
    gap = max(1, width // 10)
    columns, lines = _COLUMNS, -(-channels // _COLUMNS)
    found = np.full((lines * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for channel, one in enumerate(values):
        y, x = (n * (size + gap) for n, size in zip(divmod(channel, columns), (height, width), strict=True))
        found[y : y + height, x : x + width] = one
    return found
