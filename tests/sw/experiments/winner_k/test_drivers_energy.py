"""The crossbar energy of the experiment is what the row drivers supply, also with resistive wires."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding, DecisionRule
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.estimates.energy import energy_rows
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.experiments.winner_k.experiment import Images
from spikeloom.sw.experiments.winner_k.lifetimes import first_images
from spikeloom.sw.experiments.winner_k.static import static_numbers
from tests.fixtures.networks import random_chip, random_pixels
from tests.sim.devices.test_ir_drop import solution


def driven(wire_ohm: float) -> tuple[ProgrammedChip, Images]:
    """One layer of 20 x 7 in one tile that runs one step, and four images."""
    rng = np.random.default_rng(0)
    chip = random_chip(
        rng, sizes=[20, 7], coding=Coding.EVEN, even_start=254, row_bits=1, t_max=1, rule=DecisionRule.FIXED, skip=0,
        phases=1, tile_rows=20, tile_columns=7, device=Device(device_sigma=0.1, wire_ohm=wire_ohm),
    )  # fmt: skip
    return chip, Images(random_pixels(rng, 4, 20), np.zeros(4, np.int64))


def drivers_energy(chip: ProgrammedChip, images: Images) -> float:
    """Joules of an image, mean, from a node-by-node solution of the array: volts times currents of the drivers."""
    (array,) = build_arrays(chip)
    g_S = np.ascontiguousarray(array.cells_S.transpose(1, 2, 0)).reshape(20, -1)
    volts = chip.device.v_read_V * (images.pixels > 0)
    return float(np.mean([solution(g_S, chip.device.wire_ohm, v_V)[2] for v_V in volts])) * chip.read_s


@pytest.mark.parametrize("wire_ohm", [20.0, 2000.0])
def test_static_and_lifetime_energies_are_those_of_the_drivers(wire_ohm: float) -> None:
    chip, images = driven(wire_ohm)
    expected = pytest.approx(drivers_energy(chip, images), rel=1e-3)
    assert static_numbers(chip, images)["crossbar_energy_J"] == expected
    assert first_images(chip, images, 4)["crossbar_energy_J"] == expected


def test_stray_current_is_a_part_of_it() -> None:
    """At 2 kiloohms between cells more than a twentieth: what reaches the converters alone is too little."""
    chip, images = driven(2000.0)
    rows, _ = energy_rows(chip, run_reference(chip, images.pixels))
    cells, stray = (row.energy_J["typical"] for row in rows if row.part.component == "crossbar")
    assert stray > 0.05 * (cells + stray)
    assert static_numbers(chip, images)["crossbar_energy_J"] == pytest.approx(cells + stray, rel=1e-12)
