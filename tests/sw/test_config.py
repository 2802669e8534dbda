"""`Config`: presets, files, and one clear sentence a mistake."""

import re

import pytest
from pydantic import ValidationError

from sw.config import PRESETS, Config
from sw.errors import ConfigError

BAD = [
    ({"decision": {"t_max": 0}}, "[decision] t_max must be at least 1, not 0"),
    ({"decision": {"k": 0}}, "[decision] k must be above 0.0, not 0"),
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
    ({"decision": {"treshold": 3}}, "Unknown key 'treshold' in [decision]; valid are rule, k, t_max, skip, readout"),
    ({"convert": {"percentil": 99}}, "Unknown key 'percentil' in [convert]; did you mean 'percentile'?"),
    ({"device": {"read_sigm": 0.1}}, "Unknown key 'read_sigm' in [device]; did you mean 'read_sigma'?"),
    ({"descision": {}}, "Unknown key 'descision'; did you mean 'decision'?"),
    ({"convert": {"percentile": 0.0}}, "[convert] percentile must be above 0.0, not 0.0"),
    ({"convert": {"percentile": 101.0}}, "[convert] percentile must be at most 100.0, not 101.0"),
    ({"convert": {"percentile": float("nan")}}, "[convert] percentile must be a finite number, not nan"),
    ({"coding": {"phases": 0}}, "[coding] phases must be at least 1, not 0"),
    ({"coding": {"input": "morse"}}, "[coding] input must be 'phase', 'rate', 'even' or 'analog', not 'morse'"),
    ({"coding": {"even_start": 255}}, "[coding] even_start must be at most 254, not 255"),
    ({"neuron": {"clip": 0.5}}, "[neuron] clip must be 0 (off) or at least 1 threshold, or no neuron fires, not 0.5"),
    ({"neuron": {"leak": 16}}, "[neuron] leak must be at most 15, not 16"),
    ({"train": {"hidden": [10, 0]}}, "[train] hidden.1 must be at least 1, not 0"),
    ({"train": {"activation": "relu"}}, "[train] activation_levels must be 0 with activation 'relu'"),
    ({"train": {"augment": True}}, "[train] augment must be false for the 8 x 8 images of data set 'digits'"),
    ({"train": {"augment": "yes"}}, "[train] augment must be true or false, not 'yes'"),
    ({"device": {"g_min_S": 1.0}}, "[device] g_max_S (1e-05) must be above g_min_S (1.0)"),
    ({"device": {"bits": 7}}, "[device] bits must be at most 6, not 7"),
    ({"cosim": {"images": 3}}, "[cosim] trace_images must be at most images (3), not 4"),
    ({"crossbar": {"adc_bits": 17}}, "[crossbar] adc_bits must be at most 16, not 17"),
    ({"seed": -1}, "seed must be at least 0, not -1"),
    (
        {"name": "a/b"},
        "name must be made of letters, digits, '.', '_' and '-', with a letter or digit first, not 'a/b'",
    ),
    ({"data": 3}, "data must be a table, not 3"),
]


@pytest.mark.parametrize(("values", "sentence"), BAD, ids=[sentence[:40] for _, sentence in BAD])
def test_a_mistake_is_one_sentence(values, sentence):
    with pytest.raises(ConfigError, match="^configuration: " + re.escape(sentence)):
        Config.load(values)


def test_all_mistakes_are_reported_together():
    with pytest.raises(ConfigError) as error:
        Config.load({"decision": {"t_max": 0, "k": 0}, "devise": {}})
    assert len(error.value.problems) == 3


def test_presets_load_and_are_named_after_their_file():
    assert PRESETS == ("digits", "mnist", "tiny")
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


def test_a_missing_file_names_the_nearest_preset():
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
