"""A run that is stopped anywhere, and started again, ends with the bytes of one that was never stopped."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sim.chip.result import Result
from spikeloom.sim.cosim.options import CosimOptions
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.errors import FileError
from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.flow import Flow, Step
from spikeloom.sw.flow.steps import STEPS

ARTIFACTS = ("report/summary.json", "report/report.html", "convert/chip.loom", "verilog/files.json")


def verilog(chip: Any, images: Any, ids: Any, options: CosimOptions, **_: Any) -> Result:
    """The reference in the Verilog's place."""
    return replace(
        run_reference(chip, images, ids=ids, trace=options.trace), cycles=np.full(len(images), 100, np.int64)
    )


@pytest.fixture
def quick(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path_factory.getbasetemp() / "interrupted-cache"))
    monkeypatch.setattr("spikeloom.sim.cosim.run.run_cosim", verilog)
    monkeypatch.setattr("spikeloom.hw.export.synthesis.cell_counts", lambda files: {"npu": {"add": len(files)}})
    monkeypatch.setattr("spikeloom.sw.verify.chunks.CHUNK", 10)
    monkeypatch.setattr("spikeloom.sw.report.plots.overview.data_uri", lambda figure, kind="svg": "data:,")


def config() -> Config:
    return Config.load("tiny").updated({"cosim": {"images": 25, "trace_images": 2}})


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ARTIFACTS}


def interrupted(step: Step) -> Step:
    """The step, interrupted after its work and before its record is written."""

    def run(flow: Flow) -> Any:
        step.run(flow)
        raise KeyboardInterrupt

    return replace(step, run=run)


def without_space(step: Step) -> Step:
    """The step, on a disk that is full at its second file."""

    def run(flow: Flow) -> Any:
        real, left = os.replace, 1

        def rename(source: Any, target: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(source, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "replace", rename)
            step.run(flow)
        raise KeyboardInterrupt  # a step of one file is interrupted instead

    return replace(step, run=run)


@pytest.mark.usefixtures("quick")
def test_stopped_in_every_step_by_a_full_disk_and_by_ctrl_c(tmp_path: Path) -> None:
    Flow(config(), tmp_path / "whole", STEPS).run()
    for index, step in enumerate(STEPS):
        for stopped in (without_space(step), interrupted(step)):
            flow = Flow(config(), tmp_path / "stopped", (*STEPS[:index], stopped, *STEPS[index + 1 :]))
            with pytest.raises((KeyboardInterrupt, FileError)) as error:
                flow.run()
            assert error.type is KeyboardInterrupt or "there is no space left on the device" in str(error.value)
            assert not flow.current(step.name)
            assert not list((tmp_path / "stopped").rglob(".*"))  # neither half-written files nor a lock
    last = Flow(config(), tmp_path / "stopped", STEPS)
    last.run()
    assert last.skipped == [step.name for step in STEPS[:-1]] and last.done == ["report"]
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.usefixtures("quick")
def test_a_real_ctrl_c_ends_with_its_code_and_one_line(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from spikeloom.sw.cli.main import main; main()",
        "run",
        "tiny",
        "--to",
        "reference",
    ]
    root = Path(__file__).resolve().parents[3]
    env = {**os.environ, "PYTHONPATH": str(root)}
    for attempt in range(3):  # a signal that comes inside a library's callback can be lost
        place = tmp_path / str(attempt)
        place.mkdir()
        process, lines, rest = _interrupted_run(command, place, env)
        if process.returncode:
            break
    assert process.returncode == 130, lines + [rest]
    assert "Interrupted. Only finished steps and chunks are kept" in rest and "Traceback" not in rest
    done = subprocess.run([*command, "--json"], cwd=place, env=env, capture_output=True, text=True, check=True)
    assert '"skipped": [\n    "data"' in done.stdout and not (place / "build/tiny/.lock").exists()


def _interrupted_run(
    command: list[str], place: Path, env: dict[str, str]
) -> tuple[subprocess.Popen[bytes], list[str], str]:
    """The ended process, its lines until Ctrl-C, and the rest."""
    process = subprocess.Popen(
        command, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stderr is not None
    lines = []
    for raw in process.stderr:
        lines.append(raw.decode())
        if lines[-1].startswith("train:"):
            time.sleep(0.05)
            os.killpg(process.pid, signal.SIGINT)
            break
    return process, lines, process.communicate(timeout=60)[1].decode()
