"""Order and format of the cells, and the address map on the load bus."""

from __future__ import annotations

import re

import numpy as np
import pytest

from spikeloom.hw.emulator.cell_words import (
    CELLS,
    GAIN,
    IDENTITY,
    IMAGE_HIGH,
    KEY_0,
    KEY_1,
    POINTER,
    emulator_cells,
    emulator_words,
    identity_words,
)
from spikeloom.hw.emulator.crossbar_emulator import CrossbarEmulator
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.emulator_bench import access, load
from tests.benches.stream_bench import simulate


def layer(**changes: object) -> LayerParameters:
    return LayerParameters(
        **{"inputs": 5, "outputs": 3, "tile_rows": 3, "lanes": 2, "programmer": False, **changes}  # type: ignore[arg-type]
    )


def test_words_of_pairs_by_hand() -> None:
    """Two rows a cycle, tiles of 3 and 2 rows: words (0, 1), (2, -), (3, 4); two groups of two lanes."""
    shape = EmulatorShape(parameters=layer(), rows_per_cycle=2)
    w = np.arange(1, 16).reshape(5, 3)
    wanted = [
        [(1, 2), (4, 5)], [(7, 8), (0, 0)], [(10, 11), (13, 14)],
        [(3, 0), (6, 0)], [(9, 0), (0, 0)], [(12, 0), (15, 0)],
    ]  # fmt: skip
    words = [low | high << 16 for row in wanted for low, high in row]
    assert emulator_words(shape, w).tolist() == words
    assert emulator_words(shape, -w)[0] == (-1 & 0xFFFF) | (-2 & 0xFFFF) << 16


def test_words_of_wide_pairs_have_one_each() -> None:
    shape = EmulatorShape(parameters=layer(), weight_bits=17)
    words = emulator_words(shape, np.full((5, 3), -3))
    assert words.tolist() == [0xFFFFFFFD] * 10 + [0xFFFFFFFD, 0] * 5


def test_cells_come_back() -> None:
    rng = np.random.default_rng(1)
    shape = EmulatorShape(parameters=layer(programmer=True), rows_per_cycle=4)
    g, d = rng.integers(0, shape.highest + 1, (2, 5, 3)), rng.integers(0, 256, (2, 5, 3))
    words = emulator_words(shape, g, d)
    assert words[0] == g[0, 0, 0] | d[0, 0, 0] << 24 and words[1] == g[1, 0, 0] | d[1, 0, 0] << 24
    for found, given in zip(emulator_cells(shape, words), (g, d), strict=True):
        np.testing.assert_array_equal(found, given)


@pytest.mark.parametrize(
    ("programmer", "cells", "factors", "message"),
    [
        (False, np.zeros((5, 2), int), None, "cells must be an array [5, 3], not [5, 2]"),
        (False, np.full((5, 3), 1 << 15), None, "cells must be in -32768 .. 32767, but are in 32768 .. 32768; build"),
        (True, np.full((2, 5, 3), 15361), np.zeros((2, 5, 3), int), "cells must be in 0 .. 15360, but are in 15361"),
        (True, np.zeros((2, 5, 3), int), np.full((2, 5, 3), 256), "factors must be in 0 .. 255"),
        (True, np.zeros((2, 5, 3), int), None, "Factors of cells are for an emulator with programmer"),
    ],
)
def test_what_does_not_fit(programmer: bool, cells: np.ndarray, factors: np.ndarray | None, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        emulator_words(EmulatorShape(parameters=layer(programmer=programmer)), cells, factors)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows_per_cycle": 3}, "rows_per_cycle must be 1, 2, 4 or 8, not 3"),
        ({"levels": 1}, "levels must be in 2 .. 1024, not 1"),
        ({"gain": 8}, "gain must be in 0 .. 7, not 8"),
        ({"noise": 2048}, "noise must be in 0 .. 2047, not 2048"),
        ({"noise": True}, "noise must be an integer, not True"),
        ({"weight_bits": 2.0}, "weight_bits must be an integer, not 2.0"),
    ],
)
def test_what_no_emulator_has(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmulatorShape(parameters=layer(), **changes)


@pytest.mark.parametrize("gain", [None, 3])
@pytest.mark.parametrize(("programmer", "noise"), [(False, 0), (True, 0), (True, 9)])
def test_address_map(programmer: bool, noise: int, gain: int | None) -> None:
    dut = CrossbarEmulator(parameters=layer(programmer=programmer), gain=gain, noise=noise)
    shape = dut.shape

    async def bench(ctx):
        for number, (name, word) in enumerate(zip(IDENTITY, identity_words(shape), strict=True)):
            assert await access(ctx, dut, 4 * number) == (word, False, 2), name
            assert (await access(ctx, dut, 4 * number, 0))[1], "identity was written"
        for register in (KEY_0, KEY_1, IMAGE_HIGH):
            assert await access(ctx, dut, register, 0x89ABCDEF + register) == (0, not noise, 2)
        for register, bits in ((KEY_0, 32), (KEY_1, 32), (IMAGE_HIGH, 16)):
            held = (0x89ABCDEF + register) % (1 << bits) if noise else 0
            assert await access(ctx, dut, register) == (held, not noise, 2)
        for address in (CELLS + 4, POINTER + 0x100, IMAGE_HIGH + 4, 0x80000):
            assert await access(ctx, dut, address) == (0, True, 2)
        assert await access(ctx, dut, GAIN) == (gain or 0, False, 2)
        assert (await access(ctx, dut, GAIN, 5))[1] == (gain is not None)
        assert await access(ctx, dut, GAIN) == (5 if gain is None else gain, False, 2)
        await load(ctx, dut, POINTER, shape.depth - 1)
        for _ in range(shape.load_words):
            assert (await access(ctx, dut, POINTER))[0] == shape.depth - 1
            assert await access(ctx, dut, CELLS, 0) == (0, False, 7 if programmer else 2)
        assert await access(ctx, dut, POINTER) == (shape.depth, False, 2)
        assert (await access(ctx, dut, CELLS, 0))[1], "written past the last word"
        await load(ctx, dut, POINTER, 0)
        assert (await access(ctx, dut, CELLS))[1] != programmer

    simulate(dut, bench)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"outputs": 1025, "lanes": 1025}, "at most 1024 lanes, and the layer has 1025"),
        ({"outputs": 1025, "lanes": 1}, "at most 1024 groups, and the layer has 1025"),
        ({"inputs": 4097, "tile_rows": 1}, "at most 4096 row_tiles, and the layer has 4097"),
    ],
)
def test_layers_that_are_too_large_for_noise(sizes: dict, message: str) -> None:
    large = LayerParameters(**{"inputs": 4, "outputs": 4, "lanes": 1, **sizes})
    EmulatorShape(parameters=large)
    with pytest.raises(ValueError, match=message):
        EmulatorShape(parameters=large, noise=1)
