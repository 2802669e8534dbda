"""The table [decision] of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.sw.config.kind_fields import KindOf
from spikeloom.sw.config.sections import Section, Share

__all__ = ["DecisionSection", "choosable"]


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
        Literal["given", "learned", "allowed_loss"],
        Field(
            description="origin of k, theta and skip: the fields; k learned from the validation images (table "
            "[learning]); or skip with k or theta chosen on the validation images, for the fewest steps with "
            "allowed_loss"
        ),
    ] = "given"
    allowed_loss: Annotated[
        Share,
        Field(
            ge=0.0,
            le=1.0,
            description="largest loss of accuracy on the validation images with strategy allowed_loss, against all "
            "steps with the best skip, fraction",
        ),
    ] = 0.001


def choosable(config: Any) -> Iterator[str]:
    """What is wrong with strategy allowed_loss."""
    decision = config.decision
    fields = DECISION_RULES[decision.rule].fields
    if decision.strategy == "allowed_loss" and not {"decision.k", "decision.theta"} & set(fields):
        yield (
            "[decision] rule must be 'winner_k' or 'stable' with strategy 'allowed_loss', which chooses its threshold, "
            f"not {decision.rule!r}; or set strategy 'given'"
        )
