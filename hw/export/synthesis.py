"""Synthesis of an exported design by Yosys: the size of every module, and a netlist of gates.

Sizes are counts of word-level cells after elaboration and constant folding, each weighted with its width in bits: an
adder of 12 bits counts as 12 of `add`. That is a measure to compare designs and components with, not an area in a
technology. Mapping to gates is deliberately not part of it: at 128 lanes it takes many minutes, counting takes seconds.

Instances are counted, not modules: a module that eight instances share counts eight times, each under the place of the
instance. A memory is a part of the component that has it, whose wrapper has no line of its own.

The netlist is for small units. It has the modules and ports of the export, so that it can be simulated in its place.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikeloom.hw.export.writer.layout import TIMESCALE
from spikeloom.hw.export.yosys import WITHOUT_WRAPPERS, SynthesisError, run_yosys, write_sources

__all__ = ["SynthesisError", "cell_counts", "netlist", "total_counts"]

_COUNT = """\
read_verilog -sv {sources}
hierarchy -check -auto-top
proc -noopt
{wrappers}
opt_expr
opt_clean
uniquify
tee -q -o result stat -width -json
"""

# Memories become flip-flops, flip-flops plain ones with gates for reset and enable. Nothing else may be left.
_MAP = """\
read_verilog -sv {sources}
hierarchy -check -top {top}
proc
{wrappers}
synth -top {top} -noabc
dfflegalize -cell $_DFF_P_ 01
abc
splitnets
opt_clean -purge
check -assert
select -assert-none t:$* t:$_* %d
select -assert-none t:$_* t:$_DFF_P_ t:$_NOT_ t:$_AND_ t:$_NAND_ t:$_OR_ t:$_NOR_ t:$_XOR_ t:$_XNOR_ t:$_ANDNOT_ \
t:$_ORNOT_ t:$_MUX_ %u %u %u %u %u %u %u %u %u %u %d
write_verilog -noattr result
"""

_MODULE = re.compile(r"^module (\w+)\(.*?^endmodule\n", re.M | re.S)
_COMMENT = re.compile(r"(?://.*\n)*")
_MEMORY_PORTS = re.compile(r"mem(rd|wr|init)?(_v2)?$")


def _module_counts(statistics: Mapping[str, Any]) -> dict[str, int]:
    """Bits by kind of cell of one module, without those of the modules inside it."""
    counts: Counter[str] = Counter()
    for name, number in statistics["num_cells_by_type"].items():
        cell = re.fullmatch(r"\$(\w+?)((?:_\d+)*)", name)
        if cell and not _MEMORY_PORTS.match(cell[1]):
            counts[cell[1]] += math.prod(int(width) for width in cell[2].split("_")[1:]) * number
    if statistics["num_memory_bits"]:
        counts["memory"] = statistics["num_memory_bits"]
    return dict(sorted(counts.items()))


def _yosys(files: Mapping[str, str], script: str) -> str:
    """Run a script, which writes the file `result`, over the unit's sources; returns what it wrote."""
    with tempfile.TemporaryDirectory(prefix="synthesis-") as folder:
        sources = write_sources(Path(folder), files)
        run_yosys(Path(folder), script.replace("{sources}", sources).replace("{wrappers}", WITHOUT_WRAPPERS))
        return Path(folder, "result").read_text(encoding="utf-8")


def cell_counts(files: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Size of every component.

    Parameters
    ----------
    files : file name -> text, as from `hw.export.verilog`; only `.sv` files are read, without `chip.sv` or
        `axi_chip.sv`

    Returns
    -------
    instance, by its place with `_` between the names (`npu_layer_0_spikes`), the unit's first -> {kind of cell: bits};
    kinds are Yosys' word-level cells (`add`, `mux`, `dff`, `eq`, ...) and `memory`. Counts are those of the component
    and its memories, without those of the components inside it.

    Raises
    ------
    SynthesisError : a source is broken or a module is missing
    """
    statistics = json.loads(_yosys(files, _COUNT))
    modules = {name.removeprefix("\\"): _module_counts(module) for name, module in statistics["modules"].items()}
    inside = {name.partition(".")[0] for name in modules if "." in name}
    places = {name: found for name, found in modules.items() if "." in name or name in inside or len(modules) == 1}
    return {name.replace(".", "_"): found for name, found in sorted(places.items())}


def total_counts(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Counts of the whole design: the sum over all instances."""
    total: Counter[str] = Counter()
    for module in counts.values():
        total.update(module)
    return dict(sorted(total.items()))


def netlist(files: Mapping[str, str], top: str = "npu") -> dict[str, str]:
    """Map the unit to gates, module by module, memories to flip-flops: for small units, some seconds per 10,000 gates.

    Parameters
    ----------
    files : file name -> text, as from `hw.export.verilog`; only `.sv` files are read, without `chip.sv` or
        `axi_chip.sv`
    top : name of the unit's module

    Returns
    -------
    file name -> text, one file per module but for memories' wrappers, whose flip-flops are in the module around them,
    with the names and ports of the export: `{**files, **netlist(files)}` is the export with gates inside. Cells are
    NOT, AND, NAND, OR, NOR, XOR, XNOR, AND and OR with one input inverted, 2-to-1 multiplexers, each an `assign` of one
    bit, and D flip-flops, each an `always @(posedge clk)` of one bit.

    Raises
    ------
    SynthesisError : a source is broken, a module is missing, or something cannot be mapped
    """
    text = _yosys(files, _MAP.replace("{top}", top))
    modules = {}
    for match in _MODULE.finditer(text):
        name = f"{match[1]}.sv"
        comment = _COMMENT.match(files.get(name, ""))
        modules[name] = f"{comment[0] if comment else ''}// Netlist of gates.\n{TIMESCALE}{match[0]}"
    return modules
