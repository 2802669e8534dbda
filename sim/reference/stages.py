"""The reference of every kind of stage that makes a map of maps alone; that of crossbars is `sim.reference.layer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parts import Parts
from spikeloom.hw.params.plan import AveragePoolStage, CrossbarStage, MapShape, MaxPoolStage, Plan
from spikeloom.sim.reference.pooling import AveragePool, MaxPool

__all__ = ["REFERENCES", "StageRun", "StageRuns"]


class StageRun(Protocol):
    """One stage for a batch of images."""

    def step(self, maps: Sequence[NDArray[np.uint8]], live: NDArray[np.int64], shift: int) -> NDArray[np.uint8]:
        """One step of the images numbered `live`, in the phase that shifts by so much.

        maps : uint8 [live, inputs], 0 and 1, what each of its windows reads

        Returns its map, uint8 [live, outputs].
        """
        ...


REFERENCES: Parts[Callable[[Any, Sequence[MapShape], int], StageRun] | None] = Parts(
    "reference", "sim.reference.stages.REFERENCES"
)
"""The reference of every kind of stage, called with the stage, the maps that its windows read and the number of images;
None for crossbars, whose layers run on arrays.
"""
REFERENCES.add(CrossbarStage, None)
REFERENCES.add(MaxPoolStage, MaxPool)
REFERENCES.add(AveragePoolStage, AveragePool)


class StageRuns:
    """The stages of a plan that are no crossbars, for a batch of so many images."""

    def __init__(self, plan: Plan, images: int) -> None:
        self._plan = plan
        made = {number: REFERENCES[type(stage)] for number, stage in enumerate(plan.stages)}
        self._runs = {
            number: make(plan.stages[number], plan.sources(plan.stages[number]), images)
            for number, make in made.items()
            if make is not None
        }

    def __contains__(self, number: object) -> bool:
        return number in self._runs

    def step(
        self, number: int, maps: Sequence[NDArray[np.uint8]], live: NDArray[np.int64], shift: int
    ) -> NDArray[np.uint8]:
        """One step of stage `number`, of the maps made so far; see `StageRun`."""
        read = [maps[window.source] for window in self._plan.stages[number].windows]
        return self._runs[number].step(read, live, shift)
