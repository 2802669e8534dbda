"""Random small plans: convolutions of every kernel, stride and padding, pooling of both kinds, joins."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from hypothesis import strategies as st

from hw.geometry import CrossbarStage, MapShape, Plan, Pooling, PoolStage, Stage, Window

Choose = Callable[[int, int], int]
"""choose(low, high): an integer in low .. high."""


def make_plan(choose: Choose, image_once: bool = False) -> Plan:
    """A plan of 1 to 6 stages, of which some have copies. `image_once`: only the first stage, a crossbar, reads the
    image.
    """
    image = MapShape(channels=choose(1, 3), height=choose(1, 7), width=choose(1, 7))
    maps, stages, channels = [image], [], []
    for _ in range(choose(0, 5)):
        source = len(maps) - 1
        stage: Stage
        if choose(0, 3) == 0 and not (image_once and source == 0):
            stage = _pool(choose, source, maps[source])
            (height, width), made = stage.window.outputs(maps[source]), maps[source].channels
        else:
            window = _window(choose, source, maps[source])
            height, width = window.outputs(maps[source])
            windows = [window]
            for _ in range(choose(0, 2) // 2 * choose(1, 2)):
                windows += _joined(choose, maps[int(image_once) :], int(image_once), (height, width))
            if len(windows) > 1 and choose(0, 1):
                windows.reverse()
            stage, made = CrossbarStage(layer=len(channels), windows=tuple(windows)), choose(1, 6)
            channels.append(made)
        stages.append(stage)
        maps.append(MapShape(channels=made, height=height, width=width))
    source = len(maps) - 1
    stages.append(CrossbarStage(layer=len(channels), windows=(Window.whole(source, maps[source]),)))
    plan = Plan(image=image, stages=tuple(stages), channels=(*channels, choose(1, 5)))
    return plan.with_copies([_copies(choose, plan.maps[number + 1].positions) for number, _ in plan.crossbars])


def _copies(choose: Choose, positions: int) -> int:
    """One, or a few; a position each where there are few."""
    return min(positions, (1, 1, 2, 3, 4, 5)[choose(0, 5)])


def _window(choose: Choose, source: int, shape: MapShape) -> Window:
    sizes = (shape.height, shape.width)
    padding = tuple(choose(0, 2) for _ in sizes)
    kernel = tuple(
        choose(pad + 1, max(pad + 1, min(5, size + 2 * pad))) for size, pad in zip(sizes, padding, strict=True)
    )
    return Window(source=source, kernel=kernel, stride=(choose(1, 3), choose(1, 3)), padding=padding)


def _joined(choose: Choose, maps: list[MapShape], first: int, size: tuple[int, int]) -> list[Window]:
    """A window of some map with as many positions, or none if there is none."""
    found = []
    for source, shape in enumerate(maps, first):
        for kernel, stride, padding in product((1, 2, 3), (1, 2), (0, 1)):
            if padding < kernel <= min(shape.height, shape.width) + 2 * padding:
                window = Window(
                    source=source, kernel=(kernel, kernel), stride=(stride, stride), padding=(padding, padding)
                )
                if window.outputs(shape) == size:
                    found.append(window)
    return [found[choose(0, len(found) - 1)]] if found else []


def _pool(choose: Choose, source: int, shape: MapShape) -> PoolStage:
    kernel = (choose(1, min(3, shape.height)), choose(1, min(3, shape.width)))
    kind = Pooling(choose(0, 1))
    start = choose(0, kernel[0] * kernel[1] - 1) if kind == Pooling.AVERAGE else 0
    return PoolStage(kind=kind, window=Window(source=source, kernel=kernel, stride=kernel), start=start)


def random_plan(rng: np.random.Generator, image_once: bool = False) -> Plan:
    """A random plan."""
    return make_plan(lambda low, high: int(rng.integers(low, high + 1)), image_once)


@st.composite
def plans(draw: st.DrawFn, image_once: bool = False) -> Plan:
    """Plans as Hypothesis draws them."""
    return make_plan(lambda low, high: draw(st.integers(low, high)), image_once)
