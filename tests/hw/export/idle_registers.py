"""Registers of exported modules that could go: they are always what a reset makes them, or nothing reads them.

Every module is looked at by itself: its inputs may be anything. Yosys starts it in the state after a reset, which does
not come again, and a SAT solver finds the bits that keep their values. Of a register that is needed, single bits may be
idle: those of numbers that never get so large.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikeloom.hw.export.yosys import run_yosys, write_sources

__all__ = ["idle_registers"]

_PROCESS = re.compile(r"^( *)always_ff @\(posedge clk\) begin\n +if \(rst\) begin\n((?: +[^\n]+ <= [^\n]+;\n)+)", re.M)
_RESET = re.compile(r"(\S+) <= (.+);")
_SCRIPT = """\
read_verilog -sv {sources}
hierarchy
proc
write_json before.json
{rounds}
write_json after.json
"""
_ROUND = "opt_expr\nopt_dff -sat\nopt_clean\n"
"""Finds bits that are the same whatever the others are; what depends on such a bit is found in the next round."""


def idle_registers(files: Mapping[str, str], folder: Path) -> list[str]:
    """Registers of an export that are not needed, as `module.register is constant` or `... is not read`.

    Parameters
    ----------
    files : file name -> text, as from `hw.export.verilog`
    folder : for what Yosys reads and writes
    """
    sources = write_sources(folder, {name: _PROCESS.sub(_started, text) for name, text in files.items()})
    run_yosys(folder, _SCRIPT.format(sources=sources, rounds=_ROUND * 3))
    before, after = (json.loads((folder / name).read_text())["modules"] for name in ("before.json", "after.json"))
    found = []
    for name, module in before.items():
        if not name.startswith("$"):
            found += [f"{name}.{said}" for said in _idle(module, after[name])]
    return found


def _started(match: re.Match[str]) -> str:
    """A process that begins after the reset."""
    starts = "".join(f"{match[1]}initial {name} = {value};\n" for name, value in _RESET.findall(match[2]))
    return starts + match[0].replace("if (rst) begin", "if (1'b0) begin")


def _registers(module: Mapping[str, Any]) -> set[int]:
    """Bits that flip-flops give."""
    return {
        bit
        for cell in module["cells"].values()
        if cell["type"].endswith(("dff", "dffe", "sdff", "sdffe", "sdffce"))
        for bit in cell["connections"]["Q"]
    }


def _idle(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    clocked = _registers(before)
    driven = {
        bit
        for cell in after["cells"].values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for bit in bits
    }
    said = []
    for name, net in before["netnames"].items():
        if net["hide_name"] or not clocked.issuperset(net["bits"]):
            continue
        now = after["netnames"].get(name, {"bits": ()})["bits"]
        if all(bit in ("0", "1") for bit in now):
            said.append(f"{name} is constant" if now else f"{name} is not read")
        elif not driven.intersection(now):
            said.append(f"{name} is not read")
    return said
