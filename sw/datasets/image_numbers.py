"""Image numbers, which address random draws: a warning if they are reused for other images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.common.errors import warn

__all__ = ["ImageNumbers"]


class ImageNumbers:
    """Which images have had which numbers, of a chip.

    The noise of an image's reads, and its spikes with rate coding, are drawn at its number. Where the caller gives
    none, numbers are 0, 1, 2, ... in every call: a loop over batches that leaves them out draws the same noise for
    every batch, and the accuracy of all of them together spreads too widely.
    """

    def __init__(self) -> None:
        self._seen: dict[int, bytes] = {}

    def used(self, chip: ProgrammedChip, digests: NDArray[np.uint8], ids: NDArray[np.int64] | None) -> None:
        """Take down images that were run, by their digests, uint8 [images, bytes], and the numbers that the caller gave
        them.

        Warns (`spikeloom.errors.SpikeLoomWarning`) if nobody gave numbers, other images had theirs before, and the chip
        draws at random. The same images again are no slip: they are run again to see the same.
        """
        numbers = range(len(digests)) if ids is None else ids.tolist()
        names = [digest.tobytes() for digest in digests]
        others = sum(self._seen.get(number, name) != name for number, name in zip(numbers, names, strict=True))
        if others and ids is None and (chip.device.reads_noisy or chip.coding.draws_seeds):
            count, start = len(digests), max(self._seen) + 1
            what = "This image has the number, and so the random draws, of another one"
            if count > 1:
                many = "All" if others == count else f"{others}"
                what = f"{many} of these {count} images have the numbers, and so the random draws, of other ones"
            warn(
                f"{what} that this chip has run: numbers begin with 0 in every call. For draws of their own give ids, "
                f"here ids=range({start}, {start + count}); to begin with 0 on purpose, as a report does, give "
                f"ids=range({count})"
            )
        for number, name in zip(numbers, names, strict=True):
            self._seen.setdefault(number, name)
