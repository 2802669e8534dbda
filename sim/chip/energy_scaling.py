"""Energies measured in one process, in another: where the default coefficients of the digital parts come from.

The energy of a transition by A. Stillmaker and B. Baas, "Scaling equations for the accurate prediction of CMOS device
performance from 180 nm to 7 nm", Integration, the VLSI Journal 58, 2017: polynomials in the supply fitted to circuit
simulations, with the coefficients of its table 5,

    E(V) = e2 V^2 + e1 V + e0

in a unit of their own, so that only their ratios mean something. Beside it stands constant-field scaling, capacitances
in proportion to the length and C V^2, which gives less for old processes' energies per new one: 13 instead of 31 times
less from 180 nm at 1.8 V to 45 nm at 1 V. The two are the ends of what is known without the cells of the new process.
"""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.sim.chip.energy_margins import factors

__all__ = ["MEASURED_J", "NM_45", "NM_180", "Process", "scaled_interval"]


@dataclass(frozen=True)
class Process:
    """A process at a supply.

    Parameters
    ----------
    length_nm, supply_V : of the process
    polynomial : e2, e1, e0, of volts
    """

    length_nm: float
    supply_V: float
    polynomial: tuple[float, float, float]

    @property
    def energy(self) -> float:
        """Of a transition, in the unit of the polynomials."""
        e2, e1, e0 = self.polynomial
        return e2 * self.supply_V**2 + e1 * self.supply_V + e0

    def simulated(self, other: Process) -> float:
        """The other's energy in units of this one's, by the polynomials."""
        return other.energy / self.energy

    def constant_field(self, other: Process) -> float:
        """The same, by lengths and supplies alone."""
        return other.length_nm / self.length_nm * (other.supply_V / self.supply_V) ** 2


NM_180 = Process(180.0, 1.8, (0.0, 24.64, -17.98))
NM_45 = Process(45.0, 1.0, (1.018, -0.3107, 0.1539))
"""High-performance transistors."""

MEASURED_J = {"clock": 1.98e-13, "logic": 3.63e-13, "memory": 5.93e-13}
"""At 180 nm, of the preset digits in osu018 (docs/energy.md): clock of a flip-flop and cycle, all logic per bit that
adders and comparators take, and memories of flip-flops per bit, without their clock.
"""

_OTHER = (0.5, 2.0)
"""Factors for other designs of logic and memories, of which all together differ less than single parts: logic takes
363, 278 and 343 fJ in digits, mnist, and by the parts of digits in Net2. The low end of memories is for few words, as
those of digits; more take more.
"""


def scaled_interval(name: str) -> tuple[float, float, float]:
    """Joules of an event of `MEASURED_J` at `NM_45`: low, typical, high.

    Typical by the polynomials, high by constant-field scaling; low and high with what a netlist lacks
    (`sim.chip.energy_margins`), and for other designs than the one that was measured.
    """
    joules = MEASURED_J[name]
    if name == "clock":
        low, high = factors("clock", own=False)
    else:
        low, high = (mine * other for mine, other in zip(factors("neurons", own=True), _OTHER, strict=True))
    typical = joules * NM_180.simulated(NM_45)
    return typical * low, typical, joules * NM_180.constant_field(NM_45) * high
