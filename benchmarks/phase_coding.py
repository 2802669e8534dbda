"""`python -m benchmarks.phase_coding [FOLDER]`: the table "Biases with phase coding" of docs/deviations.md.

Conversions with ideal cells and `coding.input = "phase"`, once with biases divided by 1 - 2^-K, as [WS eq. 8] has it
for activations of 0 .. 1 - 2^-K, and once as they are. FOLDER has the original MNIST files; without it digits only.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

import spikeloom
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.chip import Chip
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.frontend.plain_torch import torch_classes
from spikeloom.sw.training.training import train

_CONSOLE = Console(soft_wrap=True, highlight=False)
_PERIODS = 10
_TRACED = 500
"""Images whose output currents are measured."""
_FIXED = {"normalisation": "max", "weight_scale": "max", "output_offset": "network"}
_PLAIN = {"activation": "relu", "activation_levels": 0, "weight_bits": 0, "weight_noise": 0.0, "exact_sums": False}


def config_of(preset: str, phases: int, convert: dict[str, Any]) -> spikeloom.Config:
    """Ten periods, of which the output layer sees nine, and decides by its membranes [WS eq. 17, 5.1]."""
    changes: dict[str, Any] = {
        "device": {"device_sigma": 0.0, "read_sigma": 0.0},
        "coding": {"input": "phase", "phases": phases},
        "neuron": {"output_reset": "none"},
        "decision": {"rule": "fixed", "readout": "membrane", "t_max": _PERIODS * phases, "skip": 1},
        "convert": convert,
    }
    return spikeloom.Config.load(preset).updated(changes)


def error(chip: Chip, images: NDArray[np.uint8]) -> float:
    """Mean output current of a run beside the network's outputs: root mean square of the difference over that of the
    outputs.
    """
    assert chip.passes is not None
    pixels = images.reshape(len(images), -1)[:_TRACED]
    trace = run_reference(chip.programmed, pixels, trace="full").trace
    assert trace is not None and trace.membranes is not None
    last, phases = chip.programmed.layers[-1], chip.programmed.parameters.phases
    carried = (trace.membranes[-1][:, -1] - last.v0) / (last.theta * (_PERIODS - 1) * (2**phases - 1))
    wanted = chip.passes.normalised.outputs(pixels)
    return float(np.sqrt(np.mean((carried - wanted) ** 2) / np.mean(wanted**2)))


def rows(title: str, preset: str, training: dict[str, Any], data: Dataset) -> None:
    """Accuracy, share of the test images with the ANN's class, and the error of the output currents; divided biases
    first.
    """
    config = spikeloom.Config.load(preset).updated({"train": training})
    model = train(config.train, data, config.seed)
    images, labels = data.test_images, data.test_labels
    wanted = torch_classes(model, images)
    _CONSOLE.print(f"{title}: ANN {100 * np.mean(wanted == labels):.1f} %")
    for convert in ({}, _FIXED):
        for phases in (2, 3, 4):
            found = []
            for divided in (True, False):
                with contextlib.ExitStack() as stack:
                    if divided:
                        stack.enter_context(
                            mock.patch("spikeloom.sw.compiler.pipeline.full_rate", lambda _, k: 1.0 / (1.0 - 2.0**-k))
                        )
                    chip = spikeloom.compile(
                        model, data.train_images[: config.data.calibration_images], config_of(preset, phases, convert)
                    )
                classes = chip.predict(images).classes
                found += [f"{100 * np.mean(classes == each):.1f} %" for each in (labels, wanted)]
                found.append(f"{100 * error(chip, images):.0f} %")
            how = "fixed" if convert else "default"
            _CONSOLE.print(f"| {title} | {how} | {phases} | {' | '.join(found)} |")


def main(folder: str | None = None) -> None:
    """Print the rows."""
    digits = load_data("digits")
    rows("digits, preset", "digits", {}, digits)
    rows("digits, 64-48-10, ReLU", "digits", {**_PLAIN, "hidden": [48], "dropout": 0.0}, digits)
    if folder is not None:
        plain = {**_PLAIN, "hidden": [100], "epochs": 6, "augment": "none"}
        rows("MNIST, 784-100-10, ReLU", "mnist", plain, load_data("mnist", folder))


if __name__ == "__main__":
    main(*sys.argv[1:2])
