"""A simulation that fails sends the user to a log that is still there; one that is stopped leaves nothing."""

import re
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from spikeloom.sim.cosim import run as cosim
from spikeloom.sim.cosim import simulator
from spikeloom.sim.cosim.tools import SimulationError
from tests.fixtures.synthetic import make_chip

IMAGES = np.zeros((2, 64), np.uint8)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files, and a simulator that needs no building."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    chip = simulator.Simulator("verilator", tmp_path / "build", False)
    monkeypatch.setattr(simulator.Simulator, "build", classmethod(lambda cls, *_, **__: chip))
    return tmp_path


def failing(monkeypatch: pytest.MonkeyPatch, problem: type[BaseException]) -> None:
    def run(self: simulator.Simulator, job: Path, **_: object) -> None:
        (job / "simulation.log").write_text("why")
        raise problem(f"The simulation failed; its log is {job / 'simulation.log'}")

    monkeypatch.setattr(simulator.Simulator, "run", run)


def test_the_log_that_is_named_is_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, SimulationError)
    with pytest.raises(SimulationError) as error:
        cosim.run_cosim(make_chip(), IMAGES)
    found = re.search(r"its log is (.*)$", str(error.value))
    assert found is not None and Path(found[1]).read_text() == "why"


@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError])
def test_what_was_stopped_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch, problem: type[BaseException]
) -> None:
    failing(monkeypatch, problem)
    with pytest.raises(problem):
        cosim.run_cosim(make_chip(), IMAGES)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError])
def test_what_ends_one_simulator_ends_the_others(
    place: Path, monkeypatch: pytest.MonkeyPatch, problem: type[BaseException]
) -> None:
    """At once: they would else run on for hours at full load."""
    stopped: list[bool] = []

    def run(self: simulator.Simulator, job: Path, stop: threading.Event, **_: object) -> None:
        if job.name == "job_0":
            raise problem
        stopped.append(stop.wait(60))

    monkeypatch.setattr(simulator.Simulator, "run", run)
    with pytest.raises(problem):
        cosim.run_cosim(make_chip(), np.zeros((48, 64), np.uint8), workers=3)
    assert stopped == [True, True] and list(place.iterdir()) == []


def test_a_build_waits_for_another_and_leaves_no_lock(tmp_path: Path) -> None:
    with simulator._alone(tmp_path / "simulators/verilator-0"):
        assert len(list((tmp_path / "simulators").iterdir())) == 1
    assert list((tmp_path / "simulators").iterdir()) == []


def test_waiting_never_looks_for_a_worker_that_has_just_ended(tmp_path: Path) -> None:
    """The last worker may end between any two looks at it."""

    class Ending(Future):
        looks = 0

        def done(self) -> bool:
            self.looks += 1
            if self.looks == 2:
                self.set_result(None)
            return super().done()

    future = Ending()
    threading.Timer(0.2, lambda: future.done() or future.done()).start()
    cosim._wait([future], [tmp_path], 1, None)


def test_the_first_failure_does_not_wait_for_slower_workers(tmp_path: Path) -> None:
    slow: Future[None] = Future()
    failed: Future[None] = Future()
    failed.set_exception(SimulationError("broken"))
    timer = threading.Timer(20, slow.set_result, [None])
    timer.start()
    with pytest.raises(SimulationError, match=r"^broken$"):
        cosim._wait([slow, failed], [tmp_path], 1, None)
    assert timer.is_alive()
    timer.cancel()
