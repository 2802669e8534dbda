"""A learned rule and tuned factors as plain JSON, and back, with the numbers exact to the last bit."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from spikeloom.sw.common.errors import FileError, SpikeLoomError
from spikeloom.sw.common.files import readable_error
from spikeloom.sw.decision.allowed_loss import ChosenRule, StopChoice
from spikeloom.sw.decision.learn_rule import LearntRule
from spikeloom.sw.decision.q_learning import LearntQValues
from spikeloom.sw.decision.recorded import Curve
from spikeloom.sw.decision.trajectories import Search
from spikeloom.sw.passes.tune import Cost, Move, Tuned

__all__ = ["decision_json", "load_decision", "load_stopping", "load_tuned", "stopping_json", "tuned_json"]

T = TypeVar("T")

_DTYPES: dict[str, Any] = {"visits": np.int64, "shown": np.int64, "correct": np.int64}
"""Arrays that are not float64."""


def decision_json(learnt: LearntRule) -> str:
    """The text of `convert/decision.json`."""
    return _text(_plain(learnt))


def stopping_json(chosen: ChosenRule) -> str:
    """The text of `convert/stopping.json`."""
    return _text(_plain(chosen))


def tuned_json(tuned: Tuned) -> str:
    """The text of `convert/tuning.json`; accuracies that are not known are null."""
    return _text(_plain(tuned))


def load_decision(path: Path) -> LearntRule:
    """What `decision_json` wrote. Raises `FileError` if the file is missing or damaged."""
    return _load(path, "a learned decision rule", _learnt)


def load_stopping(path: Path) -> ChosenRule:
    """What `stopping_json` wrote. Raises `FileError` if the file is missing or damaged."""
    return _load(path, "a rule chosen for an allowed loss", _stopping)


def load_tuned(path: Path) -> Tuned:
    """What `tuned_json` wrote. Raises `FileError` if the file is missing or damaged."""
    return _load(path, "a tuning", _tuned)


def _text(values: Any) -> str:
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if isinstance(value, float) and value != value else value


def _load(path: Path, what: str, build: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        return build(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise FileError(readable_error(path, error, "read")) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FileError(
            f"'{path}' is not {what} of SpikeLoom, or damaged; make it again with `spikeloom run CONFIG --from convert`"
        ) from error


def _arrays(cls: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass whose lists are arrays, but for `ks`."""
    known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if known != set(values):
        raise SpikeLoomError(f"its keys are {', '.join(sorted(values))}, not {', '.join(sorted(known))}")
    return cls(
        **{
            name: np.array(value, _DTYPES.get(name, np.float64)) if isinstance(value, list) and name != "ks" else value
            for name, value in values.items()
        }
    )


def _learnt(values: Mapping[str, Any]) -> LearntRule:
    search = dict(values["search"])
    before = values["before"]
    return LearntRule(
        _arrays(LearntQValues, values["q_values"]),
        _arrays(Search, {**search, "ks": tuple(search["ks"])}),
        values["images"],
        None if before is None else _learnt(before),
    )


def _stopping(values: Mapping[str, Any]) -> ChosenRule:
    curves = ({**curve, "thresholds": tuple(curve["thresholds"])} for curve in values["curves"])
    return ChosenRule(
        **{
            **values,
            "choice": StopChoice(**values["choice"]),
            "compared": tuple(StopChoice(**each) for each in values["compared"]),
            "curves": tuple(_arrays(Curve, curve) for curve in curves),
        }
    )


def _tuned(values: Mapping[str, Any]) -> Tuned:
    history = tuple(
        Move(**{**move, "factors": tuple(move["factors"]), "cost": _cost(move["cost"])}) for move in values["history"]
    )
    costs = {name: _cost(values[name]) for name in ("before", "after")}
    return Tuned(**{**values, **costs, "factors": tuple(values["factors"]), "history": history})


def _cost(values: Mapping[str, Any]) -> Cost:
    return Cost(**{name: float("nan") if value is None else value for name, value in values.items()})
