"""An exported folder as a user has it: copied into an empty place, its README's commands in a shell of few paths."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sim.tools import verilator_folder

TOOLS = ["/usr/local/bin", "/usr/bin", "/bin"]
"""Where compilers and Icarus are; not the environment of this process."""


def blocks(folder: Path) -> list[str]:
    """Text of every block of commands in the README, in order: Icarus, Verilator, lint."""
    return re.findall(r"^```sh\n(.*?)^```$", (folder / "README.md").read_text(), re.M | re.S)


def command(folder: Path, *words: str) -> str:
    """The one block that has all the words."""
    (text,) = [block for block in blocks(folder) if all(word in block for word in words)]
    return text


def shell(text: str, folder: Path, first: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run commands in the folder, without any variable of ours; `first` is a folder before those of the system."""
    icarus = shutil.which("iverilog")
    paths = [str(first)] * (first is not None) + TOOLS + [str(Path(icarus).parent)] * (icarus is not None)
    environment = {"PATH": os.pathsep.join(paths), "HOME": str(folder), "LANG": "C.UTF-8"}
    return subprocess.run(
        ["sh", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def active_environment() -> Path:
    """The folder that an active virtual environment puts on PATH: it has `verilator-cli`, and no `verilator`."""
    return Path(sys.executable).parent


def packaged_verilator() -> Path:
    """A folder with a command `verilator`, as a distribution installs it."""
    folder = verilator_folder()
    assert folder is not None
    return folder


def flipped(path: Path, line: int, bit: int) -> str:
    """Text of a file of hexadecimal numbers with one bit of one line the other way, bit 0 in the line's last digit."""
    lines = path.read_text().splitlines()
    digits = [place for place, letter in enumerate(lines[line]) if letter != "_"]
    place = digits[-1 - bit // 4]
    digit = int(lines[line][place], 16) ^ 1 << bit % 4
    lines[line] = f"{lines[line][:place]}{digit:x}{lines[line][place + 1 :]}"
    return "\n".join(lines) + "\n"
