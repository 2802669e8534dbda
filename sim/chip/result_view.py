"""Views of a result: as one line, as rows, as columns and as a pandas data frame."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.sim.chip.origin import Origin

__all__ = ["result_columns", "result_frame", "result_line", "result_rows"]

_MOST_CLASSES = 20
"""Classes that are counted one by one where a result is printed."""

NO_ACCURACY = "accuracy is not known without labels"


class _Traced(Protocol):
    """Of a trace: whether it has membranes."""

    @property
    def membranes(self) -> object: ...


class _Viewed(Protocol):
    """What the views read of a `sim.chip.result.Result`."""

    def __len__(self) -> int: ...

    @property
    def ids(self) -> NDArray[np.int64]: ...

    @property
    def classes(self) -> NDArray[np.int32]: ...

    @property
    def steps(self) -> NDArray[np.int32]: ...

    @property
    def margins(self) -> NDArray[np.int64]: ...

    @property
    def reasons(self) -> NDArray[np.uint8]: ...

    @property
    def cycles(self) -> NDArray[np.int64] | None: ...

    @property
    def trace(self) -> _Traced | None: ...

    @property
    def origin(self) -> Origin | None: ...

    @property
    def counters(self) -> NDArray[np.int64]: ...

    @property
    def counts_from(self) -> str | None: ...

    @property
    def loads_from(self) -> str | None: ...


def result_line(result: _Viewed) -> str:
    """A result in a line, as `repr` has it between its brackets."""
    if not len(result):
        return "0 images"
    parts = [
        f"{len(result)} image{'s' if len(result) > 1 else ''}{_origin(result, ' of the ')}",
        f"classes {{{_classes(result)}}}" if _few(result) else _classes(result),
        f"{result.steps.mean():.2f} steps on average, {np.mean(result.reasons):.1%} ended by the rule",
    ]
    if result.cycles is not None:
        parts.append(f"{result.cycles.mean():.0f} clock cycles on average")
    what = [f"with {name}" for name in ("trace", "drift") if getattr(result, name) is not None]
    return "; ".join([*parts, *what, NO_ACCURACY])


def result_rows(result: _Viewed) -> list[tuple[str, str]]:
    """(name, value) rows for people."""
    rows = [("images", f"{len(result):,}")]
    if len(result):
        rows += [
            ("classes", _classes(result)),
            ("steps", f"{result.steps.mean():.2f} on average, {result.steps.min()} to {result.steps.max()}"),
            ("ended by the rule", f"{np.mean(result.reasons):.1%}"),
        ]
        if result.cycles is not None:
            rows.append(("clock cycles", f"{result.cycles.mean():,.0f} on average, {result.cycles.max():,} at most"))
    if result.counts_from != "itself":
        rows.append(
            ("activity counts", "of the reference" if result.counts_from else "not known: no activity counters")
        )
    if result.loads_from != "itself":
        rows.append(("loads of rows", "of the reference" if result.loads_from else "not known: not of a model"))
    trace = result.trace
    traced = "no" if trace is None else "spikes" if trace.membranes is None else "spikes and membranes"
    return [
        *rows,
        ("origin", _origin(result) or "not known"),
        ("traced", traced),
        ("accuracy", "not known without labels: result.accuracy(labels)"),
    ]


def result_columns(result: _Viewed) -> dict[str, NDArray[Any]]:
    """A column each of a table with a row per image, in this order.

    `chip` (its number), `class`, `steps`, `margin`, `reason` ("rule" or "t_max"); `cycles` and `gaps` of a result that
    has them; and, if somebody has counted, of every layer what the hardware counts, `layer0_row_pulses` and so on, in
    the order of `hw.interfaces.activity.COUNTERS`.
    """
    columns: dict[str, NDArray[Any]] = {
        "image": result.ids,
        "class": result.classes,
        "steps": result.steps,
        "margin": result.margins,
        "reason": np.where(result.reasons == 1, "rule", "t_max"),
    }
    columns |= {name: known for name in ("cycles", "gaps") if (known := getattr(result, name)) is not None}
    if result.counts_from is None:
        return columns
    counters = result.counters
    for layer in range(counters.shape[1]):
        columns |= {f"layer{layer}_{name}": counters[:, layer, place] for place, name in enumerate(COUNTERS)}
    return columns


def result_frame(result: _Viewed) -> Any:
    """The columns as a `pandas.DataFrame`; `ModuleNotFoundError`, with the remedy, where pandas is not installed."""
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "to_dataframe needs pandas, which is not installed: install it (pip install pandas), or take "
            "result.columns(), the same columns as NumPy arrays",
            name=error.name,
        ) from None
    return pandas.DataFrame(result_columns(result))


def _few(result: _Viewed) -> bool:
    return len(np.unique(result.classes)) <= _MOST_CLASSES


def _classes(result: _Viewed) -> str:
    numbers, counts = np.unique(result.classes, return_counts=True)
    if not _few(result):
        return f"{len(numbers)} different classes"
    return ", ".join(f"{number}: {count}" for number, count in zip(numbers, counts, strict=True))


def _origin(result: _Viewed, before: str = "") -> str:
    """What ran the images, in words; nothing where it is not known."""
    if result.origin is None:
        return ""
    if result.origin.simulator is None:
        return f"{before}integer reference"
    return f"{before}Verilog in {result.origin.simulator}" + (
        "" if result.origin.through_bus is None else ", over the host buses"
    )
