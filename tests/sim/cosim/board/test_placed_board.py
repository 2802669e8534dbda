"""The placed cells of a whole board, from the pins of its serial port on, against the reference."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeloom.hw.boards.boards import BOARDS
from spikeloom.hw.boards.netlist import placed_netlist
from spikeloom.hw.boards.programs import programs_of
from spikeloom.hw.boards.project import Project, project_of, unit_text
from spikeloom.hw.boards.steps import Steps
from spikeloom.hw.boards.toolchain import build, place_step, synthesis_step
from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout, Reset
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.board.placed_board import placed_simulator
from spikeloom.sim.cosim.board.simulated_board import SimulatedBoard
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.config.board_section import BoardSection
from spikeloom.sw.config.config import Config
from spikeloom.sw.export.board_design import board_unit
from spikeloom.sw.flow.run_folder import load_chip
from spikeloom.sw.flow.steps import make_flow
from spikeloom.sw.host import Host
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.whole_boards import check_result

ROOT = Path(__file__).parents[4]
HX8K = "ice40-hx8k-evn"
SMALL: dict[str, Any] = {
    "sizes": [12, 3], "tile_rows": 8, "tile_columns": 6, "lanes": 1, "encoder_lanes": 1, "encoders": 1,
    "adc_bits": 4, "phases": 1, "max_steps": 4, "t_max": 4, "row_bits": 1, "coding": Coding.EVEN, "even_start": 127,
    "settle_cycles": 1, "adc_cycles": 1, "device": Device(bits=2, device_sigma=0.1), "seed": 7, "skip": 0,
    "rule": DecisionRule.WINNER_K, "readout": Readout.SPIKES, "k": 2, "theta": 3, "v0": 1, "bias": 0, "gain_shift": 0,
    "clip": 0, "leak": 0, "output_reset": Reset.SUBTRACT, "reset": Reset.SUBTRACT,
    "neuron_features": "used", "input_codings": "used", "programmer": False, "activity_counters": False,
}  # fmt: skip


def small_chip() -> ProgrammedChip:
    """One layer of two row tiles, with the narrowest registers that it needs."""
    chip = random_chip(np.random.default_rng(3), **SMALL)
    layers = tuple(replace(layer, max_theta=15, max_bias=1, max_gain_shift=1) for layer in chip.parameters.layers)
    return replace(chip, parameters=replace(chip.parameters, layers=layers))


def project(chip: ProgrammedChip, clock_Hz: float) -> tuple[Project, int]:
    """A chip's project for the HX8K board, with a fast serial port: 8 cycles per bit."""
    board = BOARDS[HX8K]
    clock = board.clock(clock_Hz)
    section = BoardSection(name=HX8K, clock_Hz=clock_Hz, rows_per_cycle=1, baud=int(clock.Hz) // 8)
    unit = board_unit(chip, section, board, clock)
    return project_of(board, clock, unit_text(unit)), board.clocks_per_bit(clock, section.baud)


def packed(made: Project, folder: Path) -> dict[str, Any]:
    """The FPGA's cells as nextpnr packs them; placement and routing, the longest part of a build, leave them as they
    are.
    """
    programs = programs_of(made.board.family)
    steps = Steps(folder / "steps", folder / "logs")
    step = place_step(made, programs.nextpnr, steps.run(synthesis_step(made, programs.yosys)).read("top.json"), seed=1)
    done = steps.run(replace(step, arguments=(*step.arguments, "--pack-only"), results=("placed.json",)))
    found: dict[str, Any] = json.loads(done.read("placed.json"))
    return found


def compared(
    chip: ProgrammedChip, pixels: NDArray[np.uint8], netlist: dict[str, Any], clocks_per_bit: int, quick: bool
) -> int:
    """Load a chip and run images on the cells; returns how many values are those of the reference."""
    simulator = placed_simulator(BOARDS[HX8K], netlist, clocks_per_bit, quick=quick)
    with SimulatedBoard(simulator) as simulated, Host.connect(simulated.port, patience_s=60) as host:
        host.load(chip)
        found = host.infer(pixels)
    expected = run_reference(chip, pixels)
    return check_result(found, expected)


def test_a_small_network_on_an_ice40(tmp_path: Path) -> None:
    chip = small_chip()
    pixels = random_pixels(np.random.default_rng(4), 4, 12)
    made, clocks_per_bit = project(chip, 12e6)
    assert compared(chip, pixels, packed(made, tmp_path), clocks_per_bit, quick=True) == 4 * len(pixels)


@pytest.mark.slow
def test_packing_alone_gives_the_cells_of_the_placed_design(tmp_path: Path) -> None:
    """Without a PLL, with which nextpnr breaks off where it only packs."""
    made, _ = project(small_chip(), 12e6)
    netlist = build(made, tmp_path / "build").placed.netlist
    assert placed_netlist(made.board, packed(made, tmp_path / "packed")) == placed_netlist(made.board, netlist)


@pytest.mark.slow
def test_the_digits_of_the_example(tmp_path: Path) -> None:
    """As it is placed and routed, with its PLL. Some minutes."""
    flow = make_flow(Config.load(ROOT / "examples" / "hx8k_digits.toml"), tmp_path / "run")
    flow.run(stop="convert")
    chip = load_chip(flow).programmed
    with np.load(tmp_path / "run" / "data" / "images.npz") as images:
        pixels = images["images"][:20]
    made, clocks_per_bit = project(chip, chip.clock_Hz)
    netlist = build(made, tmp_path / "build").placed.netlist
    assert compared(chip, pixels, netlist, clocks_per_bit, quick=False) == 4 * len(pixels)
