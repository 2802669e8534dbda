"""Steps until an accuracy is reached, and the choice of skipped periods and theta; by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.sw.experiments.weighted_spikes.choice import Choice, Option, best_early, best_fixed, early_options
from spikeloom.sw.experiments.weighted_spikes.early import THETAS
from spikeloom.sw.experiments.weighted_spikes.reaching import Reached, needed, reached
from spikeloom.sw.experiments.weighted_spikes.recordings import Recording


@pytest.mark.parametrize(("loss", "wanted"), [(0.0, 950), (0.1, 950), (1.0, 941), (0.05, 950), (0.25, 948)])
def test_a_loss_stays_below_its_points(loss: float, wanted: int) -> None:
    """Of 1,000 images 1 point is 10: 940 would have lost a whole point."""
    assert needed(950, 1000, loss) == wanted


def test_losses_of_all_test_images() -> None:
    assert [needed(9860, 10_000, loss) for loss in (0.0, 0.1, 1.0)] == [9860, 9851, 9761]


def test_reached_by_hand() -> None:
    right = np.array([9, 5, 8, 7, 8, 9])
    assert reached(right, 8, 1) == Reached(1, 5)
    assert reached(right, 8, 2) == Reached(3, 5)
    assert reached(right, 9, 1) == Reached(1, 6)
    assert reached(right, 10, 1) == Reached(None, None)
    assert reached(right, 5, 1) == Reached(1, 1)
    assert reached(right[:5], 9, 1) == Reached(1, None)  # reached, and lost again at the end
    assert right.tolist() == [9, 5, 8, 7, 8, 9]


def test_the_earliest_choice_that_is_right_often_enough() -> None:
    options = [Option(0, 1.0, 90, 5.0), Option(0, 2.0, 95, 9.0), Option(1, 1.0, 95, 8.0), Option(1, 2.0, 96, 8.0)]
    assert best_early(options, 95) == Choice(1, 1.0, None)
    assert best_early(options, 90) == Choice(0, 1.0, None)
    assert best_early(options, 97) is None


def recording() -> Recording:
    """Two images, one phase, five steps: without skipping, the second one's first step misleads it until step 4."""
    scores = np.cumsum([[[2, 0]] * 5, [[5, 0], [0, 2], [0, 2], [0, 2], [0, 2]]], axis=1)
    sums = np.cumsum(np.ones((2, 5), np.int64), axis=1)
    return Recording(
        phases=np.array([1]), v0=np.array([0]), unit=np.array([1.0]), scores=scores, spikes=sums, input_spikes=sums,
        operations=sums, output_operations=sums, crossbar_J=sums * 1.0, output_crossbar_J=sums * 1.0,
    )  # fmt: skip


def test_skipping_the_misleading_step_is_better() -> None:
    labels = np.array([0, 1])
    assert best_fixed(recording(), labels, [0], 2) == Choice(0, None, 4)
    assert best_fixed(recording(), labels, [0, 1], 2) == Choice(1, None, 2)
    assert best_fixed(recording(), labels, [0, 1], 1) == Choice(0, None, 1)
    assert best_fixed(recording(), np.array([1, 0]), [1], 2) is None


def test_options_of_every_skip_and_theta() -> None:
    options = early_options(recording(), np.array([0, 1]), [0, 1])
    assert len(options) == 2 * len(THETAS)
    chosen = best_early(options, 2)
    assert chosen is not None and chosen.skip == 1
    # with one step skipped: leads 2, 4: E = 1, 2.5, count 0, 1: an end after step 3
    assert {option.steps_mean for option in options if option.skip == 1 and option.theta <= 2.0} == {3.0}
