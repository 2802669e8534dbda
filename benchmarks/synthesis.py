"""Time and size of synthesis by Yosys: generic counts as a run has them, and look-up tables of an FPGA."""

from __future__ import annotations

import itertools
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spikeloom.hw.export.synthesis import cell_counts
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.export.yosys import run_yosys, write_sources
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters, Reset

__all__ = ["SIZES", "synthesis", "unit"]

SIZES: tuple[tuple[tuple[int, ...], int], ...] = (((64, 20, 10), 4), ((64, 128, 64, 10), 8), ((784, 128, 10), 16))
"""Neurons of each layer, and lanes."""

_FPGA = """\
read_verilog -sv {sources}
synth_ecp5 -top npu
tee -q -o fpga.json stat -json
"""


def unit(sizes: tuple[int, ...], lanes: int) -> NpuParameters:
    """A unit of dense layers whose widths are those of the examples, with what those use: even coding, no leak, no
    clip, theta subtracted after a spike.
    """
    layers = tuple(
        LayerParameters(
            inputs=a,
            outputs=b,
            lanes=min(lanes, b),
            max_gain_shift=3,
            max_theta=31,
            max_bias=63,
            max_steps=20,
            leak=False,
            clip=False,
            resets=(Reset.SUBTRACT,),
        )
        for a, b in itertools.pairwise(sizes)
    )
    return NpuParameters(layers=layers, max_steps=20, encoder_lanes=16, codings=(Coding.EVEN,))


def _processor_s(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` returns, its processor time with that of the programs that it runs, and the time on the clock."""

    def used() -> float:
        who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, who))

    before, start = used(), time.perf_counter()
    found = work()
    return found, used() - before, time.perf_counter() - start


def _ecp5(files: dict[str, str]) -> dict[str, int]:
    """Cells of Lattice's ECP5 by kind; the hierarchy is flattened, as for a bitstream."""
    with tempfile.TemporaryDirectory() as name:
        run_yosys(Path(name), _FPGA.format(sources=write_sources(Path(name), files)))
        cells: dict[str, int] = json.loads(Path(name, "fpga.json").read_text())["design"]["num_cells_by_type"]
        return cells


def synthesis(sizes: tuple[int, ...], lanes: int) -> dict[str, Any]:
    """Times and cells of one unit."""
    files = export_verilog(unit(sizes, lanes))
    _, counting, _ = _processor_s(lambda: cell_counts(files))
    cells, mapping, wall = _processor_s(lambda: _ecp5(files))
    return {
        "title": "-".join(map(str, sizes)),
        "lanes": lanes,
        "count_s": counting,
        "ecp5_s": mapping,
        "ecp5_wall_s": wall,
        **{kind: cells.get(kind, 0) for kind in ("LUT4", "TRELLIS_FF", "TRELLIS_DPR16X4", "DP16KD", "CCU2C")},
    }
