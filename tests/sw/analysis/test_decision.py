"""The report of a learnt rule and of tuned thresholds: numbers of what was found, and the page that shows them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.params.parameters import DecisionRule, Readout
from spikeloom.sw.analysis.decision import decision_summary, tuning_summary
from spikeloom.sw.passes.tune import scale_chip
from spikeloom.sw.report.content import ReportContent
from spikeloom.sw.report.plots.decision import decision_figures
from spikeloom.sw.report.report import write_report
from tests.fixtures.learnt import make_learnt, make_tuned
from tests.fixtures.synthetic import make_chip


def test_nothing_learnt_and_nothing_tuned():
    chip = make_chip()
    assert decision_summary(chip, None) is None and tuning_summary(chip, None) is None
    assert decision_figures(chip, None, None) == {}


def test_rules_have_what_was_learnt_and_what_was_counted():
    learnt = make_learnt(before=make_learnt(seed=2))
    chip = replace(make_chip(), rule=DecisionRule.WINNER_K, k=learnt.k)
    found = decision_summary(chip, learnt)
    json.dumps(found, allow_nan=False)
    values, search = learnt.q_values, learnt.search
    assert [rule["k"] for rule in found["rules"]] == list(search.ks)
    assert [rule["go_on"] for rule in found["rules"][:-1]] == values.table[1:, 0].tolist()
    assert [rule["terminate"] for rule in found["rules"][:-1]] == values.table[1:, 1].tolist()
    assert [rule["went_on"] for rule in found["rules"][:-1]] == values.visits[1:, 0].tolist()
    for name in ("accuracy", "mean_steps", "reward", "discounted"):
        assert [rule[name] for rule in found["rules"]] == getattr(search, name).tolist()
    assert found["rules"][-1]["k"] is None and found["rules"][-1]["go_on"] is None
    assert (found["k"], found["search_best"]) == (values.k, search.best)
    assert found["register"] == {"rule": "winner_k", "k": values.k} and found["k_thresholds"] is None
    assert (found["images_shown"], found["validation_images"], found["converged"]) == (6000, 100, values.converged)
    assert found["epsilon"] == values.epsilons[-1] and found["start_go_on"] == values.table[0, 0]
    assert found["before_tuning"] == {"k": learnt.before.k}


def test_a_lead_of_membranes_is_told_in_thresholds_too():
    learnt = make_learnt()
    chip = replace(make_chip(), readout=Readout.MEMBRANE)
    assert decision_summary(chip, learnt)["k_thresholds"] == learnt.k / chip.layers[-1].theta


def test_factors_and_costs_of_tuning():
    chip = make_chip()
    tuned = replace(make_tuned(len(chip.layers)), images=400)
    found = tuning_summary(scale_chip(chip, tuned.factors), tuned)
    assert [layer["factor"] for layer in found["layers"]] == list(tuned.factors)
    assert [layer["theta"] for layer in found["layers"]] == [
        max(1, round(layer.theta / factor)) for layer, factor in zip(chip.layers, tuned.factors, strict=True)
    ]
    assert found["before"] == {"loss": tuned.before.loss, "accuracy": 0.875, "steps": 2.5}
    assert found["images"] == 400 and found["moves"] == len(tuned.history)
    unknown = tuning_summary(chip, make_tuned(len(chip.layers), accuracy=float("nan")))
    assert unknown["after"]["accuracy"] is None


def test_the_page_shows_both(tmp_path):
    learnt, chip = make_learnt(before=make_learnt(seed=2)), make_chip()
    tuned = replace(make_tuned(len(chip.layers)), images=400)
    chip = replace(chip, rule=DecisionRule.WINNER_K, k=learnt.k)
    text = write_report(tmp_path, ReportContent(chip=chip, maps=[], learnt_rule=learnt, tuned=tuned)).read_text()
    summary = json.loads((tmp_path / "summary.json").read_text())
    told = {"set": "validation images given to compile"}
    on = [{**told, "count": count, "of": count} for count in (learnt.images, 400)]
    assert summary["decision"] == {**decision_summary(chip, learnt), "measured_on": on[0]}
    assert summary["tuning"] == {**tuning_summary(chip, tuned), "measured_on": on[1]}
    for title in ("Q values against images shown", "Accuracy, steps and reward of every k", "Progress of the tuning"):
        assert f'alt="{title}"' in text
    assert f"<b>k = {learnt.k}</b>" in text and f"winner_k, k {learnt.k}</b>" in text
    assert f"before tuning k = {learnt.before.k}" in text and "<b>not converged</b>" in text
    assert text.count(">chosen</td>") == 1 and text.count(">best</td>") == 1 and "<td>T_max</td>" in text
    assert len(learnt.search.ks) > 15 and "<code>summary.json</code>.</p>" in text  # the table is cut
    assert "400 validation images" in text and f"{tuned.before.loss:,.1f}" in text and "+0.00 points" in text
    assert (
        write_report(tmp_path / "again", ReportContent(chip=chip, maps=[], learnt_rule=learnt, tuned=tuned)).read_text()
        == text
    )


def test_the_page_of_a_rule_that_never_stops(tmp_path):
    learnt, chip = make_learnt(leads=False), replace(make_chip(), rule=DecisionRule.FIXED)
    tuned = make_tuned(len(chip.layers), accuracy=float("nan"))
    text = write_report(tmp_path, ReportContent(chip=chip, maps=[], learnt_rule=learnt, tuned=tuned)).read_text()
    assert "no lead is worth stopping for, every image runs to T_max" in text and "<b>fixed</b>" in text
    assert "on validation images" in text and "<td>accuracy</td><td>not run</td>" in text


def test_the_page_says_that_nothing_was_learnt_or_tuned(tmp_path):
    text = write_report(tmp_path, ReportContent(chip=make_chip(), maps=[])).read_text()
    assert "nothing was learned" in text and "thresholds are those of the conversion" in text


@pytest.mark.parametrize("seed", [0, 1])
def test_pictures_are_those_of_what_there_is(seed):
    chip = make_chip()
    learnt = make_learnt(seed=seed)
    assert set(decision_figures(chip, learnt, None)) == {"q_values", "k_search"}
    course = decision_figures(chip, None, make_tuned(len(chip.layers)))["tuning"].axes[1]
    assert len(course.get_lines()) == len(chip.layers)
    assert np.all(course.get_lines()[0].get_ydata() > 0)
