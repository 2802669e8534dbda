"""The table [decision] of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.sw.config.kind_fields import KindOf
from spikeloom.sw.config.sections import Section

__all__ = ["DecisionSection"]


class DecisionSection(Section):
    """When inference ends, and what decides."""

    rule: Annotated[
        str,
        KindOf(DECISION_RULES),
        Field(description=DECISION_RULES.sentence),
    ] = "winner_k"
    k: Annotated[
        float,
        Field(
            gt=0.0,
            description="lead that ends inference: spikes of the last phase for readout spikes, thresholds of the "
            "output layer for readout membrane",
        ),
    ] = 2.0
    theta: Annotated[
        float,
        Field(
            gt=0.0,
            description="number of steps for which the best class has stayed the same, times the average of its lead, "
            "that ends inference with rule stable: spikes of the last phase for readout spikes; for readout membrane "
            "thresholds of the output layer, whose spike of phase p has the weight 2^-(1 + p) with several phases",
        ),
    ] = 1.0
    t_max: Annotated[int, Field(ge=1, le=32767, description="largest number of time steps per image, time steps")] = 20
    skip: Annotated[
        int,
        Field(
            ge=0, description="number of initial periods in which the output layer is not run, periods of K time steps"
        ),
    ] = 0
    readout: Annotated[
        Literal["spikes", "membrane"], Field(description="what is compared: output spike counts or output membranes")
    ] = "spikes"
    strategy: Annotated[
        Literal["given", "learned"],
        Field(description="origin of k: the field k, or learned from the validation images (table [learning])"),
    ] = "given"
