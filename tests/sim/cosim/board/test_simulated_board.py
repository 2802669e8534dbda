"""A simulated board behind a pseudo terminal: its line carries bytes as a real one does, and can be cut."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.cosim.board.board_bench import UNIT, BenchedBoard
from spikeloom.sim.cosim.board.simulated_board import SimulatedBoard, build_board_simulator
from spikeloom.sim.cosim.tools import SimulationError

_BIT = 5

ECHO = f"""\
// Sends back every byte of its line, each bit turned over, 300 cycles after its stop bit; busy meanwhile.
`timescale 1ns / 1ps
module spikeloom_board (input wire clk, input wire rst, input wire rx, output wire tx, output wire busy,
                        output wire error);
    reg [7:0] data;
    reg [9:0] out = 10'h3FF;
    reg [15:0] wait_in = 0, wait_out = 0;
    reg [3:0] bits = 0, left = 0;
    reg receiving = 1'b0, held = 1'b0;
    reg [15:0] delay = 0;
    assign tx = out[0];
    assign busy = receiving || held || left != 0;
    assign error = 1'b0;
    always @(posedge clk) if (rst) begin
        receiving <= 1'b0;
        held <= 1'b0;
        left <= 0;
        out <= 10'h3FF;
    end else begin
        delay <= delay == 0 ? 0 : delay - 1;
        if (!receiving && !held && left == 0 && !rx) begin
            receiving <= 1'b1;
            bits <= 0;
            wait_in <= {_BIT + _BIT // 2};
        end else if (receiving) begin
            wait_in <= wait_in == 0 ? {_BIT - 1} : wait_in - 1;
            if (wait_in == 0) begin
                bits <= bits + 1;
                if (bits < 8) data <= {{rx, data[7:1]}};
                else begin
                    receiving <= 1'b0;
                    held <= 1'b1;
                    delay <= 300;
                end
            end
        end
        if (held && delay == 1) begin
            out <= {{1'b1, ~data, 1'b0}};
            left <= 10;
            wait_out <= {_BIT - 1};
            held <= 1'b0;
        end else if (left != 0) begin
            wait_out <= wait_out == 0 ? {_BIT - 1} : wait_out - 1;
            if (wait_out == 0) begin
                out <= {{1'b1, out[9:1]}};
                left <= left - 1;
            end
        end
    end
endmodule
"""
LOW = "module low_board (input wire c, input wire i, output wire o, output wire led, input wire spare);\n" + (
    "    wire busy;\n    assign led = ~busy;\n"
    "    spikeloom_board unit (.clk(c), .rst(~spare), .rx(i), .tx(o), .busy(busy), .error());\nendmodule\n"
)


@pytest.fixture(params=["unit", "pins"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SimulatedBoard]:
    """The echo as a unit is; and behind pins of other names, without a reset, its light on while its pin is down."""
    benched = UNIT
    if request.param == "pins":
        pins = {"clk": "c", "rx": "i", "tx": "o", "busy_level": "led"}
        benched = BenchedBoard("low_board", pins, {"spare": "1'b1"}, busy_low=True)
    simulator = build_board_simulator({"echo.sv": ECHO, "low.v": LOW}, _BIT, board=benched, quick=True)
    with SimulatedBoard(simulator, tmp_path / "board") as simulated:
        yield simulated


def exchange(port: serial.Serial, data: bytes) -> bytes:
    """Send bytes one by one, since an echo has no buffer; returns what comes back."""
    answer = b""
    for byte in data:
        port.write(bytes([byte]))
        answer += port.read(1)
    return answer


def test_bytes_come_and_go_and_time_stands_still_meanwhile(board: SimulatedBoard) -> None:
    data = bytes(range(0, 256, 5)) + b"\xff\x00\xc0\xdb"
    with serial.Serial(board.port, timeout=5) as port:
        assert exchange(port, data) == bytes(255 - byte for byte in data)
        took = board.cycles
        assert len(data) * (300 + 20 * _BIT) <= took < 2 * len(data) * (300 + 20 * _BIT)
        time.sleep(0.3)
        assert board.cycles <= took + 50 * _BIT  # quiet: nothing happens in the simulation while the host thinks
        assert exchange(port, b"x") == b"\x87"


def test_a_pulled_cable_is_an_error_and_works_again_once_plugged_in(board: SimulatedBoard) -> None:
    with serial.Serial(board.port, timeout=5) as port:
        assert exchange(port, b"a") == b"\x9e"
        board.unplug()
        with pytest.raises(OSError):
            for _ in range(100):
                port.write(b"b")
                port.read(1)
    assert not Path(board.port).exists()
    with pytest.raises(serial.SerialException, match="could not open port"):
        serial.Serial(board.port)
    board.plug()
    with serial.Serial(board.port, timeout=5) as port:
        assert exchange(port, b"c") == b"\x9c"


def test_the_cable_can_change_what_it_carries(board: SimulatedBoard) -> None:
    board.to_board = lambda data: bytes(byte ^ 1 for byte in data)
    board.to_host = lambda data: data + b"!"
    with serial.Serial(board.port, timeout=5) as port:
        port.write(b"a")
        assert port.read(2) == bytes([255 - 0x60]) + b"!"


def test_a_cable_is_pulled_at_once_and_as_often_as_one_likes(board: SimulatedBoard) -> None:
    """While the board looks for bytes all the time; from the cable itself, too, in the middle of bytes."""
    took = []
    for _ in range(20):
        began = time.monotonic()
        board.unplug()
        board.plug()
        took.append(time.monotonic() - began)
    assert sorted(took)[10] < 0.02

    plugged = threading.Event()

    def cut(data: bytes) -> bytes:
        board.unplug()
        board.plug()
        plugged.set()
        return b""

    board.to_board = cut
    with serial.Serial(board.port, timeout=5) as port, pytest.raises(OSError):
        port.write(b"a")
        for _ in range(100):
            port.read(1)
    assert plugged.wait(10)  # the host sees the cable pulled before it is in again
    board.to_board = None
    with serial.Serial(board.port, timeout=5) as port:
        assert exchange(port, b"a") == b"\x9e"


def test_what_ends_the_simulation_is_kept(board: SimulatedBoard) -> None:
    def wrong(data: bytes) -> bytes:
        raise ZeroDivisionError

    board.to_board = wrong
    with serial.Serial(board.port, timeout=5) as port, pytest.raises(OSError):
        port.write(b"a")
        for _ in range(100):
            port.read(1)
    assert isinstance(board.error, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        board.plug()
    board.close()
    board.close()


def test_a_closed_board_and_times_that_are_too_long(board: SimulatedBoard) -> None:
    for press in (board.hold_line, board.press_reset):
        for cycles in (0, 1 << 24):
            with pytest.raises(SpikeLoomError, match=r"^cycles must be an integer in 1 \.\. 16777215, not "):
                press(cycles)
    board.close()
    assert not Path(board.port).exists() and board.error is None
    with pytest.raises(SimulationError, match=r"^The simulated board is closed: make a new one$"):
        board.plug()


def test_a_break_on_the_line_is_a_byte_of_zeros(board: SimulatedBoard) -> None:
    with serial.Serial(board.port, timeout=5) as port:
        board.hold_line(12 * _BIT)
        assert port.read(1) == b"\xff"
