"""The accuracy after every stage."""

from dataclasses import replace

import numpy as np
import pytest

import spikeloom
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.lifetime.search import frozen
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.waterfall import device_stages, ideal_cells, waterfall, wide_adc
from spikeloom.sw.chip import Chip
from tests.fixtures.drifting import DRIFT
from tests.fixtures.models import make_chip, make_config, make_images, make_model

IMAGES = make_images(150, 20, seed=3)
PULSED = {"pulse_sigma": 0.1, "device_sigma": 0.05, "stuck_on": 0.02, "read_sigma": 0.01}


@pytest.fixture(scope="module")
def chip() -> Chip:
    return make_chip(device={"device_sigma": 0.1, "read_sigma": 0.05, "stuck_off": 0.01}, decision={"t_max": 15})


def test_stages_in_order_and_both_ends_are_right(chip):
    assert chip.passes is not None
    labels = chip.passes.folded.classes(IMAGES)
    seen = []
    stages = waterfall(chip, IMAGES, labels, lambda *stage: seen.append(stage))
    assert [name for name, _ in stages] == [
        *("ANN", "folded", "normalised", "spiking", "quantised", "ADC", "device variation", "stuck cells", "read noise")
    ]
    assert seen == stages
    values = dict(stages)
    assert values["ANN"] == values["folded"] == values["normalised"] == 1.0
    assert stages[-1][1] == chip.predict(IMAGES).accuracy(labels)
    assert 0.3 < values["spiking"] <= 1.0


def test_a_loaded_chip_starts_at_quantised(chip):
    loaded = Chip(chip.programmed, chip.config)
    stages = waterfall(loaded, IMAGES[:50], np.zeros(50, np.int64))
    assert stages[0][0] == "quantised" and len(stages) == 5


def test_tuned_thresholds_are_a_stage_between_the_converters_and_the_devices():
    tables = {"device": {"device_sigma": 0.1, "read_sigma": 0.05}, "decision": {"t_max": 6, "rule": "fixed"}}
    settings = make_config(**tables, convert={"tune": True}, tuning={"reductions": 1, "repeats": 1, "limit": 2.5})
    labels = np.arange(len(IMAGES)) % 5
    tuned = spikeloom.compile(make_model(20, 12, 7, 5), make_images(50, 20), settings, (IMAGES, labels))
    plain = make_chip(**tables)
    assert tuned.tuned is not None and max(abs(factor - 1.0) for factor in tuned.tuned.factors) > 0.3
    with_it, without = (waterfall(chip, IMAGES, labels) for chip in (tuned, plain))
    assert [name for name, _ in with_it][4:] == ["quantised", "ADC", "tuned", "device variation", "read noise"]
    assert with_it[:6] == without[:6]  # all before it is of the untuned chip
    assert dict(with_it)["tuned"] == run_reference(ideal_cells(tuned.programmed), IMAGES).accuracy(labels)
    assert with_it[-1][1] == tuned.predict(IMAGES).accuracy(labels)
    loaded = waterfall(Chip(tuned.programmed, tuned.config), IMAGES, labels)
    assert [name for name, _ in loaded][:3] == ["quantised", "ADC", "device variation"]


def test_device_stages_add_up_to_the_device(chip):
    assert device_stages(chip.programmed.with_device(Device())) == []
    device = Device(device_sigma=0.1, program_sigma=0.2, stuck_on=0.01, read_sigma=0.05, adc_sigma=0.5, wire_ohm=1.0)
    stages = device_stages(chip.programmed.with_device(device))
    assert [name for name, _ in stages] == [
        *("device variation", "programming", "stuck cells", "read noise", "ADC noise", "IR drop")
    ]
    assert stages[0][1].device == Device(device_sigma=0.1) and stages[-1][1].device == device
    drifting = device.model_copy(update={"cell": "tantalum", "acceleration": 2.0})
    with_drift = device_stages(chip.programmed.with_device(drifting))
    assert [name for name, _ in with_drift] == [*(name for name, _ in stages), "drift"]
    assert with_drift[-1][1].device == drifting and not with_drift[-2][1].device.drifts


@pytest.mark.parametrize("fault_aware", [False, True])
def test_pulses_are_a_stage_before_stuck_cells_and_their_compensation(chip, fault_aware):
    device = Device(device_sigma=0.1, pulse_sigma=0.2, pulse_up=0.8, stuck_on=0.01, read_sigma=0.05)
    programming = Programming(method="write-verify", tries=9, fault_aware=fault_aware)
    programmed = replace(chip.programmed, device=device, programming=programming)
    stages = device_stages(programmed)
    names = ["programming", "stuck cells", *(["fault-aware mapping"] if fault_aware else []), "read noise"]
    assert [name for name, _ in stages] == names
    first, last = stages[0][1], stages[-1][1]
    assert first.device == device.model_copy(update={"stuck_on": 0.0, "read_sigma": 0.0})
    assert first.programming == programming.model_copy(update={"fault_aware": False})
    assert (last.device, last.programming) == (device, programming)
    ideal = ideal_cells(programmed)
    assert ideal.programming.method == "direct" and ideal.device == Device(pulse_up=0.8)


def test_cells_that_drift_are_held_until_the_last_stage(chip):
    """Pulses are those of tantalum cells from the stage "programming" on."""
    device = Device(**DRIFT, device_sigma=0.1, pulse_sigma=0.2, stuck_on=0.01, read_sigma=0.05, drift_every=3)
    programming = Programming(method="write-verify", fault_aware=True)
    programmed = replace(chip.programmed, device=device, programming=programming)
    stages = device_stages(programmed)
    names = ["programming", "stuck cells", "fault-aware mapping", "read noise", "drift"]
    assert [name for name, _ in stages] == names
    never = frozen(programmed).device.drift_every
    assert all(chip.device.cell == "tantalum" and chip.device.drift_every == never for _, chip in stages[:-1])
    assert stages[0][1].device.stuck_on == 0.0 and stages[-2][1].device == frozen(programmed).device
    assert (stages[-1][1].device, stages[-1][1].programming) == (device, programming)


def test_the_last_stage_is_the_chip_that_was_programmed():
    chip = make_chip(device=PULSED, programming={"method": "write-verify", "fault_aware": True}, decision={"t_max": 15})
    labels = chip.passes.folded.classes(IMAGES)
    stages = dict(waterfall(chip, IMAGES, labels))
    assert list(stages)[-4:] == ["programming", "stuck cells", "fault-aware mapping", "read noise"]
    assert stages["read noise"] == chip.predict(IMAGES).accuracy(labels)
    assert stages["stuck cells"] < stages["programming"] and stages["stuck cells"] < stages["fault-aware mapping"]


def test_a_wide_adc_never_saturates():
    programmed = make_chip(crossbar={"adc_bits": 2}).programmed
    narrow_shifts = [layer.gain_shift for layer in programmed.layers]
    wide = wide_adc(programmed)
    assert max(narrow_shifts) > 0 and all(layer.gain_shift == 0 for layer in wide.layers)
    assert {layer.adc_bits for layer in wide.parameters.layers} == {16}
