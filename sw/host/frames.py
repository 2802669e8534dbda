"""Frames of the streams: images and their seeds out, results with their activity in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.interfaces.layouts import unpack
from spikeloom.hw.interfaces.streams import RESULT_LAYOUT, SEED_BYTES, frame_words, seed_words
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.chip.image_seeds import image_seeds
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import from_counters, uncounted
from spikeloom.sim.images.pixels import pixel_words
from spikeloom.sw.host.errors import HostError
from spikeloom.sw.host.transport import Frames

__all__ = ["decoded", "image_frames"]


def image_frames(
    chip: ProgrammedChip, pixels: NDArray[np.uint8], ids: NDArray[np.int64], tags: int | NDArray[np.int64]
) -> Frames:
    """Frames of images, uint8 [images, inputs], with their tags, modulo 2^16; one tag is the first, and they count up.

    With rate coding each begins with its image's seed, so the register `control` must have `seeds`.
    """
    words = pixel_words(chip.parameters, chip.coding.sent(pixels))
    if chip.coding.draws_seeds:
        lanes = chip.parameters.encoder_lanes
        head = np.zeros((len(pixels), seed_words(chip.parameters) * lanes), np.uint8)
        head[:, :SEED_BYTES] = image_seeds(chip.seed, ids).astype("<u4").view(np.uint8).reshape(len(pixels), -1)
        words = np.concatenate([head.reshape(len(pixels), -1, lanes), words], axis=1)
    numbers = tags + np.arange(len(pixels)) if isinstance(tags, int) else tags
    return Frames(words, (numbers & 0xFFFF).astype(np.uint16), ids)


def decoded(frames: list[list[int]], parameters: NpuParameters) -> dict[str, Any]:
    """Fields of `spikeloom.Result`, from the words of result frames; `HostError` for a frame that is too short.

    A frame that was cut by a reset may have left a word before the next one, which is not looked at.
    """
    length = frame_words(parameters)
    short = [len(words) for words in frames if len(words) < length]
    if short:
        raise HostError(f"The chip gave a result frame of {short[0]} words, but {length} are due")
    table = np.array([words[-length:] for words in frames], np.uint64).reshape(-1, length)

    def halves(words: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        low = words & np.uint64((1 << 32) - 1)
        return low.astype(np.int64), (words >> np.uint64(32)).astype(np.int64)

    answer = unpack(RESULT_LAYOUT, table[:, 0].view(np.int64))
    cycles, gaps = halves(table[:, 1])
    if parameters.activity_counters:
        counted = np.stack(halves(table[:, 2:]), axis=2).reshape(len(table), len(parameters.layers), 6)
        spikes, activity = from_counters(counted[:, :, : len(COUNTERS)])  # the last half of a layer's words is 0
    else:
        spikes, activity = uncounted(len(table), len(parameters.layers))
    return {
        "classes": answer["winner"].astype(np.int32),
        "overflow": answer["overflow"].astype(bool),
        "steps": answer["steps"].astype(np.int32),
        "reasons": answer["reason"].astype(np.uint8),
        "margins": answer["margin"],
        "cycles": cycles,
        "gaps": gaps,
        "spikes": spikes,
        "activity": activity,
        "counts_from": "itself" if parameters.activity_counters else None,
    }
