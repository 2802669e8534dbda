"""Checks of the arguments of the Python API: images, labels, image numbers, kinds of trace."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.arguments import check_ids
from spikeloom.sim.common.arguments import check_labels as as_labels
from spikeloom.sim.common.arguments import check_trace as as_trace
from spikeloom.sim.images.pixels import take_images as as_pixels

__all__ = ["as_ids", "as_labels", "as_pixels", "as_trace"]


def as_ids(ids: Any, count: int) -> NDArray[np.int64] | None:
    """Image numbers, int64 [count], or None if they are not given; see `sim.common.arguments.check_ids`."""
    return None if ids is None else check_ids(ids, count)
