"""What the figures show of a recording, as plain values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sw.experiments.weighted_spikes.choice import Choice
from spikeloom.sw.experiments.weighted_spikes.early import trajectory
from spikeloom.sw.experiments.weighted_spikes.rows import Recorded, decide

__all__ = ["by_step", "classified", "outputs", "top_two_histogram"]


def by_step(tests: Recorded, skip: int, neurons: int) -> dict[str, Any]:
    """Figures 8, 9 and 11: error, firing rate and sums of all steps; None in skipped periods.

    neurons : that fire, without inputs and outputs
    """
    recording = tests.recording
    run = recording.skipped(skip)
    path = trajectory(run)
    errors = 1.0 - path.right(tests.labels) / len(tests.labels)
    firings = np.diff(recording.spikes, axis=1, prepend=0)
    return {
        "skip": skip,
        "error": [None] * (run.first - 1) + errors[run.first - 1 :].tolist(),
        "rate": (firings.mean(axis=0) / neurons).tolist(),
        "spikes": run.spikes.mean(axis=0).tolist(),
        "synaptic_operations": run.operations.mean(axis=0).tolist(),
        "crossbar_J": run.crossbar_J.mean(axis=0).tolist(),
    }


def outputs(tests: Recorded, image: int, skip: int, activations: NDArray[np.floating]) -> dict[str, Any]:
    """Figures 4 and 7: moving averages of the outputs of an image, without and with skipped periods, and the step from
    which the class is that of the network; float [classes] activations.
    """
    found = {}
    for name, periods in (("without", 0), ("with", skip)):
        classes = trajectory(tests.recording.skipped(periods)).classes[image]
        wrong = np.flatnonzero(classes != int(np.argmax(activations)))
        settled = int(wrong[-1]) + 2 if len(wrong) else 1
        averages = tests.recording.averages(periods, image)
        found[name] = {
            "skip": periods,
            "averages": [[None if np.isnan(v) else v for v in row] for row in averages.tolist()],
            "settled": settled if settled <= tests.recording.steps else None,
        }
    return {"image": image, "label": int(tests.labels[image]), "activations": activations.tolist(), **found}


def classified(tests: Recorded, choice: Choice) -> dict[str, Any]:
    """Figure 13: images that have ended after every step, and the accuracy of those; None before the first."""
    decided, _ = decide(tests, choice)
    right = decided.classes == tests.labels
    steps = np.arange(1, tests.recording.steps + 1)
    ended = np.array([np.count_nonzero(decided.steps <= step) for step in steps])
    correct = np.array([np.count_nonzero(right & (decided.steps <= step)) for step in steps])
    return {
        "skip": choice.skip,
        "theta": choice.theta,
        "images": ended.tolist(),
        "accuracy": [int(c) / int(e) if e else None for c, e in zip(correct, ended, strict=True)],
    }


def top_two_histogram(activations: NDArray[np.floating], bins: int = 20) -> dict[str, Any]:
    """Figure 14: images by the difference of the network's two largest outputs, [images, classes]."""
    top = np.sort(np.asarray(activations, np.float64), axis=1)
    counts, edges = np.histogram(top[:, -1] - top[:, -2], bins=bins)
    return {"images": counts.tolist(), "edges": edges.tolist()}
