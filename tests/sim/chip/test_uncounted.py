"""Results without counts, or sums, of their own: what is compared, what is not known, whose take their place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeloom.sim.chip.result import ACTIVITIES, Mismatch, Result, uncounted
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.estimates.energy import energy
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.costs import energy_facts
from spikeloom.sw.verify.chunks import cosimulate
from spikeloom.sw.verify.result_file import load_result, save_result
from tests.fixtures.networks import random_chip, random_pixels

CHIP = random_chip(np.random.default_rng(3), sizes=(12, 7, 4), activity_counters=False, t_max=6, max_steps=6)
PIXELS = random_pixels(np.random.default_rng(4), 5, 12)
EXPECTED = run_reference(CHIP, PIXELS)
SENTENCE = r"^The result has no activity counts, since its unit is built without activity counters; .* = true$"


def without_counts(result: Result) -> Result:
    spikes, counts = uncounted(*result.spikes.shape)
    return replace(result, spikes=spikes, activity=result.activity | counts, counts_from=None)


def test_counts_are_not_compared_and_all_else_is() -> None:
    bare = without_counts(EXPECTED)
    assert EXPECTED.compare(bare) == bare.compare(EXPECTED) == EXPECTED.compare(EXPECTED) - 5 * EXPECTED.spikes.size
    for name in ("conductance", "stray"):
        other = replace(bare, activity=bare.activity | {name: bare.activity[name] + 1})
        with pytest.raises(Mismatch, match=name):
            EXPECTED.compare(other)
    with pytest.raises(Mismatch, match="steps"):
        EXPECTED.compare(replace(bare, steps=bare.steps + 1))


def test_the_references_counts_take_their_place() -> None:
    known = without_counts(EXPECTED).counted_by(EXPECTED)
    assert known.counts_from == "reference" and np.array_equal(known.counters, EXPECTED.counters)
    assert all(np.array_equal(known.activity[name], EXPECTED.activity[name]) for name in ACTIVITIES)
    assert EXPECTED.counted_by(without_counts(EXPECTED)) is EXPECTED
    assert Result.concatenate([known.part(np.array([0])), known]).counts_from == "reference"


def test_what_needs_counts_says_so() -> None:
    bare = without_counts(EXPECTED)
    with pytest.raises(ValueError, match=SENTENCE):
        _ = bare.counters
    with pytest.raises(ValueError, match=SENTENCE):
        energy(CHIP, bare)
    assert not any("spikes" in name for name in bare.columns()) and "cycles" not in bare.columns()
    assert "not known: no activity counters" in bare._repr_html_()
    assert "of the reference" in bare.counted_by(EXPECTED)._repr_html_()


def test_energy_comes_from_the_references_counts_and_says_so() -> None:
    found, expected = energy_facts(CHIP, without_counts(EXPECTED), PIXELS), energy_facts(CHIP, EXPECTED, PIXELS)
    assert found["total"] == expected["total"]
    said = "Activity is what the reference counts: the chip is built without activity counters."
    assert said in " ".join(str(found).split()) and "reference counts" not in str(expected)


def test_files_keep_it(tmp_path: Path) -> None:
    for result in (EXPECTED, without_counts(EXPECTED), without_counts(EXPECTED).counted_by(EXPECTED)):
        save_result(tmp_path / "result.npz", result)
        assert load_result(tmp_path / "result.npz")[0].counts_from == result.counts_from


def test_the_verilog_counts_nothing() -> None:
    result = run_cosim(CHIP, PIXELS, trace="full", quick=True)
    assert result.counts_from is None and not result.spikes.any() and result.cycles is not None
    assert run_reference(CHIP, PIXELS, trace="full").compare(result) > 0
    counted, comparison = cosimulate(CHIP, PIXELS)
    assert counted.counts_from == "reference" and comparison["counts_compared"] is False
    assert np.array_equal(counted.counters, EXPECTED.counters)


COUNTING = random_chip(np.random.default_rng(3), sizes=(12, 7, 4), activity_counters=True, t_max=6, max_steps=6)
COUNTED = run_reference(COUNTING, PIXELS)


def without_loads(result: Result) -> Result:
    """As of a board, or of a chip: only a model adds up conductances."""
    nothing = {name: np.zeros_like(result.activity[name]) for name in ("conductance", "stray")}
    return replace(result, activity=result.activity | nothing, loads_from=None)


def test_sums_that_no_board_has_are_not_compared_and_counts_are() -> None:
    board = without_loads(COUNTED)
    assert COUNTED.compare(board) == board.compare(COUNTED) == COUNTED.compare(COUNTED) - 2 * COUNTED.spikes.size
    for name in ("row_pulses", "saturations"):
        other = replace(board, activity=board.activity | {name: board.activity[name] + 1})
        with pytest.raises(Mismatch, match=name):
            COUNTED.compare(other)


def test_energy_of_a_board_is_not_without_its_crossbars() -> None:
    board, expected = without_loads(COUNTED), energy_facts(COUNTING, COUNTED, PIXELS)
    assert expected["crossbar"]["typical"] > 0
    for bare in (board, without_counts(board)):
        found = energy_facts(COUNTING, bare, PIXELS)
        assert found["total"] == expected["total"] and found["crossbar"] == expected["crossbar"]
        assert "the reference adds up: a board does not" in " ".join(str(found).split())
    with pytest.raises(ValueError, match=r"^What the crossbars take is not known of this result: .*; give the images"):
        energy(COUNTING, board)
    with pytest.raises(ValueError, match=r"^What the crossbars take is not known of this result: .*; give the images"):
        energy_facts(COUNTING, board)
    assert "loads of rows" in board._repr_html_() and "loads of rows" not in COUNTED._repr_html_()


def test_files_and_parts_keep_whose_sums_they_are(tmp_path: Path) -> None:
    board = without_loads(COUNTED)
    for result in (board, board.counted_by(COUNTED), without_counts(board), without_counts(board).counted_by(COUNTED)):
        save_result(tmp_path / "result.npz", result)
        loaded = load_result(tmp_path / "result.npz")[0]
        for kept in (loaded, result.part(np.array([1])), Result.concatenate([result, result])):
            assert (kept.loads_from, kept.counts_from) == (result.loads_from, result.counts_from)
    known = without_counts(board).counted_by(COUNTED)
    assert (known.loads_from, known.counts_from) == ("reference", "reference") and known.whole and not board.whole
    assert all(np.array_equal(known.activity[name], COUNTED.activity[name]) for name in ACTIVITIES)
