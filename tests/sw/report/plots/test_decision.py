"""The pictures show the numbers they are given, the same bytes every time."""

import numpy as np
import pytest

from spikeloom.sw.decision.q_learning import Learning, LearntQValues, learn_q_values
from spikeloom.sw.decision.trajectories import Search, Trajectories, search_k
from spikeloom.sw.passes.tune import Cost, Tuned, Tuning, tune
from spikeloom.sw.report.plots import decision as decision_plots
from spikeloom.sw.report.plots.style import data_uri


def some(leads: bool = True) -> tuple[LearntQValues, Search]:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3, (100, 20)).cumsum(axis=1) if leads else np.zeros((100, 20), int)
    found = Trajectories(values, rng.random((100, 20)) < np.linspace(0.4, 1.0, 20))
    return learn_q_values(found, Learning(max_images=20_000)), search_k(found)


def some_tuned() -> Tuned:
    def measure(factors: tuple[float, ...]) -> Cost:
        return Cost(sum(np.log(factor * 2) ** 2 for factor in factors), 1.0, 1.0)

    return tune(measure, 2, Tuning(reductions=2))


def test_same_bytes_and_labelled_axes():
    strategy, search = some()
    for make in (
        lambda: decision_plots.q_convergence(strategy),
        lambda: decision_plots.k_search(search, strategy.k),
        lambda: decision_plots.tuning(some_tuned(), ["a", "b"]),
    ):
        assert all(ax.get_xlabel() and ax.get_ylabel() for ax in make().axes)
        assert data_uri(make()) == data_uri(make())


def test_the_table_s_windows_are_drawn():
    strategy, _ = some()
    assert strategy.k is not None and strategy.k > 2
    ax = decision_plots.q_convergence(strategy, states=2).axes[0]
    lines = {line.get_label(): line for line in ax.get_lines()}
    k = strategy.k
    names = [f"lead {n}: {action}" for n in (k, k + 1) for action in ("terminate", "go on")]
    assert [*lines][:-1] == names and [*lines][-1] == "exploration settled"
    np.testing.assert_array_equal(lines[names[0]].get_ydata(), strategy.history[:, k, 1])
    np.testing.assert_array_equal(lines[names[3]].get_ydata(), strategy.history[:, k + 1, 0])
    assert ax.get_title() == f"chosen: k = {k}"
    assert lines[names[0]].get_xdata()[-1] == pytest.approx(20.0)


@pytest.mark.parametrize(("learnt", "names"), [(2, "1 2 3 T_max"), (7, "1 2 3 7 T_max"), (None, "1 2 3 T_max")])
def test_every_rule_is_drawn_and_the_learnt_one_marked(learnt, names):
    _, search = some()
    figure = decision_plots.k_search(search, learnt, most=3)
    line, mark = figure.axes[1].get_lines()
    rules = [search.ks.index(None if name == "T_max" else int(name)) for name in names.split()]
    np.testing.assert_array_equal(line.get_ydata(), search.mean_steps[rules])
    assert mark.get_xdata()[0] == rules.index(search.ks.index(learnt))
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == names.split()


def test_a_network_that_never_leads_has_pictures_too():
    strategy, search = some(leads=False)
    assert decision_plots.q_convergence(strategy).axes[0].get_title() == "never stop before T_max"
    assert len(decision_plots.k_search(search, strategy.k).axes) == 3


def test_factors_begin_at_one_and_end_at_the_result():
    tuned = some_tuned()
    left, right = decision_plots.tuning(tuned, ["a", "b"]).axes
    assert left.get_lines()[0].get_ydata()[0] == 100.0
    for line, factor in zip(right.get_lines(), tuned.factors, strict=True):
        assert line.get_ydata()[0] == 1.0 and line.get_ydata()[-1] == factor
