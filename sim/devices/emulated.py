"""The cells of the FPGA's crossbar emulator as a cell kind: linear cells in integer arithmetic.

The arithmetic is in `sim.devices.integer_cells`, and imported when it is asked for: it is compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from spikeloom.sim.chip.cell_kinds import CellKind

if TYPE_CHECKING:
    from spikeloom.sim.chip.device_options import DeviceOptions
    from spikeloom.sim.devices.integer_cells import CellGrid

__all__ = ["Emulated"]

_MOST_STEPS = 1 << 30
"""Largest `g_max_S` in conductance steps, so that double precision tells the 2^-10 of a step well apart."""


class Emulated(CellKind):
    """Cells that pulses move by whole numbers of 2^-10 level; programmed directly, they are as linear ones."""

    name = "emulated"
    meaning = "cells of the FPGA's crossbar emulator, linear ones in integer arithmetic"
    needs = "`device.g_max_S` of at most 2^30 conductance steps"
    unused = (
        (("read_polarity", "acceleration", "drift_every", "refresh_every"), "which does not drift"),
        (("read_sigma",), "whose reads have no other noise than adc_sigma"),
        (("pulse_sigma",), "whose pulses have no noise"),
        (("pulse_up", "pulse_down", "soft_bounds"), "whose steps are the same up and down, anywhere"),
    )
    unused_pulsed = ((("wire_ohm",), "whose weights are differences of two cells, without wires"),)

    def problems(self, device: DeviceOptions) -> Iterator[str]:
        """Levels so near one another that the numbers in between are lost in rounding."""
        if not device.g_max_S <= _MOST_STEPS * device.step_S:
            yield (
                f"g_min_S ({device.g_min_S!r}) is too near g_max_S ({device.g_max_S!r}) for cell 'emulated', whose "
                "g_max_S is at most 2^30 conductance steps; lower g_min_S"
            )

    def grid(self, device: DeviceOptions) -> CellGrid:
        """The numbers that a cell can hold."""
        from spikeloom.sim.devices.integer_cells import cell_grid

        return cell_grid(device)
