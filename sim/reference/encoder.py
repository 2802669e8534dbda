"""The reference encoders: pixels of a batch to row codes, step by step, bit for bit what `hw.encoder.spike_encoder`
gives.

With pixel x = 0 .. 255 of an image, in step t = 1, 2, ... with phase p = (t - 1) mod K:

    PHASE    spike = bit 7 - p of x for p < 8, else 0 [WS 4.1]
    EVEN     a += x; spike where a >= 255, then a -= 255; a starts at even_start (error diffusion)
    RATE     spike where u < x + (x >> 7), u = 8 random bits of the pixel's lane
    ANALOG   the row code is x itself

A spike is code 1 on 1-bit rows, 255 on 8-bit rows. RATE: one xorshift128 generator per image, whose state moves on by
one step per word of E = encoder_lanes pixels; the lanes read it through `hw.encoder.random_source`. Both are linear
over GF(2), so the E random bytes of a state are the XOR of 32 table rows, one for each 4 bits of the state.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.encoder.random_source import start_state, taps
from spikeloom.hw.params.codings import Coding
from spikeloom.sim.chip.image_seeds import image_seeds
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.kernels import kernel

__all__ = ["AnalogEncoder", "Encoder", "EvenEncoder", "PhaseEncoder", "RateEncoder", "encoder_of"]


@lru_cache(maxsize=8)
def _lane_table(lanes: int) -> NDArray[np.uint8]:
    """Random bytes of all lanes for each value of each nibble of the state, uint8 [32, 16, lanes]."""
    basis = np.zeros((128, lanes), np.uint8)
    for lane, triples in enumerate(taps(lanes)):
        for bit, triple in enumerate(triples):
            for tap in triple:
                basis[tap, lane] ^= np.uint8(1 << bit)
    table = np.zeros((32, 16, lanes), np.uint8)
    for nibble in range(32):
        for value in range(16):
            for bit in range(4):
                if value >> bit & 1:
                    table[nibble, value] ^= basis[4 * nibble + bit]
    table.setflags(write=False)
    return table


@kernel(nogil=True)
def _rate_step(
    pixels: NDArray[np.uint8],
    live: NDArray[np.int64],
    state: NDArray[np.uint32],
    table: NDArray[np.uint8],
    code: int,
    out: NDArray[np.uint8],
) -> None:
    """One step of RATE: `state` (uint32 [images, 4]) moves on, `out` (uint8 [live images, inputs]) is written."""
    inputs = pixels.shape[1]
    lanes = table.shape[2]
    words = (inputs + lanes - 1) // lanes
    random = np.empty(lanes, np.uint8)
    for b in range(live.shape[0]):
        at = live[b]
        for word in range(words):
            random[:] = 0
            for nibble in range(32):
                value = (state[at, nibble // 8] >> np.uint32(4 * (nibble % 8))) & np.uint32(15)
                row = table[nibble, value]
                for lane in range(lanes):
                    random[lane] ^= row[lane]
            first = word * lanes
            for lane in range(min(lanes, inputs - first)):
                x = np.int32(pixels[at, first + lane])
                out[b, first + lane] = code if np.int32(random[lane]) < x + (x >> 7) else 0
            x0, w = state[at, 0], state[at, 3]
            t = np.uint32(x0 ^ np.uint32(x0 << np.uint32(11)))
            state[at, 0], state[at, 1], state[at, 2] = state[at, 1], state[at, 2], w
            state[at, 3] = np.uint32(w ^ (w >> np.uint32(19)) ^ t ^ (t >> np.uint32(8)))


@kernel(nogil=True)
def _even_step(
    pixels: NDArray[np.uint8],
    live: NDArray[np.int64],
    accumulators: NDArray[np.int16],
    code: int,
    out: NDArray[np.uint8],
) -> None:
    """One step of EVEN: `accumulators` (int16 [images, inputs], 0 .. 254) move on, `out` is written."""
    for b in range(live.shape[0]):
        at = live[b]
        for j in range(pixels.shape[1]):
            total = np.int16(accumulators[at, j] + np.int16(pixels[at, j]))
            fires = total >= 255
            accumulators[at, j] = total - 255 if fires else total
            out[b, j] = code if fires else 0


class Encoder:
    """Row codes of a batch of images; steps are taken in order, for all images that are still live.

    Parameters
    ----------
    chip : coding, even_start, seed and hardware
    pixels : uint8 [images, inputs], as the encoder gets them (`hw.params.codings.Coding.sent`)
    image_ids : int64 [images], 0 .. 2^32 - 1
    """

    def __init__(self, chip: ProgrammedChip, pixels: NDArray[np.uint8], image_ids: NDArray[np.int64]) -> None:
        self.pixels = np.ascontiguousarray(pixels, np.uint8)
        self.phases = chip.parameters.phases
        self.spike = np.uint8(255 if chip.parameters.layers[0].row_bits == 8 else 1)
        """Row code of a spike."""

    def step(self, live: NDArray[np.int64], step: int) -> NDArray[np.uint8]:
        """Row codes of step `step` (1, 2, ...) of the images numbered `live` in the batch, uint8 [live, inputs]."""
        raise NotImplementedError


class PhaseEncoder(Encoder):
    """One bit of the pixel per phase, MSB first."""

    def step(self, live: NDArray[np.int64], step: int) -> NDArray[np.uint8]:
        """The bit of this phase of every pixel; 0 in phases past the eighth."""
        phase = (step - 1) % self.phases
        if phase >= 8:
            return np.zeros((len(live), self.pixels.shape[1]), np.uint8)
        return (self.pixels[live] >> np.uint8(7 - phase) & np.uint8(1)) * self.spike


class RateEncoder(Encoder):
    """Bernoulli spikes, from the seeds of the images."""

    def __init__(self, chip: ProgrammedChip, pixels: NDArray[np.uint8], image_ids: NDArray[np.int64]) -> None:
        super().__init__(chip, pixels, image_ids)
        self._state = image_seeds(chip.seed, image_ids)
        self._state[~self._state.any(axis=1)] = start_state(0)
        self._table = _lane_table(chip.parameters.encoder_lanes)

    def step(self, live: NDArray[np.int64], step: int) -> NDArray[np.uint8]:
        """One random spike per pixel, with probability (pixel + its top bit) / 256."""
        out = np.empty((len(live), self.pixels.shape[1]), np.uint8)
        _rate_step(self.pixels, live, self._state, self._table, self.spike, out)
        return out


class EvenEncoder(Encoder):
    """Error diffusion."""

    def __init__(self, chip: ProgrammedChip, pixels: NDArray[np.uint8], image_ids: NDArray[np.int64]) -> None:
        super().__init__(chip, pixels, image_ids)
        self._accumulators = np.full(self.pixels.shape, chip.even_start, np.int16)

    def step(self, live: NDArray[np.int64], step: int) -> NDArray[np.uint8]:
        """A spike where the sum of the pixel so far reaches 255."""
        out = np.empty((len(live), self.pixels.shape[1]), np.uint8)
        _even_step(self.pixels, live, self._accumulators, self.spike, out)
        return out


class AnalogEncoder(Encoder):
    """The pixels themselves."""

    def step(self, live: NDArray[np.int64], step: int) -> NDArray[np.uint8]:
        """The pixels, in every step."""
        return self.pixels[live]


_BY_CODE: dict[int, type[Encoder]] = {
    int(Coding.PHASE): PhaseEncoder,
    int(Coding.RATE): RateEncoder,
    int(Coding.EVEN): EvenEncoder,
    int(Coding.ANALOG): AnalogEncoder,
}
"""Models of the unit's encoder, by the value of its register."""


def encoder_of(chip: ProgrammedChip, pixels: NDArray[np.uint8], image_ids: NDArray[np.int64]) -> Encoder:
    """The encoder of a chip's coding, for a batch of images: `reference` of the coding, or the one of its code."""
    coding = chip.coding
    kind: type[Encoder] = _BY_CODE[int(coding)] if coding.reference is None else coding.reference
    return kind(chip, coding.sent(pixels), image_ids)
