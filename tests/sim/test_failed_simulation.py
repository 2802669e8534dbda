"""A simulation that fails sends the user to a log that is still there; one that is stopped leaves nothing."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest

from sim import cosim, simulator
from sim.tools import SimulationError
from tests.sw.synthetic import make_chip

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


def test_a_build_waits_for_another_and_leaves_no_lock(tmp_path: Path) -> None:
    with simulator._alone(tmp_path / "simulators/verilator-0"):
        assert len(list((tmp_path / "simulators").iterdir())) == 1
    assert list((tmp_path / "simulators").iterdir()) == []
