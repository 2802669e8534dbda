"""A command that is ended from outside, at any moment: nothing runs on, and the next run makes good."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SIMULATORS

ROOT = Path(__file__).resolve().parents[3]
MARK = "SPIKELOOM_TEST_SESSION"
SIGNALS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}
"""Signals to the parent alone, and its exit codes."""
CONFIG = """
name = "killed"
[data]
set = "digits"
test_limit = 60
calibration_images = 100
[train]
hidden = [12]
epochs = 2
[coding]
input = "even"
[decision]
t_max = 8
[hardware]
lanes = 4
[cosim]
images = 0
trace_images = 4
"""


class Session:
    """A command in a folder, with a cache of simulators; its processes carry a mark in their environment."""

    def __init__(self, folder: Path, *words: str, cache: Path | None = None) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        settings = {MARK: self.mark, "PYTHONPATH": str(ROOT)}
        if cache is not None:
            settings["SPIKELOOM_CACHE"] = str(cache)
        self.command = [sys.executable, "-m", "spikeloom", *words]
        self.log = folder / f"{self.mark}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=folder,
                env={**os.environ, **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def running(self) -> dict[int, str]:
        """Processes of the session that are not zombies: number -> command line."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{MARK}={self.mark}".encode() in (place / "environ").read_bytes():
                    if (place / "stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX":
                        found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
        return found

    def wait_for(self, what: Callable[[str], bool], within_s: float = 120.0) -> None:
        """Wait until a process of the session has such a command line."""
        deadline = time.monotonic() + within_s
        while not any(what(line) for line in self.running().values()):
            assert self.process.poll() is None and time.monotonic() < deadline, self.output()
            time.sleep(0.02)

    def end(self, number: signal.Signals) -> int:
        """Send the parent alone a signal; returns its exit code. After 5 seconds nothing of the session runs."""
        self.process.send_signal(number)
        deadline = time.monotonic() + 5.0
        while (left := self.running()) and time.monotonic() < deadline:
            time.sleep(0.05)
            self.process.poll()
        assert not left, (left, self.output())
        return self.process.wait(1.0)

    def output(self) -> str:
        return self.log.read_text()


def builds(line: str) -> bool:
    return "cc1plus" in line


def simulates(line: str) -> bool:
    return "/bench " in line or line.startswith("vvp ")


def run(folder: Path, *words: str, cache: Path) -> dict:
    """A command that is left alone; what it prints with `--json`."""
    session = Session(folder, *words, "--json", cache=cache)
    assert session.process.wait(600) == 0, session.output()
    assert session.running() == {}
    text = session.output()
    return json.loads(text[text.index("{") :])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration and a run of it up to the chip."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "killed.toml").write_text(CONFIG)
    run(folder, "run", "killed.toml", "--to", "verilog", cache=folder / "cache")
    return folder


def ended(folder: Path, number: signal.Signals, moment: Callable[[str], bool], cache: Path) -> None:
    """A run that is ended at a moment: with its code, its sentence, and nothing left."""
    session = Session(folder, "run", "killed.toml", "--to", "cosim", cache=cache)
    session.wait_for(moment)
    assert session.end(number) == SIGNALS[number], session.output()
    said = session.output().splitlines()[-1]
    if number != signal.SIGKILL:
        what = "Interrupted." if number == signal.SIGINT else "Terminated (signal SIGTERM)."
        assert said == f"{what} Only finished steps and chunks are kept: run the same command again."


@pytest.mark.slow
def test_nothing_is_left_of_builds_and_of_simulations(prepared: Path) -> None:
    """Verilator, make and compilers; simulators: all end with the command, and the next run makes good."""
    cache, chunks = prepared / "cache", prepared / "build/killed/chunks"
    for number in SIGNALS:
        ended(prepared, number, builds, cache)
        assert not list((cache / "simulators").glob("*/built"))  # what is half built is not taken
    for number in SIGNALS:
        ended(prepared, number, lambda line: simulates(line) and bool(list(chunks.rglob("traced*"))), cache)
        assert [path.name for path in chunks.rglob("*.npz")] == ["traced_000000_000004.npz"]
    found = run(prepared, "run", "killed.toml", "--to", "cosim", cache=cache)
    assert found["skipped"] == ["data", "train", "convert", "reference", "verilog"] and found["done"] == ["cosim"]
    compared = json.loads((prepared / "build/killed/cosim/comparison.json").read_text())
    assert (compared["images"], compared["mismatches"]) == (60, 0)
    assert not list((prepared / "build/killed").rglob(".lock"))


@pytest.mark.slow
@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("through_bus", [False, True], ids=["ports", "bus"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_nothing_is_left_at_random_moments(
    number: signal.Signals, through_bus: bool, simulator: str, prepared: Path
) -> None:
    """From the first import to the last image, thirty times in all for the usual way to run. Every third time the
    simulator is not built yet.
    """
    words = ["cosim", "killed.toml", "--simulator", simulator] + ["--through-bus"] * through_bus
    cache = prepared / "cache"
    run(prepared, *words, cache=cache)
    start = time.monotonic()
    expected = run(prepared, *words, cache=cache)
    kept_s = time.monotonic() - start
    moments = random.Random(f"{number}{through_bus}{simulator}")
    trials = 10 if (simulator, through_bus) == ("verilator", False) else 3
    for trial in range(trials):
        fresh = trial % 3 == 0
        if fresh:
            shutil.rmtree(cache / "simulators", ignore_errors=True)
        session = Session(prepared, *words, cache=cache)
        time.sleep(moments.uniform(0.0, kept_s * (2.0 if fresh else 1.0)))
        if session.process.poll() is None:
            code = session.end(number)
            # Before the command begins, Python's own way to end; after its end, its own result.
            assert code in (SIGNALS[number], -number, 0), session.output()
    assert run(prepared, *words, cache=cache) == expected
