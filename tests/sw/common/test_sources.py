"""Digests of sources: what a function uses is in its closure, nothing else is, and nothing is missed in silence."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from spikeloom.sw.common import source_modules, sources
from spikeloom.sw.common.source_modules import module_of, module_spec
from spikeloom.sw.common.sources import SourceError, closure, source_of, sources_digest
from spikeloom.sw.config.config import Config
from spikeloom.sw.experiments.winner_k.flow import make_flow as make_paper
from spikeloom.sw.flow.lifetime_step import with_lifetime
from spikeloom.sw.flow.steps import STEPS, make_flow
from spikeloom.sw.training.training import train
from tests.fixtures.program_copy import program_copy

ROOT = Path(__file__).parents[3]
STEP = {step.name: step.sources for step in STEPS}
Write = Callable[..., None]


def names(step: str) -> set[str]:
    return {path.name for path in closure(STEP[step]).files}


def test_the_step_train_depends_on_all_that_makes_a_network() -> None:
    modules = closure(STEP["train"]).modules
    own = {f"training.{name}" for name in ("training", "example_networks", "quantised_weights", "exact_training")}
    needed = own | {"config.layer_string", "config.sections", "datasets.datasets", "frontend.clipped_relu"}
    assert {f"spikeloom.sw.{name}" for name in needed} <= modules
    assert {
        "spikeloom.sw.training.example_networks",
        "spikeloom.sw.training.quantised_weights",
        "spikeloom.sw.config.layer_string",
    } <= closure((source_of(train),)).modules
    assert "spikeloom.sim.common.random_numbers" in modules  # lazily, two imports away


def test_a_step_depends_on_what_it_does_and_not_on_what_comes_after() -> None:
    assert not {name for name in names("train") if name.endswith(".j2")}
    assert {"report.html.j2", "mapping.html.j2", "page.css.j2"} <= names("report")
    for step in ("data", "train", "convert", "reference", "cosim"):
        assert not closure(STEP[step]).modules & {
            "spikeloom.sw.report.report",
            "spikeloom.sw.report.plots.overview",
            "spikeloom.sw.chip",
        }, step
    assert {
        "spikeloom.sw.report.report",
        "spikeloom.sw.report.plots.overview",
        "spikeloom.sw.report.plots.traces",
    } <= closure(STEP["report"]).modules
    assert "spikeloom.sw.compiler.pipeline" not in closure(STEP["reference"]).modules
    assert {
        "spikeloom.sw.compiler.pipeline",
        "spikeloom.sw.passes.quantise",
        "spikeloom.sw.diagnostics.symptoms",
    } <= closure(STEP["convert"]).modules
    assert {"crossbar_macro_blackbox.v", "crossbar_macro_ideal.v"} <= names("verilog")
    assert "crossbar_macro_python.sv" in names("cosim")
    assert {
        "spikeloom.sim.cosim.npu_cocotb",
        "spikeloom.sim.cosim.host.host_cocotb",
        "spikeloom.sim.cosim.macro_model",
        "spikeloom.hw.layer.neuron_array",
    } <= closure(STEP["cosim"]).modules


def test_every_step_of_every_flow_has_a_closure() -> None:
    steps = [*STEPS, *make_paper()[1].steps]
    found = {step.sources: closure(step.sources) for step in steps}
    assert all(len(each.definitions) > 100 for each in found.values())
    assert len({each.digest for each in found.values()}) == len(found) == len(steps)
    with_measure = make_paper()[1].config.updated({"lifetime": {"measure": True}})
    (lifetime,) = (step for step in with_lifetime(STEPS, with_measure) if step.name == "lifetime")
    assert "spikeloom.sim.lifetime.search" in closure(lifetime.sources).modules


def test_data_folders_are_those_of_the_packages() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert {pattern.partition("/")[0] for pattern in table["*"]} == set(sources.DATA)


def test_an_edit_of_a_template_changes_the_report_alone(tmp_path: Path) -> None:
    """In a copy of the program, in a process of its own."""
    package = program_copy(tmp_path)

    def digests() -> list[str]:
        code = "from spikeloom.sw.common.sources import sources_digest as d;"
        code += f"print(d({STEP['train']!r}), d({STEP['report']!r}))"
        run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return run.stdout.split()

    def edit(name: str, before: str, after: str) -> None:
        path = package / name
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after, 1))

    train_0, report_0 = digests()
    assert [train_0, report_0] == [sources_digest(STEP["train"]), sources_digest(STEP["report"])]
    edit("sw/report/templates/report.html.j2", "<h1", "<h1 ")
    train_1, report_1 = digests()
    assert train_1 == train_0 and report_1 != report_0
    edit("sw/training/quantised_weights.py", '"""', '"""Another docstring. ')
    assert digests() == [train_1, report_1]
    edit("sw/config/layer_string.py", "_MAX_OUTPUTS = ", "_MAX_OUTPUTS = 1 + ")
    assert digests()[0] != train_1


def test_a_digest_is_kept_until_a_file_changes(package: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    entry = ("sourced.a:entry",)
    package(a="from sourced.b import x\ndef entry(): return x\n", b="x = 1\n")
    time.sleep(0.2)
    first = sources_digest(entry)
    sources_digest.cache_clear()
    with monkeypatch.context() as m:
        m.setattr(sources, "closure", lambda _: pytest.fail("followed again"))
        assert sources_digest(entry) == first
    package(b="x = 2\n")
    assert sources_digest(entry) != first
    package(b="x = 1\n")
    time.sleep(0.2)
    assert sources_digest(entry) == first
    (tmp_path / "sourced" / "b.py").unlink()
    package()
    with pytest.raises(SourceError):
        sources_digest(entry)


def test_whatever_a_step_executes_is_in_its_closure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every function that is called, and not only while a module is imported, is in a definition of the closure."""
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    flow = make_flow(Config.load("tiny"), tmp_path / "run")
    for step in flow.steps[:4]:
        known, called, missed = closure(step.sources).definitions, set(), set()

        def call(frame: FrameType, event: str, _: object, known=known, called=called, missed=missed):  # type: ignore
            module = frame.f_globals.get("__name__", "")
            if event != "call" or module.partition(".")[0] != "spikeloom":
                return
            name = frame.f_code.co_qualname.partition(".")[0]
            if not name.startswith(("<", "__create_fn__")):  # what dataclass makes, or is nested in nothing
                called.add(f"{module}.{name}")
                if (module, name) not in known and not imports(frame):
                    missed.add(f"{module}.{name}")

        sys.setprofile(call)
        try:
            outputs = list(step.run(flow))
        finally:
            sys.setprofile(None)
        assert outputs and not missed and len(called) > (5 if step.name == "data" else 20), step.name


def imports(frame: FrameType | None) -> bool:
    """Whether a frame is of a module of the program that is being imported, or was called by one."""
    while frame is not None:
        own = frame.f_globals.get("__name__", "").partition(".")[0] == "spikeloom"
        if own and not frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # a module's or a class's own statements
            return True
        frame = frame.f_back
    return False


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes modules of a package `sourced`, which counts as the program's own."""
    for cached in (module_spec, module_of, sources.closure, sources.sources_digest):
        cached.cache_clear()
    monkeypatch.setattr(source_modules, "_OWN", ("sourced",))
    monkeypatch.syspath_prepend(tmp_path)

    def write(**texts: str) -> None:
        for name, text in {"__init__": "", **texts}.items():
            path = tmp_path / "sourced" / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        for cached in (module_spec, module_of, sources.closure, sources.sources_digest):
            cached.cache_clear()

    yield write
    for cached in (module_spec, module_of, sources.closure, sources.sources_digest):
        cached.cache_clear()


def used(entry: str) -> set[str]:
    return {f"{module.removeprefix('sourced.')}.{name}" for module, name in closure((entry,)).definitions}


def test_names_are_followed_wherever_they_are_imported(package: Write) -> None:
    package(
        a="""
            from typing import TYPE_CHECKING
            import sourced.d
            from sourced import b, c as other
            from sourced.b import f as g
            if TYPE_CHECKING:
                from sourced.b import Given, Made

            def entry(given: Given) -> Made:
                from sourced.c import lazy
                return g() + other.x + sourced.d.deep() + lazy

            def not_used():
                return b.not_used
        """,
        b="""
            FACTOR = 2
            def f():
                return FACTOR * helper()
            def helper(): return 1
            def not_used(): return 0
            class Given:
                def method(self): return only_by_method()
            def only_by_method(): return 1
            class Made: ...
        """,
        c="x = 1\nlazy = 2\nz = 3\n",
        d="def deep(): return 1\n",
    )
    assert used("sourced.a:entry") == {
        *("a.entry", "b.f", "b.FACTOR", "b.helper", "b.Given", "b.only_by_method", "c.x", "c.lazy", "d.deep"),
    }


def test_what_importing_does_counts(package: Write) -> None:
    package(
        __init__="from sourced import started  # noqa\n",
        started="LIST = []\n",
        registry="KINDS = {}\ndef kind(f):\n    KINDS[f.__name__] = f\n    return f\n",
        kinds="from sourced.registry import kind\n\n@kind\ndef one(): return 1\n\ndef plain(): return 2\n",
        a="from sourced import kinds  # noqa\nfrom sourced.registry import KINDS\nKINDS[1] = 2\ndef entry(): KINDS\n",
    )
    found = used("sourced.a:entry")
    assert {"a.entry", "a.", "registry.KINDS", "registry.kind", "kinds.one", "kinds.plain", "started.LIST"} == found
    assert "kinds.one" in used("sourced.kinds:plain")  # its decorator may put it anywhere


def test_modules_named_in_a_text_count(package: Write) -> None:
    package(bench="def test(): return 1\n", a="def entry(): return run('sourced.bench', 'sourced.other', 'bench')\n")
    assert used("sourced.a:entry") == {"a.entry", "bench.test"}


def test_the_digest_follows_code_and_data_and_nothing_else(package: Write, tmp_path: Path) -> None:
    text = (
        "from pathlib import Path\n\ndef entry():\n"
        "    return (Path(__file__).parent / 'templates' / name()).read_text()\n\ndef name(): return 'a.txt'\n"
    )
    folder = tmp_path / "sourced/templates"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("one")

    def digest(text: str) -> str:
        package(a=text)
        return sources_digest(("sourced.a:entry",))

    first = digest(text)
    assert digest("# a comment\n" + text + "\n\ndef another(): return 1\n") == first
    assert digest(text.replace("entry():\n", 'entry():\n    """What it does,\n    at length."""\n')) == first
    assert digest(text.replace("'a.txt'", "'b.txt'")) != first
    (folder / "a.txt").write_text("two")
    assert digest(text) != first
    (folder / "a.txt").unlink()
    with pytest.raises(SourceError, match=r"^The module 'sourced.a' reads '.*/templates', which is not there$"):
        digest(text)
    with pytest.raises(SourceError, match=r"^There is no package 'sourced.none', though 'sourced.a' reads files of it"):
        digest("from importlib.resources import files\n\ndef entry(): return files('sourced.none') / 'verilog'\n")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("sourced.none", "^A step names the source 'sourced.none', but there is no module 'sourced.none'$"),
        ("json:loads", "^A step names the source 'json:loads', but there is no module 'json'$"),
        ("sourced.a:none", "^There is no 'none' in the module 'sourced.a', though a source names it$"),
        ("sourced.a:lost", "^There is no 'gone' in the module 'sourced.b', though a source names it$"),
        ("sourced.a:far", "^There is no module 'sourced.moved', though a source imports it$"),
    ],
)
def test_what_is_not_there_is_told(package: Write, entry: str, sentence: str) -> None:
    package(
        a="""
            def lost():
                from sourced.b import gone
            def far():
                from sourced.moved import x
        """,
        b="",
    )
    with pytest.raises(SourceError, match=sentence):
        sources_digest((entry,))


def test_imports_of_everything_are_refused(package: Write) -> None:
    package(a="from sourced.b import *\n\ndef entry(): return x\n", b="x = 1\n")
    with pytest.raises(SourceError, match=r"^'from sourced.b import \*' cannot be followed"):
        sources_digest(("sourced.a:entry",))


def test_names_of_other_packages_may_be_handed_on(package: Write) -> None:
    package(a="from math import floor as down\n", b="from sourced.a import down\ndef f(x): return down(x)\n")
    assert closure(("sourced.b:f",)).definitions == {("sourced.b", "f")}
    package(a="from math import floor\n", b="from sourced.a import down\ndef f(x): return down(x)\n")
    with pytest.raises(SourceError, match=r"no 'down' in the module 'sourced\.a'"):
        closure(("sourced.b:f",))
