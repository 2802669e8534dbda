"""Which windows of a run had a spike: what the clock cycles of a step depend on, besides the plan
(`hw.params.cycles`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.cycles import Macro, StepCycles, step_cycles
from spikeloom.hw.params.decision_rules import verdict_cycles
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.hw.params.plan import MapShape, Window
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.crossbar.windows import map_of_pixels, map_of_replicas
from spikeloom.sim.reference.encoder import encoder_of
from spikeloom.sim.reference.stages import StageRuns

__all__ = ["macro_of", "steps_of", "window_activity"]


def macro_of(chip: ProgrammedChip) -> Macro:
    """The cycles that a chip's crossbars take."""
    return Macro(chip.read_cycles, chip.adc_cycles)


def steps_of(
    chip: ProgrammedChip,
    active: Sequence[NDArray[np.bool_]],
    number: int,
    steps: int,
    parameters: NpuParameters | None = None,
) -> list[StepCycles]:
    """Cycles of the `steps` steps of image `number` of a run, whose windows are `active`, see `window_activity`.

    parameters : of a unit that differs in its replicas; the chip's if not given
    """
    parameters = chip.parameters if parameters is None else parameters
    crossbars = parameters.plan.crossbar_stages
    found, rule = [], verdict_cycles(chip.rule, parameters)
    for step in range(steps):
        layers = [
            windows[number, step, replica :: stage.replicas].tolist()
            for windows, (_, stage) in zip(active, crossbars, strict=True)
            for replica in range(stage.replicas)
        ]
        skipped = step // parameters.phases < chip.skip
        found.append(step_cycles(parameters, layers, macro_of(chip), skipped=skipped, rule=rule))
    return found


def window_activity(chip: ProgrammedChip, pixels: NDArray[np.uint8], result: Result) -> tuple[NDArray[np.bool_], ...]:
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
    plan, phases = chip.parameters.plan, chip.parameters.phases
    count, steps = len(pixels), int(result.steps.max())
    encoder = encoder_of(chip, pixels, result.ids)
    units = StageRuns(plan, count)
    spikes = [trace.unpacked(layer).astype(np.uint8) for layer in range(len(trace.outputs))]
    found = {
        number: np.zeros((count, steps, plan.maps[number + 1].positions), np.bool_)
        for number, _ in plan.crossbar_stages
    }
    for step in range(steps):
        live = np.flatnonzero(result.steps > step)
        maps = [map_of_pixels(encoder.step(live, step + 1), plan.input)]
        for number, stage in enumerate(plan.stages):
            if number in units:
                maps.append(units.step(number, maps, live, phases - 1 - step % phases))
                continue
            for window in stage.windows:
                found[number][live, step] |= _active(maps[window.source], plan.maps[window.source], window)
            parts = [spikes[layer][live, step] for layer in stage.layers]
            maps.append(map_of_replicas(parts, plan.maps[number + 1].channels))
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
