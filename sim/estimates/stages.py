"""What of every kind of stage costs energy, if it is no crossbar: the memory of its sums, and its arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spikeloom.hw.params.parts import Parts
from spikeloom.hw.params.plan import CrossbarStage
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage, PoolStage
from spikeloom.sim.estimates.energy_events import Events, words_inside

__all__ = ["ENERGY", "StageMemory", "stage_memories"]


@dataclass(frozen=True)
class StageMemory:
    """The memory of a stage's sums, and what it does in a step.

    Parameters
    ----------
    path : of the memory in the hardware's hierarchy
    depth, width : words, and bits of a word
    accesses : words read and words written in a step
    bits : of additions, subtractions and comparisons in a step
    """

    path: str
    depth: int
    width: int
    accesses: int
    bits: int


ENERGY: Parts[Callable[[Events, int, Any], StageMemory] | None] = Parts("energy", "sim.estimates.stages.ENERGY")
"""What every kind of stage keeps, called with the events, the stage's number and the stage; None for crossbars, whose
energy is that of their layers.
"""


def stage_memories(events: Events) -> list[tuple[int, StageMemory]]:
    """What the stages of a chip keep that are no crossbars, by their numbers."""
    found = []
    for number, stage in enumerate(events.parameters.plan.stages):
        kept = ENERGY[type(stage)]
        if kept is not None:
            found.append((number, kept(events, number, stage)))
    return found


def _pool(events: Events, number: int, stage: PoolStage) -> StageMemory:
    """As `hw.feature_maps.pool_unit`: MAX reads and writes a word's sums for every word of its source, AVERAGE for
    every window. Of a channel and word, MAX adds and compares, AVERAGE adds, compares and subtracts.
    """
    p = events.parameters
    source, made = p.plan.maps[stage.window.source], p.plan.maps[number + 1]
    read = words_inside(stage.window, source)
    width = made.channels * stage.sum_bits(p.count_bits, p.phases)
    return StageMemory(
        path=f"pool_{number}.sums",
        depth=stage.sums(source, made),
        width=width,
        accesses=2 * (read if stage.largest else made.positions),
        bits=read * width * (2 if stage.largest else 3),
    )


ENERGY.add(CrossbarStage, None)
ENERGY.add(MaxPoolStage, _pool)
ENERGY.add(AveragePoolStage, _pool)
