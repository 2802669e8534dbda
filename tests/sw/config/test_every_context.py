"""Every field, in every context, takes effect or is refused: the walk over all of them.

`tests.fixtures.contexts` has configurations in which every pair of choices is made that goes together. In each of them
every field is changed, with nothing but what that change itself needs, and a run must then give something else, or the
configuration be refused with a sentence that names the field. For a field of few values that holds for every value.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import spikeloom
from spikeloom.sim.common.choices import choices_of
from spikeloom.sim.estimates.energy import energy
from spikeloom.sim.estimates.timing import timing
from spikeloom.sw.analysis.lifetime import measure_lifetime
from spikeloom.sw.analysis.programming import programmed, programming_summary
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.compiler.images import needs_validation
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.field_rules import value_of
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.diagnostics import Diagnosis
from spikeloom.sw.flow.nir_step import load_nir
from spikeloom.sw.flow.steps import make_flow
from spikeloom.sw.training.training import train
from tests.conftest import SIMULATORS
from tests.fixtures.contexts import CONTEXTS, OTHER, WORDS, config
from tests.sw.config.test_every_field import CHANGES, WHERE, fields

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*usual values are"),
    pytest.mark.filterwarnings("ignore:.*usual are"),
    pytest.mark.filterwarnings("ignore:.*none may be lost"),
]
_IMAGES = 40

APART = WHERE - {"nir.file", "nir.reset", "nir.threshold", "nir.dt_s", "data.calibration_images"}
APART |= {"energy.calibration"}
"""Fields that do not go into the chip: of folder and data, and a file of coefficients, which
`tests.sw.config.test_every_field` has, and of [cosim], which is at the end here.
"""

_UNMEASURED = {"lifetime.measure": False, "lifetime.threshold": 0.85, "lifetime.images": 1000}
# What a value needs beside it: (field, value): changes.
NEEDS: dict[tuple[str, Any], dict[str, Any]] = {
    ("train.activation", "relu"): {"train.activation_levels": 0},
    ("device.cell", "tantalum"): {
        "device.g_min_S": 1e-4,
        "device.g_max_S": 0.025,
        "hardware.pulse_cycles": 65535,
        "hardware.clock_Hz": 1e4,
    },
    **{
        ("device.cell", cell): {"device.acceleration": 1.0, "device.program_sigma": 0.0, **_UNMEASURED}
        for cell in ("linear", "emulated")
    },
    ("lifetime.measure", False): {**_UNMEASURED, "lifetime.measure": False},
    ("convert.tune", False): {"tuning.reductions": 4, "tuning.repeats": 2, "tuning.batch": 500},
    ("train.pooling", "max"): {"convert.average_pooling": "spikes"},
    ("decision.strategy", "learned"): {"data.validation_images": 100},
    ("decision.strategy", "allowed_loss"): {"data.validation_images": 100},
    ("convert.tune", True): {"data.validation_images": 100},
    ("nir.reset", "zero"): {"neuron.reset": "zero", "neuron.output_reset": "zero"},
    ("nir.reset", "subtract"): {"neuron.reset": "subtract", "neuron.output_reset": "subtract"},
    ("nir.reset", "file"): {"neuron.reset": "zero", "neuron.output_reset": "zero"},
    ("decision.readout", "membrane"): {"neuron.output_reset": "none"},
    ("coding.input", "even"): {"coding.phases": 1},
    ("programming.method", "direct"): {"device.pulse_sigma": 0.0},
    ("train.network", "3c3-2s-10"): {"train.hidden": [128, 64]},
}
VALUES: dict[str, tuple[Any, ...]] = {
    "data.validation_images": (100, 150),
    "data.calibration_images": (20, 2, 1),
    "nir.file": (OTHER,),
    "nir.dt_s": (2e-4,),
    "lifetime.threshold": (0.6, 0.2, 0.9),
    "tuning.reductions": (3,),
    "tuning.repeats": (2,),
    "tuning.batch": (20,),
    "device.g_min_S": (2e-6, 2e-4),
    "device.g_max_S": (2e-5, 0.02),
}
"""Values to try of fields with many, one after the other, where that of `CHANGES` is not enough."""
BESIDE: tuple[dict[str, Any], ...] = (
    {},
    {"crossbar.adc_bits": 3},
    {"crossbar.adc_bits": 4},
    {"train.weight_bits": 0},
    {"train.weight_bits": 0, "train.activation_levels": 0},
    {"device.read_sigma": 0.05},
    {"device.device_sigma": 0.2},
    {"device.stuck_on": 0.05},
    {"device.pulse_sigma": 0.5},
    {"hardware.adc_cycles": 9},
    {"neuron.leak": 1},
    {"tuning.accuracy_drop": 0.05},
    {"tuning.beta": 0.9},
    {"tuning.limit": 1.1, "lifetime.threshold": 0.2, "device.acceleration": 1e6},
    {"lifetime.threshold": 0.2},
    {"train.epochs": 1},
    {"seed": 5},
)
"""Numbers, and no choices, beside which a change that did not show is tried again, one after the other."""


def values_of(field: str) -> list[tuple[Any, ...]]:
    """Values to try: of each group, one must show. One group per value, where they are few."""
    table, _, name = field.partition(".")
    section: Any = Config.model_fields[table].annotation
    info = section.model_fields[name] if name else Config.model_fields[table]
    kind = info.annotation
    if kind is bool:
        return [(False,), (True,)]
    if choices_of(info):
        return [(value,) for value in choices_of(info)]
    value = CHANGES[field][0] if field in CHANGES else None
    return [VALUES.get(field, (tuple(value) if isinstance(value, list) else value,))]


@functools.cache
def _data(validation: int) -> tuple[Dataset, Any]:
    return load_data("digits").split(validation)


@functools.cache
def _model(section: str, validation: int, seed: int) -> Any:
    """A trained network; `section` is its table as JSON."""
    table = Config.load({"train": json.loads(section)}).train
    return train(table, _data(validation)[0], seed)


def _network(settings: Config) -> Any:
    if settings.nir.file:
        return load_nir(settings, Path(settings.nir.file))
    return _model(json.dumps(settings.train.model_dump(mode="json")), settings.data.validation_images, settings.seed)


def measured(settings: Config) -> Iterator[tuple[str, bytes]]:
    """What a run gives, part by part, as (name, digest)."""
    data, validation = _data(settings.data.validation_images)
    calibration = data.train_images[: settings.data.calibration_images]
    found_nothing = Diagnosis((), 0, "no images")  # to find something takes time, and changes no chip
    with mock.patch("spikeloom.sw.diagnostics.pipeline.diagnose_compiled", return_value=found_nothing):
        chip = spikeloom.compile(
            _network(settings), calibration, settings, validation if needs_validation(settings) else None
        )
    pixels, labels = data.test_images[:_IMAGES], data.test_labels[:_IMAGES]
    result = chip.predict(pixels, trace="full")
    yield "decisions", _digest(result.classes, result.steps, result.margins, result.reasons, result.spikes)
    assert result.trace is not None and result.trace.membranes is not None
    yield "trace", _digest(*result.trace.spikes, *result.trace.membranes)
    yield "activity", _digest(*result.activity.values())
    cycles = timing(chip.programmed, pixels, result).cycles
    yield "latency", _digest(cycles / chip.programmed.clock_Hz)
    yield "energy", _digest(*energy(chip.programmed, replace(result, cycles=cycles)).values())
    yield (
        "decision",
        b"" if chip.learnt_rule is None else _digest(chip.learnt_rule.q_values.history, chip.learnt_rule.k),
    )
    found = chip.tuned
    yield "tuning", b"" if found is None else str([(move.factors, move.cost) for move in found.history]).encode()
    yield "programming", _plain(programming_summary(chip.programmed, programmed(chip.programmed)))
    levels = [array for layer in chip.programmed.layers for array in (layer.positive, layer.negative, layer.bias)]
    yield "weights", _digest(*levels)
    if settings.lifetime.measure:
        yield "lifetime", _plain(measure_lifetime(chip.programmed, pixels, labels, settings.lifetime))


_ECHOES = {"method", "fault_aware", "cell", "v_read_V", "v_program_V"}
_ECHOES |= {"threshold", "limit", "images_per_s", "acceleration", "every"}
"""Keys of a summary that say what was given, and nothing that came of it."""


def _plain(values: Any) -> bytes:
    def found(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: found(value) for name, value in part.items() if name not in _ECHOES}
        return [found(value) for value in part] if isinstance(part, list) else part

    return json.dumps(found(values)).encode()


def _digest(*arrays: Any) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(str((array.shape, array.dtype)).encode() + array.tobytes())
    return digest.digest()


def differs(before: dict[str, bytes], after: Config) -> str | None:
    """The first part of what a run gives that is another; None if there is none."""
    parts = set()
    for name, digest in measured(after):
        if before.get(name) != digest:
            return name
        parts.add(name)
    return None if parts == set(before) else "parts"


def verdicts(context: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """(field, value, what became of it) for all fields and values: the part that is another, "refused: ...", or
    "nothing".
    """
    start = config(**context)
    for field in sorted(fields() - APART - (set() if start.nir.file else {"nir.file"})):
        given = value_of(start, field)
        for group in values_of(field):
            found = {}
            for value in (each for each in group if each != given):
                found[value] = _verdict(context, field, value, given)
                if found[value] != "nothing" and not found[value].startswith("refused"):
                    break
            if found:  # the last one shows, or none does
                nothing = [value for value, verdict in found.items() if verdict == "nothing"]
                last = next(reversed(found))
                value = nothing[0] if nothing and found[last].startswith("refused") else last
                yield field, value, found[value]


def _verdict(context: dict[str, Any], field: str, value: Any, given: Any) -> str:
    found = ""
    for beside in BESIDE:
        both = {**context, **beside}
        if beside and (field in beside or any(both[name] == context.get(name) for name in beside)):
            continue
        needs = NEEDS.get((field, value), {})
        try:
            after = config(**{**both, **needs, field: value})
            part = differs(_base(both, needs, field, given), after)
        except ConfigError as error:
            found = found or f"refused: {error}"
            if not beside:
                break
            continue
        if part is not None:
            return f"{part} beside {beside}" if beside else part
        found = "nothing"
    return found


def _base(context: dict[str, Any], needs: dict[str, Any], field: str, given: Any) -> dict[str, bytes]:
    """What to compare with: the context with what the other value needs, where that goes, so that nothing but the field
    is another.
    """
    both = {**context, **needs, field: given} if needs else context
    try:
        return _before(json.dumps(both))
    except ConfigError:
        return _before(json.dumps(context))


@functools.lru_cache(maxsize=20)
def _before(changes: str) -> dict[str, bytes]:
    return dict(measured(config(**json.loads(changes))))


def alike(settings: Config, field: str, value: Any) -> bool:
    """Whether the value is the same as that which the configuration has, by what the two are said to be."""
    pair = {value, value_of(settings, field)}
    if settings.nir.file:
        # The files here leave both open, and a network from NIR is not measured, so that "auto" is "mse".
        same = {"nir.threshold": {"file", "above"}, "nir.reset": {"file", "zero"}}
        return pair == {**same, "convert.weight_scale": {"auto", "mse"}}.get(field)
    if field == "device.cell" and pair == {"linear", "emulated"}:
        return settings.programming.method == "direct"  # they differ in what pulses do
    # Without spikes to count, and with rates of 1 and steps that are given, nothing is left for "auto" to choose.
    given = settings.convert.weight_scale != "auto" and settings.train.activation == "clipped"
    membrane = settings.decision.readout == "membrane"
    return field == "convert.normalisation" and pair == {"auto", "max"} and membrane and given


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTEXTS)
def test_every_field_takes_effect_or_is_refused(name: str) -> None:
    start = config(**CONTEXTS[name])
    found = list(verdicts(CONTEXTS[name]))
    silent = [(field, value) for field, value, verdict in found if verdict == "nothing"]
    assert [each for each in silent if not alike(start, *each)] == []
    unnamed = [
        (field, value, verdict)
        for field, value, verdict in found
        if verdict.startswith("refused") and field.partition(".")[2] not in verdict
    ]
    assert unnamed == []
    assert sum(not verdict.startswith("refused") for _, _, verdict in found) > 30  # the walk went somewhere


@pytest.mark.slow
@pytest.mark.parametrize("word", ["dense", "verify"])
@pytest.mark.parametrize("through_bus", [False, True])
def test_every_field_of_a_co_simulation_takes_effect(word: str, through_bus: bool, tmp_path: Path) -> None:
    context = {**WORDS[word], "cosim.images": 3, "cosim.trace_images": 1, "cosim.through_bus": through_bus}

    def run(name: str, changes: dict[str, Any]) -> Any:
        flow = make_flow(config(**{**context, **changes}), tmp_path / name)
        flow.run(stop="cosim")
        facts = json.loads((flow.folder / "cosim" / "comparison.json").read_text())
        return facts, sorted(path.name for path in (flow.folder / "waves").rglob("waves.*"))

    before = run("before", {})
    for field, value in (
        ("cosim.simulator", "icarus"),
        ("cosim.images", 2),
        ("cosim.trace_images", 2),
        ("cosim.waves", True),
        ("cosim.through_bus", not through_bus),
    ):
        if value != "icarus" or value in SIMULATORS:
            assert run(field, {field: value}) != before, field
