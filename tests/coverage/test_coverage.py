"""The tool of `make coverage`: points of one block, a Verilog that differs, and the list of what is excluded."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from spikeloom.hw.export.verilog import export_component
from spikeloom.hw.primitives.activity_counter import ActivityCounter
from tests.benches.stream_bench import simulate
from tests.coverage.excluded import Excluded, read_excluded, unused
from tests.coverage.points import Point, block_of, block_summaries, constant_bits, read
from tests.coverage.record import Port, Recorder, Variant
from tests.coverage.replay import Difference, replay
from tests.coverage.systems import SYSTEMS, Network, Tests, numbered
from tests.coverage.table import MARKS, gaps, shares, table
from tests.coverage.verilator import Counted
from tests.mutation.blocks import ROOT
from tests.mutation.report import PAGE, replaced


@pytest.fixture(scope="module")
def variant() -> Variant:
    """A counter, recorded for a few cycles."""
    with Recorder() as recorder:
        dut, rng = ActivityCounter(amount_bits=3, bits=4), random.Random(1)

        async def bench(ctx):
            for _ in range(60):
                ctx.set(dut.amount, rng.randrange(6))
                ctx.set(dut.clear, rng.random() < 0.1)
                await ctx.tick()

        simulate(dut, bench)
    (variant,) = recorder.finished()
    return variant


def test_recorded(variant: Variant) -> None:
    assert variant.block == "activity_counter" and variant.cycles == 60
    assert {(port.name, port.width, port.input) for port in variant.ports} == {
        ("amount", 3, True),
        ("clear", 1, True),
        ("value", 4, False),
    }


def test_sizes_are_those_of_verilator() -> None:
    sizes = {1: 1, 8: 1, 9: 2, 16: 2, 17: 4, 32: 4, 33: 8, 64: 8, 65: 12, 128: 16}
    assert {width: Port("p", width, True).bytes for width in sizes} == sizes


@pytest.mark.slow
def test_replayed(variant: Variant, tmp_path: Path) -> None:
    """Every line happens, and so do all changes of the inputs; another Verilog is noticed."""
    points = read(replay([variant], tmp_path / "one"), variant.texts, {"": "", "Adds": "activity_counter"})
    assert points and {point.block for point in points} == {"activity_counter"}
    inputs = [point for point in points if point.where.startswith(("amount[", "clear"))]
    assert len(inputs) == 8 and all(points[point] > 0 for point in inputs)
    kept = tmp_path / "one" / "points.dat"
    written = kept.stat().st_mtime_ns
    assert replay([variant], tmp_path / "one") == kept and kept.stat().st_mtime_ns == written
    shorter = Variant(variant.block, variant.digest, variant.ports, [variant.runs[0][:30]], variant.texts)
    assert replay([shorter], tmp_path / "one").stat().st_mtime_ns != written
    name = f"{variant.name}.sv"
    broken = Variant(variant.block, variant.digest, variant.ports, variant.runs, dict(variant.texts))
    broken.texts[name] = broken.texts[name].replace("+ ", "- ", 1)
    assert broken.texts != variant.texts
    with pytest.raises(Difference, match=r"^activity_counter: value differs in cycle \d+ of run0.0"):
        replay([broken], tmp_path / "two")


def test_points_of_two_widths_are_one(tmp_path: Path) -> None:
    texts = {
        "a.sv": "// Adds.\nif (x == 3'h2)\n  y <= 5;\n",
        "b.sv": "// Adds.\nif (x == 4'ha)\n  y <= 6;\n",
        "c.sv": "// Not ours.\nif (x == 4'ha)\n",
    }
    row = "C '\x01f\x02{}.sv\x01l\x022\x01n\x021\x01page\x02v_branch/a\x01o\x02if\x01h\x02TOP' {}\n"
    (tmp_path / "points.dat").write_text("".join(row.format(*entry) for entry in (("a", 0), ("b", 2), ("c", 4))))
    points = read(tmp_path / "points.dat", texts, {"Adds.": "adder"})
    assert points == {Point("adder", "branch", "if (x == #) y <= #;", "if"): 2}


def test_blocks_are_known_by_their_first_sentence() -> None:
    (text,) = export_component(ActivityCounter(amount_bits=1, bits=4), "any").values()
    summary = (ActivityCounter.__doc__ or "").split("\n")[0].split(". ")[0]
    assert block_of(text, {summary: "activity_counter"}) == "activity_counter"
    assert block_of(text, {"Something else.": "x"}) is None


def test_table_and_gaps() -> None:
    points = {
        Point("a", "line", "x <= 1;", "block"): 3,
        Point("a", "line", "x <= 2;", "block"): 0,
        Point("b", "toggle", "x[0]", "0->1"): 1,
    }
    text = table(points, {"a": 4}, "Done:", {Point("b", "toggle", "x[0]", "0->1"): 2})
    assert text.splitlines()[0] == "Done:" and text.splitlines()[-4:] == [
        "| `a` | 1 of 2 | 50.0 % | - | - | - | - | 4 |",
        "| `b` | - | - | - | - | 1 of 1 | 100.0 % | 0 |",
        "| all | 1 of 2 | 50.0 % | - | - | 1 of 1 | 100.0 % | 4 |",
        "| all, unit tests alone | 0 of 2 | 0.0 % | - | - | 1 of 1 | 100.0 % |  |",
    ]
    assert list(gaps(points)) == ["a: line block: x <= 2;"]
    assert shares(f"| x | 1 |\n{MARKS[0]}\n{text}\n{MARKS[1]}\n") == {
        "a": {"line": 50.0},
        "b": {"toggle": 100.0},
        "all": {"line": 50.0, "toggle": 100.0},
        "all, unit tests alone": {"line": 0.0, "toggle": 100.0},
    }


def test_the_page_reaches_the_targets() -> None:
    """Lines and toggles over all; every component is in it, and nothing else."""
    found = shares(PAGE.read_text(encoding="utf-8"))
    assert found["all"]["line"] >= 98.0 and found["all"]["toggle"] >= 90.0
    assert set(found) - {"all", "all, unit tests alone"} == set(block_summaries().values())


def test_excluded(tmp_path: Path) -> None:
    assert all(entry.reason for entry in read_excluded())
    entry = Excluded("line", r"x <= \d;", "It is not there.", "a")
    assert Point("a", "line", "x <= 2;", "") in entry and Point("b", "line", "x <= 2;", "") not in entry
    several = Excluded("line", r"x <= \d;", "They are not there.", "a|c.")
    assert [Point(block, "line", "x <= 2;", "") in several for block in ("a", "b", "c", "cd")] == [
        True,
        False,
        False,
        True,
    ]
    assert unused([entry], [Point("a", "line", "x <= 2;", "")]) == []
    (sentence,) = unused([entry], [])
    assert sentence == r"tests/coverage/excluded.toml: no line of a matches 'x <= \\d;'; remove it"
    (tmp_path / "e.toml").write_text('[[excluded]]\nkind = "line"\nwhere = "x"\nreason = ""\n')
    with pytest.raises(ValueError, match=r"^An entry of e.toml must have kind, where, reason and perhaps block, not "):
        read_excluded(tmp_path / "e.toml")


def test_the_page_has_the_marks() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert replaced(replaced(text, "x", MARKS), "y", MARKS) == replaced(text, "y", MARKS)


def test_constant_bits_are_no_points(tmp_path: Path) -> None:
    text = "// Adds.\n  wire [4:0] a;\n  wire [2:0] b;\n"
    text += "  assign a = { 2'h0, b[1:0], 1'h0 };\n  assign b = { c, 1'h0, d };\n"
    assert constant_bits(text) == {"a[4]", "a[3]", "a[0]"}
    row = "C '\x01f\x02a.sv\x01l\x022\x01n\x021\x01page\x02v_toggle/a\x01o\x02a[{}]:0->1\x01h\x02TOP' 0\n"
    (tmp_path / "points.dat").write_text("".join(row.format(bit) for bit in range(5)))
    points = read(tmp_path / "points.dat", {"a.sv": text}, {"Adds.": "adder"})
    assert {point.where for point in points} == {"a[1]", "a[2]"}


class Runner:
    """In the place of cocotb's: keeps what it is told, and a run leaves a point."""

    told: list[dict[str, Any]] = []

    def build(self, **how: Any) -> None:
        self.told.append(how)

    def test(self, **how: Any) -> Path:
        self.told.append(how)
        (path,) = [word.removeprefix(FILE_OF) for word in how["plusargs"] if word.startswith(FILE_OF)]
        row = "C '\x01f\x02/far/away/a.sv\x01l\x022\x01n\x021\x01page\x02v_line/a\x01o\x02block\x01h\x02TOP' 3\n"
        Path(path).write_text(row)
        return Path(path)


FILE_OF = "+verilator+coverage+file+"


def test_builds_count_inside_the_block_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cocotb_tools.runner.Verilator", Runner)
    Runner.told = []
    build, test = Runner.build, Runner.test
    with Counted(tmp_path / "counts") as counted:
        Runner().build(sources=["bench.vlt", "a.sv"], build_args=["-O3"], build_dir=tmp_path)
        for _ in range(2):
            Runner().test(plusargs=["+stalls"], build_dir=tmp_path)
    assert (Runner.build, Runner.test) == (build, test)
    how, *runs = Runner.told
    assert how["build_args"] == ["-O3", "--coverage-line", "--coverage-toggle"]
    assert how["sources"] == [tmp_path / "coverage.vlt", "bench.vlt", "a.sv"]
    assert 'coverage_off -file "*/bench.sv"' in (tmp_path / "coverage.vlt").read_text().splitlines()
    assert all(run["plusargs"][0] == "+stalls" for run in runs) and len({run["plusargs"][1] for run in runs}) == 2
    (tmp_path / "a.sv").write_text("// Adds.\n  if (x)\n    y <= 6;\n")
    counts = numbered(counted.runs, {"Adds.": "adder"})
    assert counts.points == {Point("adder", "line", "if (x) y <= #;", "block"): 6}
    assert (counts.builds, counts.runs) == (1, 2)
    counted.runs[0][1].unlink()  # a run that was broken off
    assert len(counted.runs) == 1


def test_systems_must_pass() -> None:
    tests = Tests("tests/x.py", ("test_a[1]", "test_b"))
    ended = [{"ended": f"tests/x.py::{name}", "outcome": "passed"} for name in tests.names]
    assert tests.passed(ended) == ""
    assert tests.passed(ended[1:]) == "tests/x.py::test_a[1]: not there"
    assert tests.passed([*ended[1:], {**ended[0], "outcome": "skipped"}]) == "tests/x.py::test_a[1]: skipped"
    network = Network("digits", 3)
    assert network.passed([{"compared": 9, "mismatches": 0}]) == "" and network.passed([{"error": "x"}])
    assert network.passed([{"compared": 0, "mismatches": 0}]) and network.passed([{"compared": 9, "mismatches": 1}])


def test_systems_are_there() -> None:
    """Their files, their test functions, and their configurations."""
    for system in SYSTEMS.values():
        if isinstance(system, Tests):
            text = (ROOT / system.file).read_text(encoding="utf-8")
            assert all(f"def {name.partition('[')[0]}(" in text for name in system.names)
        else:
            system.configuration()
