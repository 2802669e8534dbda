# amaranth: UnusedElaboratable=no
"""Optional parts of a unit: what is not built has no port, no register, no flip-flop; and chips that need it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from spikeloom.hw.export.axi_verilog import export_axi
from spikeloom.hw.export.ip_xact import ip_xact
from spikeloom.hw.export.structure import structure
from spikeloom.hw.export.system_rdl import system_rdl
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.host.build_id import build_id
from spikeloom.hw.host.host_block import HostBlock
from spikeloom.hw.host.part_word import part_word, parts_of
from spikeloom.hw.host.programming_registers import (
    LAYER_PROGRAMMING_REGISTERS,
    PROGRAMMING_BLOCKS,
    UNIT_PROGRAMMING_REGISTERS,
)
from spikeloom.hw.host.register_map import host_map
from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.interfaces.streams import frame_words
from spikeloom.hw.layer.dac_driver import DacDriver
from spikeloom.hw.layer.layer_core import LayerCore
from spikeloom.hw.npu import Npu
from spikeloom.hw.npu_axi import NpuAxi
from spikeloom.hw.params.optional_parts import ALL_OPTIONAL, check_programmer
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from tests.hw.test_npu import unit

UNIT = unit()


def without(*names: str) -> NpuParameters:
    """`UNIT` without these parts."""
    return unit(**dict.fromkeys(names, False))


def names_of(parameters: NpuParameters) -> set[tuple[int | None, str]]:
    return {(entry.layer, entry.name) for entry in host_map(parameters)}


def ports(parameters: NpuParameters) -> set[str]:
    npu = Npu(parameters=parameters)
    return {"__".join(map(str, path)) for path, _, _ in npu.signature.flatten(npu)}


def layered(names: Iterable[str]) -> set[tuple[int | None, str]]:
    return {(layer, name) for name in names for layer in range(len(UNIT.layers))}


@pytest.mark.parametrize("name", ALL_OPTIONAL)
@pytest.mark.parametrize("value", [1, 0, None, "true"])
def test_parts_are_there_or_not(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^Layer parameter {name} must be True or False, not {value!r}$"):
        LayerParameters(inputs=2, outputs=1, lanes=1, **{name: value})


@pytest.mark.parametrize("name", ALL_OPTIONAL)
def test_layers_are_alike(name: str) -> None:
    first, second = UNIT.layers
    with pytest.raises(ValueError, match=rf"^Layer 1: {name} must equal that of the other layers$"):
        replace(UNIT, layers=(first, replace(second, **{name: False})))
    assert getattr(without(name), name) is False and getattr(UNIT, name) is True


def test_the_word_gives_the_parts_back() -> None:
    for values in itertools.product((False, True), repeat=len(ALL_OPTIONAL)):
        parts = dict(zip(ALL_OPTIONAL, values, strict=True))
        built = unit(**parts)
        word = sum(value << bit for bit, value in enumerate(values))
        assert part_word(built) == word and parts_of(word) == parts
        assert [entry.init for entry in host_map(built) if entry.name == "parts"] == [word]
    most = len(ALL_OPTIONAL)  # the next bit is a decision rule's (`test_decision_rules.py`)
    with pytest.raises(ValueError, match=rf"^Bits 0 \.\. {most} of the unit's parts have a meaning, not 0x80$"):
        parts_of(0x80)


def test_builds_have_numbers_of_their_own() -> None:
    cases = [
        dict(zip(ALL_OPTIONAL, c, strict=True)) for c in itertools.product((False, True), repeat=len(ALL_OPTIONAL))
    ]
    assert len({build_id(unit(**case)) for case in cases}) == len(cases)


def test_no_programmers_no_ports() -> None:
    gone = ports(UNIT) - ports(without("programmer"))
    assert ports(without("programmer")) < ports(UNIT)
    assert {name.split("__")[0] for name in gone} == {
        *("program", "programmer_0", "programmer_1", "crossbar_0", "crossbar_1")
    }
    assert all("program" in name for name in gone)
    assert not any("program" in name for name in ports(without("programmer")))
    axi = NpuAxi(parameters=without("programmer"))
    assert not any("program" in "__".join(map(str, path)) for path, _, _ in axi.signature.flatten(axi))
    driver = DacDriver(parameters=without("programmer").layers[0], pulse_cycles=1)
    assert not any(name.startswith("program") for name in driver.signature.members)


def test_no_programmers_no_registers() -> None:
    lean = without("programmer")
    gone = {(None, register.name) for register in UNIT_PROGRAMMING_REGISTERS}
    gone |= layered(register.name for register in LAYER_PROGRAMMING_REGISTERS)
    assert names_of(UNIT) - names_of(lean) == gone and len(gone) == 5 + 2 * 5
    fields = {
        e.name: {field.name for field in e.register.fields} for e in host_map(lean) if e.name in ("control", "status")
    }
    assert "irq_program" not in fields["control"] and "programming" not in fields["status"]
    axi_ports = json.loads(export_axi(lean)["ports.json"])["ports"]
    names = {*(name for _, name in gone), *(block.name for block in PROGRAMMING_BLOCKS), "irq_program"}
    named = {"system_rdl": r"\\(\w+) @|\} (\w+)\[", "ip_xact": r"<ipxact:name>(\w+)()<"}
    texts = {"system_rdl": system_rdl(lean), "ip_xact": ip_xact("npu_axi", axi_ports, lean, [], "a unit")}
    for form, text in texts.items():
        found = {name for pair in re.findall(named[form], text) for name in pair}
        assert "parts" in found and not found & names, form


def test_no_programmers_no_flip_flops_and_no_memory() -> None:
    found, lean = structure(UNIT), structure(without("programmer"))
    assert not any("programmer" in memory.path for memory in lean.memories)
    files = export_verilog(without("programmer"))
    assert not any("programmer" in name for name in files)
    assert "PROGRAM" not in files["npu_layer_0_dac_driver.sv"] and "program" not in files["npu_layer_0_dac_driver.sv"]
    assert found.flip_flops - lean.flip_flops > 2 * 200


def test_no_counters_no_ports_and_no_registers() -> None:
    lean = without("activity_counters")
    assert ports(UNIT) - ports(lean) == {f"activity_{layer}__{name}" for layer in range(2) for name in COUNTERS}
    assert ports(lean) < ports(UNIT)
    assert names_of(UNIT) - names_of(lean) == layered(COUNTERS)
    text = system_rdl(lean)
    assert not any(f"\\{name} @" in text for name in COUNTERS) and "\\gap @" in text and "\\cycles @" in text
    core = LayerCore(parameters=lean.layers[0], pulse_cycles=1)
    assert not {"activity", "clear_activity"} & set(core.signature.members)


def test_no_counters_no_flip_flops() -> None:
    """Five counters of 32 bits in each layer, as many copies for the host, and the registers of what they count."""
    lean = without("activity_counters")
    assert not any("activity_counter" in name for name in export_verilog(without(*ALL_OPTIONAL)))
    assert structure(UNIT).flip_flops - structure(lean).flip_flops > 2 * 5 * 32
    assert frame_words(UNIT) == 2 + 3 * 2 and frame_words(lean) == 2
    kept = HostBlock(parameters=lean)
    assert len(kept.counters) == 64 and not any(name.startswith("activity_") for name in kept.signature.members)


def test_a_chip_that_is_programmed_needs_programmers() -> None:
    check_programmer(UNIT, "write-verify")
    check_programmer(without("programmer"), "direct")
    with pytest.raises(ValueError, match=r"must be 'direct', not 'write-verify', since its unit is built without pro"):
        check_programmer(without("programmer"), "write-verify")
