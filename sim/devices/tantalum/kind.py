"""Tantalum-oxide cells as a cell kind: they drift with reads, and a write driver chooses their pulse voltages.

The physics are in the modules beside this one, and imported when they are asked for: they are compiled. Equations,
sources and range of validity: docs/tantalum-oxide.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.cell_kinds import CellKind, Drift
from spikeloom.sim.devices.tantalum.range import GM_S, off_conductance_S

if TYPE_CHECKING:
    from spikeloom.sim.chip.device_options import DeviceOptions
    from spikeloom.sim.devices.tantalum.write_driver import WriteDriver

__all__ = ["Tantalum"]

_MOST_READ_V = 0.3
"""Read voltage up to which the drift of cells is known."""


class Tantalum(CellKind):
    """The measured memristor of `sim.devices.tantalum.oxide`."""

    name = "tantalum"
    meaning = "tantalum-oxide cells, which drift with reads"
    needs = (
        "`device.g_min_S` and `device.g_max_S` within what the cell reaches (58.91 uS to 25 mS at "
        "`device.v_read_V = 0.2`), and `device.v_read_V` of at most 0.3"
    )
    unused = ((("pulse_up", "pulse_down", "soft_bounds"), "whose equations say how far a pulse goes"),)
    drifts = True
    driven = True

    def reachable_S(self, device: DeviceOptions) -> tuple[float, float]:
        """Conductances of a cell that does not conduct, and of one that conducts all over, siemens."""
        return float(off_conductance_S(device.v_read_V)), GM_S

    def problems(self, device: DeviceOptions) -> Iterator[str]:
        """Levels out of the cells' reach, and read voltages that would program them."""
        low, high = self.reachable_S(device)
        if device.g_min_S < low * (1.0 - 1e-9) or device.g_max_S > high * (1.0 + 1e-9):
            yield (
                f"g_min_S ({device.g_min_S!r}) and g_max_S ({device.g_max_S!r}) must lie between {low:.6g} and "
                f"{high:.6g}, what a tantalum cell reaches at v_read_V {device.v_read_V!r}"
            )
        if not device.v_read_V <= _MOST_READ_V:
            yield f"v_read_V must be at most {_MOST_READ_V} with cell 'tantalum', not {device.v_read_V!r}"

    def drift(
        self,
        device: DeviceOptions,
        programmed_S: NDArray[np.float64],
        seed: int,
        layer: int,
        read_s: float,
        pulsed: bool,
    ) -> Drift:
        """The drift of a layer's cells under read pulses of `read_s` seconds."""
        from spikeloom.sim.devices.drift import LayerDrift

        return LayerDrift(device, programmed_S, seed, layer, read_s, pulsed)

    def write_driver(self, device: DeviceOptions, pulse_s: float) -> WriteDriver:
        """Tables of the write driver for pulses of `pulse_s` seconds."""
        from spikeloom.sim.devices.tantalum.write_driver import write_driver

        return write_driver(device, pulse_s)

    def half_selected_S(
        self, device: DeviceOptions, levels_S: NDArray[np.float64], pulse_s: float
    ) -> tuple[NDArray[np.float64], ...]:
        """Conductances after a pulse of half the programming voltage, up and down, from `levels_S`; siemens."""
        from spikeloom.sim.devices.tantalum.oxide import TantalumOxide
        from spikeloom.sim.devices.tantalum.pulse import pulse

        oxide = TantalumOxide()
        states = oxide.state(np.minimum(levels_S, device.g_max_S), device.v_read_V)
        return tuple(
            oxide.conductance_S(pulse(oxide, states, up, device.v_program_V / 2, pulse_s), device.v_read_V)
            for up in (True, False)
        )
