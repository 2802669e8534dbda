"""Choices of the conversion, as sentences for `Chip.notes`, the report and `summary.json`."""

from __future__ import annotations

from collections.abc import Sequence

from spikeloom.sw.common.findings import Diagnosis
from spikeloom.sw.config.config import Config
from spikeloom.sw.ir.network import Network
from spikeloom.sw.passes.choose import Conversion
from spikeloom.sw.passes.converter_sums import Converters

__all__ = ["chip_notes", "conversion_notes", "range_notes"]


def conversion_notes(chosen: Conversion, config: Config) -> tuple[str, ...]:
    """Of what `sw.passes.choose` chose or changed."""
    notes = []
    if chosen.offset:
        notes.append(
            f"{chosen.offset:+.4g} was added to every output of the model, so that output neurons can fire; this does "
            f"not change its classes."
        )
    if config.convert.normalisation == "auto":
        what = (
            "The largest activation" if chosen.share == 1.0 else f"The {chosen.share:.1%} percentile of the activations"
        )
        notes.append(f"{what} of a layer is a firing rate of 1.")
    if chosen.output is not None:
        ideal = "cells, behind the chip's converters" if chosen.measured_behind else "cells and converters"
        notes.append(
            f"With ideal {ideal}, {chosen.output.agreement:.1%} of the {chosen.output.images} calibration images that "
            f"were looked at get the model's class, in {chosen.output.steps:.1f} time steps."
        )
    return tuple(notes)


def range_notes(network: Network, ranges: Sequence[Converters]) -> tuple[str, ...]:
    """Of converters that clip or round so much that thresholds and biases compensate for it."""
    return tuple(
        f"Converters of layer '{layer.name}' read in units of {1 << each.shift} conductance steps; its threshold was "
        f"divided by {each.gain:.3g} and its biases were moved, to make up for what they lose on average. What is left "
        f"is an error of {each.error:.2g} thresholds per image."
        for layer, each in zip(network.layers, ranges, strict=False)
        if each.compensates
    )


def chip_notes(diagnosis: Diagnosis) -> tuple[str, ...]:
    """Of the whole chip, cells and converters as configured; nothing if its stages were not run."""
    if len(diagnosis.stages) < 2:
        return ()
    agreement = diagnosis.stages[-1][1]
    return (
        f"The chip as configured gives {agreement:.1%} of {diagnosis.images} calibration images the class of the "
        f"original network (see docs/poor-accuracy.md).",
    )
