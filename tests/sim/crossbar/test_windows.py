"""Windows as runs of a map's listed values."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from spikeloom.hw.params.parameters import Coding
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.sim.crossbar.array import CrossbarArray
from spikeloom.sim.crossbar.windows import LayerWindows, MapLists, map_of_pixels, window_runs
from tests.fixtures.networks import random_chip
from tests.fixtures.plans import plans
from tests.models.plain import plain_window


def test_pixels_come_channel_by_channel() -> None:
    shape = MapShape(channels=2, height=2, width=3)
    pixels = np.arange(12, dtype=np.uint8)[None]
    assert map_of_pixels(pixels, shape).tolist() == [[0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]]
    assert map_of_pixels(pixels, MapShape(channels=12)) is pixels


def test_runs_of_a_padded_window() -> None:
    """3 x 3 on 2 x 3 positions with stride 2: lines and columns outside are left out, rows keep their places."""
    window = Window(source=0, kernel=(3, 3), stride=(2, 2), padding=(1, 1))
    runs = window_runs(window, MapShape(channels=2, height=2, width=3))
    assert runs.shape == (2, 3, 3)
    assert runs[0].tolist() == [[0, 0, 0], [0, 2, 8], [3, 5, 8]]
    assert runs[1].tolist() == [[0, 0, 0], [1, 3, 4], [4, 6, 4]]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(plans(image_once=False))
def test_every_window_of_a_plan(plan: Plan) -> None:
    """Sums of reads are those of the rows that plain loops gather."""
    rng = np.random.default_rng(plan.maps[-1].channels)
    chip = random_chip(rng, plan=plan, row_bits=1, coding=Coding.EVEN, device_sigma=0.0, read_sigma=0.0, wire_ohm=0.0)
    maps = [(rng.random((2, shape.size)) < 0.4).astype(np.uint8) for shape in plan.maps]
    lists = MapLists(plan, 2, coded=False)
    for number, codes in enumerate(maps[:-1]):
        lists.add(number, codes)
    for placement, layer, shape in zip(plan.placements, chip.layers, chip.parameters.layers, strict=True):
        stage, number = placement.stage, placement.number
        array = CrossbarArray(stage.layer + placement.replica, layer, shape, chip.device, chip.seed)
        windows = LayerWindows(plan, stage, placement.replica)
        assert windows.positions == shape.positions
        pulses = np.zeros(shape.inputs, np.int64)
        products = array.window_products(lists.driven(windows, slice(1, 2)), pulses)
        expected = _rows(plan, stage, maps, 1, plan.maps[number + 1])[placement.replica :: stage.replicas]
        total = np.zeros(shape.inputs, np.int64)
        for position, rows in enumerate(expected):
            total += rows
            one = array.products(rows[None].astype(np.uint8))
            assert np.array_equal(products.unit[position], one.unit[0])
            read = one.unit[0] > 0
            assert np.array_equal(products.current[position][read], one.current[0][read])
        assert np.array_equal(pulses, total) and products.rows.tolist() == [int(total.sum())]


def _rows(plan: Plan, stage: CrossbarStage, maps: list[np.ndarray], image: int, made: MapShape) -> list[np.ndarray]:
    values = []
    for shape, codes in zip(plan.maps, maps, strict=True):
        given = codes[image].reshape(shape.height, shape.width, shape.channels)
        values.append({(c, y, x): int(given[y, x, c]) for y, x, c in np.ndindex(given.shape)})
    return [
        np.array(
            [row for w in stage.windows for row in plain_window(w, plan.maps[w.source], values[w.source], y, x)], int
        )
        for y in range(made.height)
        for x in range(made.width)
    ]
