"""The host's map: addresses, and every form that is generated from it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from spikeloom.hw.export.axi_verilog import export_axi
from spikeloom.hw.export.c_header import c_header
from spikeloom.hw.export.ip_xact import ip_xact
from spikeloom.hw.export.register_manual import bit_picture, manual
from spikeloom.hw.export.system_rdl import system_rdl
from spikeloom.hw.host.feature_word import feature_word, features_of
from spikeloom.hw.host.register_map import (
    ADDRESS_BITS,
    LAYER_BLOCKS,
    LAYER_HOST_REGISTERS,
    LAYER_OFFSETS,
    LAYER_STRIDE,
    UNIT_HOST_REGISTERS,
    UNIT_OFFSETS,
    bias_byte_address,
    block_byte_address,
    build_id,
    host_map,
    layer_byte_address,
    program_result_byte_address,
    program_target_byte_address,
    unit_byte_address,
)
from spikeloom.hw.interfaces.registers import bias_address, global_address, layer_address
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters, Reset

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "hardware" / "host" / "register_map.md"
FIRST = LayerParameters(inputs=6, outputs=4, lanes=2, phases=2)
UNIT = NpuParameters(layers=(FIRST, LayerParameters(inputs=4, outputs=3, lanes=1, phases=2)), phases=2, encoder_lanes=2)
GCC = shutil.which("gcc")


def test_load_addresses_keep_their_place() -> None:
    assert unit_byte_address("t_max") == 4 * global_address("t_max")
    assert layer_byte_address(2, "gain") == 4 * layer_address(2, "gain")
    assert bias_byte_address(254, 32767) == 4 * bias_address(254, 32767) == (1 << ADDRESS_BITS) - 4
    assert (unit_byte_address("id"), layer_byte_address(0, "inputs")) == (0x10000, 0x50000)


def test_addresses_and_names_are_distinct_aligned_and_no_bias() -> None:
    entries = host_map(dataclasses.replace(UNIT, rules=DECISION_RULES.unit))
    addresses = {entry.address for entry in entries}
    assert len(addresses) == len(entries) == len(UNIT_OFFSETS) + 2 * len(LAYER_OFFSETS)
    assert len({(entry.layer, entry.name) for entry in entries}) == len(entries)
    assert all(address % 4 == 0 and 0 <= address < 1 << ADDRESS_BITS for address in addresses)
    assert addresses.isdisjoint(bias_byte_address(layer, n) for layer in range(2) for n in range(4))


@pytest.mark.parametrize("register", [*UNIT_HOST_REGISTERS, *LAYER_HOST_REGISTERS], ids=lambda r: r.name)
def test_fields_follow_each_other_in_the_word(register) -> None:
    end = 0
    for field in register.fields:
        assert field.low >= end and field.bits >= 1
        end = field.low + field.bits
    assert end <= 32
    assert register.value is None or register.access == "ro"
    assert register.init == 0 or (register.access == "rw" and register.value is None)


def test_build_parameters_are_constants() -> None:
    found = {(entry.layer, entry.name): entry.init for entry in host_map(UNIT)}
    assert found[None, "id"].to_bytes(4, "big") == b"LOOM"
    assert [found[None, name] for name in ("layers", "phases", "max_steps", "pixel_words")] == [2, 2, 32, 3]
    assert [found[1, name] for name in ("inputs", "outputs", "lanes", "max_theta")] == [4, 3, 1, 1023]


def test_features_are_a_word_that_gives_them_back() -> None:
    for leak, clip in itertools.product((False, True), repeat=2):
        for resets in itertools.chain.from_iterable(itertools.combinations(Reset, count) for count in (1, 2, 3)):
            features = {"leak": leak, "clip": clip, "resets": resets}
            layer = dataclasses.replace(FIRST, **features)
            word = leak | clip << 1 | sum(4 << kind for kind in resets)
            assert feature_word(layer) == word and features_of(word) == features
            (entry,) = (e for e in host_map(with_layers(layer)) if (e.layer, e.name) == (0, "features"))
            assert entry.init == word
    with pytest.raises(ValueError, match=r"^Bits 0 \.\. 4 of a layer's features have a meaning, not 0x3f$"):
        features_of(0x3F)


def test_registers_that_are_missing_are_not_in_the_map() -> None:
    lean = dataclasses.replace(FIRST, leak=False, clip=False, resets=(Reset.ZERO,))
    names = [(entry.layer, entry.name) for entry in host_map(with_layers(lean))]
    assert {(0, "leak"), (0, "clip"), (0, "reset")}.isdisjoint(names)
    assert {(1, "leak"), (1, "clip"), (1, "reset"), (0, "theta")} <= set(names)
    first, second = system_rdl(with_layers(lean)).split("layer_0 @")
    assert all(f"\\{name} @" in second and f"\\{name} @" not in first for name in ("leak", "clip"))


def test_build_id_tells_features_apart_where_some_are_missing() -> None:
    lean = [dataclasses.replace(FIRST, **how) for how in ({"leak": False}, {"clip": False}, {"resets": (Reset.ZERO,)})]
    numbers = {build_id(with_layers(layer)) for layer in (FIRST, *lean)}
    assert len(numbers) == 4 and build_id(UNIT) in numbers


def with_layers(first: LayerParameters) -> NpuParameters:
    return dataclasses.replace(UNIT, layers=(first, UNIT.layers[1]))


def test_build_id_is_a_checksum_of_all_parameters() -> None:
    """But for features of neurons that have them all."""
    fields = ("adc_bits", "inputs", "lanes", "max_bias", "max_gain_shift", "max_steps", "max_theta", "outputs")
    fields += ("phases", "row_bits", "tile_columns", "tile_rows")
    layers = [",".join(f'"{name}":{getattr(layer, name)}' for name in fields) for layer in UNIT.layers]
    text = (
        f'{{"encoder_lanes":2,"layers":[{{{layers[0]}}},{{{layers[1]}}}],"max_steps":32,"phases":2,"pulse_cycles":4}}'
    )
    assert build_id(UNIT) == zlib.crc32(text.encode())
    assert build_id(UNIT) != build_id(dataclasses.replace(UNIT, pulse_cycles=5))


def test_windows_do_not_meet() -> None:
    """Whatever the build: the largest windows lie behind the registers, and end before the next."""
    end = max(LAYER_OFFSETS.values()) + 4
    for window, words in zip(LAYER_BLOCKS, (4096, 8192, 32768), strict=True):
        assert end <= window.offset == block_byte_address(window, 0, 0) - LAYER_STRIDE
        end = block_byte_address(window, 0, words - 1) + 4 - LAYER_STRIDE
    assert end <= LAYER_STRIDE
    assert [window.words(FIRST) for window in LAYER_BLOCKS] == [2, 4, 4]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: unit_byte_address("theta"), r"^Unit register must be one of coding, rule, .*, not 'theta'$"),
        (lambda: layer_byte_address(0, "id"), r"^Layer register must be one of theta, v0, .*, not 'id'$"),
        (lambda: program_target_byte_address(0, 4096), r"^Index of a program_target must be in 0 \.\. 4095, not 4096$"),
        (lambda: program_result_byte_address(0, -1), r"^Index of a program_result must be in 0 \.\. 8191, not -1$"),
        (lambda: layer_byte_address(255, "theta"), r"^Layer of a load address must be in 0 \.\. 254, not 255$"),
    ],
)
def test_unknown_names_are_errors(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_page_is_up_to_date() -> None:
    """To write it anew: `manual()` of hw/export/register_manual.py is its whole text."""
    assert PAGE.read_text(encoding="utf-8") == manual()


def test_every_form_says_where_an_image_starts() -> None:
    """As docs/hardware/npu.md has it, and as the unit counts: with its first word, or the result before, if later."""
    start = "from the image's first pixel word, or the result before it if that is later, to the result"
    ports = json.loads(export_axi(UNIT)["ports.json"])["ports"]
    for text in (manual(), c_header(), system_rdl(UNIT), ip_xact("npu_axi", ports, UNIT, [], "a unit")):
        assert start in text and "from the first pixel word" not in text


def test_bit_picture_fills_the_word() -> None:
    assert re.findall(r"\{.*?\}", bit_picture([("a", 1, 2), ("b", 3, 1)], 16).split("[")[1].split("]")[0]) == [
        '{"bits": 1}',
        '{"name": "a", "bits": 2}',
        '{"name": "b", "bits": 1}',
        '{"bits": 12}',
    ]


@pytest.mark.skipif(GCC is None, reason="gcc is not installed")
def test_c_header_compiles_and_says_what_python_says(tmp_path: Path) -> None:
    (tmp_path / "spikeloom.h").write_text(c_header())
    expected = {f"SPIKELOOM_{name.upper()}": offset for name, offset in UNIT_OFFSETS.items()}
    expected |= {f"SPIKELOOM_LAYER_{name.upper()}(3)": layer_byte_address(3, name) for name in LAYER_OFFSETS}
    expected |= {"SPIKELOOM_BIAS(254, 32767)": bias_byte_address(254, 32767)}
    expected |= {"SPIKELOOM_PROGRAM_TARGET(1, 4095)": program_target_byte_address(1, 4095)}
    expected |= {"SPIKELOOM_PROGRAM_RESULT(1, 8191)": program_result_byte_address(1, 8191)}
    for declared in (*UNIT_HOST_REGISTERS, *LAYER_HOST_REGISTERS, *LAYER_BLOCKS):
        for field in declared.fields:
            prefix = f"SPIKELOOM_{declared.name}_{field.name}".upper()
            expected[f"{prefix}_MASK"] = ((1 << field.bits) - 1) << field.low
            expected[f"{prefix}_SHIFT"] = field.low
    checks = [f"_Static_assert({macro} == {value:#x}u, {macro!r});" for macro, value in expected.items()]
    source = ['#include "spikeloom.h"', '#include "spikeloom.h"', *checks, "int main(void) { return 0; }", ""]
    (tmp_path / "check.c").write_text("\n".join(source).replace("'", '"'))
    command = [str(GCC), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "check.c", "-o", "check"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr


def test_system_rdl_has_every_register_at_its_place() -> None:
    text = system_rdl(dataclasses.replace(UNIT, rules=DECISION_RULES.unit))
    assert text.count("{") == text.count("}") and text.endswith("};\n")
    found: dict[str, list[int]] = {}
    for name, offset in re.findall(r"^ +\} \\(\w+) @ (0x[0-9a-f]+);$", text, re.M):
        found.setdefault(name, []).append(int(offset, 16))
    expected = {name: [offset] for name, offset in UNIT_OFFSETS.items()}
    for name, offset in LAYER_OFFSETS.items():
        expected.setdefault(name, []).extend([offset] * 2)
    assert found == expected
    assert re.findall(r"layer_(\d) @ (0x\w+);", text) == [("0", "0x40000"), ("1", "0x80000")]
    for window in ("bias[3] @ 0x20000", "program_target[1] @ 0x14000", "program_result[2] @ 0x18000"):
        assert f"}} {window} += 4;" in text
    assert "value[9:0] = 10'h1;" in text  # theta
