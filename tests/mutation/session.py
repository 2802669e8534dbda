"""Runs tests with pytest in this process, in a given order, and says which passed, which failed, and how."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.mutation.blocks import ROOT
from tests.mutation.children import Send

__all__ = ["ABOUT_MUTANTS", "run_tests"]

ABOUT_MUTANTS = ("mutants", "manual")
"""Words in the names of test functions that break a block themselves, or are about texts."""

_ELABORATION = ("amaranth/hdl/_ir.py", "amaranth/hdl/_dsl.py", "amaranth/hdl/_ast.py", "amaranth/lib/wiring.py")


def _place(error: BaseException | None, when: str) -> str:
    """Where an exception comes from: "elaboration", or "test"."""
    if isinstance(error, AssertionError | KeyboardInterrupt) or error is None:
        return "test"
    if "exactly once to be broken" in str(error):  # a mutant of the proof cannot be made from the mutant
        return "elaboration"
    trace, names = error.__traceback__, []
    while trace is not None:
        code = trace.tb_frame.f_code
        names.append((code.co_filename, code.co_name))
        trace = trace.tb_next
    file, _ = names[-1]
    inside = any(name in ("elaborate", "join_maps") for _, name in names)
    return "elaboration" if inside or file.endswith(_ELABORATION) else "test"


class _Plugin:
    def __init__(
        self, send: Send, order: Sequence[str], extra: Callable[[], dict[str, Any]], without: Sequence[str]
    ) -> None:
        self.send, self.extra, self.without = send, extra, without
        self.order = {name: index for index, name in enumerate(order)}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Any:
        yield
        names = [(item, getattr(item, "originalname", item.name)) for item in items]
        kept = [item for item, name in names if not any(word in name for word in self.without)]
        if self.order:
            kept = sorted((i for i in kept if i.nodeid in self.order), key=lambda i: self.order[i.nodeid])
        items[:] = kept

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self.send({"test": item.nodeid})
        self.extra()  # what happened before is not the test's
        self.began, self.outcome, self.why, self.where = time.monotonic(), "passed", "", ""
        yield
        seconds = round(time.monotonic() - self.began, 2)
        told = {"ended": item.nodeid, "outcome": self.outcome, "seconds": seconds, "why": self.why}
        self.send({**told, "where": self.where, **self.extra()})

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> Any:
        report = (yield).get_result()
        if report.outcome != "passed" and self.outcome == "passed":
            self.outcome = report.outcome
            if report.failed:
                error = call.excinfo.value if call.excinfo else None
                text = (str(error).strip().splitlines() or [""])[0]
                self.why = f"{type(error).__name__}: {text}"[:300]
                self.where = _place(error, call.when)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.send({"uncollected": report.nodeid, "why": str(report.longrepr)[-300:]})


def run_tests(
    send: Send,
    names: Sequence[str],
    *,
    order: bool,
    extra: Callable[[], dict[str, Any]] = dict,
    stop: bool = True,
    without: Sequence[str] = (),
    slow: bool = False,
) -> None:
    """Run test files or tests.

    Parameters
    ----------
    send : gets {"test": name} before a test, {"ended", "outcome", "seconds", "why", "where"} after it, and
        {"uncollected", "why"} for a file that cannot be imported
    names : files, or names of tests
    order : whether `names` are tests, to be run in that order
    extra : what more to say of a test; called before it too, to forget what happened until then
    stop : end at the first failure
    without : words in the names of further test functions that are left out
    slow : run those marked so, too
    """
    files = list(dict.fromkeys(name.split("::")[0] for name in names))
    plugin = _Plugin(send, names if order else (), extra, (*ABOUT_MUTANTS, *without))
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), "--tb=short"]
    options += [*(["-x"] if stop else []), *([] if slow else ["-m", "not slow"])]
    with warnings.catch_warnings():
        code = pytest.main([*options, *files], plugins=[plugin])
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        raise RuntimeError(f"pytest ended with {code!r} on {' '.join(files)}; what it said is in build/mutate")
