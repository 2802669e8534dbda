"""Plots of chips and results, as matplotlib axes: those of the report, for notebooks and scripts.

    from spikeloom import plots
    axes = plots.energy(chip, chip.cosim(images[:20]))
    axes.figure.savefig("energy.svg")

Functions take the chip first; those of what `Chip.by_step` gives take that, or several by their labels, to be compared
in one picture. Without `axes` a function makes a figure through `matplotlib.pyplot`, which notebooks show
by themselves and scripts with `pyplot.show()`; with `axes` it draws there. It returns the axes: one, or an array of
them where the picture has several panels.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.sim.chip.result import Result, Trace
from spikeloom.sim.common.arguments import check_labels, check_whole
from spikeloom.sw.analysis import accuracy
from spikeloom.sw.analysis import classes as by_class
from spikeloom.sw.analysis.energy_counts import COMPONENTS
from spikeloom.sw.chip import Chip
from spikeloom.sw.common.labels import layer_label
from spikeloom.sw.diagnostics.by_step.result import ByStep
from spikeloom.sw.report.plots import by_step as steps
from spikeloom.sw.report.plots import overview
from spikeloom.sw.report.plots.style import STYLE
from spikeloom.sw.verify.measured import check_result

__all__ = [
    "accuracy_over_steps", "approximation_error", "conductance_maps", "confusion_matrix", "energy",
    "error_against_cost", "error_by_step", "firing_rates", "layer_errors", "membranes", "moving_averages",
    "noise_spikes", "raster", "steps_histogram",
]  # fmt: skip

P = ParamSpec("P")
T = TypeVar("T")
Panels = NDArray[np.object_]
"""Axes, one per panel."""
Runs = ByStep | Mapping[str, ByStep]
"""What `Chip.by_step` gives; or several of them by their labels."""


def _checked(plot: Callable[P, T]) -> Callable[P, T]:
    """The plot, after a look at what it is given: a chip, and a result of it where it takes one."""
    signature = inspect.signature(plot)

    @functools.wraps(plot)
    def checked(*args: P.args, **keywords: P.kwargs) -> T:
        given = signature.bind(*args, **keywords).arguments
        chip, result = given["chip"], given.get("result")
        if not isinstance(chip, Chip):
            swapped = "; the chip comes first" if isinstance(result, Chip) else ""
            raise ArgumentTypeError(
                f"chip must be what spikeloom.compile or spikeloom.load returns, not {type(chip).__name__}{swapped}"
            )
        needs = "result" in signature.parameters and signature.parameters["result"].default is inspect.Parameter.empty
        if needs or result is not None:
            check_result(chip.programmed, result)
        return plot(*args, **keywords)

    return checked


@_checked
def steps_histogram(chip: Chip, result: Result, axes: Axes | None = None) -> Axes:
    """Share of the images by steps used, and the mean."""
    ax = _one(axes, 5.2, 3.2)
    overview.steps_histogram(result.steps, chip.programmed.t_max, ax)
    return ax


@_checked
def accuracy_over_steps(
    chip: Chip, images: Any, labels: Any, result: Result | None = None, axes: Axes | None = None
) -> Axes:
    """Accuracy if every image were decided after step 1, 2, ... T_max; runs the reference once.

    images, labels : as for `Chip.report`
    result : of these images; its mean steps and accuracy are marked, which is where the decision rule lies
    """
    pixels = chip.pixels(images)
    known = check_labels(labels, len(pixels), chip.parameters.classes)
    decided = None
    if result is not None:
        check_result(chip.programmed, result, pixels)
        decided = float(np.mean(result.steps)), result.accuracy(known)
    values = accuracy.accuracy_by_steps(chip.programmed, pixels, known)
    ax = _one(axes, 5.2, 3.2)
    overview.accuracy_by_steps([np.nan if value is None else value for value in values], decided, axes=ax)
    return ax


@_checked
def energy(chip: Chip, result: Result, images: Any = None, axes: Axes | None = None) -> Axes:
    """Modelled energy of an image by part, typical, with lines from low to high: what `Chip.energy` gives."""
    found = chip.energy(result, images)
    parts = {name: found[name] for name in COMPONENTS}
    ax = _one(axes, 5.2, 0.9 + 0.42 * sum(value is not None for value in parts.values()))
    overview.energy(parts, ax)
    return ax


@_checked
def confusion_matrix(chip: Chip, result: Result, labels: Any, axes: Axes | None = None) -> Axes:
    """Images by class (row) and decision (column).

    labels : integers [images], of the result's images
    """
    known = check_labels(labels, len(result), chip.parameters.classes)
    ax = _one(axes, 5.2, 4.6)
    overview.confusion(by_class.confusion_matrix(result.classes, known, chip.parameters.classes), ax)
    return ax


@_checked
def raster(chip: Chip, result: Result, image: int = 0, axes: Sequence[Axes] | None = None) -> Panels:
    """Every spike of one image until its decision, a panel per layer.

    result : with a trace, of `predict(..., trace="spikes")`
    image : row of the result
    """
    trace, steps = _traced(chip, result, image, 'trace="spikes"')
    names = [layer_label(layer.name) for layer in chip.programmed.layers]
    panels = _many(axes, "raster, one per layer", 9.4, 1.4 + 1.45 * len(names), rows=len(names))
    part = trace.part(np.array([image]))
    overview.raster([part.unpacked(layer)[0, :steps] for layer in range(len(names))], names, axes=panels.tolist())
    return panels


@_checked
def membranes(chip: Chip, result: Result, image: int = 0, axes: Sequence[Axes] | None = None) -> Panels:
    """Membranes of one image after the reset until its decision, and the threshold, a panel per layer, first replicas
    only.

    result : with a full trace, of `predict(..., trace="full")`
    image : row of the result
    """
    trace, steps = _traced(chip, result, image, 'trace="full"')
    if trace.membranes is None:
        raise SpikeLoomError("The result's trace has spikes only, and no membranes: run with trace='full'")
    own = [layer for layer, placement in enumerate(chip.parameters.plan.placements) if placement.replica == 0]
    panels = _many(axes, "membranes, one per layer", 9.4, 0.9 + 1.9 * len(own), rows=len(own))
    overview.membranes(
        [trace.membranes[layer][image, :steps] for layer in own],
        [layer_label(chip.programmed.layers[layer].name) for layer in own],
        [accuracy.step_thresholds(chip.programmed, layer, steps) for layer in own],
        axes=panels.tolist(),
    )
    return panels


@_checked
def conductance_maps(chip: Chip, layer: int = 0, axes: Sequence[Axes] | None = None) -> Panels:
    """Conductances G+ - G- of one tile of a layer, the one with most weights: target, programmed, and the difference.

    layer : number of the layer, 0 .. layers - 1
    """
    _check_number("layer", layer, len(chip.programmed.layers), "layers")
    found = accuracy.conductance_map(chip.programmed, layer)
    rows, columns = found.target_S.shape
    height = float(np.clip(2.6 * rows / max(columns, 1), 2.3, 4.4))
    panels = _many(axes, "conductance_maps", 9.4, height + 0.9, columns=3)
    overview.conductance(found.target_S, found.programmed_S, panels.tolist())
    if axes is None:
        panels[0].get_figure().suptitle(found.title)
    return panels


def approximation_error(runs: Runs, axes: Axes | None = None) -> Axes:
    """Mean absolute error and standard deviation of decoded activations against the network's, by step."""
    known, ax = _runs(runs), _one(axes, 5.2, 3.4)
    steps.approximation_error(known, ax)
    return ax


def layer_errors(runs: Runs, axes: Axes | None = None) -> Axes:
    """Mean absolute error of every layer's decoded activations by step; of one run."""
    known, ax = _single(runs, "layer_errors"), _one(axes, 5.2, 3.4)
    steps.layer_errors(known, ax)
    return ax


def moving_averages(runs: Runs, most: int = 10, axes: Axes | None = None) -> Axes:
    """The outputs of one image by step, towards their activations, and the step after which its class is settled; of
    one run, `Chip.by_step(..., image=...)`.

    most : classes in colour, those with the largest activations
    """
    known = _single(runs, "moving_averages")
    check_whole("most", most)
    ax = _one(axes, 5.2, 3.4)
    steps.moving_averages(known, int(most), ax)
    return ax


def firing_rates(runs: Runs, axes: Axes | None = None) -> Axes:
    """Mean firing rate by step; of one run that of every layer, too."""
    known, ax = _runs(runs), _one(axes, 5.2, 3.4)
    steps.firing_rates(known, ax)
    return ax


def noise_spikes(runs: Runs, axes: Axes | None = None) -> Axes:
    """Share of noise spikes among the spikes of every layer."""
    known, ax = _runs(runs), _one(axes, 5.2, 3.4)
    steps.noise_spikes(known, ax)
    return ax


def error_by_step(runs: Runs, axes: Axes | None = None) -> Axes:
    """Classification error if every image ended after 1, 2, ... steps, and that of the decision rule."""
    known, ax = _runs(runs), _one(axes, 5.2, 3.4)
    steps.error_by_step(known, ax)
    return ax


def error_against_cost(runs: Runs, cost: Literal["spikes", "energy"] = "spikes", axes: Axes | None = None) -> Axes:
    """Classification error against spikes, or crossbar energy, per image: of a fixed number of steps, and of the
    decision rule, weaker to stronger.
    """
    if cost not in ("spikes", "energy"):
        raise SpikeLoomError(f"cost must be 'spikes' or 'energy', not {cost!r}")
    known, ax = _runs(runs), _one(axes, 5.2, 3.4)
    steps.error_against_cost(known, cost, ax)
    return ax


def _runs(runs: Any) -> dict[str, ByStep]:
    """Runs by their labels; "" for a single one."""
    found = {"": runs} if isinstance(runs, ByStep) else dict(runs) if isinstance(runs, Mapping) else None
    if not found or not all(isinstance(name, str) and isinstance(run, ByStep) for name, run in found.items()):
        raise ArgumentTypeError(
            f"runs must be what chip.by_step returns, or several of them by their labels, not {type(runs).__name__}"
        )
    return found


def _single(runs: Any, name: str) -> ByStep:
    found = list(_runs(runs).values())
    if len(found) > 1:
        raise SpikeLoomError(f"{name} draws one run, not {len(found)}: draw each into axes of its own")
    return found[0]


def _traced(chip: Chip, result: Result, image: int, how: str) -> tuple[Trace, int]:
    """The trace of a result of the chip, and the steps of image `image`."""
    if result.trace is None:
        raise SpikeLoomError(f"The result has no trace: run chip.predict or chip.cosim with {how}")
    _check_number("image", image, len(result), "images")
    return result.trace, int(result.steps[image])


def _check_number(name: str, value: Any, count: int, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError(f"{name} must be an integer, not {type(value).__name__}")
    if not 0 <= value < count:
        raise SpikeLoomError(f"{name} must be in 0 .. {count - 1}, since there are {count} {what}, not {value}")


def _one(axes: Axes | None, width: float, height: float) -> Axes:
    """The axes to draw into: those given, or those of a new figure of this size, inches."""
    if axes is None:
        drawn: Axes = _new(width, height, 1, 1)[0]
        return drawn
    if not isinstance(axes, Axes):
        raise ArgumentTypeError(f"axes must be matplotlib axes, as plt.subplots() gives, not {type(axes).__name__}")
    return axes


def _many(
    axes: Sequence[Axes] | None, what: str, width: float, height: float, rows: int = 1, columns: int = 1
) -> Panels:
    """As `_one`, for several panels."""
    if axes is None:
        return _new(width, height, rows, columns)
    found = np.ravel(np.asarray(axes, dtype=object))
    if len(found) != rows * columns or not all(isinstance(ax, Axes) for ax in found):
        raise SpikeLoomError(f"axes must be {rows * columns} matplotlib axes for {what}, not {len(found)} of them")
    return found


def _new(width: float, height: float, rows: int, columns: int) -> Panels:
    from matplotlib import pyplot

    with matplotlib.rc_context(STYLE):
        _, axes = pyplot.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False)
    return np.ravel(axes)


def __dir__() -> list[str]:
    """What is public."""
    return sorted(__all__)
