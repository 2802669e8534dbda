"""Packing between the Verilog shell and the device model."""

from __future__ import annotations

import numpy as np
import pytest

from hw.params import Coding
from sim.macro import programmed_models
from tests.sim.networks import random_chip


@pytest.mark.parametrize(("adc_bits", "row_bits"), [(1, 1), (5, 8), (8, 1), (9, 8), (16, 1)])
def test_answer_is_the_layout_of_the_shell(adc_bits: int, row_bits: int) -> None:
    rng = np.random.default_rng(adc_bits)
    chip = random_chip(
        rng, sizes=[13, 11, 4], adc_bits=adc_bits, row_bits=row_bits, lanes=3, tile_rows=5, coding=Coding.EVEN
    )
    for index, model in enumerate(programmed_models(chip)):
        p = chip.parameters.layers[index]
        rows = rng.integers(0, 1 << p.row_bits, p.inputs).astype(np.uint8)
        text = "".join(format(code, f"0{p.row_bits}b") for code in rows[::-1])
        assert (model.row_codes(text) == rows).all()
        codes, over = model.array.convert_one(rows, 9, 3)
        answer = model.answer(text, 9, 3, 0)
        place = 0
        for group in range(p.groups):
            for plane, bits in ((codes, p.code_bits), (over, 1)):
                for tile in range(p.row_tiles):
                    for lane in range(p.lanes):
                        column = group * p.lanes + lane
                        value = int(plane[tile, column]) if column < p.outputs else 0
                        assert answer >> place & ((1 << bits) - 1) == value & ((1 << bits) - 1)
                        place += bits
        assert answer >> place == 0


def test_totals_add_up_by_place() -> None:
    chip = random_chip(np.random.default_rng(1), sizes=[6, 4], coding=Coding.EVEN, row_bits=1)
    model = programmed_models(chip)[0]
    counts = [model.array.counts_one(model.row_codes(text))[2] for text in ("010101", "111111")]
    model.answer("010101", 7, 1, 3)
    model.answer("111111", 7, 1, 2)
    model.answer("111111", 7, 2, 3)
    assert model.totals().tolist() == [[2, counts[1]], [3, counts[0] + counts[1]]]


def test_undefined_rows_are_refused() -> None:
    chip = random_chip(np.random.default_rng(1), sizes=[6, 4], coding=Coding.EVEN, row_bits=1)
    with pytest.raises(AssertionError, match=r"^Layer 0: the latched rows have undefined bits$"):
        programmed_models(chip)[0].answer("01X101", 0, 1, 0)
