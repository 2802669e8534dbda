"""Every kind of stage in real numbers, if it is no crossbar: on activations, and on spikes step by step.

Crossbars are read by `sw.ir.window_reader`, whatever their windows are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parts import Parts
from spikeloom.hw.params.plan import AveragePoolStage, CrossbarStage, MapShape, MaxPoolStage
from spikeloom.sw.ir.pooling import AverageValues, MaxValues

__all__ = ["REAL", "RealStage"]


class RealStage(Protocol):
    """A kind of stage in real numbers.

    stage : of the kind
    shapes, maps : of what its windows read; [images, values] each
    """

    def values(
        self, stage: Any, shapes: Sequence[MapShape], maps: Sequence[NDArray[np.floating]]
    ) -> NDArray[np.floating]:
        """Its map of activations, [images, values]."""
        ...

    def start(self, stage: Any, shapes: Sequence[MapShape], count: int) -> NDArray[np.float32]:
        """What it keeps at the start of `count` images, [images, ...]."""
        ...

    def step(
        self,
        stage: Any,
        shapes: Sequence[MapShape],
        state: NDArray[np.float32],
        maps: Sequence[NDArray[np.float32]],
        gain: np.float32,
    ) -> NDArray[np.float32]:
        """One step on maps of spikes, 0 and 1, which weigh `gain`: its spikes; what it keeps changes in place."""
        ...


REAL: Parts[RealStage | None] = Parts("form in real numbers", "sw.ir.stages.REAL")
"""Every kind of stage in real numbers; None for crossbars."""
REAL.add(CrossbarStage, None)
REAL.add(MaxPoolStage, MaxValues())
REAL.add(AveragePoolStage, AverageValues())
