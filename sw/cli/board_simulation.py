"""`spikeloom board --simulate`: the board's unit in a simulator, behind a pseudo terminal, until Ctrl-C."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from spikeloom.sw.cli.console import bar, print_json, say
from spikeloom.sw.common.errors import ConfigError

if TYPE_CHECKING:
    from spikeloom.hw.boards.board_unit import BoardUnit

__all__ = ["PATIENCE_s", "check_simulate", "fastest_baud", "simulate"]

PATIENCE_s = 60
"""What a host of a simulated board should have: bytes come slower than from a real one."""
_CLOCKS_PER_BIT = 4
_LOOK_s = 0.2


def check_simulate(program: bool, output: Path | None, seed: int | None) -> None:
    """Raise `ConfigError` for options that are of bitstreams."""
    for given, option in ((program, "--program"), (output is not None, "--output"), (seed is not None, "--seed")):
        if given:
            raise ConfigError(
                option,
                ["it would have no effect with --simulate, which makes no bitstream; leave one of them out"],
            )


def fastest_baud(clock_Hz: float) -> int:
    """The rate of the serial port that takes the fewest clock cycles, where nobody asks for another."""
    return int(clock_Hz / _CLOCKS_PER_BIT)


def simulate(unit: BoardUnit, clocks_per_bit: int, chip: Path, as_json: bool) -> None:
    """Build the simulator of a board's unit, print its port and how to connect, and serve it until Ctrl-C.

    Parameters
    ----------
    unit, clocks_per_bit : the unit, and of its serial port
    chip : the weight image, for what is printed
    as_json : print JSON instead

    Raises `ToolError` where the simulator is missing, `SimulationError` where it does not build, or ends by itself.
    """
    from spikeloom.hw.boards.project import unit_text
    from spikeloom.sim.cosim.board.simulated_board import SimulatedBoard, build_board_simulator

    with bar(as_json) as advance:
        advance("elaborate", 0, 0, "write the Verilog of the design")
        texts = unit_text(unit)
        advance("simulator", 0, 0, "build the simulator")
        simulator = build_board_simulator(texts, clocks_per_bit)
    board = SimulatedBoard(simulator)
    try:
        way = f"Host.connect('{board.port}', patience_s={PATIENCE_s})"
        if as_json:
            print_json({"port": board.port, "clocks_per_bit": clocks_per_bit, "patience_s": PATIENCE_s})
        else:
            lines = (f"Port: {board.port}", f"To connect: {way}.load('{chip}')", "Ctrl-C ends it.")
            for line in lines:
                Console().print(line, soft_wrap=True, highlight=False, markup=False)
        sys.stdout.flush()
        while board.error is None:
            time.sleep(_LOOK_s)
        raise board.error
    except KeyboardInterrupt:
        say(f"The simulated board has ended after {board.cycles:,} clock cycles.")
    finally:
        board.close(kill=True)
