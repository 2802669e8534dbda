from __future__ import annotations

from spikeloom.sw.config.config import Config
from spikeloom.sw.experiments.weighted_spikes.published import NETWORKS, SAVINGS, TABLE_2, published_row
from spikeloom.sw.experiments.weighted_spikes.reaching import LOSSES


def test_the_papers_spikes_are_more_than_neurons_can_fire() -> None:
    row, neurons = published_row("net2", "weighted", False, 0.0), NETWORKS["net2"].neurons
    assert neurons is not None and row["spikes_mean"] > 5 * neurons * row["steps_mean"]


def test_presets_have_the_papers_phases_and_skipped_periods() -> None:
    for name, network in NETWORKS.items():
        config = Config.load(name)
        assert (config.coding.phases, config.decision.skip) == (network.phases, network.skip), name


def test_table_2_has_every_network_and_loss() -> None:
    assert TABLE_2.keys() == NETWORKS.keys()
    assert all(set(rows) == set(LOSSES) for rows in TABLE_2.values())
    assert max(f.latency or 0 for rows in TABLE_2.values() for f in rows.values()) == 91.1  # 7.1
    assert max(f.spikes or 0 for rows in TABLE_2.values() for f in rows.values()) == 25.1


def test_the_early_decision_of_net4_saves_what_the_text_says() -> None:
    early, fixed = published_row("net4", "weighted", True, 1.0), published_row("net4", "weighted", False, 0.0)
    assert round(1 - early["steps_mean"] / fixed["steps_mean"], 2) == 0.76  # 77 % of the spikes
    assert SAVINGS["net4"][1.0][1] == 0.77
    assert round(NETWORKS["net4"].accuracy_network - early["accuracy"], 4) == 0.0094  # 7.2


def test_rows_the_paper_lacks_are_empty() -> None:
    assert set(published_row(None, "weighted", True, 1.0).values()) == {None}
    never = published_row("net5", "rate", False, 0.0)
    assert never["place"] == "7.1: not within 10,000 steps" and never["steps_mean"] is None
