"""The tool of `make coverage`: points of one block, a Verilog that differs, and the list of what is excluded."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from hw.activity_counter import ActivityCounter
from hw.export import export_component
from tests.coverage.excluded import Excluded, read_excluded, unused
from tests.coverage.points import Point, block_of, constant_bits, read
from tests.coverage.record import Port, Recorder, Variant
from tests.coverage.replay import Difference, replay
from tests.coverage.table import MARKS, gaps, table
from tests.hw.stream_bench import simulate
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
    assert table(points, 10, 2).splitlines()[-3:] == [
        "| `a` | 1 of 2 | 50.0 % | - | - | - | - |",
        "| `b` | - | - | - | - | 1 of 1 | 100.0 % |",
        "| all | 1 of 2 | 50.0 % | - | - | 1 of 1 | 100.0 % |",
    ]
    assert list(gaps(points)) == ["a: line block: x <= 2;"]


def test_excluded(tmp_path: Path) -> None:
    assert all(entry.reason for entry in read_excluded())
    entry = Excluded("line", r"x <= \d;", "It is not there.", "a")
    assert Point("a", "line", "x <= 2;", "") in entry and Point("b", "line", "x <= 2;", "") not in entry
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
