"""What looks on while images run, step by step: told what every stage did, it adds up what a trace would be too large
for. Nobody is told anything, and nothing is made for it, where nobody looks on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.reference.layer import LayerStep

__all__ = ["ObserveSteps", "StepObserver", "StepTaken"]


class StepTaken(NamedTuple):
    """One step of the images of a chunk that have not ended. None of the arrays may be changed or kept."""

    step: int
    """1 .. t_max."""
    shift: int
    """K - 1 - phase: a spike weighs 1 << shift."""
    live: NDArray[np.int64]
    """The images, by their rows in the chunk."""
    maps: Sequence[NDArray[np.uint8]]
    """Feature maps uint8 [live, values] of 0 and 1, in the order of the plan; 0, the image's, has no values where row
    codes are the same in every step, and that of the output layer is missing in skipped periods."""
    layers: Mapping[int, LayerStep]
    """What each layer that was run did, by its number."""
    membranes: Callable[[int], NDArray[np.int64]]
    """Membranes of a layer after the step, int64 [live, positions * outputs], copied when asked for."""
    scores: NDArray[np.int64] | None
    """Scores of the classes, int64 [live, classes]; None in skipped periods."""


class StepObserver(Protocol):
    """Looks on at one chunk of images, from its thread."""

    def step(self, taken: StepTaken) -> None:
        """After every step, before the images that it decides leave."""
        ...

    def end(self) -> None:
        """After the last one."""
        ...


ObserveSteps = Callable[[slice], StepObserver]
"""Makes the observer of a chunk, the images of this slice; called from several threads at a time."""
