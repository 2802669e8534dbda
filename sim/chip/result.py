"""Results of a run, and bit-exact comparison between reference, Verilog and host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.label_shift import shift_in_words, shift_of
from spikeloom.sim.chip.origin import Origin
from spikeloom.sim.chip.result_view import result_columns, result_frame, result_line, result_rows
from spikeloom.sim.common.arguments import check_labels
from spikeloom.sim.common.plain_table import html_table
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.common.slips import warn

__all__ = ["ACTIVITIES", "Mismatch", "Result", "Trace", "from_counters", "uncounted"]

ACTIVITIES = (*(name for name in COUNTERS if name != "spikes"), "conductance", "stray")
"""Keys of `Result.activity`. The first four are hardware counters; `conductance` is the sum over row pulses of the
row's conductance, x^2 * sum (Gp + Gn), in units of dG / 1024 (and 1/255^2 with 8-bit row codes): crossbar energy.
`stray` is what wires let go astray between rows beyond that, in units of dG / 2^20 (`sim.crossbar.stray`); 0 without
wires."""


class Mismatch(SpikeLoomError):
    """Two results that must agree differ; the sentence names image, layer, step, neuron (or position and
    channel) and both values."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Every spike, and optionally every membrane, of every layer and step; 0 in steps that were not run.

    Parameters
    ----------
    spikes : per layer, uint8 [images, steps, ceil(outputs / 8)], bits packed by `numpy.packbits`
    membranes : per layer, int32 (int64 where membranes are wider) [images, steps, outputs], values after the reset;
        None if not recorded
    outputs : neurons of each layer: channels at every position, number position * channels + channel
    channels : channels of each layer; those with as many neurons have a single position. As `outputs` if not given
    """

    spikes: tuple[NDArray[np.uint8], ...]
    membranes: tuple[NDArray[np.int32] | NDArray[np.int64], ...] | None
    outputs: tuple[int, ...]
    channels: tuple[int, ...] = ()

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if not self.channels:
            object.__setattr__(self, "channels", self.outputs)

    def place(self, layer: int, neuron: int) -> str:
        """A neuron in words: its number, or position and channel in a layer that has several positions."""
        channels = self.channels[layer]
        if channels == self.outputs[layer]:
            return f"neuron {neuron}"
        return f"position {neuron // channels}, channel {neuron % channels}"

    @classmethod
    def concatenate(cls, traces: Sequence[Trace]) -> Trace:
        """Traces of consecutive images as one, padded to the longest."""
        steps = max(spikes.shape[1] for trace in traces for spikes in trace.spikes)
        layers = range(len(traces[0].outputs))
        spikes = tuple(np.concatenate([_padded(trace.spikes[i], steps) for trace in traces]) for i in layers)
        all_membranes = [trace.membranes for trace in traces if trace.membranes is not None]
        membranes = None
        if len(all_membranes) == len(traces):
            membranes = tuple(np.concatenate([_padded(part[i], steps) for part in all_membranes]) for i in layers)
        return cls(spikes, membranes, traces[0].outputs, traces[0].channels)

    def part(self, rows: NDArray[np.int64]) -> Trace:
        """The trace of some of the images."""
        membranes = None if self.membranes is None else tuple(array[rows] for array in self.membranes)
        return Trace(tuple(array[rows] for array in self.spikes), membranes, self.outputs, self.channels)

    def unpacked(self, layer: int) -> NDArray[np.bool_]:
        """Spikes of a layer as bool [images, steps, outputs]."""
        return np.unpackbits(self.spikes[layer], axis=-1, count=self.outputs[layer]).astype(bool)


@dataclass(frozen=True, eq=False)
class Result:
    """One row per image.

    Parameters
    ----------
    classes : int32 [images], the decision
    steps : int32 [images], steps used
    margins : int64 [images], score of the best class less that of the second
    reasons : uint8 [images], 1 where the rule ended inference, 0 where T_max did
    spikes : int64 [images, layers], spikes each layer emitted
    activity : int64 [images, layers] for each of `ACTIVITIES`
    cycles : int64 [images] clock cycles, from the Verilog only
    gaps : int64 [images] clock cycles from the result before to the image's first read, through the bus only
    ids : int64 [images], the number each image's random draws are addressed by
    trace : present if asked for
    drift : where the cells are after the last image, if they drift
    origin : chip and images that it was measured on; of results of `Chip.predict` and `Chip.cosim`
    class_count : classes that the chip has, for the check of labels; None if it is not known
    counts_from : who has counted `spikes` and what of `activity` the hardware counts: "itself"; "reference", of a unit
        without activity counters; or None, where they are 0 and not known
    loads_from : likewise, who has added up `conductance` and `stray`: None where crossbars are real, or emulated
    """

    classes: NDArray[np.int32]
    steps: NDArray[np.int32]
    margins: NDArray[np.int64]
    reasons: NDArray[np.uint8]
    spikes: NDArray[np.int64]
    activity: dict[str, NDArray[np.int64]]
    ids: NDArray[np.int64]
    cycles: NDArray[np.int64] | None = None
    gaps: NDArray[np.int64] | None = None
    trace: Trace | None = field(default=None, repr=False)
    drift: DriftSnapshot | None = field(default=None, repr=False)
    origin: Origin | None = field(default=None, repr=False)
    class_count: int | None = None
    counts_from: Literal["itself", "reference"] | None = "itself"
    loads_from: Literal["itself", "reference"] | None = "itself"

    def __len__(self) -> int:
        return len(self.classes)

    def __repr__(self) -> str:
        return f"Result({result_line(self)})"

    def _repr_html_(self) -> str:
        return html_table("Result", result_rows(self))

    def columns(self) -> dict[str, NDArray[Any]]:
        """The result as a table: NumPy arrays by column, a row per image; see `sim.chip.result_view.result_columns`."""
        return result_columns(self)

    def to_dataframe(self) -> Any:
        """`columns` as a `pandas.DataFrame`; pandas, which comes with nothing here, has to be installed."""
        return result_frame(self)

    @property
    def counters(self) -> NDArray[np.int64]:
        """What the hardware counts, int64 [images, layers, counters], in the order of
        `hw.interfaces.activity.COUNTERS`. Raises `ValueError` where nothing has counted."""
        self.check_counted()
        known = {**self.activity, "spikes": self.spikes}
        return np.stack([known[name] for name in COUNTERS], axis=2)

    def check_counted(self) -> None:
        """Raise `ValueError` for a result without counts."""
        if self.counts_from is None:
            raise SpikeLoomError(
                "The result has no activity counts, since its unit is built without activity counters; give a result "
                "of chip.predict, or build them, by [hardware] activity_counters = true"
            )

    def check_loads(self) -> None:
        """Raise `ValueError` for a result without sums over the conductances of the driven rows."""
        if self.loads_from is None:
            raise SpikeLoomError(
                "What the crossbars take is not known of this result: only the model of devices adds up the "
                "conductances of driven rows, and not a board; give the images too, or a result of chip.predict"
            )

    @property
    def whole(self) -> bool:
        """Whether all of `spikes` and `activity` is known."""
        return self.counts_from is not None and self.loads_from is not None

    def counted_by(self, reference: Result) -> Result:
        """The result with those counts, of the reference's of the same images, that it has not counted itself."""
        taken: dict[str, Any] = {}
        known = set(ACTIVITIES)
        if self.counts_from != "itself":
            known -= set(COUNTERS)
            taken |= {"spikes": reference.spikes, "counts_from": "reference"}
        if self.loads_from != "itself":
            known &= set(COUNTERS)
            taken["loads_from"] = "reference"
        own = {name: self.activity[name] for name in known}
        return replace(self, activity=reference.activity | own, **taken) if taken else self

    @classmethod
    def concatenate(cls, results: Sequence[Result]) -> Result:
        """Results of consecutive images as one; traces are kept if all have them, cycles and gaps
        likewise; the drift is that of the last.
        """
        if not results:
            raise SpikeLoomError("There must be at least one result to concatenate")
        joined = {
            name: np.concatenate([getattr(result, name) for result in results])
            for name in ("classes", "steps", "margins", "reasons", "spikes", "ids")
        }
        activity = {name: np.concatenate([result.activity[name] for result in results]) for name in ACTIVITIES}
        cycles = [result.cycles for result in results if result.cycles is not None]
        gaps = [result.gaps for result in results if result.gaps is not None]
        traces = [result.trace for result in results if result.trace is not None]
        return cls(
            **joined,
            activity=activity,
            cycles=np.concatenate(cycles) if len(cycles) == len(results) else None,
            gaps=np.concatenate(gaps) if len(gaps) == len(results) else None,
            trace=Trace.concatenate(traces) if len(traces) == len(results) else None,
            drift=results[-1].drift,
            origin=Origin.joined([result.origin for result in results]),
            class_count=results[-1].class_count,
            counts_from=results[-1].counts_from,
            loads_from=results[-1].loads_from,
        )

    def part(self, rows: NDArray[np.int64]) -> Result:
        """The result of some of the images, by their rows; without a drift, which is known at the end only."""
        names = ("classes", "steps", "margins", "reasons", "spikes", "ids")
        return Result(
            **{name: getattr(self, name)[rows] for name in names},
            activity={name: values[rows] for name, values in self.activity.items()},
            cycles=None if self.cycles is None else self.cycles[rows],
            gaps=None if self.gaps is None else self.gaps[rows],
            trace=None if self.trace is None else self.trace.part(rows),
            origin=None if self.origin is None else self.origin.part(rows),
            class_count=self.class_count,
            counts_from=self.counts_from,
            loads_from=self.loads_from,
        )

    def accuracy(self, labels: Any) -> float:
        """Share of images whose class is the label, 0 .. 1.

        labels : array, tensor or list of integers [images], 0 .. `class_count` - 1

        Warns about labels that are the classes, shifted by one. Raises `TypeError` for anything but integers,
        `ValueError` for another number of them or a class that there is not.
        """
        known = check_labels(labels, len(self), self.class_count)
        found = shift_of(self.classes, known)
        if found is not None:
            warn(f"T{shift_in_words(*found, whose='the chip')[1:]}; give labels that start at 0")
        return float(np.mean(self.classes == known))

    def compare(self, other: Result, names: tuple[str, str] = ("this", "other")) -> int:
        """Check that `other` has the same bits; return how many values were compared.

        Traces are compared where both have them. Raises `Mismatch` at the first difference: in the images' numbers, in
        the images themselves (where both results know them), in the traces (earliest image, then step, layer, neuron),
        in decisions, in counts (where both have counted), in where the cells have drifted. The sentence names both
        values.
        """
        if not isinstance(other, Result):
            raise ArgumentTypeError(f"A result can only be compared with a Result, not {type(other).__name__}")
        if len(self) != len(other) or self.spikes.shape != other.spikes.shape:
            sizes = [
                f"{name} has {r.spikes.shape[0]} images of {r.spikes.shape[1]} layers"
                for name, r in zip(names, (self, other), strict=True)
            ]
            raise Mismatch(", ".join(sizes))
        compared = _compare_array(self.ids, other.ids, "ids", self.ids, names)
        self._check_images(other, names)
        compared += self._compare_traces(other, names)
        for name in ("classes", "steps", "margins", "reasons"):
            compared += _compare_array(getattr(self, name), getattr(other, name), name, self.ids, names)
        both = self.counts_from == other.counts_from == "itself"
        if both:
            compared += _compare_array(self.spikes, other.spikes, "spikes", self.ids, names)
        loads = self.loads_from == other.loads_from == "itself"
        for name in (name for name in ACTIVITIES if (both if name in COUNTERS else loads)):
            compared += _compare_array(self.activity[name], other.activity[name], name, self.ids, names)
        return compared + self._compare_drift(other, names)

    def _check_images(self, other: Result, names: tuple[str, str]) -> None:
        """Raise where both say which images they are of, and those are others."""
        if self.origin is None or other.origin is None:
            return
        rows = np.flatnonzero((self.origin.images != other.origin.images).any(axis=1))
        if len(rows):
            raise Mismatch(
                f"{names[0]} and {names[1]} are results of different images: {len(rows)} of {len(self)} are others, "
                f"the first of them number {int(self.ids[rows[0]])}; compare results of the same images"
            )

    def _compare_drift(self, other: Result, names: tuple[str, str]) -> int:
        if self.drift is None and other.drift is None:
            return 0
        if self.drift is None or other.drift is None:
            raise Mismatch(f"Cells drift in {names[self.drift is None]}, and not in {names[self.drift is not None]}")
        difference = self.drift.difference(other.drift, names)
        if difference is not None:
            raise Mismatch(difference)
        return self.drift.values

    def _compare_traces(self, other: Result, names: tuple[str, str]) -> int:
        if self.trace is None or other.trace is None:
            return 0
        a, b = self.trace, other.trace
        if a.outputs != b.outputs:
            raise Mismatch(f"{names[0]} has layers of {a.outputs} neurons, {names[1]} of {b.outputs}")
        steps = int(max(self.steps.max(initial=0), other.steps.max(initial=0)))
        first: tuple[tuple[int, int, int, int], str] | None = None
        compared = 0
        for layer, outputs in enumerate(a.outputs):
            left, right = _padded(a.spikes[layer], steps), _padded(b.spikes[layer], steps)
            compared += int(self.steps.sum()) * outputs
            where = np.argwhere(left != right)
            if len(where):
                image, step = (int(v) for v in where[0][:2])
                bits = np.unpackbits(left[image, step]) != np.unpackbits(right[image, step])
                neuron = int(np.argmax(bits))
                value = int(np.unpackbits(left[image, step])[neuron])
                text = f"spike is {value} in {names[0]} and {1 - value} in {names[1]}"
                first = _earlier(first, (image, step, layer, neuron), text)
            if a.membranes is None or b.membranes is None:
                continue
            va, vb = _padded(a.membranes[layer], steps), _padded(b.membranes[layer], steps)
            compared += int(self.steps.sum()) * outputs
            where = np.argwhere(va != vb)
            if len(where):
                image, step, neuron = (int(v) for v in where[0])
                text = (
                    f"membrane is {int(va[image, step, neuron])} in {names[0]} "
                    f"and {int(vb[image, step, neuron])} in {names[1]}"
                )
                first = _earlier(first, (image, step, layer, neuron), text)
        if first is not None:
            (image, step, layer, neuron), text = first
            place = a.place(layer, neuron)
            raise Mismatch(f"Image {int(self.ids[image])}, layer {layer}, step {step + 1}, {place}: {text}")
        return compared


def from_counters(counters: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """`Result.spikes`, and what of `Result.activity` the hardware counts, from what `Result.counters` gives."""
    known = {name: counters[:, :, place] for place, name in enumerate(COUNTERS)}
    return known.pop("spikes"), known


def uncounted(images: int, layers: int) -> tuple[NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """What `from_counters` gives, of a unit that counts nothing: zeros."""
    return from_counters(np.zeros((images, layers, len(COUNTERS)), np.int64))


def _earlier(
    first: tuple[tuple[int, int, int, int], str] | None, place: tuple[int, int, int, int], text: str
) -> tuple[tuple[int, int, int, int], str]:
    return (place, text) if first is None or place < first[0] else first


def _padded(array: NDArray[Any], steps: int) -> NDArray[Any]:
    """The array with its step axis (1) extended by zeros to `steps`."""
    missing = steps - array.shape[1]
    if missing <= 0:
        return array[:, :steps]
    return np.concatenate([array, np.zeros((array.shape[0], missing, *array.shape[2:]), array.dtype)], axis=1)


def _compare_array(a: NDArray[Any], b: NDArray[Any], what: str, ids: NDArray[np.int64], names: tuple[str, str]) -> int:
    if np.shape(a) != np.shape(b):
        raise Mismatch(f"{what} has shape {np.shape(a)} in {names[0]} and {np.shape(b)} in {names[1]}")
    where = np.argwhere(np.asarray(a) != np.asarray(b))
    if len(where):
        place = tuple(int(v) for v in where[0])
        layer = f", layer {place[1]}" if len(place) > 1 else ""
        values = f"{int(a[place])} in {names[0]} and {int(b[place])} in {names[1]}"
        raise Mismatch(f"Image {int(ids[place[0]])}{layer}: {what} is {values}")
    return int(np.size(a))
