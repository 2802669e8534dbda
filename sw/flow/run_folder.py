"""Reads the outputs of the steps of a run from its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.chip import Chip
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.datasets.image_set import ImageSet
from spikeloom.sw.flow.decision_files import load_decision, load_stopping, load_tuned
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.weight_image.file import load

__all__ = ["RunImages", "data_facts", "load_chip", "load_compiled", "load_run_images", "run_image_set"]


@dataclass(frozen=True, eq=False)
class RunImages:
    """Images uint8 [images, inputs], labels int64 [images]; calibration images uint8 [calibration, inputs]; validation
    images uint8 [validation, inputs] and their labels int64 [validation].
    """

    __test__ = False  # not a test, whatever pytest thinks of the name
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    calibration: NDArray[np.uint8]
    validation: NDArray[np.uint8]
    validation_labels: NDArray[np.int64]

    __repr__ = short_repr


def load_run_images(flow: Flow) -> RunImages:
    """What the step `data` left."""
    with np.load(flow.folder / "data/images.npz", allow_pickle=False) as file:
        return RunImages(**{field.name: file[field.name] for field in fields(RunImages)})


def data_facts(flow: Flow) -> dict[str, Any]:
    """What the step `data` has found of the data set: "set", "shape", "classes", "checksum", "test_images"."""
    facts: dict[str, Any] = json.loads((flow.folder / "data/data.json").read_text())
    return facts


def run_image_set(flow: Flow) -> ImageSet:
    """What the test images of a run are."""
    facts = data_facts(flow)
    return ImageSet.tests(facts["set"], facts["test_images"])


def load_chip(flow: Flow) -> Chip:
    """What the step `convert` left, for users."""
    return Chip.of(load_compiled(flow))


def load_compiled(flow: Flow) -> Compiled:
    """What the step `convert` left."""
    place = flow.folder / "convert"
    chip = load(place / "chip.loom")
    if flow.config.decision.strategy == "learned":
        chip.learnt_rule = load_decision(place / "decision.json")
    if flow.config.decision.strategy == "allowed_loss":
        chip.chosen_rule = load_stopping(place / "stopping.json")
    if flow.config.convert.tune:
        chip.tuned = load_tuned(place / "tuning.json")
    return chip
