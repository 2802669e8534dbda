"""Compiled kernels follow edits of everything that is compiled into them, and nothing has to be deleted for it."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import config

from spikeloom.sim import CELL_KINDS
from spikeloom.sim.common import kernels, random_numbers
from spikeloom.sim.common.random_numbers import fill_words
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sw.common.sources import closure
from tests.conftest import SIMULATORS
from tests.fixtures.networks import random_chip

ROOT = Path(__file__).parents[3]
FILES = [
    path
    for tree in ("hw", "sim", "sw")
    for path in sorted((ROOT / tree).rglob("*.py"))
    if "import kernel\n" in path.read_text(encoding="utf-8")
]


def _module(path: Path) -> str:
    return ".".join(("spikeloom", *path.relative_to(ROOT).with_suffix("").parts))


def test_nothing_is_compiled_otherwise() -> None:
    assert len(FILES) > 15
    for tree in ("hw", "sim", "sw", "src", "examples"):
        for path in (ROOT / tree).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert path == ROOT / "sim/common/kernels.py" or ("import numba" not in text and "from numba" not in text)


@pytest.mark.parametrize("path", FILES, ids=_module)
def test_kernels_lie_in_the_folder_of_their_sources(path: Path) -> None:
    """Whatever a kernel's module uses, definition by definition, is among the files that the folder stands for; those
    that run in a simulator are imported from the same modules.
    Kinds of cells are found by their names as the program runs: nothing of them is compiled into a kernel.
    """
    seen = {_module(source).removesuffix(".__init__") for source in kernels.sources(path)}
    seen |= closure(tuple(module for module, _ in CELL_KINDS.values())).modules
    assert closure((_module(path),)).modules <= seen
    module = importlib.import_module(_module(path))
    compiled = [
        value for value in vars(module).values() if hasattr(value, "stats") and value.__module__ == _module(path)
    ]
    for dispatcher in compiled:
        folder = kernels._folder(str(path))
        assert folder is not None and Path(dispatcher.stats.cache_path).parent == folder
    assert compiled or path.name == "random_numbers.py"


_SCRIPT = """
import json, sys
from numba import config
config.CACHE_DIR = config.CACHE_DIR or "mine"
import numpy as np
from spikeloom.sim.common.random_numbers import fill_words, philox
from spikeloom.sim.common.random_words import philox_blocks
assert "spikeloom" not in config.CACHE_DIR
counters = np.arange(8, dtype=np.uint32).reshape(2, 4)
words = philox(counters, (3, 4))
assert (words == philox_blocks(counters, (3, 4))).all()
stats = fill_words.stats
print(json.dumps([words.tolist(), stats.cache_path, sum(stats.cache_hits.values())]))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A copy of the program."""
    package = tmp_path / "program" / "spikeloom"
    for name in ("src/spikeloom", "hw", "sim"):
        target = package / name.removeprefix("src/spikeloom")
        shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    return tmp_path / "program"


def _run(place: Path, cache: Path) -> tuple[Any, Path | None, int]:
    """Words, where the compiled code lies, and how often it was taken from there, of a process of its own."""
    time.sleep(0.05)  # a process begins after an edit, also by a clock of 10 ms
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    words, kept, hits = json.loads(run.stdout)
    return words, None if kept is None else Path(kept).parent, hits


def test_an_edit_of_an_inlined_function_in_another_file_is_followed(place: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    before = _run(place, cache)
    assert before[2] == 0 and before[1] is not None
    assert before[1].parent == cache / "spikeloom" / "sim.common.random_numbers"
    assert _run(place, cache) == (*before[:2], 1)
    old, young = before[1].with_name("old"), before[1].with_name("young")
    for folder, age_s in ((old, kernels.RETENTION_s + 60.0), (young, kernels.RETENTION_s - 3600.0)):
        folder.mkdir()
        os.utime(folder, (time.time() - age_s,) * 2)

    source = place / "spikeloom/sim/common/random_words.py"
    text = source.read_text(encoding="utf-8")
    assert text.count("range(10)") == 1
    source.write_text(text.replace("range(10)", "range(9)"), encoding="utf-8")
    after = _run(place, cache)
    assert after[0] != before[0] and after[1] != before[1] and after[2] == 0
    assert before[1].exists() and young.exists() and not old.exists()
    assert _run(place, cache) == (*after[:2], 1)

    source.write_text(text, encoding="utf-8")
    assert _run(place, cache) == (*before[:2], 1)
    assert not list(place.rglob("*.nb[ci]")), "compiled code beside the sources follows no edit"


@pytest.mark.parametrize("reason", ["cannot be written", "changed while it runs"])
def test_what_cannot_be_kept_safely_is_compiled_anew(place: Path, tmp_path: Path, reason: str) -> None:
    cache = tmp_path / "cache"
    if reason == "cannot be written":
        cache.write_text("a file in the way of the folder")
    else:
        later = time.time() + 3600.0
        os.utime(place / "spikeloom/sim/common/random_words.py", (later, later))
    words, kept, hits = _run(place, cache)
    assert kept is None and hits == 0 and np.array(words).shape == (2, 4)
    assert not list(tmp_path.rglob("*.nb[ci]"))


def test_a_simulators_process_keeps_its_kernels_in_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the device model, which this process does not compile."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    chip = random_chip(np.random.default_rng(3), sizes=[7, 3], encoder_lanes=3)
    run_cosim(chip, np.random.default_rng(4).integers(0, 256, (2, 7), np.uint8), simulator=SIMULATORS[-1])
    model = ROOT / "sim/cosim/macro_model.py"
    (folder,) = (tmp_path / "spikeloom" / "sim.cosim.macro_model").iterdir()
    here = kernels._folder(str(model))
    assert here is not None and folder.name == here.name and list(folder.rglob("*.nbi"))


def test_kernels_of_others_stay_where_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", "mine")
    ours = kernels.kernel()(fill_words.py_func)
    assert config.CACHE_DIR == "mine"
    assert Path(ours.stats.cache_path).parent == kernels._folder(random_numbers.__file__)
    assert kernels._folder(__file__) is None
