"""Runs by step against plain computations from traces, real runs that end early, and conservation of charge."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.hw.params.parameters import DecisionRule
from spikeloom.sim.crossbar.windows import map_of_pixels
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.chip import Chip
from spikeloom.sw.diagnostics.by_step.measure import measure_by_step
from spikeloom.sw.diagnostics.by_step.targets import network_of_levels
from spikeloom.sw.diagnostics.by_step.totals import ERROR_LSB, exact_sum
from tests.fixtures.cnn_models import LeNet, ResNet, settled
from tests.fixtures.models import make_chip, make_images

MEMBRANE: dict[str, Any] = {"readout": "membrane", "k": 2.0}
NONE = {"output_reset": "none"}
CASES: dict[str, dict[str, Any]] = {
    "rate": {"coding": {"input": "rate"}, "decision": {"t_max": 13}},
    "phase": {"coding": {"input": "phase", "phases": 4}, "decision": {"t_max": 14, "skip": 1}},
    "phases beyond the bits": {"coding": {"input": "phase", "phases": 10}, "decision": {"t_max": 20}},
    "analog": {"coding": {"input": "analog"}, "decision": {"t_max": 6}},
    "membranes": {"coding": {"input": "phase", "phases": 3}, "decision": {**MEMBRANE, "t_max": 12}, "neuron": NONE},
    "noisy": {"device": {"read_sigma": 0.2, "device_sigma": 0.1}, "decision": {"t_max": 9}},
}
IMAGES = make_images(23, 20, seed=3)
STABLE: dict[str, dict[str, Any]] = {
    "stable": {**CASES["rate"], "decision": {"rule": "stable", "theta": 3.0, "t_max": 13}},
    "stable membranes": {**CASES["membranes"], "decision": {"rule": "stable", "readout": "membrane", "t_max": 12}},
}
LABELS = np.random.default_rng(3).integers(0, 5, 23)


def chip_of(case: str) -> Chip:
    return make_chip(seed=1, **{**CASES, **STABLE}[case])


def weights_of(chip: Chip) -> np.ndarray:
    phases = chip.parameters.phases
    return 1 << (phases - 1 - np.arange(chip.programmed.t_max) % phases)


def full_trace(chip: Chip, images: np.ndarray) -> Any:
    trace = run_reference(replace(chip.programmed, rule=DecisionRule.FIXED), images, trace="full").trace
    assert trace is not None
    return trace


@pytest.mark.parametrize("case", CASES)
def test_decoded_activations_are_those_of_a_trace(case: str) -> None:
    chip = chip_of(case)
    found, trace = chip.by_step(IMAGES, LABELS), full_trace(chip, IMAGES)
    assert (found.images, len(found), found.against, found.truth) == (23, chip.programmed.t_max, "network", "labels")
    assert chip.passes is not None
    full = 255 * 4 / 1023 if chip.parameters.phases == 10 else 1.0
    activations = [values * full for values in chip.passes.normalised.activations(IMAGES)]
    weights, membrane = weights_of(chip), "membrane" in case
    before = chip.programmed.skip * chip.parameters.phases
    for layer, wanted in enumerate(activations):
        last = layer == len(activations) - 1
        passed = np.cumsum(weights * ((np.arange(len(weights)) >= before) if last else 1))
        said = np.cumsum(trace.unpacked(layer) * weights[:, None], axis=1)
        if last and membrane:
            own = chip.programmed.layers[-1]
            said = (trace.membranes[layer] - own.v0) / own.theta
        elif last:
            wanted = np.maximum(wanted, 0.0)
        for step in range(len(weights)):
            if last and step < before:
                assert np.isnan(found.mean_absolute_error[step, layer]) and np.isnan(found.deviation[step, layer])
                continue
            error = said[:, step] / passed[step] - wanted
            assert found.mean_absolute_error[step, layer] == pytest.approx(np.abs(error).mean(), abs=1e-6)
            assert found.mean_error[step, layer] == pytest.approx(error.mean(), abs=1e-6)
            assert found.deviation[step, layer] == pytest.approx(error.std(), abs=2e-6)
        assert found.above_one[layer] == pytest.approx(np.maximum(wanted - 1.0, 0.0).mean(), abs=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_spikes_energy_and_error_are_those_of_runs_that_end_there(case: str) -> None:
    chip = chip_of(case)
    found = chip.by_step(IMAGES, LABELS)
    before = chip.programmed.skip * chip.parameters.phases
    for step in range(before + 1, len(found) + 1):
        result = run_reference(replace(chip.programmed, rule=DecisionRule.FIXED, t_max=step), IMAGES)
        assert found.error[step - 1] == pytest.approx(1.0 - result.accuracy(LABELS))
        np.testing.assert_array_equal(found.spikes[:step].sum(axis=0), result.spikes.sum(axis=0))
        crossbar = chip.energy(result)["crossbar"]
        assert found.crossbar_J_so_far[step - 1] == pytest.approx(crossbar["typical"], rel=1e-12)
        fired = result.spikes[:, found.fires].sum() / len(IMAGES)
        assert found.spikes_so_far[step - 1] == pytest.approx(fired)
    assert np.isnan(found.error[:before]).all() and not np.isnan(found.error[before:]).any()
    assert found.rate == pytest.approx(found.spikes[:, found.fires].sum(axis=1) / 23 / found.values[found.fires].sum())


@pytest.mark.parametrize("case", ["rate", "phase", "membranes", "noisy", *STABLE])
def test_the_decision_rule_is_that_of_a_run(case: str) -> None:
    chip = chip_of(case)
    found = chip.by_step(IMAGES, LABELS)
    assert len(found.early) > 2 and [point.own for point in found.early].count(True) == 1
    for point in found.early:
        result = run_reference(replace(chip.programmed, **point.registers), IMAGES)
        assert point.error == pytest.approx(1.0 - result.accuracy(LABELS))
        assert point.steps == pytest.approx(result.steps.mean())
        assert point.spikes == pytest.approx(result.spikes[:, found.fires].sum() / len(IMAGES))
        assert point.crossbar_J == pytest.approx(chip.energy(result)["crossbar"]["typical"], rel=1e-12)
        (register,) = point.registers
        assert point.own == (point.registers[register] == chip.programmed.setting(register))


@pytest.mark.parametrize("case", CASES)
def test_classes_settle_where_a_trace_says(case: str) -> None:
    chip = chip_of(case)
    found = chip.by_step(IMAGES, image=5)
    by_step = []
    for step in range(chip.programmed.skip * chip.parameters.phases + 1, len(found) + 1):
        by_step.append(run_reference(replace(chip.programmed, rule=DecisionRule.FIXED, t_max=step), IMAGES).classes)
    for image, classes in enumerate(np.array(by_step).T):
        changes = np.flatnonzero(classes != classes[-1])
        assert found.settled[image] == (changes[-1] + 2 if len(changes) else 1) + len(found) - len(by_step)
    assert found.truth == "network" and found.network_error == 0.0
    assert chip.passes is not None
    network = chip.passes.normalised.classes(IMAGES)
    assert found.error[-1] == pytest.approx(np.mean(by_step[-1] != network))


def test_the_outputs_of_an_image_are_its_scores() -> None:
    chip = chip_of("membranes")
    found, trace, own = chip.by_step(IMAGES, image=7).example, full_trace(chip, IMAGES), chip.programmed.layers[-1]
    passed = np.cumsum(weights_of(chip))
    assert found.image == 7
    np.testing.assert_allclose(found.averages, (trace.membranes[-1][7] - own.v0) / own.theta / passed[:, None])
    assert chip.passes is not None
    np.testing.assert_allclose(found.activations, chip.passes.normalised.outputs(IMAGES)[7], rtol=1e-6)


@pytest.mark.parametrize("case", ["rate", "phase", "membranes"])
def test_charge_is_conserved(case: str) -> None:
    """[WS eq. 12]: what neurons have said is the charge they took less their membrane; errors follow without spikes."""
    chip = chip_of(case)
    found, trace = chip.by_step(IMAGES), full_trace(chip, IMAGES)
    assert chip.passes is not None
    weights, wanted = weights_of(chip), list(chip.passes.normalised.activations(IMAGES))
    passed = np.cumsum(weights)
    layer = chip.programmed.layers[1]
    assert chip.programmed.layers[0].gain_shift == layer.gain_shift == 0  # ideal cells: z is exact
    inputs = trace.unpacked(0).astype(np.int64)
    charge = np.cumsum((inputs @ layer.weights + layer.bias) * weights[:, None], axis=1)
    membranes = trace.membranes[1].astype(np.int64)
    np.testing.assert_array_equal(
        np.cumsum(trace.unpacked(1) * weights[:, None], axis=1) * layer.theta, charge - membranes + layer.v0
    )
    error = (charge - membranes + layer.v0) / (layer.theta * passed[:, None]) - wanted[1][:, None]
    np.testing.assert_allclose(found.mean_error[:, 1], error.mean(axis=(0, 2)), atol=1e-6)


@pytest.mark.parametrize("phases", [1, 8])
def test_errors_tend_to_0_with_ideal_cells(phases: int) -> None:
    coding = {"input": "phase" if phases > 1 else "even", "phases": phases}
    chip = make_chip(
        20, 30, 20, 5, seed=2, coding=coding, neuron={"v0": 0.0, **NONE}, crossbar={"adc_bits": 12},
        convert={"adc_quantile": 1.0, "normalisation": "max", "weight_scale": "max", "output_offset": "network"},
        decision={**MEMBRANE, "t_max": 512}, device={"bits": 6, "device_sigma": 0.1},
    )  # fmt: skip
    real, found = chip.by_step(IMAGES, against="levels"), chip.by_step(IMAGES, ideal=True, against="levels")
    assert all(layer.gain_shift == 0 for layer in chip.programmed.layers)
    error = found.overall["mean_absolute_error"]
    assert error[511] < 0.35 * error[127] < 0.15 * error[31] and error[511] < 0.006
    assert (found.mean_absolute_error[511] < 0.01 + found.above_one).all()
    assert real.overall["mean_absolute_error"][511] > 3 * error[511]  # cells that differ have another limit
    assert found.error[511] <= 0.05


@pytest.mark.parametrize("model", ["max pooling", "residual"])
def test_maps_of_convolutions(model: str) -> None:
    rng = np.random.default_rng(6)
    if model == "residual":
        network, shape = settled(lambda: ResNet(n=1, widths=(4, 4, 8)), 3, 12, 12), (3, 12, 12)
    else:
        network, shape = settled(LeNet, 1, 28, 28), (1, 28, 28)
    images = rng.integers(0, 256, (6, *shape), dtype=np.uint8)
    config = {"preset": "tiny", "crossbar": {"replicas": 2, "tile_rows": 64}, "decision": {"t_max": 10}}
    chip = spikeloom.compile(network, images, config)
    found, trace = chip.by_step(images), full_trace(chip, images)
    plan = chip.parameters.plan
    assert chip.passes is not None
    pixels = images.reshape(6, -1)
    assert found.stages[-1] and len(found.stages) == len(plan.stages)
    for number, (stage, wanted) in enumerate(zip(plan.stages, chip.passes.normalised.activations(pixels), strict=True)):
        assert found.values[number] == wanted.shape[1]
        assert found.fires[number] == bool(stage.layers)
        if stage.layers:
            spikes = sum(trace.unpacked(layer).sum(axis=(0, 2)) for layer in stage.layers)
            np.testing.assert_array_equal(found.spikes[:, number], spikes)
            said = sum(trace.unpacked(layer).sum(axis=(1, 2), dtype=int) for layer in stage.layers)
            wanted = np.maximum(wanted, 0.0)
            mean = said.sum() / 10 / wanted.size - wanted.mean()
            assert found.mean_error[-1, number] == pytest.approx(mean, abs=1e-6)
    assert map_of_pixels(pixels, plan.input).shape == (6, plan.input.size)


def test_nothing_depends_on_chunks_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from spikeloom.sw.diagnostics.by_step import measure

    chip = chip_of("noisy")
    first = json.dumps(chip.by_step(IMAGES, LABELS).to_json())
    for options in ({"chunk": 1, "threads": 1}, {"chunk": 5, "threads": 3}):
        monkeypatch.setattr(measure, "run_reference", lambda *a, o=options, **k: run_reference(*a, **k, **o))
        assert json.dumps(chip.by_step(IMAGES, LABELS).to_json()) == first


def test_sums_are_exact_however_large() -> None:
    values = np.array([[1.5, 2.0**60, 0.1], [2.25, 2.0**60, 0.2]])
    found = exact_sum(values) * ERROR_LSB
    assert found[0] == 3.75 and found[1] == 2.0**61 and found[2] == pytest.approx(0.3, abs=1e-7)
    assert exact_sum(values[:, :1]).tolist() == [int(3.75 / ERROR_LSB)]


def test_a_loaded_chip_is_compared_with_its_own_levels(tmp_path: Any) -> None:
    chip = chip_of("rate")
    loaded = spikeloom.load(chip.save(tmp_path / "a.loom"))
    found, own = loaded.by_step(IMAGES, LABELS), chip.by_step(IMAGES, LABELS, against="levels")
    assert found.against == own.against == "levels" and "network that the chip's integers make" in found.notes[0]
    assert found.to_json() == own.to_json()
    with pytest.raises(ValueError, match=r"^against cannot be 'network': a chip that was loaded does not know"):
        loaded.by_step(IMAGES, against="network")
    given = measure_by_step(loaded, IMAGES, LABELS, network=chip.network)
    assert given.to_json() == chip.by_step(IMAGES, LABELS).to_json()
    levels = network_of_levels(chip.programmed)
    np.testing.assert_allclose(
        levels.layers[0].weight, chip.programmed.layers[0].weights.T / chip.programmed.layers[0].theta
    )


def test_wrong_arguments_are_named() -> None:
    chip = chip_of("rate")
    for options, sentence in (
        ({"image": 23}, "image must be 0 .. 22, the row of one of the images, not 23"),
        ({"image": True}, "image must be 0 .. 22, the row of one of the images, not True"),
        ({"against": "ann"}, "against must be 'network' or 'levels', not 'ann'"),
        ({"labels": LABELS[:5]}, "Labels must have shape (23,), one per image, not (5,)"),
        ({"labels": LABELS + 1}, "Labels must lie in 0 .. 4, the chip's classes, but that of image"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
            chip.by_step(IMAGES, **options)
    with pytest.raises(TypeError, match="ideal must be"):
        chip.by_step(IMAGES, ideal="yes")


def test_tables_and_texts(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[tuple[int, int]] = []
    found = chip_of("phase").by_step(IMAGES, LABELS, progress=lambda now, total: done.append((now, total)))
    assert done[-1] == (23, 23)
    columns = found.columns()
    assert {len(values) for values in columns.values()} == {14}
    assert columns["period"].tolist() == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 2
    assert "noise spikes" in str(found) and "decision rule, k" in str(found) and "<table" in found._repr_html_()
    values = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert values["by_step"]["error"][:4] == [None] * 4 and len(values["stages"]) == 3
    assert repr(found) == f"ByStep({found.name}: 23 images, 14 steps, 3 stages)"
    fixed = make_chip(decision={"rule": "fixed"}).by_step(IMAGES)
    assert fixed.early == () and fixed.notes[-1] == "The decision rule 'fixed' ends no image early."
