"""Pictures of runs by step: the numbers that are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from spikeloom.sw.diagnostics.by_step.result import ByStep, OneImage, OperatingPoint
from spikeloom.sw.report.plots import by_step as plots

RNG = np.random.default_rng(3)


def a_run(steps: int = 24, stages: int = 3, classes: int = 10, images: int = 40, **changes: Any) -> ByStep:
    """Invented numbers of the right shapes; the last stage is read as membranes and skips two steps."""
    falling = 1.0 / np.arange(1, steps + 1)[:, None]
    errors = falling * RNG.uniform(0.1, 1.0, (steps, stages))
    errors[:2, -1] = np.nan
    spikes = RNG.integers(1, 500, (steps, stages))
    fires = np.arange(stages) < stages - 1
    error = np.maximum(falling[:, 0], 0.02)
    error[:2] = np.nan
    averages = RNG.normal(0.0, 1.0, (steps, classes)) * falling + np.arange(classes) / classes
    averages[:2] = np.nan
    points = [(1, 0.3, 3.0), (2, 0.1, 6.0), (4, 0.05, 9.0)]
    run = ByStep(
        name="a", images=images, phases=4, window=4, against="network", truth="labels",
        stages=tuple(f"stages.{n}.conv1" for n in range(stages)), values=np.full(stages, 50), fires=fires,
        mean_absolute_error=errors, mean_error=0.1 * errors, deviation=1.1 * errors, above_one=np.zeros(stages),
        spikes=spikes, input_spikes=spikes[:, 0], noise=spikes // 7, counted=fires,
        crossbar_J=RNG.uniform(1e-12, 2e-12, steps), error=error, network_error=0.01,
        settled=np.full(images, 5, np.int32),
        early=tuple(OperatingPoint({"k": k}, k == 2, e, s, 10.0 * s, 1e-12 * s) for k, e, s in points),
        example=OneImage(0, averages, np.arange(classes) / classes),
    )  # fmt: skip
    return replace(run, **changes)


def figures() -> dict[str, Callable[[], Figure]]:
    """Every picture, of few and of many layers, classes, steps and runs."""
    small, large, one = a_run(), a_run(1000, 33, 100), a_run(6, 1, 1)
    several = {"phase, K = 4": small, "rate, random inputs": a_run(300), "analog": a_run(64, 5)}
    made: dict[str, Callable[[], Figure]] = {}
    for name, run in {"small": small, "large": large, "one": one}.items():
        runs = {"": run}
        made |= {
            f"errors, {name}": lambda runs=runs: plots.approximation_error(runs),
            f"layers, {name}": lambda run=run: plots.layer_errors(run),
            f"outputs, {name}": lambda run=run: plots.moving_averages(run),
            f"rates, {name}": lambda runs=runs: plots.firing_rates(runs),
            f"noise, {name}": lambda runs=runs: plots.noise_spikes(runs),
            f"decisions, {name}": lambda runs=runs: plots.error_by_step(runs),
            f"spikes, {name}": lambda runs=runs: plots.error_against_cost(runs),
            f"energy, {name}": lambda runs=runs: plots.error_against_cost(runs, "energy"),
        }
    for name, plot in (
        ("errors", plots.approximation_error), ("rates", plots.firing_rates), ("noise", plots.noise_spikes),
        ("decisions", plots.error_by_step), ("spikes", plots.error_against_cost),
    ):  # fmt: skip
        made[f"{name}, several runs"] = lambda plot=plot: plot(several)
    made["decisions without an error"] = lambda: plots.error_by_step({"": replace(small, error=0.0 * small.error)})
    return made


def lines(figure: Figure) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    found = [line for line in figure.axes[0].get_lines() if not line.get_label().startswith("_")]
    return {line.get_label(): (np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in found}


def test_errors_are_drawn() -> None:
    run = a_run()
    found = lines(plots.approximation_error({"": run, "other": a_run(12)}))
    np.testing.assert_array_equal(found["mean absolute error"][1], run.overall["mean_absolute_error"])
    np.testing.assert_array_equal(found["standard deviation"][1], run.overall["deviation"])
    assert len(found["other: mean absolute error"][0]) == 12
    np.testing.assert_array_equal(lines(plots.layer_errors(run))["stages.1.conv1"][1], run.mean_absolute_error[:, 1])


def test_outputs_are_drawn_with_their_activations() -> None:
    run = a_run()
    figure = plots.moving_averages(run, most=4)
    found = lines(figure)
    assert list(found) == ["class 9", "class 8", "class 7", "class 6", "settled: step 5"]
    np.testing.assert_array_equal(found["class 8"][1], run.example.averages[:, 8])
    ends = [path.get_segments()[0][0][1] for path in figure.axes[0].collections]  # type: ignore[attr-defined]
    assert ends == pytest.approx(sorted(run.example.activations, reverse=True))


def test_rates_and_noise_are_drawn() -> None:
    run = a_run()
    found = lines(plots.firing_rates({"": run}))
    assert list(found) == ["stages.0.conv1", "stages.1.conv1", "all"]
    np.testing.assert_array_equal(found["all"][1], run.rate)
    np.testing.assert_array_equal(found["stages.1.conv1"][1], run.spikes[:, 1] / 2000)
    bars = plots.noise_spikes({"": run}).axes[0].patches
    widths = [bar.get_width() for bar in bars]  # type: ignore[attr-defined]
    assert widths == pytest.approx(100.0 * run.noise[:, :2].sum(axis=0) / run.spikes[:, :2].sum(axis=0))
    none = plots.noise_spikes({"": replace(run, counted=np.zeros(3, bool))}).axes[0]
    assert [text.get_text() for text in none.texts] == ["no layer has a count"]


def test_decisions_are_drawn_against_steps_and_cost() -> None:
    run = a_run()
    found = lines(plots.error_by_step({"": run}))
    np.testing.assert_array_equal(found["fixed number of steps"][1], 100.0 * run.error)
    assert (found["decision rule, mean steps"][0][0], found["decision rule, mean steps"][1][0]) == (6.0, 10.0)
    assert set(found["source network"][1]) == {1.0}
    found = lines(plots.error_against_cost({"": run}))
    np.testing.assert_array_equal(found["fixed number of steps"][0], run.spikes_so_far)
    assert found["decision rule"][0].tolist() == [30.0, 60.0, 90.0]
    silent = replace(run, spikes=0 * run.spikes)
    assert [text.get_text() for text in plots.error_against_cost({"": silent}).axes[0].texts] == ["none"]
    figure = plots.error_against_cost({"": run}, "energy")
    assert figure.axes[0].get_xlabel() == "crossbar energy per image (pJ)"
    np.testing.assert_allclose(lines(figure)["decision rule"][0], [3.0, 6.0, 9.0])
    np.testing.assert_allclose(lines(figure)["fixed number of steps"][0], 1e12 * run.crossbar_J_so_far)
