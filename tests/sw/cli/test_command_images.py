"""Commands on a weight image take its own data set, or ask for images; every table says what it was measured on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import spikeloom
import spikeloom.sim.cosim.run
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.cli.command_images import images_for
from spikeloom.sw.common.errors import DataError, FileError, SpikeLoomError
from spikeloom.sw.compiler.provenance import from_run
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import load_data
from tests.fixtures.models import make_images, make_model
from tests.sw.cli.test_main import call, error

DIGITS = load_data("digits")
TESTS, LABELS = DIGITS.test_images, DIGITS.test_labels


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, with a chip of spikeloom.compile, and the reference in the place of the Verilog."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(
        spikeloom.sim.cosim.run,
        "run_cosim",
        lambda programmed, images, ids, options, **_: run_reference(programmed, images, ids, options.trace),
    )
    spikeloom.compile(make_model(64, 12, 10), DIGITS.train_images[:50], "digits").save("mine.loom")
    np.savez("mine.npz", images=TESTS[100:130].reshape(30, 8, 8) / np.float32(255), labels=LABELS[100:130])
    np.savez("bare.npz", images=TESTS[:6])
    return tmp_path


ASK = (
    "'mine.loom' does not say which images it is for, since no run of SpikeLoom made it; name a data set with "
    "--data-set NAME (digits, mnist, fashion-mnist, svhn, cifar-10, cifar-100) or a file with --images FILE.npz "
    "(arrays images and labels)"
)


@pytest.mark.parametrize(
    "command", [("cosim",), ("cosim", "--images", "3"), ("firmware", "-o", "c"), ("lifetime", "--limit", "3")]
)
def test_a_chip_without_a_data_set_asks_for_images(place: Path, command: tuple[str, ...]) -> None:
    assert error(command[0], "mine.loom", *command[1:]) == ASK
    assert not (place / "c").exists()


@pytest.mark.filterwarnings("ignore:.* images have the numbers")
def test_images_come_from_a_data_set_or_a_file() -> None:
    chip = spikeloom.load("mine.loom")

    def cosim(*options: str) -> tuple[dict, dict, float]:
        values = json.loads(call("cosim", "mine.loom", *options, "--json").stdout)
        return values["measured_on"], values, values["accuracy"]

    on, _, accuracy = cosim("--data-set", "digits")
    assert on == {"set": "test images of 'digits'", "count": 500, "of": 500}
    assert accuracy == chip.predict(TESTS).accuracy(LABELS)
    on, _, accuracy = cosim("--data-set", "digits", "--images", "4")
    assert on["count"] == 4 and accuracy == chip.predict(TESTS[:4]).accuracy(LABELS[:4])
    on, values, accuracy = cosim("--images", "mine.npz")
    assert on == {"set": "images of 'mine.npz'", "count": 30, "of": 30}
    result = chip.predict(TESTS[100:130])
    assert accuracy == result.accuracy(LABELS[100:130]) and values["steps_mean"] == float(np.mean(result.steps))
    assert cosim("--images", "7", "--images", "mine.npz")[0] == {**on, "count": 7}
    on, _, unknown = cosim("--images", "bare.npz")
    assert on["count"] == 6 and unknown is None
    shown = call("cosim", "mine.loom", "--images", "mine.npz", "--images", "5").stdout
    assert "5 of 30 images of 'mine.npz'" in shown
    assert "not known without labels" in call("cosim", "mine.loom", "--images", "bare.npz").stdout


@pytest.mark.filterwarnings("ignore:.* images have the numbers")
def test_an_array_that_is_not_used_is_named() -> None:
    def told(**arrays: np.ndarray) -> str:
        np.savez("some.npz", images=TESTS[:3], **arrays)
        return " ".join(call("cosim", "mine.loom", "--images", "some.npz").stderr.split())

    for name in ("label", "Labels", "LABEL"):
        assert f"Warning: Array '{name}' of 'some.npz' is not used; did you mean 'labels'?" in told(
            **{name: LABELS[:3]}
        )
    only = "is not used; only 'images' and 'labels' are; leave it out"
    said = told(labels=LABELS[:3], label=LABELS[:3], y=LABELS[:3])
    assert f"Array 'label' of 'some.npz' {only}" in said and f"Array 'y' of 'some.npz' {only}" in said
    assert "Warning" not in told(labels=LABELS[:3])


@pytest.mark.filterwarnings("ignore:.* images have the numbers")
@pytest.mark.parametrize("command", [("cosim",), ("firmware", "-o", "c"), ("diagnose",)])
def test_more_images_than_there_are_is_said(command: tuple[str, ...]) -> None:
    name, *options = command
    few = "300 is more than there are, 30 images of 'mine.npz': all 30 are used; give a smaller number"
    result = call(name, "mine.loom", *options, "--images", "mine.npz", "--images", "300")
    assert f"Warning: --images {few}" in result.stderr
    assert "Warning" not in call(name, "mine.loom", *options, "--images", "mine.npz", "--images", "30").stderr
    if name == "cosim":
        said = call(name, "mine.loom", "--images", "bare.npz", "--trace-images", "7").stderr
        assert "--trace-images 7 is more than the images that are run: all 6 are traced" in said


def test_a_run_says_so_too() -> None:
    set_up = ("run", "tiny", "--set", "data.test_limit=3", "--set", "train.epochs=1")
    said = call(*set_up, "--images", "4").stderr
    assert "--images 4 is more than there are, 3 of 500 test images of 'digits': all 3 are used" in said


@pytest.mark.filterwarnings("ignore:.* images have the numbers")
def test_more_images_than_there_are_is_said_wherever_the_number_comes_from(place: Path) -> None:
    small = 'preset = "tiny"\n[data]\ntest_limit = 3\n[train]\nepochs = 1\n[cosim]\nimages = '
    (place / "more.toml").write_text(f"{small} 4\n")
    (place / "all.toml").write_text(f"{small} 3\n")
    few = "Warning: [cosim] images 4 is more than there are, 3 of 500 test images of 'digits': all 3 are used"
    for command in ("cosim", "run"):
        assert few in call(command, "more.toml").stderr
        assert few in call(command, "all.toml", "--set", "cosim.images=4").stderr
        assert "is more than" not in call(command, "all.toml").stderr
    assert "is more than" not in call("run", "more.toml", "--to", "train").stderr
    said = call("cosim", "mine.loom", "--data-set", "digits", "--set", "cosim.images=501").stderr
    assert "[cosim] images 501 is more than there are, 500 test images of 'digits': all 500 are used" in said


def test_headers_say_whose_images_they_hold(place: Path) -> None:
    call("firmware", "mine.loom", "-o", "c", "--images", "mine.npz", "--images", "3")
    text = (place / "c/network.h").read_text()
    head = " ".join(text[: text.index("*/")].replace("\n *", " ").split())
    assert "class Sequential, calibrated with 50 images. Images: 3 of 30 images of 'mine.npz'." in head
    assert "digits" not in head and "#define NETWORK_IMAGES 3" in text
    values = json.loads(call("firmware", "mine.loom", "-o", "c", "--data-set", "digits", "--json").stdout)
    assert values["images"] == 10 and values["measured_on"]["set"] == "test images of 'digits'"


def test_a_lifetime_needs_labels_and_says_its_images() -> None:
    drifting = {"device": {"cell": "tantalum", "g_min_S": 1e-4, "g_max_S": 0.025, "acceleration": 1e8}}
    spikeloom.compile(make_model(64, 12, 10), DIGITS.train_images[:50], drifting).save("worn.loom")
    options = ("lifetime", "worn.loom", "--threshold", "0.01", "--limit", "3")
    assert "needs labelled images, but 'bare.npz' has no array 'labels'" in error(*options, "--images", "bare.npz")
    found = json.loads(call(*options, "--images", "mine.npz", "--images", "20", "--json").stdout)
    assert found["measured_on"] == {"set": "images of 'mine.npz'", "count": 20, "of": 30} and found["test_images"] == 20
    assert "20 of 30 images of 'mine.npz'" in call(*options, "--images", "mine.npz", "--images", "20").stdout


def test_a_file_of_another_kind_is_one_sentence(place: Path) -> None:
    (place / "text.npz").write_text("not an archive")
    np.savez("other.npz", pixels=TESTS[:3], y=LABELS[:3])
    np.savez("objects.npz", images=np.array([{"a": 1}], dtype=object))
    np.savez("small.npz", images=TESTS[:3, :60])
    np.savez("late.npz", images=TESTS[:3], labels=LABELS[:2])
    np.savez("ten.npz", images=TESTS[:3], labels=[1, 2, 10])
    np.savez("whole.npz", images=TESTS[:3].astype(np.int64))
    (place / "folder.npz").mkdir()
    with Path("one.npz").open("wb") as file:
        np.save(file, TESTS[:3])
    for value, sentence in (
        ("none.npz", "There is no file 'none.npz' (--images)"),
        ("folder.npz", "There is no file 'folder.npz' (--images)"),
        ("text.npz", "'text.npz' is not an .npz file of arrays, or damaged: "),
        ("one.npz", "'one.npz' is not an .npz file of arrays, or damaged: it holds one array without a name"),
        ("objects.npz", "'objects.npz' is not an .npz file of arrays, or damaged: "),
        ("other.npz", "'other.npz' has no array 'images' (its arrays: 'pixels', 'y')"),
        ("small.npz", "Images of 'small.npz' must have shape [images, 64]"),
        ("late.npz", "Labels of 'late.npz' must have shape (3,), one per image, not (2,)"),
        ("ten.npz", "Labels of 'ten.npz' must lie in 0 .. 9, the chip's classes, but that of image 2 is 10"),
        ("whole.npz", "Images of 'whole.npz' must be uint8"),
        ("many", "--images takes a number of images or a file that ends in .npz, not 'many'"),
        ("3.5", "--images takes a number of images or a file that ends in .npz, not '3.5'"),
    ):
        assert error("cosim", "mine.loom", "--images", value).startswith(sentence), value
    for options, sentence in (
        (("--images", "3", "--images", "4"), "--images may be given twice, for a number and a file"),
        (("--images", "mine.npz", "--images", "bare.npz"), "--images may be given twice, for a number and a file"),
        (("--images", "mine.npz", "--data-set", "digits"), "--data-set digits and --images mine.npz name different"),
        (("--data-set", "emnist"), "There is no data set 'emnist'; --data-set takes digits, mnist"),
        (
            ("--data-set", "mnist"),
            "Data set 'mnist' has images of 784 pixels and 10 classes, but the chip takes 64 pixels and has 10 classes",
        ),
    ):
        assert error("cosim", "mine.loom", *options).startswith(sentence), options


@pytest.mark.filterwarnings("ignore:.* images have the numbers")
def test_a_chip_of_a_run_takes_its_own_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    limited = Config.load({"data": {"test_limit": 40}})
    chip = spikeloom.compile(make_model(64, 12, 10), DIGITS.train_images[:50], limited)
    with pytest.raises(SpikeLoomError, match="does not say which images it is for"):
        images_for(chip, "x.loom", None, None)
    chip.provenance = from_run(chip.provenance, "digits", DIGITS.checksum(), trained=True)
    found = images_for(chip, "x.loom", None, None)
    assert found.measured_on.facts(len(found.images)) == {"set": "test images of 'digits'", "count": 40, "of": 500}
    assert np.array_equal(found.images, TESTS[:40]) and np.array_equal(found.labels, LABELS[:40])
    assert len(images_for(chip, "x.loom", None, None, data_set="digits").images) == 500
    fewer = spikeloom.compile(make_model(64, 12, 5), make_images(9, 64), "tiny")
    with pytest.raises(SpikeLoomError, match="and 10 classes, but the chip takes 64 pixels and has 5 classes"):
        images_for(fewer, "x.loom", None, None, data_set="digits")
    with pytest.raises((DataError, FileError)):
        images_for(
            spikeloom.compile(make_model(784, 12, 10), make_images(9, 784), "tiny"), "x", None, Path("no"), "mnist"
        )
