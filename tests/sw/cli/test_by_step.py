"""`spikeloom by-step`: what it writes and prints, and one sentence for what it cannot do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import spikeloom
from spikeloom.sw.cli.main import app
from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.network_file import NETWORK, load_network, network_bytes
from spikeloom.sw.flow.run_folder import load_chip
from spikeloom.sw.flow.steps import make_flow
from tests.fixtures.cnn_models import LeNet, settled
from tests.fixtures.models import make_chip, make_images


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(tmp_path)


def command(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["by-step", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else " ".join(result.output.split())


def test_of_a_configuration_and_of_its_weight_image() -> None:
    printed = command("tiny", "--image", "3")
    assert "noise spikes" in printed and "Page: build/tiny/by_step/by_step.html" in printed
    page = Path("build/tiny/by_step/by_step.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/svg') == 8 and "the network that the chip was converted from" in page
    values = json.loads(Path("build/tiny/by_step/by_step.json").read_text(encoding="utf-8"))
    assert values["against"] == "network" and values["truth"] == "labels" and values["example"]["image"] == 3
    assert values["measured_on"]["set"] == "test images of 'digits'" and values["cells"] == "the chip's own cells"
    assert command("tiny", "--image", "3") and page == Path("build/tiny/by_step/by_step.html").read_text("utf-8")

    flow = make_flow(Config.load("tiny"), None)
    chip = load_chip(flow)
    tests = np.load("build/tiny/data/images.npz")
    network = load_network(flow.folder, chip.programmed)
    assert network is not None
    assert values["network_error"] == pytest.approx(1.0 - np.mean(network.classes(tests["images"]) == tests["labels"]))

    as_json = json.loads(command("build/tiny/convert/chip.loom", "--images", "30", "--json", "-o", "mine"))
    assert (as_json["images"], as_json["against"], as_json["folder"]) == (30, "levels", "mine")
    assert as_json["files"] == ["by_step.html", "by_step.json"] and Path("mine/by_step.html").is_file()
    found = chip.by_step(tests["images"][:30], tests["labels"][:30])
    assert as_json["by_step"] == json.loads(json.dumps(found.to_json()))["by_step"]

    levels = json.loads(command("tiny", "--levels", "--ideal", "--json"))
    assert levels["against"] == "levels" and levels["notes"][0].startswith("Activations are compared with")
    Path(f"build/tiny/{NETWORK}").unlink()  # of a run by a version that did not keep it
    assert load_network(flow.folder, chip.programmed) is None


@pytest.mark.parametrize("model", ["dense", "pooling"])
def test_the_network_of_a_run_is_kept_as_it_is(model: str, tmp_path: Path) -> None:
    if model == "dense":
        chip, pixels = make_chip(), make_images(5, 20)
    else:
        pixels = make_images(5, 784)
        config = {"preset": "tiny", "crossbar": {"replicas": 2}}
        chip = spikeloom.compile(settled(LeNet, 1, 28, 28), pixels.reshape(5, 1, 28, 28), config)
    assert chip.network is not None
    (tmp_path / "convert").mkdir()
    (tmp_path / NETWORK).write_bytes(network_bytes(chip.network))
    held = load_network(tmp_path, chip.programmed)
    assert held is not None and len(held.stages) == len(chip.network.stages)
    for found, expected in zip(held.activations(pixels), chip.network.activations(pixels), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert network_bytes(held) == network_bytes(chip.network)


WRONG: list[tuple[tuple[str, ...], str]] = [
    (("tiny", "--images", "0"), "--images must be at least 1, not 0; all test images are taken without it"),
    (("tiny", "--image", "-1"), "--image must be at least 0, the row of an image, not -1"),
    (("tiny", "--images", "5", "--image", "5"), "--image must be 0 .. 4, one of the 5 images that are run, not 5"),
    (("tiny", "--set", "energy.sample_J=1e-15"), "has no coefficient; leave it out"),
    (("tiny", "--set", "cosim.images=5"), "this command does not use the table"),
    (("none.loom", "--data-set", "digits"), "none.loom"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG, ids=[" ".join(given) for given, _ in WRONG])
def test_what_cannot_be_is_one_sentence(arguments: Any, sentence: str) -> None:
    assert sentence in command(*arguments, code=2)


def test_files_of_others_are_not_overwritten() -> None:
    Path("mine").mkdir()
    Path("mine/by_step.html").write_text("my own page")
    assert "by_step.html" in command("tiny", "-o", "mine", code=2)
    assert Path("mine/by_step.html").read_text() == "my own page"
