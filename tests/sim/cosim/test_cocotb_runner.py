"""What the program uses of cocotb's private interface: a release that changes it fails here, and says what."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cocotb_tools.runner import get_runner

from spikeloom.sim.cosim.cocotb_runner import command_of, runner_of

RELEASE = f"cocotb {version('cocotb')}"


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
@pytest.mark.parametrize(("method", "parameters"), [("_execute", 2), ("_execute_cmds", 3)])
def test_the_runner_still_executes_through_the_methods_that_are_replaced(
    simulator: str, method: str, parameters: int
) -> None:
    found = getattr(type(get_runner(simulator)), method, None)
    assert found is not None, f"{RELEASE} has no Runner.{method}: sim.cosim.cocotb_runner must find another way"
    taken = list(inspect.signature(found).parameters)[1:]
    assert len(taken) == parameters, f"{RELEASE} calls Runner.{method} with {taken}, not with {parameters} arguments"


def test_a_command_can_be_had_without_being_executed(tmp_path: Path) -> None:
    def use(runner: Any) -> None:
        runner.env = {"MINE": "yes"}
        runner._execute([["program", tmp_path / "a"]], tmp_path)

    command, environment = command_of("verilator", tmp_path, use)
    assert command == ["program", str(tmp_path / "a")] and environment["MINE"] == "yes"
    assert {"GPI_USERS", "PYGPI_PYTHON_BIN", "PYTHONPATH", "TMPDIR"} <= set(environment)
    with pytest.raises(AssertionError, match="did not execute anything"):
        command_of("verilator", tmp_path, lambda runner: None)


def test_programs_of_a_build_run_in_their_place_with_their_log(tmp_path: Path) -> None:
    runner = runner_of("verilator", tmp_path)
    runner.env, runner.log_file = {"MINE": "yes", "PATH": "/usr/bin:/bin"}, tmp_path / "log"
    runner._execute([["sh", "-c", "echo $MINE $PWD"]], cwd=tmp_path)
    assert (tmp_path / "log").read_text() == f"yes {tmp_path}\n"
    with pytest.raises(RuntimeError, match=r"^sh ended with code 3$"):
        runner._execute([["sh", "-c", "exit 3"]], cwd=tmp_path)
