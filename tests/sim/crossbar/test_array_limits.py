"""What arrays ask of wires, drivers and half-selected cells, against sums over cells, and the sentences about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.crossbar.array_limits import array_loads, array_problems, half_selected_levels
from spikeloom.sim.devices.tantalum.oxide import TantalumOxide
from spikeloom.sim.devices.tantalum.pulse import pulse
from spikeloom.sw.common.errors import ArrayWarning
from spikeloom.sw.config.config import PRESETS, Config
from tests.fixtures.models import make_chip
from tests.fixtures.networks import random_chip

FULL: dict[str, Any] = {"cell": "tantalum", "g_min_S": 1e-4, "g_max_S": 0.025}
PULSES = {"method": "write-verify"}


def a_chip(device: Device, seed: int = 0) -> ProgrammedChip:
    rng = np.random.default_rng(seed)
    return random_chip(
        rng, sizes=[30, 20, 5], tile_rows=8, tile_columns=7, device=device, row_bits=1, coding=Coding.RATE
    )


@pytest.mark.parametrize("wire_ohm", [0.0, 0.3])
def test_currents_are_sums_over_the_cells_of_a_tile(wire_ohm: float) -> None:
    device = Device(v_read_V=0.3, wire_ohm=wire_ohm)
    programmed = a_chip(device)
    for load, layer, shape in zip(
        array_loads(programmed), programmed.layers, programmed.parameters.layers, strict=True
    ):
        rows, tiles, losses = [], [], []
        for top in range(0, shape.inputs, 8):
            for left in range(0, shape.outputs, 7):
                p, n = (levels[top : top + 8, left : left + 7] for levels in (layer.positive, layer.negative))
                cells_S = device.g_min_S + np.stack([p, n], axis=2).reshape(len(p), -1) * device.step_S
                rows += (0.3 * cells_S.sum(axis=1)).tolist()
                tiles.append(0.3 * cells_S.sum())
                pairs = cells_S.reshape(len(p), -1, 2).sum(axis=2)
                places = np.arange(1, 2 * pairs.shape[1] + 1).reshape(-1, 2).mean(axis=1)
                losses += ((wire_ohm or 1.0) * pairs @ places).tolist()
        assert load.row_A == pytest.approx(max(rows)) and load.tile_A == pytest.approx(max(tiles))
        assert load.loss == pytest.approx(max(losses)) and load.ohm == (wire_ohm or 1.0)


def test_half_selected_cells_go_as_far_as_their_equations_say() -> None:
    programmed = a_chip(Device(**FULL))
    oxide, device = TantalumOxide(), programmed.device
    moved = []
    for level in range(16):
        g_S = device.g_min_S + level * device.step_S
        w = oxide.state(np.array([min(g_S, 0.025)]), 0.2)
        moved += [abs(float(oxide.conductance_S(pulse(oxide, w, up, 0.5), 0.2)[0]) - g_S) for up in (True, False)]
    assert (
        half_selected_levels(programmed) == pytest.approx(max(moved) / device.step_S, rel=1e-9)
        and max(moved) > 0.5 * device.step_S
    )
    assert half_selected_levels(a_chip(Device())) is None


def test_what_no_array_bears_is_warned_of_and_noted() -> None:
    with pytest.warns(ArrayWarning) as seen:
        chip = make_chip(64, 60, 10, device=FULL, programming=PULSES)
    said = [str(item.message) for item in seen if item.category is ArrayWarning]
    assert len(said) == 3 and seen[0].filename.startswith(str(Path(__file__).parents[2]))
    for sentence, (first, *rest) in zip(said, [
        ("Rows of layer '", "draw up to", "wires and drivers of a row bear some 10 mA; lower [device] g_max_S (0.025)"),
        ("Wires are ideal ([device] wire_ohm 0), but with 1 ohm per segment ", "would lose all of the read voltage"),
        ("A programming pulse at half of v_program_V (1 V) moves a cell by up to 4 levels: ", "a lower v_program_V"),
    ], strict=True):  # fmt: skip
        assert sentence.startswith(first) and all(part in sentence for part in rest)
        assert sentence in chip.notes
    assert list(array_problems(chip.programmed)) == said


@pytest.mark.parametrize("device", [{}, {"bits": 6, "g_max_S": 1e-4}, {"wire_ohm": 5.0}])
def test_usual_arrays_are_silent(device: dict[str, Any]) -> None:
    assert list(array_problems(make_chip(784, 256, 10, device=device).programmed)) == []


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_are_silent(preset: str) -> None:
    assert not Config.load(preset).device.drifts
    chip = make_chip(256, 64, 10, device=Config.load(preset).device.model_dump(exclude={"pulse_sigma"}))
    assert isinstance(chip, spikeloom.Chip) and list(array_problems(chip.programmed)) == []
