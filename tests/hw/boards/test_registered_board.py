"""The board of docs/extending.md, from outside of the source tree."""

from __future__ import annotations

import sys
from pathlib import Path

from spikeloom.hw.boards.boards import BOARDS
from spikeloom.hw.boards.project import project_of, unit_text
from spikeloom.sw.config.config import Config
from tests.fixtures.guide import guide_blocks, module_in
from tests.hw.boards.stand_in import StandIn

(CODE,) = guide_blocks("A board")


def test_the_board_of_the_guide(tmp_path: Path) -> None:
    try:
        with module_in(tmp_path, "my_board", CODE):
            board = BOARDS["blackice-ii"]
            assert Config.load({"board": {"name": "blackice-ii", "clock_Hz": 50e6}}).board.clock_Hz == 50e6
            project = project_of(board, board.clock(), unit_text(StandIn(25)))
        assert "set_io uart_0__rx__io" in project.constraints[1] and project.place[0] == "--hx8k"
    finally:
        sys.modules.pop("my_board", None)
        BOARDS.unregister("blackice-ii")
