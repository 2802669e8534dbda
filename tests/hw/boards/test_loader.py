"""Programming a board: which command, and what is said where program or board are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikeloom.hw.boards.boards import BOARDS
from spikeloom.hw.boards.loader import loader, program
from spikeloom.hw.boards.steps import BitstreamError
from spikeloom.hw.errors import SpikeLoomError


def fake(folder: Path, text: str) -> Path:
    path = folder / "openFPGALoader"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_command_is_the_boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, 'echo "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    bitstream = tmp_path / "top.bit"
    log = tmp_path / "logs" / "program.log"
    command = program(BOARDS["ulx3s-85f"], bitstream, log)
    assert command == [str(tmp_path / "openFPGALoader"), "-b", "ulx3s", str(bitstream)]
    assert log.read_text() == f"-b ulx3s {bitstream}\n"


def test_a_board_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENFPGALOADER", str(fake(tmp_path, "echo; echo unable to open ftdi device; exit 1")))
    with pytest.raises(BitstreamError) as error:
        program(BOARDS["icebreaker"], tmp_path / "top.bin", tmp_path / "program.log")
    said = str(error.value)
    assert said.startswith("openFPGALoader could not program the board icebreaker: unable to open ftdi device (log: ")
    assert "connect the board's USB port" in said and "udev" in said


def test_a_program_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    with pytest.raises(SpikeLoomError, match=r"There is no program openFPGALoader, .*apt-get install openfpgaloader"):
        loader()
    monkeypatch.setenv("OPENFPGALOADER", "mine")
    with pytest.raises(SpikeLoomError, match="There is no program mine, "):
        loader()
