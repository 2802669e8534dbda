"""The windows and cycles that docs/hardware/npu.md gives for two networks are those of the formula."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spikeloom.hw.params.cycles import Macro, step_cycles
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Stage, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage
from tests.hw.feature_maps.test_stages import unit_of

PAGE = (Path(__file__).parents[3] / "docs" / "hardware" / "npu.md").read_text(encoding="utf-8")


def small() -> Plan:
    """12c5-2s-64c5-2s-10."""
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(5, 5)),)),
        MaxPoolStage(window=Window(source=1, kernel=(2, 2), stride=(2, 2))),
        CrossbarStage(layer=1, windows=(Window(source=2, kernel=(5, 5)),)),
        MaxPoolStage(window=Window(source=3, kernel=(2, 2), stride=(2, 2))),
        CrossbarStage(layer=2, windows=(Window(source=4, kernel=(4, 4)),)),
    )
    return Plan(input=MapShape(channels=1, height=28, width=28), stages=stages, channels=(12, 64, 10))


def resnet_20() -> Plan:
    """Nine blocks of two 3x3 convolutions, of which the second joins the block's input; average pooling; dense."""

    def conv(source: int, stride: int = 1) -> Window:
        return Window(source=source, kernel=(3, 3), stride=(stride, stride), padding=(1, 1))

    stages: list[Stage] = [CrossbarStage(layer=0, windows=(conv(0),))]
    channels = [16]
    for width in (16, 32, 64):
        for block in range(3):
            stride, before = 2 if width > 16 and block == 0 else 1, len(stages)
            shortcut = Window(source=before, kernel=(1, 1), stride=(stride, stride))
            stages.append(CrossbarStage(layer=len(channels), windows=(conv(before, stride),)))
            stages.append(CrossbarStage(layer=len(channels) + 1, windows=(conv(before + 1), shortcut)))
            channels += [width, width]
    whole = Window(source=len(stages), kernel=(8, 8), stride=(8, 8))
    stages.append(AveragePoolStage(window=whole))
    stages.append(CrossbarStage(layer=len(channels), windows=(Window(source=len(stages), kernel=(1, 1)),)))
    return Plan(input=MapShape(channels=3, height=32, width=32), stages=tuple(stages), channels=(*channels, 10))


@pytest.mark.parametrize(
    ("name", "plan"),
    [("28x28, 12c5-2s-64c5-2s-10", small()), ("ResNet-20, 32x32x3", resnet_20())],
    ids=["Net2", "ResNet-20"],
)
def test_windows_and_cycles_of_a_step(name: str, plan: Plan) -> None:
    row = re.search(rf"^\| {re.escape(name)} \| ([\d,]+) \| ([\d,]+) \|", PAGE, re.M)
    assert row is not None
    windows, cycles = (int(value.replace(",", "")) for value in row.groups())
    unit = unit_of(plan, lanes=64)
    active = [[True] * layer.positions for layer in unit.layers]
    assert sum(len(positions) for positions in active) == windows
    assert step_cycles(unit, active, Macro(4, 1)).ends[-1] + 1 == cycles  # until the next step is offered
