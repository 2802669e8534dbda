"""A unit in the cells of a library: the same bits, exact areas, memories, and clear errors."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.export.yosys import SynthesisError, run_yosys
from spikeloom.hw.params.parameters import Coding, DecisionRule, LayerParameters, NpuParameters, Readout, Reset
from spikeloom.hw.standard_cells.cell_mapping import MAPPING, CellMapper, Mapped, check_library, map_to_cells
from spikeloom.hw.standard_cells.components import components, read_netlist, totals
from spikeloom.hw.standard_cells.liberty import LibraryError, read_library
from spikeloom.sim.cosim import simulator
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.reference.run import run_reference
from tests.conftest import icarus
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.standard_cells import FEW, OSU018, osu018, osu018_library


def small_unit() -> NpuParameters:
    layer = LayerParameters(
        inputs=3, outputs=2, lanes=1, adc_bits=4, max_gain_shift=0, max_theta=3, max_bias=1, max_steps=3
    )
    return NpuParameters(layers=(layer,), encoder_lanes=1, max_steps=3)


@pytest.fixture(scope="module")
def mapped() -> Mapped:
    """A unit of 6,000 cells; memories above 10 bits are black boxes."""
    return map_to_cells(export_verilog(small_unit()), "npu", [osu018_library()], 10)


@osu018
def test_areas_are_those_of_yosys_and_add_up(mapped: Mapped, tmp_path: Path) -> None:
    library = osu018_library()
    found = components(read_netlist(mapped.netlist, library.cells), "npu", [library])
    whole = totals(found)
    (tmp_path / "netlist.v").write_text(mapped.netlist)
    shutil.copy(OSU018, tmp_path / "cells.lib")
    run_yosys(
        tmp_path,
        "read_verilog netlist.v\nhierarchy -top npu\ntee -q -o area.json stat -json -liberty cells.lib -top npu\n",
    )
    design = json.loads((tmp_path / "area.json").read_text())["design"]
    assert whole.area == design["area"]
    assert whole.cells == sum(n for name, n in design["num_cells_by_type"].items() if name in library.cells)
    assert whole.flip_flops == design["num_cells_by_type"]["DFFPOSX1"]
    inside = [totals(found, part.path).area for part in found if part.path and "/" not in part.path]
    assert found[0].path == "" and sum(inside) + found[0].area == whole.area
    assert {part.path for part in found} >= {"encoder/even", "encoder/odd", "layer_0/neuron_array", "terminator"}


@osu018
def test_every_instance_of_a_shared_module_counts() -> None:
    text = "module a(x);\n  INVX1 _0_ (\n    .A(x)\n  );\nendmodule\n"
    text += "module top(x);\n  a left (\n    .x(x)\n  );\n  a \\right[1] (\n    .x(x)\n  );\nendmodule\n"
    library = osu018_library()
    found = components(read_netlist(text, library.cells), "top", [library])
    assert [(part.path, part.module) for part in found] == [("", "top"), ("left", "a"), ("right[1]", "a")]
    assert totals(found).area == 2 * library.cells["INVX1"].area


@osu018
def test_nothing_but_cells_and_memories_is_left(mapped: Mapped) -> None:
    names = set(re.findall(r"^  (\w+) (?:\\\S+ |\w+) ?\($", mapped.netlist, re.M))
    modules = set(re.findall(r"^module (\w+)", mapped.netlist, re.M))
    assert names <= set(osu018_library().cells) | modules | {memory.black_box for memory in mapped.black_boxes}
    assert "reg " not in mapped.netlist and "$" not in mapped.netlist and "osys" not in mapped.netlist


@osu018
def test_large_memories_are_black_boxes_with_models(mapped: Mapped) -> None:
    sizes = {memory.black_box: memory.size for memory in mapped.black_boxes}
    assert sizes == {
        "memory_3x8_r1w": 24,
        "memory_3x8_r1w_old": 24,  # the encoder's sums: Yosys does not see that no word is read while it is written
        "memory_2x6_r1w": 12,
        "memory_2x19_a1w": 38,
    }
    assert {memory.name for memory in mapped.memories} - {memory.name for memory in mapped.black_boxes} == {
        "counts", "biases", "target_memory"
    }, "small ones, and one of a single word"  # fmt: skip
    assert set(re.findall(r"^module (\w+)", mapped.models, re.M)) == set(sizes)
    assert "memory_2x6_r1w membranes" in mapped.netlist and "_forwarding" not in mapped.netlist, "nothing needs it"


def simulate(bits: int, monkeypatch: pytest.MonkeyPatch, for_delay: bool = False, **changes: Any) -> None:
    """The gates, with the library's own models of cells, against the reference, in Icarus."""
    settings: dict[str, Any] = {
        "sizes": [3, 2], "tile_rows": 2, "tile_columns": 2, "lanes": 1, "encoder_lanes": 2, "adc_bits": 4, "phases": 1,
        "max_steps": 3, "t_max": 3, "coding": Coding.EVEN, "row_bits": 1, "rule": DecisionRule.WINNER_K,
        "readout": Readout.SPIKES, "reset": Reset.SUBTRACT, "skip": 0, "seed": 11, **changes,
    }  # fmt: skip
    chip = random_chip(np.random.default_rng(5), **settings)

    def gates(files: dict[str, str]) -> dict[str, str]:
        mapper = CellMapper(files, "npu", [osu018_library()], bits)
        found = mapper.map()
        if for_delay:
            faster = mapper.map(dict.fromkeys(re.findall(r"^module (\w+)", found.netlist, re.M), 500.0))
            assert faster.netlist != found.netlist and mapper.map() == found
            found = faster
        assert any(memory.size > bits for memory in found.memories) == bool(found.black_boxes)
        empty = {name: "" for name in files if name.endswith(".sv") and name != "chip.sv"}
        text = f"`timescale 1ns / 1ps\n{found.netlist}{found.models}"
        return {**empty, "npu.sv": text, "cells.sv": OSU018.with_suffix(".v").read_text()}

    monkeypatch.setattr(simulator, "gates", gates)
    simulator._texts.cache_clear()
    try:
        pixels = random_pixels(np.random.default_rng(7), 2, settings["sizes"][0])
        got = run_cosim(chip, pixels, trace="full", simulator="icarus", netlist=True)
    finally:
        simulator._texts.cache_clear()
    run_reference(chip, pixels, trace="full").compare(got)


@osu018
@icarus
def test_gates_and_black_boxes_agree_with_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(10, monkeypatch)


@osu018
@icarus
@pytest.mark.slow
def test_gates_mapped_for_delay_agree_with_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(10, monkeypatch, for_delay=True)


@osu018
@icarus
@pytest.mark.slow
@pytest.mark.parametrize("bits", [0, 1_000_000])
def test_gates_of_two_layers_agree_with_the_reference(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(bits, monkeypatch, sizes=[9, 6, 3], lanes=3, phases=2, coding=Coding.PHASE, encoder_lanes=4, max_steps=8)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("cell (DFF)", "D flip-flop (a cell with a group ff)"),
        ("cell (INV)", "inverter"),
        ("cell (NAND)", "gate of two inputs (NAND, NOR, AND or OR)"),
    ],
)
def test_a_kind_of_cell_that_is_missing_is_named(cell: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "few.lib").write_text(FEW)
    check_library([read_library(tmp_path / "few.lib")])
    (tmp_path / "few.lib").write_text(FEW.replace(cell + " {", f"{cell} {{ dont_use : true;"))
    with pytest.raises(LibraryError, match=re.escape(f"The library few has no {kind} that tools may use")):
        check_library([read_library(tmp_path / "few.lib")])


@osu018
def test_two_files_are_one_library() -> None:
    library = osu018_library()
    flops = {name: cell for name, cell in library.cells.items() if cell.kind == "flip-flop"}
    rest = {name: cell for name, cell in library.cells.items() if name not in flops}
    check_library([dataclasses.replace(library, cells=rest), dataclasses.replace(library, cells=flops)])
    with pytest.raises(LibraryError, match="no D flip-flop"):
        check_library([dataclasses.replace(library, cells=rest)])


@osu018
@pytest.mark.slow
def test_a_library_in_two_files_with_tie_cells_and_a_cell_that_may_not_be_used(tmp_path: Path) -> None:
    text = OSU018.read_text()
    head, *cells = re.split(r"(?=^cell \()", text[: text.rindex("}")], flags=re.M)
    flops = [cell for cell in cells if re.match(r"cell \((DFF|LATCH)", cell)]
    rest = [cell.replace("{", "{ dont_use : true;", 1) if "(MUX2X1)" in cell else cell for cell in cells]
    rest = [cell for cell in rest if cell not in flops]
    for value in "01":
        pin = f'pin (Y) {{ direction : output; function : "{value}"; max_capacitance : 1; }}'
        rest.append(f"cell (TIE{value}) {{ area : 7; {pin} }}\n")
    for name, chosen in (("rest.lib", rest), ("flops.lib", flops)):
        (tmp_path / name).write_text(f"{head}{''.join(chosen)}}}\n")
    libraries = [read_library(tmp_path / name) for name in ("rest.lib", "flops.lib")]
    found = map_to_cells(export_verilog(small_unit()), "npu", libraries, 10)
    used = set(re.findall(r"^  (\w+) (?:\\\S+ |\w+) ?\($", found.netlist, re.M))
    assert {"DFFPOSX1", "TIE0", "TIE1"} <= used and "MUX2X1" not in used


def test_where_cells_cannot_be_mapped_the_design_was_read(tmp_path: Path) -> None:
    """`dfflibmap` and `abc` take the file itself, which has a group here that is none."""
    (tmp_path / "few.lib").write_text(FEW)
    library = read_library(tmp_path / "few.lib")
    broken = dataclasses.replace(library, text="library (few) {\n cell (INV\n")
    with pytest.raises(SynthesisError, match=r"^Yosys could not map the design to cells: .*ERROR"):
        map_to_cells(export_verilog(small_unit()), "npu", [broken], 10)


def test_the_time_that_is_told_is_that_of_the_page() -> None:
    """The page of standard cells, section "Figures at 180 nm"."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "standard-cells.md").read_text(encoding="utf-8")
    assert MAPPING.removeprefix("mapping to cells: ") == "half a minute to a minute per 100,000 cells"
    assert "mapping takes half a minute to a minute per 100,000 cells:" in " ".join(page.split())
