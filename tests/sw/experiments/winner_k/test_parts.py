from __future__ import annotations

from pathlib import Path

import pytest

from spikeloom.sw.config.config import Config
from spikeloom.sw.experiments.winner_k.parts import Parts
from spikeloom.sw.flow.flow import Flow


class Work:
    """Counts how often it is asked for, and leaves a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.ran = 0

    def __call__(self) -> dict[str, object]:
        self.ran += 1
        self.file.write_text("made")
        return {"values": (1, 2), "times": self.ran}


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(Config(), tmp_path, ())


def get(flow: Flow, work: Work, facts: object = 1, inputs: tuple[Path, ...] = ()) -> object:
    return Parts(flow, "step", (), 1).get("part", facts, inputs, work, (work.file,))


def test_a_part_is_made_once_and_comes_back_as_plain_values(flow: Flow, tmp_path: Path) -> None:
    work = Work(tmp_path / "file")
    assert get(flow, work) == get(flow, work) == {"values": [1, 2], "times": 1}
    assert work.ran == 1


def test_other_facts_inputs_or_files_make_it_again(flow: Flow, tmp_path: Path) -> None:
    work, source = Work(tmp_path / "file"), tmp_path / "source"
    get(flow, work, inputs=(source,))
    source.write_text("x")
    get(flow, work, inputs=(source,))
    assert work.ran == 2
    get(flow, work, facts=2, inputs=(source,))
    assert work.ran == 3
    work.file.write_text("changed")
    get(flow, work, facts=2, inputs=(source,))
    assert work.ran == 4


def test_a_damaged_part_is_made_again(flow: Flow, tmp_path: Path) -> None:
    work = Work(tmp_path / "file")
    get(flow, work)
    (tmp_path / "parts/step/part.json").write_text("{")
    assert get(flow, work) == {"values": [1, 2], "times": 2}


def test_progress_counts_parts(flow: Flow, tmp_path: Path) -> None:
    said: list[tuple[int, int, str]] = []
    flow.progress = lambda step, done, total, text: said.append((done, total, text))
    parts = Parts(flow, "step", (), 2)
    for name in ("a", "b"):
        parts.get(name, None, (), lambda: 1)
    assert said == [(0, 2, "parts, a"), (1, 2, "parts, b")]
