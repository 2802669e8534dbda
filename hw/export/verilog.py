"""Export of the accelerator as readable SystemVerilog, with a wrapper that adds the crossbar macros.

Files of an export:

- a `.sv` file for each module of the unit, named like the module: `npu.sv`, `npu_layer_0_dac_driver.sv`, ...
- `chip.sv`: `spikeloom_chip`, the unit and one `crossbar_macro` per layer
- `ports.json`: the unit's ports, with direction, width and meaning
- `waivers.vlt`: Verilator waivers, each with its reason
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amaranth.hdl import Const, Shape, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.lint_waivers import waivers
from spikeloom.hw.export.writer.layout import TIMESCALE
from spikeloom.hw.export.writer.unit import unit_files
from spikeloom.hw.feature_maps.stages import check_units
from spikeloom.hw.interfaces.crossbar_port import CrossbarSignature, MacroSignature
from spikeloom.hw.npu import Npu
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

__all__ = [
    "CHIP_NAME",
    "MACRO_NAME",
    "chip_text",
    "export_component",
    "export_verilog",
    "macro_inputs",
    "no_collector",
    "ports",
    "write_folder",
]

Port = dict[str, Any]
"""What `ports.json` says of a port, see `ports`."""

CHIP_NAME = "spikeloom_chip"
MACRO_NAME = "crossbar_macro"

_MEANINGS = {
    "clk": "clock, rising edge",
    "rst": "synchronous reset, active high",
    "pixels": "stream, image words of encoder_lanes pixels, pixel 0 lowest; ready unless two whole images are held",
    "seed": "seed of the rate coding's random source, taken with an image's first word",
    "tag": "number to tell images apart, taken with an image's first word",
    "drop": "forget the image whose words are still coming; it gives no result",
    "load": "stream, register writes: address bits 23..0, data bits 55..24; ready only while no image is held",
    "result": "stream, the answer: class, steps, margin to the second class, reason (0 step limit, 1 rule)",
    "result_tag": "tag of the image whose answer result is",
    "cycles": "clock cycles from the later of the image's first pixel word and the result before to the result",
    "gap": "clock cycles from the result before (or reset) to the image's first vector, 0 if one follows the other",
    "overflow": "bit l: a membrane of layer l has saturated; sticky until register clear_flags is written",
    "program": "settings of programming, shared by the layers: window, tries, smallest and largest amplitude",
    "programmer": "programming of one layer's cells: targets, results, start, busy, counts",
    "activity": "activity of one layer in the current image; valid with result__valid; saturating",
    "crossbar": "crossbar of one layer: drive, convert and program handshakes; inputs synchronous to clk",
}


@contextmanager
def no_collector() -> Iterator[None]:
    """Elaboration makes millions of small objects that live to its end: looking for garbage meanwhile costs a third."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def export_component(component: Component, name: str) -> dict[str, str]:
    """Verilog of a component and all inside it: file name -> text; no paths, the same every run.

    A file has one module, which all instances of the same text share; inner ones come first, and the component's own,
    which is called `name`, is the last. Its ports are clk, rst (where it is clocked) and the members of the component's
    signature, in that order and by these names.

    Raises
    ------
    ValueError : the component does what the text has no words for, see `hw.export.writer.unit.unit_files`
    """
    with no_collector():
        return unit_files(component, name)


def _fields(shape: object) -> list[Port]:
    """Fields of a struct port: name, lowest bit, width, signed; array fields also have a length."""
    if not isinstance(shape, data.StructLayout):
        return []
    fields = []
    for key, field in shape:
        inner = field.shape
        entry = {"name": str(key), "low_bit": field.offset, "width": field.width}
        if isinstance(inner, data.ArrayLayout):
            entry |= {"length": inner.length}
            inner = inner.elem_shape
        fields.append(entry | {"signed": bool(Const(0, inner).shape().signed)})
    return fields


def ports(component: Component, meanings: Mapping[str, str] = _MEANINGS) -> list[Port]:
    """Ports of a component as they appear in its Verilog module, in the order of the signature.

    `meanings` has a sentence for `clk`, `rst` and every member's name, without the number of a layer at its end.

    Returns
    -------
    list of {"name", "direction" (input | output), "width", "meaning", and "fields" for a structured payload}
    """
    found = [{"name": name, "direction": "input", "width": 1, "meaning": meanings[name]} for name in ("clk", "rst")]
    for path, member, value in component.signature.flatten(component):
        entry: dict[str, Any] = {
            "name": "__".join(map(str, path)),
            "direction": "input" if member.flow == In else "output",
            "width": len(Value.cast(value)),
            "meaning": meanings[re.sub(r"_\d+$", "", str(path[0]))],
        }
        fields = _fields(member.shape)
        found.append(entry | ({"fields": fields} if fields else {}))
    return found


def macro_inputs(parameters: NpuParameters) -> frozenset[str]:
    """Names of the crossbar macro's inputs."""
    members = MacroSignature(parameters.layers[0]).members
    return frozenset(["clk", "rst", *(name for name, member in members.items() if member.flow == Out)])


def _macro(index: int, layer: LayerParameters, reset: str) -> str:
    """Instance of the macro of one layer. Where the unit has no programmers, that side's inputs are 0."""
    values = {
        "LAYER": index,
        "ROWS": layer.inputs,
        "ROW_BITS": layer.row_bits,
        "TILE_ROWS": layer.tile_rows,
        "ROW_TILES": layer.row_tiles,
        "COLUMNS": layer.outputs,
        "LANES": layer.lanes,
        "GROUPS": layer.groups,
        "GROUP_BITS": layer.group_bits,
        "ADC_BITS": layer.adc_bits,
        "CODE_BITS": layer.code_bits,
        "GAIN_SHIFT": f"GAIN_SHIFT_{index}",
        "SETTLE_CYCLES": "SETTLE_CYCLES",
        "ADC_CYCLES": "ADC_CYCLES",
        "PROGRAM_CYCLES": "PROGRAM_CYCLES",
        "LEVELS_P": f"LEVELS_P_{index}",
        "LEVELS_N": f"LEVELS_N_{index}",
    }
    used = CrossbarSignature(layer).members
    connections, lines = [".clk(clk)", f".rst({reset})"], ""
    for pin, member in MacroSignature(layer).members.items():
        bits, signal = Shape.cast(member.shape).width, f"crossbar_{index}__{pin}"
        if pin not in used and member.flow == Out:
            signal = f"{bits}'d0"
        elif pin not in used:
            lines += f"  wire {f'[{bits - 1}:0] ' if bits > 1 else ''}{signal};\n"
        connections.append(f".{pin}({signal})")
    parameters = ",\n".join(f"    .{key}({value})" for key, value in values.items())
    return (
        f"{lines}  {MACRO_NAME} #(\n{parameters}\n  ) macro_{index} (\n    " + ",\n    ".join(connections) + "\n  );\n"
    )


def chip_text(
    parameters: NpuParameters, name: str, npu_ports: list[Port], chip: str = CHIP_NAME, reset: str = "rst"
) -> str:
    """The wrapper: the unit's ports but for the crossbars', which it joins to the macros, and those of programming.

    Parameters
    ----------
    parameters : NpuParameters
    name, npu_ports : module of the unit, and its ports (see `ports`)
    chip : name of the wrapper's module
    reset : what resets the macros, in Verilog
    """
    programming = [p for p in npu_ports if p["name"].startswith("program")]
    inside = [p for p in npu_ports if p["name"].startswith("crossbar_")] + programming
    outside = [p for p in npu_ports if p not in inside]

    def bits(port: Port) -> str:
        return f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""

    settings = ["  parameter SETTLE_CYCLES = 1", "  parameter ADC_CYCLES = 1", "  parameter PROGRAM_CYCLES = 10"]
    for index in range(len(parameters.layers)):
        settings.append(f"  parameter GAIN_SHIFT_{index} = 0")
        settings += [f'  parameter LEVELS_{side}_{index} = "layer_{index}_{side.lower()}.hex"' for side in "PN"]
    lines = [
        "// The unit and its crossbars. The parameters are for the macros: GAIN_SHIFT_l must equal layer l's register",
        "// `gain`; cycles and level files matter to simulation models only.",
        *(["// Cells are not programmed here."] if programming else []),
        f"{TIMESCALE}module {chip} #(",
        ",\n".join(settings),
        ") (",
        ",\n".join(f"    {p['direction']:6} wire {bits(p)}{p['name']}" for p in outside),
        ");",
        *(f"  wire {bits(p)}{p['name']};" for p in inside),
        *(f"  assign {p['name']} = 0;" for p in programming if p["direction"] == "input"),
        f"  {name} {name} (",
        ",\n".join(f"    .{p['name']}({p['name']})" for p in npu_ports),
        "  );",
        *(_macro(index, layer, reset) for index, layer in enumerate(parameters.layers)),
    ]
    return "\n".join(lines) + "endmodule\n"


def export_verilog(parameters: NpuParameters, name: str = "npu") -> dict[str, str]:
    """All files of the unit's export.

    Parameters
    ----------
    parameters : NpuParameters
    name : name of the unit's module and prefix of those inside it, [a-z][a-z0-9_]*

    Returns
    -------
    file name -> text; the same bytes in every run, on every machine

    Raises
    ------
    ValueError : a name that is not a plain identifier, or that a macro or the wrapper has
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in (CHIP_NAME, MACRO_NAME):
        raise SpikeLoomError(f"Name of the exported unit must consist of a-z, 0-9 and _, and be its own, not {name!r}")
    check_units(parameters)
    npu = Npu(parameters=parameters)
    npu_ports = ports(npu)
    modules = {**export_component(npu, name), "chip.sv": chip_text(parameters, name, npu_ports)}
    return {
        **modules,
        "ports.json": json.dumps({"module": name, "ports": npu_ports}, indent=1) + "\n",
        "waivers.vlt": waivers(modules, macro_inputs(parameters)),
    }


def write_folder(path: str | os.PathLike[str], files: Mapping[str, str]) -> None:
    """Write an export whole or not at all: into a temporary folder beside `path`, then renamed to it.

    An existing folder is replaced.

    Raises
    ------
    FileExistsError : `path` exists and is not a folder
    """
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise FileExistsError(f"Export folder {target.name} is there already and is not a folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        fresh = temporary / "new"
        fresh.mkdir()
        for name, text in files.items():
            (fresh / name).write_text(text, encoding="utf-8", newline="\n")
        if target.exists():
            target.rename(temporary / "old")
        fresh.rename(target)
    except BaseException:
        if (temporary / "old").exists() and not target.exists():
            (temporary / "old").rename(target)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
