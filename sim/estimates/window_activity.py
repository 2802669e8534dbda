"""Which windows of a run had a spike: what the clock cycles of a step depend on, besides the plan
(`hw.params.cycles`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.cycles import Macro, StepCycles, step_cycles
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.hw.params.plan import MapShape, PoolStage, Window
from spikeloom.sim.chip.programmed_chip import ChipImage
from spikeloom.sim.chip.result import Result
from spikeloom.sim.crossbar.windows import map_of_copies, map_of_pixels
from spikeloom.sim.reference.encoder import encoder_of
from spikeloom.sim.reference.pooling import pool_of

__all__ = ["macro_of", "steps_of", "window_activity"]


def macro_of(image: ChipImage) -> Macro:
    """The cycles that a chip's crossbars take."""
    return Macro(image.read_cycles, image.adc_cycles)


def steps_of(
    image: ChipImage,
    active: Sequence[NDArray[np.bool_]],
    number: int,
    steps: int,
    parameters: NpuParameters | None = None,
) -> list[StepCycles]:
    """Cycles of the `steps` steps of image `number` of a run, whose windows are `active`, see `window_activity`.

    parameters : of a unit that differs in its copies; the chip's if not given
    """
    parameters = image.parameters if parameters is None else parameters
    crossbars = parameters.stages.crossbars
    found = []
    for step in range(steps):
        layers = [
            windows[number, step, copy :: stage.copies].tolist()
            for windows, (_, stage) in zip(active, crossbars, strict=True)
            for copy in range(stage.copies)
        ]
        skipped = step // parameters.phases < image.skip
        found.append(step_cycles(parameters, layers, macro_of(image), skipped=skipped))
    return found


def window_activity(image: ChipImage, pixels: NDArray[np.uint8], result: Result) -> tuple[NDArray[np.bool_], ...]:
    """Windows that drive a row, of every crossbar stage: bool [images, steps, positions of the stage].

    Parameters
    ----------
    pixels : uint8 [images, inputs]
    result : of these images, with a trace of their spikes

    Steps after an image's decision are False. Raises `ValueError` without a trace.
    """
    trace = result.trace
    if trace is None:
        raise SpikeLoomError('Windows with spikes are known only for a traced result (trace="spikes")')
    plan, phases = image.parameters.stages, image.parameters.phases
    count, steps = len(pixels), int(result.steps.max())
    encoder = encoder_of(image, pixels, result.ids)
    pools = {
        number: pool_of(stage, plan.maps[stage.window.source], count)
        for number, stage in enumerate(plan.stages)
        if isinstance(stage, PoolStage)
    }
    spikes = [trace.unpacked(layer).astype(np.uint8) for layer in range(len(trace.outputs))]
    found = {
        number: np.zeros((count, steps, plan.maps[number + 1].positions), np.bool_) for number, _ in plan.crossbars
    }
    for step in range(steps):
        live = np.flatnonzero(result.steps > step)
        maps = [map_of_pixels(encoder.step(live, step + 1), plan.image)]
        for number, stage in enumerate(plan.stages):
            if isinstance(stage, PoolStage):
                maps.append(pools[number].step(maps[stage.window.source], live, phases - 1 - step % phases))
                continue
            for window in stage.windows:
                found[number][live, step] |= _active(maps[window.source], plan.maps[window.source], window)
            parts = [spikes[layer][live, step] for layer in stage.layers]
            maps.append(map_of_copies(parts, plan.channels[stage.layer]))
    return tuple(found.values())


def _active(codes: NDArray[np.uint8], shape: MapShape, window: Window) -> NDArray[np.bool_]:
    """Whether a window has a value that is not 0; maps [images, size] -> bool [images, positions]."""
    seen = codes.reshape(-1, shape.height, shape.width, shape.channels).any(axis=3)
    padded = np.pad(seen, ((0, 0), *((padding, padding) for padding in window.padding)))
    height, width = window.outputs(shape)
    active = np.zeros((len(codes), height, width), np.bool_)
    for dy, dx in np.ndindex(window.kernel):
        lines = slice(dy, dy + window.stride[0] * (height - 1) + 1, window.stride[0])
        columns = slice(dx, dx + window.stride[1] * (width - 1) + 1, window.stride[1])
        active |= padded[:, lines, columns]
    return active.reshape(len(codes), -1)
