"""What the whole test suite shares."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from spikeloom.sim.common.cache import cache_folder

os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder("numba")))
"""Tests that have a cache of their own need not compile every kernel again."""

SIMULATORS = ["verilator"] + (["icarus"] if shutil.which("iverilog") else [])
"""Simulators that are there. Icarus is optional."""

icarus = pytest.mark.skipif("icarus" not in SIMULATORS, reason="Icarus Verilog (iverilog) is not installed")


LONG = ("test_differential_maps", "test_differential", "test_quick_run", "test_cnn_cosim", "test_examples")
"""Test files that take minutes. They go first, so that no processor is left with one when the others are done."""


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order by file, long ones first; wants `--no-loadscope-reorder` with several processes. Every second case of a
    test that is marked `halved` is slow.
    """
    cases: Counter[str] = Counter()
    for item in items:
        if item.get_closest_marker("halved"):
            test = item.nodeid.partition("[")[0]
            if cases[test] % 2:
                item.add_marker(pytest.mark.slow)
            cases[test] += 1
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


class _AtOnce:
    """Says each failure when it happens: the traceback comes at the end, which may be twenty minutes away."""

    def __init__(self, config: pytest.Config) -> None:
        self.plugins = config.pluginmanager

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self.plugins.get_plugin("terminalreporter")  # comes after conftest.py
        if report.failed and terminal is not None:
            crash = getattr(report.longrepr, "reprcrash", None)
            why = crash.message.splitlines()[0] if crash and crash.message else report.when
            terminal.ensure_newline()
            terminal.write_line(f"FAILED {report.nodeid}: {why}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Failures at once, from the process that the others report to."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_AtOnce(config), "failures-at-once")


@pytest.fixture
def dataset_folder() -> Path:
    """Folder of the original data sets; the test is skipped where $SPIKELOOM_DATA does not name one."""
    return dataset_folder_or_skip()


def dataset_folder_or_skip() -> Path:
    """The same for tests of which only some need it."""
    folder = os.environ.get("SPIKELOOM_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SPIKELOOM_DATA does not name a folder with the original data sets")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def _no_waves() -> Iterator[None]:
    """A WAVES variable in the user's environment must not change what the tests build."""
    before = os.environ.pop("WAVES", None)
    yield
    if before is not None:
        os.environ["WAVES"] = before
