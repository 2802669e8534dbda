"""Clock and size of a unit, placed and routed on a Lattice ECP5-85F by Yosys and nextpnr.

The unit has thousands of ports, which would be wires to other parts of a chip, and no package has so many pins. So
flip-flops stand around it: a shift register feeds all inputs, and every output ends in a flip-flop that is kept. They
add flip-flops, which are counted apart, and no look-up table.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.synthesis import unit
from spikeloom.hw.boards.ecp5 import ECP5
from spikeloom.hw.boards.placed import timing_of
from spikeloom.hw.boards.programs import nextpnr
from spikeloom.hw.export.processes import run
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.export.yosys import SynthesisError, run_yosys, write_sources

__all__ = ["DEVICE", "place", "placement", "ring"]

DEVICE = "ECP5-85F, speed grade 6, CABGA756"
_OPTIONS = ["--85k", "--speed", "6", "--package", "CABGA756", "--lpf-allow-unconstrained", "--timing-allow-fail"]
_KINDS = ("LUT4", "TRELLIS_FF", "TRELLIS_DPR16X4", "DP16KD", "CCU2C")

_PORTS = """\
read_verilog -sv {sources}
hierarchy -check -top npu
proc
write_json ports.json
"""
_MAP = """\
read_verilog -sv ring.sv {sources}
synth_ecp5 -top ring -json ring.json
tee -q -o cells.json stat -json
"""


def ring(ports: Mapping[str, Mapping[str, Any]]) -> tuple[str, int]:
    """A module `ring` with `npu` inside whose pins are a clock and the two ends of a shift register.

    Parameters
    ----------
    ports : name -> `direction` ("input" or "output") and `bits`, a sequence with an entry per bit, as in Yosys' JSON

    Returns
    -------
    Verilog, and the number of flip-flops around the unit
    """
    wires = {"input": 0, "output": 0}
    pins = [".clk(clk)"]
    for name, port in ports.items():
        if name != "clk":
            side = port["direction"]
            pins.append(f".{name}({side}s[{wires[side]} +: {len(port['bits'])}])")
            wires[side] += len(port["bits"])
    high_in, high_out = wires["input"] - 1, wires["output"] - 1
    text = f"""\
module ring(input clk, input d, output q);
  (* keep *) reg [{high_in}:0] inputs;
  (* keep *) reg [{high_out}:0] kept;
  wire [{high_out}:0] outputs;
  always @(posedge clk) begin
    inputs <= {{inputs, d}};
    kept <= outputs;
  end
  assign q = inputs[{high_in}];
  npu npu ({", ".join(pins)});
endmodule
"""
    return text, sum(wires.values())


def place(files: Mapping[str, str], *, clock_MHz: float = 100.0, seed: int = 1) -> dict[str, Any]:
    """Synthesise, place and route a unit.

    Parameters
    ----------
    files : file name -> text, as from `hw.export.verilog`
    clock_MHz : clock that placement works towards, MHz
    seed : of the placement; another one gives a clock some per cent higher or lower

    Returns
    -------
    number of cells by kind, without the flip-flops around the unit; `clock_MHz`, the highest clock; `path`, the
    components that the slowest path passes, in order; `path_cells`, the cells on it

    Raises
    ------
    SynthesisError : Yosys or nextpnr does not take the design
    """
    with tempfile.TemporaryDirectory(prefix="placement-") as name:
        folder = Path(name)
        names = write_sources(folder, files)
        run_yosys(folder, _PORTS.format(sources=names))
        text, around = ring(json.loads((folder / "ports.json").read_text())["modules"]["npu"]["ports"])
        (folder / "ring.sv").write_text(text, encoding="utf-8")
        run_yosys(folder, _MAP.format(sources=names))
        cells: dict[str, int] = json.loads((folder / "cells.json").read_text())["design"]["num_cells_by_type"]
        arguments = ["--json", "ring.json", "--freq", f"{clock_MHz:g}", "--seed", str(seed), "--report", "report.json"]
        ended = run([*nextpnr(ECP5).command, *_OPTIONS, "--quiet", *arguments], cwd=folder)
        if ended.returncode != 0:
            raise SynthesisError(f"nextpnr could not place the design: {(ended.stderr or ended.stdout).strip()[-500:]}")
        report = json.loads((folder / "report.json").read_text())
    found = {kind: cells.get(kind, 0) for kind in _KINDS}
    found["TRELLIS_FF"] -= around
    timing = timing_of(report, "npu")
    path = {"path": list(timing.path), "path_cells": timing.path_cells}
    return {**found, "clock_MHz": timing.highest_Hz / 1e6, **path}


def placement(sizes: tuple[int, ...], lanes: int, *, seeds: tuple[int, ...] = (1, 2, 3)) -> dict[str, Any]:
    """Cells of one unit, its highest clock with every seed, and the slowest path of the median one."""
    files = export_verilog(unit(sizes, lanes))
    start = time.perf_counter()
    found = sorted((place(files, seed=seed) for seed in seeds), key=lambda one: float(one["clock_MHz"]))
    median = found[len(found) // 2]
    return {
        "title": "-".join(map(str, sizes)),
        "lanes": lanes,
        "wall_s": (time.perf_counter() - start) / len(seeds),
        **median,
        "clocks_MHz": [one["clock_MHz"] for one in found],
    }
