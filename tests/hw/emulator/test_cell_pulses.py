"""Pulses, verify reads and reads of cells against whole numbers, and reads of the columns after them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from spikeloom.hw.emulator.cell_words import CELLS, POINTER, emulator_cells, emulator_words
from spikeloom.hw.emulator.crossbar_emulator import CrossbarEmulator
from spikeloom.hw.emulator.cycles import operation_cycles, row_cycles
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.emulator_bench import access, load, load_cells, operate, read
from tests.benches.stream_bench import simulate
from tests.hw.emulator.test_crossbar_emulator import integer_codes, random_rows


class IntegerCells:
    """Cells as `sim.devices.emulated` has them: conductances in 2^-10 level, factors in 1/128."""

    def __init__(self, p: LayerParameters, levels: int, rng: np.random.Generator) -> None:
        self.p, self.top = p, (levels - 1) << 10
        self.g = rng.integers(0, self.top + 1, (2, p.inputs, p.outputs))
        ends = rng.integers(0, 4, self.g.shape)
        self.g = np.where(ends == 0, 0, np.where(ends == 1, self.top, self.g))
        self.d = np.where(rng.integers(0, 4, self.g.shape) == 0, 0, rng.integers(0, 256, self.g.shape))

    def operate(self, asked: dict) -> list[int]:
        codes = [0] * self.p.row_tiles
        for tile in range(self.p.row_tiles):
            if asked["tiles"] >> tile & 1:
                cell = asked["side"], tile * self.p.tile_rows + asked["row"], asked["column"]
                if asked["pulse"]:
                    change = asked["amplitudes"][tile] * self.d[cell] * (1 if asked["up"] >> tile & 1 else -1)
                    self.g[cell] = min(max(self.g[cell] + change, 0), self.top)
                else:
                    codes[tile] = min((int(self.g[cell]) + 64) >> 7, 1023)
        return codes


def random_operation(p: LayerParameters, rng: random.Random) -> dict:
    row = rng.randrange(min(p.tile_rows, p.inputs))
    there = [tile for tile in range(p.row_tiles) if tile * p.tile_rows + row < p.inputs]
    chosen = rng.sample(there, rng.randint(1, len(there)))
    return {
        "pulse": rng.randrange(2),
        "row": row,
        "column": rng.randrange(p.outputs),
        "side": rng.randrange(2),
        "tiles": sum(1 << tile for tile in chosen),
        "up": rng.getrandbits(p.row_tiles),
        "amplitudes": [rng.choice([0, 1, 255, rng.randrange(256)]) for _ in range(p.row_tiles)],
    }


@st.composite
def shapes(draw: st.DrawFn) -> dict:
    outputs = draw(st.integers(1, 7))
    layer = LayerParameters(
        inputs=draw(st.integers(1, 20)),
        outputs=outputs,
        lanes=draw(st.integers(1, outputs)),
        tile_rows=draw(st.sampled_from([1, 3, 4, 6, 8, 20])),
        row_bits=draw(st.sampled_from([1, 8])),
        adc_bits=draw(st.sampled_from([1, 4, 8, 12])),
        max_gain_shift=2,
    )
    return {
        "parameters": layer,
        "rows_per_cycle": draw(st.sampled_from([1, 2, 4])),
        "levels": draw(st.sampled_from([2, 3, 16, 200])),
        "gain": draw(st.sampled_from([None, 0, 2])),
    }


@given(shapes(), st.integers(0, 1 << 30))
@settings(max_examples=12, deadline=None, phases=(Phase.generate,))
def test_cells_are_those_of_whole_numbers(case: dict, seed: int) -> None:
    p, rng = case["parameters"], random.Random(seed)
    dut = CrossbarEmulator(**case)
    shape = dut.shape
    cells = IntegerCells(p, shape.levels, np.random.default_rng(seed))
    gain = rng.randrange(3) if shape.gain is None else shape.gain

    async def bench(ctx):
        await load_cells(ctx, dut, emulator_words(shape, cells.g, cells.d), gain)
        for _ in range(30):
            asked = random_operation(p, rng)
            codes, cycles = await operate(ctx, dut, **asked)
            assert codes == cells.operate(asked)
            assert cycles == operation_cycles(asked["tiles"].bit_count())
            if rng.random() < 0.3:
                await ctx.tick()
            if rng.random() < 0.2:
                rows = random_rows(p, rng)
                found, over, cycles = await read(ctx, dut, rows, rng, 0.0)
                wanted, flags = integer_codes(p, cells.g[0] - cells.g[1], rows, gain)
                np.testing.assert_array_equal(found, wanted)
                np.testing.assert_array_equal(over, flags)
                assert cycles == row_cycles(shape, rows)
        await load(ctx, dut, POINTER, 0)
        words = []
        for _ in range(shape.depth * shape.load_words):
            word, error, _ = await access(ctx, dut, CELLS)
            assert not error
            words.append(word)
        g, d = emulator_cells(shape, np.array(words))
        np.testing.assert_array_equal(g, cells.g)
        np.testing.assert_array_equal(d, cells.d)
        assert (await access(ctx, dut, CELLS))[:2] == (0, True)  # past the last one

    simulate(dut, bench)
