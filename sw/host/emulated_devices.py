"""What emulated crossbars can do that real ones cannot: take cells over the host's bus, and give them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.emulator.cell_words import (
    CELLS,
    GAIN,
    IDENTITY,
    IMAGE_HIGH,
    KEY_0,
    KEY_1,
    MAGIC,
    POINTER,
    VERSION,
    emulator_cells,
    emulator_words,
    identity_words,
)
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.serial.protocol import emulator_address
from spikeloom.sim.chip.adc_noise import amplitude
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.random_words import Purpose, key
from spikeloom.sw.host.emulated_cells import BoardCells, check_device, digest
from spikeloom.sw.host.errors import HostError
from spikeloom.sw.host.transport import READ, Accesses, Answers, accesses

if TYPE_CHECKING:
    from spikeloom.sim.crossbar.array import CrossbarArray
    from spikeloom.sim.programming.cells import CellState

__all__ = ["EmulatedDevices", "EmulatorBus", "check_cells", "is_emulated"]

_NO_GAIN = 0xFFFFFFFF


class EmulatorBus(Protocol):
    """The way to the emulators: accesses one by one, and many words to one address."""

    def execute(self, table: Accesses) -> Answers:
        """Carry out accesses."""

    def fill(self, address: int, words: NDArray[np.uint32]) -> None:
        """Write words, one after another, to one address."""


def is_emulated(bus: EmulatorBus) -> bool:
    """Whether layer 0 has an emulator, and not real cells."""
    (answer,) = bus.execute(accesses(READ, emulator_address(0)))
    return not answer["response"] and int(answer["data"]) == MAGIC


class EmulatedDevices:
    """The emulated crossbars of a board; see `sw.host.transport.Devices`.

    Parameters
    ----------
    bus : the way to them
    layers : number of layers
    given : cells made elsewhere, that are taken for the chip that they are of
    """

    def __init__(self, bus: EmulatorBus, layers: int, given: BoardCells | None = None) -> None:
        self._bus = bus
        self._layers = layers
        self._given = given
        self._chip: ProgrammedChip | None = None
        self._has = ""  # whose cells, in the sense of `fresh_digest`, pulses would find
        self.draws = False
        self._image_high: int | None = None  # as the emulators have it
        self.frames_sent = 0

    def number_images(self, high: int) -> None:
        """Say the upper half of the numbers of all images that come; none may be in the chip."""
        if high != self._image_high:
            for layer in range(self._layers):
                self._fill(emulator_address(layer) + IMAGE_HIGH, high)
            self._image_high = high

    def reload(
        self, chip: ProgrammedChip, arrays: Sequence[CrossbarArray] | None = None, drift: DriftSnapshot | None = None
    ) -> None:
        """Write the chip's programmed cells into the emulators: the fast load.

        Raises `HostError` where they are emulators of another chip, or cannot hold its cells.
        """
        self._write(chip, "programmed", arrays)

    def manufacture(self, chip: ProgrammedChip) -> None:
        """Give the board the chip's cells as they leave the fab, each with its own response to pulses."""
        self._write(chip, "fresh")

    def before_pulses(self, chip: ProgrammedChip) -> None:
        """Fresh cells, unless the board has been given cells of this chip already: then pulses go on from there."""
        if self._has == digest(chip, "fresh"):
            self._set_up(chip, self._shapes(chip))
        else:
            self.manufacture(chip)

    def cells(self) -> tuple[CellState, ...]:
        """The cells of every layer as they are now; their counts of pulses and reads are not known, and 0."""
        chip = self._loaded()
        from spikeloom.sim.devices.integer_cells import cell_grid
        from spikeloom.sim.programming.cells import CellState

        grid = cell_grid(chip.device)
        states = []
        for layer in range(self._layers):
            shape = self._shape(chip, layer)
            if not shape.programmer:
                raise SpikeLoomError(
                    "The board's emulators hold the differences of cells, and no cells; build the board with "
                    "[hardware] programmer = true"
                )
            self._fill(emulator_address(layer) + POINTER, 0)
            count = shape.depth * shape.load_words
            answers = self._bus.execute(accesses(READ, np.full(count, emulator_address(layer) + CELLS)))
            _check_answers(answers, layer)
            numbers, _ = emulator_cells(shape, answers["data"])
            states.append(CellState.at((grid.low_S + numbers * grid.unit_S).astype(np.float64)))
        return tuple(states)

    def drift(self) -> DriftSnapshot | None:
        """None: the cells stay where they are."""
        return None

    def totals(self, first: int, count: int) -> None:
        """None: an emulator does not add up what the energy is computed from."""
        return None

    def _loaded(self) -> ProgrammedChip:
        if self._chip is None:
            raise SpikeLoomError("The board's cells are unknown: load a chip first")
        return self._chip

    def _write(self, chip: ProgrammedChip, state: str, arrays: Sequence[CrossbarArray] | None = None) -> None:
        """Write cells in this state into every emulator, after all is known to fit."""
        check_device(chip.device)
        shapes = self._shapes(chip)
        cells = self._cells(chip, state, arrays)
        words = [_words(shape, cells, layer) for layer, shape in enumerate(shapes)]
        self._has = ""
        self._set_up(chip, shapes)
        for layer in range(len(shapes)):
            at = emulator_address(layer)
            self._fill(at + POINTER, 0)
            self._bus.fill(at + CELLS, words[layer])
        if chip.parameters.programmer and (state == "fresh" or chip.programming.method == "write-verify"):
            self._has = digest(chip, "fresh")  # else some conductances have been rounded

    def _set_up(self, chip: ProgrammedChip, shapes: Sequence[EmulatorShape]) -> None:
        """Give every emulator what it has to know of the chip besides the cells: gain, and key of the noise."""
        self._chip = chip
        for layer, shape in enumerate(shapes):
            at = emulator_address(layer)
            if shape.gain is None:
                self._fill(at + GAIN, chip.layers[layer].gain_shift)
            if shape.noise:
                for register, word in zip((KEY_0, KEY_1), key(chip.seed, Purpose.CONVERT, layer), strict=True):
                    self._fill(at + register, word)
        self.draws, self._image_high = any(shape.noise for shape in shapes), None

    def _fill(self, address: int, word: int) -> None:
        self._bus.fill(address, np.array([word], np.uint32))

    def _cells(self, chip: ProgrammedChip, state: str, arrays: Sequence[CrossbarArray] | None) -> BoardCells:
        given = self._given
        if given is not None and (given.state, given.chip) == (state, digest(chip, state)):
            return given
        try:
            return BoardCells.fresh(chip) if state == "fresh" else BoardCells.programmed(chip, arrays)
        except HostError as error:
            if given is None:
                raise
            raise HostError(
                f"The given cells are not the {state} ones of this chip, and none can be made: {error}"
            ) from None

    def _shapes(self, chip: ProgrammedChip) -> list[EmulatorShape]:
        """`_shape` of every layer."""
        return [self._shape(chip, layer) for layer in range(self._layers)]

    def _shape(self, chip: ProgrammedChip, layer: int) -> EmulatorShape:
        """What the emulator of a layer says that it is; `HostError` where the chip needs another one."""
        places = emulator_address(layer) + 4 * np.arange(len(IDENTITY))
        answers = self._bus.execute(accesses(READ, places))
        _check_answers(answers, layer)
        found = dict(zip(IDENTITY, answers["data"].tolist(), strict=True))
        if (found["magic"], found["version"]) != (MAGIC, VERSION):
            raise HostError(
                f"The emulator of layer {layer} on the board has version {found['version']}, this program needs "
                f"{VERSION}: make the bitstream again by `spikeloom board`"
            )
        parameters, programmer = chip.parameters.layers[layer], bool(found["programmer"])
        try:
            shape = EmulatorShape(
                parameters=parameters,
                rows_per_cycle=found["rows_per_cycle"],
                levels=chip.device.levels if programmer else found["levels"],
                weight_bits=None if programmer else found["cell_bits"],
                gain=None if found["fixed_gain"] == _NO_GAIN else chip.layers[layer].gain_shift,
                noise=amplitude(chip.device.adc_sigma),
            )
        except SpikeLoomError as error:
            raise HostError(f"The emulator of layer {layer} on the board makes no sense: {error}") from None
        for name, needed in zip(IDENTITY, identity_words(shape), strict=True):
            if found[name] != needed:
                raise HostError(
                    f"The emulator of layer {layer} on the board was made for another chip: its {name} is "
                    f"{found[name]}, this chip needs {needed}; make the bitstream from this chip by `spikeloom board`"
                )
        return shape


def _check_answers(answers: Answers, layer: int) -> None:
    if answers["response"].any():
        raise HostError(
            f"The board has no emulator of layer {layer}, or one of another version: make the bitstream from this chip "
            "by `spikeloom board`"
        )


def check_cells(shapes: Sequence[EmulatorShape], cells: BoardCells) -> None:
    """Raise `HostError` for a cell that the emulator of its layer cannot hold."""
    for layer, shape in enumerate(shapes):
        _numbers(shape, cells, layer)


def _words(shape: EmulatorShape, cells: BoardCells, layer: int) -> NDArray[np.uint32]:
    """What is written into the emulator of a layer; `HostError` as `check_cells`."""
    return emulator_words(shape, _numbers(shape, cells, layer), cells.factors[layer] if shape.programmer else None)


def _numbers(shape: EmulatorShape, cells: BoardCells, layer: int) -> NDArray[np.int32]:
    """Weights, or conductances, of a layer; `HostError` for one that its emulator cannot hold."""
    if shape.programmer:
        numbers, low, high = cells.conductances[layer], 0, shape.highest
    else:
        numbers, low, high = cells.weights[layer], -(1 << shape.cell_bits - 1), (1 << shape.cell_bits - 1) - 1
    wrong = np.argwhere((numbers < low) | (numbers > high))
    if len(wrong):
        *_, row, column = wrong[0].tolist()
        value = numbers[tuple(wrong[0])] / 1024
        raise HostError(
            f"Layer {layer}: the weight at row {row}, column {column} is {value:.3f} steps of conductance, and the "
            f"board's emulator holds {low / 1024:g} .. {high / 1024:g}: compile the chip with less variation ([device] "
            "device_sigma, program_sigma), or make the unit (hw.boards.board_unit.BoardUnit) with weight_bits = "
            f"{int(np.abs(numbers).max()).bit_length() + 1}"
        )
    return numbers
