"""The documentation holds: its code runs, its commands, paths, names, links and diagrams exist."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import spikeloom
from docs.site.links import LINK, faults
from spikeloom.sw.cli.main import app
from spikeloom.sw.config.config import PRESETS, Config
from tests.conftest import SIMULATORS, icarus

ROOT = Path(__file__).parents[1]
NOT_WALKED = {".git", ".venv", "build", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"}

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S)
CODE = re.compile(r"`(?P<code>[^`\n]+)`")
COMMANDS = (
    "doctor", "demo", "run", "verilog", "synth", "board", "firmware", "nir", "cosim", "by-step", "lifetime", "report",
    "paper", "examples",
)  # fmt: skip
COMMAND = re.compile(
    rf"spikeloom (?P<name>{'|'.join(COMMANDS)})" + r"\b(?P<rest>[^\n`#·|,;.]*(?:\.[\w/][^\n`#·|,;.]*)*)"
)
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[a-z])(?![\w-])")
MAKE = re.compile(r"\bmake (?P<target>[a-z][a-z-]*)")
PATH = re.compile(r"(?:hw|sim|sw|tests|docs|examples)/[\w./]*")
NAME = re.compile(r"(?:spikeloom\.)?(?:hw|sim|sw)(?:\.\w+)+(?=\W|$)")
MACHINE = re.compile(
    "|".join(("/ho" + r"me/\w", "/ro" + "ot/", "/Us" + r"ers/\w", "/wo" + "rk/", r"[A-Z]:\\" + "Users"))
)


@functools.cache
def files() -> tuple[Path, ...]:
    """Files of the repository: those that git knows or would add, else all that are not generated."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        if run.returncode == 0:
            found = [ROOT / name for name in run.stdout.decode().split("\0") if name]
            return tuple(path for path in found if path.is_file())
    walked = (path for path in sorted(ROOT.rglob("*")) if not NOT_WALKED & set(path.relative_to(ROOT).parts))
    return tuple(path for path in walked if path.is_file())


def pages() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


def page_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", pages(), ids=page_id)


def fences(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [match["body"] for match in FENCE.finditer(text) if match["language"] == language]


def code_lines(page: Path) -> Iterator[str]:
    """Code of a page, piece by piece: spans, indented lines, and lines of blocks without a language or of a shell."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        if match["language"] in ("", "sh", "console"):
            yield from match["body"].splitlines()
    text = FENCE.sub("", text)
    yield from (line.strip() for line in text.splitlines() if line.startswith("    "))
    yield from (match["code"].replace("\\|", "|") for match in CODE.finditer(text))


def run_block(block: str) -> dict:
    names: dict = {"__name__": "documentation"}
    exec(compile(block, "documentation", "exec"), names)
    return names


# The code


QUICK_TOML = """\
[crossbar]
tile_rows = 32
tile_columns = 16

[device]
device_sigma = 0.05
read_sigma = 0.01

[hardware]
lanes = 4
encoder_lanes = 8

[cosim]
simulator = "{simulator}"
"""


def test_quick_start_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    """With a small configuration, few images, and Icarus where it is: Verilator's compiler takes most of the time."""
    (block,) = fences(ROOT / "README.md", "python")
    assert block.count("images[:500])") == 1
    simulator = SIMULATORS[-1]
    (tmp_path / "quick.toml").write_text(QUICK_TOML.format(simulator=simulator))
    monkeypatch.chdir(tmp_path)
    names = run_block(block.replace("images[:500])", 'images[:500], "quick.toml")').replace("1297:1337", "1297:1307"))
    all_tests = names["chip"].predict(names["images"][1297:])  # ten images say little
    assert all_tests.accuracy(names["labels"][1297:]) > 0.88
    assert len(names["rtl"]) == len(names["test"]) and names["values"] > 100
    assert names["chip"].parameters.layers[0].outputs == 48
    assert "values agree" in capsys.readouterr().out
    assert (tmp_path / "build/mine/chip.sv").exists()
    summary = json.loads((tmp_path / "build/mine-report/summary.json").read_text())
    assert summary["bit_exact"]["images"] == len(names["test"]) and summary["bit_exact"]["mismatches"] == 0


def test_blocks_of_the_page_on_drift_run():
    names: dict[str, object] = {}
    for block in fences(ROOT / "docs/drift.md", "python"):
        exec(compile(block, "docs/drift.md", "exec"), names)
    assert names["end"].images > 10  # type: ignore[attr-defined]


def test_blocks_of_the_page_on_notebooks_run(tmp_path, monkeypatch, capsys):
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in fences(ROOT / "docs/notebooks.md", "python"):
        exec(compile(block, "docs/notebooks.md", "exec"), names)
    pyplot.close("all")
    assert names["result"].accuracy(names["expected"]) > 0.85
    assert names["latency"]["cycles_from"] == "from the formula" and names["energy"]["total"]["typical"] > 0
    assert names["result"].columns()["steps"].tolist() == names["result"].steps.tolist()
    assert (tmp_path / "decisions.png").stat().st_size > 5000 and (tmp_path / "raster.svg").stat().st_size > 5000
    printed = capsys.readouterr().out
    assert "Chip notebook" in printed and "Result(100 images of the integer reference" in printed


def test_block_of_the_page_by_step_runs(tmp_path, monkeypatch, capsys):
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    (block,) = fences(ROOT / "docs/by-step.md", "python")
    exec(compile(block, "docs/by-step.md", "exec"), names)
    pyplot.close("all")
    assert names["found"]["phase"].error[-1] < 0.1 and names["found"]["even"].error[-1] < 0.1
    assert (tmp_path / "by_step.svg").stat().st_size > 5000 and "noise spikes" in capsys.readouterr().out


@icarus
def test_block_on_another_simulator_runs(tmp_path, monkeypatch):
    import numpy as np
    from torch import nn

    (block,) = fences(ROOT / "docs/co-simulation.md", "python")
    calibration = np.full((4, 12), 200, np.uint8)
    calibration[0, 0] = 100
    chip = spikeloom.compile(nn.Sequential(nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3)), calibration, "tiny")
    chip.save(tmp_path / "mine.loom")
    monkeypatch.chdir(tmp_path)
    names = run_block(block)
    chip.predict(names["pixels"], trace="spikes").compare(names["result"])


@each_page
def test_python_blocks_are_python(page):
    for block in fences(page, "python"):
        compile(block, page.name, "exec")


@each_page
def test_imports_of_python_blocks_exist(page):
    for block in fences(page, "python"):
        for module, name in imports(block):
            assert resolves(f"{module}.{name}"), f"{page_id(page)} imports {name} from {module}"


def imports(block: str) -> Iterator[tuple[str, str]]:
    """Every module of the package from which a block imports, with the name that is imported."""
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "spikeloom":
            yield from ((node.module, alias.name) for alias in node.names)


def test_an_import_of_a_name_that_is_gone_is_found():
    block = "def f():\n    from spikeloom.sw.decision.q_learning import learn_q_values, learn_strategy\n"
    found = [resolves(f"{module}.{name}") for module, name in imports(block)]
    assert found == [True, False]


# Commands


@functools.cache
def options(command: str) -> frozenset[str]:
    """Options of a command, from its help page."""
    run = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [command, "--help"])
    assert run.exit_code == 0, run.output
    parameters = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    known = {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}
    known = {name for name in known if name.startswith("-")}
    assert all(name in run.stdout for name in known)
    return frozenset(known | {"--help", "-h"})


def test_commands_exist_with_their_options():
    sources = [*pages(), *(path for path in files() if path.suffix == ".toml" and "presets" not in path.parts)]
    found = 0
    for path in sources:
        lines = code_lines(path) if path.suffix == ".md" else path.read_text(encoding="utf-8").splitlines()
        for line in lines:
            for match in COMMAND.finditer(line):
                found += 1
                where = f"{page_id(path)}: {match[0]}"
                unknown = set(OPTION.findall(match["rest"])) - options(match["name"])
                assert not unknown, f"{where}: {sorted(unknown)}"
                words = match["rest"].split()
                taking = ("run", "verilog", "firmware", "nir", "cosim", "by-step", "lifetime", "report")
                if match["name"] in taking and words:
                    assert_configuration(words[0], where)
    assert found > 20


def assert_configuration(word: str, where: str) -> None:
    """A command's argument is a preset, a file that there is, or a file of the reader's own."""
    own = {"CONFIG", "FILE", "FILE.toml", "my.toml", "mine.loom"}
    assert word in PRESETS or word in own or (ROOT / word).is_file() or word.startswith("-"), where
    if (ROOT / word).is_file():
        Config.load(ROOT / word)


def test_options_of_the_command_line_page_exist():
    every = frozenset().union(*(options(name) for name in COMMANDS))
    for page in pages():
        for line in code_lines(page):
            if line.startswith("--"):
                assert line.split()[0] in every, f"{page_id(page)}: {line}"


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    found = set()
    for page in pages():
        for line in code_lines(page):
            if line.startswith("make "):
                found |= {match["target"] for match in MAKE.finditer(line)}
    assert {"demo", "test"} <= found <= targets


# What is named


@each_page
def test_links_lead_somewhere(page):
    """Mutants of these pages: tests/test_site.py."""
    assert not faults(page, ROOT, in_repository)


def in_repository(path: Path) -> bool:
    return path in files() or any(path in file.parents for file in files())


@each_page
def test_files_that_are_named_exist(page):
    for match in CODE.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if PATH.fullmatch(match["code"]) and page.parent.name != "examples":
            assert (ROOT / match["code"]).exists(), f"{page_id(page)} names {match['code']}"


@each_page
def test_python_names_exist(page):
    for match in CODE.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        name = NAME.match(match["code"])
        if name:
            assert resolves(f"spikeloom.{name[0].removeprefix('spikeloom.')}"), f"{page_id(page)} names {name[0]}"


PARAMETERS = re.compile(r"^## Parameters\n(?P<body>.*?)(?=^## |\Z)", re.M | re.S)


def parameters_of(page: Path) -> list[str]:
    """First column of a page's table of parameters."""
    section = PARAMETERS.search(page.read_text(encoding="utf-8"))
    return re.findall(r"^\| `(\w+)` \|", section["body"], re.M) if section else []


@pytest.mark.parametrize("page", [page for page in pages() if "docs/hardware/" in str(page)], ids=page_id)
def test_parameters_of_a_block_are_those_of_its_class(page):
    names = parameters_of(page)
    if names:
        path = re.search(r"`(hw/[\w/]+)\.py`", page.read_text(encoding="utf-8"))
        module = importlib.import_module(f"spikeloom.{path[1].replace('/', '.')}")
        classes = [value for value in vars(module).values() if inspect.isclass(value)]
        own = [value for value in classes if value.__module__ == module.__name__]
        taken = {value.__name__: list(inspect.signature(value).parameters) for value in own}
        assert names in taken.values(), f"{page_id(page)} has the parameters {names}, the module {taken}"


def test_tables_of_parameters_are_read():
    assert parameters_of(ROOT / "docs/hardware/feature_maps/step_join.md") == ["layer", "replicas"]
    assert sum(bool(parameters_of(page)) for page in pages()) > 15


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if not hasattr(value, part) and part not in getattr(value, "model_fields", {}):
                return part in getattr(value, "__annotations__", {})
            value = getattr(value, part, None)
        return True
    return False


@pytest.mark.parametrize("folder", ("docs", "docs/hardware"))
def test_every_page_is_in_its_index(folder):
    index = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    targets = {match["target"].partition("#")[0] for match in LINK.finditer(index)}
    below = {path.relative_to(ROOT / folder) for path in pages() if (ROOT / folder) in path.parents}
    own = {name for name in below if folder != "docs" or name.parent == Path()}  # the hardware manual has an index
    missing = {name.as_posix() for name in own} - targets - {"README.md"}
    assert not missing


# Diagrams


@each_page
def test_timing_diagrams_are_json_with_waves_of_one_length(page):
    for block in fences(page, "wavedrom"):
        diagram = json.loads(block)
        if "reg" in diagram:  # a bit-field picture, whose fields fill the word
            assert sum(field["bits"] for field in diagram["reg"]) == diagram["config"]["bits"], page_id(page)
            continue
        signals = [signal for signal in diagram["signal"] if signal]
        lengths = {len(signal["wave"]) for signal in signals}
        assert len(lengths) == 1, f"{page_id(page)}: waves of {sorted(lengths)} cycles"
        for signal in signals:
            labels = len(re.findall(r"[2-9=]", signal["wave"]))
            assert len(signal.get("data", [])) <= labels, (
                f"{page_id(page)}: {signal['name']} has data that is not shown"
            )


def test_component_pages_have_a_timing_diagram():
    folder = ROOT / "docs" / "hardware"
    components = [page for page in pages() if folder in page.parents and "export" not in page.parts]
    components.remove(folder / "README.md")
    assert len(components) > 25
    for page in components:
        assert fences(page, "wavedrom"), page_id(page)


def test_pictures_are_well_formed_and_need_nothing_else():
    from xml.etree import ElementTree

    pictures = [path for path in files() if path.suffix == ".svg"]
    assert len(pictures) >= 2
    for path in pictures:
        root = ElementTree.parse(path).getroot()
        assert root.tag.endswith("svg") and root.get("viewBox"), page_id(path)
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text and "<image" not in text, page_id(path)


# The machine


def test_no_file_has_paths_of_a_machine():
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = MACHINE.search(text)
        assert found is None, f"{page_id(path)}: {found and text[max(0, found.start() - 20) : found.end() + 20]!r}"
