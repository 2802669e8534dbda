"""The boards: what they say of themselves is what their platforms say."""

from __future__ import annotations

import pytest

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.boards import BOARDS, register_board
from spikeloom.hw.boards.family import Usage
from spikeloom.hw.boards.ice40 import ICE40
from spikeloom.hw.boards.icebreaker import Icebreaker
from spikeloom.hw.errors import SpikeLoomError

ALL = list(BOARDS)


@pytest.mark.parametrize("board", ALL, ids=lambda board: board.name)
def test_a_platform_has_what_the_board_says(board: Board) -> None:
    platform = board.platform()
    assert platform.default_clk == board.crystal and platform.default_clk_frequency == board.crystal_Hz
    assert platform is not board.platform(), "a platform makes one design"
    for led in (board.busy_led, board.error_led):
        platform.lookup("led", led)
    assert {"rx", "tx"} <= {line.name for line in platform.lookup("uart", 0).ios if hasattr(line, "name")}
    clock = board.clock()
    assert abs(clock.Hz - board.clock_Hz) < 1e-3 * board.clock_Hz
    assert abs(clock.Hz / board.clocks_per_bit(clock) / board.baud - 1) < 0.02


@pytest.mark.parametrize(
    ("baud", "sentence"),
    [
        (5_000_000, "at least 4 (at most 4500000 baud); near it are 4500000, 3600000 baud"),
        (4_100_000, "near it are 4500000, 3600000 baud"),
        (0, "above 0 baud, not 0; give 115200"),
        (274, "a bit would take 65,693 cycles, and takes 65,535 at most, which are 275 baud"),
        (1, "a bit would take 18,000,000 cycles, and takes 65,535 at most"),
    ],
)
def test_rates_of_the_serial_port(baud: int, sentence: str) -> None:
    board = BOARDS["icebreaker"]
    clock = board.clock(18e6)
    assert board.clocks_per_bit(clock, 115_200) == 156 and board.clocks_per_bit(clock, 4_500_000) == 4
    assert board.clocks_per_bit(clock, 275) == 65_455
    with pytest.raises(SpikeLoomError) as error:
        board.clocks_per_bit(clock, baud)
    assert sentence in str(error.value)


def test_memories_are_powers_of_two() -> None:
    assert [BOARDS[name].memory_bits for name in ("ulx3s-85f", "ice40-hx8k-evn", "icebreaker")] == [16384, 4096, 4096]


def test_what_does_not_fit_is_said() -> None:
    board = BOARDS["ice40-hx8k-evn"]
    board.check_capacity(Usage(luts=7680, flip_flops=7680, block_rams=32), "It", "wait")
    for needed, words in (
        (Usage(luts=7681), "7,681 logic cells, and the board ice40-hx8k-evn has 7,680"),
        (Usage(block_rams=33), "33 block memories, and the board ice40-hx8k-evn has 32"),
        (Usage(dsps=1), "1 multipliers, and the board ice40-hx8k-evn has 0"),
    ):
        with pytest.raises(SpikeLoomError, match=f"^It needs {words} .Lattice iCE40.; wait$"):
            board.check_capacity(needed, "It", "wait")


def cell(kind: str, out: str, **pins: object) -> dict[str, object]:
    """A cell of Yosys' netlist; pins by the numbers of their nets."""
    directions = {name: "output" if name == out else "input" for name in pins}
    return {"type": kind, "port_directions": directions, "connections": {name: [net] for name, net in pins.items()}}


def test_logic_cells_that_cannot_be_shared() -> None:
    """Flip-flops of an iCE40 that packing puts to a look-up table, and those that it cannot."""
    lut = cell("SB_LUT4", "O", I0="0", I1=1, I2=2, I3=3, O=10)
    own = cell("SB_DFF", "Q", C=99, D=10, Q=20)
    needed = ICE40.needed
    assert needed({"lut": lut, "ff": own}) == Usage(luts=1, flip_flops=1), "driven by a look-up table alone"
    reader = cell("SB_LUT4", "O", I0=10, I1="0", I2="0", I3="0", O=11)
    assert needed({"lut": lut, "ff": own, "reader": reader}) == Usage(luts=3, flip_flops=1), "which drives more"
    assert needed({"lut": lut, "ff": cell("SB_DFFE", "Q", C=99, D=20, Q=21)}) == Usage(luts=2, flip_flops=1)
    assert needed({"ff": cell("SB_DFF", "Q", C=99, D="1", Q=21)}) == Usage(luts=1, flip_flops=1)
    carries = {str(n): cell("SB_CARRY", "CO", I0=1, I1=2, CI=3, CO=4 + n) for n in range(3)}
    assert needed({"lut": lut, "ff": own, **carries}) == Usage(luts=3, flip_flops=1, carry=3), "one in each"


class Mine(Icebreaker):
    """A board from outside."""

    name = "mine"


def test_a_board_from_outside() -> None:
    register_board(Mine())
    try:
        register_board(Mine())  # the same again is no second one
        assert [board.name for board in BOARDS][-1] == "mine" and "mine: " in BOARDS.meanings()
        with pytest.raises(SpikeLoomError, match="There is a board 'mine' already"):
            register_board(type("Other", (Icebreaker,), {"name": "mine"})())
    finally:
        BOARDS.unregister("mine")
    with pytest.raises(SpikeLoomError, match="There is no board 'mine'; the boards are ulx3s-85f, ulx3s-45f"):
        BOARDS["mine"]
    with pytest.raises(SpikeLoomError, match="There is a board 'icebreaker' already"):
        register_board(type("Other", (Icebreaker,), {})())
