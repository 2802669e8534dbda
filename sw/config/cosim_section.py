"""The table [cosim]: the run of the generated Verilog."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from spikeloom.sim.common.arguments import is_whole
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.config.sections import Section

__all__ = ["CosimSection"]

_TRACED = 4
"""Images whose membranes are compared where nobody says how many."""


def _traced(value: Any) -> Any:
    """ "auto", or a whole number of at least 0."""
    if value != "auto" and not (is_whole(value) and value >= 0):
        raise SpikeLoomError(f"trace_images must be 'auto' or a whole number of at least 0, not {value!r}")
    return value


class CosimSection(Section):
    """The run of the generated Verilog."""

    simulator: Annotated[Literal["verilator", "icarus"], Field(description="simulator that runs the Verilog")] = (
        "verilator"
    )
    images: Annotated[int, Field(ge=0, description="test images run through the Verilog; 0 is all, images")] = 0
    trace_images: Annotated[
        int | Literal["auto"],
        BeforeValidator(_traced),
        Field(
            description="number of images of which every membrane is also compared, at most `images`; auto is 4, or "
            "all if fewer are run, images"
        ),
    ] = "auto"
    waves: Annotated[bool, Field(description="whether the simulator writes a waveform file")] = False
    through_bus: Annotated[
        bool,
        Field(
            description="whether the chip is loaded, programmed and read over its host buses, back to back, instead "
            "of the accelerator's direct ports"
        ),
    ] = False

    @property
    def traced(self) -> int:
        """Images of which every membrane is compared, if as many are run."""
        return _TRACED if self.trace_images == "auto" else self.trace_images
