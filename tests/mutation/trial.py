"""One mutant against its tests."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.mutation.baseline import FOLDER, Baseline, TestRun
from tests.mutation.children import Send, run_child
from tests.mutation.designs import digests as found
from tests.mutation.digests import file_digest, mutants_digest, suite_digest
from tests.mutation.importing import install_mutant
from tests.mutation.places import Mutant
from tests.mutation.selection import near_tests
from tests.mutation.session import run_tests

__all__ = ["Verdict", "still_holds", "tried"]

_SLOWEST = 8.0
_AT_LEAST = 20.0
_START = 120.0
_OVER = "over its limit of"


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    Parameters
    ----------
    status : "killed", "survived", "equivalent" (no unit's RTLIL differs) or "invalid" (cannot be elaborated)
    test : the test that failed
    why : its message in short, or why the mutant is invalid
    tests, seconds : how many were run, and how long it took
    stamp : digest of what the verdict holds for
    """

    status: str
    test: str
    why: str
    tests: int
    seconds: float
    stamp: str

    @property
    def by_time(self) -> bool:
        """Whether a test was stopped because it took too long, rather than failed."""
        return self.status == "killed" and self.why.startswith(_OVER)


def still_holds(verdict: Verdict, budget: float) -> bool:
    """Whether nothing that the verdict comes from has changed. A kill stands as long as its test does."""
    return verdict.stamp == _stamp(verdict.status, verdict.test, budget)


def _stamp(status: str, test: str, budget: float) -> str:
    if status == "survived":
        return f"{suite_digest()} {budget:g}"
    try:
        return mutants_digest() + (file_digest(test.split("::")[0]) if test else "")
    except FileNotFoundError:
        return "gone"


def _life(mutant: Mutant, stages: Sequence[Sequence[TestRun]], digests: dict[str, str]) -> Any:
    def work(send: Send) -> None:
        failed = False

        def watch(message: dict[str, Any]) -> None:
            nonlocal failed
            failed = failed or message.get("outcome") == "failed" or "uncollected" in message
            send(message)

        try:
            install_mutant(mutant)
        except Exception as error:
            send({"invalid": f"{type(error).__name__}: {error}"})
            return
        for stage in stages:
            run_tests(watch, [test.name for test in stage], order=True)
            if failed:
                return
        try:
            for name, digest in found():
                if digest != digests[name]:
                    send({"differs": name})
                    return
        except Exception as error:
            send({"differs": f"a unit cannot be elaborated: {error}"})
        else:
            send({"same": len(digests)})

    return work


def tried(mutant: Mutant, baseline: Baseline, digests: dict[str, str], budget: float) -> Verdict:
    """Run the mutant's tests until one fails.

    Parameters
    ----------
    mutant : to be made in a forked child
    baseline : the tests without mutants
    digests : RTLIL of the units without mutants (`tests.mutation.designs`)
    budget : seconds of tests of its own block, and as many of others

    Raises
    ------
    RuntimeError : the tests could not be run
    """
    began, stages = time.monotonic(), near_tests(baseline, mutant, budget)
    limits = {t.name: max(_AT_LEAST, _SLOWEST * t.seconds) for stage in stages for t in stage}
    status, test, why, run, now = "survived", "", "", 0, ""
    for message in run_child(_life(mutant, stages, digests), FOLDER / "mutant.log", _START, limits):
        if "test" in message:
            now, run = message["test"], run + 1
        elif message.get("outcome") == "failed":
            invalid = message["where"] == "elaboration"
            status, test, why = ("invalid" if invalid else "killed"), message["ended"], message["why"]
            break
        elif "uncollected" in message:
            status, test, why = "invalid", message["uncollected"], message["why"]
            break
        elif "invalid" in message:
            status, why = "invalid", message["invalid"]
        elif "same" in message:
            status, why = "equivalent", "same RTLIL"
        elif "differs" in message:
            why = f"differs in: {message['differs']}"
        elif "hung" in message:
            status, test, why = "killed", now, f"{_OVER} {message['hung']} s"
        elif "error" in message:
            raise RuntimeError(f"{mutant}: no verdict; see build/mutate/mutant.log: {message['error']}")
    if status in ("survived", "equivalent") and (run < sum(map(len, stages)) or not why):
        raise RuntimeError(f"{mutant}: its tests ended before all had run; see build/mutate/mutant.log")
    seconds = round(time.monotonic() - began, 1)
    return Verdict(status, test, why, run, seconds, _stamp(status, test, budget))
