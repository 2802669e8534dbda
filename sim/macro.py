"""The analog array of one layer as the co-simulation sees it: packed row vector in, packed answer out."""

from __future__ import annotations

import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.crossbar import CrossbarArray, build_arrays
from sim.image import ChipImage

__all__ = ["MacroModel", "load_models", "programmed_models", "save_models"]


@njit(cache=True)
def _put(packed, position, value, bits):  # type: ignore[no-untyped-def]
    """OR `bits` bits of value into a little-endian bit stream at a bit position."""
    byte, shift = position >> 3, position & 7
    word = np.uint32((value & ((1 << bits) - 1)) << shift)
    while word:
        packed[byte] |= np.uint8(word & np.uint32(0xFF))
        word >>= np.uint32(8)
        byte += 1


@njit(cache=True)
def _pack(codes, over, lanes, groups, code_bits, packed):  # type: ignore[no-untyped-def]
    """Lay out codes int16 [tiles, columns] and flags bool [tiles, columns] as the macro shell's `answer` register."""
    tiles, columns = codes.shape
    packed[:] = 0
    word = tiles * lanes * (code_bits + 1)
    for tile in range(tiles):
        for column in range(columns):
            group, lane = column // lanes, column % lanes
            index = tile * lanes + lane
            code = np.int64(codes[tile, column])
            if code != 0:
                _put(packed, group * word + index * code_bits, code, code_bits)
            if over[tile, column]:
                _put(packed, group * word + tiles * lanes * code_bits + index, 1, 1)


class MacroModel:
    """One layer's array behind the Verilog shell `crossbar_macro`.

    Parameters
    ----------
    array : the programmed crossbar
    """

    def __init__(self, array: CrossbarArray) -> None:
        self.array = array
        p = array.parameters
        self._packed = np.zeros(-(-p.groups * p.row_tiles * p.lanes * (p.code_bits + 1) // 8), np.uint8)
        self._conductance: defaultdict[int, int] = defaultdict(int)

    def row_codes(self, text: str) -> NDArray[np.uint8]:
        """Row codes, uint8 [inputs], of a latched row vector as the simulator prints it (highest bit first)."""
        bits = np.frombuffer(text.encode("ascii"), np.uint8) - np.uint8(ord("0"))
        if bits.max(initial=0) > 1:
            raise AssertionError(f"Layer {self.array.index}: the latched rows have undefined bits")
        if self.array.parameters.row_bits == 8:
            bits = np.packbits(bits)
        return np.ascontiguousarray(bits[::-1])

    def answer(self, text: str, image: int, step: int, position: int) -> int:
        """The shell's `answer` for a read: codes and over-range flags of all tiles, as one number.

        image and step address the noise; position is the image's place in the stream, which the load is booked on.
        """
        p = self.array.parameters
        rows = self.row_codes(text)
        codes, over = self.array.convert_one(rows, image, step)
        self._conductance[position] += self.array.counts_one(rows)[2]
        _pack(codes, over, p.lanes, p.groups, p.code_bits, self._packed)
        return int.from_bytes(self._packed.tobytes(), "little")

    def totals(self) -> NDArray[np.int64]:
        """Conductance-weighted row pulses, int64 [places, 2]: place in the stream, sum; silent places are left out."""
        return np.array(sorted(self._conductance.items()), np.int64).reshape(-1, 2)


def programmed_models(image: ChipImage) -> list[MacroModel]:
    """Program the crossbars of every layer: the same devices as the reference's."""
    return [MacroModel(array) for array in build_arrays(image)]


def save_models(folder: Path, models: list[MacroModel]) -> None:
    """Hand the programmed arrays to a simulator process (a temporary file of this program, not a format)."""
    (folder / "models.pickle").write_bytes(pickle.dumps(models))


def load_models(folder: Path) -> list[MacroModel]:
    """What `save_models` wrote."""
    models: list[MacroModel] = pickle.loads((folder / "models.pickle").read_bytes())
    return models
