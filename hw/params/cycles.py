"""Clock cycles: the formulas of `Npu` with feature maps and of `Programmer`, and upper bounds for timeouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spikeloom.hw.params.decision_rules import verdict_cycles
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from spikeloom.hw.params.window_cycles import (
    NEURON_CYCLES,
    VERDICT_CYCLES,
    Macro,
    WindowCycles,
    layer_cycles,
    window_cycles,
)
from spikeloom.hw.params.windows import window_words

__all__ = [
    "NEURON_CYCLES", "STALL", "VERDICT_CYCLES", "Macro", "StepCycles", "WindowCycles", "image_bound", "image_cycles",
    "layer_cycles", "programming_cycles", "step_bound", "step_cycles", "window_cycles", "words_of",
]  # fmt: skip

STALL = 16
"""Clock cycles that bounds leave for the pauses at one transfer."""


@dataclass(frozen=True)
class StepCycles:
    """Cycles of a step, counted from the cycle in which it is offered to stage 0.

    ends : cycle in which each stage passes the step on; of the last stage, in which the step ends
    released : cycle in which the last word of the image's map is read
    """

    ends: tuple[int, ...]
    released: int


def words_of(parameters: NpuParameters, stage: int) -> list[int]:
    """Words that a stage reads for each of its positions."""
    plan = parameters.plan
    first, other = window_words(plan.stages[stage].windows, plan.sources(plan.stages[stage]))
    shape = plan.maps[stage + 1]
    return [first if position % shape.width == 0 else other for position in range(shape.positions)]


def step_cycles(
    parameters: NpuParameters, active: Sequence[Sequence[bool]], macro: Macro, *, skipped: bool = False, rule: int = 0
) -> StepCycles:
    """One step of a unit with maps.

    Parameters
    ----------
    parameters : NpuParameters whose plan is not `plain`
    active : for every layer and position of its own: the window has a spike
    macro : what the crossbars take
    skipped : the last layer is not run
    rule : cycles that the decision rule takes to a verdict (`hw.params.decision_rules.verdict_cycles`)
    """
    plan = parameters.plan
    now, released, ends = 0, 0, []
    for number, stage in enumerate(plan.stages):
        words, last = words_of(parameters, number), number == len(plan.stages) - 1
        read, end = stage.cycles(words, parameters.layers, active, macro, last=last, skipped=skipped)
        if any(window.source == 0 for window in stage.windows):
            released = now + read
        now += end + (rule if last and not skipped else 0)
        ends.append(now)
    return StepCycles(tuple(ends), released)


def image_cycles(parameters: NpuParameters, steps: Sequence[StepCycles], vector: int) -> int:
    """Cycles from the image's start to its result.

    vector : cycle, from the image's start, in which the encoder offers step 1's vector to the loader
    """
    positions = parameters.plan.input.positions
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
    step = p.pixel_words + p.classes * STALL + max(verdict_cycles(rule, p) for rule in p.rules)
    for layer in p.layers:
        read = p.pulse_cycles + settle_cycles + layer.groups * (adc_cycles + STALL) + STALL
        step += layer.positions * read
    if not p.plan.is_dense_chain:
        step += p.plan.input.positions + sum(sum(words_of(p, stage)) + STALL for stage in range(len(p.plan.stages)))
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
    grant : cycle in which a start's grant is seen, counted from the cycle of the start; 3 for an idle layer
    """
    tiles = parameters.row_tiles
    column = (tiles + 1) + 2 * (verify_cycles + 1 + tiles)
    return starts * grant + columns * column + rounds * (pulse_cycles + verify_cycles + 1)
