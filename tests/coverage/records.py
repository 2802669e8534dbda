"""Records of the unit tests' simulations: each test file runs once in a forked child, and what it did is kept."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.coverage.record import Recorder, Variant
from tests.mutation.blocks import ROOT
from tests.mutation.children import Send, run_child
from tests.mutation.digests import digest_of_files, file_digest, sources_digest
from tests.mutation.session import run_tests

__all__ = ["FOLDER", "TEST_FILES", "records"]

FOLDER = ROOT / "build" / "coverage"
_LIMIT = 1200.0
_NOT_REPLAYED = ("proof", "cosim", "largest_value")
"""Words in the names of test functions without a simulation, or with one that sets a register inside."""
_LEFT_OUT = {
    "tests/hw/feature_maps/test_stages.py": ("test_plans", "test_replicas", "test_cycles_of", "test_membranes")
}
"""Test file -> words in the names of tests that take minutes, and are much like others of the file."""
_SIMULATES = re.compile(
    r"^from ((tests\.benches\.stream_bench|amaranth\.sim) import .*[sS]imulat|tests\.hw\.test_npu import Run$)", re.M
)
_WITHOUT_DEVICE = ("test_adder_tree", "test_layouts", "test_random_source")
"""Test files that simulate functions which make operators or layouts, not components."""
TEST_FILES = tuple(
    str(path.relative_to(ROOT))
    for path in sorted((ROOT / "tests" / "hw").rglob("test_*.py"))
    if _SIMULATES.search(path.read_text(encoding="utf-8"))
)
"""Test files with Amaranth simulations."""


_OWN = digest_of_files(Path(__file__).with_name(f"{name}.py") for name in ("captured", "record", "records"))
"""Digest of what records."""


def _life(name: str, path: Path) -> Callable[[Send], None]:
    def work(send: Send) -> None:
        with Recorder() as recorder:
            run_tests(send, [name], order=False, stop=False, without=(*_NOT_REPLAYED, *_LEFT_OUT.get(name, ())))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_bytes(pickle.dumps(recorder.finished()))
        temporary.replace(path)
        send({"kept": True})

    return work


def records(name: str, say: Callable[[str], None]) -> list[Variant]:
    """What the simulations of one test file did; kept until it, a helper or the hardware changes.

    Raises
    ------
    RuntimeError : a test fails, the file cannot be imported, or nothing in it was recorded
    """
    path = FOLDER / "records" / f"{Path(name).stem}-{file_digest(name)}-{sources_digest()}-{_OWN}.pickle"
    if not path.exists():
        last: dict[str, Any] = {}
        for last in run_child(_life(name, path), FOLDER / "records.log", _LIMIT):
            if last.get("outcome") == "failed" or last.keys() & {"error", "hung", "uncollected"}:
                raise RuntimeError(f"{name} must pass to be recorded, but: {last}")
        if "kept" not in last:
            raise RuntimeError(f"{name} was not recorded; see build/coverage/records.log: {last}")
        say(f"recorded: {name}")
    found: list[Variant] = pickle.loads(path.read_bytes())
    if not found and Path(name).stem not in _WITHOUT_DEVICE:
        raise RuntimeError(f"{name} simulates, but nothing of it was recorded: no device was recognised")
    return found
