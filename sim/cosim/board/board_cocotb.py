"""The cocotb bench of a board: a clock. Everything else is in Verilog, and goes through two pipes."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

_CLOCK_NS = 10


@cocotb.test()
async def run(dut: Any) -> None:
    """Run until the host has ended the simulation."""
    Clock(dut.clk, _CLOCK_NS, unit="ns").start()
    await RisingEdge(dut.finished)
