"""Writes the pictures of docs/by-step.md beside this file: `python -m docs.pictures.by_step`, half a minute.

A network is trained on scikit-learn's digits and converted twice, with phase coding of 4 phases and with rate coding.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib.figure import Figure
from torch import nn

import spikeloom
from spikeloom.sw.diagnostics.by_step.result import ByStep
from spikeloom.sw.report.plots import by_step as plots
from spikeloom.sw.report.plots.style import STYLE, new_figure

__all__ = ["FOLDER", "pictures", "runs"]

FOLDER = Path(__file__).parent
IMAGE = 11
"""Row of the image whose outputs are shown."""
_STEPS = 64
_SHARED: dict[str, Any] = {
    "preset": "digits",
    "neuron": {"v0": 0.0, "output_reset": "none"},
    "convert": {"normalisation": "percentile", "percentile": 0.999},
}
_CODINGS: dict[str, dict[str, Any]] = {
    "phase, K = 4": {"coding": {"input": "phase", "phases": 4}, "decision": {"skip": 2}},
    "rate": {"coding": {"input": "rate"}},
}


def trained(seed: int = 1, epochs: int = 300) -> nn.Module:
    """A network of four layers, 64-64-64-64-10."""
    data = spikeloom.load_data("digits")
    x, y = torch.from_numpy(data.train_images) / 255, torch.from_numpy(data.train_labels)
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Flatten()]
    for _ in range(3):
        layers += [nn.Linear(64, 64), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
    for _ in range(epochs):
        loss = nn.functional.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return model.eval()


def runs() -> dict[str, ByStep]:
    """All 500 test images by step, with each coding."""
    data, model = spikeloom.load_data("digits"), trained()
    found = {}
    for label, tables in _CODINGS.items():
        decision = {"readout": "membrane", "k": 4.0, "t_max": _STEPS, **tables.get("decision", {})}
        chip = spikeloom.compile(model, data.train_images[:500], {**_SHARED, **tables, "decision": decision})
        found[label] = chip.by_step(data.test_images, data.test_labels, IMAGE, ideal=True)
    return found


def pictures(found: dict[str, ByStep]) -> dict[str, Figure]:
    """Pictures by the names of their files."""
    made = {}
    phase = next(iter(found.values()))
    for name, panels in {
        "errors": (lambda ax: plots.approximation_error(found, ax), lambda ax: plots.layer_errors(phase, ax)),
        "outputs": tuple((lambda ax, run=run: plots.moving_averages(run, axes=ax)) for run in found.values()),
        "rates": (lambda ax: plots.firing_rates(found, ax), lambda ax: plots.noise_spikes(found, ax)),
        "decisions": (
            lambda ax: plots.error_by_step(found, ax),
            lambda ax: plots.error_against_cost(found, "spikes", ax),
        ),
    }.items():
        figure, axes = new_figure(9.4, 3.8, columns=2)
        for panel, ax in zip(panels, axes[0], strict=True):
            panel(ax)  # type: ignore[operator]
        made[f"by-step-{name}.svg"] = figure
    return made


def _bare(figure: Figure) -> str:
    """The figure as SVG, without what names other places."""
    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.S)
    text = text.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "").replace("xlink:href", "href")
    return re.sub(r"[ \t]+\n", "\n", text).lstrip()


if __name__ == "__main__":
    measured = runs()
    for label, run in measured.items():
        print(label, run, sep="\n")
    with matplotlib.rc_context(STYLE):
        for name, figure in pictures(measured).items():
            (FOLDER / name).write_text(_bare(figure), encoding="utf-8")
