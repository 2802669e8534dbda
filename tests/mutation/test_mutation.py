"""The tool of `make mutate`: mutants as they are said to be, and a run of it on a small block of its own."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation import digests
from tests.mutation.blocks import BLOCKS, ROOT, source_of, test_files
from tests.mutation.equivalents import Equivalent, read, stale
from tests.mutation.places import Mutant, mutants_of, text_of
from tests.mutation.report import (
    CHANGED,
    PAGE,
    Result,
    changed_since,
    marks,
    replaced,
    result_of,
    sentence,
    source_digest,
    table,
)
from tests.mutation.selection import COUNT, chosen, shares
from tests.mutation.trial import Verdict

TOY = '''
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Toy(wiring.Component):
    """Counts while `go`, and says whether the count is above 2 (and what nobody looks at)."""

    go: In(1)
    above: Out(1)
    ignored: Out(4)

    def elaborate(self, platform):
        m = Module()
        count = Signal(4)
        with m.If(self.go):
            m.d.sync += count.eq(count + 1)
        m.d.comb += [self.above.eq(count > 2), self.ignored.eq(Mux(self.go, count[1:3], 7))]
        return m
'''
TOY_TEST = """
from amaranth.sim import Simulator

from spikeloom.hw.toy import Toy


def test_above():
    dut = Toy()
    seen = []

    async def bench(ctx):
        for go in (0, 1, 1, 1, 0):
            seen.append(ctx.get(dut.above))
            ctx.set(dut.go, go)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [0, 0, 0, 0, 1]


def test_mutants_of_a_module_fail():
    raise AssertionError("tests of mutants are left out")
"""
TOY_UNITS = """
import hashlib


def digests():
    from amaranth.back import rtlil

    from spikeloom.hw.toy import Toy

    yield "toy", hashlib.sha256(rtlil.convert(Toy(), emit_src=False).encode()).hexdigest()
"""


def toy() -> dict[tuple[str, str], Mutant]:
    return {(mutant.original, mutant.mutated): mutant for mutant in mutants_of("toy", TOY)}


@pytest.mark.parametrize(
    ("operator", "original", "mutated"),
    [
        ("condition", "m.If(self.go)", "m.If(self.go == 0)"),
        ("condition", "m.If(self.go)", "m.If(0)"),
        ("condition", "m.If(self.go)", "m.If(1)"),
        ("dropped", "m.d.sync += count.eq(count + 1)", "nothing"),
        ("dropped", "self.above.eq(count > 2)", "nothing"),
        ("operator", "count.eq(count + 1)", "count.eq(count - 1)"),
        ("constant", "count.eq(count + 1)", "count.eq(count + 2)"),
        ("forced", "self.above.eq(count > 2)", "self.above.eq(1)"),
        ("compare", "self.above.eq(count > 2)", "self.above.eq(count >= 2)"),
        ("choice", "self.ignored.eq(Mux(self.go, count[1:3], 7))", "self.ignored.eq(Mux(self.go, 7, count[1:3]))"),
        ("constant", "self.ignored.eq(Mux(self.go, count[1:3], 7))", "self.ignored.eq(Mux(self.go, count[2:3], 7))"),
    ],
)
def test_a_mutant_is_as_it_says(operator: str, original: str, mutated: str) -> None:
    mutant = toy()[original, mutated]
    assert (mutant.operator, mutant.function) == (operator, "Toy.elaborate")
    text, changed = ast.unparse(ast.parse(TOY)), ast.unparse(ast.parse(text_of(mutant, TOY)))
    if operator == "dropped":
        assert original not in changed and changed.count("\n") == text.count("\n")
    else:
        assert changed == text.replace(original, mutated)


def test_terms_are_left_out() -> None:
    source = TOY.replace("count > 2", "(count > 2) & self.go")
    found = {mutant.mutated for mutant in mutants_of("toy", source) if mutant.operator == "term"}
    assert found == {"self.above.eq(count > 2)", "self.above.eq(self.go)"}


def test_names_do_not_depend_on_lines() -> None:
    moved = mutants_of("toy", f"# more\n\n\n{TOY}")
    assert [mutant.name for mutant in moved] == [mutant.name for mutant in mutants_of("toy", TOY)]


def test_a_mutant_of_another_source_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^toy.py has changed since this mutant was found in it: toy:"):
        text_of(toy()["self.above.eq(count > 2)", "self.above.eq(count >= 2)"], TOY.replace("count > 2", "count > 3"))


def test_all_mutants_compile_and_differ() -> None:
    """A sample of the hardware's own mutants: each is another text, and Python."""
    for block in BLOCKS:
        source = source_of(block).read_text(encoding="utf-8")
        mutants = mutants_of(block, source)
        assert len({mutant.name for mutant in mutants}) == len(mutants) > 0
        for mutant in mutants[:: max(1, len(mutants) // 3)]:
            tree = ast.parse(text_of(mutant, source))
            compile(tree, block, "exec")
            assert ast.unparse(tree) != ast.unparse(ast.parse(source))


def test_the_hardware_is_in_the_list() -> None:
    """Every module with a component."""
    components = {p.stem for p in (ROOT / "hw").rglob("*.py") if "def elaborate(" in p.read_text(encoding="utf-8")}
    assert components <= set(BLOCKS)
    assert {"adder_tree", "constant_division", "random_source", "stages"} <= set(BLOCKS)


def test_the_choice_is_that_of_the_seed() -> None:
    some = chosen(seed=3, count=300)
    assert len(some) == 300 and some == chosen(seed=3, count=300) != chosen(seed=4, count=300)
    number = Counter(mutant.block for mutant in some)
    assert set(number) == set(BLOCKS) and min(number.values()) >= 5
    assert [mutant for mutant in some if mutant.block == "npu"] == chosen(seed=3, count=300, only=["npu"])


def test_shares() -> None:
    assert shares({"a": 100, "b": 10, "c": 3}, 40) == {"a": 29, "b": 8, "c": 3}
    with pytest.raises(ValueError, match=r"^--count must be at least 13, 5 for each block, not 12$"):
        shares({"a": 100, "b": 10, "c": 3}, 12)


def test_equivalents_match_the_sources() -> None:
    mutants = [m for block in BLOCKS for m in mutants_of(block, source_of(block).read_text(encoding="utf-8"))]
    assert stale(read(), mutants) == []


def test_an_equivalent_that_matches_nothing_is_told() -> None:
    name = ("npu", "Npu.elaborate", "accept.eq(1 + 1)", "accept.eq(2)", 0)
    (sentence,) = stale([name], mutants_of("npu", source_of("npu").read_text(encoding="utf-8")))
    assert "npu.py Npu.elaborate that is not there any more: accept.eq(1 + 1) -> accept.eq(2)" in sentence


def test_an_entry_needs_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "equivalents.toml"
    path.write_text('[[equivalent]]\nblock="npu"\nfunction="f"\noriginal="a"\nmutated="b"\n')
    with pytest.raises(ValueError, match=r"^An entry of equivalents.toml must have block, function, mutated, "):
        read(path)


def test_the_page_has_the_marks() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for between in (marks(1), marks(2), CHANGED):
        assert replaced(replaced(text, "x", between), "y", between) == replaced(text, "y", between)
    with pytest.raises(ValueError, match=r"^The page must have "):
        replaced("no marks", "x", marks(1))
    first, last = marks(1)
    assert replaced(f"a{first}b{last}c", "new", marks(1)) == f"a{first}\n\nnew\n\n{last}c"


def test_the_table_counts() -> None:
    mutants = mutants_of("npu", source_of("npu").read_text(encoding="utf-8"))[:7]
    statuses = ["killed", "killed", "killed", "survived", "equivalent", "invalid", "killed"]
    results = [Result(m, status, by_time=n == 1) for n, (m, status) in enumerate(zip(mutants, statuses, strict=True))]
    results[4] = results[4]._replace(reason="No one looks.")
    row = "7 | 4 | 1 | 1 | 1 | 1 | 80.0 %"
    lines = table(results, seed=1).splitlines()
    assert lines[4:6] == [f"| `npu` | {row} | `{source_digest('npu')}` |", f"| all | {row} | |"]
    assert lines[6:] == [
        "",
        "Equivalent:",
        "",
        f"- `{mutants[4]}`: No one looks.",
        "",
        "Survivors:",
        "",
        f"- `{mutants[3]}`",
    ]
    assert table(results[:2], seed=2, blocks=False).splitlines()[4:] == [
        "| all | 2 | 2 | 1 | 0 | 0 | 0 | 100.0 % | |", "", "Equivalent: none.", "", "Survivors: none."
    ]  # fmt: skip


def test_a_verdict_becomes_a_result() -> None:
    mutant = mutants_of("npu", source_of("npu").read_text(encoding="utf-8"))[0]

    def verdict(status: str, why: str) -> Verdict:
        return Verdict(status, "", why, 1, 1.0, "")

    by_hand = {mutant.name: Equivalent(mutant.name, "Because.")}
    assert result_of(mutant, verdict("survived", ""), {}) == Result(mutant, "survived")
    assert result_of(mutant, verdict("survived", ""), by_hand) == Result(mutant, "equivalent", reason="Because.")
    assert result_of(mutant, verdict("killed", "over its limit of 20 s"), by_hand) == Result(mutant, "killed", True)
    same = verdict("equivalent", "same RTLIL")
    assert result_of(mutant, same, {}) == Result(mutant, "survived", reason="the RTLIL of all designs is the same")
    assert result_of(mutant, same, by_hand) == Result(mutant, "equivalent", reason="Because.")


def test_modules_that_have_changed_are_told() -> None:
    first, last = marks(1)
    rows = "\n".join(f"| `{block}` | 5 | 5 | 0 | 0 | 0 | 0 | 100.0 % | `{source_digest(block)}` |" for block in BLOCKS)
    page = f"{first}\n{rows}\n{last}\n"
    assert changed_since(page) == []
    assert changed_since(page, lambda block: "0" * 8 if block == "npu" else source_digest(block)) == ["npu"]
    assert changed_since(page.replace("| `npu` |", "| `npv` |")) == ["npu"]
    assert sentence(["a", "b"]) == "Modules that have changed since their mutants were tried: `a`, `b`."


def test_files_are_those_of_the_circuit() -> None:
    assert "tests/hw/test_npu.py" in test_files() and "tests/hw/export/test_verilog.py" not in test_files()
    assert all((ROOT / name).exists() for name in test_files())


def test_a_result_holds_for_what_its_test_takes_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a test file takes something from, and the files of those; others do not matter."""
    for name, text in {
        "one": "from tests.hw.test_two import x\n",
        "two": "def f():\n    from tests.hw.test_three import y\n",
        "three": "y = 1\n",
        "other": "z = 1\n",
    }.items():
        path = tmp_path / "tests" / "hw" / f"test_{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr("tests.mutation.digests.ROOT", tmp_path)

    def digest() -> str:
        digests.file_digest.cache_clear()
        return digests.file_digest("tests/hw/test_one.py")

    before = digest()
    (tmp_path / "tests" / "hw" / "test_other.py").write_text("z = 2\n")
    assert digest() == before
    (tmp_path / "tests" / "hw" / "test_three.py").write_text("y = 2\n")
    assert digest() != before
    digests.file_digest.cache_clear()


def test_a_result_holds_for_what_proves_and_what_makes_mutants() -> None:
    assert {ROOT / "tests" / name for name in ("formal.py", "formal_solver.py", "conftest.py")} <= set(digests.shared())
    assert digests.mutants_digest() != digests.sources_digest()
    assert digests.mutants_digest().endswith(digests.sources_digest())


@pytest.mark.slow
def test_a_run(tmp_path: Path) -> None:
    """The tool on a copy of itself beside one small block: killed, surviving and equivalent mutants, and again."""
    for folder in ("hw", "sim", "tests/hw", *(f"tests/{name}" for name in digests.HELPERS)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "__init__.py").touch()
    shutil.copytree(Path(__file__).parent, tmp_path / "tests/mutation", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "spikeloom").mkdir()
    (tmp_path / "spikeloom/__init__.py").touch()
    (tmp_path / "spikeloom/hw").symlink_to("../hw")
    for name in (
        *(f"tests/{module}.py" for module in ("__init__", "formal", "formal_solver", "conftest")),
        "pyproject.toml",
    ):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "hw/toy.py").write_text(TOY)
    (tmp_path / "tests/hw/test_toy.py").write_text(TOY_TEST)
    (tmp_path / "tests/hw/test_numbers.py").write_text("def test_numbers():\n    assert 1 + 1 == 2\n")  # no circuit
    (tmp_path / "tests/mutation/designs.py").write_text(TOY_UNITS)
    (tmp_path / "tests/mutation/equivalents.toml").write_text(
        '[[equivalent]]\nblock = "toy"\nfunction = "Toy.elaborate"\n'
        'original = "self.ignored.eq(Mux(self.go, count[1:3], 7))"'
        '\nmutated = "self.ignored.eq(0)"\nreason = "Nobody looks at it."\n'
    )

    def run(*options: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.mutation", "--no-page", *options],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, "")  # some survive, and nothing is raised
        return done.stdout.splitlines()

    lines = run("--count", "9", "--seed", "2")
    tried = [line for line in lines if "/9 " in line]
    assert len(tried) == 9
    for line in tried:
        unseen = "self.ignored" in line.split(": ", 2)[-1]
        assert line.split()[1] in (("survived", "equivalent") if unseen else ("killed", "survived")), line
    assert any("killed by tests/hw/test_toy.py::test_above" in line for line in tried)
    assert any(line.startswith("survivor: toy:") and "self.ignored" in line for line in lines)
    again = run("--count", "9", "--seed", "2")
    assert not any("killed by" in line for line in again)  # known already
    assert [line for line in again if line.startswith("|")] == [line for line in lines if line.startswith("|")]


def test_the_page_says_what_was_tried() -> None:
    """Every block, its share of the mutants as long as no module has changed, and which modules have changed."""
    page = PAGE.read_text(encoding="utf-8")
    first, last = marks(1)
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", page.partition(first)[2].partition(last)[0], re.M))
    since = changed_since(page)
    assert sentence(since) in page, "run make mutate, or make mutate MUTATE=--changed"
    assert sum(map(int, rows.values())) == COUNT
    if not since:
        assert {block: int(number) for block, number in rows.items()} == Counter(m.block for m in chosen(1, COUNT))
