"""Packing between the Verilog shell and the device model, and programming through it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding, LayerParameters
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.macro_model import MacroModel, fresh_models, load_models, programmed_models, save_models
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.devices.conductance import Cells
from spikeloom.sim.devices.ir_drop import IrDrop
from spikeloom.sim.programming.write_verify import program_chip
from tests.fixtures.drifting import DRIFT
from tests.fixtures.emulated import EMULATED
from tests.fixtures.networks import random_chip
from tests.models.plain_programming import LockstepProgrammer, Operate

DEVICE = Device(pulse_sigma=0.1, device_sigma=0.05, read_sigma=0.02, stuck_on=0.02, stuck_off=0.03)


def verified_chip(seed: int, **overrides) -> ProgrammedChip:
    programming = Programming(method="write-verify", tries=12, fault_aware=True)
    overrides = {"device": DEVICE, "programming": programming, "coding": Coding.EVEN, "row_bits": 1} | overrides
    return random_chip(np.random.default_rng(seed), **overrides)


def operation_text(
    p: LayerParameters,
    pulse: bool,
    row: int,
    column: int,
    side: int,
    tiles: list[bool],
    up: list[bool],
    amplitudes: list[int],
) -> str:
    """The shell's program_word as the simulator prints it."""
    row_bits, column_bits = max(1, (p.tile_rows - 1).bit_length()), max(1, (p.outputs - 1).bit_length())
    text = "".join(format(amplitude, "08b") for amplitude in reversed(amplitudes))
    text += "".join("01"[flag] for flags in (up, tiles) for flag in reversed(flags))
    return text + format(column, f"0{column_bits}b") + format(row, f"0{row_bits}b") + "01"[side] + "01"[pulse]


def port_of(p: LayerParameters, models: list[MacroModel], index: int) -> Operate:
    """The programming port of a macro model."""

    def operation(
        pulse: bool, row: int, column: int, side: int, tiles: list[bool], up: list[bool], amplitudes: list[int]
    ) -> list[int]:
        answer = models[index].program(operation_text(p, pulse, row, column, side, tiles, up, amplitudes))
        if pulse:
            assert answer is None
            return [0] * p.row_tiles
        assert answer is not None and answer >> 10 * p.row_tiles == 0
        return [answer >> 10 * tile & 1023 for tile in range(p.row_tiles)]

    return operation


@pytest.mark.parametrize(("adc_bits", "row_bits"), [(1, 1), (5, 8), (8, 1), (9, 8), (16, 1)])
def test_answer_is_the_layout_of_the_shell(adc_bits: int, row_bits: int) -> None:
    rng = np.random.default_rng(adc_bits)
    chip = random_chip(
        rng, sizes=[13, 11, 4], adc_bits=adc_bits, row_bits=row_bits, lanes=3, tile_rows=5, coding=Coding.EVEN
    )
    for index, model in enumerate(programmed_models(chip)):
        p = chip.parameters.layers[index]
        rows = rng.integers(0, 1 << p.row_bits, p.inputs).astype(np.uint8)
        text = "".join(format(code, f"0{p.row_bits}b") for code in rows[::-1])
        assert (model.row_codes(text) == rows).all()
        codes, over = model.array.convert_one(rows, 9, 3)
        answer = model.answer(text, 9, 3, 0)
        place = 0
        for group in range(p.groups):
            for plane, bits in ((codes, p.code_bits), (over, 1)):
                for tile in range(p.row_tiles):
                    for lane in range(p.lanes):
                        column = group * p.lanes + lane
                        value = int(plane[tile, column]) if column < p.outputs else 0
                        assert answer >> place & ((1 << bits) - 1) == value & ((1 << bits) - 1)
                        place += bits
        assert answer >> place == 0


def test_totals_add_up_by_place() -> None:
    chip = random_chip(np.random.default_rng(1), sizes=[6, 4], coding=Coding.EVEN, row_bits=1)
    model = programmed_models(chip)[0]
    rows = [model.row_codes(text) for text in ("010101", "111111")]
    counts = [int(row.astype(np.int64) ** 2 @ model.array.row_conductance) for row in rows]
    model.answer("010101", 7, 1, 3)
    model.answer("111111", 7, 1, 2)
    model.answer("111111", 7, 2, 3)
    assert model.totals().tolist() == [[2, counts[1], 0], [3, counts[0] + counts[1], 0]]


def test_undefined_rows_are_refused() -> None:
    chip = random_chip(np.random.default_rng(1), sizes=[6, 4], coding=Coding.EVEN, row_bits=1)
    with pytest.raises(AssertionError, match=r"^Layer 0: the latched rows have undefined bits$"):
        programmed_models(chip)[0].answer("01X101", 0, 1, 0)


@pytest.mark.parametrize("change", [{}, DRIFT, EMULATED], ids=["linear", "tantalum", "emulated"])
def test_programming_operation_by_operation_is_programming_at_once(change: dict[str, Any]) -> None:
    """Two layers, over the port, with the models pickled in between, against `program_chip` and its arrays."""
    programmed = verified_chip(3, sizes=[13, 11, 4], lanes=3, tile_rows=5, device=DEVICE.model_copy(update=change))
    done = program_chip(programmed)
    models = fresh_models(programmed)
    for index, layer in enumerate(done.layers):
        p = programmed.parameters.layers[index]
        programmer = LockstepProgrammer(p, programmed.programming, port_of(p, models, index))
        for row, group in np.ndindex(5, p.groups):
            programmer.start(row, group, lambda cell, layer=layer: int(layer.wanted[cell]))  # type: ignore[misc]
        models[:] = pickle.loads(pickle.dumps(models))
        for row, group in np.argwhere(layer.second).tolist():
            programmer.start(row, group, lambda cell, layer=layer: int(layer.targets[cell]))  # type: ignore[misc]
        assert {cell: int(code) for cell, code in np.ndenumerate(layer.final.codes)} == programmer.codes
        assert {cell: bool(flag) for cell, flag in np.ndenumerate(layer.final.failed)} == programmer.failed
    for model, layer, array in zip(models, done.layers, build_arrays(programmed), strict=True):
        assert model.cells is not None
        for a, b in zip(model.cells.state.arrays, layer.state.arrays, strict=True):
            assert np.array_equal(a, b)
        assert np.array_equal(model.array.current_grid, array.current_grid)
        assert np.array_equal(model.array.noise_grid, array.noise_grid)


def test_reads_see_every_pulse() -> None:
    """The array is made anew after a pulse, and only then; a verify read leaves it."""
    programmed = verified_chip(4, sizes=[6, 4], device=Device(), lanes=2, tile_rows=6, gain_shift=0, adc_bits=8)
    (model,) = fresh_models(programmed)
    p = programmed.parameters.layers[0]
    before = model.array
    assert not before.current_grid.any() and model.array is before
    model.program(operation_text(p, False, 2, 3, 0, [True], [True], [8]))
    assert model.array is before
    model.program(operation_text(p, True, 2, 3, 0, [True], [True], [24]))
    model.program(operation_text(p, True, 2, 1, 1, [True], [True], [16]))
    assert np.argwhere(model.array.current_grid).tolist() == [[2, 1], [2, 3]]
    assert model.array.current_grid[2].tolist() == [0, -2048, 0, 3072]
    rows = np.array([0, 0, 1, 0, 0, 0], np.uint8)
    assert model.array.convert_one(rows, 0, 1)[0].tolist() == [[0, -2, 0, 3]]
    model.program(operation_text(p, True, 2, 3, 0, [True], [False], [8]))
    assert model.array.convert_one(rows, 0, 1)[0].tolist() == [[0, -2, 0, 2]]


@pytest.mark.parametrize("method", ["direct", "write-verify"])
def test_a_programmed_array_can_be_programmed_on(method: str, tmp_path) -> None:
    """A fast load, then pulses: the cells begin where the load put them, wires come in after the cells."""
    device = DEVICE.model_copy(update={"wire_ohm": 5.0, "stuck_on": 0.0, "stuck_off": 0.0, "pulse_sigma": 0.0})
    programmed = verified_chip(5, sizes=[9, 8], device=device, tile_rows=9)
    programmed = replace(programmed, programming=Programming(method=method))  # type: ignore[arg-type]
    save_models(tmp_path, programmed_models(programmed))
    (model,), (array,) = load_models(tmp_path), build_arrays(programmed)
    p = programmed.parameters.layers[0]
    assert model.cells is None
    model.program(operation_text(p, False, 3, 2, 0, [True], [True], [8]))
    assert np.array_equal(model.array.g_S, array.g_S) and model.cells is not None
    model.program(operation_text(p, True, 3, 2, 0, [True], [False], [8]))
    changed = model.cells.state.g_S != array.cells_S
    assert np.argwhere(changed).tolist() in ([[0, 3, 2]], [])
    model.program(operation_text(p, True, 3, 2, 0, [True], [True], [24]))
    moved = model.cells.state.g_S
    assert np.argwhere(moved != array.cells_S).tolist() == [[0, 3, 2]]
    expected = IrDrop(5.0, p.tile_rows, p.tile_columns).apply(moved, Cells(programmed.seed, 0))
    assert np.array_equal(model.array.g_S, expected) and not np.array_equal(expected, moved)
    assert np.array_equal(build_arrays(programmed)[0].cells_S, array.cells_S)


def test_undefined_operations_are_refused() -> None:
    with pytest.raises(AssertionError, match=r"^Layer 0: a programming operation has undefined bits$"):
        fresh_models(verified_chip(5, sizes=[9, 8]))[0].program("X0101")


@pytest.mark.parametrize(
    ("row", "column", "tiles"), [(5, 0, [0]), (3, 0, [2]), (0, 11, [0]), (0, 0, []), (4, 10, [0, 1, 2])]
)
def test_operations_where_there_is_no_cell_are_refused(row: int, column: int, tiles: list[int]) -> None:
    programmed = verified_chip(5, sizes=[13, 11], tile_rows=5)
    p, (model,) = programmed.parameters.layers[0], fresh_models(programmed)
    flags = [tile in tiles for tile in range(3)]
    for pulse in (False, True):
        text = operation_text(p, pulse, row, column, 0, flags, [True] * 3, [8] * 3)
        with pytest.raises(AssertionError, match=rf"^Layer 0: .* row {row}, column {column} of row tiles .* no cell$"):
            model.program(text)
    assert model.cells is not None and not model.cells.state.reads.any() and not model.cells.state.pulses.any()
