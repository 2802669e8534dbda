"""Export of the accelerator with its buses: Verilog, wrapper with macros, C header, SystemRDL, list of ports.

Files of an export:

- a `.sv` file for each module of the unit: `npu_axi.sv`, `npu_axi_host.sv`, `npu_axi_npu.sv`, ...
- `axi_chip.sv`: `spikeloom_axi_chip`, the unit `npu_axi` and one `crossbar_macro` per layer
- `spikeloom_registers.h`: the registers for C
- `registers.rdl`: the registers of this build in SystemRDL 2.0
- `ports.json`: the unit's ports, with direction, width and meaning
- `waivers.vlt`: Verilator waivers, each with its reason
"""

from __future__ import annotations

import json

from spikeloom.hw.export.c_header import c_header
from spikeloom.hw.export.lint_waivers import waivers
from spikeloom.hw.export.system_rdl import system_rdl
from spikeloom.hw.export.verilog import chip_text, export_component, macro_inputs, ports
from spikeloom.hw.feature_maps.stages import check_units
from spikeloom.hw.npu_axi import NpuAxi
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["AXI_CHIP_NAME", "AXI_UNIT_NAME", "export_axi"]

AXI_CHIP_NAME = "spikeloom_axi_chip"
AXI_UNIT_NAME = "npu_axi"

_CHANNELS = {
    "aw": "AXI4-Lite, address of a write",
    "w": "AXI4-Lite, data of a write",
    "b": "AXI4-Lite, response to a write",
    "ar": "AXI4-Lite, address of a read",
    "r": "AXI4-Lite, data and response of a read",
}
_PAYLOAD = ("addr", "prot", "valid", "ready", "data", "strb", "resp")
_MEANINGS = {
    "clk": "clock, rising edge",
    "rst": "synchronous reset, active high",
    **{f"s_axil_{channel}{name}": text for channel, text in _CHANNELS.items() for name in _PAYLOAD},
    "s_axis_pixels_tdata": "image frames: a word of the seed or of the image, byte 0 lowest",
    "s_axis_pixels_tlast": "the frame's last word",
    "s_axis_pixels_tuser": "tag of the image, with the frame's first word",
    "s_axis_pixels_tvalid": "a word is offered",
    "s_axis_pixels_tready": "a word is taken",
    "m_axis_result_tdata": "result frames: the answer, then counters where control.activity is set",
    "m_axis_result_tlast": "the frame's last word",
    "m_axis_result_tuser": "tag of the image",
    "m_axis_result_tvalid": "a word is offered; stays until it is taken",
    "m_axis_result_tready": "a word is taken",
    "irq": "interrupt, a level, see register control",
    "crossbar_reset": "soft reset of the crossbars' interfaces; their cells stay",
    "crossbar": "crossbar of one layer: drive, convert and program handshakes; inputs synchronous to clk",
}


def export_axi(parameters: NpuParameters) -> dict[str, str]:
    """All files of the export.

    Returns
    -------
    file name -> text; the same bytes in every run, on every machine
    """
    check_units(parameters)
    unit = NpuAxi(parameters=parameters)
    unit_ports = ports(unit, _MEANINGS)
    chip = chip_text(parameters, AXI_UNIT_NAME, unit_ports, AXI_CHIP_NAME, "rst | crossbar_reset")
    modules = {**export_component(unit, AXI_UNIT_NAME), "axi_chip.sv": chip}
    return {
        **modules,
        "spikeloom_registers.h": c_header(),
        "registers.rdl": system_rdl(parameters),
        "ports.json": json.dumps({"module": AXI_UNIT_NAME, "ports": unit_ports}, indent=1) + "\n",
        "waivers.vlt": waivers(modules, macro_inputs(parameters)),
    }
