"""The design as it lies in a board's FPGA, cell by cell, in the simulator: what the bitstream does, but for delays.

    built = hw.boards.toolchain.build(project, folder)
    simulator = placed_simulator(board, built.placed.netlist, clocks_per_bit)
    with SimulatedBoard(simulator) as simulated, Host.connect(simulated.port) as host: ...

The clock is that of the design, whatever the crystal's frequency; see `hw.boards.netlist` for what else is not as in
the FPGA.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.netlist import netlist_ports, placed_netlist
from spikeloom.hw.boards.project import TOP
from spikeloom.hw.boards.top import RESET_BITS
from spikeloom.sim.cosim.board.board_bench import BenchedBoard
from spikeloom.sim.cosim.board.simulated_board import build_board_simulator
from spikeloom.sim.cosim.simulator import Simulator

__all__ = ["placed_board", "placed_simulator"]

_START_CYCLES = (1 << RESET_BITS) + 16
"""Until the board has left its reset, clock cycles: it has no pin for it."""


def placed_board(board: Board, netlist: Mapping[str, Any]) -> BenchedBoard:
    """A placed design, as the bench has it: pins of the clock, of the serial port and of the lamp `busy`.

    Parameters
    ----------
    board : of the design
    netlist : as nextpnr writes it (`Placed.netlist`)
    """
    ports = netlist_ports(netlist)
    lamp = f"led_{board.busy_led}"
    pins = {"clk": "clock", "rx": "rx", "tx": "tx", "busy_level": lamp}
    others = {name: "1'b1" for what, (name, way) in ports.items() if way == "input" and what not in pins.values()}
    (light,) = board.platform().lookup("led", board.busy_led).ios
    return BenchedBoard(
        TOP,
        {pin: ports[what][0] for pin, what in pins.items()},
        others,
        busy_low=light.invert,
        start_cycles=_START_CYCLES,
    )


def placed_simulator(
    board: Board,
    netlist: Mapping[str, Any],
    clocks_per_bit: int,
    *,
    simulator: str = "verilator",
    waves: bool = False,
    quick: bool = False,
) -> Simulator:
    """Build the simulator of a placed design, or take the existing build.

    It keeps no record of spikes and membranes: gates have no such signals.

    Parameters
    ----------
    board : of the design
    netlist : as nextpnr writes it (`Placed.netlist`)
    clocks_per_bit : of the serial port (`Board.clocks_per_bit`)
    simulator, waves, quick : as for `Simulator.build`

    Raises
    ------
    BitstreamError, SynthesisError : as `hw.boards.netlist.placed_netlist`
    ToolError, SimulationError : as `Simulator.build`
    """
    return build_board_simulator(
        placed_netlist(board, netlist),
        clocks_per_bit,
        board=placed_board(board, netlist),
        simulator=simulator,
        waves=waves,
        quick=quick,
    )
