"""Seeds of the rate encoder: one per image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.random_words import Purpose, key, philox_blocks

__all__ = ["image_seed", "image_seeds"]


def image_seeds(seed: int, image_ids: NDArray[np.integer]) -> NDArray[np.uint32]:
    """Seeds of the rate encoder, uint32 [images, 4], lowest word first; Philox counter (image, 0, 0, 0)."""
    counters = np.zeros((len(image_ids), 4), np.uint32)
    counters[:, 0] = image_ids
    return philox_blocks(counters, key(seed, Purpose.ENCODER))


def image_seed(seed: int, image_id: int) -> int:
    """The 128-bit seed of one image, for the hardware's seed input."""
    words = image_seeds(seed, np.array([image_id], np.int64))[0]
    return sum(int(word) << (32 * index) for index, word in enumerate(words))
