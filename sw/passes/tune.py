"""Tuning factors per layer that reduce the cost of the network: Ma and Zhou, ASPDAC 2021, Algorithm 2 [WK 4.2].

W_l <- P_l W_l and b_l <- P_l b_l [WK eq. 5], which in an integrate-and-fire layer is a threshold divided by P_l. The
factors are changed one after the other by 1 + beta or 1 - beta as long as the loss falls; the loss of P is the median
of those of (1 - beta) P, P and (1 + beta) P. `sw.passes.tune_loss` measures the loss of equation 6.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.arguments import is_whole
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.ir.graph import Rectifier
from spikeloom.sw.ir.network import Network, SpikingLayer

__all__ = ["Cost", "Factors", "Move", "Tuned", "Tuning", "scale_chip", "scale_network", "tune"]

Factors = tuple[float, ...]
"""P, one factor per layer."""
Progress = Callable[[int, int, str], None]
"""Called with (factors tuned, factors to tune in all, a text such as "loss 123.4")."""


@dataclass(frozen=True)
class Cost:
    """What a measurement gives: loss, and on the same images accuracy (0 .. 1, NaN without labels) and mean steps."""

    loss: float
    accuracy: float
    steps: float


@dataclass(frozen=True)
class Tuning:
    """Parameters of Algorithm 2; those of Table 1 unless given.

    Parameters
    ----------
    beta : tuning rate, relative change of a factor, 0 .. 1
    alpha : what beta is multiplied by after every `repeats` rounds, 0 .. 1
    reductions : N, number of betas
    repeats : R, rounds over all layers with the same beta
    limit : factors stay in 1 / limit .. limit; not in the paper, where nothing else bounds them
    accuracy_drop : largest loss of accuracy against all factors 1, fraction; None is the paper's: equation 6 alone
    """

    beta: float = 0.5
    alpha: float = 0.2
    reductions: int = 4
    repeats: int = 2
    limit: float = 16.0
    accuracy_drop: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.beta < 1.0:
            raise SpikeLoomError(f"beta must be above 0 and below 1, not {self.beta!r}")
        if not 0.0 < self.alpha <= 1.0:
            raise SpikeLoomError(f"alpha must be above 0 and at most 1, not {self.alpha!r}")
        for name, count in (("reductions", self.reductions), ("repeats", self.repeats)):
            if not is_whole(count) or count < 1:
                raise SpikeLoomError(f"{name} must be a positive integer, not {count!r}")
        if not 1.0 < self.limit < float("inf"):
            raise SpikeLoomError(f"limit must be a finite number above 1, not {self.limit!r}")
        if self.accuracy_drop is not None and not 0.0 <= self.accuracy_drop <= 1.0:
            raise SpikeLoomError(f"accuracy_drop must be None or in 0 .. 1, not {self.accuracy_drop!r}")


@dataclass(frozen=True)
class Move:
    """State after a factor was tuned: round (from 0), beta, layer, all factors, and their cost."""

    round: int
    beta: float
    layer: int
    factors: Factors
    cost: Cost


@dataclass(frozen=True)
class Tuned:
    """What tuning gave.

    Parameters
    ----------
    factors : P
    before, after : cost with all factors 1, and with P
    history : a `Move` for every factor tuned, in order
    evaluations : networks measured
    images : images of each measurement, if that is known
    """

    factors: Factors
    before: Cost
    after: Cost
    history: tuple[Move, ...]
    evaluations: int
    images: int | None = None

    __repr__ = short_repr


def tune(
    measure: Callable[[Factors], Cost], layers: int, settings: Tuning | None = None, progress: Progress | None = None
) -> Tuned:
    """Algorithm 2: factors for `layers` layers that make `measure`'s loss small, starting from all 1.

    `measure` must give the same cost for the same factors; it is asked once for each.

    Raises
    ------
    ValueError : no layers, or an accuracy is to be kept and `measure` has none
    """
    settings = Tuning() if settings is None else settings
    if layers < 1:
        raise SpikeLoomError(f"There must be at least one layer to tune, not {layers}")
    search = _Search(measure, settings)
    factors: Factors = (1.0,) * layers
    before = search.cost(factors)
    if settings.accuracy_drop is not None and before.accuracy != before.accuracy:
        raise SpikeLoomError("accuracy_drop needs labels: the accuracy before tuning is not known")
    history = []
    total = settings.reductions * settings.repeats * layers
    for turn in range(settings.reductions * settings.repeats):
        beta = settings.beta * settings.alpha ** (turn // settings.repeats)
        for layer in range(layers):
            factors = search.tuned(factors, layer, beta)
            cost = search.cost(factors)
            history.append(Move(turn, beta, layer, factors, cost))
            if progress is not None:
                progress(len(history), total, f"loss {cost.loss:.4g}")
    return Tuned(factors, before, search.cost(factors), tuple(history), len(search.known))


class _Search:
    """Costs that are known, and the moves of one factor."""

    def __init__(self, measure: Callable[[Factors], Cost], settings: Tuning) -> None:
        self.measure = measure
        self.settings = settings
        self.known: dict[Factors, Cost] = {}

    def cost(self, factors: Factors) -> Cost:
        if factors not in self.known:
            self.known[factors] = self.measure(factors)
        return self.known[factors]

    def tuned(self, factors: Factors, layer: int, beta: float) -> Factors:
        """Lines 3 to 16: the factor of one layer up or down while the median loss falls."""
        go, direction = True, 1
        current = self.median(factors, beta)
        while True:
            step = 1.0 + direction * beta
            candidate = (*factors[:layer], factors[layer] * step, *factors[layer + 1 :])
            if self.allowed(candidate[layer], candidate) and (loss := self.median(candidate, beta)) < current:
                go, factors, current = True, candidate, loss
            elif not go:
                return factors
            else:
                go, direction = False, -direction

    def median(self, factors: Factors, beta: float) -> float:
        """Lines 21 to 26."""
        scaled = (tuple(value * scale for value in factors) for scale in (1.0 - beta, 1.0, 1.0 + beta))
        return statistics.median(self.cost(each).loss for each in scaled)

    def allowed(self, factor: float, factors: Factors) -> bool:
        """Whether a factor is inside the limits, and the network right often enough."""
        limit = self.settings.limit
        if not 1.0 / limit <= factor <= limit:
            return False
        drop = self.settings.accuracy_drop
        if drop is None:
            return True
        untuned = self.cost((1.0,) * len(factors))
        return self.cost(factors).accuracy >= untuned.accuracy - drop - 1e-12


def scale_network(network: Network, factors: Factors) -> Network:
    """Equation 5 on a normalised network, whose thresholds stay 1. Raises `ValueError` if factors do not fit."""
    _check(factors, len(network.layers))
    of_layer = iter(factors)
    return network.with_layers(lambda _, layer: _scaled(layer, next(of_layer)))


def scale_chip(chip: ProgrammedChip, factors: Factors) -> ProgrammedChip:
    """Equation 5 on a chip: thresholds, start values and clips divided by the factors, one for every layer of the
    network, and so for all replicas of a crossbar; levels and biases stay.

    Thresholds are rounded to whole conductance steps, at least 1. Where one outgrows its register, the register grows.
    Raises `ValueError` if factors do not fit.
    """
    crossbars = chip.parameters.plan.crossbar_stages
    _check(factors, len(crossbars))
    each = [factor for factor, (_, stage) in zip(factors, crossbars, strict=True) for _ in stage.layers]
    layers, shapes = [], []
    for layer, shape, factor in zip(chip.layers, chip.parameters.layers, each, strict=True):
        theta = max(1, round(layer.theta / factor))
        if theta > shape.max_theta:
            shape = replace(shape, max_theta=(1 << theta.bit_length()) - 1)
        clip = min(round(layer.clip * theta / layer.theta), shape.max_membrane)
        v0 = round(layer.v0 * theta / layer.theta)
        layers.append(replace(layer, theta=theta, v0=v0, clip=max(clip, int(layer.clip > 0))))
        shapes.append(shape)
    return replace(chip, layers=tuple(layers), parameters=replace(chip.parameters, layers=tuple(shapes)))


def _scaled(layer: SpikingLayer, factor: float) -> SpikingLayer:
    rectifier: Rectifier | None = layer.rectifier and replace(layer.rectifier, clip=layer.rectifier.clip * factor)
    return replace(layer, weight=layer.weight * factor, bias=layer.bias * factor, rectifier=rectifier)


def _check(factors: Factors, layers: int) -> None:
    if len(factors) != layers:
        raise SpikeLoomError(f"There are {layers} layers, but {len(factors)} tuning factors are given")
    for factor in factors:
        if not 0.0 < factor < float("inf"):
            raise SpikeLoomError(f"Tuning factors must be positive finite numbers, not {factor!r}")
