"""The analog array of one layer as the co-simulation sees it: packed row vector or programming operation in, packed
answer out.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hw.crossbar_port import CELL_CODE_BITS
from hw.params import LayerParameters
from sim.cells import CellModel, CellState
from sim.crossbar import CrossbarArray, build_arrays
from sim.image import ChipImage, LayerImage
from sim.programming import model_of

__all__ = ["LayerCells", "MacroModel", "fresh_models", "load_models", "programmed_models", "save_models"]


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


@dataclass(frozen=True, eq=False)
class LayerCells:
    """A layer's cells behind its crossbar.

    Parameters
    ----------
    layer, parameters : programming of the layer (its gain shift counts) and its hardware
    model, state : the cells; state changes in place
    """

    layer: LayerImage
    parameters: LayerParameters
    model: CellModel
    state: CellState

    @classmethod
    def of(cls, array: CrossbarArray) -> LayerCells:
        """The cells of an array, without a history of pulses and reads."""
        p = array.parameters
        model = CellModel(array.device, p.inputs, p.outputs, array.seed, array.index)
        return cls(array.layer, p, model, CellState.at(array.cells_S.copy()))

    def array(self) -> CrossbarArray:
        """The crossbar as the cells are now."""
        return CrossbarArray(
            self.model.layer, self.layer, self.parameters, self.model.device, self.model.seed,
            programmed_S=self.state.g_S.copy(),
        )  # fmt: skip


class MacroModel:
    """One layer's array behind the Verilog shell `crossbar_macro`.

    Parameters
    ----------
    source : the programmed crossbar, or cells to be programmed

    Attributes
    ----------
    cells : the cells; None for a programmed crossbar that has had no operation yet
    """

    def __init__(self, source: CrossbarArray | LayerCells) -> None:
        self.cells = source if isinstance(source, LayerCells) else None
        self._array = source if isinstance(source, CrossbarArray) else None
        self._index = source.model.layer if isinstance(source, LayerCells) else source.index
        p = self._parameters = source.parameters
        self._row_bits = max(1, (p.tile_rows - 1).bit_length())
        self._column_bits = max(1, (p.outputs - 1).bit_length())
        self._packed = np.zeros(-(-p.groups * p.row_tiles * p.lanes * (p.code_bits + 1) // 8), np.uint8)
        self._conductance: defaultdict[int, int] = defaultdict(int)

    @property
    def array(self) -> CrossbarArray:
        """The crossbar; made anew at the first read after a programming pulse."""
        if self._array is None:
            assert self.cells is not None
            self._array = self.cells.array()
        return self._array

    def row_codes(self, text: str) -> NDArray[np.uint8]:
        """Row codes, uint8 [inputs], of a latched row vector as the simulator prints it (highest bit first)."""
        bits = np.frombuffer(text.encode("ascii"), np.uint8) - np.uint8(ord("0"))
        if bits.max(initial=0) > 1:
            raise AssertionError(f"Layer {self._index}: the latched rows have undefined bits")
        if self._parameters.row_bits == 8:
            bits = np.packbits(bits)
        return np.ascontiguousarray(bits[::-1])

    def answer(self, text: str, image: int, step: int, position: int) -> int:
        """The shell's `answer` for a read: codes and over-range flags of all tiles, as one number.

        image and step address the noise; position is the image's place in the stream, which the load is booked on.
        """
        p = self._parameters
        rows = self.row_codes(text)
        codes, over = self.array.convert_one(rows, image, step)
        self._conductance[position] += self.array.counts_one(rows)[2]
        _pack(codes, over, p.lanes, p.groups, p.code_bits, self._packed)
        return int.from_bytes(self._packed.tobytes(), "little")

    def program(self, text: str) -> int | None:
        """Carry out an operation, the shell's `program_word` as the simulator prints it (highest bit first).

        Returns the shell's `program_answer` of a verify read, and None for a pulse.
        """
        p = self._parameters
        if self.cells is None:
            self.cells = LayerCells.of(self.array)
        bits = np.frombuffer(text.encode("ascii"), np.uint8)[::-1] - np.uint8(ord("0"))
        if bits.max() > 1:
            raise AssertionError(f"Layer {self._index}: a programming operation has undefined bits")
        pulse, side = bool(bits[0]), int(bits[1])
        end = len(text) - 2
        row = int(text[end - self._row_bits : end], 2)
        end -= self._row_bits
        column = int(text[end - self._column_bits : end], 2)
        start = len(text) - end + self._column_bits
        tiles, up = bits[start : start + 2 * p.row_tiles].reshape(2, -1).astype(np.bool_)
        amplitudes = np.packbits(bits[start + 2 * p.row_tiles :], bitorder="little").astype(np.int64)
        there = (p.inputs - row + p.tile_rows - 1) // p.tile_rows  # row tiles that have the row
        if row >= p.tile_rows or column >= p.outputs or not tiles.any() or tiles[there:].any():
            raise AssertionError(
                f"Layer {self._index}: a programming operation asks for row {row}, column {column} of row tiles "
                f"{np.flatnonzero(tiles).tolist()}, where there is no cell"
            )
        codes = self.cells.model.operate(self.cells.state, pulse, row, column, side, p.tile_rows, tiles, up, amplitudes)
        if pulse:
            self._array = None
            return None
        return sum(code << CELL_CODE_BITS * tile for tile, code in enumerate(codes.tolist()))

    def totals(self) -> NDArray[np.int64]:
        """Conductance-weighted row pulses, int64 [places, 2]: place in the stream, sum; silent places are left out."""
        return np.array(sorted(self._conductance.items()), np.int64).reshape(-1, 2)

    def forget_totals(self) -> None:
        """Begin the sums of `totals` anew."""
        self._conductance.clear()


def programmed_models(image: ChipImage) -> list[MacroModel]:
    """Program the crossbars of every layer: the same devices as the reference's."""
    return [MacroModel(array) for array in build_arrays(image)]


def fresh_models(image: ChipImage) -> list[MacroModel]:
    """Crossbars of every layer with fresh cells, to be programmed over their programming ports."""
    models = []
    for index, (layer, shape) in enumerate(zip(image.layers, image.parameters.layers, strict=True)):
        model = model_of(image, index)
        models.append(MacroModel(LayerCells(layer, shape, model, model.fresh())))
    return models


def save_models(folder: Path, models: list[MacroModel]) -> None:
    """Hand the programmed arrays to a simulator process (a temporary file of this program, not a format)."""
    (folder / "models.pickle").write_bytes(pickle.dumps(models))


def load_models(folder: Path) -> list[MacroModel]:
    """What `save_models` wrote."""
    models: list[MacroModel] = pickle.loads((folder / "models.pickle").read_bytes())
    return models
