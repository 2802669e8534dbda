"""The tables of what is chosen by trying it on validation images: thresholds, and when to stop.

They are tables as those of `sw.config.sections`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from spikeloom.sw.config.sections import Section, Share

__all__ = ["LearningSection", "TuningSection"]


class TuningSection(Section):
    """How thresholds are tuned, with `convert.tune` (Ma and Zhou, Algorithm 2; docs/strategy.md)."""

    beta: Annotated[
        Share,
        Field(gt=0.0, lt=1.0, description="relative change of a layer's factor in the first rounds, fraction"),
    ] = 0.5
    alpha: Annotated[
        Share,
        Field(gt=0.0, le=1.0, description="factor by which beta is reduced each time, fraction"),
    ] = 0.2
    reductions: Annotated[int, Field(ge=1, le=100, description="number of values of beta")] = 4
    repeats: Annotated[int, Field(ge=1, le=100, description="rounds over all layers with each beta, rounds")] = 2
    limit: Annotated[
        float, Field(gt=1.0, le=1024.0, description="a layer's factor stays between 1 / limit and limit, no unit")
    ] = 16.0
    batch: Annotated[
        int,
        Field(ge=1, description="validation images on which the loss is measured, drawn once; all if fewer, images"),
    ] = 500
    accuracy_drop: Annotated[
        Share,
        Field(
            ge=0.0,
            le=1.0,
            description="largest loss of accuracy on these images; 1 is no bound, as in the paper, fraction",
        ),
    ] = 1.0
    relearn: Annotated[bool, Field(description="whether k is learned again on the tuned chip")] = False


class LearningSection(Section):
    """How k is learned, with `decision.strategy = "learned"` (Ma and Zhou, Algorithm 1; docs/strategy.md)."""

    reward_correct: Annotated[float, Field(description="reward of stopping at the correct class, R_c, points")] = 50.0
    reward_wrong: Annotated[float, Field(description="reward of stopping at a wrong class, R_p, points")] = -50.0
    reward_step: Annotated[float, Field(le=0.0, description="reward of every time step, R_t, points")] = -1.0
    discount: Annotated[
        Share,
        Field(gt=0.0, le=1.0, description="gamma, discount for each transition to the next lead, fraction"),
    ] = 0.9
    rate: Annotated[Share, Field(gt=0.0, le=1.0, description="alpha, learning rate of a Q value, fraction")] = 0.1
    rate_halves_at: Annotated[
        int, Field(ge=0, description="updates of a Q value after which its alpha is half; 0 is constant, updates")
    ] = 0
    epsilon: Annotated[
        Share, Field(gt=0.0, le=1.0, description="probability of a random action at first, fraction")
    ] = 1.0
    epsilon_factor: Annotated[
        Share, Field(gt=0.0, le=1.0, description="factor on epsilon after every image, fraction")
    ] = 0.9998
    epsilon_min: Annotated[Share, Field(gt=0.0, le=1.0, description="smallest value of epsilon, fraction")] = 0.4
    max_images: Annotated[
        int, Field(ge=1, le=10**9, description="end of learning if it does not converge, images shown")
    ] = 400_000
