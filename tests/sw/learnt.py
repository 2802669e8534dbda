"""A learnt rule and tuned factors, made without a chip."""

from __future__ import annotations

import numpy as np

from sw.passes.learn import LearntRule
from sw.passes.tune import Cost, Tuned, Tuning, tune
from sw.strategy import Learning, learn_strategy
from sw.trajectories import Trajectories, search_k


def make_learnt(before: LearntRule | None = None, seed: int = 0, leads: bool = True) -> LearntRule:
    """Learnt from 100 random walks of 20 steps; the later the step, the more often is the best class the right one."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 3, (100, 20)).cumsum(axis=1) if leads else np.zeros((100, 20), int)
    found = Trajectories(values, rng.random((100, 20)) < np.linspace(0.4, 1.0, 20))
    strategy = learn_strategy(found, Learning(max_images=6_000), seed)
    return LearntRule(strategy, search_k(found), len(found), before)


def make_tuned(layers: int = 2, accuracy: float = 0.875) -> Tuned:
    """Factors that a loss with its least at 1/2 gives."""

    def measure(factors: tuple[float, ...]) -> Cost:
        return Cost(1.0 + sum(float(np.log(factor * 2)) ** 2 for factor in factors), accuracy, 2.5)

    return tune(measure, layers, Tuning(reductions=2, repeats=1))
