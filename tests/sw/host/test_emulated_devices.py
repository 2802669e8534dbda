"""Cells of a chip on their way into a board's emulators: which words arrive, from where, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.emulator.cell_pulses import CELL_CYCLES
from spikeloom.hw.emulator.cell_words import emulator_cells, emulator_words
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.params.cycles import programming_cycles
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.crossbar.emulated_cells import emulated_cells
from spikeloom.sim.programming.write_verify import program_chip
from spikeloom.sw.common.errors import FileError, SpikeLoomError
from spikeloom.sw.host import Host
from spikeloom.sw.host.emulated_cells import BoardCells
from spikeloom.sw.host.errors import HostError
from spikeloom.sw.host.load import _starts
from spikeloom.sw.host.transport import INTERRUPT
from tests.fixtures.drifting import drifting_device
from tests.fixtures.emulated import EMULATED
from tests.fixtures.fake_chip import FakeChip
from tests.fixtures.host_chips import DEVICE, IDS, PIXELS, host_chip
from tests.fixtures.serial_board import SerialBoard

QUIET = DEVICE.model_copy(update={"read_sigma": 0.0})
PULSED = host_chip(device=DEVICE.model_copy(update={**EMULATED, "device_sigma": 0.2}))


def frozen(chip: ProgrammedChip) -> ProgrammedChip:
    """A chip whose unit has no programmers."""
    layers = tuple(replace(layer, programmer=False) for layer in chip.parameters.layers)
    return replace(
        chip, parameters=replace(chip.parameters, layers=layers), programming=Programming(method="direct")
    )  # fmt: skip


FROZEN = frozen(host_chip(device=QUIET))
LEVELS = PULSED.device.levels


def shapes_of(chip: ProgrammedChip, **options: Any) -> list[EmulatorShape]:
    return [EmulatorShape(**{"parameters": p, "levels": LEVELS, **options}) for p in chip.parameters.layers]


@contextmanager
def emulated(chip: ProgrammedChip, folder: Path, shapes: list[EmulatorShape], **options: Any) -> Iterator[Any]:
    """A board with emulators of the chip, and a host of it."""
    answers = {tag: (tag % 3, [0] * 7) for tag in range(99)}
    with SerialBoard(FakeChip(chip.parameters, answers), folder / "tty", shapes=shapes) as board:
        with Host.connect(board.port, **options) as host:
            yield board, host


@pytest.mark.parametrize("options", [{}, {"rows_per_cycle": 2, "weight_bits": 20}, {"gain": 0}])
def test_weights_of_a_frozen_chip(tmp_path: Path, options: dict[str, Any]) -> None:
    """Variation and stuck cells are in them; sums for the energy are 0."""
    chip = frozen(host_chip(device=QUIET, gain_shift=options.get("gain", 3)))
    shapes = shapes_of(chip, **options)
    with emulated(chip, tmp_path, shapes) as (board, host):
        host.load(chip)
        for array, shape, words, gain in zip(build_arrays(chip), shapes, board.cells, board.gains, strict=True):
            assert (
                np.array_equal(words, emulator_words(shape, array.current_grid)) and gain == chip.layers[0].gain_shift
            )
        result = host.infer(PIXELS, IDS)
        assert result.classes.tolist() == [tag % 3 for tag in range(12)] and result.drift is None
        assert not result.activity["conductance"].any() and not result.activity["stray"].any()
        assert host.transport.devices.frames_sent == 12
        with pytest.raises(SpikeLoomError, match=r"^The board's emulators hold the differences of cells, and no cells"):
            host.transport.devices.cells()


def test_cells_of_a_chip_with_programmers(tmp_path: Path) -> None:
    """A fast load puts the cells that pulses would have left, each with its factor; a host can read them back."""
    shapes = shapes_of(PULSED)
    done = program_chip(PULSED)
    with emulated(PULSED, tmp_path, shapes) as (board, host):
        with pytest.raises(SpikeLoomError, match=r"^The board's cells are unknown: load a chip first$"):
            host.transport.devices.cells()
        host.load(PULSED, "fast")
        states = host.transport.devices.cells()
        known = zip(board.cells, emulated_cells(PULSED), build_arrays(PULSED), strict=True)
        for index, (words, cells, array) in enumerate(known):
            numbers, factors = emulator_cells(shapes[index], words)
            assert np.array_equal(numbers[0] - numbers[1], array.current_grid)
            assert np.array_equal(factors, cells.factors) and (factors == 0).any() and (factors > 150).any()
            assert np.array_equal(states[index].g_S, done.layers[index].state.g_S)


def test_pulses_on_cells_that_are_there_get_the_chips_own_gains(tmp_path: Path) -> None:
    """Another network on the same devices goes on with the cells, and not with the gains of the one before."""
    louder = replace(PULSED, layers=tuple(replace(layer, gain_shift=2) for layer in PULSED.layers))
    shapes = shapes_of(PULSED)
    with emulated(PULSED, tmp_path, shapes) as (board, host):
        for chip, shift in ((PULSED, 0), (louder, 2), (PULSED, 0)):
            host.load(chip)
            assert list(board.gains) == [shift] * 2
    fixed = shapes_of(PULSED, gain=0)
    with emulated(PULSED, tmp_path, fixed) as (board, host):
        host.load(PULSED)
        with pytest.raises(HostError, match="its fixed_gain is 0, this chip needs 2"):
            host.load(louder)


def test_fresh_cells_before_pulses(tmp_path: Path) -> None:
    """Once for a chip and a host; pulses then go on with the cells as they are. Another chip has other cells."""
    shapes = shapes_of(PULSED)

    def fresh(board: SerialBoard, chip: ProgrammedChip) -> bool:
        expected = [
            emulator_words(shape, cells.numbers, cells.factors)
            for shape, cells in zip(shapes, emulated_cells(chip), strict=True)
        ]
        found = all(np.array_equal(*pair) for pair in zip(board.cells, expected, strict=True))
        for cells in board.cells:
            cells[:] = 1  # what pulses might leave
        return found

    with emulated(PULSED, tmp_path, shapes) as (board, host):
        host.load(PULSED)
        assert fresh(board, PULSED)
        host.load(PULSED)
        assert not fresh(board, PULSED)
        host.load(replace(PULSED, k=2))
        assert not fresh(board, PULSED)
        other = replace(PULSED, seed=5)
        host.load(other)
        assert fresh(board, other) and not fresh(board, PULSED)
        host.load(PULSED, "fast")
        host.load(PULSED)
        assert not fresh(board, PULSED)
        host.transport.devices.manufacture(PULSED)
        assert fresh(board, PULSED)
        host.close()
        with Host.connect(board.port) as later:
            later.load(PULSED)
            assert fresh(board, PULSED)


def test_a_direct_chip_with_programmers(tmp_path: Path) -> None:
    """Levels that were set at once lie between the numbers, or beyond: every weight is that of the reference all the
    same, or the first that cannot be is named.
    """
    layers = tuple(
        replace(layer, positive=np.minimum(layer.positive, 6), negative=np.minimum(layer.negative, 6))
        for layer in PULSED.layers
    )
    device = PULSED.device.model_copy(update={"device_sigma": 0.02, "stuck_on": 0.0})
    chip = replace(PULSED, layers=layers, programming=Programming(method="direct"), device=device)
    shapes = shapes_of(chip)
    with emulated(chip, tmp_path, shapes) as (board, host):
        host.load(chip)
        rounded = 0
        for shape, words, array in zip(shapes, board.cells, build_arrays(chip), strict=True):
            numbers, _ = emulator_cells(shape, words)
            assert np.array_equal(numbers[0] - numbers[1], array.current_grid)
            exact = (array.cells_S - device.g_min_S) / device.step_S * 1024
            rounded += int((numbers != np.rint(exact)).sum())
            assert np.abs(numbers - exact).max() < 100
        assert 5 < rounded < 60
        sentence = r"^Layer 0: the weight at row \d, column \d is -?7\.\d{3} steps of conductance, and cells of 8 level"
        with pytest.raises(HostError, match=sentence):
            host.load(replace(chip, layers=PULSED.layers))


def test_a_file_of_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives the same words without the model of devices; of another chip, it is no help."""
    monkeypatch.setattr("spikeloom.sw.weight_image.file.disagreement", lambda *_: None)
    for name, chip, cells in (
        ("frozen", FROZEN, BoardCells.programmed(FROZEN)),
        ("programmed", PULSED, BoardCells.programmed(PULSED)),
        ("fresh", PULSED, BoardCells.fresh(PULSED)),
    ):
        path = cells.save(tmp_path / f"{name}.safetensors")
        again = BoardCells.load(path)
        assert path.read_bytes() == again.save(tmp_path / "again").read_bytes()
        shapes = shapes_of(chip)
        method = "pulses" if name == "fresh" else "fast"
        with emulated(chip, tmp_path, shapes) as (board, host):
            host.load(chip, method)
            expected = board.cells
        with emulated(chip, tmp_path, shapes, cells=path) as (board, host):
            with monkeypatch.context() as patch:
                patch.setattr("spikeloom.sw.host.emulated_cells._model", _absent)
                host.load(chip, method)
                assert all(np.array_equal(*pair) for pair in zip(board.cells, expected, strict=True))
                sentence = rf"^The given cells are not the {again.state} ones of this chip, and none can be made: No mo"
                with pytest.raises(HostError, match=sentence):
                    host.load(replace(chip, seed=99), method)
            host.load(replace(chip, seed=99), method)


def _absent() -> Any:
    raise HostError("No model")


def test_files_that_are_no_cells(tmp_path: Path) -> None:
    path = tmp_path / "cells"
    with pytest.raises(FileError, match=r"^Cannot read '.*cells': "):
        BoardCells.load(path)
    path.write_bytes(b"nothing of the kind, and long enough to have a header")
    with pytest.raises(FileError, match=r"^'.*cells' is not a file of emulated cells, or is damaged; make it again by"):
        Host.connect("/dev/ttyLOOM", cells=path)
    content = BoardCells.programmed(FROZEN).save(path).read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(FileError, match=r"^The file of cells '.*cells' is damaged: its checksum is another one; make"):
        BoardCells.load(path)
    path.write_bytes(content.replace(b'"version": "1"', b'"version": "2"'))
    with pytest.raises(FileError, match=r"^'.*cells' has version 2 of the format, not 1; make it again by `spikeloom"):
        BoardCells.load(path)


NOISY = frozen(host_chip())
DRIFTING = frozen(host_chip(device=drifting_device()))


@pytest.mark.parametrize(
    ("chip", "made_for", "options", "message"),
    [
        (NOISY, NOISY, {}, r"relative to its cells \(\[device\] read_sigma = 0\.01\), and a board's .* as adc_sigma"),
        (DRIFTING, DRIFTING, {}, r"drift, and those of a board's emulators stay where they are: compile it with \[dev"),
        (
            FROZEN, FROZEN, {"weight_bits": 11},
            r"^Layer 0: the weight at row \d, column \d is -?\d\.\d{3} steps of conductance, and the board's emulator "
            r"holds -1 \.\. 0\.999023: compile the chip with less variation \(\[device\] device_sigma, program_sigma\)"
            r", or make the unit \(hw\.boards\.board_unit\.BoardUnit\) with weight_bits = 14$",
        ),
        (
            FROZEN, host_chip(), {},
            r"^The emulator of layer 0 on the board was made for another chip: its programmer is 1, this chip needs 0; "
            r"make the bitstream from this chip by `spikeloom board`$",
        ),
        (FROZEN, FROZEN, {"gain": 3}, r"was made for another chip: its fixed_gain is 3, this chip needs 0; make the b"),
        (PULSED, PULSED, {"levels": 4}, r"was made for another chip: its levels is 4, this chip needs 8; make the bit"),
        (
            host_chip(device=QUIET), host_chip(device=QUIET), {},
            r"^The emulator can program cells that hold whole numbers, and those of \[device\] cell 'linear' do not; s",
        ),
    ],
    ids=["noise", "drift", "range", "programmer", "gain", "levels", "linear cells"],
)  # fmt: skip
def test_what_does_not_fit(
    tmp_path: Path, chip: ProgrammedChip, made_for: ProgrammedChip, options: dict[str, Any], message: str
) -> None:
    with emulated(chip, tmp_path, shapes_of(made_for, **options)) as (board, host):
        with pytest.raises(SpikeLoomError, match=message):
            host.load(chip)
        assert not any(cells.any() for cells in board.cells)
        with pytest.raises(HostError, match=r"^Nothing is loaded: call load first$"):
            host.infer(PIXELS)


def test_too_few_emulators(tmp_path: Path) -> None:
    with emulated(FROZEN, tmp_path, shapes_of(FROZEN)[:1]) as (_, host):
        with pytest.raises(HostError, match=r"^The board has no emulator of layer 1, or one of another version: make"):
            host.load(FROZEN)


def test_without_the_model_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "spikeloom.sim.crossbar.emulated_cells", None)
    with pytest.raises(HostError, match=r"which needs '.*': install it, or give the file of cells that `spikeloom boa"):
        BoardCells.programmed(FROZEN)
    assert Device(cell="linear").cell == "linear"


@pytest.mark.parametrize("tile_rows", [1, 2, 8])
@pytest.mark.parametrize("tries", [1, 60])
def test_a_start_is_waited_for_as_long_as_an_emulator_takes(tile_rows: int, tries: int) -> None:
    """All cells take all their tries, a macro would be quick, and up to eight row tiles come one after another."""
    chip = host_chip(tile_rows=tile_rows, settle_cycles=1, adc_cycles=1)
    chip = replace(chip, programming=Programming(method="write-verify", tries=tries), program_cycles=1)
    for index, layer in enumerate(chip.parameters.layers):
        cycles = CELL_CYCLES * layer.row_tiles + 2
        most = programming_cycles(
            layer, columns=layer.lanes, rounds=2 * layer.lanes * tries, pulse_cycles=cycles, verify_cycles=cycles
        )
        starts = np.ones((layer.tile_rows, layer.groups), np.bool_)
        targets = np.zeros((2, layer.inputs, layer.outputs), np.uint16)
        _, _, table = next(_starts(chip, index, targets, starts))
        (waited,) = table["address"][table["kind"] == INTERRUPT]
        assert waited > most
