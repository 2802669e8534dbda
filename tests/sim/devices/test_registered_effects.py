"""docs/extending.md, "A device effect", as it stands: a module outside of the tree, by call and by entry point."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.sim.common.random_words import Purpose, own_purpose
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.devices.conductance import Cells
from spikeloom.sim.devices.effects import EFFECTS, EffectEntry, ideal_device, register_effect
from spikeloom.sw.analysis.waterfall import waterfall
from spikeloom.sw.common.errors import ConfigError, WeightImageError
from spikeloom.sw.config.manual_page import configuration_page
from tests.fixtures.guide import guide_blocks, module_in
from tests.fixtures.models import make_images, make_model

MODEL, IMAGES = make_model(20, 12, 5), make_images(60, 20)
CODE, ENTRY_POINT = guide_blocks("A device effect")


@pytest.fixture(scope="module")
def effect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The guide's module, which can be imported."""
    with module_in(tmp_path_factory.mktemp("outside"), "my_effects", CODE) as module:
        yield module


@pytest.fixture
def registered(effect: ModuleType) -> Iterator[ModuleType]:
    effect.register()
    try:
        yield effect
    finally:
        for entry in EFFECTS.registered():
            EFFECTS.unregister(entry)


def compiled(sigma: float | None, method: str = "direct", **device: Any) -> spikeloom.Chip:
    given = device if sigma is None else {"relaxation_sigma": sigma, **device}
    return spikeloom.compile(
        MODEL, IMAGES, {"preset": "tiny", "device": {"wire_ohm": 2.0, **given}, "programming": {"method": method}}
    )


@pytest.mark.parametrize("method", ["direct", "write-verify"])
def test_the_effect_acts_and_is_a_stage(registered: ModuleType, method: str, tmp_path: Path) -> None:
    plain, chip = compiled(None, method), compiled(0.4, method)
    without, with_it = build_arrays(plain.programmed)[0], build_arrays(chip.programmed)[0]
    normals = Cells(chip.programmed.seed, 0).normals(registered.RELAX, without.cells_S.shape)
    np.testing.assert_array_equal(with_it.cells_S, np.maximum(0.0, without.cells_S * (1.0 + 0.4 * normals)))
    assert (with_it.g_S < with_it.cells_S).any()
    stages = [name for name, _ in waterfall(chip, IMAGES, np.zeros(len(IMAGES), np.int64))]
    assert stages[-2:] == ["relaxation", "IR drop"]
    assert ideal_device(chip.programmed.device) == ideal_device(plain.programmed.device)
    result = chip.predict(IMAGES)
    assert (result.margins != plain.predict(IMAGES).margins).any()
    chip.save(tmp_path / "chip.loom")
    again = spikeloom.load(tmp_path / "chip.loom")
    assert again.config == chip.config and again.programmed.device == chip.programmed.device != plain.programmed.device
    np.testing.assert_array_equal(again.predict(IMAGES).margins, result.margins)


def test_the_verilog_agrees_to_the_bit(registered: ModuleType) -> None:
    chip = compiled(0.4, read_sigma=0.05)
    assert chip.predict(IMAGES[:4]).compare(chip.cosim(IMAGES[:4])) > 0


def test_the_option_is_one_like_any_other(registered: ModuleType) -> None:
    config = spikeloom.Config.load({"device": {"relaxation_sigma": 0.1}})
    assert config.device.relaxation_sigma == 0.1 and config.updated({"seed": 3}).device.relaxation_sigma == 0.1
    assert spikeloom.Config.load(config.updated({"seed": 3})).device == config.device
    assert spikeloom.Config().device.relaxation_sigma == 0.0
    assert "| `relaxation_sigma` | `0` | number >= 0, <= 1" in configuration_page()
    for device, said in [
        ({"relaxation_sigma": 1.5}, "[device] relaxation_sigma must be at most 1"),
        ({"relaxation_sigma": "x"}, "[device] relaxation_sigma must be a number, not 'x'"),
        ({"relaxation_sigm": 0.1}, "Unknown key 'relaxation_sigm' in [device]; did you mean 'relaxation_sigma'?"),
    ]:
        with pytest.raises(ConfigError, match=re.escape(said)) as caught:
            spikeloom.Config.load({"device": {**device, "bits": 9}})
        assert len(caught.value.problems) == 2
    with pytest.warns(UserWarning, match=r"\[device\] relaxation_sigma is 0.9: usual values are 0 .. 0.5"):
        spikeloom.Config.load({"device": {"relaxation_sigma": 0.9}})


def test_a_default_leaves_the_file_as_it_was(registered: ModuleType, tmp_path: Path) -> None:
    for name, sigma in (("without", None), ("default", 0.0)):
        compiled(sigma).save(tmp_path / name)
    assert (tmp_path / "without").read_bytes() == (tmp_path / "default").read_bytes()
    assert compiled(0.0).programmed.device == compiled(None).programmed.device


def test_without_the_effect_its_option_is_an_error(effect: ModuleType, tmp_path: Path) -> None:
    effect.register()
    compiled(0.4).save(tmp_path / "chip.loom")
    (entry,) = EFFECTS.registered()
    EFFECTS.unregister(entry)
    with pytest.raises(ConfigError, match=r"Unknown key 'relaxation_sigma' in \[device\]"):
        spikeloom.Config.load({"device": {"relaxation_sigma": 0.1}})
    missing = (
        r"has the option of \[device\] 'relaxation_sigma' \(of module my_effects\), which is not registered; import "
        r"the module, or install the package, that registers it$"
    )
    with pytest.raises(WeightImageError, match=missing):
        spikeloom.load(tmp_path / "chip.loom")
    assert "relaxation_sigma" not in configuration_page()


def test_where_it_does_not_apply_its_option_is_refused(effect: ModuleType) -> None:
    entry = EffectEntry(("relaxation_sigma",), "relaxation", None, effect.make)
    register_effect(entry, effect.RelaxationOptions)
    try:
        said = (
            r"\[device\] relaxation_sigma must be 0.0 with \[programming\] method 'write-verify', with which the effect"
        )
        with pytest.raises(ConfigError, match=said):
            spikeloom.Config.load({"device": {"relaxation_sigma": 0.1}, "programming": {"method": "write-verify"}})
    finally:
        EFFECTS.unregister(entry)


def test_what_cannot_be_registered(registered: ModuleType) -> None:
    (entry,) = EFFECTS.registered()
    registered.register()  # once more, as a call and an entry point may
    assert EFFECTS.registered() == (entry,)
    for changes, parameters, said in [
        ({"where": "reads"}, None, "where = 'cells' or 'array', not 'reads'"),
        ({"fields": ("relaxation",)}, None, "of 'relaxation' has no option 'relaxation': name fields"),
        ({"fields": ()}, None, r"must be a tuple of names of options, such as .*, not \(\)"),
        ({"fields": ("device_sigma",)}, None, "'device_sigma' switches a built-in effect on"),
        ({"make": None}, None, "of 'relaxation_sigma' needs a make, .* not None"),
        ({"direct": "again"}, registered.RelaxationOptions, "is one of .device. already"),
    ]:
        with pytest.raises(ValueError, match=said):
            register_effect(replace(entry, **changes), parameters)
    assert EFFECTS.registered() == (entry,)
    assert own_purpose("relaxation") > max(Purpose)


def _makes_nothing(device: Any, parameters: Any, progress: Any) -> Any:
    return None


def test_a_make_that_makes_nothing(effect: ModuleType) -> None:
    entry = EffectEntry(("relaxation_sigma",), "relaxation", "relaxation", _makes_nothing)
    register_effect(entry, effect.RelaxationOptions)
    try:
        with pytest.raises(ValueError, match=r"^The make of the effect of relaxation_sigma must return .*, not None$"):
            compiled(0.4).predict(IMAGES[:1])
    finally:
        EFFECTS.unregister(entry)


def test_a_lambda_cannot_reach_the_simulator(effect: ModuleType) -> None:
    entry = EffectEntry(("relaxation_sigma",), "relaxation", "relaxation", lambda d, p, _: effect.make(d, p, _))
    register_effect(entry, effect.RelaxationOptions)
    try:
        with pytest.raises(ValueError, match="must have names in a module that can be imported"):
            compiled(0.4).cosim(IMAGES[:1])
    finally:
        EFFECTS.unregister(entry)


def test_an_installed_package_registers_by_its_entry_point(tmp_path: Path) -> None:
    """The folder of an installed package, as an installer leaves it."""
    (tmp_path / "my_effects.py").write_text(CODE, encoding="utf-8")
    info = tmp_path / "my_effects-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-effects\nVersion: 1.0\n", encoding="utf-8")
    group, line = ENTRY_POINT.splitlines()
    group = group.removeprefix("[project.entry-points.").strip('"]')
    (info / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n", encoding="utf-8")
    script = """
import json, sys
sys.path.insert(0, sys.argv[1])
import spikeloom
config = spikeloom.Config.load({"device": {"relaxation_sigma": 0.25}})
from spikeloom.sim.devices.effects import EFFECTS
print(json.dumps([config.device.relaxation_sigma, [entry.direct for entry in EFFECTS]]))
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    sigma, stages = json.loads(done.stdout)
    assert sigma == 0.25 and stages[-2:] == ["relaxation", "IR drop"]
    twice = script.replace("import spikeloom\n", "import spikeloom, my_effects\nmy_effects.register()\n", 1)
    done = subprocess.run([sys.executable, "-c", twice, str(tmp_path)], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == [sigma, stages], done.stderr[-2000:]
    (info / "entry_points.txt").write_text(f"[{group}]\nrelaxation = my_effects:gone\n", encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = "The entry point 'relaxation = my_effects:gone' of group 'spikeloom.effects' cannot be used"
    assert f"SpikeLoomError: {said}" in done.stderr
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for words, code in ((["doctor"], 0), (["run", "tiny", "--to", "data", "-o", str(tmp_path / "run")], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "spikeloom", *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert said in " ".join(done.stderr.split())
