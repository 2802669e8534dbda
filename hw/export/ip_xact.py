"""An exported unit as an IP-XACT component (IEEE 1685-2014), for tools that assemble systems from such descriptions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as Xml

from spikeloom.hw.host.register_map import (
    LAYER_BLOCKS,
    LAYER_STRIDE,
    MAP_VERSION,
    HostRegister,
    MapEntry,
    RegisterBlock,
    host_map,
)
from spikeloom.hw.interfaces.registers import Register
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

__all__ = ["ip_xact"]

_NAMESPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"
_VENDOR, _LIBRARY = "spikeloom", "accelerators"
_AMBA = {"vendor": "amba.com", "library": "AMBA4"}
# Prefix of ports -> name of the bus and its version in Arm's library of definitions, and whether the unit is a slave.
_BUSES = {
    "s_axil_": ("AXI4-Lite", "r0p0_0", True),
    "s_axis_pixels_": ("AXI4Stream", "r0p0_1", True),
    "m_axis_result_": ("AXI4Stream", "r0p0_1", False),
}
_STREAMS = {"pixels": ("TDATA", True), "load": ("TDATA", True), "result": ("TUSER", False)}
"""Streams of the unit without buses, as AXI4-Stream: what the payload is there, and whether the unit is a slave. The
answer is no whole number of bytes, as TDATA must be."""
_MAP, _SOURCES = "registers", "sources"
_FILE_TYPES = {".sv": "systemVerilogSource", ".v": "verilogSource", ".sdc": "SDC", ".h": "cSource"}
_ACCESS = {"ro": "read-only", "rw": "read-write", "w1c": "read-write", "wo": "write-only"}


def _add(parent: Xml.Element, tag: str, text: object = None, **attributes: str) -> Xml.Element:
    element = Xml.SubElement(parent, f"{{{_NAMESPACE}}}{tag}", attributes)
    if text is not None:
        element.text = str(text)
    return element


def _hex(number: int) -> str:
    return f"'h{number:x}"


def _buses(component: Xml.Element, ports: Sequence[Mapping[str, Any]]) -> None:
    """Bus interfaces for the ports of standard buses; `rst` is no part of them, since theirs is active low."""
    parent = Xml.Element(f"{{{_NAMESPACE}}}busInterfaces")
    names = [port["name"] for port in ports]
    for prefix, (bus, version, slave) in _BUSES.items():
        pairs = [(name.removeprefix(prefix).upper(), name) for name in names if name.startswith(prefix)]
        if pairs:
            _bus(parent, prefix.rstrip("_"), bus, version, slave, pairs)
    for stream, (payload, slave) in _STREAMS.items():
        logical = {f"{stream}__payload": payload, f"{stream}__valid": "TVALID", f"{stream}__ready": "TREADY"}
        pairs = [(logical[name], name) for name in names if name in logical]
        if pairs:
            _bus(parent, stream, "AXI4Stream", "r0p0_1", slave, pairs)
    if len(parent):
        component.append(parent)


def _bus(
    parent: Xml.Element, title: str, bus: str, version: str, slave: bool, pairs: Sequence[tuple[str, str]]
) -> None:
    """A bus interface; `pairs` are names of the bus's signals, with those of the ports."""
    interface = _add(parent, "busInterface")
    _add(interface, "name", title)
    _add(interface, "busType", **_AMBA, name=bus, version=version)
    kind = _add(_add(interface, "abstractionTypes"), "abstractionType")
    _add(kind, "abstractionRef", **_AMBA, name=f"{bus}_rtl", version=version)
    maps = _add(kind, "portMaps")
    for logical, physical in [("ACLK", "clk"), *pairs]:
        pair = _add(maps, "portMap")
        _add(_add(pair, "logicalPort"), "name", logical)
        _add(_add(pair, "physicalPort"), "name", physical)
    role = _add(interface, "slave" if slave else "master")
    if bus == "AXI4-Lite":
        _add(role, "memoryMapRef", memoryMapRef=_MAP)


def _field(
    register: Xml.Element,
    name: str,
    low: int,
    bits: int,
    meaning: str,
    access: str,
    init: int | None,
    once: bool = False,
) -> None:
    field = _add(register, "field")
    _add(field, "name", name)
    if meaning:
        _add(field, "description", meaning)
    _add(field, "bitOffset", low)
    if init is not None:
        _add(_add(_add(field, "resets"), "reset"), "value", _hex(init >> low & (1 << bits) - 1))
    _add(field, "bitWidth", bits)
    if access == "ro":
        _add(field, "volatile", "true")
    _add(field, "access", "write-only" if once else _ACCESS[access])
    if access == "w1c":
        _add(field, "modifiedWriteValue", "oneToClear")


def _register(parent: Xml.Element, name: str, notes: Iterable[str], offset: int, words: int = 1) -> Xml.Element:
    register = _add(parent, "register")
    _add(register, "name", name)
    _add(register, "description", " ".join(note for note in notes if note))
    if words > 1:
        _add(register, "dim", words)
    _add(register, "addressOffset", _hex(offset))
    _add(register, "size", 32)
    return register


def _entry(parent: Xml.Element, entry: MapEntry, base: int) -> None:
    declared = entry.register
    notes = [
        declared.meaning,
        f"[{declared.unit}]" if declared.unit != "-" else "",
        "(two's complement)" if entry.signed else "",
        "(not writable while an image is being processed)" if entry.idle_only else "",
    ]
    register = _register(parent, entry.name, notes, entry.address - base)
    fields = [("value", 0, entry.bits, "")]
    if isinstance(declared, HostRegister):
        fields = [(field.name, field.low, field.bits, field.meaning) for field in declared.fields] or fields
    once = isinstance(declared, Register) and declared.pulse
    for name, low, bits, meaning in fields:
        _field(register, name, low, bits, meaning, entry.access, entry.init, once)


def _block(parent: Xml.Element, block: RegisterBlock, layer: LayerParameters) -> None:
    notes = [
        block.meaning,
        f"[{block.unit}]" if block.unit != "-" else "",
        "(two's complement)" if block.signed else "",
        "(whole words only)" if block.access == "wo" else "",
        f"({block.after_reset})" if block.after_reset else "",
    ]
    register = _register(parent, block.name, notes, block.offset, block.words(layer))
    for field in block.fields:
        _field(register, field.name, field.low, field.bits, field.meaning, block.access, block.init)
    if not block.fields:
        _field(register, "value", 0, block.bits(layer), "", block.access, block.init)


def _memory_map(component: Xml.Element, parameters: NpuParameters) -> None:
    entries = host_map(parameters)
    memory_map = _add(_add(component, "memoryMaps"), "memoryMap")
    _add(memory_map, "name", _MAP)
    scopes: list[tuple[int | None, LayerParameters | None]] = [(None, None), *enumerate(parameters.layers)]
    for index, layer in scopes:
        base = 0 if index is None else (index + 1) * LAYER_STRIDE
        block = _add(memory_map, "addressBlock")
        _add(block, "name", "unit" if index is None else f"layer_{index}")
        _add(block, "baseAddress", _hex(base))
        _add(block, "range", _hex(LAYER_STRIDE))
        _add(block, "width", 32)
        _add(block, "usage", "register")
        for entry in entries:
            if entry.layer == index:
                _entry(block, entry, base)
        if layer is not None:
            for words in LAYER_BLOCKS:
                if words.there(layer):
                    _block(block, words, layer)
    _add(memory_map, "addressUnitBits", 8)


def _model(component: Xml.Element, module: str, ports: Sequence[Mapping[str, Any]]) -> None:
    model = _add(component, "model")
    view = _add(_add(model, "views"), "view")
    _add(view, "name", "rtl")
    _add(view, "componentInstantiationRef", "verilog")
    instance = _add(_add(model, "instantiations"), "componentInstantiation")
    _add(instance, "name", "verilog")
    _add(instance, "language", "SystemVerilog")
    _add(instance, "moduleName", module)
    _add(_add(instance, "fileSetRef"), "localName", _SOURCES)
    parent = _add(model, "ports")
    for port in ports:
        element = _add(parent, "port")
        _add(element, "name", port["name"])
        _add(element, "description", port["meaning"])
        wire = _add(element, "wire")
        _add(wire, "direction", {"input": "in", "output": "out"}[port["direction"]])
        if port["width"] > 1:
            vector = _add(_add(wire, "vectors"), "vector")
            _add(vector, "left", port["width"] - 1)
            _add(vector, "right", 0)


def _file_sets(component: Xml.Element, module: str, names: Iterable[str]) -> None:
    """Sources of the unit, and everything else of the folder."""
    listed = sorted(names)
    own = [name for name in listed if re.fullmatch(rf"{module}(_\w+)?\.sv|.*\.sdc", name)]
    parent = _add(component, "fileSets")
    for title, chosen in ((_SOURCES, own), ("others", [name for name in listed if name not in own])):
        if chosen:
            file_set = _add(parent, "fileSet")
            _add(file_set, "name", title)
            for name in chosen:
                file = _add(file_set, "file")
                _add(file, "name", name)
                kind = _FILE_TYPES.get(f".{name.rpartition('.')[2]}")
                _add(file, "fileType", kind or "user", **({} if kind else {"user": name.rpartition(".")[2]}))


def _version() -> str:
    return ".".join(str(number) for number in MAP_VERSION)


def ip_xact(
    module: str, ports: Sequence[Mapping[str, Any]], parameters: NpuParameters, files: Iterable[str], description: str
) -> str:
    """The component as XML.

    Parameters
    ----------
    module, ports : of the unit, see `hw.export.verilog.ports`; the buses and streams among them are bus interfaces;
        with AXI4-Lite there is a memory map with every register of this build, byte addresses
    parameters : of the unit
    files : names of the folder's files, beside which the description lies
    description : what the unit is, a sentence

    Returns
    -------
    XML text; the same for the same unit and files. Buses are those of Arm's library of definitions (amba.com, AMBA4)
    """
    Xml.register_namespace("ipxact", _NAMESPACE)
    component = Xml.Element(f"{{{_NAMESPACE}}}component")
    for tag, text in (("vendor", _VENDOR), ("library", _LIBRARY), ("name", module), ("version", _version())):
        _add(component, tag, text)
    _buses(component, ports)
    if any(port["name"].startswith("s_axil_") for port in ports):
        _memory_map(component, parameters)
    _model(component, module, ports)
    _file_sets(component, module, files)
    _add(component, "description", description)
    Xml.indent(component, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(component, encoding="unicode")}\n'
