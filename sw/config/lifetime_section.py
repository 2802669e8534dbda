"""The table [lifetime]: whether and how the lifetime of cells that drift is measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from spikeloom.sim.common.units import FRACTION
from spikeloom.sw.config.sections import Section

__all__ = ["LifetimeSection"]

_LIMIT = 10**12  # that of sim.lifetime.search, which is not imported: a configuration needs no reference


class LifetimeSection(Section):
    """How long cells that drift last, and how often to program them anew: by the reference, on test images."""

    measure: Annotated[bool, Field(description="whether a run measures the lifetime")] = False
    threshold: Annotated[
        float, FRACTION, Field(gt=0.0, le=1.0, description="accuracy below which the chip counts as worn out, fraction")
    ] = 0.85
    images: Annotated[
        int,
        Field(
            ge=0,
            description="largest number of test images, from the first on, on which accuracy and row activity are "
            "measured, images; 0 is all",
        ),
    ] = 1000
    limit: Annotated[int, Field(ge=1, le=_LIMIT, description="largest number of images to search, images")] = _LIMIT
    tolerance: Annotated[
        float, FRACTION, Field(gt=0.0, lt=1.0, description="relative tolerance of a lifetime, fraction")
    ] = 0.02
    images_per_s: Annotated[float, Field(ge=0.0, description="image rate, images per second; 0 is back to back")] = 0.0
    programmings: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="number of programmings evaluated for the refresh interval, each with its own error",
        ),
    ] = 1
