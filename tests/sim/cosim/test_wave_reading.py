"""Signals of a dump, cycle by cycle: from a dump written by hand, and from a run whose results are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikeloom.sim.cosim.wave_reading import Wave, find_dump, read_waves

DUMP = """\
$version by hand $end
$timescale 1ps $end
 $scope module $rootio $end
  $var wire 1 ! clk $end
 $upscope $end
 $scope module bench $end
  $var wire 1 c clk $end
  $var wire 1 " valid $end
  $scope module chip $end
   $var wire 4 # word [3:0] $end
  $upscope $end
 $upscope $end
$enddefinitions $end

#0
0c
0"
b0000 #
#5
1c
#10
0c
1"
b0101 #
#15
1c
0"
b0110 #
#20
0c
bx11x #
#25
1c
#30
0c
"""


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    (tmp_path / "waves.vcd").write_text(DUMP)
    return tmp_path / "waves.vcd"


def test_values_are_those_right_before_an_edge(dump: Path) -> None:
    """At 15 both signals change together with the clock: the edge finds what was there before."""
    valid, word = read_waves(dump, ["bench.valid", "bench.chip.word"])
    assert valid == Wave("bench.valid", 1, 0, (0, 1, 0))
    assert word == Wave("bench.chip.word", 4, 0, (0, 5, None))


def test_cycles_are_counted_from_a_number_or_from_a_signal(dump: Path) -> None:
    assert read_waves(dump, ["bench.chip.word"], start=1, cycles=1) == [Wave("bench.chip.word", 4, 1, (5,))]
    assert read_waves(dump, ["bench.chip.word"], start="bench.valid") == [Wave("bench.chip.word", 4, 1, (5, None))]


def test_the_dump_is_found_in_the_folder_of_a_run(dump: Path) -> None:
    assert find_dump(dump) == find_dump(dump.parent) == dump
    job = dump.parent / "run/job_0"
    job.mkdir(parents=True)
    dump.rename(job / "waves.vcd")
    assert find_dump(dump.parent / "run") == job / "waves.vcd"


@pytest.mark.parametrize(
    ("names", "start", "said"),
    [
        (["bench.word"], 0, r"^No signal 'bench\.word' in .*waves\.vcd: waves\.gtkw beside it lists names"),
        (["bench.valid"], "valid", r"^No signal 'valid' in "),
        (["bench.valid"], 3, r"^start 3 is past the last clock cycle of "),
    ],
)
def test_what_the_dump_does_not_have_is_said(dump: Path, names: list[str], start: int | str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_waves(dump, names, start)


def test_a_signal_that_stays_0_starts_nothing(dump: Path) -> None:
    dump.write_text(DUMP.replace('1"', '0"'))
    with pytest.raises(ValueError, match=r"^start 'bench\.valid' is never other than 0 in "):
        read_waves(dump, ["bench.valid"], start="bench.valid")


def test_other_dumps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no waves\.vcd: give the folder of a co-simulation with waves=True"):
        find_dump(tmp_path)
    (tmp_path / "waves.fst").touch()
    with pytest.raises(
        ValueError, match=r'has waves of Icarus, which are not read: run it with simulator="verilator"$'
    ):
        find_dump(tmp_path)
    with pytest.raises(ValueError, match=r"waves\.fst is no VCD file"):
        find_dump(tmp_path / "waves.fst")
