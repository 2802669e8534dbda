"""The tool of `make coverage`: points of one block, a Verilog that differs, and the list of what is excluded."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out

from spikeloom.hw.primitives.activity_counter import ActivityCounter
from tests.benches.stream_bench import simulate
from tests.coverage import __main__ as command
from tests.coverage.captured import Captured, digest_of
from tests.coverage.excluded import Excluded, complaints, left_out, read_excluded
from tests.coverage.measured import MARKS as CHANGED
from tests.coverage.measured import block_digests, changed, sentence, stale
from tests.coverage.points import Counts, Point, block_of, block_summaries, constant_bits, read, variant_of
from tests.coverage.raw import Build, Raw, kept_runs
from tests.coverage.record import Port, Recorder, Variant
from tests.coverage.replay import Difference, replay
from tests.coverage.rtlil_text.files import rtlil_files
from tests.coverage.systems import SYSTEMS, Network, Tests
from tests.coverage.table import MARKS, SUMS, gaps, measured_on, shares, table
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
    counts = zlib.compress(replay([variant], tmp_path / "one").read_bytes())
    raw = Raw([Build(variant.texts, variant.rtlil)], [(0, counts)])
    points = read(raw, {"": "", "Adds": "activity_counter"}).points()
    assert points and {point.block for point in points} == {"activity_counter"}
    inputs = [point for point in points if point.name in ("amount", "clear")]
    assert len(inputs) == 8 and all(points[point] > 0 for point in inputs)
    places = {point.place.rpartition(":")[0] for point in points if point.kind == "line"}
    assert "primitives/activity_counter.py" in places
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


class Twins(Component):
    """Toy with lanes. In two states the same text waits for the same signal."""

    def __init__(self, width: int, lanes: int = 1) -> None:
        self._lanes = lanes
        super().__init__({"go": In(1), "late": In(1), "x": In(width), "y": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.late):
            with m.If(self.go):
                m.d.sync += self.y.eq(self.x)
        with m.Else():
            with m.If(self.go):
                m.d.sync += self.y.eq(self.x)
        for _ in range(self._lanes):
            lane = Signal()
            m.d.comb += lane.eq(self.x[0] & self.go)
        return m


_TOY = {"Toy with lanes.": "toy"}


def built(toy: Component, name: str) -> Build:
    with Captured() as captured:
        texts = rtlil_files(toy, name)
    return Build(texts, {file: captured.rtlil[digest_of(text)] for file, text in texts.items()})


def row(file: str, line: int, kind: str, what: str, count: int) -> str:
    """Of a file of Verilator."""
    return f"C '\x01f\x02/far/{file}\x01l\x02{line}\x01page\x02v_{kind}/a\x01o\x02{what}\x01h\x02TOP' {count}\n"


def left(build: Build, *rows: str) -> Raw:
    return Raw([build], [(0, zlib.compress("".join(rows).encode()))])


def test_a_branch_does_not_hide_behind_its_twin() -> None:
    """Two branches with the same text: the one that never happened is told, by its place in the source."""
    build = built(Twins(4), "t")
    (lines,) = (text.split("\n") for text in build.texts.values())
    twins = [number for number, line in enumerate(lines, 1) if line.strip() == "if (go) begin"]
    assert len(twins) == 2 and lines[twins[0]].strip() == lines[twins[1]].strip()
    rows = [row("t.sv", line, "branch", arm, 5 * (line == twins[0])) for line in twins for arm in ("if", "else")]
    points = read(left(build, *rows), _TOY).points()
    assert len(points) == 4 and sorted(points.values()) == [0, 0, 5, 5]
    assert len({point.place for point in points}) == 2
    source = Path(__file__).read_text(encoding="utf-8").split("\n")
    for point, happened in points.items():
        file, _, number = point.place.rpartition(":")
        assert file == "tests/coverage/test_coverage.py" and source[int(number) - 1].strip() == "with m.If(self.go):"
        assert ("m.Else" in source[int(number) - 2]) == (happened == 0)


def test_the_same_branch_of_two_variants_is_one() -> None:
    counts = Counts()
    for width, happened in ((4, 0), (6, 3)):
        build = built(Twins(width), f"t{width}")
        (text,) = build.texts.values()
        line = text.split("\n").index("    if (late) begin") + 1
        counts.add(read(left(build, row(f"t{width}.sv", line, "branch", "if", happened)), _TOY))
    assert list(counts.points().values()) == [3]
    assert sorted(counts.happened.values()) == [0, 3]  # every variant by itself


def test_lanes_of_other_numbers_are_others() -> None:
    """Of three lanes the second is not the second of two; nor is a net without a name that of another variant."""
    counts = Counts()
    for lanes in (2, 3):
        build = built(Twins(4, lanes), f"t{lanes}")
        signals = re.findall(r"^  wire (lane\w*);$", build.texts[f"t{lanes}.sv"], re.M)
        toggles = [row(f"t{lanes}.sv", 9, "toggle", f"{signal}:0->1", 1) for signal in signals]
        counts.add(read(left(build, *toggles, row(f"t{lanes}.sv", 9, "toggle", "n_1:0->1", 0)), _TOY))
    names = sorted(point.name for point in counts.points())
    assert names == ["lane (1 of 2)", "lane (1 of 3)", "lane (2 of 2)", "lane (2 of 3)", "lane (3 of 3)"]
    assert sum(point.kind == "net" for _, point in counts.happened) == 2


class Named(Component):
    """Names its lanes."""

    def __init__(self, lanes: int, width: int = 2) -> None:
        self._lanes = lanes
        layout = StructLayout({"rows": width, "count": 3, "last": 1})
        super().__init__({"x": In(1), "i": In(layout), "y": Out(layout)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number in reversed(range(self._lanes)):
            lane = Signal(name=f"lane_{number}")
            m.d.comb += lane.eq(self.x & self.i.last)
        m.d.sync += self.y.eq(self.i)
        return m


def test_lanes_with_numbers_in_their_names_are_lanes() -> None:
    counts = Counts()
    for lanes in (1, 2, 3):
        build = built(Named(lanes), f"t{lanes}")
        toggles = [row(f"t{lanes}.sv", 9, "toggle", f"lane_{number}:0->1", number) for number in range(lanes)]
        counts.add(read(left(build, *toggles), {"Names its lanes.": "named"}))
    found = {point.name: happened for point, happened in counts.points().items()}
    ordered = {"lane (1 of 2)": 0, "lane (2 of 2)": 1, "lane (1 of 3)": 0, "lane (2 of 3)": 1, "lane (3 of 3)": 2}
    assert found == {"lane_0": 0, **ordered}


def test_bits_of_a_packed_signal_are_those_of_its_fields() -> None:
    """Whatever the widths of the fields below: bit 4 is the third of `count` here, and `last` there."""
    counts = Counts()
    for width in (1, 2):
        build = built(Named(1, width), f"t{width}")
        toggles = [row(f"t{width}.sv", 9, "toggle", f"y[{bit}]:0->1", 10 * bit) for bit in range(width + 4)]
        toggles.append(row(f"t{width}.sv", 9, "toggle", "y_last:0->1", 7))
        counts.add(read(left(build, *toggles), {"Names its lanes.": "named"}))
    found = {(point.name, point.what): happened for point, happened in counts.points().items()}
    rows = {("y.rows", " 0->1"): 0, ("y.rows", "[0] 0->1"): 0, ("y.rows", "[1] 0->1"): 10}
    count = {("y.count", f"[{bit}] 0->1"): 10 * (1 + bit) + 10 * (2 + bit) for bit in range(3)}
    assert found == {**rows, **count, ("y.last", " 0->1"): 40 + 50 + 7 + 7}


def test_a_file_of_no_block_is_told() -> None:
    build = built(Twins(4), "t")
    with pytest.raises(ValueError, match=r"^t.sv is of no block: no component's docstring begins like its first com"):
        read(left(build), {"Something else.": "other"})
    assert not read(left(Build({"bench.sv": "", "crossbar_macro_2.sv": ""}, {})), _TOY).happened


def test_statements_of_the_export_are_no_points() -> None:
    build = built(Twins(4), "t")
    counts = read(left(build, row("t.sv", 1, "line", "case", 0)), _TOY)
    assert not counts.happened and len(counts.added) == 1
    with pytest.raises(ValueError, match=r"^t.sv of toy was exported before: there is no RTLIL of it$"):
        read(left(Build(build.texts, {})), _TOY)


def test_the_export_is_the_same_when_it_is_captured() -> None:
    plain = rtlil_files(Twins(4, 3), "t")
    assert built(Twins(4, 3), "t").texts == plain and rtlil_files(Twins(4, 3), "t") == plain


def test_a_variant_has_no_name() -> None:
    (one,), (two,), (other,) = (
        built(Twins(width), name).texts.values() for width, name in ((4, "a"), (4, "bb"), (5, "a"))
    )
    assert one != two and variant_of(one) == variant_of(two) != variant_of(other)


def test_blocks_are_known_by_their_first_sentence() -> None:
    (text,) = rtlil_files(ActivityCounter(amount_bits=1, bits=4), "any").values()
    summary = (ActivityCounter.__doc__ or "").split("\n")[0].split(". ")[0]
    assert block_of(text, {summary: "activity_counter"}) == "activity_counter"
    assert block_of(text, {"Something else.": "x"}) is None


def _point(block: str, kind: str, name: str, what: str) -> Point:
    return Point(block, kind, f"{block}.py:7", name, what)


def test_table_and_gaps() -> None:
    one, two, bit = (
        _point("a", "line", "x", "case"),
        _point("a", "line", "x (2 of 2)", "case"),
        _point("b", "toggle", "x", "[0] 0->1"),
    )
    net = _point("b", "net", "n_1", " 0->1")
    counts = Counts({("v", one): 3, ("v", two): 0, ("w", two): 0, ("v", bit): 1, ("v", net): 0, ("w", net): 2})
    text = table(counts, Counts({("v", bit): 2}), [], "Done:", {"a": "0123", "b": "4567"})
    assert text.splitlines()[0] == "Done:" and text.splitlines()[-7:] == [
        "| `a` | 1 of 2 | 50.0 % | - | - | - | - | 0 | `0123` |",
        "| `b` | - | - | - | - | 1 of 1 | 100.0 % | 0 | `4567` |",
        "| all | 1 of 2 | 50.0 % | - | - | 1 of 1 | 100.0 % | 0 |  |",
        "| all, what is excluded counted as missing | 1 of 2 | 50.0 % | - | - | 1 of 1 | 100.0 % |  |  |",
        "| all, unit tests alone | 0 of 2 | 0.0 % | - | - | 1 of 1 | 100.0 % |  |  |",
        "| all, every variant by itself | 1 of 3 | 33.3 % | - | - | 1 of 1 | 100.0 % |  |  |",
        "| nets without a name, every variant by itself | - | - | - | - | 1 of 2 | 50.0 % |  |  |",
    ]
    assert list(gaps(counts.points())) == ["a: line a.py:7 x (2 of 2) case"]
    page = f"| x | 1 |\n{MARKS[0]}\n{text}\n{MARKS[1]}\n"
    assert shares(page)["a"] == {"line": 50.0} and shares(page)["all"] == {"line": 50.0, "toggle": 100.0}
    assert measured_on(page) == {"a": "0123", "b": "4567"}
    without = table(counts, Counts(), [two], "Done:", {"a": "0123", "b": "4567"})
    assert "| `a` | 1 of 1 | 100.0 % | - | - | - | - | 1 | `0123` |" in without.splitlines()
    assert "| all | 1 of 1 | 100.0 % | - | - | 1 of 1 | 100.0 % | 1 |  |" in without.splitlines()
    missing = "| all, what is excluded counted as missing | 1 of 2 | 50.0 % | - | - | 1 of 1 | 100.0 % |  |  |"
    assert missing in without.splitlines()


def test_the_page_reaches_the_targets() -> None:
    """Lines and toggles over all, and of each block but those that the page names; every component is in it."""
    text = PAGE.read_text(encoding="utf-8")
    found = shares(text)
    assert found["all"]["line"] >= 98.0 and found["all"]["toggle"] >= 90.0
    blocks = {name: row for name, row in found.items() if name not in SUMS}
    few_lines = {name for name, row in blocks.items() if row.get("line", 100.0) < 98.0}
    few_toggles = {name for name, row in blocks.items() if row["toggle"] < 90.0}
    assert few_lines == {"pixel_stream"} and few_toggles == {"layer_core", "npu", "npu_axi", "pool_unit"}
    for name in few_lines | few_toggles:
        assert f"`{name}`" in text.partition("What is left.")[2]
    named = re.search(r"^Blocks whose Verilog has changed since it was measured: (.*)\.$", text, re.M)
    later = set(block_summaries().values()) - set(measured_on(text))  # components that came after the measurement
    assert later <= set(re.findall(r"`(\w+)`", named[1]) if named else ())
    assert set(found) - set(SUMS) == set(block_summaries().values()) - later == set(measured_on(text))


@pytest.mark.slow
def test_the_page_says_whose_verilog_has_changed_since() -> None:
    """If it does not: `make coverage`, or, to say so only, `make coverage COVERAGE=--changed`."""
    text = PAGE.read_text(encoding="utf-8")
    said = sentence(stale(measured_on(text)))
    assert said in text.partition(CHANGED[0])[2].partition(CHANGED[1])[0]


def test_a_unit_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match=r"^There are no units one more in tests.mutation.designs$"):
        block_digests(["buses", "one more"])


def test_changed_blocks_are_named() -> None:
    assert changed({"a": "1", "b": "2", "gone": "3"}, {"a": "1", "b": "9", "new": "3"}) == ["b", "gone", "new"]
    assert sentence(["b", "gone"]).endswith("since it was measured: `b`, `gone`.")
    assert sentence([]).endswith(": none.")


def test_excluded(tmp_path: Path) -> None:
    assert all(entry.reason for entry in read_excluded())
    entry = Excluded("toggle", "a|c.", r"x\[[12]\] .*", "They are not there.")
    points = {_point(block, "toggle", "x", f"[{bit}] 0->1"): 0 for block in ("a", "b", "cd", "c") for bit in (0, 1)}
    assert {(point.block, point.what) for point in left_out([entry], points)} == {("a", "[1] 0->1"), ("cd", "[1] 0->1")}
    assert complaints([entry], points) == []
    assert _point("a", "line", "x", "case") in Excluded("line", "a", "x case", "Never.")
    (sentence,) = complaints([entry], {})
    assert sentence.endswith(r"toggle of a|c. at 'x\\[[12]\\] .*' matches no point; remove the entry")
    (tmp_path / "e.toml").write_text('[[excluded]]\nkind = "line"\nblock = "a"\nwhere = "x"\nreason = ""\n')
    with pytest.raises(ValueError, match=r"^An entry of e.toml must have kind, block, where and reason, not "):
        read_excluded(tmp_path / "e.toml")


def test_what_is_excluded_must_not_happen() -> None:
    entry = Excluded("toggle", "a", r"x\[\d\] .*", "It cannot.")
    points = {_point("a", "toggle", "x", "[0] 0->1"): 0, _point("a", "toggle", "x", "[1] 0->1"): 4}
    (sentence,) = complaints([entry], points)
    assert sentence.endswith("is said to be impossible, but 1 points happened: a: toggle a.py:7 x [1] 0->1 (4 times)")


@pytest.mark.parametrize(("happened", "same", "status"), [(0, True, 0), (4, True, 1), (0, False, 1)])
def test_what_is_wrong_fails_the_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    happened: int,
    same: bool,
    status: int,
) -> None:
    """An exclusion that happened, or Verilog that differs: status 1, and the page stays."""
    page = tmp_path / "page.md"
    empty = f"{MARKS[0]}\n\nold\n\n{MARKS[1]}\n{CHANGED[0]}\n\nold\n\n{CHANGED[1]}\n"
    page.write_text(empty)
    point = _point("a", "toggle", "x", "[0] 0->1")
    counts = Counts({("v", point): happened, ("v", _point("a", "line", "y", "case")): 1})
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "read_excluded", lambda: [Excluded("toggle", "a", "x.*", "It cannot.")])
    monkeypatch.setattr(command, "block_digests", lambda: {"a": "0123"})
    monkeypatch.setattr(command, "_of_unit_tests", lambda only: (Counts(), "one replayed", same))
    monkeypatch.setattr(command, "_of_systems", lambda: (counts, "one co-simulated"))
    monkeypatch.setattr(sys, "argv", ["coverage"])
    assert command.main() == status
    assert ("is said to be impossible, but" in capsys.readouterr().out) == bool(happened)
    text = page.read_text()
    assert (text == empty) if status else ("| `a` | 1 of 1 |" in text and "measured: none." in text)


def test_the_page_has_the_marks() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for marks in (MARKS, CHANGED):
        assert replaced(replaced(text, "x", marks), "y", marks) == replaced(text, "y", marks)


def test_constant_bits_are_no_points() -> None:
    text = "// Adds.\n  wire [4:0] a;\n  wire [2:0] b;\n"
    text += "  assign a = { 2'h0, b[1:0], 1'h0 };\n  assign b = { c, 1'h0, d };\n"
    assert constant_bits(text) == {"a[4]", "a[3]", "a[0]"}


class Filled(Component):
    """Fills up."""

    def __init__(self) -> None:
        super().__init__({"x": In(2), "y": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.y.eq(self.x)
        return m


def test_a_constant_bit_that_changes_is_told() -> None:
    build = built(Filled(), "f")
    bits = [row("f.sv", 5, "toggle", f"y[{bit}]:0->1", 0) for bit in range(4)]
    assert [point.what for point in read(left(build, *bits), {"Fills up.": "f"}).points()] == ["[0] 0->1", "[1] 0->1"]
    with pytest.raises(ValueError, match=r"^A constant bit of f.sv has changed: y\[3\]:0->1$"):
        read(left(build, row("f.sv", 5, "toggle", "y[3]:0->1", 1)), {"Fills up.": "f"})


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
    text = "// Adds.\n  if (x)\n    y <= 6;\n"
    raw = kept_runs(counted.runs, {digest_of(text): "its RTLIL"})
    assert raw.builds == [Build({"a.sv": text}, {"a.sv": "its RTLIL"})]
    assert [number for number, _ in raw.runs] == [0, 0] and raw.counts(1) == counted.runs[1][1].read_text()
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


@pytest.mark.slow
def test_systems_name_tests_that_there_are() -> None:
    """With their parameters, as pytest calls them."""
    names = [
        f"{system.file}::{name}" for system in SYSTEMS.values() if isinstance(system, Tests) for name in system.names
    ]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
