"""The cache of simulator builds: what is kept, what goes, and who is asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sim.common.cache import cache_folder
from spikeloom.sim.common.lock import shared
from spikeloom.sim.cosim import simulator
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.cosim.simulator import MOST_BUILDS, Simulator
from spikeloom.sim.cosim.tools import SimulationError
from tests.fixtures.networks import random_chip

CHIP = random_chip(np.random.default_rng(3), sizes=[7, 3], encoder_lanes=3)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own."""
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    cache_folder("simulators").mkdir()
    return cache_folder("simulators")


@pytest.fixture
def library() -> list[Path]:
    """Of the ordinary cache the objects of Verilator's library, which take half of a build."""
    return list(cache_folder("simulators").glob("runtime-*"))


@pytest.fixture
def building(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builds that take no time; names of what was built."""
    built: list[str] = []

    def build(folder: Path, *_: Any) -> None:
        folder.mkdir()
        (folder / "bench").touch()
        built.append(folder.name)

    monkeypatch.setattr(simulator, "_build", build)
    return built


def old_build(cache: Path, number: int, age: int) -> Path:
    folder = cache / f"verilator-{number:020x}"
    folder.mkdir()
    for name in ("built", "bench"):
        (folder / name).touch()
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    return folder


def test_the_builds_taken_last_stay(cache: Path, building: list[str]) -> None:
    builds = [old_build(cache, number, age=number) for number in range(MOST_BUILDS + 2)]
    others = [cache / "runtime-5.48-2.1-0", cache / "verilator-mine", cache / ".verilator-0.lock"]
    for folder in others:
        folder.mkdir()
    chip = Simulator.build(CHIP)
    assert building == [chip.folder.name]
    assert [path.exists() for path in builds] == [True] * (MOST_BUILDS - 1) + [False] * 3
    assert all(folder.exists() for folder in others)
    assert len(list(cache.iterdir())) == MOST_BUILDS + len(others)


def test_a_build_that_is_taken_again_is_young(cache: Path, building: list[str]) -> None:
    chip = Simulator.build(CHIP)
    os.utime(chip.folder / "built", (1, 1))
    assert Simulator.build(CHIP) == chip and len(building) == 1
    old_build(cache, 1, age=0)
    simulator._forget_old(1)
    assert [path.name for path in cache.iterdir()] == [chip.folder.name]


def test_a_build_that_runs_or_is_being_made_stays(cache: Path) -> None:
    running, making, idle = (old_build(cache, number, age=number) for number in range(3))
    (making / "built").unlink()
    with shared(running / "built"), simulator._alone(making):
        simulator._forget_old(0)
        assert running.exists() and making.exists() and not idle.exists()
    simulator._forget_old(0)
    assert list(cache.iterdir()) == []


def test_a_build_that_is_gone_is_named(cache: Path, building: list[str], tmp_path: Path) -> None:
    chip = Simulator.build(CHIP)
    simulator._forget_old(0)
    with pytest.raises(SimulationError, match=r"^The simulator in .* has been removed; run again to build it$"):
        chip.run(tmp_path)


def test_another_environment_builds_its_own(cache: Path, building: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulator has the path of cocotb's libraries in it: with the one environment removed, it would not start."""
    here = Simulator.build(CHIP)
    monkeypatch.setattr("cocotb_tools.config.libs_dir", Path("/elsewhere"))
    assert Simulator.build(CHIP).folder != here.folder


def test_a_build_is_small(library: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources, log and program stay; objects and precompiled headers go. It runs, whatever WAVES says."""
    for objects in library:
        shutil.copytree(objects, cache / objects.name)
    monkeypatch.setenv("WAVES", "1")
    run_cosim(CHIP, np.zeros((1, 7), np.uint8))
    (folder,) = cache.glob("verilator-*")
    endings = {path.suffix for path in folder.iterdir()}
    assert endings == {"", ".sv", ".vlt", ".log"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5e6
    assert os.environ["WAVES"] == "1"


BENCH = """module bench (input wire clk);
    initial if ($test$plusargs("again") != 0) $finish;
endmodule
"""


def test_a_bench_of_any_text_is_built_once_and_kept(cache: Path, building: list[str]) -> None:
    texts = {"bench.sv": BENCH, "bench.vlt": ""}
    first = Simulator.of_texts(texts)
    assert Simulator.of_texts(texts) == first and len(building) == 1
    assert Simulator.of_texts({**texts, "other.sv": ""}).folder != first.folder


def test_the_command_of_a_run(cache: Path, building: list[str], tmp_path: Path) -> None:
    """It runs the program of the build in the job's folder, with the bench's module; nothing is run by asking."""
    chip = Simulator.of_texts({"bench.sv": BENCH, "bench.vlt": ""})
    before = dict(os.environ)
    words, environment = chip.command(tmp_path / "job", "spikeloom.sim.cosim.host.host_cocotb", ["+again"])
    assert words[0] == str(chip.folder / "bench") and "+again" in words
    assert (
        environment["COCOTB_TEST_MODULES"] == "spikeloom.sim.cosim.host.host_cocotb"
        and environment["OMP_NUM_THREADS"] == "1"
    )
    assert dict(os.environ) == before and list((tmp_path / "job").iterdir()) == []


def test_a_build_in_use_stays(cache: Path, building: list[str]) -> None:
    chip = Simulator.of_texts({"bench.sv": BENCH, "bench.vlt": ""})
    with chip.in_use():
        simulator._forget_old(0)
        assert chip.folder.exists()
    simulator._forget_old(0)
    assert not chip.folder.exists()
