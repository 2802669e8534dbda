"""`Config`: presets, files, and one clear sentence per mistake."""

import re
import warnings

import numpy as np
import pytest
from pydantic import ValidationError

from spikeloom.sim.chip.device_config import Device
from spikeloom.sw.common.errors import ConfigError, SpikeLoomWarning
from spikeloom.sw.config.config import PRESETS, Config

TANTALUM = {"cell": "tantalum", "g_min_S": 1e-4, "g_max_S": 0.025}
BAD = [
    ({"decision": {"t_max": 0}}, "[decision] t_max must be at least 1, not 0"),
    ({"decision": {"k": 0}}, "[decision] k must be above 0.0, not 0"),
    (
        {"hardware": {"pulse_cycles": 5, "settle_cycles": 9}},
        "[hardware] pulse_cycles 5 does nothing below settle_cycles 9, which rows are driven for then; leave "
        "pulse_cycles out, or set it to 9 or more",
    ),
    (
        {"hardware": {"settle_cycles": 3}},
        "[hardware] settle_cycles 3 does nothing below pulse_cycles 4, which rows are driven for anyhow; leave "
        "settle_cycles out, or set it to 4 or more",
    ),
    (
        {"device": {"t_pulse_s": 1e-7}},
        "[device] t_pulse_s is no longer a setting; a read pulse lasts as long as the hardware drives the rows",
    ),
    ({"decision": {"k": 1.5}}, "[decision] k must be a whole number of spikes with readout 'spikes', not 1.5"),
    ({"decision": {"k": 21}}, "[decision] k must be at most t_max * 2^(phases - 1) = 20 spikes"),
    ({"decision": {"readout": "membrane"}}, "[neuron] output_reset must be 'none' with [decision] readout 'membrane'"),
    ({"decision": {"readout": "volts"}}, "[decision] readout must be 'spikes' or 'membrane', not 'volts'"),
    (
        {"decision": {"skip": 5}, "coding": {"phases": 4}},
        "[decision] t_max must be above skip * phases (5 * 4 = 20), or the output layer never runs, not 20",
    ),
    ({"decision": {"t_max": 2.5}}, "[decision] t_max must be a whole number, not 2.5"),
    ({"decision": {"t_max": "20"}}, "[decision] t_max must be a whole number, not '20'"),
    ({"decision": {"t_max": True}}, "[decision] t_max must be a whole number, not True"),
    (
        {"decision": {"treshold": 3}},
        "Unknown key 'treshold' in [decision]; valid are rule, k, theta, t_max, skip, readout, strategy, allowed_loss",
    ),
    ({"convert": {"percentil": 99}}, "Unknown key 'percentil' in [convert]; did you mean 'percentile'?"),
    ({"device": {"read_sigm": 0.1}}, "Unknown key 'read_sigm' in [device]; did you mean 'read_sigma'?"),
    ({"presets": "digits"}, "Unknown key 'presets'; did you mean 'preset'?"),
    (
        {"zzz": 1},
        "Unknown key 'zzz'; valid are name, seed, data, train, nir, convert, tuning, coding, neuron, decision, "
        "learning, crossbar, device, programming, energy, hardware, cosim, lifetime, board, preset",
    ),
    ({"descision": {}}, "Unknown key 'descision'; did you mean 'decision'?"),
    ({"convert": {"percentile": 0.0}}, "[convert] percentile must be above 0.0, not 0.0"),
    (
        {"convert": {"percentile": 99.9}},
        "[convert] percentile must be at most 1, a fraction, not 99.9; 99.9 % is 0.999",
    ),
    (
        {"convert": {"percentile": 101}},
        "[convert] percentile must be at most 1, a fraction, not 101; 99.9 % is 0.999",
    ),
    (
        {"convert": {"normalisation": "max", "percentile": 0.99}},
        "[convert] percentile must be 0.999 with normalisation 'max', which does not use it, not 0.99; set",
    ),
    ({"convert": {"percentile": 0.9}}, "[convert] percentile must be 0.999 with normalisation 'auto', which does not"),
    (
        {"convert": {"adc_quantile": 1.5}},
        "[convert] adc_quantile must be 'auto' or a number above 0 and at most 1, not",
    ),
    (
        {"convert": {"adc_quantile": 99.9}},
        "[convert] adc_quantile must be 'auto' or a number above 0 and at most 1, not 99.9; 99.9 % is 0.999",
    ),
    ({"convert": {"adc_quantile": "min"}}, "[convert] adc_quantile must be 'auto' or a number above 0 and at most 1"),
    ({"convert": {"adc_quantile": True}}, "[convert] adc_quantile must be 'auto' or a number above 0 and at most 1"),
    ({"convert": {"percentile": float("nan")}}, "[convert] percentile must be a finite number, not nan"),
    ({"coding": {"phases": 0}}, "[coding] phases must be at least 1, not 0"),
    ({"coding": {"input": "morse"}}, "[coding] input must be 'phase', 'rate', 'even' or 'analog', not 'morse'"),
    ({"coding": {"even_start": 255}}, "[coding] even_start must be at most 254, not 255"),
    ({"neuron": {"clip": 0.5}}, "[neuron] clip must be 0 (off) or at least 1 threshold, or no neuron fires, not 0.5"),
    ({"neuron": {"leak": 16}}, "[neuron] leak must be at most 15, not 16"),
    ({"train": {"hidden": [10, 0]}}, "[train] hidden.1 must be at least 1, not 0"),
    ({"train": {"activation": "relu"}}, "[train] activation_levels must be 0 with activation 'relu'"),
    (
        {"train": {"augment": "crop"}},
        "[train] augment must be 'none' for the 8 x 8 images of data set 'digits', not 'crop'",
    ),
    ({"train": {"augment": "yes"}}, "[train] augment must be 'none', 'affine', 'crop' or 'crop-flip', not 'yes'"),
    ({"device": {"g_min_S": 1.0}}, "[device] g_max_S (1e-05) must be above g_min_S (1.0)"),
    ({"device": {"bits": 7}}, "[device] bits must be at most 6, not 7"),
    (
        {"cosim": {"images": 3, "trace_images": 4}},
        "[cosim] trace_images must be at most images (3), not 4; lower trace_images, leave it out, or raise images",
    ),
    ({"device": {1: 2}}, "[device] a key must be a text, not 1"),
    ({"cosim": {"trace_images": -1}}, "[cosim] trace_images must be 'auto' or a whole number of at least 0, not -1"),
    ({"cosim": {"trace_images": "all"}}, "[cosim] trace_images must be 'auto' or a whole number of at least 0, not 'a"),
    ({"crossbar": {"adc_bits": 17}}, "[crossbar] adc_bits must be at most 16, not 17"),
    ({"seed": -1}, "seed must be at least 0, not -1"),
    (
        {"name": "a/b"},
        "name must be made of letters, digits, '.', '_' and '-', with a letter or digit first, not 'a/b'",
    ),
    ({"name": ".."}, "name must be made of letters, digits, '.', '_' and '-', with a letter or digit first, not '..'"),
    ({"name": "../x"}, "name must be made of letters"),
    ({"name": "-x"}, "name must be made of letters"),
    ({"name": "a\n"}, "name must be made of letters"),
    ({"name": "a\\b"}, "name must be made of letters"),
    ({"name": ""}, "name must be at least 1 letter long, not ''"),
    ({"name": "x" * 65}, "name must be at most 64 letters long"),
    ({"data": 3}, "data must be a table, not 3"),
    ({"seed": True}, "seed must be a whole number, not True"),
    ({"seed": 2**32}, "seed must be at most 4294967295, not 4294967296"),
    ({3: 4}, "a key must be a text, not 3"),
    ({"t_max": 3}, "Unknown key 't_max'; it belongs to [decision]"),
    ({"coding": {"t_max": 3}}, "Unknown key 't_max' in [coding]; it belongs to [decision]"),
    ({"coding": {"seed": 3}}, "Unknown key 'seed' in [coding]; it belongs to the top of the file, before the first"),
    ({"Decision": {}}, "Unknown key 'Decision'; did you mean 'decision'?"),
    (
        {"decision": {"rule": "winner-k"}},
        "[decision] rule must be 'fixed', 'winner_k' or 'stable', not 'winner-k'; did you mean ",
    ),
    (
        {"neuron": {"reset": "Zero"}},
        "[neuron] reset must be 'subtract', 'zero' or 'none', not 'Zero'; did you mean 'zero'?",
    ),
    (
        {"data": {"set": "mnits"}},
        "[data] set must be 'digits', 'mnist', 'fashion-mnist', 'svhn', 'cifar-10' or 'cifar-100', not 'mnits'; did ",
    ),
    ({"cosim": {"simulator": "vcs"}}, "[cosim] simulator must be 'verilator' or 'icarus', not 'vcs'"),
    ({"decision": {"k": -1}}, "[decision] k must be above 0.0, not -1"),
    ({"decision": {"k": float("nan")}}, "[decision] k must be a finite number, not nan"),
    ({"decision": {"skip": -1}}, "[decision] skip must be at least 0, not -1"),
    ({"decision": {"skip": 20}}, "[decision] t_max must be above skip * phases (20 * 1 = 20)"),
    ({"decision": {"t_max": 10**9}}, "[decision] t_max must be at most 32767, not 1000000000"),
    ({"crossbar": {"tile_rows": 0}}, "[crossbar] tile_rows must be at least 1, not 0"),
    ({"crossbar": {"tile_columns": -4}}, "[crossbar] tile_columns must be at least 1, not -4"),
    ({"crossbar": {"tile_rows": 10**9}}, "[crossbar] tile_rows must be at most 65536, not 1000000000"),
    ({"hardware": {"lanes": 0}}, "[hardware] lanes must be at least 1, not 0"),
    ({"hardware": {"encoder_lanes": -1}}, "[hardware] encoder_lanes must be at least 1, not -1"),
    ({"hardware": {"clock_Hz": 0}}, "[hardware] clock_Hz must be above 0.0, not 0"),
    ({"train": {"hidden": [10**12]}}, "[train] hidden.0 must be at most 32768, not 1000000000000"),
    ({"train": {"hidden": "100"}}, "[train] hidden must be a list, not '100'"),
    ({"train": {"hidden": [1.5]}}, "[train] hidden.0 must be a whole number, not 1.5"),
    ({"device": {"bits": "4"}}, "[device] bits must be a whole number, not '4'"),
    ({"device": {"bits": True}}, "[device] bits must be a whole number, not True"),
    ({"device": {"device_sigma": 5}}, "[device] device_sigma must be at most 1.0, not 5: 0.05 is 5 %"),
    (
        {"device": {"stuck_off": 100}},
        "[device] stuck_off must be at most 1.0, not 100: it is a fraction, 0.05 is 5 %",
    ),
    ({"device": {"stuck_on": 0.6, "stuck_off": 0.6}}, "[device] stuck_on + stuck_off must be at most 1, not 1.2"),
    (
        {"energy": {"adc_J_per_conversion": "1"}},
        "[energy] adc_J_per_conversion must be a number of at least 0, or a list [low, typical, high] of such numbers "
        "in rising order, not '1'",
    ),
    (
        {"energy": {"memory_J_per_bit": [2e-13, 1e-13, 3e-13]}},
        "[energy] memory_J_per_bit must be a number of at least 0, or a list",
    ),
    (
        {"energy": {"control_J_per_cycle": 1e-12}},
        "[energy] control_J_per_cycle is no longer a setting; clocked flip-flops are counted: set flip",
    ),
    ({"decision": {"k": {"a": list(range(99))}}}, "[decision] k must be a number, not {'a': [0, 1, 2"),
    ({"programming": {"method": "pulse"}}, "[programming] method must be 'direct' or 'write-verify', not 'pulse'"),
    ({"programming": {"tries": 0}}, "[programming] tries must be at least 1, not 0"),
    ({"programming": {"tries": 256}}, "[programming] tries must be at most 255, not 256"),
    ({"programming": {"tolerance": -0.125}}, "[programming] tolerance must be at least 0.0, not -0.125"),
    ({"programming": {"tolerance": 32.0}}, "[programming] tolerance must be at most 31.875, not 32.0"),
    ({"programming": {"amplitude_min": 0.0}}, "[programming] amplitude_min must be at least 0.125, not 0.0"),
    (
        {"programming": {"amplitude_min": 2.0}},
        "[programming] amplitude_min (2.0) must be at most amplitude_max (1.0)",
    ),
    (
        {"programming": {"tolerance": 0.3}},
        "[programming] tolerance must be a whole number of eighths of a level, as the registers hold it (the nearest "
        "is 0.25), not 0.3",
    ),
    (
        {"programming": {"amplitude_max": 1.2}},
        "[programming] amplitude_max must be a whole number of eighths of a level, as the registers hold it (the "
        "nearest is 1.25), not 1.2",
    ),
    ({"programming": {"amplitude_min": 0.2}}, "[programming] amplitude_min must be a whole number of eighths"),
    (
        {"device": {"acceleration": 2.0}},
        "[device] acceleration must be 1.0 with cell 'linear', which does not drift, not 2.0",
    ),
    (
        {"device": {**TANTALUM, "pulse_up": 0.9}, "programming": {"method": "write-verify"}},
        "[device] pulse_up must be 1.0 with cell 'tantalum', whose equations say how far a pulse goes, not 0.9",
    ),
    (
        {"device": {**TANTALUM, "pulse_down": 2.0}, "programming": {"method": "write-verify"}},
        "[device] pulse_down must be 1.0 with cell 'tantalum', whose equations say how far a pulse goes, not 2.0",
    ),
    (
        {"device": {**TANTALUM, "soft_bounds": 0.1}, "programming": {"method": "write-verify"}},
        "[device] soft_bounds must be 0.0 with cell 'tantalum', whose equations say how far a pulse goes, not 0.1",
    ),
    (
        {"device": TANTALUM, "coding": {"input": "analog"}},
        "[coding] input must not be 'analog' with [device] cell 'tantalum': there is no drift model of analog rows; "
        "set input 'phase', 'rate' or 'even', or [device] cell 'linear'",
    ),
    (
        {"device": {"cell": "tantalum"}},
        "[device] g_min_S (1e-06) and g_max_S (1e-05) must lie between 5.89085e-05 and 0.025, what a tantalum cell "
        "reaches at v_read_V 0.2",
    ),
    (
        {"decision": {"strategy": "learned", "rule": "fixed"}},
        "[decision] rule must be 'winner_k' with strategy 'learned', which learns its k, not 'fixed'",
    ),
    (
        {"decision": {"strategy": "learned", "k": 3}},
        "[decision] k must be 2.0 with strategy 'learned', which finds k itself, not 3.0",
    ),
    (
        {"decision": {"strategy": "learnt"}},
        "[decision] strategy must be 'given', 'learned' or 'allowed_loss', not 'learnt'",
    ),
    (
        {"learning": {"rate": 0.2}},
        "[learning] rate must be 0.1 with [decision] strategy 'given', which learns nothing, not 0.2",
    ),
    (
        {"tuning": {"accuracy_drop": 0.01}, "decision": {"strategy": "learned"}},
        "[tuning] accuracy_drop must be 1.0 with [convert] tune false, which tunes nothing, not 0.01",
    ),
    (
        {"tuning": {"relearn": True}, "convert": {"tune": True}},
        "[tuning] relearn must be false with [decision] strategy 'given', which learns nothing",
    ),
    (
        {"learning": {"reward_correct": -50}, "decision": {"strategy": "learned"}},
        "[learning] reward_correct must be above reward_wrong (-50.0), not -50.0",
    ),
    (
        {"learning": {"epsilon": 0.2}, "decision": {"strategy": "learned"}},
        "[learning] epsilon_min must be at most epsilon (0.2), not 0.4",
    ),
    ({"learning": {"discount": 0}}, "[learning] discount must be above 0.0, not 0"),
    ({"learning": {"reward_step": 1}}, "[learning] reward_step must be at most 0.0, not 1"),
    ({"learning": {"reward_wrong": float("inf")}}, "[learning] reward_wrong must be a finite number, not inf"),
    ({"tuning": {"limit": 1}}, "[tuning] limit must be above 1.0, not 1"),
    ({"data": {"validation_images": -1}}, "[data] validation_images must be at least 0, not -1"),
    (
        {"programming": {"fault_aware": True}},
        "[programming] fault_aware must be false with method 'direct', which finds no failed cells",
    ),
    (
        {"programming": {"method": "write-verify"}, "device": {"program_sigma": 0.01}},
        "[device] program_sigma must be 0.0 with [programming] method 'write-verify', whose pulses leave an error of "
        "their own, not 0.01",
    ),
    (
        {"device": {"pulse_sigma": 0.1}},
        "[device] pulse_sigma must be 0.0 with [programming] method 'direct', which gives no pulses, not 0.1",
    ),
    ({"device": {"pulse_up": 0.9}}, "[device] pulse_up must be 1.0 with [programming] method 'direct'"),
    ({"device": {"pulse_down": 0.9}}, "[device] pulse_down must be 1.0 with [programming] method 'direct'"),
    ({"device": {"soft_bounds": 0.5}}, "[device] soft_bounds must be 0.0 with [programming] method 'direct'"),
    ({"device": {"v_program_V": 1.5}}, "[device] v_program_V must be 1.0 with [programming] method 'direct'"),
    ({"device": {"pulse_up": 0.0}}, "[device] pulse_up must be above 0.0, not 0.0"),
    ({"hardware": {"program_cycles": 0}}, "[hardware] program_cycles must be at least 1, not 0"),
    ({"hardware": {"program_cycles": 65536}}, "[hardware] program_cycles must be at most 65535, not 65536"),
    *(
        (
            {"crossbar": {"replicas": given}},
            "[crossbar] replicas must be a whole number of at least 1, or a list of such numbers, one per layer, not "
            + repr(given),
        )
        for given in (0, -1, 2.0, True, "2", [], [2, 0], [1, True], None, {"conv": 2})
    ),
    ({"cosim": {"through_bus": 1}}, "[cosim] through_bus must be true or false, not 1"),
]


@pytest.mark.filterwarnings("ignore:.*usual values are")  # some are slips in themselves
@pytest.mark.parametrize(("values", "sentence"), BAD, ids=[sentence[:40] for _, sentence in BAD])
def test_a_mistake_is_one_sentence(values, sentence):
    with pytest.raises(ConfigError, match="^configuration: " + re.escape(sentence)):
        Config.load(values)


def test_all_mistakes_are_reported_together():
    with pytest.raises(ConfigError) as error:
        Config.load({"decision": {"t_max": 0, "k": 0}, "devise": {}})
    assert len(error.value.problems) == 3


def test_presets_load_and_are_named_after_their_file():
    assert PRESETS == ("digits", "mnist", *(f"net{n}" for n in range(1, 8)), "phase", "programming", "tiny")
    for name in PRESETS:
        assert Config.load(name).name == name


def test_a_file_is_named_in_its_errors(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("[decision]\nt_max = 0\n")
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: "):
        Config.load(path)
    path.write_text("[decision\n")
    with pytest.raises(ConfigError, match="not a TOML file"):
        Config.load(path)
    path.write_text("seed = 7\n")
    assert Config.load(str(path)).seed == 7


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"[decision\nk = 1",
            r"not a TOML file: Expected '\]' at the end of a table declaration \(at line 1, column 10\)",
        ),
        (b"seed = 1\nseed = 2", r"not a TOML file: Cannot overwrite a value \(at"),
        (b"\xff\xfe", "not a TOML file: byte 0 is not UTF-8 text"),
        (b"a = " + b"[" * 100_000, "not a TOML file: its values are nested too deep"),
    ],
)
def test_what_is_not_toml_is_named_with_its_place(tmp_path, content, sentence):
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: {sentence}"):
        Config.load(path)


@pytest.mark.parametrize("content", ["", "# seed = 3\n", "[device]\n[decision]\n"])
def test_a_file_that_sets_nothing_is_told_of_with_what_it_means(tmp_path, content):
    path = tmp_path / "run.toml"
    path.write_text(content)
    sentence = (
        f"'{path}' sets nothing, so that every value is the default one: a run is of data set 'digits' and a network "
        "with hidden layers of 128 and 64 neurons; set something in it, or name a preset (digits, mnist, "
    )
    with pytest.warns(SpikeLoomWarning, match=f"^{re.escape(sentence)}") as seen:
        assert Config.load(path) == Config()
    assert len(seen) == 1 and seen[0].filename == __file__
    for something in ("seed = 0\n", 'preset = "tiny"\n', "[device]\nbits = 4\n"):
        path.write_text(something)
        Config.load(path)
    Config.load({})


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match=r"^The configuration must be a path that is not empty"):
        Config.load(path)


def test_a_weight_image_is_not_a_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"^mine.loom: a weight image cannot stand in a configuration's place"):
        Config.load("mine.loom")
    (tmp_path / "mine.loom").write_bytes(b"\xff\x00")
    with pytest.raises(ConfigError, match=r"mine.loom: a weight image cannot stand in a configuration's place"):
        Config.load(tmp_path / "mine.loom")


def test_a_missing_file_names_the_nearest_preset():
    with pytest.raises(ConfigError, match=r"did you mean the preset 'tiny'\?$"):
        Config.load("TINY")
    with pytest.raises(ConfigError, match=r"^digit: there is no such file.*did you mean the preset 'digits'\?$"):
        Config.load("digit")


def test_a_folder_is_not_a_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read: it is a folder$"):
        Config.load(tmp_path)


def test_other_types_are_refused():
    with pytest.raises(TypeError, match=r"^A configuration must be a preset's name, .* not int$"):
        Config.load(3)  # type: ignore[arg-type]


def test_a_configuration_is_frozen():
    config = Config.load("tiny")
    assert Config.load(config) is config
    with pytest.raises(ValidationError):
        config.seed = 3  # type: ignore[misc]


def test_write_verify_takes_every_pulse_field():
    device = {"pulse_sigma": 0.1, "pulse_up": 0.9, "pulse_down": 1.1, "soft_bounds": 0.5, "v_program_V": 1.5}
    values = {
        "method": "write-verify",
        "fault_aware": True,
        "tolerance": 0.375,
        "amplitude_min": 0.5,
        "amplitude_max": 2.0,
    }
    config = Config.load({"device": device, "programming": values, "cosim": {"through_bus": True}})
    assert config.programming.tolerance_code == 3 and config.programming.amplitude_codes == (4, 16)


def test_tantalum_cells_are_programmed_by_pulses():
    device = {**TANTALUM, "pulse_sigma": 0.1, "device_sigma": 0.1, "v_program_V": 1.2}
    config = Config.load({"device": device, "programming": {"method": "write-verify", "amplitude_max": 15.0}})
    assert config.device.drifts and config.programming.amplitude_codes == (2, 120)


@pytest.mark.parametrize(
    ("values", "end"),
    [
        ({"decision": {"k": 1.5}}, "; round it, or set readout 'membrane', with which k is in thresholds"),
        ({"decision": {"k": 21}}, "; lower k or raise t_max"),
        ({"decision": {"skip": 20}}, "; raise t_max or lower skip"),
        ({"decision": {"readout": "membrane"}}, "; or set [decision] readout 'spikes'"),
        ({"decision": {"strategy": "learned", "rule": "fixed"}}, "; or set strategy 'given'"),
        ({"decision": {"rule": "fixed", "k": 3}}, "; leave k out or set rule 'winner_k'"),
        ({"train": {"activation": "relu"}}, "; or set activation 'clipped'"),
        ({"train": {"augment": "affine"}}, "; or choose another [data] set"),
        ({"train": {"pooling": "average"}}, "; leave it out or set network to layers such as '12c5-2s-10'"),
        ({"train": {"network": "10", "pooling": "average"}}, "; leave pooling out or give the network some"),
        ({"train": {"network": "10", "hidden": [3]}}, "; leave hidden out or set network 'mlp'"),
        ({"train": {"hidden": [], "dropout": 0.1}}, "; leave dropout out or add a hidden layer"),
        ({"train": {"hidden": [], "activation_levels": 3}}, "; leave activation_levels out or add a hidden layer"),
        ({"train": {"network": "2c3-10", "exact_sums": True}}, "; leave exact_sums out"),
        ({"nir": {"file": "a.nir"}, "train": {"epochs": 3}}, "; leave epochs or [nir] file out"),
        ({"cosim": {"images": 3, "trace_images": 4}}, "; lower trace_images, leave it out, or raise images"),
        ({"lifetime": {"measure": True}}, "; or set [device] cell 'tantalum'"),
        (
            {"device": TANTALUM, "lifetime": {"measure": True, "programmings": 2}},
            "; leave programmings out, or set [device] program_sigma above 0 (and [programming] method 'direct')",
        ),
        (
            {"decision": {"strategy": "learned"}, "learning": {"epsilon": 0.4, "epsilon_factor": 0.5}},
            "; leave epsilon_factor out or lower epsilon_min",
        ),
        (
            {"decision": {"strategy": "learned"}, "learning": {"epsilon_factor": 1.0, "epsilon_min": 0.5}},
            "; leave epsilon_min out or lower epsilon_factor",
        ),
    ],
    ids=lambda value: value[2:30] if isinstance(value, str) else "",
)
def test_a_refusal_ends_with_what_to_do(values, end):
    with pytest.raises(ConfigError, match=f"{re.escape(end)}$"):
        Config.load(values)


def test_a_slip_is_said_once_a_configuration():
    with pytest.warns(SpikeLoomWarning) as said:
        config = Config.load({"device": {"stuck_on": 0.8}})
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Config.load(config)
        assert config.updated({"seed": 3}).seed == 3
        Config.load(config.model_copy(update={"seed": 4}))
    with pytest.warns(SpikeLoomWarning, match="stuck_off") as said:  # what is new is said, and that alone
        config.updated({"device": {"stuck_on": 0.1, "stuck_off": 0.6}})
    assert len(said) == 1
    device = config.device.model_copy(update={"stuck_on": 0.9})  # which checks nothing
    with pytest.warns(SpikeLoomWarning, match="stuck_on is 0.9") as said:
        Config.load(config.model_copy(update={"device": device}))
    assert len(said) == 1
    with pytest.warns(SpikeLoomWarning, match="stuck_on is 0.8") as said:
        Config.recorded({"device": {"stuck_on": 0.8}, "learning": {"rate": 0.2}}, "a file")
    assert len(said) == 1


@pytest.mark.parametrize(
    ("keywords", "written"), [({"device": {"bits": 3}}, '{"device": {...}}'), ({"seed": 3}, '{"seed": ...}')]
)
def test_updated_says_how_its_changes_are_written(keywords, written):
    with pytest.raises(TypeError, match=f"^{re.escape(f'changes must be given as a dictionary, updated({written})')}"):
        Config.load("tiny").updated(**keywords)
    with pytest.raises(TypeError, match=r"^changes must be a dictionary such as"):
        Config.load("tiny").updated()


@pytest.mark.parametrize("images", [1, 3, 4, 9, 0])
def test_traced_images_follow_the_images(images):
    """Only a number that is given is checked against them; the default is 4, and all where there are fewer."""
    for config in (
        Config.load({"cosim": {"images": images}}),
        Config.load("tiny").updated({"cosim": {"images": images}}),
    ):
        assert config.cosim.trace_images == "auto" and config.cosim.traced == 4
        assert Config.load(config.model_dump(mode="json")) == config
    assert Config.load({"cosim": {"images": images, "trace_images": 1}}).cosim.traced == 1


def test_numbers_of_numpy_are_numbers():
    tables = {
        "seed": np.uint32(7),
        "decision": {"t_max": np.int64(20), "k": np.float32(3.0)},
        "device": {"bits": np.int16(3), "device_sigma": np.float64(0.05)},
        "train": {"hidden": np.array([20, 10]), "dropout": np.float64(0.1), "batch_norm": np.bool_(False)},
        "convert": {"percentile": np.float64(0.9), "normalisation": "percentile", "adc_quantile": np.float64(0.5)},
        "crossbar": {"replicas": [np.int64(1), np.int64(1), np.int64(1)]},
        "energy": {"sample_J": [np.float64(1e-15), np.float64(2e-15), 3e-15]},
        "cosim": {"trace_images": np.int64(2)},
    }
    plain = {
        "seed": 7,
        "decision": {"t_max": 20, "k": 3.0},
        "device": {"bits": 3, "device_sigma": 0.05},
        "train": {"hidden": [20, 10], "dropout": 0.1, "batch_norm": False},
        "convert": {"percentile": 0.9, "normalisation": "percentile", "adc_quantile": 0.5},
        "crossbar": {"replicas": [1, 1, 1]},
        "energy": {"sample_J": [1e-15, 2e-15, 3e-15]},
        "cosim": {"trace_images": 2},
    }
    found = Config.load(tables)
    assert repr(found) == repr(Config.load(plain))
    assert repr(Config.load("tiny").updated(tables)) == repr(Config.load("tiny").updated(plain))
    assert Device(bits=np.int64(3)) == Device(bits=3)
    with pytest.raises(ConfigError, match=r"t_max must be a whole number, not 2.5$"):
        Config.load({"decision": {"t_max": np.float64(2.5)}})
    with pytest.raises(ConfigError, match=r"bits must be at most 6, not 9$"):
        Config.load({"device": {"bits": np.int64(9)}})


def test_updated_changes_some_values_and_checks_all():
    config = Config.load("tiny")
    changed = config.updated({"seed": 5, "decision": {"k": 3.0}})
    assert (changed.seed, changed.decision.k, changed.decision.t_max) == (5, 3.0, config.decision.t_max)
    with pytest.raises(ConfigError, match="t_max must be above skip"):
        config.updated({"decision": {"skip": 8}})


def test_every_field_has_a_description():
    for name, field in Config.model_fields.items():
        fields = getattr(field.annotation, "model_fields", {name: field})
        assert all(f.description for f in fields.values()), name
