"""The folder that `Chip.write_verilog` writes."""

import hashlib
import json
import re

import numpy as np
import pytest

import spikeloom
from spikeloom.hw.host.register_map import build_id
from spikeloom.sim.chip.register_writes import register_writes
from spikeloom.sw.common.errors import FileError
from spikeloom.sw.export.firmware import load_checksum, load_writes
from tests.fixtures.models import make_chip

CYCLES = {"settle_cycles": 3, "adc_cycles": 4, "program_cycles": 17}
CHIP = make_chip(coding={"input": "analog"}, hardware=CYCLES, programming={"method": "write-verify"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return CHIP.write_verilog(tmp_path_factory.mktemp("verilog") / "out")


def lines(folder, name):
    return (folder / name).read_text().split()


def bench(folder):
    return (folder / "example_tb.v").read_text()


def test_level_files_hold_the_levels(folder):
    for index, layer in enumerate(CHIP.programmed.layers):
        for side, levels in (("p", layer.positive), ("n", layer.negative)):
            lines = (folder / f"layer_{index}_{side}.hex").read_text().split()
            numbers = [int(line, 16) for line in lines]
            found = [[number >> 8 * i & 255 for i in range(levels.shape[1])] for number in numbers]
            np.testing.assert_array_equal(found, levels)


def test_the_register_file_holds_every_write_in_order(folder):
    words = [int(line, 16) for line in (folder / "load.hex").read_text().split()]
    assert all(word < 1 << 56 for word in words)
    found = [(word & 0xFFFFFF, ((word >> 24) ^ (1 << 31)) - (1 << 31)) for word in words]
    assert found == register_writes(CHIP.programmed)
    assert any(value < 0 for _, value in found)


def test_the_weight_image_is_the_chip(folder):
    assert spikeloom.load(folder / "weights.loom").parameters == CHIP.parameters


def test_every_file_is_listed_with_its_checksum(folder):
    sums = json.loads((folder / "files.json").read_text())
    names = {path.name for path in folder.iterdir()} - {"files.json"}
    assert set(sums) == names
    assert {"chip.sv", "npu.sv", "ports.json", "README.md", "crossbar_macro_ideal.v"} <= names
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_constraints_and_description_lie_beside_the_verilog(folder):
    assert "set period_ns 10\n" in (folder / "npu.sdc").read_text(), "100 MHz"
    listed = re.findall(r"<ipxact:file>\s*<ipxact:name>([^<]+)<", (folder / "npu.xml").read_text())
    assert sorted(listed) == sorted(
        path.name for path in folder.iterdir() if path.name not in ("npu.xml", "files.json")
    )


def test_the_readme_names_the_macros_settings(folder):
    text = (folder / "README.md").read_text()
    for name, cycles in CYCLES.items():
        assert f".{name.upper()}({cycles})" in text and f".{name.upper()}({cycles})" in bench(folder)
    for index, layer in enumerate(CHIP.programmed.layers):
        assert f".GAIN_SHIFT_{index}({layer.gain_shift})" in text
    assert "20-12-7-5" in text


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(
        FileError, match=r"^Cannot write '.*out': a part of the path is a file, not a folder; choose another path$"
    ):
        CHIP.write_verilog(tmp_path / "out")


def test_with_buses(tmp_path):
    """The IP block: everything listed, and named in its README; the load list is the firmware's."""
    folder = CHIP.write_verilog(tmp_path / "out", bus=True)
    names = {path.name for path in folder.iterdir()}
    assert set(json.loads((folder / "files.json").read_text())) == names - {"files.json"}
    text = (folder / "README.md").read_text()
    for name in names - {"README.md"}:
        known = re.sub(r"^npu_axi_.*", "npu_axi_*.sv", re.sub(r"^layer_\d", "layer_<l>", name))
        assert f"`{known}`" in text, name
    for name, cycles in CYCLES.items():
        assert f".{name.upper()}({cycles})" in text
    assert f"0x{build_id(CHIP.parameters):08x}" in text
    assert spikeloom.load(folder / "weights.loom").parameters == CHIP.parameters
    assert load_writes(CHIP.programmed) == [
        (int(address, 16), int(data, 16)) for address, data in (line.split("_") for line in lines(folder, "load.hex"))
    ]
    assert f"{load_checksum(load_writes(CHIP.programmed)):#010x}" in text


def test_plain_and_bus_exports_take_each_others_place(tmp_path):
    CHIP.write_verilog(tmp_path / "out", bus=True)
    folder = CHIP.write_verilog(tmp_path / "out")
    assert (folder / "chip.sv").exists() and not (folder / "axi_chip.sv").exists()
    with pytest.raises(TypeError, match=r"^bus must be True or False, not 1$"):
        CHIP.write_verilog(tmp_path / "out", bus=1)


def test_seeds_are_there_only_where_a_coding_draws(folder, tmp_path):
    """README, bench and images of the analog coding have none, nor has any port; those of the rate coding do."""
    for path in folder.iterdir():
        if path.suffix in (".md", ".v", ".sv", ".json"):
            assert not re.search(r"\bseed\b", path.read_text()), path.name
    digits = 2 * CHIP.parameters.pixel_words * CHIP.parameters.encoder_lanes
    assert {len(line) for line in lines(folder, "example_images.hex")} == {digits}
    rate = make_chip(coding={"input": "rate"})
    drawing = rate.write_verilog(tmp_path / "out")
    text = (drawing / "README.md").read_text()
    assert "and `seed`, used by rate coding only" in text and "one line each: seed, pixels, pixel 0 last" in text
    assert ".seed(seed), .tag(tag)" in bench(drawing)
    digits = 2 * rate.parameters.pixel_words * rate.parameters.encoder_lanes
    assert {len(line) for line in lines(drawing, "example_images.hex")} == {32 + 1 + digits}
