"""Clock cycles of images on a unit with maps, by the formulas of `hw.cycles`; a trace says what windows are silent."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hw.cycles import Macro, StepCycles, image_cycles, step_cycles
from hw.geometry import Plan, PoolStage, Stage
from sim.encoder import Encoder
from sim.image import ChipImage
from sim.maps import map_of_copies, map_of_pixels
from sim.pooling import pool_of
from sim.result import Result

__all__ = ["active_windows", "map_spans"]


def active_windows(plan: Plan, stage: Stage, maps: list[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Whether the windows of a stage have a value that is not 0, bool [images, positions].

    maps : uint8 [images, positions * channels] each, at least those that the stage reads
    """
    found = []
    for window in stage.windows:
        shape, (up, left) = plan.maps[window.source], window.padding
        height, width = window.outputs(shape)
        codes = maps[window.source].reshape(-1, shape.height, shape.width, shape.channels)
        values = codes.max(axis=3) > 0
        padded = np.pad(values, ((0, 0), (up, up), (left, left)))
        views = sliding_window_view(padded, window.kernel, axis=(1, 2))[:, :: window.stride[0], :: window.stride[1]]
        found.append(views[:, :height, :width].any(axis=(3, 4)).reshape(len(values), -1))
    active: NDArray[np.bool_] = np.logical_or.reduce(found)
    return active


def map_spans(image: ChipImage, pixels: NDArray[np.uint8], result: Result) -> NDArray[np.int64]:
    """Cycles from the first offer of an image's vector to its result, int64 [images].

    Parameters
    ----------
    pixels : uint8 [images, inputs]
    result : theirs, with a trace of spikes
    """
    p, plan, trace = image.parameters, image.parameters.stages, result.trace
    assert trace is not None
    encoder = Encoder(image, pixels, result.ids)
    pools = {
        number: pool_of(stage, plan.maps[stage.window.source], len(pixels))
        for number, stage in enumerate(plan.stages)
        if isinstance(stage, PoolStage)
    }
    macro = Macro(max(p.pulse_cycles, image.settle_cycles), image.adc_cycles)
    steps: list[list[StepCycles]] = [[] for _ in pixels]
    for step in range(1, int(result.steps.max(initial=0)) + 1):
        live = np.flatnonzero(result.steps >= step)
        period, phase = divmod(step - 1, p.phases)
        maps = [map_of_pixels(encoder.step(live, step), plan.image)]
        active: list[NDArray[np.bool_]] = []
        for number, stage in enumerate(plan.stages):
            if isinstance(stage, PoolStage):
                maps.append(pools[number].step(maps[stage.window.source], live, p.phases - 1 - phase))
                continue
            windows = active_windows(plan, stage, maps)
            active += [windows[:, copy :: stage.copies] for copy in range(stage.copies)]
            fired = [
                np.unpackbits(trace.spikes[layer][live, step - 1], axis=1, count=trace.outputs[layer])
                for layer in stage.layers
            ]
            maps.append(map_of_copies(fired, plan.channels[stage.layer]))
        for row, number in enumerate(live.tolist()):
            each = [windows[row].tolist() for windows in active]
            steps[number].append(step_cycles(p, each, macro, skipped=period < image.skip))
    return np.array([image_cycles(p, each, 0) for each in steps], np.int64)
