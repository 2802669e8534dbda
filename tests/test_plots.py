"""The public pictures: what is drawn is what the chip and the result say, into new axes and into those given."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes

import spikeloom
from spikeloom import plots
from spikeloom.sw.analysis.accuracy import accuracy_by_steps
from tests.fixtures.models import make_chip, make_images

CHIP = make_chip(device={"device_sigma": 0.05})
IMAGES = make_images(30, 20, seed=5)
LABELS = np.arange(30) % 5
RESULT = CHIP.predict(IMAGES, trace="full")


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    """On a machine without a screen, and none is left open."""
    backend = pyplot.get_backend()
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
    pyplot.switch_backend(backend)


def test_they_are_there_without_slowing_the_import() -> None:
    assert spikeloom.plots is plots and "plots" in spikeloom.__all__
    code = "import sys, spikeloom; print(sorted({'matplotlib', 'torch', 'numpy'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_dir_has_the_public_names() -> None:
    assert dir(plots) == sorted(plots.__all__)
    assert dir(spikeloom) == sorted([*spikeloom.__all__, "__version__"])
    assert spikeloom.__version__ == version("spikeloom")


OF_RUNS = {name for name in plots.__all__ if "runs" in inspect.signature(getattr(plots, name)).parameters}


@pytest.mark.parametrize("name", sorted(set(plots.__all__) - OF_RUNS))
def test_what_is_no_chip(name: str) -> None:
    with pytest.raises(
        TypeError, match=r"^chip must be what spikeloom\.compile or spikeloom\.load returns, not Result"
    ):
        getattr(plots, name)(*((RESULT,) if name == "conductance_maps" else (RESULT, CHIP, LABELS)[:3]))
    if name in ("conductance_maps", "accuracy_over_steps"):
        return
    more = (LABELS,) if name == "confusion_matrix" else ()
    with pytest.raises(TypeError, match="the chip comes first"):
        getattr(plots, name)(RESULT, CHIP, *more)
    with pytest.raises(TypeError, match=r"^result must be a result of chip\.predict or chip\.cosim, not int"):
        getattr(plots, name)(CHIP, 3, *more)


def test_steps_histogram() -> None:
    ax = plots.steps_histogram(CHIP, RESULT)
    counts = [int(np.sum(RESULT.steps == step)) for step in range(1, CHIP.programmed.t_max + 1)]
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([100 * count / 30 for count in counts])  # type: ignore[attr-defined]
    assert pyplot.get_fignums()  # notebooks show it


def test_accuracy_over_steps() -> None:
    ax = plots.accuracy_over_steps(CHIP, IMAGES, LABELS, RESULT)
    line, rule = ax.get_lines()
    known = [np.nan if value is None else 100 * value for value in accuracy_by_steps(CHIP.programmed, IMAGES, LABELS)]
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), known)
    assert (rule.get_xdata()[0], rule.get_ydata()[0]) == (RESULT.steps.mean(), 100 * RESULT.accuracy(LABELS))  # type: ignore[index]
    assert len(plots.accuracy_over_steps(CHIP, IMAGES, LABELS).get_lines()) == 1


def test_energy() -> None:
    found = CHIP.energy(RESULT, IMAGES)
    ax = plots.energy(CHIP, RESULT, IMAGES)
    widths = [bar.get_width() for bar in ax.patches]  # type: ignore[attr-defined]
    unit = {"energy per image (pJ)": 1e-12, "energy per image (nJ)": 1e-9}[ax.get_xlabel()]
    assert widths == pytest.approx([found[name]["typical"] / unit for name in plots.COMPONENTS])
    assert len(plots.energy(CHIP, RESULT).patches) == len(widths) - 1  # without the clock's part


def test_confusion_matrix() -> None:
    ax = plots.confusion_matrix(CHIP, RESULT, LABELS)
    numbers = {text.get_position(): int(text.get_text()) for text in ax.texts}
    assert sum(numbers.values()) == 30
    for label in range(5):
        assert numbers.get((label, label), 0) == int(np.sum((RESULT.classes == label) & (label == LABELS)))


def test_raster() -> None:
    panels = plots.raster(CHIP, RESULT, image=3)
    steps = int(RESULT.steps[3])
    assert RESULT.trace is not None and panels.shape == (3,)
    for layer, ax in enumerate(panels):
        spikes = int(RESULT.trace.unpacked(layer)[3, :steps].sum())
        assert len(ax.collections[0].get_paths()) == spikes and f"{spikes} spikes of" in ax.get_title(loc="left")
    assert sum(len(ax.collections[0].get_paths()) for ax in panels) > 0


def test_membranes() -> None:
    panels = plots.membranes(CHIP, RESULT, image=3)
    steps = int(RESULT.steps[3])
    assert RESULT.trace is not None and RESULT.trace.membranes is not None and panels.shape == (3,)
    for layer, (ax, values) in enumerate(zip(panels, RESULT.trace.membranes, strict=True)):
        lines = {line.get_label(): line.get_ydata().tolist() for line in ax.get_lines()}
        assert lines.pop("threshold") == [CHIP.programmed.layers[layer].theta] * steps
        assert lines and all(values[3, :steps, int(neuron)].tolist() == line for neuron, line in lines.items())


def test_conductance_maps() -> None:
    panels = plots.conductance_maps(CHIP, layer=2)
    assert [ax.get_title() for ax in panels] == ["target", "programmed", "programmed - target"]
    shown = panels[0].images[0].get_array()
    levels = CHIP.programmed.layers[2].weights[: shown.shape[0], : shown.shape[1]]
    np.testing.assert_allclose(shown, levels * CHIP.programmed.device.step_S * 1e6, rtol=1e-12)


STEPS = CHIP.by_step(IMAGES, LABELS)


@pytest.mark.parametrize("name", sorted(OF_RUNS))
def test_runs_by_step(name: str) -> None:
    plot = getattr(plots, name)
    assert isinstance(plot(STEPS), Axes)
    _, axes = pyplot.subplots()
    assert plot(STEPS, axes=axes) is axes and (axes.get_lines() or axes.patches)
    with pytest.raises(TypeError, match=r"^runs must be what chip\.by_step returns, .* labels, not Chip$"):
        plot(CHIP)
    with pytest.raises(TypeError, match=r"labels, not dict$"):
        plot({})
    several = {"one": STEPS, "two": STEPS}
    if name in ("layer_errors", "moving_averages"):
        with pytest.raises(ValueError, match=f"^{name} draws one run, not 2: draw each into axes of its own$"):
            plot(several)
    else:
        labels = [text.get_text() for text in plot(several).get_legend().get_texts()]
        assert any("one" in label for label in labels) and any("two" in label for label in labels)


def test_into_axes_that_are_there() -> None:
    figure, axes = pyplot.subplots(2, 3)
    assert plots.energy(CHIP, RESULT, axes=axes[0, 0]) is axes[0, 0]
    assert list(plots.raster(CHIP, RESULT, axes=axes[1])) == list(axes[1])
    assert pyplot.get_fignums() == [figure.number] and all(isinstance(ax, Axes) for ax in figure.axes)


PLAIN = CHIP.predict(IMAGES[:3])
SPIKES = CHIP.predict(IMAGES[:3], trace="spikes", ids=[90, 91, 92])
WRONG = [
    (lambda: plots.raster(CHIP, PLAIN), ValueError, '^The result has no trace: run .* with trace="spikes"$'),
    (lambda: plots.membranes(CHIP, SPIKES), ValueError, "^The result's trace has spikes only, and no membranes"),
    (
        lambda: plots.raster(CHIP, SPIKES, image=3),
        ValueError,
        r"^image must be in 0 \.\. 2, since there are 3 images, not 3$",
    ),
    (lambda: plots.raster(CHIP, SPIKES, image=1.0), TypeError, "^image must be an integer, not float$"),
    (
        lambda: plots.conductance_maps(CHIP, 3),
        ValueError,
        r"^layer must be in 0 \.\. 2, since there are 3 layers, not 3$",
    ),
    (
        lambda: plots.raster(CHIP, SPIKES, axes=[1, 2]),
        ValueError,
        "^axes must be 3 matplotlib axes for raster, one per layer",
    ),
    (lambda: plots.energy(CHIP, PLAIN, axes=3), TypeError, "^axes must be matplotlib axes, .* not int$"),
    (lambda: plots.steps_histogram(make_chip(20, 5), PLAIN), ValueError, "^The result is of another chip"),
    (lambda: plots.error_against_cost(STEPS, "time"), ValueError, "^cost must be 'spikes' or 'energy', not 'time'$"),
    (lambda: plots.moving_averages(STEPS, 0), ValueError, "^most must be"),
    (lambda: plots.confusion_matrix(CHIP, PLAIN, [0, 1]), ValueError, r"^Labels must have shape \(3,\)"),
]


@pytest.mark.parametrize(("call", "error", "sentence"), WRONG)
def test_what_cannot_be_drawn_is_one_sentence(call, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        call()
    assert not pyplot.get_fignums()
