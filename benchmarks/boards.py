"""Whole boards: cells by part, highest clock, and how long the programs take, at three sizes.

The structure alone counts for these, so nothing is trained: the gains of the ADCs are fixed, as in a bitstream.
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spikeloom.hw.boards.board_unit import BoardUnit
from spikeloom.hw.boards.boards import BOARDS
from spikeloom.hw.boards.placed import usage_by_part, usage_of
from spikeloom.hw.boards.project import project_of, unit_text
from spikeloom.hw.boards.toolchain import build
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters, Reset

__all__ = ["DESIGNS", "board_design"]

DESIGNS = (
    ("ice40-hx8k-evn", (64, 32, 10), 2, 1, 24e6),
    ("ulx3s-85f", (64, 128, 64, 10), 4, 1, 40e6),
    ("ulx3s-85f", (784, 128, 10), 4, 4, 40e6),
)
"""Board, sizes, lanes, rows that are added up in a cycle, clock in hertz."""


def _unit(sizes: tuple[int, ...], lanes: int) -> NpuParameters:
    """A unit of dense layers with what the examples for boards use, and nothing else."""
    layers = tuple(
        LayerParameters(
            inputs=inputs, outputs=outputs, tile_rows=inputs, lanes=min(lanes, outputs), adc_bits=6, max_gain_shift=4,
            max_theta=255, max_bias=255, max_steps=8, leak=False, clip=False, resets=(Reset.SUBTRACT,),
            programmer=False, activity_counters=False,
        )
        for inputs, outputs in itertools.pairwise(sizes)
    )  # fmt: skip
    return NpuParameters(layers=layers, max_steps=8, encoder_lanes=lanes, encoders=1, codings=(Coding.EVEN,))


def board_design(name: str, sizes: tuple[int, ...], lanes: int, rows: int, clock_Hz: float) -> dict[str, Any]:
    """Build one design, with as many placements as its clock needs.

    Returns
    -------
    what it is; `parts` and `cells`, numbers of cells; `highest_MHz`, highest clock; `seconds` by step
    """
    board = BOARDS[name]
    clock = board.clock(clock_Hz)
    unit = BoardUnit(
        parameters=_unit(sizes, lanes),
        clock_Hz=round(clock.Hz),
        clocks_per_bit=board.clocks_per_bit(clock),
        buffer_bytes=board.buffer_bytes,
        rows_per_cycle=rows,
        gains=(2,) * (len(sizes) - 1),
        block_bits=board.memory_bits,
    )
    with tempfile.TemporaryDirectory(prefix="bench-board-") as folder:
        built = build(project_of(board, clock, unit_text(unit)), Path(folder))
        parts = usage_by_part(board.family, built.placed.netlist)
    return {
        "board": name,
        "title": "-".join(map(str, sizes)),
        "lanes": lanes,
        "rows_per_cycle": rows,
        "clock_MHz": clock.Hz / 1e6,
        "highest_MHz": built.placed.timing.highest_Hz / 1e6,
        "parts": {part: asdict(usage) for part, usage in parts.items()},
        "cells": asdict(usage_of(parts)),
        "seconds": built.seconds,
    }
