"""The float simulation with integer weights is the reference with ideal cells and wide converters."""

import numpy as np
import pytest

from sim.reference import run_reference
from sw.float_snn import spiking_network
from sw.passes.calibrate import row_codes
from sw.waterfall import wide_adc
from tests.sw.models import make_chip, make_images

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
    image = wide_adc(make_chip(**tables).image)
    expected = run_reference(image, IMAGES)
    found = spiking_network(image).run(len(IMAGES), row_codes(image, IMAGES))
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_array_equal(found.steps, expected.steps)
    assert len(np.unique(expected.classes)) > 1


def test_many_steps_of_the_float_network_approach_the_ann():
    chip = make_chip(
        coding={"input": "analog"},
        decision={"rule": "fixed", "t_max": 300, "readout": "membrane"},
        neuron={"output_reset": "none"},
    )
    assert chip.stages is not None
    network = chip.stages.normalised
    found = spiking_network(chip.image, network).run(len(IMAGES), row_codes(chip.image, IMAGES))
    assert np.mean(found.classes == network.classes(IMAGES)) >= 0.95
    assert set(found.steps) == {300}


def test_a_single_class_stops_at_its_own_count():
    image = wide_adc(make_chip(20, 8, 1).image)
    expected = run_reference(image, IMAGES)
    found = spiking_network(image).run(len(IMAGES), row_codes(image, IMAGES))
    np.testing.assert_array_equal(found.steps, expected.steps)
