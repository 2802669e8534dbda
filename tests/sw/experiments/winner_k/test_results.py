from __future__ import annotations

import pytest

from spikeloom.sw.experiments.winner_k.results import savings, spread, targets


def made(name: str, steps: list[float], energy: list[float], life: list[int | None]) -> dict[str, object]:
    accuracies = [0.98, 0.97]
    return {
        "name": name,
        **spread("accuracy", accuracies),
        **spread("accuracy_ann", [0.982, 0.972]),
        **spread("steps_mean", steps),
        **spread("static_steps", steps),
        **spread("crossbar_energy_J", energy),
        **spread("lifetime_images", life),
        **spread("life_steps", steps),
        **spread("life_crossbar_energy", energy),
    }


def test_spread_is_mean_and_sample_deviation() -> None:
    assert spread("x", [1.0, 3.0]) == {"x": 2.0, "x_std": pytest.approx(2**0.5), "x_by_seed": [1.0, 3.0]}
    assert spread("x", [1.0]) == {"x": 1.0, "x_std": 0.0, "x_by_seed": [1.0]}
    assert spread("x", [1.0, None]) == {"x": None, "x_std": None, "x_by_seed": [1.0, None]}


def test_savings_are_taken_seed_by_seed() -> None:
    cases = [
        made("99N", [20.0, 10.0], [2.0, 4.0], [50, 100]),
        made("OT", [5.0, 5.0], [1.0, 1.0], [100, 300]),
        made("best", [2.0, 1.0], [0.2, 0.4], [500, None]),
    ]
    found = savings(cases)
    assert found["OT"]["steps"] == pytest.approx((0.75 + 0.5) / 2)
    assert found["OT"]["energy"] == pytest.approx((0.5 + 0.75) / 2)
    assert found["OT"]["lifetime"] == pytest.approx(2.5)
    assert found["best"]["lifetime"] is None and found["best"]["lifetime_by_seed"] == [10.0, None]
    rows = {(row["case"], row["what"]): row for row in targets(cases)}
    steps = rows["OT", "steps saved against 99N"]
    assert steps["target"] == 0.625 and steps["reached"] == pytest.approx(0.625) and steps["met"] is True
    assert rows["OT", "drift lifetime against 99N"]["met"] is True
    loss = rows["OT", "accuracy below the network before conversion"]
    assert loss["reached"] == pytest.approx(0.002) and loss["met"] is True
    lives = rows["best", "drift lifetime against 99N"]
    assert lives["reached"] is None and lives["met"] is False
