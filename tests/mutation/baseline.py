"""The tests without a mutant: how long each takes, and which lines of the hardware's description it runs."""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutation.blocks import ROOT, test_files
from tests.mutation.children import Send, run_child
from tests.mutation.digests import file_digest, sources_digest
from tests.mutation.importing import install_watch
from tests.mutation.session import ABOUT_MUTANTS, run_tests

__all__ = ["FOLDER", "Baseline", "TestRun", "measure", "preload", "write_json"]

FOLDER = ROOT / "build" / "mutate"
_FILE_LIMIT = 900.0
_SLOW_TO_IMPORT = ("amaranth", "numpy", "scipy", "numba", "torch", "pydantic", "matplotlib", "jinja2", "cocotb_tools")


@dataclass(frozen=True)
class TestRun:
    """One test: its name, seconds, and the lines that it runs, as "block:line"."""

    name: str
    seconds: float
    lines: frozenset[str]

    __test__ = False

    @property
    def file(self) -> str:
        return self.name.split("::")[0]

    @property
    def function(self) -> str:
        return self.name.split("[")[0]


@dataclass(frozen=True)
class Baseline:
    """All tests that may kill a mutant, and the modules of others that they import."""

    tests: tuple[TestRun, ...]
    modules: tuple[str, ...]


def write_json(path: Path, content: Any) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(path)


def _foreign() -> list[str]:
    """Imported modules of others that take long: a parent may import them once for all children. None of pytest's
    plugins, which it wants to import itself."""
    known = [name for name, module in sys.modules.items() if getattr(module, "__spec__", None)]
    return [name for name in known if name.split(".")[0] in _SLOW_TO_IMPORT]


def _watch(name: str) -> Callable[[Send], None]:
    def work(send: Send) -> None:
        reached: set[str] = set()
        install_watch(lambda block, line: reached.add(f"{block}:{line}"))

        def lines() -> dict[str, Any]:
            found = sorted(reached)
            reached.clear()
            return {"lines": found}

        run_tests(send, [name], order=False, extra=lines, stop=False)
        send({"modules": _foreign()})

    return work


def _measured(name: str) -> dict[str, Any]:
    """One test file: {"tests": [...], "modules": [...]}."""
    tests: list[dict[str, Any]] = []
    modules: list[str] | None = None  # what a file sends when all its tests have run
    for message in run_child(_watch(name), FOLDER / "baseline.log", _FILE_LIMIT):
        if "ended" in message and message["outcome"] == "passed":
            tests.append({"name": message["ended"], "seconds": message["seconds"], "lines": message["lines"]})
        elif message.get("outcome") == "failed" or message.keys() & {"error", "hung", "uncollected"}:
            raise RuntimeError(f"{name} must pass before mutants are tried on it, but: {message}")
        modules = message.get("modules", modules)
    if modules is None:
        raise RuntimeError(
            f"{name} must pass before mutants are tried on it, but it ended; see build/mutate/baseline.log"
        )
    return {"tests": tests, "modules": modules}


def measure(say: Callable[[str], None]) -> Baseline:
    """Run all tests once, or take what is known of files that have not changed.

    Raises
    ------
    RuntimeError : a test fails without a mutant
    """
    tests: list[TestRun] = []
    modules: dict[str, None] = {}
    for name in test_files():
        path = FOLDER / "baseline" / f"{Path(name).stem}-{file_digest(name)}-{sources_digest()}.json"
        if not path.exists():
            write_json(path, _measured(name))
            say(f"without mutants: {name}")
        known = json.loads(path.read_text(encoding="utf-8"))
        found = [TestRun(t["name"], t["seconds"], frozenset(t["lines"])) for t in known["tests"]]
        tests += [t for t in found if not any(word in t.function.split("::")[-1] for word in ABOUT_MUTANTS)]
        modules |= dict.fromkeys(known["modules"])
    return Baseline(tuple(tests), tuple(modules))


def preload(modules: tuple[str, ...]) -> None:
    """Import other people's modules here, so that children find them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            if name not in sys.modules and name.split(".")[0] in _SLOW_TO_IMPORT:
                try:
                    importlib.import_module(name)
                except Exception:  # one that only a test's own process can have
                    continue
