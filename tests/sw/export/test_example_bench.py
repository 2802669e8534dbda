"""The example in an exported folder: it passes as it is, and fails where the chip or what is expected is changed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sim.devices.effects import ideal_device
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.export.example_axi_bench import axi_example_files
from spikeloom.sw.export.example_bench import EXAMPLE_IMAGES, example_files, example_pixels
from tests.conftest import icarus
from tests.fixtures.exported import command, shell
from tests.fixtures.models import make_chip

NOISY = {"device_sigma": 0.1, "read_sigma": 0.05, "stuck_on": 0.01, "wire_ohm": 1.0}
CHIPS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "noisy": ((), {"device": NOISY}),
    "pulses": (
        (),
        {
            "device": {"pulse_up": 0.7, "pulse_sigma": 0.2, "stuck_on": 0.05},
            "programming": {"method": "write-verify", "tolerance": 0.75},
        },
    ),
    "analog": ((), {"coding": {"input": "analog"}}),
    "rate": ((), {"coding": {"input": "rate", "phases": 2}, "hardware": {"encoder_lanes": 3, "adc_cycles": 2}}),
    "membrane": ((), {"neuron": {"output_reset": "none"}, "decision": {"readout": "membrane", "rule": "fixed"}}),
    "one neuron": ((5, 1), {}),
}
QUICK = {"rate", "one neuron"}
CASES = [(name, False) for name in CHIPS]
CASES += [pytest.param(name, True, marks=[] if name in QUICK else pytest.mark.slow) for name in CHIPS]


def simulate(folder: Path) -> subprocess.CompletedProcess[str]:
    """The folder's README says how."""
    return shell(command(folder, "iverilog "), folder)


@icarus
@pytest.mark.parametrize(("name", "bus"), CASES, ids=lambda value: str(value).replace("True", "bus"))
def test_the_command_of_the_readme_passes(name, bus, tmp_path):
    sizes, tables = CHIPS[name]
    ran = simulate(make_chip(*sizes, **tables).write_verilog(tmp_path / "out", bus))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("image ") == EXAMPLE_IMAGES and f"PASS: {EXAMPLE_IMAGES} images" in ran.stdout


@icarus
@pytest.mark.parametrize("name", ["example_results.hex", "layer_1_p.hex", "load.hex"])
def test_a_changed_file_fails(name, tmp_path):
    """A wrong expectation, wrong cells, wrong thresholds."""
    folder = make_chip().write_verilog(tmp_path / "out")
    text = (folder / name).read_text()
    changed = {
        "example_results.hex": lambda: re.sub(r".$", lambda last: "1" if last[0] == "0" else "0", text.strip()) + "\n",
        "layer_1_p.hex": lambda: re.sub("[0-9a-f]", "0", text),
        "load.hex": lambda: re.sub(r"^.{8}(?=010000$)", "00000001", text, flags=re.M),
    }[name]()
    assert changed != text
    (folder / name).write_text(changed)
    ran = simulate(folder)
    assert ran.returncode != 0 and "FAIL" in ran.stdout + ran.stderr and "PASS" not in ran.stdout


def test_expected_results_are_those_of_ideal_cells():
    chip = make_chip(device=NOISY)
    result = run_reference(chip.programmed.with_device(ideal_device(chip.programmed.device)), example_pixels(20))
    lines = example_files(chip.programmed)["example_results.hex"].split()
    assert [int(line.split("_")[0], 16) for line in lines] == result.classes.tolist()
    assert [int(line.split("_")[1], 16) for line in lines] == result.steps.tolist()
    clean = ideal_device(chip.programmed.device).model_dump()
    assert {name for name, value in clean.items() if value == 0.0} >= {*NOISY, "program_sigma", "stuck_off"}


def test_the_same_bytes_every_time():
    assert example_files(make_chip().programmed) == example_files(make_chip(device=NOISY).programmed)
    assert axi_example_files(make_chip().programmed) == axi_example_files(make_chip(device=NOISY).programmed)
    assert np.mean(example_pixels(784) == 0) == pytest.approx(0.5, abs=0.05)
