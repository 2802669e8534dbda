"""Timing constraints of an exported unit as SDC, which synthesis and timing tools read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["sdc"]


def _names(ports: Sequence[dict[str, Any]], direction: str) -> Iterator[str]:
    for port in ports:
        if port["direction"] == direction and port["name"] != "clk":
            yield f"{{{port['name']}[*]}}" if port["width"] > 1 else port["name"]


def _list(names: Iterator[str]) -> str:
    return "[get_ports {\n    " + "\n    ".join(names) + "\n}]"


def sdc(ports: Sequence[dict[str, Any]], clock_Hz: float, unit: str) -> str:
    """Constraints of a unit: its one clock, and delays outside it, which are 0 until the user knows them.

    Parameters
    ----------
    ports : of the unit, see `hw.export.verilog.ports`
    clock_Hz : frequency of the clock
    unit : name of the unit's module

    Returns
    -------
    SDC text in nanoseconds; there are no exceptions, since every path of the unit takes one cycle
    """
    return f"""\
# Constraints of {unit}: times are in nanoseconds. Every path takes one clock cycle: there are no false paths and no
# paths of several cycles. `rst` is synchronous, and a path like any other.
set period_ns {1e9 / clock_Hz:.6g}
# Of the clock tree and of the source of the clock.
set uncertainty_ns 0.0
# What other blocks, and the macros of the crossbars, take from the clock to the unit's inputs, and need before the
# clock at its outputs. Besides, set_driving_cell and set_load want cells of your library.
set input_delay_ns 0.0
set output_delay_ns 0.0

create_clock -name clk -period $period_ns [get_ports clk]
set_clock_uncertainty $uncertainty_ns [get_clocks clk]
set_input_delay $input_delay_ns -clock clk {_list(_names(ports, "input"))}
set_output_delay $output_delay_ns -clock clk {_list(_names(ports, "output"))}
"""
