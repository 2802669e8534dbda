"""The table [lifetime]: whether and how it is measured how long cells that drift last."""

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
        float, FRACTION, Field(gt=0.0, le=1.0, description="accuracy under which the chip is worn out, fraction")
    ] = 0.85
    images: Annotated[
        int,
        Field(
            ge=0,
            description="test images that say how accurate the chip is and how often its rows are driven, at most so "
            "many, first ones first, images; 0 is all",
        ),
    ] = 1000
    limit: Annotated[int, Field(ge=1, le=_LIMIT, description="images at which the search gives up, images")] = _LIMIT
    tolerance: Annotated[
        float, FRACTION, Field(gt=0.0, lt=1.0, description="share of a lifetime that it is known to, fraction")
    ] = 0.02
    images_per_s: Annotated[
        float, Field(ge=0.0, description="rate at which images come, images per second; 0 is back to back")
    ] = 0.0
    programmings: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="programmings that the refresh interval must hold for; each leaves an error of its own",
        ),
    ] = 1
