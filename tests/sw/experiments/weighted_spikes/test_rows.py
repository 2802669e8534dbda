"""Rows, curves and comparisons of results, with hand-made recordings."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.sw.experiments.weighted_spikes.cases import Case, full, quick
from spikeloom.sw.experiments.weighted_spikes.choice import Choice
from spikeloom.sw.experiments.weighted_spikes.curves import by_step, classified, outputs, top_two_histogram
from spikeloom.sw.experiments.weighted_spikes.results import factors, savings
from spikeloom.sw.experiments.weighted_spikes.rows import BY_PAPER, BY_TESTS, BY_VALIDATION, Recorded, case_rows, decide
from tests.sw.experiments.weighted_spikes.test_analysis import recording

CASE = Case("net2", "weighted", 1, "ideal", 5, True)
LABELS = np.array([0, 1])


def recorded(right: int = 2) -> Recorded:
    return Recorded(recording(), LABELS, right)


def test_costs_until_the_decision_leave_out_the_outputs_skipped_steps() -> None:
    """Per step one spike of the inputs and one of neurons; one operation of hidden layers and one of the outputs, which
    does not take place in the skipped step: 2 + 1 after two steps."""
    decided, found = decide(recorded(), Choice(1, None, 2))
    assert decided.steps.tolist() == [2, 2] and found["accuracy"] == 1.0
    assert (found["spikes_mean"], found["synaptic_operations_mean"], found["crossbar_energy_J"]) == (4.0, 3.0, 3.0)


def test_every_row_has_its_choice_and_the_papers_numbers() -> None:
    rows = case_rows(CASE, recorded(), recorded(), 1, (0, 1, 9))
    assert len(rows) == 3 * 5  # losses; without early decision three ways, with it two
    plain = {row["chosen_on"]: row for row in rows if not row["early_decision"] and row["loss_points"] == 0.0}
    assert set(plain) == {BY_PAPER, BY_TESTS, BY_VALIDATION}
    assert {row["steps_mean"] for row in plain.values()} == {2.0} and plain[BY_TESTS]["skip"] == 1
    assert plain[BY_TESTS]["paper"]["steps_mean"] == 16 and plain[BY_TESTS]["table"] == "Table 2"
    early = [row for row in rows if row["early_decision"] and row["loss_points"] == 0.1]
    assert {row["table"] for row in early} == {"Table 3"} and {row["steps_last"] for row in early} == {3}
    assert all(row["loss_met"] and row["images"] == 2 for row in rows)


def test_a_row_says_where_accuracy_is_not_reached() -> None:
    wrong = Recorded(recording(), np.array([1, 0]), 2)
    rows = case_rows(CASE, wrong, None, 0, (0, 1))
    assert {row["note"] for row in rows} == {"does not get there in 5 steps"}
    assert not any(row["loss_met"] or row["accuracy"] for row in rows) and not any(
        row["early_decision"] for row in rows
    )


def test_held_out_images_may_choose_too_few_steps() -> None:
    """Held-out images of which none has to be right: all end in the first step, and too few test images are right."""
    rows = case_rows(CASE, recorded(), recorded(0), 0, (0,))
    row = next(row for row in rows if row["chosen_on"] == BY_VALIDATION and not row["early_decision"])
    assert row["steps_mean"] == 1.0 and row["accuracy"] == 0.5 and not row["loss_met"]


def test_curves_by_hand() -> None:
    found = by_step(recorded(), 1, neurons=4)
    assert found["error"] == [None, 0.0, 0.0, 0.0, 0.0] and found["rate"] == [0.25] * 5
    shown = outputs(recorded(), 1, 1, np.array([0.0, 2.0]))
    assert shown["without"]["settled"] == 4 and shown["with"]["settled"] == 2
    assert shown["with"]["averages"] == [[None, None], *[[0.0, 2.0]] * 4]
    ended = classified(recorded(), Choice(1, None, 3))
    assert ended["images"] == [0, 0, 2, 2, 2] and ended["accuracy"] == [None, None, 1.0, 1.0, 1.0]
    histogram = top_two_histogram(np.array([[0.0, 1.0, 3.0], [5.0, 5.0, 1.0]]), bins=2)
    assert histogram == {"images": [1, 1], "edges": [0.0, 1.0, 2.0]}


def test_factors_and_savings() -> None:
    weighted = case_rows(CASE, recorded(), recorded(), 1, (0, 1))
    rate = [row | {"coding": "rate", "steps_mean": 3 * row["steps_mean"]} for row in weighted]
    other = [row | {"phases": 4} for row in weighted]
    first = factors(other + [row | {"phases": 1} for row in rate], ["net2"])[0]
    assert first["latency"] == pytest.approx(3.0) and first["paper"]["latency"] is None
    saved = savings(weighted)
    assert len(saved) == 6 and saved[0]["steps"] == pytest.approx(1 - 3 / 2)
    assert saved[0]["paper"] == [0.5, 0.58]


def test_scales_are_whole() -> None:
    for scale in (full(), quick()):
        assert len({case.slug for case in scale.cases}) == len(scale.cases)
        for case in scale.cases:
            network, config = scale.network(case.network), scale.config(case)
            assert (config.decision.t_max, config.coding.phases, config.decision.skip) == (case.steps, case.phases, 0)
            assert case.coding == "rate" or network.skip * case.phases < case.steps
    assert {case.phases for case in full().cases_of("net4")} == {1, 2, 3, 4, 5, 6, 7, 8}
