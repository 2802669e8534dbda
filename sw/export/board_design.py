"""A chip as a board has it: the unit for its FPGA, the cells for its emulators, and how fast it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.board_unit import BoardUnit
from spikeloom.hw.boards.clocks import Clock
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.interfaces.streams import frame_words
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.serial.commands import image, wait_for
from spikeloom.hw.serial.protocol import OVERHEAD_BYTES, Command, Operation, encode_frame
from spikeloom.sim.chip.adc_noise import amplitude
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.datasets.datasets import DATA_SETS
from spikeloom.sw.host.emulated_cells import BoardCells, check_device
from spikeloom.sw.host.errors import HostError
from spikeloom.sw.host.frames import image_frames

if TYPE_CHECKING:
    from spikeloom.sw.config.board_section import BoardSection
    from spikeloom.sw.config.config import Config

__all__ = ["board_cells", "board_unit", "check_crossbars", "check_devices", "line_bytes"]


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
    check_device(chip.device)
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


def check_crossbars(config: Config, board: Board) -> None:
    """Raise `SpikeLoomError` for a network of which the cells alone need more memory than the board has: before any
    training. A network with two branches, or from a NIR file, is looked at when it is a chip.

    Parameters
    ----------
    config : whose network is not trained yet
    """
    if config.nir.file:
        return
    from torch import device, nn

    from spikeloom.hw.boards.project import check_cell_memories
    from spikeloom.sw.training.example_networks import Residual, build

    data = DATA_SETS[config.data.set]
    with device("meta"):
        network = build(config.train, data.shape, data.classes)
    parts = list(network.modules())
    if any(isinstance(part, Residual) for part in parts):
        return
    sizes = [part.weight.flatten(1).shape for part in parts if isinstance(part, nn.Linear | nn.Conv2d)]
    crossbar, hardware = config.crossbar, config.hardware
    check_cell_memories(
        board,
        (
            EmulatorShape(
                parameters=LayerParameters(
                    inputs=inputs,
                    outputs=outputs,
                    tile_rows=crossbar.tile_rows,
                    tile_columns=crossbar.tile_columns,
                    lanes=min(hardware.lanes, outputs),
                    programmer=hardware.programmer,
                ),
                rows_per_cycle=config.board.rows_per_cycle,
                levels=config.device.levels,
            )
            for outputs, inputs in sizes
        ),
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
