"""Rows of the results: what a network, a coding, an allowed loss and a way to end images give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.sw.experiments.weighted_spikes.cases import Case
from spikeloom.sw.experiments.weighted_spikes.choice import Choice, best_early, best_fixed, early_options
from spikeloom.sw.experiments.weighted_spikes.early import Decided, register, trajectory
from spikeloom.sw.experiments.weighted_spikes.published import published_row
from spikeloom.sw.experiments.weighted_spikes.reaching import LOSSES, needed, reached
from spikeloom.sw.experiments.weighted_spikes.recordings import Recording

__all__ = ["BY_PAPER", "BY_TESTS", "BY_VALIDATION", "Recorded", "case_rows", "decide", "table_of"]

BY_PAPER = "skip of the paper"
BY_VALIDATION = "held-out images"
BY_TESTS = "test images"
"""On which images, or by whom, skip, theta and the number of steps were chosen."""


class Recorded(NamedTuple):
    """A recording of images with true classes, of which `network_right` are right with the original network."""

    recording: Recording
    labels: NDArray[np.int64]
    network_right: int

    def wanted(self, loss_points: float) -> int:
        """Images that have to be right."""
        return needed(self.network_right, len(self.labels), loss_points)

    @property
    def network_accuracy(self) -> float:
        """0 .. 1."""
        return self.network_right / len(self.labels)


def table_of(early: bool, loss_points: float) -> str:
    """Where the paper shows the like."""
    if not early:
        return "Table 2"
    return "Table 3" if loss_points == 0.1 else "Figure 12"


def decide(recorded: Recorded, choice: Choice) -> tuple[Decided, dict[str, Any]]:
    """Where images end, and what they have cost until then."""
    recording = recorded.recording
    run = recording.skipped(choice.skip)
    path = trajectory(run)
    if choice.theta is None:
        decided = path.fixed(recording.steps if choice.steps is None else choice.steps)
    else:
        decided = path.ends(register(choice.theta, recording))
    return decided, {
        "accuracy": float(np.mean(decided.classes == recorded.labels)),
        "steps_mean": float(decided.steps.mean()),
        "steps_last": int(decided.steps.max()),
        "spikes_mean": float(np.mean(decided.at(run.spikes))),
        "synaptic_operations_mean": float(np.mean(decided.at(run.operations))),
        "crossbar_energy_J": float(np.mean(decided.at(run.crossbar_J))),
    }


_NOTHING = (
    "accuracy", "steps_mean", "steps_last", "spikes_mean", "synaptic_operations_mean", "crossbar_energy_J",
)  # fmt: skip


def case_rows(
    case: Case, tests: Recorded, validation: Recorded | None, paper_skip: int, skips: Sequence[int]
) -> list[dict[str, Any]]:
    """All rows of a case.

    validation : of held-out images; without them there are only the rows without early decision chosen on test images
    paper_skip : skipped periods of the paper; none with rate coding, whose periods are single steps
    skips : that are tried
    """
    possible = [skip for skip in skips if skip * case.phases < case.steps] if case.coding == "weighted" else [0]
    known = {BY_TESTS: tests} | ({} if validation is None else {BY_VALIDATION: validation})
    options = {name: early_options(each.recording, each.labels, possible) for name, each in known.items() if validation}
    rows = []
    for loss in LOSSES:
        ways: list[tuple[bool, str, Choice | None]] = []
        if paper_skip in possible:
            ways.append((False, BY_PAPER, _with_skip(tests, paper_skip, loss)))
        for name, each in known.items():
            ways.append((False, name, best_fixed(each.recording, each.labels, possible, each.wanted(loss))))
            if name in options:
                ways.append((True, name, best_early(options[name], each.wanted(loss))))
        rows += [_row(case, tests, loss, early, by, choice) for early, by, choice in ways]
    return rows


def _with_skip(tests: Recorded, skip: int, loss: float) -> Choice | None:
    """The steps from which accuracy is high enough, with a given number of skipped periods."""
    path = trajectory(tests.recording.skipped(skip))
    stays = reached(path.right(tests.labels), tests.wanted(loss), path.first).stays
    return None if stays is None else Choice(skip, None, stays)


def _row(case: Case, tests: Recorded, loss: float, early: bool, by: str, choice: Choice | None) -> dict[str, Any]:
    steps = case.steps
    found = dict.fromkeys(_NOTHING) if choice is None else decide(tests, choice)[1]
    first = None
    if choice is not None and not early:
        path = trajectory(tests.recording.skipped(choice.skip))
        first = reached(path.right(tests.labels), tests.wanted(loss), path.first).first
    met = found["accuracy"] is not None and round(found["accuracy"] * len(tests.labels)) >= tests.wanted(loss)
    return {
        "table": table_of(early, loss),
        "network": case.network,
        "coding": case.coding,
        "phases": case.phases,
        "cells": case.cells,
        "images": len(tests.labels),
        "early_decision": early,
        "loss_points": loss,
        "chosen_on": by,
        "skip": None if choice is None else choice.skip,
        "theta": None if choice is None else choice.theta,
        "network_accuracy": tests.network_accuracy,
        **found,
        "steps_first": first,
        "loss_met": met,
        "note": f"does not get there in {steps:,} steps" if choice is None else None,
        "paper": published_row(case.network, case.coding, early, loss),
    }
