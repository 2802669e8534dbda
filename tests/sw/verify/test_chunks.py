from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sim.chip.result import Mismatch, Result
from spikeloom.sim.cosim.options import CosimOptions
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.verify import chunks as module
from spikeloom.sw.verify.chunks import cosimulate
from tests.fixtures.synthetic import make_chip


class FakeVerilog:
    """The reference in the Verilog's place: the chunks are what is tested here."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, Any]] = []
        self.stop_at = -1
        self.wrong = -1

    def __call__(self, programmed: Any, images: Any, ids: Any, options: CosimOptions, **_: Any) -> Result:
        if int(ids[0]) == self.stop_at:
            raise KeyboardInterrupt
        self.calls.append((int(ids[0]), int(ids[-1]) + 1, options.trace))
        result = run_reference(programmed, images, ids=ids, trace=options.trace)
        if options.progress is not None:
            options.progress(len(images), len(images))
        classes = np.where(result.ids == self.wrong, (result.classes + 1) % 10, result.classes).astype(np.int32)
        return replace(result, classes=classes, cycles=np.full(len(images), 100, np.int64))


@pytest.fixture
def verilog(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVerilog]:
    fake = FakeVerilog()
    monkeypatch.setattr("spikeloom.sim.cosim.run.run_cosim", fake)
    monkeypatch.setattr(module, "CHUNK", 10)
    yield fake


def images(count: int = 35) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 64)).astype(np.uint8)


def test_chunks_together_are_the_whole(verilog: FakeVerilog) -> None:
    chip, pixels = make_chip(), images()
    seen: list[tuple[int, int]] = []
    result, comparison = cosimulate(chip, pixels, trace_images=3, progress=lambda a, b: seen.append((a, b)))
    assert verilog.calls == [
        (0, 3, "full"),
        (3, 10, "spikes"),
        (10, 20, "spikes"),
        (20, 30, "spikes"),
        (30, 35, "spikes"),
    ]
    assert run_reference(chip, pixels).compare(result) > 0
    assert comparison["images"] == 35 and comparison["mismatches"] == 0 and comparison["traced_images"] == 3
    neurons = sum(layer.outputs for layer in chip.parameters.layers)
    steps = int(result.steps.sum() + result.steps[:3].sum())  # membranes of the traced images as well
    per_image = 5 + 7 * len(chip.layers)
    assert comparison["values_compared"] == steps * neurons + 35 * per_image
    assert seen[-1] == (35, 35) and all(total == 35 for _, total in seen)


def test_a_stopped_run_goes_on_with_the_chunk_it_lost(verilog: FakeVerilog, tmp_path: Path) -> None:
    verilog.stop_at = 20
    with pytest.raises(KeyboardInterrupt):
        cosimulate(make_chip(), images(), chunks=tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "images_000000_000010.npz",
        "images_000010_000020.npz",
    ]
    verilog.stop_at = -1
    result, comparison = cosimulate(make_chip(), images(), chunks=tmp_path)
    assert [call[0] for call in verilog.calls] == [0, 10, 20, 30]
    whole, other = cosimulate(make_chip(), images())
    assert comparison == other and whole.compare(result) > 0
    assert result.cycles is not None and len(result.cycles) == 35


def test_a_damaged_chunk_is_run_again(verilog: FakeVerilog, tmp_path: Path) -> None:
    cosimulate(make_chip(), images(), chunks=tmp_path)
    (tmp_path / "images_000010_000020.npz").write_bytes(b"PK")
    verilog.calls.clear()
    cosimulate(make_chip(), images(), chunks=tmp_path)
    assert [call[0] for call in verilog.calls] == [10]


def test_a_difference_raises_and_its_chunk_is_not_kept(verilog: FakeVerilog, tmp_path: Path) -> None:
    verilog.wrong = 12
    with pytest.raises(Mismatch, match=r"^Image 12: classes is \d+ in the reference and \d+ in the Verilog$"):
        cosimulate(make_chip(), images(), chunks=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["images_000000_000010.npz"]


def test_waves_are_of_the_traced_images_and_recorded_each_time(verilog: FakeVerilog, tmp_path: Path) -> None:
    for _ in range(2):
        cosimulate(make_chip(), images(5), chunks=tmp_path, waves=tmp_path / "waves")
    assert verilog.calls == [(0, 1, "full"), (1, 5, "spikes"), (0, 1, "full")]
