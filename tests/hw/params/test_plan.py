"""Plans of maps, windows and stages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage

IMAGE = MapShape(channels=3, height=8, width=6)


def _residual() -> Plan:
    """3 x 8 x 6 -> conv 3x3 -> conv 3x3 joined with the first map's strided 1x1 -> max 2x1 -> dense."""
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
        CrossbarStage(
            layer=1,
            windows=(
                Window(source=1, kernel=(3, 3), stride=(2, 2), padding=(1, 1)),
                Window(source=0, stride=(2, 2)),
            ),
        ),
        MaxPoolStage(window=Window(source=2, kernel=(2, 1), stride=(2, 1))),
        CrossbarStage(layer=2, windows=(Window(source=3, kernel=(2, 3)),)),
    )
    return Plan(input=IMAGE, stages=stages, channels=(4, 5, 10))


def test_maps_follow_from_windows() -> None:
    plan = _residual()
    assert [(m.channels, m.height, m.width) for m in plan.maps] == [
        (3, 8, 6),
        (4, 8, 6),
        (5, 4, 3),
        (5, 2, 3),
        (10, 1, 1),
    ]
    assert [plan.rows(stage) for _, stage in plan.crossbar_stages] == [27, 36 + 3, 30]
    assert not plan.is_dense_chain and Plan.dense((7, 5, 2)).is_dense_chain


def test_unit_checks_its_layers_against_the_plan() -> None:
    plan = _residual()
    layers = tuple(
        LayerParameters(inputs=plan.rows(stage), outputs=channels, positions=plan.maps[number + 1].positions, lanes=2)
        for (number, stage), channels in zip(plan.crossbar_stages, plan.channels, strict=True)
    )
    unit = NpuParameters(layers=layers, plan=plan, encoder_lanes=4)
    assert unit.inputs == 144 and unit.classes == 10 and layers[1].neurons == 60
    wrong = LayerParameters(inputs=39, outputs=5, positions=11, lanes=2)
    with pytest.raises(ValueError, match="Layer 1 has positions 11, but the plan says 12"):
        NpuParameters(layers=(layers[0], wrong, layers[2]), plan=plan, encoder_lanes=4)


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        ((CrossbarStage(layer=0, windows=(Window(source=1),)),), "Stage 0 reads map 1"),
        ((CrossbarStage(layer=1, windows=(Window.whole(0, IMAGE),)),), "layers must come in order"),
        ((CrossbarStage(layer=0, windows=(Window(source=0),)),), "single position"),
        ((CrossbarStage(layer=0, windows=()),), "has no window"),
        (
            (CrossbarStage(layer=0, windows=(Window(source=0), Window(source=0, stride=(2, 2)))),),
            "different numbers of positions",
        ),
        (
            (MaxPoolStage(window=Window(source=0, kernel=(2, 2), stride=(1, 1))),),
            "the stride must be the window",
        ),
        (
            (AveragePoolStage(window=Window(source=0, kernel=(2, 2), stride=(2, 2)), start=4),),
            "must be in 0 .. 3",
        ),
        (
            (
                MaxPoolStage(window=Window(source=0, kernel=(2, 2), stride=(2, 2))),
                CrossbarStage(layer=0, windows=(Window.whole(0, IMAGE),)),
            ),
            "Map 1 is not read",
        ),
    ],
)
def test_plans_that_cannot_be(stages: tuple, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Plan(input=IMAGE, stages=stages, channels=(10,))


def test_copies_are_layers_that_take_positions_in_turn() -> None:
    plan = _residual().with_replicas((5, 12, 1))
    assert [stage.layers for _, stage in plan.crossbar_stages] == [range(5), range(5, 17), range(17, 18)]
    assert plan.channels == (4,) * 5 + (5,) * 12 + (10,) and plan.maps == _residual().maps
    placements = plan.placements
    assert [placement.positions for placement in placements] == [10, 10, 10, 9, 9, *[1] * 13]
    assert [placement.number for placement in placements] == [0] * 5 + [1] * 12 + [3]
    assert [placement.replica for placement in placements] == [*range(5), *range(12), 0]
    assert plan.with_replicas((1, 1, 1)) == _residual()


def test_copies_that_cannot_be() -> None:
    plan = _residual()
    with pytest.raises(ValueError, match=r"^Stage 1 has 13 replicas, and only 12 positions for them$"):
        plan.with_replicas((1, 13, 1))
    with pytest.raises(ValueError, match=r"^Stage 3 has 2 replicas, and only 1 positions for them$"):
        plan.with_replicas((1, 1, 2))
    with pytest.raises(ValueError, match=r"^2 numbers of replicas are given for 3 crossbar stages$"):
        plan.with_replicas((1, 1))
    with pytest.raises(ValueError, match=r"^Replicas of a crossbar stage must be a positive integer, not 0$"):
        plan.with_replicas((1, 0, 1))
    stage = CrossbarStage(layer=0, windows=(Window(source=0),), replicas=2)
    with pytest.raises(ValueError, match=r"replicas with different numbers of channels, \[4, 5\]"):
        Plan(
            input=IMAGE,
            stages=(stage, CrossbarStage(layer=2, windows=(Window(source=1, kernel=(8, 6)),))),
            channels=(4, 5, 10),
        )


def test_copies_have_equal_parameters_but_for_positions() -> None:
    plan = _residual().with_replicas((1, 5, 1))
    layers = [
        LayerParameters(inputs=plan.rows(p.stage), outputs=channels, positions=p.positions, lanes=2)
        for p, channels in zip(plan.placements, plan.channels, strict=True)
    ]
    assert [layer.positions for layer in layers] == [48, 3, 3, 2, 2, 2, 1]
    NpuParameters(layers=tuple(layers), plan=plan, encoder_lanes=4)
    layers[3] = replace(layers[3], lanes=1)
    with pytest.raises(ValueError, match="Layer 3 is a replica of layer 1, and differs from it in more than positions"):
        NpuParameters(layers=tuple(layers), plan=plan, encoder_lanes=4)


def test_windows_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Window(source=0, kernel=(9, 1)).outputs(IMAGE)
    with pytest.raises(ValueError, match="padding"):
        Window(source=0, kernel=(2, 2), padding=(2, 0))
    with pytest.raises(ValueError, match="stride"):
        Window(source=0, stride=(0, 1))
