"""A chip as a board has it: the unit for its FPGA, the cells for its emulators, and how fast it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.board_unit import BoardUnit
from spikeloom.hw.boards.clocks import Clock
from spikeloom.hw.interfaces.streams import frame_words
from spikeloom.hw.serial.commands import image, wait_for
from spikeloom.hw.serial.protocol import OVERHEAD_BYTES, Command, Operation, encode_frame
from spikeloom.sim.chip.adc_noise import amplitude
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.host.emulated_cells import BoardCells, check_device, check_emulated
from spikeloom.sw.host.errors import HostError
from spikeloom.sw.host.frames import image_frames

if TYPE_CHECKING:
    from spikeloom.sw.config.board_section import BoardSection

__all__ = ["board_cells", "board_unit", "check_devices", "line_bytes"]


def board_unit(chip: ProgrammedChip, section: BoardSection, board: Board, clock: Clock) -> BoardUnit:
    """The unit of a chip on a board: accelerator, an emulator for every crossbar, serial port.

    Parameters
    ----------
    chip : its structure counts, its levels, and with `section.gain` "fixed" its gains; weights do not
    section : table [board]
    board, clock : Board, and its Clock

    Raises
    ------
    HostError : emulators do not have such devices
    ValueError : the board has no serial port of this rate at this clock, or a number is out of range
    """
    check_emulated(chip)
    return BoardUnit(
        parameters=chip.parameters,
        clock_Hz=round(clock.Hz),
        clocks_per_bit=board.clocks_per_bit(clock, section.baud or None),
        buffer_bytes=board.buffer_bytes,
        block_bits=board.memory_bits,
        rows_per_cycle=section.rows_per_cycle,
        levels=chip.device.levels,
        noise=amplitude(chip.device.adc_sigma),
        gains=tuple(layer.gain_shift for layer in chip.layers) if section.gain == "fixed" else None,
    )


def check_devices(device: Device, programmer: bool) -> None:
    """Raise `HostError` for devices, or programmers, that the crossbars of a board do not have: before any training.

    Parameters
    ----------
    device : table [device]
    programmer : whether the chip has programmers
    """
    check_device(device)
    if programmer and device.kind.grid(device) is None:
        raise HostError(
            f'The chip has programmers, and its cells ([device] cell = "{device.cell}") cannot be programmed by the '
            'pulses of a board\'s emulators: set [hardware] programmer = false, or [device] cell = "emulated"'
        )


def board_cells(chip: ProgrammedChip) -> BoardCells:
    """The cells that a host loads: those with the chip's weights, or, where pulses program them, as they leave the fab.

    Raises `HostError` where emulators cannot have such cells.
    """
    pulsed = chip.parameters.programmer and chip.programming.method == "write-verify"
    return BoardCells.fresh(chip) if pulsed else BoardCells.programmed(chip)


def line_bytes(chip: ProgrammedChip, pixels: NDArray[np.uint8]) -> float:
    """Bytes that an image takes on the serial line, its request and the answer with a result, of images one by one.

    pixels : uint8 [images, inputs]; the mean over at most 100 of them, since bytes that delimit frames take two
    """
    layers = len(chip.parameters.layers)
    frames = image_frames(chip, pixels[:100], np.arange(len(pixels[:100])), 0)
    result = wait_for(Command.RESULT, 0, layers)
    answer = 1 + 3 + 9 * frame_words(chip.parameters)
    sizes = [
        len(
            encode_frame(
                0, Operation.EXECUTE, image(0, int(tag), words.tobytes(), words.shape[1]).request + result.request
            )
        )
        for tag, words in zip(frames.tags, frames.words, strict=True)
    ]
    return float(np.mean(sizes)) + OVERHEAD_BYTES + 2 + answer
