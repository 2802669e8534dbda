"""The emulator against plain integers and the reference's arrays: codes, flags and cycles."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from spikeloom.hw.emulator.cell_words import IMAGE_HIGH, KEY_0, KEY_1, emulator_words
from spikeloom.hw.emulator.crossbar_emulator import CrossbarEmulator
from spikeloom.hw.emulator.cycles import row_cycles
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.crossbar.conversion_noise import conversion_noise
from tests.benches.emulator_bench import load, load_cells, read
from tests.benches.stream_bench import simulate


def integer_codes(
    p: LayerParameters, w: np.ndarray, rows: np.ndarray, gain: int, noise: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and flags [row tiles, outputs] in whole numbers, by the formula of `sim.crossbar.adc`.

    noise : [row tiles, outputs], in 2^-10 code
    """
    scale = (255 if p.row_bits == 8 else 1) << 10 + gain
    codes, over = np.zeros((p.row_tiles, p.outputs), int), np.zeros((p.row_tiles, p.outputs), bool)
    for tile in range(p.row_tiles):
        part = slice(tile * p.tile_rows, (tile + 1) * p.tile_rows)
        for column, total in enumerate((rows[part, None].astype(object) * w[part].astype(object)).sum(axis=0)):
            added = int(noise[tile, column]) * (scale >> 10) if noise is not None and rows[part].any() else 0
            rounded, rest = divmod(int(total) + added, scale)
            rounded += 2 * rest > scale or (2 * rest == scale and rounded % 2)
            codes[tile, column] = min(max(rounded, p.code_min), p.code_max)
            over[tile, column] = codes[tile, column] != rounded
    return codes, over


def random_rows(p: LayerParameters, rng: random.Random) -> np.ndarray:
    density = rng.choice([0.05, 0.3, 1.0])
    top = (1 << p.row_bits) - 1
    least = rng.choice([1, top])  # full rows give sums that are exact multiples of the divisor, and so ties
    rows = np.array([rng.randint(least, top) * (rng.random() < density) for _ in range(p.inputs)])
    for tile in range(p.row_tiles):
        if rng.random() < 0.2:
            rows[tile * p.tile_rows : (tile + 1) * p.tile_rows] = 0
    return rows


def random_weights(p: LayerParameters, bits: int, rng: np.random.Generator) -> np.ndarray:
    """W; some multiples of half a code, so that ties occur, and some at the ends of the range."""
    top = 1 << bits - 1
    w = rng.integers(-top, top, (p.inputs, p.outputs))
    rough = np.clip(w // 512 * 512, -top, top - 1)
    ends = np.where(w < 0, -top, top - 1)
    kind = rng.integers(0, 4, w.shape)
    return np.where(kind == 0, w, np.where(kind == 1, ends, rough))


@st.composite
def shapes(draw: st.DrawFn) -> dict:
    inputs = draw(st.integers(1, 40))
    outputs = draw(st.integers(1, 9))
    max_gain = draw(st.integers(0, 9))
    gain = draw(st.integers(0, max_gain))
    layer = LayerParameters(
        inputs=inputs,
        outputs=outputs,
        lanes=draw(st.integers(1, outputs)),
        tile_rows=draw(st.one_of(st.integers(1, 45), st.sampled_from([8, 16, 32]))),
        row_bits=draw(st.sampled_from([1, 8])),
        adc_bits=draw(st.integers(1, 16)),
        max_gain_shift=max_gain,
        programmer=False,
    )
    return {
        "parameters": layer,
        "rows_per_cycle": draw(st.sampled_from([1, 2, 4, 8])),
        "weight_bits": draw(st.integers(2, 20)),
        "noise": draw(st.sampled_from([0, 1, 20, 300])),
        "fixed": draw(st.booleans()),
        "gain": gain,
        "seed": draw(st.integers(0, 1 << 30)),
    }


@given(shapes())
@settings(max_examples=25, deadline=None, phases=(Phase.generate,))
def test_codes_are_those_of_whole_numbers(case: dict) -> None:
    gain, seed = case.pop("gain"), case.pop("seed")
    p = case["parameters"]
    dut = CrossbarEmulator(gain=gain if case.pop("fixed") else None, **case)
    w = random_weights(p, case["weight_bits"], np.random.default_rng(seed))
    rng = random.Random(seed)
    key, image = (seed, 8 << 16 | 3), rng.getrandbits(32)

    async def bench(ctx):
        await load_cells(ctx, dut, emulator_words(dut.shape, w), gain)
        if dut.shape.noise:
            for address, word in zip((KEY_0, KEY_1, IMAGE_HIGH), (*key, image >> 16), strict=True):
                await load(ctx, dut, address, word)
        for number, stall in enumerate((0.0, 0.5, 0.0)):
            rows = random_rows(p, rng)
            codes, over, cycles = await read(ctx, dut, rows, rng, stall, address=(image & 0xFFFF, number))
            noise = dut.shape.noise * conversion_noise(key, image, number, p.row_tiles, p.groups, p.lanes)
            wanted, flags = integer_codes(p, w, rows, gain, noise)
            np.testing.assert_array_equal(codes, wanted)
            np.testing.assert_array_equal(over, flags)
            if not stall:
                assert cycles == row_cycles(dut.shape, rows)

    simulate(dut, bench)


@pytest.mark.parametrize("tile_rows", [17, 32])
def test_a_reset_in_the_middle_forgets_the_read_only(tile_rows: int) -> None:
    p = LayerParameters(
        inputs=40, outputs=5, lanes=2, tile_rows=tile_rows, adc_bits=6, max_gain_shift=4, programmer=False
    )
    dut = CrossbarEmulator(parameters=p, gain=1)
    w, rng = random_weights(p, 16, np.random.default_rng(5)), random.Random(5)

    async def bench(ctx):
        await load_cells(ctx, dut, emulator_words(dut.shape, w))
        port = dut.crossbar
        for cycles in range(0, 120, 7):
            rows = random_rows(p, rng)
            ctx.set(port.rows, sum(int(code) << row for row, code in enumerate(rows)))
            ctx.set(port.drive, 1)
            for cycle in range(cycles):
                await ctx.tick()
                if ctx.get(port.sampled):
                    ctx.set(port.drive, 0)
                if cycle > 60:
                    ctx.set(port.convert, 1)
                    ctx.set(port.column, rng.randrange(p.groups))  # another group in the middle, too
            ctx.set(port.drive, 0)
            ctx.set(port.convert, 0)
            ctx.set(dut.reset, 1)
            await ctx.tick()
            ctx.set(dut.reset, 0)
            assert not ctx.get(port.sampled) and not ctx.get(port.done)
            rows = random_rows(p, rng)
            codes, over, found = await read(ctx, dut, rows, rng)
            wanted, flags = integer_codes(p, w, rows, 1)
            np.testing.assert_array_equal(codes, wanted)
            np.testing.assert_array_equal(over, flags)
            assert found == row_cycles(dut.shape, rows)

    simulate(dut, bench)


def test_groups_in_any_order() -> None:
    """What was begun of the next group is given up when another one is asked for."""
    p = LayerParameters(inputs=9, outputs=7, lanes=2, tile_rows=4, adc_bits=8, max_gain_shift=4, programmer=False)
    dut = CrossbarEmulator(parameters=p, gain=2)
    w, rng = random_weights(p, 16, np.random.default_rng(6)), random.Random(6)
    rows = np.array([1, 0, 1, 1, 0, 0, 0, 0, 1])

    async def bench(ctx):
        await load_cells(ctx, dut, emulator_words(dut.shape, w))
        await read(ctx, dut, rows, rng)
        port, (wanted, _) = dut.crossbar, integer_codes(p, w, rows, 2)
        for _ in range(40):
            group = rng.randrange(p.groups)
            ctx.set(port.column, group)
            ctx.set(port.convert, 1)
            done = False
            while not done:
                *_, done, codes = await ctx.tick().sample(port.done, port.codes)
            for column in range(group * 2, min(p.outputs, group * 2 + 2)):
                assert [codes[tile * 2 + column % 2] for tile in range(p.row_tiles)] == wanted[:, column].tolist()
            if rng.random() < 0.5:
                ctx.set(port.convert, 0)
                await ctx.tick().repeat(rng.randrange(1, 20))

    simulate(dut, bench)


@pytest.mark.parametrize("fixed", [True, False])
def test_ties_of_analog_rows(fixed: bool) -> None:
    """Sums that are whole multiples of half a code after the division by 255: to the even code."""
    p = LayerParameters(
        inputs=3, outputs=12, lanes=4, tile_rows=3, row_bits=8, adc_bits=8, max_gain_shift=2, programmer=False
    )
    dut = CrossbarEmulator(parameters=p, gain=1 if fixed else None)
    w = np.array([np.arange(-24, 24, 4), np.arange(12), np.arange(12) % 3]) * 512
    rows = np.array([255, 255, 255])

    async def bench(ctx):
        await load_cells(ctx, dut, emulator_words(dut.shape, w), 1)
        codes, over, _ = await read(ctx, dut, rows, random.Random(1))
        wanted, flags = integer_codes(p, w, rows, 1)
        assert len({int(total) % 4 for total in w.sum(axis=0) // 512}) == 4, "ties at even and odd codes"
        np.testing.assert_array_equal(codes, wanted)
        np.testing.assert_array_equal(over, flags)

    simulate(dut, bench)
