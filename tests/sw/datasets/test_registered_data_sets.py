"""docs/extending.md, "A data set", as it stands: a module outside of the tree, by call and by entry point."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import spikeloom
from spikeloom.sw.cli.main import app
from spikeloom.sw.common.errors import ConfigError, DataError
from spikeloom.sw.common.registered_sources import registered_sources
from spikeloom.sw.config.manual_page import configuration_page
from spikeloom.sw.datasets.datasets import DATA_SETS, Dataset, load_data, register_data_set
from spikeloom.sw.datasets.kinds import DataSetKind
from spikeloom.sw.flow.run_folder import load_run_images
from spikeloom.sw.flow.steps import make_flow
from tests.fixtures.guide import guide_blocks, module_in

CODE, ENTRY_POINT = guide_blocks("A data set")
QUICK = ["--set", "train.epochs=3", "--set", "train.hidden=[]", "--set", "data.calibration_images=50"]


@pytest.fixture(scope="module")
def data_sets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The guide's module, which can be imported."""
    with module_in(tmp_path_factory.mktemp("outside"), "my_data", CODE) as module:
        yield module


@pytest.fixture
def registered(data_sets: ModuleType) -> Iterator[ModuleType]:
    data_sets.register()
    try:
        yield data_sets
    finally:
        for kind in DATA_SETS.registered():
            DATA_SETS.unregister(kind.name)


def test_a_run_takes_it_like_any_other(registered: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "stripes").mkdir()
    rng = np.random.default_rng(1)
    labels = np.arange(240) % 2
    images = rng.integers(0, 60, (240, 4, 6))
    images[labels == 0, ::2] += 180
    images[labels == 1, :, ::2] += 180
    np.savez(tmp_path / "stripes" / "stripes.npz", images=images.astype(np.uint8), labels=labels)
    data = load_data("stripes", tmp_path)
    assert (len(data.train_images), len(data.test_images), data.shape, data.classes) == (200, 40, (4, 6), 2)
    (tmp_path / "mine.toml").write_text('preset = "tiny"\nname = "mine"\n[data]\nset = "stripes"\n', encoding="utf-8")
    arguments = ["run", str(tmp_path / "mine.toml"), "--to", "reference", "-o", str(tmp_path / "run")]
    done = CliRunner().invoke(app, [*arguments, "--data", str(tmp_path), *QUICK])
    assert done.exit_code == 0, done.output
    chip = spikeloom.load(next((tmp_path / "run").rglob("*.loom")))
    assert chip.predict(data.test_images).accuracy(data.test_labels) > 0.9
    assert list(registered_sources(*DATA_SETS.registered())) == ["my_data"]


def test_a_run_notices_that_the_files_were_replaced(registered: ModuleType, tmp_path: Path) -> None:
    """With as many bytes too; and skips the step where they are the same."""
    (tmp_path / "stripes").mkdir()
    place = tmp_path / "stripes" / "stripes.npz"
    config = spikeloom.Config.load("tiny").updated({"data": {"set": "stripes"}})

    def run(value: int) -> tuple[list[str], int]:
        np.savez(place, images=np.full((240, 4, 6), value, np.uint8), labels=np.arange(240) % 2)
        flow = make_flow(config, tmp_path / "run", data=tmp_path)
        flow.run(stop="data")
        return flow.done, int(load_run_images(flow).images.max())

    assert run(3) == (["data"], 3)
    assert run(3) == ([], 3)
    assert run(7) == (["data"], 7)


def test_the_configuration_knows_it(registered: ModuleType) -> None:
    assert spikeloom.Config.load({"data": {"set": "stripes"}}).data.set == "stripes"
    assert '`"cifar-100"`, `"stripes"`' in configuration_page()
    with pytest.raises(
        ConfigError, match="augment must be 'none' for the 4 x 6 images of data set 'stripes', not 'affine'"
    ):
        spikeloom.Config.load({"data": {"set": "stripes"}, "train": {"augment": "affine"}})
    registered.register()  # once more is no second one
    assert DATA_SETS.names() == ("digits", "mnist", "fashion-mnist", "svhn", "cifar-10", "cifar-100", "stripes")


def test_the_command_line_says_where_others_come_from(registered: ModuleType) -> None:
    for command in ("cosim", "diagnose", "lifetime", "firmware"):
        shown = "".join(CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output.split())
        assert "cifar-100,oronethataninstalledpackageregisters." in shown.replace("│", "")
    said = CliRunner().invoke(app, ["cosim", "mine.loom", "--data-set", "dots"]).output
    names = "digits, mnist, fashion-mnist, svhn, cifar-10, cifar-100, stripes"
    assert f"There is no data set 'dots'; --data-set takes {names}" in said


def test_without_it_its_name_is_an_error(data_sets: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"\[data\] set must be 'digits', 'mnist', 'fashion-mnist', 'svhn', 'cifar-10' or 'cifar-100', not",
    ):
        spikeloom.Config.load({"data": {"set": "stripes"}})
    with pytest.raises(
        DataError, match="There is no data set 'stripes'; known are digits, mnist, fashion-mnist, svhn, cifar"
    ):
        load_data("stripes")


def test_files_that_cannot_be_downloaded_are_named(registered: ModuleType, tmp_path: Path) -> None:
    said = (
        "Data set 'stripes' is not there: '{}' does not have it; name a data folder that has the folder 'stripes' with "
        "its files, or set SPIKELOOM_DATA to it"
    )
    for folder in (tmp_path, Path()):
        with pytest.raises(DataError, match=f"^{re.escape(said.format((folder / 'stripes').absolute()))}$"):
            load_data("stripes", folder)


class Toy(DataSetKind):
    """Data of whatever form the test wants."""

    name, shape, classes, origin = "toy", (1, 2, 2), 3, "is made here"

    def __init__(self, images: Any, labels: Any) -> None:
        self.images, self.labels = images, labels

    def read(self, folder: Path) -> Dataset:
        return Dataset("toy", self.images, self.labels, self.images, self.labels, (2, 2), 3)


GOOD = np.zeros((5, 4), np.uint8), np.zeros(5, np.int64)


@pytest.mark.parametrize(
    ("images", "labels", "sentence"),
    [
        (GOOD[0][:, :3], GOOD[1], r"training images of data set 'toy' must be uint8 \[images, 4\], not uint8 \[5, 3\]"),
        (
            GOOD[0] / 2.0,
            GOOD[1],
            r"training images of data set 'toy' must be uint8 \[images, 4\], not float64 \[5, 4\]",
        ),
        (GOOD[0], GOOD[1][:4], r"training labels of data set 'toy' must be int64 \[5\], not int64 \[4\]"),
        (GOOD[0], GOOD[1] + 3, r"training labels of data set 'toy' must be 0 \.\. 2, not 3 \.\. 3"),
    ],
)
def test_what_is_read_must_be_what_the_kind_says(images: Any, labels: Any, sentence: str) -> None:
    Toy(*GOOD).load(None)
    with pytest.raises(DataError, match=f"^The {sentence}$"):
        Toy(images, labels).load(None)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("digits", "There is a data set 'digits' already; give Named another name"),
        (
            "My Data",
            "The name of the data set Named must be a text of small letters, digits, '-' and '_', not 'My Data'",
        ),
    ],
)
def test_what_cannot_be_registered(name: str, sentence: str) -> None:
    named = type("Named", (DataSetKind,), {"name": name, "shape": (1, 2, 2), "classes": 2})
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        register_data_set(named())


def test_the_entry_point_is_of_the_registrys_group() -> None:
    assert ENTRY_POINT == f'[project.entry-points."{DATA_SETS.group}"]\nstripes = "my_data:register"\n'
