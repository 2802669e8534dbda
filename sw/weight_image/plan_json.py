"""A plan of maps, windows and stages as JSON, for the weight image.

{"input": {"channels": 1, "height": 28, "width": 28}, "channels": [12, 10], "stages": [
    {"kind": "crossbar", "layer": 0, "replicas": 1, "windows": [
        {"source": 0, "kernel": [5, 5], "stride": [1, 1], "padding": [0, 0]}]},
    {"kind": "max", "window": {"source": 1, ...}, "start": 0}, ...]}

`channels` has a number for every replica. A crossbar without "replicas" has one (images of version 3).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from spikeloom.hw.params.plan import MapShape, Plan, Stage, Window
from spikeloom.hw.params.stage_kinds import STAGES
from spikeloom.sim.common.arguments import is_whole
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.weight_image.fields import built, entry

__all__ = ["plan_difference", "plan_from_json", "plan_to_json"]

_PLAN = "the plan"


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain lists, texts and numbers."""
    return {
        "input": dataclasses.asdict(plan.input),
        "channels": list(plan.channels),
        "stages": [_stage_to_json(stage) for stage in plan.stages],
    }


def _stage_to_json(stage: Stage) -> dict[str, Any]:
    """Its kind, and its fields as they are; windows are tables."""
    fields = {field.name: getattr(stage, field.name) for field in dataclasses.fields(stage)}  # type: ignore[arg-type]
    return {"kind": stage.name, **{name: _plain(value) for name, value in fields.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return _window_to_json(value) if isinstance(value, Window) else value


def _window_to_json(window: Window) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(window).items()}


def plan_from_json(values: dict[str, Any]) -> Plan:
    """The plan that `plan_to_json` gave. Raises `ValueError`, or what the plan itself raises, for anything else."""
    if not isinstance(values, dict):
        raise SpikeLoomError(f"{_PLAN} must be a table, not {values!r:.60}")
    channels = tuple(entry(values, "channels", list, _PLAN))
    if not all(is_whole(count) for count in channels):
        raise SpikeLoomError(f"channels of {_PLAN} must be whole numbers, not {list(channels)!r:.60}")
    image = built(MapShape, entry(values, "input", dict, _PLAN), f"the input of {_PLAN}")
    stages = tuple(
        _stage_from_json(stage, f"stage {number} of {_PLAN}")
        for number, stage in enumerate(entry(values, "stages", list, _PLAN))
    )
    return built(Plan, values, _PLAN, input=image, stages=stages, channels=channels)


def _stage_from_json(values: Any, where: str) -> Stage:
    if not isinstance(values, dict):
        raise SpikeLoomError(f"{where} must be a table, not {values!r:.60}")
    kind = entry(values, "kind", str, where)
    rest = {name: value for name, value in values.items() if name != "kind"}
    names = STAGES.where(lambda known: True)
    if kind not in names:
        raise SpikeLoomError(f"kind of {where} must be one of {', '.join(names)}, not {kind!r:.60}")
    cls = STAGES[kind]
    ready: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name == "windows":
            ready["windows"] = tuple(_window_from_json(w, where) for w in entry(rest, "windows", list, where))
        elif field.name == "window":
            ready["window"] = _window_from_json(entry(rest, "window", dict, where), where)
    return built(cls, rest, where, **ready)


def _window_from_json(values: Any, where: str) -> Window:
    if not isinstance(values, dict):
        raise SpikeLoomError(f"a window of {where} must be a table, not {values!r:.60}")
    pairs: dict[str, Any] = {}
    for name, value in values.items():
        pairs[name] = tuple(value) if isinstance(value, list) else value
        if name != "source" and not (isinstance(value, list) and all(is_whole(n) for n in value)):
            raise SpikeLoomError(f"{name} of a window of {where} must be whole numbers, not {value!r:.60}")
    return built(Window, pairs, f"a window of {where}")


def plan_difference(plan: Plan, expected: Plan) -> tuple[str, Any, Any] | None:
    """The first difference of two plans: what it is, and its two values; None for equal ones."""
    for name, a, b in (("input", plan.input, expected.input), ("stages", len(plan.stages), len(expected.stages))):
        if a != b:
            return f"{'number of ' * (name == 'stages')}{name} of the plan", a, b
    for number, (one, other) in enumerate(zip(plan.stages, expected.stages, strict=True)):
        if one != other:
            return f"stage {number} of the plan", one, other
    return None if plan == expected else ("channels of the plan", plan.channels, expected.channels)
