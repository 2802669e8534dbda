"""Co-simulation through the buses: what is run, compared with the models, kept; and every way the cells can differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Mismatch, Result
from spikeloom.sim.cosim.options import CosimOptions
from spikeloom.sim.programming.write_verify import program_chip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host.load import LayerLoad, LoadReport
from spikeloom.sw.verify.bus_chunks import compare_load, gap_facts, load_facts
from spikeloom.sw.verify.chunks import cosimulate
from tests.fixtures.synthetic import make_chip, make_programmed_chip, make_result

CHIP = make_programmed_chip()


def pixels(count: int = 12) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 64)).astype(np.uint8)


def load_of(chip: ProgrammedChip, method: str = "pulses") -> LoadReport:
    """What a host would report of a chip that behaves as the model."""
    layers = []
    for layer in program_chip(chip).layers if method == "pulses" else ():
        again = layer.final.failed & np.stack([second_cells(chip, layer)] * 2)
        failed = int(layer.first.failed.sum() + again.sum())
        layers.append(
            LayerLoad(
                layer.wanted, layer.targets, layer.first, layer.final, layer.second, layer.pulses, layer.verify_reads,
                failed,
            )
        )  # fmt: skip
    return LoadReport(method, tuple(layers), 1234, 0x1234, 50_000)


def second_cells(chip: ProgrammedChip, layer: Any) -> np.ndarray:
    """Pairs of the second pass, bool [inputs, outputs], one start after the other."""
    shape = next(p for p in chip.parameters.layers if (p.inputs, p.outputs) == layer.wanted.shape[1:])
    cells = np.zeros(layer.wanted.shape[1:], bool)
    for row, group in np.argwhere(layer.second):
        cells[row :: shape.tile_rows, group * shape.lanes : (group + 1) * shape.lanes] = True
    return cells


class FakeBus:
    """The reference and the model in the chip's place: what is done with them is tested here."""

    def __init__(self) -> None:
        self.calls: list[SimpleNamespace] = []
        self.wrong: Callable[[Result], Result] = lambda result: result

    def __call__(
        self, chip: ProgrammedChip, images: Any, ids: Any, method: Any, options: CosimOptions, arrays: Any
    ) -> tuple[Result, LoadReport]:
        self.calls.append(SimpleNamespace(count=len(images), method=method, **vars(options)))
        result = run_reference(chip, images, ids=ids, trace=options.trace, arrays=arrays)
        count = len(images)
        gaps = np.full(count, 3, np.int64)
        gaps[0], gaps[-1] = 99_999, 5
        result = replace(result, cycles=np.full(count, 100, np.int64), gaps=gaps)
        return self.wrong(result), load_of(chip, method)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBus]:
    fake = FakeBus()
    monkeypatch.setattr("spikeloom.sw.verify.bus_run.through_bus", fake)
    yield fake


def test_all_images_in_one_run_by_pulses_then_the_traced_ones(bus: FakeBus) -> None:
    seen: list[tuple[int, int]] = []
    result, comparison = cosimulate(
        CHIP, pixels(), trace_images=3, through_bus=True, progress=lambda *done: seen.append(done)
    )
    first, second = bus.calls
    assert (first.count, first.method, first.trace, first.waves) == (12, "pulses", "spikes", False)
    assert (second.count, second.method, second.trace, second.waves) == (3, "fast", "full", False)
    assert len(result) == 12 and result.trace is not None and run_reference(CHIP, pixels()).compare(result) > 0
    assert comparison["images"] == 12 and comparison["mismatches"] == 0 and comparison["traced_images"] == 3
    neurons, layers = 50, 2
    spikes = int(result.steps.sum()) * neurons + 12 * (5 + 7 * layers)
    traced = 2 * int(result.steps[:3].sum()) * neurons + 3 * (5 + 7 * layers)
    assert comparison["values_compared"] == spikes + traced
    model = program_chip(CHIP)
    assert comparison["through_bus"] == {
        "method": "pulses", "writes": 1234, "load_cycles": 50_000, "pulses": model.pulses,
        "verify_reads": model.verify_reads, "failed_cells": model.failed, "cells_compared": 2 * (64 * 40 + 40 * 10),
        "gap_max": 5, "gap_mean": (10 * 3 + 5) / 11,
    }  # fmt: skip
    assert seen[-1] == (12, 12)


def test_a_chip_of_levels_is_loaded_fast(bus: FakeBus) -> None:
    _, comparison = cosimulate(make_chip(), pixels(), through_bus=True)
    assert [call.method for call in bus.calls] == ["fast"]
    facts = comparison["through_bus"]
    assert facts["method"] == "fast" and facts["gap_max"] == 5
    assert {facts[name] for name in ("pulses", "verify_reads", "failed_cells", "cells_compared")} == {None}


def test_what_is_done_is_kept(bus: FakeBus, tmp_path: Path) -> None:
    whole = cosimulate(CHIP, pixels(), trace_images=2, chunks=tmp_path, through_bus=True)
    again = cosimulate(CHIP, pixels(), trace_images=2, chunks=tmp_path, through_bus=True)
    assert len(bus.calls) == 2 and again[1] == whole[1]
    assert whole[0].compare(again[0]) > 0 and np.array_equal(whole[0].gaps, again[0].gaps)
    (tmp_path / "bus_traced_000002.npz").write_bytes(b"PK")
    (tmp_path / "bus_images_000012.json").unlink()
    cosimulate(CHIP, pixels(), trace_images=2, chunks=tmp_path, through_bus=True)
    assert [call.count for call in bus.calls[2:]] == [12, 2]


def test_waves_are_of_the_traced_images_and_recorded_each_time(bus: FakeBus, tmp_path: Path) -> None:
    for _ in range(2):
        cosimulate(CHIP, pixels(), chunks=tmp_path, waves=tmp_path / "waves", through_bus=True)
    assert [(call.count, call.waves) for call in bus.calls] == [(12, False), (1, True), (1, True)]
    assert bus.calls[1].folder == tmp_path / "waves" and bus.calls[0].folder is None


def test_a_wrong_class_raises_and_is_not_kept(bus: FakeBus, tmp_path: Path) -> None:
    bus.wrong = lambda result: replace(result, classes=(result.classes + 1) % 10)
    with pytest.raises(Mismatch, match=r"^Image 0: classes is \d+ in the reference and \d+ in the Verilog$"):
        cosimulate(CHIP, pixels(), chunks=tmp_path, through_bus=True)
    assert list(tmp_path.iterdir()) == []


def damaged(load: LoadReport, **changes: Any) -> LoadReport:
    """The report with layer 1 changed: a name of a field, or `pass_array` of an outcome, whose last cell is flipped."""
    layer = load.layers[1]
    for name, value in changes.items():
        if name in ("pulses", "verify_reads", "failed_cells"):
            layer = replace(layer, **{name: value})
            continue
        which, _, array = name.partition("_")
        outcome = getattr(layer, which) if array else layer
        values = getattr(outcome, array or which).copy()
        values[1, 39, 9] = 1 - values[1, 39, 9] if values.dtype == bool else values[1, 39, 9] + 1
        outcome = replace(outcome, **{array or which: values})
        layer = replace(layer, **{which: outcome}) if array else outcome
    return replace(load, layers=(load.layers[0], layer))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"targets": 1}, r"n cell of row 39 and column 9: target is \d+ in the model and \d+ in the chip$"),
        ({"first_codes": 1}, r"n cell of row 39 and column 9: code of the first pass is \d+ in the model"),
        ({"final_codes": 1}, r"n cell of row 39 and column 9: code of the last pass is \d+ in the model"),
        ({"first_pulses": 1}, r"n cell of row 39 and column 9: number of pulses of the first pass is \d+ in"),
        ({"final_pulses": 1}, r"n cell of row 39 and column 9: number of pulses of the last pass is \d+ in"),
        ({"first_failed": 1}, r"n cell of row 39 and column 9: failure in the first pass is [01] in the model"),
        ({"final_failed": 1}, r"n cell of row 39 and column 9: failure in the last pass is [01] in the model"),
        ({"pulses": 7}, r"pulses are \d+ in the model and 7 in the chip$"),
        ({"verify_reads": 7}, r"verify reads are \d+ in the model and 7 in the chip$"),
        ({"failed_cells": 7}, r"failed cells are \d+ in the model and 7 in the chip$"),
    ],
)
def test_every_difference_of_a_cell_is_found(changes: dict[str, Any], sentence: str) -> None:
    model, shapes = program_chip(CHIP), CHIP.parameters.layers
    assert compare_load(load_of(CHIP), model, shapes) == 2 * (64 * 40 + 40 * 10)
    with pytest.raises(Mismatch, match=f"^Layer 1[,:] {sentence}"):
        compare_load(damaged(load_of(CHIP), **changes), model, shapes)


def test_the_second_pass_is_in_the_chips_count_of_failed_cells() -> None:
    """Else the comparison of that count would hold for a chip that forgets one of the passes."""
    assert sum(layer.failed_cells for layer in load_of(CHIP).layers) > program_chip(CHIP).failed
    assert load_facts(CHIP, load_of(CHIP))["failed_cells"] == program_chip(CHIP).failed


def test_one_image_has_no_gap() -> None:
    result = replace(make_result(CHIP, 1), gaps=np.array([40], np.int64))
    assert gap_facts(result) == {"gap_max": None, "gap_mean": None} == gap_facts(make_result(CHIP, 5))
