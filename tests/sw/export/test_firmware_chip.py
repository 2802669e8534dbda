"""The C program of `examples/firmware` against the Verilog of the chip with its buses."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.device_config import Programming
from spikeloom.sim.cosim.host.simulator import build_host_simulator
from spikeloom.sim.cosim.macro_model import MacroModel, fresh_models, save_models
from spikeloom.sim.cosim.simulator import Simulator
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.programming.write_verify import program_chip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.export.firmware import firmware_files
from tests.fixtures.drifting import DRIFT
from tests.fixtures.models import make_chip, make_images
from tests.sw.export.test_firmware import COMPILER, compiled

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

PIXELS = make_images(6, 20)
DEVICE = {"device_sigma": 0.05, "read_sigma": 0.01, "pulse_sigma": 0.1, "stuck_on": 0.02, "stuck_off": 0.02}
VERIFIED = make_chip(
    device=DEVICE,
    programming={"method": "write-verify", "tries": 20, "fault_aware": True},
    hardware={"input_codings": "all"},
).programmed
CHIP = dataclasses.replace(VERIFIED, programming=Programming())
OXIDE = VERIFIED.with_device(VERIFIED.device.model_copy(update=DRIFT))


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return build_host_simulator(CHIP, quick=True)


def run(simulator: Simulator, program: Path, folder: Path, *options: str, plusargs: Sequence[str] = ()) -> str:
    """Run the simulator in `folder` and the program against it; what the program says."""
    for name in ("commands", "responses"):
        os.mkfifo(folder / name)
    with simulator.in_use(), (folder / "simulation.log").open("wb") as log:
        words, environment = simulator.command(folder, "spikeloom.sim.cosim.host.host_cocotb", plusargs)
        with subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT) as chip:
            try:
                done = subprocess.run([program, str(folder), *options], capture_output=True, text=True, timeout=120)
                chip.wait(20)
            finally:
                chip.kill()
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_cells_that_are_programmed_already(simulator, tmp_path):
    save_models(tmp_path, [MacroModel(array) for array in build_arrays(CHIP)])
    text = run(simulator, compiled(tmp_path, firmware_files(CHIP, PIXELS)), tmp_path, "--damaged")
    assert "PASS: 6 images agree with the reference" in text
    assert "a damaged load: the chip's checksum differs" in text
    found = re.findall(r"class (\d+), (\d+) steps, margin (-?\d+), (\d+) cycles, gap (\d+)", text)
    result = run_reference(CHIP, PIXELS)
    assert [tuple(map(int, line[:3])) for line in found] == list(
        zip(result.classes, result.steps, result.margins, strict=True)
    )
    assert all(int(gap) <= 3 for *_, gap in found[1:]), text


def test_soft_reset_with_images_on_their_way_stalls_and_seeds(simulator, tmp_path):
    programmed = dataclasses.replace(CHIP, coding=Coding.RATE)
    save_models(tmp_path, [MacroModel(array) for array in build_arrays(programmed)])
    program = compiled(tmp_path, firmware_files(programmed, PIXELS))
    text = run(simulator, program, tmp_path, "--reset", plusargs=("+stalls",))
    assert "an image after a soft reset: the chip dropped an image: nothing is loaded" in text
    assert "PASS: 6 images agree with the reference" in text


@pytest.mark.parametrize("chip", [VERIFIED, OXIDE], ids=["linear", "tantalum"])
def test_cells_are_programmed_by_the_firmware(simulator, chip, tmp_path):
    """Tantalum cells drift from where the pulses left them."""
    save_models(tmp_path, fresh_models(chip))
    files = firmware_files(chip, PIXELS)
    text = run(simulator, compiled(tmp_path, files), tmp_path)
    assert "PASS: 6 images agree with the reference" in text
    known = program_chip(chip)
    words = re.search(r"(\d+) starts, (\d+) second passes, (\d+) pulses, (\d+) verify reads, (\d+) cells failed", text)
    assert words is not None
    starts, second, pulses, reads, failed = map(int, words.groups())
    assert starts == sum(min(p.tile_rows, p.inputs) * p.groups for p in chip.parameters.layers)
    assert second == sum(int(layer.second.sum()) for layer in known.layers) > 0
    assert pulses == sum(int(layer.state.pulses.sum()) for layer in known.layers)
    assert reads == sum(int(layer.state.reads.sum()) for layer in known.layers)
    assert failed == sum(int(np.count_nonzero(layer.final.failed)) for layer in known.layers)
