"""Ways to change a configuration: `--set`, a preset with changes, `updated`; and the ones that check nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import spikeloom
from spikeloom.sim.chip.device_config import Device
from spikeloom.sw.chip import Chip
from spikeloom.sw.cli.command import settings_of_nir
from spikeloom.sw.cli.main import app
from spikeloom.sw.common.errors import ConfigError, SpikeLoomWarning
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.decision_section import DecisionSection
from spikeloom.sw.config.sections import DataSection
from spikeloom.sw.config.settings import changed, parse_settings
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.flow.steps import STEPS, make_flow
from tests.fixtures.models import make_chip, make_images, make_model

TINY = Config.load("tiny")
IMAGES = make_images(30, 20)


def test_values_are_those_of_toml_and_words_need_no_marks() -> None:
    texts = ["device.bits=3", "coding.input=rate", 'name="a-b"', "train.hidden=[20, 10]", "cosim.waves=true"]
    assert parse_settings([*texts, "device.device_sigma = 5e-2", "train.network=12c5-2s-10"]) == {
        "device": {"bits": 3, "device_sigma": 0.05},
        "coding": {"input": "rate"},
        "name": "a-b",
        "train": {"hidden": [20, 10], "network": "12c5-2s-10"},
        "cosim": {"waves": True},
    }


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["device.bits"], "--set: a setting must be TABLE.KEY=VALUE, such as device.bits=3, or KEY=VALUE, not 'device"),
        (["a.b.c=1"], "--set: a setting must be TABLE.KEY=VALUE"),
        (["=1"], "--set: a setting must be TABLE.KEY=VALUE"),
        (["device.bits=3", "device.bits=4"], "--set: device.bits is set twice"),
        (["device.bitz=3"], "--set: Unknown key 'bitz' in [device]; did you mean 'bits'?"),
        (["devise.bits=3"], "--set: Unknown key 'devise'; did you mean 'device'?"),
        (["bits=3"], "--set: Unknown key 'bits'; it belongs to [device]"),
        (["device.bits=3x"], "--set: [device] bits must be a whole number, not '3x'"),
        (["device.bits=3.5"], "--set: [device] bits must be a whole number, not 3.5"),
        (["device.bits=9"], "--set: [device] bits must be at most 6, not 9"),
        (["device=3"], "--set: device must be a table, not 3"),
        (["name=a\nseed = 3"], "--set: name must be made of letters"),
        (["preset=digits"], "--set: preset must be given where a configuration begins, not as a change of one"),
        (["decision.rule=fixed", "decision.k=3"], "--set: [decision] k must be 2.0 with rule 'fixed', which does not"),
    ],
)
def test_a_setting_that_is_wrong_is_one_sentence(texts: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(TINY, texts)
    assert str(caught.value).startswith(sentence)


def test_settings_change_a_configuration_and_nothing_leaves_it_alone() -> None:
    assert changed(TINY, ["device.bits=3", "seed=7"]) == TINY.updated({"seed": 7, "device": {"bits": 3}})
    assert changed(TINY, None) is TINY and changed(TINY, []) is TINY


@pytest.mark.parametrize("source", ["dictionary", "file"])
def test_a_preset_with_changes(source: str, tmp_path: Path) -> None:
    values: dict[str, Any] = {"preset": "digits", "name": "three-bits", "device": {"bits": 3}}
    if source == "file":
        path = tmp_path / "run.toml"
        path.write_text('preset = "digits"\nname = "three-bits"\n[device]\nbits = 3\n')
        config = Config.load(path)
    else:
        config = Config.load(values)
    assert config == Config.load("digits").updated({"name": "three-bits", "device": {"bits": 3}})
    assert config.device.device_sigma == 0.05 and config.crossbar.tile_rows == 32


def test_a_preset_may_stand_before_parts_that_are_objects() -> None:
    given = {"preset": "digits", "device": Device(bits=2), "decision": DecisionSection(t_max=9)}
    assert Config.load(given) == Config.load("digits").updated({"device": Device(bits=2), "decision": {"t_max": 9}})


@pytest.mark.parametrize("name", ["digit", 3, ["digits"]])
def test_a_preset_that_is_not_there_is_named_with_the_nearest(name: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^configuration: preset must be one of digits, mnist, net1, .*, net7, phase, .*, tiny, not"
    ):
        Config.load({"preset": name})
    if name == "digit":
        with pytest.raises(ConfigError, match=r"did you mean 'digits'\?$"):
            Config.load({"preset": name})


def unchecked() -> dict[str, tuple[Config, str]]:
    """Configurations that pydantic has let through, and what is wrong with each."""
    nested = TINY.model_copy(update={"device": TINY.device.model_copy(update={"bits": 99})})
    return {
        "nested model_copy": (nested, "[device] bits must be at most 6, not 99"),
        "a dictionary inside": (TINY.model_copy(update={"device": {"bits": 99}}), "[device] bits must be at most 6"),
        "model_copy": (TINY.model_copy(update={"seed": -1}), "seed must be at least 0, not -1"),
        "unknown key": (TINY.model_copy(update={"devise": 3}), "Unknown key 'devise'; did you mean 'device'?"),
        "model_construct": (Config.model_construct(name="a b", seed=3), "name must be made of letters"),
        "nested model_construct": (
            TINY.model_copy(update={"decision": DecisionSection.model_construct(t_max=0)}),
            "[decision] t_max must be at least 1, not 0",
        ),
        "a rule of two tables": (
            TINY.model_copy(update={"device": TINY.device.model_copy(update={"pulse_up": 0.5})}),
            "[device] pulse_up must be 1.0 with [programming] method 'direct'",
        ),
    }


DOORS = {
    "Config.load": Config.load,
    "spikeloom.compile": lambda config: spikeloom.compile(make_model(20, 6, 3), IMAGES, config),
    "Chip": lambda config: Chip(make_chip().programmed, config),
    "Flow": lambda config: Flow(config, Path("build"), STEPS),
    "make_flow": make_flow,
    "updated": lambda config: config.updated({"cosim": {"images": 0}}),
    "changed": lambda config: changed(config, ["cosim.images=0"]),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", unchecked())
def test_what_pydantic_does_not_check_is_checked_at_every_door(case: str, door: str) -> None:
    config, sentence = unchecked()[case]
    with pytest.raises(ConfigError) as caught:
        DOORS[door](config)
    assert sentence in str(caught.value)


def test_a_copy_that_is_valid_is_taken_as_it_is() -> None:
    copied = TINY.model_copy(update={"seed": 5})
    assert Config.load(copied) is copied
    whole = Config.load(TINY.model_copy(update={"device": {"bits": 3}}))
    assert whole == TINY.updated({"device": {"bits": 3}}) and isinstance(whole.device, Device)


def test_without_a_configuration_the_chip_is_ideal_and_of_the_networks_size() -> None:
    def network(*sizes: int) -> Chip:
        return spikeloom.compile(make_model(*sizes), make_images(20, sizes[0]))

    small, large = network(20, 12, 7, 5), network(300, 100, 10)
    assert small.config.device == Device() == large.config.device
    c, h, d = small.config.crossbar, small.config.hardware, small.config.decision
    assert (c.tile_rows, c.tile_columns, h.lanes, h.encoder_lanes) == (32, 16, 16, 16) and (d.t_max, d.k) == (64, 4.0)
    c, h, d = large.config.crossbar, large.config.hardware, large.config.decision
    assert (c.tile_rows, c.tile_columns, h.lanes, h.encoder_lanes) == (256, 64, 16, 16) and (d.t_max, d.k) == (48, 4.0)
    assert network(3, 2).config.crossbar.tile_rows == 4 and network(3, 2).config.hardware.lanes == 2
    explicit = spikeloom.compile(make_model(20, 12, 7, 5), make_images(20, 20), small.config)
    np.testing.assert_array_equal(explicit.predict(IMAGES).margins, small.predict(IMAGES).margins)


def test_the_ideal_chip_is_as_accurate_as_its_network_on_digits() -> None:
    from spikeloom.sw.datasets.datasets import load_data
    from spikeloom.sw.frontend.plain_torch import torch_accuracy
    from spikeloom.sw.training.training import train

    data, config = load_data("digits"), Config.load("digits")
    model = train(config.train, data, config.seed)
    result = spikeloom.compile(model, data.train_images[:500]).predict(data.test_images)
    assert result.accuracy(data.test_labels) > torch_accuracy(model, data.test_images, data.test_labels) - 0.01


def test_a_network_from_nir_has_its_own_neurons_and_shape() -> None:
    model = spikeloom.read_nir(Path(__file__).parents[3] / "examples" / "digits.nir")
    images = make_images(20, 64)
    chip = spikeloom.compile(model, images)
    assert chip.config.neuron.reset == model.reset and chip.config.neuron.v0 == model.start
    with pytest.raises(ValueError, match=r"^input_shape is for a PyTorch model: a network from NIR says the shape"):
        spikeloom.compile(model, images, input_shape=(1, 8, 8))


def test_the_passes_tell_how_far_they_are() -> None:
    seen: list[tuple[int, int, str]] = []
    spikeloom.compile(make_model(20, 6, 3), IMAGES, "tiny", progress=lambda *told: seen.append(told))
    assert [done for done, _, _ in seen] == [1, 2, 3, 4] and {total for _, total, _ in seen} == {4}
    assert seen[-1][2] == "passes, quantised and mapped"


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        (
            {"neuron": {"reset": "zero"}},
            "[neuron] reset must be 'subtract' for a network of one layer, which has no hi",
        ),
        (
            {"coding": {"input": "analog"}, "energy": {"dac_J_per_pulse": 1e-14}},
            "[energy] dac_J_per_pulse must be [1e-14, 5e-14, 4e-13] with [coding] input 'analog', for a network of one "
            "layer, which",
        ),
    ],
)
def test_what_a_network_of_one_layer_does_not_have_is_refused(tables: dict[str, Any], sentence: str) -> None:
    config = TINY.updated(tables)
    with pytest.raises(ConfigError) as caught:
        spikeloom.compile(nn.Sequential(nn.Linear(20, 3)), IMAGES, config)
    assert sentence in str(caught.value)
    spikeloom.compile(make_model(20, 6, 3), IMAGES, config)


def test_tuning_is_refused_for_a_network_of_one_layer_that_always_takes_as_long() -> None:
    tuned = TINY.updated({"convert": {"tune": True}, "tuning": {"reductions": 1, "repeats": 1}})
    model, validation = nn.Sequential(nn.Linear(20, 3)), (IMAGES, np.arange(len(IMAGES)) % 3)
    with pytest.raises(ConfigError, match=r"tune must be false with \[decision\] rule 'fixed', for a network"):
        spikeloom.compile(model, IMAGES, tuned.updated({"decision": {"rule": "fixed"}}), validation)
    assert spikeloom.compile(model, IMAGES, tuned, validation).tuned is not None


@pytest.fixture(scope="module")
def loom(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 10))
    return str(spikeloom.compile(model, make_images(20, 64), "tiny").save(tmp_path_factory.mktemp("chip") / "a.loom"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "tiny", "--set", "device.bitz=3"), "--set: Unknown key 'bitz' in [device]; did you mean 'bits'?"),
        (("report", "tiny", "--set", "device.bits=9"), "--set: [device] bits must be at most 6, not 9"),
        (("run", "tiny", "--to", "train", "--images", "3"), "--images: 3 would have no effect with --to train, before"),
        (("run", "tiny", "--fresh", "--from", "cosim"), "--from: cosim would have no effect with --fresh, which runs "),
        (("run", "tiny", "--data", "DIR"), "--data: it would have no effect: data set 'digits' is part of scikit-lear"),
        (("report", "tiny", "--data", "DIR"), "--data: it would have no effect: data set 'digits' is part of"),
        (("cosim", "tiny", "--data", "DIR"), "--data: it would have no effect: data set 'digits' is part of"),
        (("verilog", "tiny", "-o", "DIR", "--set", "cosim.images=3"), "--set: cosim.images would have no effect: this"),
        (("nir", "tiny", "-o", "DIR", "--set", "lifetime.images=3"), "--set: lifetime.images would have no effect: th"),
        (("firmware", "tiny", "-o", "DIR", "--set", "cosim.waves=true"), "--set: cosim.waves would have no effect: th"),
        (("cosim", "tiny", "--set", "lifetime.images=3"), "--set: lifetime.images would have no effect: this command "),
        (("verilog", "LOOM", "-o", "DIR", "--data", "DIR"), "--data: it would have no effect: a weight image is a fin"),
        (("nir", "LOOM", "-o", "DIR", "--data", "DIR"), "--data: it would have no effect: a weight image is a finishe"),
        (("cosim", "LOOM", "--data-set", "digits", "--data", "DIR"), "--data: it would have no effect: data set"),
        (("verilog", "LOOM", "-o", "DIR", "--set", "device.bits=3"), "--set: device.bits would have no effect: a weig"),
        (("nir", "LOOM", "-o", "DIR", "--set", "data.test_limit=3"), "--set: data.test_limit would have no effect: a "),
        (("cosim", "LOOM", "--set", "device.bits=3"), "--set: device.bits would have no effect: a weight image is a f"),
        (("cosim", "LOOM", "--set", "seed=3"), "--set: seed would have no effect: a weight image is a finished chip"),
        (("cosim", "LOOM", "--set", "cosim.imagez=3"), "--set: Unknown key 'imagez' in [cosim]; did you mean 'images'"),
        (("cosim", "LOOM", "--images", "1", "-o", "DIR"), "--output: it would have no effect: only the waves of a wei"),
        (("lifetime", "LOOM", "--set", "cosim.images=3"), "--set: cosim.images would have no effect: a weight image i"),
        (("lifetime", "LOOM", "--set", "lifetime.images=3", "--images", "4"), "--set: lifetime.images is given by --i"),
        (("lifetime", "LOOM", "--set", "lifetime.measure=true"), "--set: lifetime.measure would have no effect: this "),
        (("run", "tiny", "--images", "3", "--set", "cosim.images=4"), "--set: cosim.images is given by --images too;"),
        (("cosim", "tiny", "--images", "3", "--set", "cosim.images=4"), "--set: cosim.images is given by --images too"),
        (("cosim", "LOOM", "--images", "3", "--set", "cosim.images=4"), "--set: cosim.images is given by --images too"),
        (("cosim", "LOOM", "--images", "NPZ", "--set", "cosim.images=4"), "--set: cosim.images is given by --images t"),
        (("cosim", "LOOM", "--simulator", "icarus", "--set", "cosim.simulator=icarus"), "cosim.simulator is given by"),
        (("cosim", "LOOM", "--waves", "--set", "cosim.waves=false"), "--set: cosim.waves is given by --waves too; lea"),
        (("cosim", "LOOM", "--trace-images", "1", "--set", "cosim.trace_images=2"), "is given by --trace-images too;"),
        (("cosim", "LOOM", "--through-bus", "--set", "cosim.through_bus=false"), "is given by --through-bus too; leav"),
        *(
            ((command, source, *named, *more, "--set", "data.test_limit=4"),
            f"--set: data.test_limit would have no effect: {' '.join(named)[:9]}")
            for command, more in (("cosim", ()), ("firmware", ("-o", "DIR")), ("lifetime", ()), ("diagnose", ()))
            for source in ("LOOM", "tiny")
            for named in (("--data-set", "digits"), ("--images", "NPZ"))
        ),
        (("cosim", "tiny", "--set", "energy.sample_J=1e-15"), "--set: energy.sample_J would have no effect: this comm"),
        (("diagnose", "tiny", "--set", "energy.sample_J=1e-15"), "--set: energy.sample_J would have no effect: this c"),
        (("firmware", "tiny", "-o", "DIR", "--set", "energy.sample_J=1e-15"), "this command shows no energy; leave it"),
        *(
            (("nir", "tiny", "-o", "DIR", "--set", setting),
            f"{setting.partition('=')[0]} would have no effect: the NIR file holds the network's integers, without "
            f"what ce")
            for setting in ("energy.sample_J=1e-15", "hardware.lanes=3", "programming.method=write-verify",
                            "device.wire_ohm=1", "device.device_sigma=0.1", "device.read_sigma=0.1",
                            "device.stuck_on=0.1", "device.v_read_V=0.1", "hardware.clock_Hz=1e7")
        ),
        (("nir", "tiny", "-o", "DIR", "--set", "cosim.images=3"), "cosim.images would have no effect: this command do"),
        (("verilog", "tiny", "-o", "DIR", "--set", "data.test_limit=3"), "data.test_limit would have no effect: this "),
        (("nir", "tiny", "-o", "DIR", "--set", "data.test_limit=3"), "data.test_limit would have no effect: this comm"),
        (("diagnose", "tiny", "--set", "data.test_limit=3"), "data.test_limit would have no effect: this command runs"),
        (("paper", "winner-k", "--quick", "--data", "DIR"), "--data: it would have no effect with --quick, whose digi"),
    ],
)  # fmt: skip
def test_an_option_that_would_do_nothing_is_an_error(
    arguments: tuple[str, ...], sentence: str, loom: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"LOOM": loom, "DIR": str(tmp_path / "x"), "NPZ": f"{loom}.npz"}
    np.savez(places["NPZ"], images=make_images(5, 64))
    result = CliRunner().invoke(app, [places.get(word, word) for word in arguments])
    assert result.exit_code == 2 and sentence in " ".join(result.stderr.split()), result.stderr
    assert not (tmp_path / "build").exists() and not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"data": {"test_limit": 40}}, "[data] test_limit would"),
        ({"train": {"epochs": 3, "batch": 9}}, "[train] epochs, batch would"),
        ({"preset": "tiny", "data": {"set": "digits"}, "train": {"epochs": 40}}, "[data] set and [train] epochs would"),
        ({"data": DataSection(calibration_images=9)}, "[data] calibration_images would"),
        ({"train": {"epochs": 3}, "cosim": {"images": 3, "waves": False}}, "[train] epochs and [cosim] images would"),
        (TINY.model_dump(), "[data] and [train] and [nir] and [cosim] images, trace_images would"),
    ],
)
def test_what_is_for_a_run_alone_is_told_of_where_a_model_is_compiled(given: dict[str, Any], named: str) -> None:
    with pytest.warns(
        SpikeLoomWarning, match="^" + re.escape(f"The dictionary's {named} have no effect: spikeloom.compile")
    ) as seen:
        spikeloom.compile(make_model(20, 6, 3), IMAGES, given)
    assert len(seen) == 1 and seen[0].filename == __file__


def test_how_many_images_chip_cosim_runs_is_told_of_as_an_argument_of_it() -> None:
    sentence = (
        "The dictionary's [cosim] images, trace_images would have no effect: chip.cosim is given the images that it "
        "runs, "
        "and what to trace, and these keys are for a run (`spikeloom run`) or `spikeloom cosim`; leave them out, or"
    )
    with pytest.warns(SpikeLoomWarning, match="^" + re.escape(sentence)) as seen:
        spikeloom.compile(
            make_model(20, 6, 3), IMAGES, {"cosim": {"images": 3, "trace_images": 2, "simulator": "icarus"}}
        )
    assert len(seen) == 1


def test_a_run_s_configuration_compiles_a_model_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('preset = "tiny"\n[train]\nepochs = 3\n[data]\ntest_limit = 4\n')
    own = {"preset": "tiny", "device": {"bits": 3}, "cosim": {"simulator": "icarus"}, "name": "own"}
    for config in (tmp_path / "run.toml", "tiny", TINY, Config.load({"train": {"epochs": 3}}), own):
        spikeloom.compile(make_model(20, 6, 3), IMAGES, config)


def test_a_nir_file_takes_what_its_integers_come_from() -> None:
    for settings in (["device.bits=3"], ["device.g_max_S=2e-5"], ["crossbar.adc_bits=6"], ["decision.t_max=9"]):
        assert settings_of_nir(TINY, settings) == changed(TINY, settings)
    tuned = [
        "convert.tune=true",
        "device.device_sigma=0.1",
        "programming.method=write-verify",
        "data.validation_images=20",
    ]
    assert settings_of_nir(TINY, tuned) == changed(TINY, tuned)
    with pytest.raises(ConfigError, match=r"^--set: hardware\.lanes would have no effect: the NIR file"):
        settings_of_nir(TINY, [*tuned, "hardware.lanes=3"])


def test_settings_of_the_command_line_make_the_chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = (
        "run",
        "tiny",
        "--to",
        "convert",
        "--set",
        "device.bits=3",
        "--set",
        "name=three",
        "--set",
        "train.epochs=1",
    )
    assert CliRunner().invoke(app, list(words)).exit_code == 0
    chip = spikeloom.load(tmp_path / "build/three/convert/chip.loom")
    assert chip.programmed.device.bits == 3 and chip.config.name == "three" and chip.config.train.epochs == 1
