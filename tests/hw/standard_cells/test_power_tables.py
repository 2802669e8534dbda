"""Internal energies of cells: tables by slew and load, and what is averaged or added."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spikeloom.hw.standard_cells.liberty import Library, LibraryError, read_library
from spikeloom.hw.standard_cells.power_tables import Table, read_power

LIBRARY = """\
library (small) {
  time_unit : "1ps"; voltage_unit : "1V"; capacitive_load_unit (1, pf);
  power_lut_template (both) { variable_1 : total_output_net_capacitance; variable_2 : input_transition_time;
    index_1 ("1, 2"); index_2 ("1, 2"); }
  power_lut_template (slews) { variable_1 : input_transition_time; index_1 ("0, 100"); }
  cell (NAND) { area : 1; pin (A, B) { direction : input; } pin (Y) { direction : output; function : "!(A B)";
    internal_power () { related_pin : "A"; when : "B"; related_pg_pin : VDD;
      rise_power (both) { index_1 ("0.0, 0.01"); index_2 ("0, 1000"); values ("0.001, 0.003", "0.002, 0.004"); }
      fall_power (both) { index_1 ("0.0, 0.01"); index_2 ("0, 1000"); values ("0.003, 0.005", "0.004, 0.006"); } }
    internal_power () { related_pin : "B"; related_pg_pin : VDD; power (scalar) { values ("0.006"); } }
    internal_power () { related_pin : "B"; related_pg_pin : VSS; power (scalar) { values ("0.0005"); } } } }
  cell (FF) { area : 1; ff (IQ, IQN) { clocked_on : "!C"; next_state : "D"; }
    pin (C) { direction : input; internal_power () { rise_power (slews) { values ("0.01, 0.02"); } } }
    pin (D) { direction : input; } pin (Q) { direction : output; function : "IQ"; } }
  cell (ODD) { area : 1; pin (A) { direction : input; internal_power () { rise_power (slews) { values ("1, 2, 3"); } } } }
}
"""  # noqa: E501


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "small.lib").write_text(LIBRARY)
    return read_library(tmp_path / "small.lib")


def test_energies_lie_on_lines_between_places_and_beyond() -> None:
    table = Table(np.array([0.0, 1.0, 3.0]), np.array([0.0, 10.0]), np.array([[0.0, 10.0], [2.0, 12.0], [8.0, 18.0]]))
    slews, loads = np.array([0.0, 0.5, 2.0, 4.0, 1.0]), np.array([0.0, 5.0, 10.0, 0.0, 20.0])
    np.testing.assert_allclose(table.at(slews, loads), [0.0, 6.0, 15.0, 11.0, 22.0])


def test_rising_and_falling_and_conditions_are_averaged_and_supplies_added(library: Library) -> None:
    """By hand, femtojoules: of A (2 + 4) / 2 at slew 0.5 ns and no load, of B 6; and 0.5 of the other supply."""
    found = read_power([library], ["NAND", "FF"])
    slews = {"A": np.array([0.5]), "B": np.array([9.0])}
    assert found["NAND"].pins["Y"].energy_fJ(slews, np.array([0.0])) == pytest.approx([(3.0 + 6.0) / 2 + 0.5])
    assert found["NAND"].pins["Y"].energy_fJ(slews, np.array([10.0])) == pytest.approx([(4.0 + 6.0) / 2 + 0.5])
    assert not found["NAND"].pins["A"].groups and not found["NAND"].clocks
    assert found["FF"].clocks == {"C"}
    assert found["FF"].pins["C"].energy_fJ({"": np.array([0.05])}, np.zeros(1)) == pytest.approx([15.0])


def test_a_table_that_is_not_whole_is_named(library: Library) -> None:
    with pytest.raises(LibraryError, match="library small has a table of internal power, line 15, with 3 values for 2"):
        read_power([library], ["ODD"])
