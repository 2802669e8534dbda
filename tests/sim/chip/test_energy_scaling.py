"""Default coefficients of the digital parts follow from what was measured, by the published factors."""

from __future__ import annotations

import pytest

from spikeloom.sim.chip.device_config import Energy
from spikeloom.sim.chip.energy_scaling import MEASURED_J, NM_45, NM_180, Process, scaled_interval


def test_factors_are_those_of_the_paper() -> None:
    """With the coefficients and results of its corrected example: 1.3 V at 65 nm to 0.9 V at 32 nm."""
    old, new = Process(65.0, 1.3, (3.755, -4.398, 1.975)), Process(32.0, 0.9, (0.8367, -0.4341, 0.1701))
    assert new.energy == pytest.approx(0.4571, abs=1e-4) and old.energy == pytest.approx(2.604, abs=1e-3)
    assert old.simulated(new) == pytest.approx(0.1755, abs=1e-4)
    assert NM_180.simulated(NM_45) == pytest.approx(0.03266, rel=1e-3)
    assert NM_180.constant_field(NM_45) == pytest.approx(1.0 / 4.0 / 1.8**2)


@pytest.mark.parametrize(
    ("name", "field", "ends"),
    [
        ("clock", "flip_flop_J_per_cycle", (0, 1, 2)),
        ("logic", "adder_J_per_bit", (0, 1, 2)),
        ("memory", "memory_J_per_bit", (0,)),
    ],
)
def test_defaults_are_the_scaled_values(name: str, field: str, ends: tuple[int, ...]) -> None:
    """To two digits."""
    scaled, default = scaled_interval(name), getattr(Energy(), field)
    for end in ends:
        assert default[end] == pytest.approx(float(f"{scaled[end]:.1e}"), rel=1e-9), end


def test_old_defaults_were_below_what_was_measured() -> None:
    """5 fJ was the high end of a flip-flop's clock, which is below any of the two ways of scaling."""
    assert scaled_interval("clock")[1] > 5e-15 and MEASURED_J["clock"] * NM_180.constant_field(NM_45) > 1e-14
