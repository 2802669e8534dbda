"""A plan of maps, windows and stages as JSON, for the weight image.

{"image": {"channels": 1, "height": 28, "width": 28}, "channels": [12, 10], "stages": [
    {"kind": "crossbar", "layer": 0, "copies": 1, "windows": [
        {"source": 0, "kernel": [5, 5], "stride": [1, 1], "padding": [0, 0]}]},
    {"kind": "max", "window": {"source": 1, ...}, "start": 0}, ...]}

`channels` has a number for every copy. A crossbar without "copies" has one (images of version 3).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hw.geometry import CrossbarStage, MapShape, Plan, Pooling, PoolStage, Stage, Window

__all__ = ["plan_difference", "plan_from_json", "plan_to_json"]

_CROSSBAR = "crossbar"


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain lists, texts and numbers."""
    return {
        "image": dataclasses.asdict(plan.image),
        "channels": list(plan.channels),
        "stages": [_stage_to_json(stage) for stage in plan.stages],
    }


def _stage_to_json(stage: Stage) -> dict[str, Any]:
    if isinstance(stage, CrossbarStage):
        windows = [_window_to_json(w) for w in stage.windows]
        return {"kind": _CROSSBAR, "layer": stage.layer, "copies": stage.copies, "windows": windows}
    return {"kind": stage.kind.name.lower(), "window": _window_to_json(stage.window), "start": stage.start}


def _window_to_json(window: Window) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(window).items()}


def plan_from_json(values: dict[str, Any]) -> Plan:
    """The plan that `plan_to_json` gave. Raises ValueError, TypeError or KeyError for anything else."""
    rest = dict(values)
    image, channels, stages = rest.pop("image"), rest.pop("channels"), rest.pop("stages")
    _nothing_left(rest)
    return Plan(
        image=MapShape(**image),
        stages=tuple(_stage_from_json(stage) for stage in stages),
        channels=tuple(channels),
    )


def _stage_from_json(values: dict[str, Any]) -> Stage:
    rest = dict(values)
    kind = rest.pop("kind")
    stage: Stage
    if kind == _CROSSBAR:
        windows = tuple(_window_from_json(window) for window in rest.pop("windows"))
        stage = CrossbarStage(layer=rest.pop("layer"), windows=windows, copies=rest.pop("copies", 1))
    else:
        window = _window_from_json(rest.pop("window"))
        stage = PoolStage(kind=Pooling[kind.upper()], window=window, start=rest.pop("start"))
    _nothing_left(rest)
    return stage


def _window_from_json(values: dict[str, Any]) -> Window:
    pairs: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return Window(**pairs)


def _nothing_left(rest: dict[str, Any]) -> None:
    if rest:
        raise ValueError(f"A plan has no {', '.join(sorted(rest))}")


def plan_difference(found: Plan, expected: Plan) -> tuple[str, Any, Any] | None:
    """The first difference of two plans: what it is, and its two values; None for equal ones."""
    for name, a, b in (("image", found.image, expected.image), ("stages", len(found.stages), len(expected.stages))):
        if a != b:
            return f"{'number of ' * (name == 'stages')}{name} of the plan", a, b
    for number, (one, other) in enumerate(zip(found.stages, expected.stages, strict=True)):
        if one != other:
            return f"stage {number} of the plan", one, other
    return None if found == expected else ("channels of the plan", found.channels, expected.channels)
