"""The table [nir]: a network from a NIR file instead of a trained one, and properties that the file does not define."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spikeloom.sim.common.units import STEP_TIME
from spikeloom.sw.config.sections import Section

__all__ = ["UNUSED", "NirSection"]

UNUSED = ("normalisation", "percentile", "output_offset", "average_pooling")
"""Fields of [convert] that do nothing for a network of spiking neurons, which is not normalised."""


class NirSection(Section):
    """A network of spiking neurons from a NIR file, instead of one that is trained: [NIR](nir.md)."""

    file: Annotated[
        str,
        Field(description="the NIR file, relative to the current folder; empty is none", max_length=4096),
    ] = ""
    reset: Annotated[
        Literal["file", "zero", "subtract"],
        Field(
            description="reset after a spike: V is set to 0, or the threshold is subtracted; file is according to "
            "its metadata, or zero"
        ),
    ] = "file"
    threshold: Annotated[
        Literal["file", "above", "at"],
        Field(
            description="whether a neuron fires above its threshold, or at it; file is according to its metadata, "
            "or above"
        ),
    ] = "file"
    dt_s: Annotated[
        float,
        STEP_TIME,
        Field(
            ge=0.0,
            description="length of a time step, for IF neurons; 0 is according to the file's metadata, or 1e-4, "
            "seconds",
        ),
    ] = 0.0
