"""cocotb's runner as used by this program: the only place that uses cocotb's internals.

The runner makes the commands; here they are executed so that they end with this process, see no path that a tool does
not take, and can be had without being executed. Of cocotb's private interface that needs `Runner._execute`, called with
the commands and where they run, and `Runner._execute_cmds`, called with these and the file of the log. Which release
changes them, `tests/sim/cosim/test_cocotb_runner.py` says.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spikeloom.hw.export.processes import run as run_program
from spikeloom.sim.common.plain_paths import plain_path, plain_temporary, plain_words
from spikeloom.sim.cosim.tools import SimulationError

__all__ = ["command_of", "libraries", "runner_of"]


def runner_of(simulator: str, folder: Path, stop: threading.Event | None = None) -> Any:
    """cocotb's runner for a build in a folder.

    simulator : "verilator" or "icarus"
    stop : ends the program that runs, once it is set

    Its `build` and `test` raise `RuntimeError`, or `SystemExit`, where a program fails.
    """
    runner = _runner(simulator)
    runner._execute_cmds = functools.partial(_execute, runner, folder, stop)
    return runner


def command_of(simulator: str, folder: Path, use: Callable[[Any], None]) -> tuple[list[str], dict[str, str]]:
    """Command and environment that a runner would execute; `use` is told the runner, and calls its `test`."""
    runner = _runner(simulator)
    runner._execute = _catch
    try:
        use(runner)
    except _Caught as caught:
        return plain_words(caught.command, [folder, *_roots()]), _plain_environment(runner.env)
    raise AssertionError("the runner did not execute anything")


def libraries() -> Path:
    """Folder of cocotb's libraries, which a build is linked with."""
    from cocotb_tools import config

    return Path(config.libs_dir)


def _runner(simulator: str) -> Any:
    from cocotb_tools.runner import get_runner

    runner = get_runner(simulator)
    runner.log.setLevel(logging.WARNING)
    return runner


class _Caught(Exception):
    """Leaves cocotb's runner with the command that it was about to execute."""

    def __init__(self, command: Sequence[object]) -> None:
        super().__init__()
        self.command = command


def _catch(commands: Sequence[Sequence[object]], cwd: object) -> None:
    (command,) = commands
    raise _Caught(command)


def _execute(
    runner: Any,
    folder: Path,
    stop: threading.Event | None,
    commands: Sequence[Sequence[object]],
    cwd: os.PathLike[str],
    stdout: Any = None,
) -> None:
    """In the place of the runner's own: the programs end with this process, and see plain paths only."""
    for command in commands:
        words = plain_words(command, [folder, *_roots()])
        done = run_program(words, cwd=cwd, env=_plain_environment(runner.env), output=stdout, stop=stop)
        if done.returncode != 0:
            raise RuntimeError(f"{Path(words[0]).name} ended with code {done.returncode}")


def _roots() -> list[Path]:
    """Folders of the environment that are passed to the tools."""
    from cocotb_tools import config

    return [Path(root) for root in (config.base_cocotb_dir, config.libs_dir, config.share_dir)]


def _plain_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which lists of paths have no other separators than they should, and programs plain paths."""
    values = dict(environment)
    python, (library, _, function) = _gpi_users()
    values["GPI_USERS"] = f"{plain_path(python)};{plain_path(library)},{function}"
    values["PYGPI_PYTHON_BIN"] = str(plain_path(Path(sys.executable)))
    values["PYTHONPATH"] = os.pathsep.join(str(plain_path(path)) if os.pathsep in path else path for path in sys.path)
    values["TMPDIR"] = str(plain_temporary())
    return values


@functools.cache
def _gpi_users() -> tuple[str, tuple[str, str, str]]:
    """What cocotb is to load: Python's library; and its own, a comma, and the function to call."""
    import find_libpython
    from cocotb_tools import config

    python = os.environ.get("LIBPYTHON_LOC") or find_libpython.find_libpython()
    if python is None:
        raise SimulationError(
            f"cocotb needs Python as a shared library, and there is none for '{sys.executable}': install it (Debian: "
            "apt-get install libpython3-dev), or use another Python"
        )
    return python, config.pygpi_entry_point().rpartition(",")
