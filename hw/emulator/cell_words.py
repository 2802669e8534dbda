"""Address map of a crossbar emulator, and the order and the format of its cells: shared by hardware, host and tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.emulator.shape import FACTOR_BITS, EmulatorShape
from spikeloom.hw.errors import SpikeLoomError

__all__ = [
    "CELLS", "FACTOR_AT", "GAIN", "IDENTITY", "IMAGE_HIGH", "KEY_0", "KEY_1", "MAGIC", "POINTER", "VERSION",
    "emulator_cells", "emulator_words", "identity_words",
]  # fmt: skip

MAGIC = 0x534C454D
"""Word 0 of an emulator: "SLEM"."""
VERSION = 1

IDENTITY = (
    "magic", "version", "inputs", "outputs", "lanes", "tile_rows", "row_bits", "adc_bits", "rows_per_cycle",
    "programmer", "levels", "cell_bits", "fixed_gain", "memory_words", "load_words", "noise",
)  # fmt: skip
"""Read-only words at byte addresses 0, 4, 8, ..."""

GAIN = 0x40
"""Byte address of the gain shift; writable unless it is fixed."""
POINTER = 0x44
"""Byte address of the pointer: the word of the memory of cells that the next access to `CELLS` begins with."""
CELLS = 0x48
"""Byte address of the cells: every access goes on to the next `load_cells` cells."""

KEY_0, KEY_1 = 0x50, 0x54
"""Byte addresses of the two words of the noise's key; only with noise."""
IMAGE_HIGH = 0x58
"""Byte address of the upper half of the images' numbers, 16 bits; only with noise."""

FACTOR_AT = 24
"""Lowest bit of a cell's factor in the host's word, with a programmer."""


def identity_words(shape: EmulatorShape) -> list[int]:
    """The words of IDENTITY, 32 bits each, with which a host checks what is there.

    programmer : 1 if cells are kept apart
    fixed_gain : the gain shift, or 0xFFFFFFFF for a register
    memory_words, load_words : words of the memory of cells, and accesses to `CELLS` for each of them
    noise : amplitude of the noise of a conversion, 0 for none
    """
    p = shape.parameters
    gain = 0xFFFFFFFF if shape.gain is None else shape.gain
    return [
        MAGIC, VERSION, p.inputs, p.outputs, p.lanes, p.tile_rows, p.row_bits, p.adc_bits, shape.rows_per_cycle,
        int(shape.programmer), shape.levels, shape.cell_bits, gain, shape.depth, shape.load_words,
        shape.noise,
    ]  # fmt: skip


def emulator_words(
    shape: EmulatorShape, cells: NDArray[np.integer[Any]], factors: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.uint32]:
    """What is written to `CELLS`, in order, with the pointer at 0: uint32 [memory words * load words].

    The memory's words are those of column group 0 first, and in a group those of row tile 0 first. In a word comes the
    first row's lane 0 first. Without programmer a host's word has W of two pairs of 16 bits, the earlier one in the
    lower half, or of one pair of more bits, in two's complement. With one it has a cell: its conductance in bits 0 ..
    23, its factor in bits 24 .. 31; the positive cell of a pair comes before the negative one. Where there is no row or
    no column there are zeros.

    Parameters
    ----------
    shape : EmulatorShape
    cells : without programmer W, integers [inputs, outputs]; else conductances in 2^-10 level, integers [2, inputs,
        outputs], those of the positive cells first
    factors : with programmer, factors of the cells, 0 .. 255, 128 is 1.0; integers as `cells`

    Raises
    ------
    ValueError : arrays of another shape, or numbers that do not fit
    """
    _check(shape, cells, factors)
    ordered = _ordered(shape, cells)
    if factors is not None:
        ordered |= _ordered(shape, factors) << FACTOR_AT
    elif shape.load_cells == 2:
        pairs = np.pad(ordered & (1 << 16) - 1, ((0, 0), (0, ordered.shape[1] % 2)))
        ordered = pairs[:, ::2] | pairs[:, 1::2] << 16
    words: NDArray[np.uint32] = (ordered & (1 << 32) - 1).astype(np.uint32).ravel()
    return words


def emulator_cells(
    shape: EmulatorShape, words: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Conductances and factors, int64 [2, inputs, outputs], of the words read from `CELLS` with a programmer."""
    p = shape.parameters
    numbers = words.astype(np.int64).reshape(p.groups, shape.words, shape.rows_per_cycle, p.lanes, 2)
    rows = _rows(shape)
    there = rows < p.inputs
    places = np.empty((2, p.inputs, p.groups * p.lanes), np.int64)
    places[:, rows[there]] = numbers.transpose(1, 2, 4, 0, 3).reshape(*rows.shape, 2, -1)[there].transpose(1, 0, 2)
    places = places[:, :, : p.outputs]
    return places & (1 << FACTOR_AT) - 1, places >> FACTOR_AT


def _rows(shape: EmulatorShape) -> NDArray[np.int64]:
    """Row of the layer of every place of every word, int64 [words, rows per cycle]; `inputs` where there is none."""
    p = shape.parameters
    tiles, words = np.divmod(np.arange(shape.words), shape.tile_words)
    rows = words[:, None] * shape.rows_per_cycle + np.arange(shape.rows_per_cycle)
    of_layer = tiles[:, None] * p.tile_rows + rows
    return np.where((rows < shape.tile_rows) & (of_layer < p.inputs), of_layer, p.inputs).astype(np.int64)


def _ordered(shape: EmulatorShape, values: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Numbers of all cells in the memory's order, int64 [memory words, cells]."""
    p = shape.parameters
    sides = values.astype(np.int64).reshape(-1, p.inputs, p.outputs)
    padded = np.pad(sides, ((0, 0), (0, 1), (0, p.groups * p.lanes - p.outputs)))
    placed = padded[:, _rows(shape)].reshape(len(sides), shape.words, shape.rows_per_cycle, p.groups, p.lanes)
    return placed.transpose(3, 1, 2, 4, 0).reshape(shape.depth, shape.cells)


def _check(shape: EmulatorShape, cells: NDArray[np.integer[Any]], factors: NDArray[np.integer[Any]] | None) -> None:
    """Raise unless the arrays fit."""
    p = shape.parameters
    needed = (2, p.inputs, p.outputs) if shape.programmer else (p.inputs, p.outputs)
    if (factors is not None) != shape.programmer:
        raise SpikeLoomError(
            "Factors of cells are for an emulator with programmer, which needs them; this one "
            f"{'has' if shape.programmer else 'has not'} got a programmer"
        )
    low, high = (
        (0, shape.highest) if shape.programmer else (-(1 << shape.cell_bits - 1), (1 << shape.cell_bits - 1) - 1)
    )
    for name, array, bounds in (("cells", cells, (low, high)), ("factors", factors, (0, (1 << FACTOR_BITS) - 1))):
        if array is None:
            continue
        if array.shape != needed:
            raise SpikeLoomError(f"Emulator's {name} must be an array {list(needed)}, not {list(array.shape)}")
        if int(array.min()) < bounds[0] or int(array.max()) > bounds[1]:
            raise SpikeLoomError(
                f"Emulator's {name} must be in {bounds[0]} .. {bounds[1]}, but are in {int(array.min())} .. "
                f"{int(array.max())}" + ("" if shape.programmer else "; build it with a larger weight_bits")
            )
