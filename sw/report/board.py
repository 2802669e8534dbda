"""The report of a design on a board: what its parts take of the FPGA, its clock, and how fast it recognises images.

As JSON, as a page, and as a picture. The same design gives the same bytes, but for the times that the programs took.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from matplotlib.figure import Figure

from spikeloom.hw.boards.family import Usage
from spikeloom.hw.boards.placed import REST, usage_by_part, usage_of
from spikeloom.hw.boards.toolchain import Built
from spikeloom.sw.report.page_environment import page_environment
from spikeloom.sw.report.plots.board import board_cells
from spikeloom.sw.report.plots.style import data_uri

__all__ = ["BOARD_FILES", "BoardReport", "Speed"]

_JSON, _PAGE, _PICTURE = BOARD_FILES = "report.json", "report.html", "cells.png"
"""What a report consists of."""


@dataclass(frozen=True)
class Speed:
    """How fast the design is, in clock cycles, which any clock makes times.

    Parameters
    ----------
    latency_cycles : mean, from an image's first pixel word in the accelerator to its result, of images one by one
    interval_cycles : mean, from one result to the next of images back to back, of which two are stored at once
    images : on how many images it was measured
    measured : how, in words, and on which images
    steps : mean time steps
    accuracy : share of right classes; None where labels are not known
    line_bytes : bytes on the serial line for an image, there and back
    """

    latency_cycles: float
    interval_cycles: float
    images: int
    measured: str
    steps: float | None = None
    accuracy: float | None = None
    line_bytes: float | None = None


@dataclass(frozen=True, kw_only=True)
class BoardReport:
    """A bitstream's report.

    Parameters
    ----------
    name : of the chip
    built : of `hw.boards.toolchain.build`
    baud : rate of the serial port
    speed : None where it is not known
    extras : more facts of the design, name -> plain value, such as rows per cycle
    """

    name: str
    built: Built
    baud: int
    speed: Speed | None = None
    extras: Mapping[str, Any] | None = None

    @cached_property
    def parts(self) -> dict[str, Usage]:
        """Cells by part; the order is that of `usage_by_part`."""
        return usage_by_part(self.built.project.board.family, self.built.placed.netlist)

    def facts(self) -> dict[str, Any]:
        """Everything as plain values."""
        built, project = self.built, self.built.project
        board, timing = project.board, built.placed.timing
        return {
            "name": self.name,
            "board": board.name,
            "family": board.family.name,
            "clock_Hz": project.clock.Hz,
            "highest_clock_Hz": timing.highest_Hz,
            "pll": dict(project.clock.settings),
            "baud": self.baud,
            "clocks_per_bit": board.clocks_per_bit(project.clock, self.baud),
            **(self.extras or {}),
            "cells": asdict(usage_of(self.parts)),
            "capacity": asdict(board.capacity),
            "parts": {part: asdict(usage) for part, usage in self.parts.items()},
            "slowest_path": {"through": list(timing.path), "cells": timing.path_cells, "delay_s": timing.path_s},
            "seed": built.placed.seed,
            "tried": {str(one.seed): one.timing.highest_Hz for one in built.tried},
            "speed": None if self.speed is None else self._times(self.speed),
            "bitstream_bytes": len(built.bitstream),
            "programs": {
                p.name: p.version for p in (built.programs.yosys, built.programs.nextpnr, built.programs.packer)
            },
            "seconds": {step: round(seconds, 1) for step, seconds in built.seconds.items()},
        }

    def _times(self, speed: Speed) -> dict[str, Any]:
        """The speed at the board's clock."""
        clock_Hz = self.built.project.clock.Hz
        return {
            **asdict(speed),
            "latency_s": speed.latency_cycles / clock_Hz,
            "interval_s": speed.interval_cycles / clock_Hz,
            "images_per_s": clock_Hz / speed.interval_cycles,
            "line_images_per_s": None if speed.line_bytes is None else self.baud / (10 * speed.line_bytes),
        }

    def figure(self) -> Figure:
        """The picture of the parts."""
        names = {part: part.replace("_", " ") for part in self.parts}
        parts = {names[part]: usage for part, usage in self.parts.items()}
        return board_cells(parts, self.built.project.board.capacity, names.get(REST, REST))

    @cached_property
    def picture(self) -> str:
        """The picture as a `data:` address, PNG."""
        return data_uri(self.figure(), "png")

    def page(self) -> str:
        """The page."""
        return page_environment().get_template("board.html.j2").render(b=self.facts(), picture=self.picture)

    def files(self) -> dict[str, bytes | str]:
        """File name -> content, of `BOARD_FILES`."""
        text = json.dumps(self.facts(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        picture = base64.b64decode(self.picture.partition(",")[2])
        return {_JSON: text, _PAGE: self.page(), _PICTURE: picture}
