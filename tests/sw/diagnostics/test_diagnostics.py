"""Broken chips, each a healthy one with one fault, get the finding of that fault and no other."""

from __future__ import annotations

import copy
import functools
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from torch import nn

import spikeloom
from spikeloom.hw.params.parameters import DecisionRule, Reset
from spikeloom.sim.devices import effects
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.chip import Chip
from spikeloom.sw.common.errors import DiagnosticWarning, SpikeLoomWarning
from spikeloom.sw.diagnostics import KINDS, Diagnosis, Finding
from spikeloom.sw.diagnostics.measure import measure
from spikeloom.sw.diagnostics.page import with_table
from spikeloom.sw.diagnostics.registry import kind
from spikeloom.sw.diagnostics.stages import CHANGES
from spikeloom.sw.passes.float_snn import spiking_network
from spikeloom.sw.report.content import ReportContent
from spikeloom.sw.report.report import write_report
from tests.fixtures.healthy import blobs, dense, fit
from tests.fixtures.models import make_config, make_images
from tests.fixtures.nir_graphs import ends, graph, neurons
from tests.sw.compiler.test_replicas import chip as copied

IMAGES, LABELS = blobs(0, (40,), 5, 800)
TESTS, EXPECTED = IMAGES[400:], LABELS[400:]
FIRST, SECOND, LAST = "1", "3", "5"
"""Names of the layers: a flatten, and ReLUs between them."""
PINNED: dict[str, dict[str, Any]] = {
    "convert": {"weight_scale": "max", "adc_quantile": 1.0, "normalisation": "max", "output_offset": "network"},
    "decision": {"t_max": 12},
}
"""Settings that mend nothing, so that a fault stays one."""


@functools.cache
def trained() -> Any:
    return fit(dense(40, 24, 16, 5), IMAGES[:400], LABELS[:400], 0)


def network() -> Any:
    """A separate copy of the network, to be broken."""
    return copy.deepcopy(trained())


def compiled(model: nn.Module | None = None, images: Any = None, **tables: dict[str, Any]) -> Chip:
    settings = {name: {**PINNED.get(name, {}), **tables.get(name, {})} for name in {*PINNED, *tables}}
    return spikeloom.compile(
        network() if model is None else model, IMAGES[:300] if images is None else images, make_config(**settings)
    )


def names(diagnosis: Diagnosis | None) -> list[tuple[str, str | None]]:
    assert diagnosis is not None
    return [(finding.name, finding.layer) for finding in diagnosis]


def with_layer(chip: Chip, index: int, **changes: Any) -> Chip:
    """The chip with something changed in a layer, after it was made."""
    layers = list(chip.programmed.layers)
    layers[index] = replace(layers[index], **changes)
    shapes = list(chip.programmed.parameters.layers)
    shapes[index] = replace(shapes[index], max_theta=65535, max_bias=2**20 - 1)
    parameters = replace(chip.programmed.parameters, layers=tuple(shapes))
    return Chip(replace(chip.programmed, layers=tuple(layers), parameters=parameters), chip.config, chip.passes)


@pytest.fixture(scope="module")
def healthy() -> Chip:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DiagnosticWarning)
        return compiled()


def test_a_healthy_chip_has_no_findings(healthy: Chip) -> None:
    assert healthy.findings is not None and len(healthy.findings) == 0 and healthy.findings.images == 128
    assert str(healthy.findings) == "No findings, measured on 128 calibration images."
    assert healthy.predict(TESTS).accuracy(EXPECTED) > 0.95
    assert names(healthy.diagnose(TESTS)) == names(healthy.diagnose(TESTS, EXPECTED)) == []
    assert healthy.diagnose(TESTS, EXPECTED).images == len(TESTS)


def zeroed(layer: int) -> Callable[[], Chip]:
    def make() -> Chip:
        model = network()
        model[layer].weight.data.zero_()
        return compiled(model)

    return make


def shifted(layer: int) -> Callable[[], Chip]:
    def make() -> Chip:
        model = network()
        model[layer].bias.data -= 50.0
        return compiled(model)

    return make


def scaled_bias(layer: int, factor: float) -> Callable[[], Chip]:
    """Large positive biases, which the next layer takes away again: nothing changes in real numbers."""

    def make() -> Chip:
        model = network()
        bias, after = model[layer].bias.data, model[layer + 2]
        bias.abs_().mul_(factor).add_(factor / 10.0)
        after.bias.data -= after.weight.data @ bias
        return compiled(model)

    return make


def theta_at_limit() -> Chip:
    chip = compiled()
    weak = chip.programmed.layers[1]
    rng = np.random.default_rng(0)
    positive = rng.integers(0, 2, weak.positive.shape).astype(np.uint8)
    negative = (1 - positive) * rng.integers(0, 2, weak.positive.shape).astype(np.uint8)
    return with_layer(chip, 1, theta=32767, v0=0, positive=positive, negative=negative, scale=1.0 / 32767)


def nir_with_default_dt() -> Chip:
    """Weights that were trained for steps of 1 s, read with the 0.1 ms that NIR files have else."""
    model = network()
    nodes = ends((40,), 5)
    last = nodes.pop("output")
    for name, layer, scale in ((FIRST, model[1], 0.2), (SECOND, model[3], 0.5), (LAST, model[5], 1.0)):
        weight, bias = layer.weight.data.numpy() * scale, layer.bias.data.numpy() * scale
        nodes |= {name: nir.Affine(weight=weight, bias=bias), f"{name}_if": neurons(len(weight), r=1.0)}
    file = graph({**nodes, "output": last})
    config = make_config(neuron={"reset": "zero", "output_reset": "zero", "v0": 0.0})
    return spikeloom.compile(spikeloom.read_nir(file), IMAGES[:300], config)


def dead_output() -> Chip:
    chip = compiled()
    positive = chip.programmed.layers[2].positive.copy()
    positive[:, 3] = 0
    return with_layer(chip, 2, positive=positive)


def narrow_converter() -> Chip:
    """Codes -16 .. 15 of one conductance step each, for sums of hundreds."""
    return with_layer(compiled(crossbar={"adc_bits": 5}), 0, gain_shift=0)


def high_threshold() -> Chip:
    return with_layer(compiled(), 1, theta=20000)


def always_firing() -> Chip:
    """A chip as from a file, whose second layer fires with every spike that reaches it."""
    chip = compiled()
    full = np.full_like(chip.programmed.layers[1].positive, 15)
    made = with_layer(chip, 1, theta=1, v0=0, positive=full, negative=np.zeros_like(full))
    return Chip(made.programmed, made.config)


def mostly_silent() -> Chip:
    chip = compiled()
    bias = chip.programmed.layers[0].bias.copy()
    bias[np.argsort(chip.programmed.layers[0].positive.sum(axis=0))[-11:]] = -20000
    return with_layer(chip, 0, bias=bias)


def one_class() -> Chip:
    chip = compiled()
    last = chip.programmed.layers[2]
    return with_layer(chip, 2, bias=last.bias + np.array([0, 0, 3 * last.theta, 0, 0], np.int32))


def dark(images: Any) -> Chip:
    with pytest.warns(SpikeLoomWarning, match="nearly black"):
        return compiled(images=images)


def all_stuck() -> Chip:
    """No currents at all, which is no fault of the biases that are left."""
    with pytest.warns(SpikeLoomWarning, match=r"^\[device\] stuck_on is 1.0: usual values are 0 .. 0.5"):
        return compiled(device={"stuck_on": 1.0})


def uneven() -> Chip:
    """A neuron of the first layer 1,000 times as strong, and read as much weaker: nothing changes in real numbers."""
    model = network()
    model[1].weight.data[5] *= 1000.0
    model[1].bias.data[5] *= 1000.0
    model[3].weight.data[:, 5] /= 1000.0
    return compiled(model)


BROKEN: dict[str, tuple[Callable[[], Chip], list[tuple[str, str | None]]]] = {
    "first layer zeroed": (zeroed(1), [("zero-weights", FIRST)]),
    "second layer zeroed": (zeroed(3), [("zero-weights", SECOND)]),
    "last layer zeroed": (zeroed(5), [("zero-weights", LAST)]),
    "bias of the first layer less 50": (shifted(1), [("bias-out-of-proportion", FIRST)]),
    "bias of the second layer less 50": (shifted(3), [("bias-out-of-proportion", SECOND)]),
    "bias of the first layer 100-fold": (scaled_bias(1, 100.0), [("bias-out-of-proportion", FIRST)]),
    "bias of the second layer 1000-fold": (scaled_bias(3, 1000.0), [("bias-out-of-proportion", SECOND)]),
    "1-bit converters for all currents": (
        lambda: compiled(crossbar={"adc_bits": 1}),
        [("adc-rounds", FIRST), ("adc-rounds", SECOND), ("adc-rounds", LAST)],
    ),
    "2-bit converters for all currents": (
        lambda: compiled(crossbar={"adc_bits": 2}),
        [("adc-rounds", FIRST), ("adc-rounds", SECOND), ("adc-rounds", LAST)],
    ),
    "dark calibration images": (lambda: dark(IMAGES[:300] // 15), [("dark-input", None)]),
    "converters with too small a range": (narrow_converter, [("adc-clips", FIRST)]),
    "1-bit cells, scaled to the largest weight": (
        lambda: compiled(device={"bits": 1}),
        [("coarse-weights", FIRST), ("coarse-weights", SECOND), ("coarse-weights", LAST)],
    ),
    "an output without positive weights": (dead_output, [("silent-output", LAST)]),
    "a threshold far too high": (high_threshold, [("silent-layer", SECOND)]),
    "a layer that each spike sets off": (always_firing, [("always-fires", SECOND)]),
    "most columns held down by their biases": (mostly_silent, [("mostly-silent", FIRST)]),
    "an output that fires always": (one_class, [("one-class", None)]),
    "half of the cells stuck": (lambda: compiled(device={"stuck_on": 0.5}), [("device-loss", None)]),
    "converters full of noise": (
        lambda: compiled(device={"adc_sigma": 4.0}, crossbar={"adc_bits": 4}),
        [("device-loss", None)],
    ),
    "a percentile far too low": (
        lambda: compiled(convert={"normalisation": "percentile", "percentile": 0.1}),
        [("rates-clipped", FIRST), ("rates-clipped", SECOND)],
    ),
    "one time step": (lambda: compiled(decision={"t_max": 1, "k": 1}), [("spiking-loss", None)]),
    "decisions by the first spike": (
        lambda: compiled(neuron={"v0": 1.0}, decision={"t_max": 20, "k": 1.0}),
        [("spiking-loss", None)],
    ),
    "nearly all periods skipped": (
        lambda: compiled(decision={"t_max": 12, "skip": 11, "k": 1.0}),
        [("spiking-loss", None)],
    ),
    "a strong leak": (lambda: compiled(neuron={"leak": 1}, decision={"t_max": 40}), [("spiking-loss", None)]),
    "k out of reach": (lambda: compiled(decision={"t_max": 12, "k": 12.0}), [("never-decides", None)]),
    "images of one class": (lambda: compiled(images=IMAGES[:400][LABELS[:400] == 2]), [("network-of-one-class", None)]),
    "one neuron 1,000 times as strong": (uneven, [("uneven-neurons", FIRST)]),
    "theta at its limit": (theta_at_limit, [("theta-at-limit", SECOND)]),
    "a NIR file with the wrong dt": (
        nir_with_default_dt,
        [("theta-at-limit", FIRST), ("theta-at-limit", SECOND), ("theta-at-limit", LAST)],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_fault_is_found(case: str) -> None:
    make, expected = BROKEN[case]
    chip = make()
    found = chip.findings if chip.findings is not None else chip.diagnose(IMAGES[:300])
    assert names(found) == expected, str(found)


MENDED = [
    "1-bit converters for all currents",
    "2-bit converters for all currents",
    "1-bit cells, scaled to the largest weight",
]
"""Faults of fixed settings, which `[convert]` with its defaults mends."""


def with_defaults(case: str, monkeypatch: pytest.MonkeyPatch) -> Chip:
    monkeypatch.delitem(PINNED, "convert")
    return BROKEN[case][0]()


@pytest.mark.parametrize("case", MENDED)
def test_what_the_defaults_mend_is_no_fault(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = with_defaults(case, monkeypatch)
    assert names(chip.findings) == names(chip.diagnose(TESTS, EXPECTED)) == [], str(chip.findings)
    assert chip.predict(TESTS).accuracy(EXPECTED) > 0.95


@pytest.mark.parametrize(
    "case",
    [
        "first layer zeroed",
        "last layer zeroed",
        "bias of the first layer less 50",
        "bias of the second layer 1000-fold",
        "dark calibration images",
        "a threshold far too high",
        "a layer that each spike sets off",
        "most columns held down by their biases",
        "half of the cells stuck",
        "k out of reach",
        "images of one class",
        "one neuron 1,000 times as strong",
        "theta at its limit",
        "a NIR file with the wrong dt",
    ],
)
def test_a_fault_is_found_behind_the_defaults(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = with_defaults(case, monkeypatch)
    found = chip.findings if chip.findings is not None else chip.diagnose(IMAGES[:300])
    assert names(found) == BROKEN[case][1], str(found)


@pytest.mark.parametrize("case", BROKEN)
def test_a_remedy_names_settings_that_there_are_and_that_are_not_set_yet(case: str) -> None:
    chip = BROKEN[case][0]()
    found = chip.findings if chip.findings is not None else chip.diagnose(IMAGES[:300])
    for finding in found:
        check_settings(finding.remedy, chip)


def test_the_remedies_of_the_table_name_settings_that_there_are() -> None:
    assert sum(check_settings(entry.remedy.replace("`", "")) for entry in KINDS.values()) >= 15
    with pytest.raises(ValueError, match="percentile must be at most 1"):
        check_settings("set [convert] percentile = 99.9")
    with pytest.raises(AssertionError):
        check_settings("raise [convert] percentiles")


def check_settings(remedy: str, chip: Chip | None = None) -> int:
    """Every "[table] field" is one, and every "[table] field = value" one that a configuration takes; returns how many.

    With a chip, the value is another than it has.
    """
    fields = re.findall(r"\[(\w+)\] (\w+)(?: = (\"\w+\"|[\d.]*\d|true|false))?", remedy)
    for table, field, value in fields:
        section = getattr(make_config(), table)
        assert field in type(section).model_fields, remedy
        if value:
            wanted = json.loads(value)
            type(section)(**{field: wanted})
            assert chip is None or getattr(getattr(chip.config, table), field) != wanted, remedy
    return len(fields)


def test_dark_calibration_images_are_told_once() -> None:
    """Where they are taken, and not again by the diagnosis, which has them among its findings."""
    with pytest.warns(SpikeLoomWarning) as caught:
        chip = compiled(images=IMAGES[:300] // 15)
    assert [warning.category for warning in caught] == [SpikeLoomWarning]
    assert "nearly black" in str(caught[0].message) and names(chip.findings) == [("dark-input", None)]
    images = np.repeat(IMAGES[:300] // 15, 2, axis=0)
    images[1] = IMAGES[1]  # the only bright one, not among the 128 of the diagnosis
    with pytest.warns(DiagnosticWarning, match="nearly black") as caught:
        chip = compiled(images=images)
    assert len(caught) == 1 and names(chip.findings) == [("dark-input", None)]


def test_an_effect_that_only_the_list_knows_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = tuple(
        replace(entry, direct="worn cells", remedy="") if "stuck_on" in entry.fields else entry
        for entry in effects.EFFECTS
    )
    for module in (
        "spikeloom.sim.devices.effects",
        "spikeloom.sim.devices.conductance",
        "spikeloom.sw.analysis.waterfall",
        "spikeloom.sw.diagnostics.precision",
    ):
        monkeypatch.setattr(f"{module}.EFFECTS", entries)
    (finding,) = BROKEN["half of the cells stuck"][0]().findings or ()
    assert finding.name == "device-loss" and finding.size["stage"] == "worn cells"
    assert finding.remedy == "lower [device] stuck_on and stuck_off"


@pytest.mark.parametrize(
    ("case", "mended_by"),
    [("one time step", "steps"), ("a strong leak", "leak"), ("nearly all periods skipped", "skip")],
)
def test_what_would_mend_the_spikes_is_named(case: str, mended_by: str) -> None:
    found = BROKEN[case][0]().findings
    assert found is not None and found[0].size["mended_by"] == mended_by
    assert (
        found[0].remedy
        == {
            "steps": "raise [decision] t_max and k, or train for few steps ([train])",
            "leak": "set [neuron] leak = 0, or raise it (V loses V / 2^leak)",
            "skip": "lower [decision] skip, or raise t_max",
        }[mended_by]
    )


def test_one_thing_is_changed_at_a_time() -> None:
    made = compiled(neuron={"clip": 2.0, "leak": 3, "reset": "zero"}, decision={"skip": 2, "t_max": 12})
    network = spiking_network(made.programmed)
    changed = {name: change(network) for name, change in CHANGES.items()}
    assert None not in changed.values() and list(changed) == ["clip", "leak", "reset", "rule", "skip", "steps"]
    assert {layer.clip for layer in changed["clip"].layers} == {0.0}
    assert {layer.leak for layer in changed["leak"].layers} == {0}
    assert [layer.reset for layer in changed["reset"].layers] == [Reset.SUBTRACT] * 3
    assert changed["rule"].rule == DecisionRule.FIXED and changed["steps"].t_max == 4 * network.t_max
    plain = spiking_network(compiled(decision={"rule": "fixed"}).programmed)
    unchanged = [name for name, change in CHANGES.items() if change(plain) is None]
    assert unchanged == ["clip", "leak", "reset", "rule", "skip"] and changed["skip"].skip == 0


def test_compile_warns_in_one_sentence_with_cause_size_and_remedy() -> None:
    with pytest.warns(DiagnosticWarning) as caught:
        chip = compiled(device={"stuck_on": 0.5})
    (warning,) = caught
    text = str(warning.message)
    assert warning.filename == __file__
    before, after = (chip.findings[0].size[name] for name in ("before", "after"))  # type: ignore[index]
    assert text.startswith(
        "The network does not tolerate the effect 'stuck cells'; agreement with the network falls from "
    )
    assert f"from {before:.1%} to {after:.1%} at stage 'stuck cells'" in text and "lower [device] stuck_on" in text
    assert text.endswith("(see docs/poor-accuracy.md).") and "\n" not in text


def test_sizes_are_right(healthy: Chip) -> None:
    """Against the reference and the integers, counted otherwise."""
    (finding,) = dead_output().diagnose(IMAGES[:300])
    assert finding.neurons == (3,) and finding.severity == "fault"
    assert healthy.passes is not None
    assert finding.size == {"outputs": 1, "images": int(np.sum(healthy.passes.folded.classes(IMAGES[:300]) == 3))}
    chip = zeroed(3)()
    (finding,) = chip.diagnose(TESTS)
    assert finding.size == {"zeros": 1.0, "weights": 24 * 16, "theta": chip.programmed.layers[1].theta}
    chip = BROKEN["k out of reach"][0]()
    chosen = IMAGES[:300][np.linspace(0, 299, 128).round().astype(int)]
    (finding,) = chip.findings  # type: ignore[misc]
    result = chip.predict(chosen)
    assert finding.size["share"] == pytest.approx(np.mean(result.reasons == 0), abs=1e-6) and finding.size["k"] == 12
    assert finding.size["median_lead"] == np.median(result.margins)
    chip = BROKEN["half of the cells stuck"][0]()
    (finding,) = chip.diagnose(TESTS, EXPECTED)
    ideal = replace(chip.programmed, device=healthy.programmed.device)
    assert finding.size["before"] == pytest.approx(run_reference(ideal, TESTS).accuracy(EXPECTED), abs=1e-6)
    assert finding.size["after"] == pytest.approx(chip.predict(TESTS).accuracy(EXPECTED), abs=1e-6)
    assert "accuracy falls from" in finding.cause


def test_a_loaded_chip_is_diagnosed_by_what_it_knows(tmp_path: Path, healthy: Chip) -> None:
    for name, make, expected in (
        ("healthy", lambda: healthy, []),
        ("zeroed", zeroed(3), [("zero-weights", SECOND)]),
        ("theta", theta_at_limit, [("theta-at-limit", SECOND)]),
        ("adc", lambda: compiled(crossbar={"adc_bits": 1}), BROKEN["1-bit converters for all currents"][1]),
        ("stuck", lambda: compiled(device={"stuck_on": 0.5}), [("device-loss", None)]),
        ("bias", shifted(1), [("bias-out-of-proportion", FIRST)]),
        ("silent", dead_output, [("silent-output", LAST)]),
    ):
        made = make()
        chip = spikeloom.load(made.save(tmp_path / f"{name}.loom"))
        assert chip.findings == made.findings and chip.notes == made.notes
        assert names(chip.diagnose(TESTS, EXPECTED)) == expected, name


def test_a_diagnosis_does_not_depend_on_threads_and_comes_back_from_json(healthy: Chip) -> None:
    chip = compiled(crossbar={"adc_bits": 1})
    found = chip.findings
    assert found is not None
    assert Diagnosis.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert compiled(crossbar={"adc_bits": 1}).findings == found
    text = str(found)
    assert text.startswith("3 findings, measured on 128 calibration images:\n- fault, adc-rounds: the ADC of layer '1'")
    assert text.count("\n  remedy: ") == 3
    assert [stage for stage, _, _ in found.stages] == ["ANN", "folded", "normalised", "spiking", "quantised", "ADC"]
    assert found.stages[-1][1] == pytest.approx(found[0].size["after"], abs=1e-6)


def test_many_images_are_thinned_out_evenly(healthy: Chip) -> None:
    """Images sorted by class: the first ones alone would be of one class."""
    order = np.argsort(EXPECTED, kind="stable")
    many = np.repeat(TESTS[order], 6, axis=0)
    found = healthy.diagnose(many, np.repeat(EXPECTED[order], 6))
    assert found.images == 2000 and names(found) == []


@pytest.mark.parametrize(
    "arguments", [(np.zeros((4, 39), np.uint8),), (TESTS[:4], [0, 1, 2, 5]), (TESTS[:4], [0.5] * 4)]
)
def test_what_does_not_fit_is_refused(healthy: Chip, arguments: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, ValueError), match=r"Images must|Labels must"):
        healthy.diagnose(*arguments)


def test_ir_drop_of_a_large_chip_is_left_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeloom.sw.diagnostics.examine._QUICK_CELLS", 1000)
    chip = compiled(device={"wire_ohm": 1e-3})
    assert chip.findings is not None and "IR drop was left out" in str(chip.findings)
    assert chip.diagnose(TESTS[:50]).notes == ()


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="two kinds"):
        kind("silent-layer", "fault", meaning="", measured="", remedy="")(lambda measures: ())
    for name, entry in KINDS.items():
        assert entry.name == name and entry.severity in ("fault", "warning")
        assert entry.meaning.endswith(".") and entry.measured.endswith(".") and entry.remedy.endswith(".")


def test_every_kind_has_a_broken_chip() -> None:
    shown = {name for _, expected in BROKEN.values() for name, _ in expected}
    basis = {"shifted-labels", "other-unit"}  # of labels: tests.sw.diagnostics.test_basis
    assert set(KINDS) - shown == {"conversion-fault", "tuning-loss"} | basis


def test_what_only_a_mistake_of_ours_would_do(healthy: Chip) -> None:
    """The network that was folded is not the one that was given: its classes are in another order."""
    other = network()
    for values in (other[5].weight.data, other[5].bias.data):
        values.copy_(values.roll(1, 0))
    assert healthy.passes is not None
    chip = Chip(healthy.programmed, healthy.config, replace(healthy.passes, model=other))
    (finding,) = chip.diagnose(TESTS)
    assert finding.name == "conversion-fault" and finding.size["stage"] == "folded" and finding.size["before"] == 1.0


def test_tuning_that_loses_classes(healthy: Chip) -> None:
    """The chip before tuning gives the classes in another order."""
    last = healthy.programmed.layers[2]
    rolled = {name: np.roll(getattr(last, name), 1, axis=-1) for name in ("positive", "negative", "bias")}
    tuned = with_layer(healthy, 2, **rolled)
    assert healthy.passes is not None
    chip = Chip(tuned.programmed, healthy.config, replace(healthy.passes, untuned=healthy.programmed))
    (finding,) = chip.diagnose(TESTS)
    assert finding.name == "tuning-loss" and finding.severity == "warning" and finding.size["stage"] == "tuned"


def test_copies_of_a_crossbar_are_one_layer() -> None:
    """On ideal cells they compute what one crossbar computes, position by position."""
    one, many = (copied(replicas, device={"device_sigma": 0.0, "read_sigma": 0.0}) for replicas in (1, [3, 4, 1]))
    images = make_images(20, one.parameters.inputs)
    a, b = (measure(chip, chip.programmed, images, None) for chip in (one, many))
    assert len(a.layers) == len(b.layers) == 3 and len(many.programmed.layers) == 8
    for left, right in zip(a.layers, b.layers, strict=True):
        assert (left.name, left.positions, left.saturations) == (right.name, right.positions, right.saturations)
        assert left.counts.conversions == right.counts.conversions and left.counts.reads == right.counts.reads
        np.testing.assert_array_equal(left.counts.fired, right.counts.fired)
        assert left.bias_ratio == pytest.approx(right.bias_ratio)


def report(chip: Chip, folder: Path) -> tuple[str, dict[str, Any]]:
    page = chip.report(folder, TESTS[:30], EXPECTED[:30])
    return page.read_text(), json.loads((folder / "summary.json").read_text())["diagnosis"]


def test_the_report_says_it(healthy: Chip, tmp_path: Path) -> None:
    page = write_report(
        tmp_path / "healthy", ReportContent(chip=healthy.programmed, maps=[], diagnosis=healthy.findings)
    ).read_text()
    assert "No findings, measured on 128 calibration images" in page
    chip = zeroed(3)()
    text, summary = report(chip, tmp_path / "zeroed")
    assert "1 finding, measured on 128 calibration images" in text and "fault: zero-weights" in text
    assert [(entry["name"], entry["layer"]) for entry in summary["findings"]] == [("zero-weights", SECOND)]
    loaded = spikeloom.load(chip.save(tmp_path / "zeroed.loom"))
    text, summary = report(loaded, tmp_path / "loaded")
    assert "measured on 128 calibration images" in text and summary["findings"][0]["name"] == "zero-weights"
    loaded.findings = None  # as in a weight image of an older version
    text, summary = report(loaded, tmp_path / "older")
    assert "measured on 30 images of this report" in text and summary["findings"][0]["name"] == "zero-weights"


def test_the_page_has_every_kind() -> None:
    page = (Path(__file__).parents[3] / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert page == with_table(page), "run python -m spikeloom.sw.diagnostics.page"
    assert all(f"| `{name}` (" in page for name in KINDS)


def test_a_finding_is_a_clause_and_its_remedy() -> None:
    finding = Finding("silent-layer", "fault", "layer 'a' never fires", {"theta": 3}, "lower it", "a")
    assert str(finding) == "layer 'a' never fires; lower it (see docs/poor-accuracy.md)"


def test_one_image_is_one_image() -> None:
    assert str(Diagnosis((), 1, "calibration images")) == "No findings, measured on 1 calibration image."
    assert str(Diagnosis((), 2, "images")) == "No findings, measured on 2 images."
