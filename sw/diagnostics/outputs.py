"""The kind of finding about single outputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spikeloom.sw.diagnostics.measure import Measures
from spikeloom.sw.diagnostics.registry import Sign, kind
from spikeloom.sw.diagnostics.settings import automatic

__all__: list[str] = []

CHOSEN = 4
"""Images that choose a class whose output never fires."""
OTHERS = 0.05
"""Share of the images of other classes that may be lost for the fault to be that of the silent outputs."""


@kind(
    "silent-output",
    "fault",
    meaning="Outputs never fire, so their classes are never chosen, though the network (or the labels) have them.",
    measured=f"An output without a spike on all images, whose class is the right one of {CHOSEN} images or more. "
    "Readout by "
    "spikes only.",
    remedy='Outputs below 0 do not fire: `[convert] output_offset = "auto"` moves all of them. Or look at the biases '
    "and weights of these outputs in the model.",
)
def silent_output(measures: Measures) -> Iterator[Sign]:
    """Outputs that never fire, so that their classes are never chosen."""
    last = measures.layers[-1]
    if not measures.spikes_count(last) or any(layer.silent.all() for layer in measures.layers):
        return
    truth = measures.stages.truth
    chosen = np.bincount(truth, minlength=len(last.silent))
    dead = np.flatnonzero(last.silent & (chosen >= CHOSEN))
    if len(dead) and _alone(measures, ~np.isin(truth, dead)):
        images = int(chosen[dead].sum())
        which = ", ".join(str(n) for n in dead[:8]) + (" ..." if len(dead) > 8 else "")
        many = len(dead) > 1
        yield Sign(
            f"output{'s' * many} {which} of layer '{last.name}' never fire{'s' * (not many)}, though {images} of "
            f"{len(measures.pixels)} images are of {'these classes' if many else 'this class'}",
            {"outputs": len(dead), "images": images},
            automatic(
                measures,
                "output_offset",
                "check the weights and biases of these outputs in the model: an output below 0 does not fire",
            ),
            last.index,
            tuple(int(n) for n in dead),
        )


def _alone(measures: Measures, others: NDArray[np.bool_]) -> bool:
    """Whether silent outputs are the fault, and not the result of another: images of other classes, bool [images],
    fare as before, or nothing about spikes would mend what is lost when they come in.
    """
    stages = measures.stages
    if others.mean() >= 0.5 and stages.lost(others) < OTHERS:
        return True
    first = stages.falls[0].stage if stages.falls else None
    clipped = any(measures.clipped(layer) for layer in measures.layers)
    return first == "spiking" and not clipped and stages.spiking_remedy is None
