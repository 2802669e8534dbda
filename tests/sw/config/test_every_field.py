"""Every field of the configuration takes effect: changed alone, it changes something that a run gives.

`tests.sw.config.test_every_context` asks the same in every context.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.sim.cosim.options import CosimOptions
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.estimates.energy import energy
from spikeloom.sim.programming.write_verify import program_chip
from spikeloom.sw.analysis.lifetime import measure_lifetime
from spikeloom.sw.analysis.programming import programmed, programming_summary
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.compiler.images import needs_validation
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import load_data
from spikeloom.sw.flow import steps
from spikeloom.sw.training.training import train
from tests.fixtures.contexts import DRIFT, LEARNED, MAPS, PLAIN, PULSES, TUNED, WORN, config

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*usual values are"),
    pytest.mark.filterwarnings("ignore:.*usual are"),
    pytest.mark.filterwarnings("ignore:.*none may be lost"),
]  # pulses so long that cells drift at once
SPREAD = {"device.pulse_sigma": 0.5, **PULSES}  # pulses that miss, so that there is something to correct

# field: (another value, what the change needs to show at all)
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "seed": (2, {}),
    "data.validation_images": (100, {}),  # fewer are trained with
    "train.hidden": ([21], {}),
    "train.network": ("3c3-2s-10", MAPS),
    "train.pooling": ("average", MAPS),
    "train.batch_norm": (True, MAPS),
    "train.epochs": (2, {}),
    "train.batch": (32, {}),
    "train.learning_rate": (5e-3, {}),
    "train.weight_decay": (0.1, {}),
    "train.dropout": (0.2, {}),
    "train.activation": ("relu", {"train.activation_levels": 0}),
    "train.activation_levels": (3, {}),
    "train.weight_bits": (0, {}),
    "train.weight_noise": (0.1, {}),
    "train.label_smoothing": (0.2, {}),
    "train.exact_sums": (True, {}),
    "train.optimiser": ("sgd", {}),
    "train.precision": ("bfloat16", {}),
    "convert.normalisation": ("percentile", PLAIN),
    "convert.percentile": (0.8, {"convert.normalisation": "percentile", **PLAIN}),
    "convert.output_offset": ("network", PLAIN),
    "convert.average_pooling": ("weights", {**MAPS, "train.pooling": "average"}),
    "convert.weight_scale": ("mse", {"train.weight_bits": 0}),
    "convert.adc_quantile": (0.5, {"crossbar.adc_bits": 4}),
    "convert.tune": (True, {"data.validation_images": 100}),
    "tuning.beta": (0.3, TUNED),
    "tuning.alpha": (0.4, TUNED),
    "tuning.reductions": (2, TUNED),
    "tuning.repeats": (1, TUNED),
    "tuning.limit": (1.1, TUNED),
    "tuning.batch": (50, TUNED),
    "tuning.accuracy_drop": (0.0, TUNED),
    "tuning.relearn": (True, {**LEARNED, **TUNED}),
    "coding.input": ("rate", {}),
    "coding.phases": (2, {"coding.input": "rate"}),
    "coding.even_start": (10, {}),
    "neuron.reset": ("zero", {}),
    "neuron.output_reset": ("zero", {}),
    "neuron.v0": (0.0, {}),
    "neuron.leak": (3, {}),
    "neuron.clip": (1.0, {}),
    "decision.rule": ("fixed", {}),
    "decision.k": (1.0, {}),
    "decision.allowed_loss": (
        0.2,
        {"decision.strategy": "allowed_loss", "decision.rule": "stable", "data.validation_images": 100},
    ),
    "decision.theta": (4.0, {"decision.rule": "stable"}),
    "decision.t_max": (3, {}),
    "decision.skip": (1, {}),
    "decision.readout": ("membrane", {"neuron.output_reset": "none"}),
    "decision.strategy": ("learned", {"data.validation_images": 100}),
    "learning.reward_correct": (20.0, LEARNED),
    "learning.reward_wrong": (-20.0, LEARNED),
    "learning.reward_step": (-0.1, LEARNED),
    "learning.discount": (1.0, LEARNED),
    "learning.rate": (0.2, LEARNED),
    "learning.rate_halves_at": (100, LEARNED),
    "learning.epsilon": (0.5, LEARNED),
    "learning.epsilon_factor": (0.999, LEARNED),
    "learning.epsilon_min": (0.1, LEARNED),
    "learning.max_images": (3000, LEARNED),
    "crossbar.tile_rows": (16, {}),
    "crossbar.tile_columns": (8, {}),
    "crossbar.adc_bits": (3, {}),
    "crossbar.replicas": (2, {**MAPS, "device.device_sigma": 0.1}),
    "device.bits": (3, {"train.weight_bits": 0}),
    "device.g_min_S": (2e-6, {}),
    "device.g_max_S": (2e-5, {}),
    "device.v_read_V": (0.1, {}),
    "device.device_sigma": (0.1, {}),
    "device.program_sigma": (0.1, {}),
    "device.read_sigma": (0.1, {}),
    "device.adc_sigma": (1.0, {}),
    "device.stuck_on": (0.05, {}),
    "device.stuck_off": (0.05, {}),
    "device.wire_ohm": (100.0, {}),
    "device.pulse_sigma": (0.2, PULSES),
    "device.pulse_up": (0.8, PULSES),
    "device.pulse_down": (0.8, SPREAD),
    "device.soft_bounds": (0.5, PULSES),
    "device.v_program_V": (1.5, PULSES),
    "device.cell": (
        "tantalum",
        {"device.g_min_S": 1e-4, "device.g_max_S": 0.025, "hardware.pulse_cycles": 65535, "hardware.clock_Hz": 1e4},
    ),
    "device.read_polarity": ("negative", DRIFT),
    "device.acceleration": (1e8, DRIFT),
    "device.drift_every": (7, DRIFT),
    "device.refresh_every": (20, DRIFT),
    "lifetime.measure": (True, DRIFT),
    "lifetime.threshold": (0.6, WORN),
    "lifetime.images": (30, WORN),
    "lifetime.limit": (3, WORN),
    "lifetime.tolerance": (0.9, WORN),
    "lifetime.images_per_s": (30.0, WORN),
    "lifetime.programmings": (2, {**WORN, "device.program_sigma": 0.02}),
    "programming.method": ("write-verify", {}),
    "programming.tolerance": (0.5, SPREAD),
    "programming.tries": (3, PULSES),
    "programming.amplitude_min": (0.5, SPREAD),
    "programming.amplitude_max": (4.0, PULSES),
    "programming.fault_aware": (True, {"device.stuck_on": 0.05, **PULSES}),
    "energy.adc_J_per_conversion": (1e-12, {}),
    "energy.dac_J_per_pulse": (1e-14, {}),
    "energy.dac8_J_per_pulse": (1e-13, {"coding.input": "analog"}),
    "energy.sample_J": (2e-15, {}),
    "energy.wire_F_per_cell": (1e-15, {}),
    "energy.adder_J_per_bit": (2e-15, {}),
    "energy.memory_J_per_bit": ([1e-14, 2e-14, 4e-14], {}),
    "energy.transport_J_per_bit": (1e-13, {}),
    "energy.flip_flop_J_per_cycle": (1e-15, {}),
    "energy.calibration": (
        {
            "format": 2,
            "library": "cells",
            "corner": "slow",
            "voltage_V": 1.0,
            "clock_Hz": 1e8,
            "memory_bits": 0,
            "chip": "mine",
            "design": "0",
            "images": 20,
            "images_checked": 10,
            "images_beyond": 1,
            "error": 0.0,
            "error_of_data": 0.0,
            "parts": {"neurons": 1e-12},
        },
        {},
    ),
    "hardware.lanes": (8, {}),
    "hardware.encoder_lanes": (4, {}),
    "hardware.encoders": (1, {}),
    "hardware.input_codings": ("all", {}),
    "hardware.neuron_features": ("all", {}),
    "hardware.decision_rules": ("all", {}),
    "hardware.programmer": (False, {}),
    "hardware.activity_counters": (False, {}),
    "hardware.pulse_cycles": (9, {}),
    "hardware.settle_cycles": (12, {}),
    "hardware.adc_cycles": (5, {}),
    "hardware.program_cycles": (20, PULSES),
    "hardware.clock_Hz": (5e7, {}),
}
# Fields whose effect is in clock cycles: only the Verilog has those.
TIMED = {
    f"hardware.{name}"
    for name in ("lanes", "encoder_lanes", "encoders", "programmer", "pulse_cycles", "settle_cycles", "adc_cycles")
}
TIMED |= {"hardware.decision_rules"}  # flip-flops that the clock drives, in an energy with clock cycles
TIMED |= {"energy.flip_flop_J_per_cycle"}
# Fields that say where and what to run; each has its own check below.
WHERE = {
    "train.augment", "train.weights", "name", "data.set", "data.test_limit", "data.calibration_images",
    "nir.file", "nir.reset", "nir.threshold", "nir.dt_s",  # in test_nir_flow.py
    "cosim.simulator", "cosim.images", "cosim.trace_images", "cosim.waves", "cosim.through_bus",
    "board.name", "board.clock_Hz", "board.baud", "board.rows_per_cycle", "board.gain", "board.tries",  # test_board.py
}  # fmt: skip


def fields() -> set[str]:
    """Dotted names of all fields."""
    dump = Config.load("tiny").model_dump()
    return {
        f"{section}.{name}" if isinstance(value, dict) else section
        for section, value in dump.items()
        for name in (value if isinstance(value, dict) else [""])
    }


def outcome(settings: Config, timed: bool) -> str:
    """Digest of what a run measures: decisions, spikes, activity, energy, latency, programming."""
    data = load_data(settings.data.set)
    data, validation = data.split(settings.data.validation_images)
    model = train(settings.train, data, settings.seed)
    calibration = data.train_images[: settings.data.calibration_images]
    chip = spikeloom.compile(model, calibration, settings, validation if needs_validation(settings) else None)
    pixels = data.test_images[:60].reshape(60, -1)
    result = run_cosim(chip.programmed, pixels[:4]) if timed else chip.predict(pixels, trace="full")
    digest = hashlib.sha256()
    for array in (result.classes, result.steps, result.margins, result.spikes, *result.activity.values()):
        digest.update(np.ascontiguousarray(array).tobytes())
    for array in result.trace.membranes or () if result.trace is not None else ():
        digest.update(array.tobytes())
    for joules in energy(chip.programmed, result).values():
        digest.update(np.asarray(joules, float).tobytes())
    if result.cycles is not None:
        digest.update((result.cycles / chip.programmed.clock_Hz).tobytes())
    digest.update(str(chip.programmed.clock_Hz).encode())
    digest.update(b"" if chip.learnt_rule is None else chip.learnt_rule.q_values.history.tobytes())
    digest.update(str(chip.tuned).encode())
    digest.update(json.dumps(programming_summary(chip.programmed, programmed(chip.programmed))).encode())
    if settings.lifetime.measure:
        digest.update(
            json.dumps(measure_lifetime(chip.programmed, pixels, data.test_labels, settings.lifetime)).encode()
        )
    return digest.hexdigest()


def test_the_table_is_complete() -> None:
    assert set(CHANGES) | WHERE == fields()
    assert not set(CHANGES) & WHERE


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_takes_effect(field: str) -> None:
    value, context = CHANGES[field]
    before, after = config(**context), config(**{**context, field: value})
    assert before != after
    timed = field in TIMED
    assert outcome(before, timed) != outcome(after, timed)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device.v_program_V", 1.2),
        ("device.v_read_V", 0.1),
        ("device.device_sigma", 0.2),
        ("device.pulse_sigma", 0.2),
        ("device.g_min_S", 2e-4),
        ("programming.amplitude_max", 15.0),
        ("hardware.program_cycles", 5),
        ("hardware.clock_Hz", 2e8),
    ],
)
def test_takes_effect_on_pulses_of_tantalum_cells(field: str, value: Any) -> None:
    """In what programming leaves, not in its time and energy alone."""
    ends = []
    for context in ({**DRIFT, **PULSES}, {**DRIFT, **PULSES, field: value}):
        settings = config(**context)
        model = train(settings.train, load_data("digits"), settings.seed)
        programmed = spikeloom.compile(model, load_data("digits").train_images[:20], settings).programmed
        ends.append([layer.state.g_S for layer in program_chip(programmed).layers])
    assert all((a != b).any() for a, b in zip(*ends, strict=True))


def test_emulated_cells_take_effect() -> None:
    """In what pulses leave: factors of 8 bits. Set directly, cells are as linear ones."""
    spread = {"device.device_sigma": 0.1}
    ends = {
        (cell, method): outcome(config(**spread, **{"device.cell": cell, "programming.method": method}), False)
        for cell in ("linear", "emulated")
        for method in ("direct", "write-verify")
    }
    assert ends["linear", "direct"] == ends["emulated", "direct"] and len(set(ends.values())) == 3


@pytest.mark.parametrize(
    ("normalisation", "one", "other"),
    [
        *(
            (normalisation, "max", other)
            for normalisation in ("auto", "max", "percentile")
            for other in ("auto", "mse")
        ),
        ("auto", "auto", "mse"),  # with the other rules "auto" may find that "mse" is best
    ],
)
def test_every_value_of_the_conversion_takes_effect(normalisation: str, one: str, other: str) -> None:
    context = {"convert.normalisation": normalisation, **PLAIN, "train.weight_bits": 0}
    ends = [outcome(config(**context, **{"convert.weight_scale": each}), False) for each in (one, other)]
    assert ends[0] != ends[1]


def test_the_largest_weight_is_the_top_level_even_where_training_rounded_weights() -> None:
    """The first layer has no weight at the top level of its threshold."""
    thetas = []
    for value in ("auto", "max"):
        settings = config(**{"convert.weight_scale": value, "train.weight_bits": 3, "device.bits": 4})
        model = train(settings.train, load_data("digits"), settings.seed)
        thetas.append(
            spikeloom.compile(model, load_data("digits").train_images[:20], settings).programmed.layers[0].theta
        )
    assert thetas[0] != thetas[1]


def test_augmentation_is_refused_where_it_has_no_use() -> None:
    with pytest.raises(
        ConfigError, match=r"augment must be 'none' for the 8 x 8 images of data set 'digits', not 'crop'"
    ):
        config(**{"train.augment": "crop"})


@pytest.mark.parametrize(
    ("field", "value"),
    [("data.test_limit", 7), ("data.calibration_images", 9), ("data.validation_images", 11), ("name", "other")],
)
def test_the_data_step_follows(field: str, value: Any, tmp_path: Any) -> None:
    flow = steps.make_flow(config(**{field: value}), folder=None if field == "name" else tmp_path)
    if field == "name":
        assert flow.folder.name == "other"
        return
    flow.run(stop="data")
    tests = steps.load_run_images(flow)
    found = {"data.test_limit": tests.images, "data.calibration_images": tests.calibration}
    assert len(found.get(field, tests.validation)) == value


@pytest.mark.parametrize(
    ("field", "value", "argument", "expected"),
    [
        ("cosim.simulator", "icarus", "simulator", "icarus"),
        ("cosim.images", 5, "images", 5),
        ("cosim.trace_images", 2, "trace_images", 2),
        ("cosim.waves", True, "waves", "waves"),
        ("cosim.through_bus", True, "through_bus", True),
    ],
)
def test_the_cosim_step_follows(
    field: str, value: Any, argument: str, expected: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Seen(Exception):
        pass

    seen: dict[str, Any] = {}

    def fake(programmed: Any, images: Any, **others: Any) -> None:
        seen.update(images=len(images), **others)
        raise Seen

    assert argument in {*inspect.signature(steps.cosimulate).parameters, *inspect.signature(CosimOptions).parameters}
    flow = steps.make_flow(config(**{field: value}), folder=tmp_path)
    flow.run(stop="verilog")
    monkeypatch.setattr(steps, "cosimulate", fake)
    with pytest.raises(Seen):
        flow.run()
    assert (seen[argument].name if argument == "waves" else seen[argument]) == expected
