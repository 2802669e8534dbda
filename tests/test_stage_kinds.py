"""Kinds of stages: the registry, that no floor lacks the part of a kind, and a kind from outside of the source tree."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import spikeloom
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.feature_maps.stages import UNITS
from spikeloom.hw.host.plan_words import plan_of, words_of
from spikeloom.hw.params.parameters import Coding
from spikeloom.hw.params.parts import ALL_PARTS, Parts
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import STAGES, AveragePoolStage, MaxPoolStage, PoolStage
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.estimates.stages import ENERGY
from spikeloom.sim.reference.run import run_reference
from spikeloom.sim.reference.stages import REFERENCES
from spikeloom.sw.analysis.mapping import mapping_summary
from spikeloom.sw.common.errors import WeightImageError
from spikeloom.sw.config.config import Config
from spikeloom.sw.ir.stages import REAL
from spikeloom.sw.passes.float_snn import spiking_network
from spikeloom.sw.weight_image.file import pack, unpack
from spikeloom.sw.weight_image.plan_json import plan_from_json, plan_to_json
from tests.fixtures.networks import random_chip, random_pixels


class AnyStage(PoolStage):
    """A spike wherever any value of the window spikes; keeps nothing."""

    name, code, title = "any", 9, "any-pooling"
    largest = False


class AnyRun:
    """Its reference."""

    def __init__(self, stage: AnyStage, sources: Sequence[MapShape], images: int) -> None:
        self.shape, self.kernel = sources[0], stage.window.kernel

    def step(self, maps: Sequence[NDArray[np.uint8]], live: NDArray[np.int64], shift: int) -> NDArray[np.uint8]:
        values = maps[0].reshape(-1, self.shape.height, self.shape.width, self.shape.channels)
        rows, columns = (n // k for n, k in zip(values.shape[1:3], self.kernel, strict=True))
        down, right = self.kernel
        blocks = values.reshape(-1, rows, down, columns, right, self.shape.channels)
        return blocks.max(axis=(2, 4)).reshape(len(live), -1)


class AnyValues:
    """It in real numbers."""

    def values(self, stage: AnyStage, shapes: Any, maps: Any) -> Any:
        raise AssertionError("not asked for")

    def start(self, stage: AnyStage, shapes: Sequence[MapShape], count: int) -> NDArray[np.float32]:
        return np.zeros((count, 1), np.float32)

    def step(self, stage: AnyStage, shapes: Any, state: Any, maps: Sequence[NDArray[np.float32]], gain: Any) -> Any:
        live = np.arange(len(maps[0]))
        return AnyRun(stage, shapes, len(live)).step([maps[0].astype(np.uint8)], live, 0).astype(np.float32)


@pytest.fixture
def any_kind() -> Iterator[None]:
    STAGES.register(AnyStage)
    parts: list[tuple[Parts[Any], Any]] = [(REFERENCES, AnyRun), (REAL, AnyValues())]
    for known, part in parts:
        known.add(AnyStage, part)
    try:
        yield
    finally:
        for known, _ in parts:
            known.remove(AnyStage)
        STAGES.remove("any")


def plan_with(kind: type[PoolStage]) -> Plan:
    """3 x 6 x 6 -> convolution -> the kind -> dense."""
    return Plan(
        input=MapShape(channels=3, height=6, width=6),
        stages=(
            CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
            kind(window=Window(source=1, kernel=(2, 3), stride=(2, 3))),
            CrossbarStage(layer=1, windows=(Window(source=2, kernel=(3, 2)),)),
        ),
        channels=(4, 5),
    )


def chip_with(kind: type[PoolStage]) -> ProgrammedChip:
    return random_chip(np.random.default_rng(3), plan=plan_with(kind), row_bits=1, coding=Coding.EVEN, skip=0)


def test_kinds_are_found_by_name_and_code() -> None:
    assert list(STAGES) == [CrossbarStage, MaxPoolStage, AveragePoolStage]
    for kind in STAGES:
        assert STAGES[kind.name] is kind and STAGES[kind.code] is kind
    with pytest.raises(ValueError, match=r"^'min' is not a stage kind: there are 0 crossbar, 1 max, 2 average$"):
        STAGES["min"]
    with pytest.raises(ValueError, match="3 is not a stage kind"):
        STAGES[3]


def test_every_floor_has_its_part_of_every_kind() -> None:
    for module in pkgutil.walk_packages(spikeloom.__path__, "spikeloom."):
        if module.name.split(".")[1] in ("hw", "sim", "sw"):
            importlib.import_module(module.name)
    assert {parts.where for parts in ALL_PARTS} >= {"hw.feature_maps.stages.UNITS", "sw.ir.stages.REAL"}
    for parts in ALL_PARTS:
        assert parts.missing() == [], f"{parts.where} lacks a {parts.what}"
        module, _, name = parts.where.rpartition(".")
        assert getattr(importlib.import_module(f"spikeloom.{module}"), name) is parts


def test_what_cannot_be_registered() -> None:
    class Other(MaxPoolStage):
        name, code = "other", 1

    with pytest.raises(ValueError, match=r"^There is a stage kind 'max' of code 1 already; give Other another name"):
        STAGES.register(Other)
    with pytest.raises(ValueError, match=r"'other' is not a stage kind"):
        UNITS.add(Other, UNITS[MaxPoolStage])
    with pytest.raises(ValueError, match="'max' is built in and cannot be removed"):
        STAGES.remove("max")
    assert STAGES.register(MaxPoolStage) is MaxPoolStage  # once more is no second one


def test_a_kind_from_outside_runs_wherever_it_has_parts(any_kind: None) -> None:
    chip = chip_with(AnyStage)
    plan = chip.parameters.plan
    assert plan_of(words_of(plan)) == plan and plan_from_json(plan_to_json(plan)) == plan
    pixels = random_pixels(np.random.default_rng(4), 6, plan.input.size)
    result = run_reference(chip, pixels, trace="spikes")
    assert result.trace is not None
    spikes = result.trace.unpacked(0)[0, 0].astype(np.uint8)
    pooled = AnyRun(plan.stages[1], [plan.maps[1]], 1).step([spikes[None]], np.arange(1), 0)  # type: ignore[arg-type]
    seen = spikes.reshape(3, 2, 2, 3, 4).any(axis=(1, 3)).ravel()
    assert pooled[0].tolist() == seen.astype(int).tolist() and result.trace.unpacked(1).shape[2] == 5
    found = spiking_network(chip)
    assert [type(stage) for stage in found.plan.stages] == [CrossbarStage, AnyStage, CrossbarStage]
    row = mapping_summary(chip, result)["stages"][1]
    assert (row["name"], row["pooling"]) == ("any-pooling", "any")


def test_a_saved_chip_names_the_kind_that_is_missing() -> None:
    config = Config()
    STAGES.register(AnyStage)
    try:
        content = pack(chip_with(AnyStage), config)
    finally:
        STAGES.remove("any")
    said = rf"'any.loom' has the stage kind 'any' \(of module {re.escape(__name__)}\), which is not registered; import"
    with pytest.raises(WeightImageError, match=said):
        unpack(content, "any.loom")


def test_a_missing_part_raises_and_names_the_kind(any_kind: None) -> None:
    chip = chip_with(AnyStage)
    said = r"^The stage kind 'any' \(AnyStage\) has no {}; add one by {}.add, or use a network without such stages$"
    with pytest.raises(ValueError, match=said.format("hardware unit", "hw.feature_maps.stages.UNITS")):
        export_verilog(chip.parameters)
    with pytest.raises(ValueError, match=said.format("energy", "sim.estimates.stages.ENERGY")):
        ENERGY[AnyStage]
    assert [parts.where for parts in (UNITS, ENERGY, REAL, REFERENCES) if parts.missing()] == [
        UNITS.where,
        ENERGY.where,
    ]
