"""Kinds of findings about the basis of a diagnosis: shifted labels, images in another unit than the network's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.label_shift import FEWEST, SHIFTED, shift_in_words, shift_of
from spikeloom.sw.diagnostics.measure import FEW, Measures
from spikeloom.sw.diagnostics.registry import Sign, kind
from spikeloom.sw.diagnostics.stages import explained_by_chance
from spikeloom.sw.frontend.plain_torch import torch_classes

__all__ = ["UNITS"]

BETTER = 0.1
"""Accuracy by which the network must be better on images in another unit."""

Floats = NDArray[np.float64]


def _standardised(pixels: Floats) -> Floats:
    """Less the mean of the channel (of all pixels where there is one), over its deviation."""
    axes = (0, 2, 3) if pixels.ndim == 4 else None
    deviation = pixels.std(axis=axes, keepdims=True)
    standardised: Floats = (pixels - pixels.mean(axis=axes, keepdims=True)) / np.where(deviation > 0.0, deviation, 1.0)
    return standardised


UNITS: Mapping[str, tuple[Callable[[Floats], Floats], str]] = {
    "pixels of 0 .. 255": (lambda x: 255.0 * x, "multiply the weights of the first layer by 255"),
    "pixels of -1 .. 1": (lambda x: 2.0 * x - 1.0, "fold x * 2 - 1 into the first layer"),
    "pixels less their mean over their deviation": (_standardised, "fold mean and deviation into the first layer"),
}
"""Units that networks are trained with beside 0 .. 1: what makes them of 0 .. 1, and the other remedy."""


@kind(
    "shifted-labels",
    "fault",
    meaning="The labels are the classes of the network, moved by one.",
    measured=f"Class + 1, or class - 1, is the label of {SHIFTED:.0%} of the images or more, and of twice as many as "
    f"the class itself. Of {FEWEST} images or more, with labels.",
    remedy="Labels start at 0: give `labels - 1` if yours start at 1.",
)
def shifted_labels(measures: Measures) -> Iterator[Sign]:
    """Labels that are the classes of the network, moved by one."""
    if measures.labels is None:
        return
    found = shift_of(measures.stages.first, measures.labels)
    if found is not None:
        shift, share = found
        yield Sign(
            shift_in_words(shift, share, "the network"),
            {"shift": shift, "share": share},
            "give labels that start at 0, in the order of the network's outputs",
        )


@kind(
    "other-unit",
    "fault",
    meaning="The network was trained with pixels in another unit than 0 .. 1, which is what a chip gives it.",
    measured=f"On the images in another unit ({', '.join(UNITS)}) the network itself is right for {BETTER:.0%} of them "
    f"more, and more than chance explains. Of {FEW} images or more, with labels; not asked of NIR and of chips that "
    "were loaded.",
    remedy="Train with pixels of 0 .. 1 (`images / 255`), or fold the unit into the weights of the first layer.",
)
def other_unit(measures: Measures) -> Iterator[Sign]:
    """A network that was trained with pixels in another unit than 0 .. 1."""
    known, labels = measures.chip.passes, measures.labels
    if known is None or labels is None or len(labels) < FEW:
        return
    here = measures.stages.first == labels
    if np.sum(~here) < BETTER * len(labels):  # no unit could be so much better, and a large network takes its time
        return
    images = measures.pixels.reshape(len(labels), *known.folded.input_shape)
    best: tuple[float, str] | None = None
    for name, (unit, _) in UNITS.items():
        there = torch_classes(known.model, images, unit) == labels
        won, lost = int(np.sum(there & ~here)), int(np.sum(here & ~there))
        if won - lost >= BETTER * len(labels) and not explained_by_chance(lost, won):
            best = max(best or (0.0, ""), (float(there.mean()), name))
    if best is not None:
        accuracy, name = best
        yield Sign(
            f"the network itself is right for {here.mean():.1%} of the images, as pixels of 0 .. 1, and for "
            f"{accuracy:.1%} of them as {name}",
            {"accuracy": float(here.mean()), "in_the_other_unit": accuracy, "unit": name},
            f"train it with images / 255, or {UNITS[name][1]}",
        )
