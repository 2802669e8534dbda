"""Hardware parameters and registers of a quantised network."""

import re
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES, built_rules
from spikeloom.hw.params.optional_parts import ALL_OPTIONAL
from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout, Reset
from spikeloom.sim.chip.device_config import Programming
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.passes.map import map_to_chip
from spikeloom.sw.passes.quantise import Levels
from tests.fixtures.models import make_config


def layer(name: str, rows: int, columns: int, theta: int = 20, bias: int = 5) -> Levels:
    ones = np.ones((rows, columns), np.uint8)
    return Levels(name, ones, ones * 0, np.full(columns, bias, np.int64), theta, 1 / theta)


LAYERS = (layer("a", 40, 20), layer("b", 20, 3, theta=64, bias=0))


def test_every_value_arrives():
    config = make_config(
        seed=9,
        coding={"input": "analog", "phases": 2},
        neuron={"reset": "zero", "output_reset": "none", "v0": 0.25, "leak": 3, "clip": 2.0},
        decision={"rule": "winner_k", "k": 0.5, "t_max": 10, "skip": 2, "readout": "membrane"},
        crossbar={"tile_rows": 16, "tile_columns": 8, "adc_bits": 5},
        hardware={
            "lanes": 8,
            "encoder_lanes": 100,
            "pulse_cycles": 7,
            "settle_cycles": 5,
            "adc_cycles": 6,
            "program_cycles": 33,
            "clock_Hz": 1e7,
        },
        device={"bits": 3},
        programming={"method": "write-verify", "tries": 12},
    )
    chip = map_to_chip(LAYERS, config, (2, 4))
    first, last = chip.parameters.layers
    assert (first.inputs, first.outputs, first.row_bits, first.row_tiles, first.column_tiles) == (40, 20, 8, 3, 3)
    assert (first.lanes, last.lanes, last.row_bits, chip.parameters.encoder_lanes) == (8, 3, 1, 40)
    assert (first.adc_bits, first.phases, first.max_steps, chip.parameters.pulse_cycles) == (5, 2, 10, 7)
    assert (first.max_theta, first.max_bias, first.max_gain_shift) == (31, 7, 3)
    assert (last.max_theta, last.max_bias, last.max_gain_shift) == (127, 0, 7)
    a, b = chip.layers
    assert (a.theta, a.v0, a.clip, a.leak, a.reset, a.gain_shift) == (20, 5, 80, 3, Reset.ZERO, 2)
    assert (b.theta, b.v0, b.clip, b.leak, b.reset, b.gain_shift) == (64, 16, 256, 3, Reset.NONE, 4)
    assert (chip.coding, chip.even_start, chip.seed) == (Coding.ANALOG, 127, 9)
    assert (chip.rule, chip.k, chip.t_max, chip.skip) == (DecisionRule.WINNER_K, 32, 10, 2)
    assert chip.readout == Readout.MEMBRANE and chip.device.bits == 3
    assert chip.programming == config.programming and chip.program_cycles == 33
    assert (chip.settle_cycles, chip.adc_cycles, chip.clock_Hz, chip.name) == (5, 6, 1e7, "tiny")


@pytest.mark.parametrize(
    ("readout", "phases", "theta", "register"),
    [
        ("spikes", 1, 1.0, 16),
        ("spikes", 4, 2.53, 40),
        ("spikes", 1, 0.001, 1),
        ("membrane", 1, 0.9, round(0.9 * 64 * 16)),  # tau is the threshold of the last layer
        ("membrane", 8, 0.9, round(0.9 * (64 << 8) * 16)),  # and with phases the sum of a spike in all, nearly
    ],
)
def test_theta_is_in_the_papers_unit(readout, phases, theta, register):
    config = make_config(
        coding={"input": "phase", "phases": phases},
        neuron={"output_reset": "none"},
        decision={"rule": "stable", "theta": theta, "t_max": 16, "readout": readout},
    )
    chip = map_to_chip(LAYERS, config)
    assert (chip.rule, chip.stable_theta) == (DecisionRule.STABLE, register)
    assert chip.parameters.rules == DECISION_RULES.unit
    other = map_to_chip(LAYERS, config.updated({"decision": {"rule": "fixed", "theta": 1.0}}))
    assert (other.stable_theta, other.parameters.rules) == (1, built_rules())
    whole = map_to_chip(LAYERS, config.updated({"hardware": {"decision_rules": "all"}}))
    assert whole.parameters == chip.parameters


def test_a_theta_that_no_register_holds_is_refused():
    config = make_config(
        coding={"input": "phase", "phases": 8},
        neuron={"output_reset": "none"},
        decision={"rule": "stable", "theta": 9000.0, "t_max": 64, "readout": "membrane"},
    )
    with pytest.raises(ConfigError, match=r"\[decision\] theta must be at most 8192 for this network, not 9000.0; low"):
        map_to_chip(LAYERS, config)


@pytest.mark.parametrize(
    ("neuron", "hidden", "last"),
    [
        ({}, (False, False, (Reset.SUBTRACT,)), (False, False, (Reset.SUBTRACT,))),
        ({"leak": 3}, (True, False, (Reset.SUBTRACT,)), (True, False, (Reset.SUBTRACT,))),
        ({"clip": 2.0}, (False, True, (Reset.SUBTRACT,)), (False, True, (Reset.SUBTRACT,))),
        ({"reset": "zero", "output_reset": "none"}, (False, False, (Reset.ZERO,)), (False, False, (Reset.NONE,))),
    ],
)
def test_neurons_have_what_the_network_uses(neuron, hidden, last):
    config = make_config(neuron=neuron)
    layers = map_to_chip(LAYERS, config).parameters.layers
    assert [(layer.leak, layer.clip, layer.resets) for layer in layers] == [hidden, last]
    with_all = config.updated({"hardware": {"neuron_features": "all"}})
    whole = map_to_chip(LAYERS, with_all).parameters.layers
    assert {(layer.leak, layer.clip, layer.resets) for layer in whole} == {(True, True, tuple(Reset))}


def test_encoders_have_the_coding_that_the_network_uses():
    config = make_config(coding={"input": "rate"})
    found = map_to_chip(LAYERS, config).parameters
    assert (found.codings, found.encoders) == ((Coding.RATE,), 2)
    whole = map_to_chip(LAYERS, config.updated({"hardware": {"input_codings": "all", "encoders": 1}})).parameters
    assert (whole.codings, whole.encoders) == (CODINGS.unit, 1)


@pytest.mark.parametrize("name", ALL_OPTIONAL)
def test_a_unit_is_built_without_what_the_configuration_leaves_out(name):
    assert getattr(map_to_chip(LAYERS, make_config()).parameters, name) is True
    lean = map_to_chip(LAYERS, make_config(hardware={name: False})).parameters
    assert all(getattr(layer, name) is False for layer in lean.layers)


def test_pulses_need_programmers():
    sentence = (
        r"\[programming\] method must be 'direct' with \[hardware\] programmer false, whose unit gives no pulses, not "
        r"'write-verify'; set method 'direct', or programmer true$"
    )
    with pytest.raises(ConfigError, match=sentence):
        make_config(hardware={"programmer": False}, programming={"method": "write-verify"})
    chip = map_to_chip(LAYERS, make_config(hardware={"programmer": False}))
    with pytest.raises(ValueError, match=r"^Programmed chip: programming method must be 'direct', not 'write-verify'"):
        replace(chip, programming=Programming(method="write-verify"))


def test_only_a_programmer_limits_row_tiles_times_lanes():
    wide = (layer("a", 5000, 64), layer("b", 64, 3))
    config = make_config(crossbar={"tile_rows": 1}, hardware={"lanes": 8})
    with pytest.raises(
        ConfigError, match=r"programmer holds at most 4096; .*, or set \[hardware\] programmer to false$"
    ):
        map_to_chip(wide, config)
    assert map_to_chip(wide, config.updated({"hardware": {"programmer": False}})).parameters.layers[0].row_tiles == 5000


def test_start_of_the_diffusion_and_a_fixed_end_arrive():
    chip = map_to_chip(LAYERS, make_config(coding={"even_start": 3}, decision={"rule": "fixed"}))
    assert (chip.coding, chip.even_start, chip.rule) == (Coding.EVEN, 3, DecisionRule.FIXED)


def test_k_counts_spikes_with_readout_spikes():
    assert map_to_chip(LAYERS, make_config(decision={"k": 3.0})).k == 3


def test_k_out_of_reach_is_refused():
    config = make_config(decision={"k": 1e9, "readout": "membrane"}, neuron={"output_reset": "none"})
    with pytest.raises(ConfigError, match=r"^tiny: \[decision\] k must be at most .*, not 1000000000.0; lower k$"):
        map_to_chip(LAYERS, config)


def test_membranes_too_wide_are_refused():
    config = make_config(decision={"t_max": 32767}, coding={"input": "rate", "phases": 16})
    with pytest.raises(ConfigError, match=r"^tiny: membranes of layer 'a' would need 61 bits, and at most 48"):
        map_to_chip((layer("a", 5000, 4, theta=32767),), config, (15,))


def test_a_layer_beyond_the_bias_addresses_is_refused():
    with pytest.raises(ConfigError, match=re.escape("layer 'wide' has 32769 neurons, and at most 32768 fit")):
        map_to_chip((layer("wide", 1, 32769),), make_config())


def test_values_beyond_the_registers_are_refused():
    with pytest.raises(ConfigError, match=r"^tiny: layer 'a' needs a bias or clip of 4294967296 conductance"):
        map_to_chip((layer("a", 5, 4, bias=-(2**32)),), make_config())


def test_more_pairs_than_a_programmer_holds_are_refused():
    config = make_config(crossbar={"tile_rows": 1}, hardware={"lanes": 4})
    map_to_chip((layer("a", 1024, 8),), config)
    sentence = (
        "layer 'a' has 1025 row tiles of 4 lanes, 4100 cell pairs per column group, and its programmer holds at most"
    )
    with pytest.raises(ConfigError, match=f"^tiny: {re.escape(sentence)} 4096; raise"):
        map_to_chip((layer("a", 1025, 8),), config)
