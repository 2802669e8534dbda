"""Origin of a result: which chip, which images, and what ran them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.short_repr import short_repr

__all__ = ["Origin", "image_digests"]

_BYTES = 16


@dataclass(frozen=True, eq=False)
class Origin:
    """Enough to tell whether a result belongs to a chip and to images.

    Parameters
    ----------
    chip : SHA-256 of all that the chip is, hexadecimal
    images : uint8 [images, 16], see `image_digests`
    simulator : what ran the Verilog; None for the integer reference
    through_bus : what a host found on the chip's buses; None for a run through the unit's own ports
    """

    __repr__ = short_repr

    chip: str
    images: NDArray[np.uint8]
    simulator: str | None = None
    through_bus: Mapping[str, Any] | None = None

    def part(self, rows: NDArray[np.int64]) -> Origin:
        """That of some of the images."""
        return Origin(self.chip, self.images[rows], self.simulator, self.through_bus)

    @classmethod
    def joined(cls, origins: Sequence[Origin | None]) -> Origin | None:
        """That of results put one behind the other; None if one is not known, or if they were not measured alike."""
        known = [origin for origin in origins if origin is not None]
        if len(known) < len(origins) or not known:
            return None
        first = known[0]
        if any((o.chip, o.simulator, o.through_bus) != (first.chip, first.simulator, first.through_bus) for o in known):
            return None
        return cls(first.chip, np.concatenate([origin.images for origin in known]), first.simulator, first.through_bus)


def image_digests(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """BLAKE2b digests of images uint8 [images, inputs], uint8 [images, 16]."""
    parts = [hashlib.blake2b(row.tobytes(), digest_size=_BYTES).digest() for row in np.ascontiguousarray(pixels)]
    return np.frombuffer(b"".join(parts), np.uint8).reshape(len(parts), _BYTES)
