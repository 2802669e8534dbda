"""Step `static`: all test images on every chip as programmed, without drift; Figures 3 and 4.

Figure 3 is the network normalised by its largest activations [8 of the paper], with a fixed number of steps T. A step
is wasted if the image was right already after an earlier one: T less the first step after which the class is right, of
images that are right at T.

Figure 4 asks how many steps and spikes it takes until the class is that of T steps, for three normalisations, with an
oracle that stops there: the first step after which the class is the one of T. Spikes are those of all neurons, and of
the inputs apart, up to that step.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import DecisionRule
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.estimates.energy import mean_energy
from spikeloom.sim.lifetime.search import frozen
from spikeloom.sim.reference.encoder import encoder_of
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import source_of
from spikeloom.sw.experiments.winner_k.cases import case
from spikeloom.sw.experiments.winner_k.chips import compile_case
from spikeloom.sw.experiments.winner_k.experiment import Experiment, Images
from spikeloom.sw.experiments.winner_k.networks import load_network
from spikeloom.sw.experiments.winner_k.parts import Parts, plain
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.weight_image.file import load

__all__ = ["crossbar_energy", "measure_motivation", "measure_static", "static_numbers"]

NORMALISATIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Max", {"normalisation": "max", "percentile": 0.999}),
    ("999N", {"normalisation": "percentile", "percentile": 0.999}),
    ("99N", {"normalisation": "percentile", "percentile": 0.99}),
)
"""The three of Figure 4."""


def measure_static(experiment: Experiment, flow: Flow) -> list[Path]:
    """Accuracy, steps, energy and activity of every case and seed."""
    tests = experiment.tests()
    parts = Parts(flow, "static", (source_of(measure_static),), len(experiment.seeds) * len(experiment.cases) + 1)
    rows = []
    for seed in experiment.seeds:
        for each in experiment.cases:
            path = experiment.chip_path(flow, each, seed)

            def work(path=path):  # type: ignore[no-untyped-def]
                return static_numbers(load(path).programmed, tests)

            numbers = parts.get(f"{each.slug}-{seed}", None, [flow.folder / "data/data.json", path], work)
            rows.append({"case": each.name, "seed": seed, **numbers})
    first = experiment.seeds[0]
    chosen = parts.get(
        f"example-{first}",
        None,
        [flow.folder / "data/data.json", experiment.chip_path(flow, case("99T"), first)],
        lambda: example(experiment.chip(flow, case("99T"), first).programmed, tests.first(200)),
    )
    summary, story = flow.folder / "static/static.json", flow.folder / "static/example.json"
    write_atomic(summary, plain(rows))
    write_atomic(story, plain(chosen))
    return [summary, story]


def static_numbers(programmed: ProgrammedChip, tests: Images) -> dict[str, Any]:
    """Means over images on cells as programmed: accuracy 0 .. 1, steps, joules; spikes and rows of each layer."""
    result = run_reference(frozen(programmed), tests.pixels)
    tiles = np.array([shape.column_tiles for shape in programmed.parameters.layers])
    return {
        "accuracy": result.accuracy(tests.labels),
        "steps_mean": float(result.steps.mean()),
        "steps_histogram": np.bincount(result.steps, minlength=programmed.t_max + 1)[1:].tolist(),
        "crossbar_energy_J": crossbar_energy(programmed, result),
        "spikes": result.spikes.mean(axis=0).tolist(),
        "rows": (result.activity["row_pulses"].mean(axis=0) / tiles).tolist(),
    }


def crossbar_energy(chip: ProgrammedChip, result: Result) -> float:
    """Joules of an image that the row drivers supply, all that cells and resistive wires dissipate; mean."""
    found = mean_energy(chip, result)["crossbar"]
    assert found is not None  # needs no clock cycles
    return found["typical"]


def example(programmed: ProgrammedChip, tests: Images) -> dict[str, Any]:
    """A typical image: spikes of every class after every step up to T_max, and the step at which the chip's rule stops.

    The first image whose class is right, and that takes as long as most do (the median).
    """
    trace = run_reference(replace(frozen(programmed), rule=DecisionRule.FIXED), tests.pixels, trace="spikes").trace
    assert trace is not None
    counts = np.cumsum(trace.unpacked(len(programmed.layers) - 1), axis=1, dtype=np.int64)
    top = np.sort(counts, axis=2)
    stops = np.minimum(_first(top[:, :, -1] - top[:, :, -2] >= programmed.k), programmed.t_max)
    right = counts[np.arange(len(tests)), stops - 1].argmax(axis=1) == tests.labels
    typical = int(np.median(stops[right]))
    which = int(np.flatnonzero(right & (stops == stops[right][np.abs(stops[right] - typical).argmin()]))[0])
    return {
        "image": which,
        "label": int(tests.labels[which]),
        "k": programmed.k,
        "stop": int(stops[which]),
        "counts": counts[which].tolist(),
    }


def measure_motivation(experiment: Experiment, flow: Flow) -> list[Path]:
    """Figures 3 and 4 of every seed."""
    scale = experiment.scale
    tests = experiment.tests().spread(scale.figure_images)
    parts = Parts(flow, "motivation", (source_of(measure_motivation),), len(experiment.seeds) * len(NORMALISATIONS))
    rows = []
    for seed in experiment.seeds:
        for name, changes in NORMALISATIONS:
            config = scale.config(case("99N"), seed, {"convert": changes, "decision": {"t_max": scale.figure_steps}})
            network = experiment.network_path(flow, case("99N").network, seed)

            def work(seed=seed, config=config):  # type: ignore[no-untyped-def]
                model = load_network(experiment, flow, case("99N").network, seed)
                chip = compile_case(experiment, model, config, experiment.validation())
                return until_right(chip.programmed, tests)

            facts = [config.model_dump(mode="json"), len(tests)]
            numbers = parts.get(f"{name}-{seed}", facts, [flow.folder / "data/data.json", network], work)
            rows.append({"normalisation": name, "seed": seed, **numbers})
    summary = flow.folder / "motivation/motivation.json"
    write_atomic(summary, plain(rows))
    return [summary]


def until_right(programmed: ProgrammedChip, tests: Images) -> dict[str, Any]:
    """Figures 3 and 4 of one chip that runs to T: lists over 1 .. T, and means over images."""
    programmed = replace(frozen(programmed), rule=DecisionRule.FIXED)
    count, last = len(tests), len(programmed.layers) - 1
    classes = np.empty((count, programmed.t_max), np.int64)
    spikes = np.zeros((count, programmed.t_max), np.int64)
    inputs = np.zeros((count, programmed.t_max), np.int64)
    for start in range(0, count, 500):
        part = slice(start, start + 500)
        ids = np.arange(start, min(start + 500, count))
        trace = run_reference(programmed, tests.pixels[part], ids, "spikes").trace
        assert trace is not None
        for layer in range(last + 1):
            spikes[part] += trace.unpacked(layer).sum(axis=2)
        classes[part] = np.cumsum(trace.unpacked(last), axis=1, dtype=np.int64).argmax(axis=2)
        inputs[part] = _input_spikes(programmed, tests.pixels[part], ids)
    right = classes == tests.labels[:, None]
    first_right = _first(right)
    waste = [
        float((step - first_right[right[:, step - 1]]).mean()) if right[:, step - 1].any() else 0.0
        for step in range(1, programmed.t_max + 1)
    ]
    settled = _first(classes == classes[:, -1:])
    at = (np.arange(count), settled - 1)
    return {
        "accuracy": right.mean(axis=0).tolist(),
        "waste": waste,
        "steps": float(settled.mean()),
        "spikes": float(np.cumsum(spikes, axis=1)[at].mean()),
        "input_spikes": float(np.cumsum(inputs, axis=1)[at].mean()),
        "images": count,
    }


def _first(hit: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The first step, from 1, that hits; steps + 1 where none does."""
    first: NDArray[np.int64] = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, hit.shape[1] + 1)
    return first


def _input_spikes(programmed: ProgrammedChip, pixels: NDArray[np.uint8], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Spikes of all inputs in every step, [images, steps]."""
    encoder = encoder_of(programmed, pixels, ids)
    live = np.arange(len(pixels))
    return np.stack(
        [np.count_nonzero(encoder.step(live, step), axis=1) for step in range(1, programmed.t_max + 1)], axis=1
    )
