"""Clocks and corners that may be asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.standard_cells.corners import check_options
from spikeloom.hw.standard_cells.gates import check_calibration
from spikeloom.hw.standard_cells.liberty import Corner, Library, LibraryError, read_library
from tests.fixtures.standard_cells import FEW


@pytest.fixture
def few(tmp_path: Path) -> Library:
    (tmp_path / "few.lib").write_text(FEW)
    return read_library(tmp_path / "few.lib")


@pytest.mark.parametrize("clock_Hz", [0.0, -5.0, float("nan"), float("inf"), 400.0, 9999.0, 1e12])
def test_a_clock_that_tools_cannot_count_with_is_refused(clock_Hz: float, few: Library) -> None:
    with pytest.raises(SpikeLoomError, match=r"The clock must be from 10000 to 1e\+11 Hz, such as 100e6, not"):
        check_options([few], clock_Hz, 0)


@pytest.mark.parametrize("clock_Hz", [1e4, 1e11])
def test_the_ends_of_the_range_are_in_it(clock_Hz: float, few: Library) -> None:
    assert check_options([few], clock_Hz, 0) == few.default_corner == Corner("slow", 1.1, 1.0, 125.0)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            (1.1, 3.3, 125.0),
            "the voltage of few is 1 V, that of other 3.3 V; give files of one corner, or a --corner that all have",
        ),
        ((1.1, 1.0, 25.0), "the temperature of few is 125 degrees Celsius, that of other 25 degrees Celsius"),
        ((0.9, 1.0, 125.0), "the process of few is 1.1, that of other 0.9"),
        ((None, 3.3, None), "the voltage of few is 1 V, that of other 3.3 V"),
    ],
)
def test_libraries_of_different_corners_are_refused_in_both_orders(
    values: tuple[float | None, ...], sentence: str, few: Library
) -> None:
    """Whatever the corner is called, in either order, by both commands."""
    other = replace(few, name="other", corners={}, default_corner=Corner("slow", *values))
    for check in (check_options, check_calibration):
        with pytest.raises(LibraryError, match=r"The libraries are of different corners: ") as raised:
            check([few, other], 1e8, 0)
        assert sentence in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(LibraryError, match=r"of other .* that of few"):
        check_options([other, few], 1e8, 0)


def test_conditions_that_all_have_are_one_corner(few: Library) -> None:
    fast = few.corners["fast"]
    other = replace(few, name="other", default_corner=fast)
    with pytest.raises(LibraryError, match=r"different corners"):
        check_options([few, other], 1e8, 0)
    assert check_options([few, replace(other, cells={})], 1e8, 0, "fast") == fast
    lacks = replace(few, name="lacks", corners={})
    with pytest.raises(LibraryError, match=r"the voltage of few is 1.3 V, that of lacks 1 V"):
        check_options([few, lacks], 1e8, 0, "fast")
    silent = replace(few, name="silent", cells={}, corners={}, default_corner=Corner("", None, None, None))
    assert check_options([few, silent], 1e8, 0) == few.default_corner


def test_a_cell_in_two_files_is_refused_by_both_commands(few: Library) -> None:
    """The file given twice, a copy of it, and files with one cell in common; not the parts of a library."""
    flops = {"DFF": few.cells["DFF"]}
    gates = {name: cell for name, cell in few.cells.items() if name != "DFF"}
    parts = [replace(few, path="gates.lib", cells=gates), replace(few, path="flops.lib", cells=flops)]
    common = replace(few, path="more.lib", cells={**flops, "NAND": few.cells["NAND"]})
    assert check_options(parts, 1e8, 0) == few.default_corner
    for libraries, where in (
        ([few, few], f" '{few.path}' is given twice, and a cell such as INV must be there once: give every file once"),
        ([few, replace(few, path="copy.lib")], f"s '{few.path}' and 'copy.lib' both have the cell INV, which must be"),
        ([parts[0], common], "s 'gates.lib' and 'more.lib' both have the cell NAND, which must be there once"),
        ([*parts, replace(few, path="", cells=flops)], "s 'flops.lib' and 'few' both have the cell DFF, which must be"),
    ):
        for check in (check_options, check_calibration):
            with pytest.raises(LibraryError) as raised:
                check(libraries, 1e8, 0)
            assert str(raised.value).startswith(f"The Liberty file{where}") and "--liberty" in str(raised.value)
