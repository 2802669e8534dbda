"""The float simulation with integer weights is the reference with ideal cells and wide converters."""

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.waterfall import wide_adc
from spikeloom.sw.passes.calibrate import row_codes
from spikeloom.sw.passes.float_snn import spiking_network
from tests.fixtures.models import make_chip, make_images

IMAGES = make_images(64, 20, seed=6)
CASES = {
    "even": {},
    "rate, zero": {"coding": {"input": "rate"}, "neuron": {"reset": "zero"}},
    "phase, skip": {"coding": {"input": "phase", "phases": 4}, "decision": {"t_max": 20, "k": 6, "skip": 1}},
    "leak and clip": {"neuron": {"leak": 2, "clip": 1.0}, "coding": {"input": "rate", "phases": 2}},
    "membrane": {"neuron": {"output_reset": "none", "reset": "none"}, "decision": {"readout": "membrane", "k": 0.6}},
    "fixed": {"decision": {"rule": "fixed", "t_max": 5}},
}


@pytest.mark.parametrize("tables", CASES.values(), ids=CASES)
def test_integers_agree_with_the_reference(tables):
    programmed = wide_adc(make_chip(**tables).programmed)
    expected = run_reference(programmed, IMAGES)
    found = spiking_network(programmed).run(len(IMAGES), row_codes(programmed, IMAGES))
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_array_equal(found.steps, expected.steps)
    assert len(np.unique(expected.classes)) > 1


@pytest.mark.parametrize("leaks", [(3, 1, 0), (0, 2, 4)])
def test_every_layer_leaks_on_its_own(leaks):
    """The registers hold one leak per layer, though a configuration has one for all."""
    programmed = wide_adc(
        make_chip(20, 16, 12, 5, decision={"t_max": 16, "k": 4}, hardware={"neuron_features": "all"}).programmed
    )
    layers = tuple(replace(layer, leak=leak) for layer, leak in zip(programmed.layers, leaks, strict=True))
    programmed, plain = replace(programmed, layers=layers), programmed
    expected, others = run_reference(programmed, IMAGES), run_reference(plain, IMAGES)
    assert (expected.classes != others.classes).any()
    found = spiking_network(programmed).run(len(IMAGES), row_codes(programmed, IMAGES))
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_array_equal(found.steps, expected.steps)


@pytest.mark.parametrize(
    ("readout", "theta", "phases"), [("spikes", 5.0, 1), ("membrane", 1.5, 1), ("membrane", 0.4, 4)]
)
def test_a_stable_class_ends_both_at_once(readout, theta, phases):
    """With the chip's integers to the step; the normalised network in real numbers nearly so."""
    chip = make_chip(
        coding={"input": "phase" if phases > 1 else "even", "phases": phases},
        decision={"rule": "stable", "theta": theta, "t_max": 20, "readout": readout},
        neuron={"output_reset": "none"} if readout == "membrane" else {},
    )
    programmed = wide_adc(chip.programmed)
    expected = run_reference(programmed, IMAGES)
    assert (expected.reasons == 1).mean() > 0.5 and len(set(expected.steps.tolist())) > 2
    codes = row_codes(programmed, IMAGES)
    found = spiking_network(programmed).run(len(IMAGES), codes)
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_array_equal(found.steps, expected.steps)
    assert chip.passes is not None
    real = spiking_network(programmed, chip.passes.normalised).run(len(IMAGES), codes)
    assert abs(real.steps.mean() - expected.steps.mean()) < 1.5


def test_many_steps_of_the_float_network_approach_the_ann():
    chip = make_chip(
        coding={"input": "analog"},
        decision={"rule": "fixed", "t_max": 300, "readout": "membrane"},
        neuron={"output_reset": "none"},
    )
    assert chip.passes is not None
    network = chip.passes.normalised
    found = spiking_network(chip.programmed, network).run(len(IMAGES), row_codes(chip.programmed, IMAGES))
    assert np.mean(found.classes == network.classes(IMAGES)) >= 0.95
    assert set(found.steps) == {300}


def test_a_single_class_stops_at_its_own_count():
    programmed = wide_adc(make_chip(20, 8, 1).programmed)
    expected = run_reference(programmed, IMAGES)
    found = spiking_network(programmed).run(len(IMAGES), row_codes(programmed, IMAGES))
    np.testing.assert_array_equal(found.steps, expected.steps)


@pytest.mark.parametrize("real", [False, True], ids=["whole", "real"])
@pytest.mark.parametrize("coding", ["even", "rate", "analog"])
def test_images_in_parts_give_what_they_give_together(coding, real):
    chip = make_chip(coding={"input": coding})
    assert chip.passes is not None
    network = spiking_network(chip.programmed, chip.passes.normalised if real else None)
    together = network.run(len(IMAGES), row_codes(chip.programmed, IMAGES))
    for first, last in ((0, 1), (1, 8), (8, 20)):
        part = network.run(last - first, row_codes(chip.programmed, IMAGES[first:last], first))
        np.testing.assert_array_equal(part.classes, together.classes[first:last])
        np.testing.assert_array_equal(part.steps, together.steps[first:last])


def test_membranes_that_single_precision_does_not_hold():
    """A chip of so many rows and phases that its sums pass 2^24 is computed in double precision."""
    chip = make_chip(4000, 3, 2, coding={"input": "phase", "phases": 8}, decision={"rule": "fixed", "t_max": 80})
    programmed = wide_adc(chip.programmed)
    assert max(shape.membrane_bits for shape in programmed.parameters.layers) > 25
    network = spiking_network(programmed)
    assert network.layers[0].dtype is np.float64
    images = make_images(10, 4000, seed=2)
    expected = run_reference(programmed, images)
    found = network.run(len(images), row_codes(programmed, images))
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_array_equal(found.steps, expected.steps)
