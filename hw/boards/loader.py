"""Programming of a board by openFPGALoader, which is not part of the environment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.steps import BitstreamError
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.processes import run

__all__ = ["LOADER", "MISSING", "loader", "program"]

LOADER = "openFPGALoader"
MISSING = "install it (Debian and Ubuntu: apt-get install openfpgaloader)"
"""What to do where it is not there."""


def loader() -> str:
    """The program; the variable OPENFPGALOADER may name it. Raises `SpikeLoomError` where it is missing."""
    name = os.environ.get("OPENFPGALOADER") or LOADER
    path = shutil.which(name)
    if path is None:
        raise SpikeLoomError(
            f"There is no program {name}, which programs the board: {MISSING}, name it in the variable OPENFPGALOADER, "
            "or leave --program out"
        )
    return path


def program(board: Board, bitstream: Path, log: Path) -> list[str]:
    """Load a bitstream into the board at this machine; returns the command.

    Parameters
    ----------
    bitstream : the file
    log : file for what the program says

    Raises
    ------
    SpikeLoomError : the program is missing
    BitstreamError : it failed, as for a board that is not connected
    """
    command = [loader(), *board.loader, str(bitstream.resolve())]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        ended = run(command, output=file)
    if ended.returncode != 0:
        said = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        raise BitstreamError(
            f"{LOADER} could not program the board {board.name}: {said[-1] if said else 'no message'} (log: {log}); "
            "connect the board's USB port, see that your user may use it (udev rules, docs/boards/README.md), and give "
            "--program again, which repeats this step only"
        )
    return command
