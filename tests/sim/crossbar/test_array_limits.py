"""What arrays ask of wires, drivers and half-selected cells, against sums over cells, and the sentences about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.slips import SpikeLoomWarning
from spikeloom.sim.crossbar.array_limits import array_loads, array_problems, half_selected_levels, tile_losses
from spikeloom.sim.devices.tantalum.oxide import TantalumOxide
from spikeloom.sim.devices.tantalum.pulse import pulse
from spikeloom.sw.common.errors import ArrayWarning
from spikeloom.sw.config.config import PRESETS, Config
from tests.fixtures.models import make_chip
from tests.fixtures.networks import random_chip
from tests.sim.devices.test_ir_drop import potentials

FULL: dict[str, Any] = {"cell": "tantalum", "g_min_S": 1e-4, "g_max_S": 0.025}
PULSES = {"method": "write-verify"}


def a_chip(device: Device, seed: int = 0) -> ProgrammedChip:
    rng = np.random.default_rng(seed)
    return random_chip(
        rng, sizes=[30, 20, 5], tile_rows=8, tile_columns=7, device=device, row_bits=1, coding=Coding.RATE
    )


@pytest.mark.parametrize("wire_ohm", [0.0, 0.3])
def test_currents_and_losses_are_sums_over_the_cells_of_a_tile(wire_ohm: float) -> None:
    device = Device(v_read_V=0.3, wire_ohm=wire_ohm)
    programmed = a_chip(device)
    for load, layer, shape in zip(
        array_loads(programmed), programmed.layers, programmed.parameters.layers, strict=True
    ):
        found = []
        for top in range(0, shape.inputs, 8):
            for left in range(0, shape.outputs, 7):
                p, n = (levels[top : top + 8, left : left + 7] for levels in (layer.positive, layer.negative))
                cells_S = device.g_min_S + np.stack([p, n], axis=2).reshape(len(p), -1) * device.step_S
                height, width = cells_S.shape
                ohm = wire_ohm or 1.0
                rows = [ohm * sum((m + 1) * g for m, g in enumerate(row)) for row in cells_S]
                columns = [ohm * sum((height - r) * g for r, g in enumerate(column)) for column in cells_S.T]
                losses = [
                    ohm * sum(min(m, i) * g for i, g in enumerate(cells_S[r], 1))
                    + ohm * sum(min(height - r, height - j) * g for j, g in enumerate(cells_S[:, m - 1]))
                    for r in range(height)
                    for m in range(1, width + 1)
                ]
                currents = (cells_S.sum(axis=1).max(), cells_S.sum(axis=0).max(), cells_S.sum())
                found.append((*(0.3 * each for each in currents), max(rows), max(columns), max(losses)))
        said = (load.row_A, load.column_A, load.tile_A, load.row_loss, load.column_loss, load.loss)
        assert said == pytest.approx(np.max(found, axis=0).tolist()) and load.ohm == (wire_ohm or 1.0)
        assert load.loss > max(load.row_loss, load.column_loss)


@pytest.mark.parametrize("shape", [(1, 1), (1, 12), (20, 1), (16, 2), (3, 14), (9, 10)])
@pytest.mark.parametrize("largest", [0.03, 0.33, 0.8])
def test_first_order_losses_bound_those_of_the_network(shape: tuple[int, int], largest: float) -> None:
    """With L the largest, every cell's true loss is 1 - L to 1 times the first-order one, along the row, along the
    column and in all; so are the currents of rows, columns and the tile.
    """
    rng = np.random.default_rng(11)
    for low_S in (1e-6, 9e-5):
        g_S = rng.uniform(low_S, 1e-4, shape)
        ohm = largest / np.sum(tile_losses(g_S, 1.0), axis=0).max()
        v_V = np.full(shape[0], 0.2)
        rows_V, columns_V = potentials(g_S, ohm, v_V)
        along_rows, along_columns = tile_losses(g_S, ohm)
        actual_S = g_S * (rows_V - columns_V) / 0.2
        pairs = [
            (1.0 - rows_V / 0.2, along_rows),
            (columns_V / 0.2, along_columns),
            (1.0 - (rows_V - columns_V) / 0.2, along_rows + along_columns),
            (actual_S.sum(axis=1), g_S.sum(axis=1)),
            (actual_S.sum(axis=0), g_S.sum(axis=0)),
            (actual_S.sum(), g_S.sum()),
        ]
        assert (along_rows + along_columns).max() == pytest.approx(largest)
        for true, first in pairs:
            assert np.all(true <= first * (1.0 + 1e-9)) and np.all(true >= (1.0 - largest) * first * (1.0 - 1e-9))


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
    assert len(said) == 5 and seen[0].filename.startswith(str(Path(__file__).parents[2]))
    for sentence, (first, *rest) in zip(said, [
        ("Rows of layer '", "draw up to", "wires and drivers of a row bear some 10 mA; lower [device] g_max_S (0.025)"),
        ("Columns of layer '", "carry up to", "where all rows are driven", "or [crossbar] tile_rows"),
        ("Wires are ideal ([device] wire_ohm 0), but with 1 ohm per segment ", "would lose up to all of the read "),
        ("Programming pulses drive up to 25 mA through a cell, v_program_V (1) times g_max_S (0.025)", "some 10 mA"),
        ("A programming pulse at half of v_program_V (1 V) moves a cell by up to 4 levels: ", "a lower v_program_V"),
    ], strict=True):  # fmt: skip
        assert sentence.startswith(first) and all(part in sentence for part in rest)
        assert sentence in chip.notes
    assert list(array_problems(chip.programmed)) == said


def problems(
    size: tuple[int, int], tile: tuple[int, int] | None = None, pulses: bool = False, **device: Any
) -> list[str]:
    """Of a layer whose p cells all have the top level, its n cells the lowest; in one tile if not given."""
    chip = random_chip(
        np.random.default_rng(0),
        sizes=list(size),
        tile_rows=(tile or size)[0],
        tile_columns=(tile or size)[1],
        device=Device(**device),
        row_bits=1,
        coding=Coding.RATE,
    )
    layer = replace(chip.layers[0], positive=np.full(size, 15, np.uint8), negative=np.zeros(size, np.uint8))
    method = "write-verify" if pulses else "direct"
    return list(array_problems(replace(chip, layers=(layer,), programming=Programming(method=method))))


def test_a_column_is_judged_as_a_row_is() -> None:
    """Few columns, many rows: nothing is said of the rows."""
    current, loss = problems((64, 2), (64, 1), g_min_S=3e-5, g_max_S=3e-3)
    assert current == (
        "Columns of layer 'dense0' carry up to 38.4 mA where all rows are driven, but the wire of a column bears some "
        "10 mA; lower [device] g_max_S (0.003) or v_read_V (0.2), or [crossbar] tile_rows"
    )
    assert loss == (
        "Wires are ideal ([device] wire_ohm 0), but with 1 ohm per segment cells of layer 'dense0' would lose up to "
        "all of the read voltage (up to 0% along a row, all along a column); set wire_ohm to see what that does, or "
        "lower g_max_S (0.003) or [crossbar] tile_rows"
    )


@pytest.mark.parametrize(
    ("size", "share", "tile"),
    [
        ((40, 1), "up to 41% of the read voltage (up to 0% along a row, 41% along a column)", "tile_rows"),
        ((1, 28), "up to 39% of the read voltage (up to 39% along a row, 0% along a column)", "tile_columns"),
        ((28, 20), "up to 40% of the read voltage (up to 20% along a row, 20% along", "tile_rows and tile_columns"),
    ],
)
def test_wires_are_judged_whether_they_are_modelled_or_not(size: tuple[int, int], share: str, tile: str) -> None:
    device = {"g_min_S": 1e-6, "g_max_S": 5e-4}
    (ideal,), (real,) = problems(size, **device), problems(size, **device, wire_ohm=1.0)
    assert share in ideal and ideal.endswith(f"or [crossbar] {tile}")
    assert share in real and real.endswith(f"or [crossbar] {tile}")
    assert ideal.startswith("Wires are ideal ([device] wire_ohm 0), but with 1 ohm per segment cells of layer 'dense0'")
    assert real.startswith("With wires of 1 ohm per segment ([device] wire_ohm) cells of layer 'dense0' lose up to ")
    assert problems(size, **device, wire_ohm=0.5) == []


def test_programming_pulses_of_linear_cells_are_judged() -> None:
    assert problems((8, 2), pulses=True) == []
    with pytest.warns(SpikeLoomWarning, match=r"v_program_V is 30.0: usual values are 0.05 .. 5 volts"):
        (current,) = problems((8, 2), pulses=True, g_max_S=5e-4, v_program_V=30.0)
    assert current == (
        "Programming pulses drive up to 15 mA through a cell, v_program_V (30) times g_max_S (0.0005), but its wires "
        "bear some 10 mA; lower one of them"
    )
    (weak,) = problems((8, 2), pulses=True, v_program_V=0.5, v_read_V=0.5)
    assert weak.startswith("Programming pulses are no stronger than reads: v_program_V is 0.5, v_read_V 0.5, ")
    assert problems((8, 2), v_program_V=0.5, v_read_V=0.5) == []


@pytest.mark.parametrize("device", [{}, {"bits": 6, "g_max_S": 5e-5}, {"wire_ohm": 2.0}])
def test_usual_arrays_are_silent(device: dict[str, Any]) -> None:
    assert list(array_problems(make_chip(784, 256, 10, device=device).programmed)) == []


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_are_silent(preset: str) -> None:
    assert not Config.load(preset).device.drifts
    chip = make_chip(256, 64, 10, device=Config.load(preset).device.model_dump(exclude={"pulse_sigma"}))
    assert isinstance(chip, spikeloom.Chip) and list(array_problems(chip.programmed)) == []
