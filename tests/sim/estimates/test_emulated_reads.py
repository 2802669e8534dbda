"""Cycles of reads of emulated crossbars, of many at once; the Verilog's are in tests/sim/cosim/board."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.hw.emulator.cycles import line_entries, row_cycles
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.estimates.emulated_reads import board_run, emulated_reads, listed_entries
from spikeloom.sim.reference.run import run_reference
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.plans import random_plan


@given(
    st.integers(1, 150),
    st.integers(1, 150),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 60),
    st.integers(0, 2**32 - 1),
)
def test_many_reads_take_what_each_takes(inputs: int, tile_rows: int, together: int, pulse: int, seed: int) -> None:
    shape = EmulatorShape(
        parameters=LayerParameters(inputs=inputs, outputs=3, lanes=2, tile_rows=tile_rows), rows_per_cycle=together
    )
    rng = np.random.default_rng(seed)
    rows = (rng.random((6, inputs)) < rng.random((6, 1))).astype(np.uint8)
    assert listed_entries(shape, rows).tolist() == [line_entries(shape, row) for row in rows]
    drives, conversions = emulated_reads([shape], pulse, 0, rows)
    single = [row_cycles(shape, row) for row in rows]
    assert drives.tolist() == [max(pulse, read.settle) for read in single]
    assert conversions.tolist() == [[cycles + 1 for cycles in read.convert] for read in single]


def test_a_run_is_the_reference_s_in_any_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeloom.sim.estimates.emulated_reads._TOGETHER", 7)
    rng = np.random.default_rng(5)
    chip = random_chip(rng, sizes=[20, 9, 4], programmer=False, read_sigma=0.0, cell="linear")
    shapes = [EmulatorShape(parameters=layer, levels=chip.device.levels) for layer in chip.parameters.layers]
    pixels = random_pixels(rng, 20, 20)
    seen: list[tuple[int, int]] = []
    result, timing = board_run(chip, shapes, pixels, lambda done, total: seen.append((done, total)))
    expected = run_reference(chip, pixels)
    assert result.classes.tolist() == expected.classes.tolist() and result.steps.tolist() == expected.steps.tolist()
    assert seen == [(7, 20), (14, 20), (20, 20)]
    assert timing.cycles.tolist() == (result.cycles if result.cycles is None else result.cycles.tolist())
    assert (np.diff(timing.results) >= timing.cycles[1:]).all()
    words = chip.parameters.pixel_words  # of a vector that was made while the image before was processed
    later = 2 * words if chip.parameters.encoders == 2 else words - 1
    assert (timing.alone - timing.cycles).tolist() == [later if index % 7 else 0 for index in range(20)]


def test_windows_are_refused() -> None:
    rng = np.random.default_rng(0)
    chip = random_chip(rng, plan=random_plan(rng), row_bits=1, read_sigma=0.0, cell="linear")
    shapes = [EmulatorShape(parameters=layer, levels=chip.device.levels) for layer in chip.parameters.layers]
    with pytest.raises(SpikeLoomError, match="dense layers only"):
        board_run(chip, shapes, random_pixels(rng, 2, chip.parameters.inputs))
