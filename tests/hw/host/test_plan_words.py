"""Plans as words: there and back, and words that are not a plan."""

from __future__ import annotations

import pytest

from spikeloom.hw.host.plan_words import plan_of, words_of
from spikeloom.hw.params.plan import MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage
from tests.hw.feature_maps.test_stages import convolution, pooled, residual, single

PLANS = [
    convolution(),
    pooled(MaxPoolStage),
    pooled(AveragePoolStage),
    residual(),
    single(MapShape(channels=7)),
    convolution().with_replicas((20, 1)),
    residual().with_replicas((2, 3, 4, 1)),
]


@pytest.mark.parametrize("plan", PLANS)
def test_there_and_back(plan: Plan) -> None:
    words = words_of(plan)
    assert all(0 <= word < 1 << 32 for word in words)
    assert plan_of(words) == (None if plan.is_dense_chain else plan)


def test_dense_layers_need_no_words() -> None:
    assert words_of(Plan.dense((7, 5, 2))) == () and plan_of(()) is None


def test_words_of_a_convolution() -> None:
    window = [0, 0x30003, 0x10001, 0x10001]
    whole = [1, 0x50004, 0x10001, 0]
    assert list(words_of(convolution())) == [2, 5, 4, 0x100, 4, *window, 0x100, 3, *whole]
    assert list(words_of(convolution().with_replicas((3, 1)))) == [2, 5, 4, 0x20100, 4, *window, 0x100, 3, *whole]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([1, 2], r"^The 2 words of a plan end in the middle of a stage$"),
        ([1, 1, 1, 0x100], r"^The 4 words of a plan end in the middle of a stage$"),
        ([1, 1, 1, 0x100, 3, 0, 0x10001], r"^The 7 words of a plan end in the middle of a stage$"),
        ([1, 1, 1, 0x103, 0, 0, 0x10001, 0x10001, 0], r"^A stage of kind 3 with 1 windows"),
        ([1, 1, 1, 0x201, 0, 0, 0x10001, 0x10001, 0, 0, 0x10001, 0x10001, 0], r"^A stage of kind 1 with 2 windows"),
        ([1, 1, 1, 0x10101, 0, 0, 0x10001, 0x10001, 0], r"^A stage of kind 1 with 1 windows and 2 replicas"),
        ([0, 1, 1], r"^Map channels must be"),
    ],
)
def test_words_that_are_no_plan(words: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_of(words)


def test_windows_that_cannot_be_told() -> None:
    shape = MapShape(channels=1, height=70_000)
    plan = single(shape)
    assert plan.stages[0].windows == (Window(source=0, kernel=(70_000, 1)),)
    with pytest.raises(ValueError, match=r"must be below 65,536 in a plan's words"):
        words_of(plan)
