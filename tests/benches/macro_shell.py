"""A bench of two macro shells of different timing, one of them with a single column and row tiles of one row."""

from __future__ import annotations

import numpy as np

from spikeloom.hw.params.parameters import Coding, LayerParameters
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from tests.fixtures.networks import random_chip

CYCLES = ((1, 1, 1), (2, 3, 7))
"""SETTLE_CYCLES, ADC_CYCLES and PROGRAM_CYCLES of the two macros."""


def shell_chip() -> ProgrammedChip:
    """The chip whose two layers the macros belong to."""
    device = Device(pulse_sigma=0.1, read_sigma=0.02, stuck_on=0.05, stuck_off=0.05)
    return random_chip(
        np.random.default_rng(0), sizes=[7, 5, 1], tile_rows=3, lanes=2, device=device, coding=Coding.EVEN, row_bits=1
    )


def _macro(index: int, p: LayerParameters) -> str:
    settle, adc, program = CYCLES[index]
    ports = {
        "program_cell": ("reg", 1),
        "program_pulse": ("reg", 1),
        "program_row": ("reg", max(1, (p.tile_rows - 1).bit_length())),
        "program_column": ("reg", max(1, (p.outputs - 1).bit_length())),
        "program_side": ("reg", 1),
        "program_tiles": ("reg", p.row_tiles),
        "program_up": ("reg", p.row_tiles),
        "program_amplitudes": ("reg", 8 * p.row_tiles),
        "program_done": ("wire", 1),
        "program_codes": ("wire", 10 * p.row_tiles),
    }
    lines = [f"  {kind} [{width - 1}:0] m{index}_{name};" for name, (kind, width) in ports.items()]
    values = {
        "LAYER": index, "ROWS": p.inputs, "TILE_ROWS": p.tile_rows, "ROW_TILES": p.row_tiles, "COLUMNS": p.outputs,
        "LANES": p.lanes, "GROUPS": p.groups, "GROUP_BITS": p.group_bits, "CODE_BITS": p.code_bits,
        "SETTLE_CYCLES": settle, "ADC_CYCLES": adc, "PROGRAM_CYCLES": program,
    }  # fmt: skip
    parameters = ", ".join(f".{name}({value})" for name, value in values.items())
    pins = "".join(f", .{name}(m{index}_{name})" for name in ports)
    idle = f".rows({p.inputs}'b0), .tiles({p.row_tiles}'b0), .drive(1'b0), .column({p.group_bits}'b0), .convert(1'b0)"
    open_pins = ".sampled(), .codes(), .over(), .done()"
    lines.append(f"  crossbar_macro #({parameters}) macro_{index} (.clk(clk), .rst(rst), {idle}, {open_pins}{pins});")
    return "\n".join(lines)


def bench_texts() -> dict[str, str]:
    """Module `bench`, and what Verilator must show to Python."""
    shapes = shell_chip().parameters.layers
    macros = [_macro(index, p) for index, p in enumerate(shapes)]
    text = "\n".join(["module bench (input clk, input rst);", *macros, "endmodule", ""])
    names = [word.split("]")[1].strip(" ;") for macro in macros for word in macro.splitlines()[:-1]]
    visible = [f'public_flat_rw -module "bench" -var "{name}"' for name in ("clk", "rst", *names)]
    return {"bench.sv": text, "bench.vlt": "\n".join(visible)}
