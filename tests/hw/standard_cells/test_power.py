"""Power by hand, and with OpenSTA's switching power."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikeloom.hw.standard_cells.cell_mapping import Mapped
from spikeloom.hw.standard_cells.conditions import Conditions
from spikeloom.hw.standard_cells.liberty import read_library
from spikeloom.hw.standard_cells.power import ACTIVITY, Power, netlist_energy, netlist_probes, power_of
from spikeloom.hw.standard_cells.probes import probed
from spikeloom.hw.standard_cells.switching import switching_energy
from spikeloom.hw.standard_cells.timing import opensta_version
from tests.fixtures.standard_cells import osu018, osu018_library
from tests.hw.standard_cells.test_switching import COUNTER, LIBRARY, NETLIST, SDC

opensta = pytest.mark.skipif(opensta_version() is None, reason="OpenSTA (Debian: opensta) is not installed")


def test_power_of_a_flip_flop_and_an_inverter_by_hand(tmp_path: Path) -> None:
    """Volts 2. Clock: 2 * 7 fJ, and 5 fF * 4 V². Nets: 1.2 fJ and 4 fJ of the inverter, 4 fJ of D, 6 fJ of Q."""
    (tmp_path / "small.lib").write_text(LIBRARY)
    library = read_library(tmp_path / "small.lib")
    probes = probed(NETLIST, "top", {"INV": frozenset("AY"), "FF": frozenset("CDQ")})
    loads = {"_1_": 4e-15, "part/_1_": 6e-15}
    energy = switching_energy(probes, [library], Conditions({}, loads, {"_1_": 1e-9, "part/_1_": 2e-9}), 2.0)
    found = power_of(energy, 1e9, 0.25)
    clock_W, nets_W = 34e-15 * 1e9, (1.2 + 4 + 4 + 6) * 1e-15 * 0.25e9
    assert (found.clock_Hz, found.activity, ACTIVITY) == (1e9, 0.25, 0.1)
    assert (found.clock_W, found.nets_W, found.leakage_W) == pytest.approx((clock_W, nets_W, 3e-9))
    assert found.total_W == pytest.approx(clock_W + nets_W + 3e-9)


@osu018
@opensta
def test_a_unit_s_power_is_its_clock_nets_and_leakage() -> None:
    library = osu018_library()
    mapped = Mapped(COUNTER, (), (), "")
    energy = netlist_energy(mapped, netlist_probes(mapped, "top", [library]), "top", [library], SDC, 1e8, 1.8)
    one, other = power_of(energy, 1e8), power_of(energy, 2e8, 0.2)
    assert isinstance(one, Power) and one.activity == 0.1
    assert other.clock_W == pytest.approx(2 * one.clock_W) and other.nets_W == pytest.approx(4 * one.nets_W)
    assert other.leakage_W == one.leakage_W > 0.0
    assert one.total_W == pytest.approx(one.clock_W + one.nets_W + one.leakage_W)
