"""Clock cycles: the formulas of `Npu` with feature maps and of `Programmer`, and upper bounds for timeouts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from spikeloom.hw.params.plan import CrossbarStage, window_words

__all__ = [
    "STALL", "Macro", "StepCycles", "WindowCycles", "image_bound", "image_cycles", "layer_cycles", "programming_cycles",
    "step_bound", "step_cycles", "window_cycles", "words_of",
]  # fmt: skip

STALL = 16
"""Clock cycles that bounds leave for the pauses at one transfer."""


@dataclass(frozen=True)
class Macro:
    """What the crossbars take: cycles a window with a spike is driven, and cycles of a conversion.

    drive : max(pulse_cycles, cycle of the drive in which `sampled` is first up)
    conversion : cycles from `convert` to `done`, both included
    """

    drive: int
    conversion: int = 1

    def of(self, active: bool) -> tuple[int, int]:
        """Cycles of the drive and of a conversion of one window; a silent one is not read."""
        return (self.drive, self.conversion) if active else (0, 1)


@dataclass(frozen=True)
class StepCycles:
    """Cycles of a step, counted from the cycle in which it is offered to stage 0.

    ends : cycle in which each stage hands the step on; of the last stage, in which the step ends
    released : cycle in which the last word of the image's map is read
    """

    ends: tuple[int, ...]
    released: int


def words_of(parameters: NpuParameters, stage: int) -> list[int]:
    """Words that a stage reads for each of its positions."""
    plan = parameters.stages
    first, other = window_words(plan.stages[stage].windows, plan.sources(plan.stages[stage]))
    shape = plan.maps[stage + 1]
    return [first if position % shape.width == 0 else other for position in range(shape.positions)]


class WindowCycles(NamedTuple):
    """When a window goes through its stage, in cycles from that in which the stage gets the step.

    read : its last word is read
    gathered : its last word is in the registers
    handed : the vector is handed on, `gathered` or as soon as the core takes the one before
    seen : the core sees it
    done : the core can see the next one
    """

    read: int
    gathered: int
    handed: int
    seen: int
    done: int


def window_cycles(
    layer: LayerParameters, words: Sequence[int], active: Sequence[bool], macro: Macro, copies: int = 1
) -> Iterator[WindowCycles]:
    """The windows of a stage, one after another; parameters as for `layer_cycles`."""
    several = int(len(words) > 1)  # vectors wait in a register of their own
    handed = accepted = 0
    taken, idle = [0] * copies, [0] * copies  # of each copy, after its latest vector
    for position, (number, spikes) in enumerate(zip(words, active, strict=True)):
        copy = position % copies
        if position == 0:
            read, accepted, gathered = number, number + 1, number + 2
        else:
            read = accepted if number == 1 else handed + number - 2
            accepted, gathered = handed + number - 1, handed + number
        handed = max(gathered, taken[copy])
        drive, conversion = macro.of(spikes)
        seen = max(handed + several, idle[copy])
        taken[copy] = seen + drive
        idle[copy] = seen + drive + 2 + layer.groups * conversion
        yield WindowCycles(read, gathered, handed, seen, idle[copy])


def layer_cycles(
    layer: LayerParameters, words: Sequence[int], active: Sequence[bool], macro: Macro, copies: int = 1
) -> tuple[int, int]:
    """A stage but the last, from the cycle in which it gets the step.

    Parameters
    ----------
    layer : the stage's layer, or any of its copies
    words, active : for every position of the stage: words read, and whether the window has a spike
    macro : what the crossbars take
    copies : crossbars that take the positions in turn

    Returns the cycle in which its last word is read, and that in which the step is handed on: its map is complete.
    """
    windows = list(window_cycles(layer, words, active, macro, copies))
    return windows[-1].read, max(window.done for window in windows) + 2


def step_cycles(
    parameters: NpuParameters, active: Sequence[Sequence[bool]], macro: Macro, *, skipped: bool = False
) -> StepCycles:
    """One step of a unit with maps.

    Parameters
    ----------
    parameters : NpuParameters whose plan is not `plain`
    active : for every layer and position of its own: the window has a spike
    macro : what the crossbars take
    skipped : the last layer is not run
    """
    plan = parameters.stages
    now, released, ends = 0, 0, []
    for number, stage in enumerate(plan.stages):
        words = words_of(parameters, number)
        if not isinstance(stage, CrossbarStage):
            read, end = now + sum(words), now + sum(words) + 2
        elif number < len(plan.stages) - 1:
            copies = stage.copies
            spikes = [active[stage.layer + p % copies][p // copies] for p in range(len(words))]
            layer = parameters.layers[stage.layer]
            read, end = (now + c for c in layer_cycles(layer, words, spikes, macro, copies))
        else:
            layer = parameters.layers[-1]
            drive, conversion = macro.of(active[-1][0])
            read, end = now + words[0], now + words[0] + 2
            if not skipped:
                classes = layer.outputs - (layer.groups - 1) * layer.lanes
                end += drive + conversion + 4 + max(layer.outputs, (layer.groups - 1) * conversion + classes)
        if any(window.source == 0 for window in stage.windows):
            released = read
        ends.append(end)
        now = end
    return StepCycles(tuple(ends), released)


def image_cycles(parameters: NpuParameters, steps: Sequence[StepCycles], vector: int) -> int:
    """Cycles from the image's start to its result.

    vector : cycle, from the image's start, in which the encoder offers step 1's vector to the loader
    """
    positions = parameters.stages.image.positions
    offered = vector + positions + 1
    end = released = 0
    for number, step in enumerate(steps):
        if number > 0:
            vector = max(offered + released, vector + parameters.pixel_words) + 1
            offered = max(end + 1, vector + positions + 1)
        released, end = step.released, offered + step.ends[-1]
    return end + 1


def step_bound(parameters: NpuParameters, settle_cycles: int, adc_cycles: int) -> int:
    """Bound on the clock cycles of a step, stalls in it, for crossbars that settle and convert in so many cycles."""
    p = parameters
    step = p.pixel_words + p.classes * STALL
    for layer in p.layers:
        read = p.pulse_cycles + settle_cycles + layer.groups * (adc_cycles + STALL) + STALL
        step += layer.positions * read
    if not p.stages.plain:
        step += p.stages.image.positions + sum(sum(words_of(p, stage)) + STALL for stage in range(len(p.stages.stages)))
    return step


def image_bound(parameters: NpuParameters, settle_cycles: int, adc_cycles: int) -> int:
    """Bound on the clock cycles of an image, stalls in it; see `step_bound`."""
    return (parameters.max_steps + 1) * step_bound(parameters, settle_cycles, adc_cycles)


def programming_cycles(
    parameters: LayerParameters,
    *,
    columns: int,
    rounds: int,
    pulse_cycles: int,
    verify_cycles: int,
    starts: int = 1,
    grant: int = 3,
) -> int:
    """Clock cycles that a layer's programmer is busy, in one start or the sum over several.

    Parameters
    ----------
    parameters : LayerParameters of the layer
    columns : sum over the starts of the columns in the group, min(lanes, outputs - group * lanes)
    rounds : sum over the starts, the group's columns and both sides, of the most pulses that one row tile's cell got
    pulse_cycles : cycles the macro takes for a pulse (PROGRAM_CYCLES)
    verify_cycles : cycles the macro takes for a verify read (SETTLE_CYCLES + ADC_CYCLES)
    starts : how many starts, all in range; time between two of them is not counted
    grant : cycle in which a start's grant is seen, counted from the cycle of the start; 3 for a layer not in work
    """
    tiles = parameters.row_tiles
    column = (tiles + 1) + 2 * (verify_cycles + 1 + tiles)
    return starts * grant + columns * column + rounds * (pulse_cycles + verify_cycles + 1)
