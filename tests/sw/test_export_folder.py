"""The folder that `Chip.write_verilog` writes."""

import hashlib
import json

import numpy as np
import pytest

import sw
from sim.job import register_writes
from sw.errors import FileError
from tests.sw.models import make_chip

CYCLES = {"settle_cycles": 3, "adc_cycles": 4, "program_cycles": 17}
CHIP = make_chip(coding={"input": "analog"}, hardware=CYCLES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return CHIP.write_verilog(tmp_path_factory.mktemp("verilog") / "out")


def bench(folder):
    return (folder / "example_tb.v").read_text()


def test_level_files_hold_the_levels(folder):
    for index, layer in enumerate(CHIP.image.layers):
        for side, levels in (("p", layer.positive), ("n", layer.negative)):
            lines = (folder / f"layer_{index}_{side}.hex").read_text().split()
            numbers = [int(line, 16) for line in lines]
            found = [[number >> 8 * i & 255 for i in range(levels.shape[1])] for number in numbers]
            np.testing.assert_array_equal(found, levels)


def test_the_register_file_holds_every_write_in_order(folder):
    words = [int(line, 16) for line in (folder / "load.hex").read_text().split()]
    assert all(word < 1 << 56 for word in words)
    found = [(word & 0xFFFFFF, ((word >> 24) ^ (1 << 31)) - (1 << 31)) for word in words]
    assert found == register_writes(CHIP.image)
    assert any(value < 0 for _, value in found)


def test_the_weight_image_is_the_chip(folder):
    assert sw.load(folder / "weights.loom").parameters == CHIP.parameters


def test_every_file_is_listed_with_its_checksum(folder):
    sums = json.loads((folder / "files.json").read_text())
    names = {path.name for path in folder.iterdir()} - {"files.json"}
    assert set(sums) == names
    assert {"chip.sv", "npu.sv", "ports.json", "README.md", "crossbar_macro_ideal.v"} <= names
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_readme_names_the_macros_settings(folder):
    text = (folder / "README.md").read_text()
    for name, cycles in CYCLES.items():
        assert f".{name.upper()}({cycles})" in text and f".{name.upper()}({cycles})" in bench(folder)
    for index, layer in enumerate(CHIP.image.layers):
        assert f".GAIN_SHIFT_{index}({layer.gain_shift})" in text
    assert "20-12-7-5" in text


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(FileError, match=r"^Cannot write '.*out': a part of the path is a file, not a folder$"):
        CHIP.write_verilog(tmp_path / "out")
