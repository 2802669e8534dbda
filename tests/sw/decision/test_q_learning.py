"""What is learnt is what the direct search finds, and the Q values are expected returns."""

from dataclasses import fields

import numpy as np
import pytest

from spikeloom.sw.decision.q_learning import CONTINUE, TERMINATE, Learning, LearntQValues, learn_q_values
from spikeloom.sw.decision.trajectories import Rewards, Trajectories, record_trajectories, search_k
from tests.fixtures.models import make_chip, make_images

T_MAX = 12


def ladder(right_at: list[float], count: int = 4000, pace: int = 2, seed: int = 0) -> Trajectories:
    """Images that lead by n after pace * n steps, and are right there with probability right_at[n - 1]."""
    rng = np.random.default_rng(seed)
    leads = np.tile(np.minimum(np.arange(1, T_MAX + 1) // pace, len(right_at)), (count, 1))
    luck = rng.random((count, 1))
    right = luck < np.array([0.0, *right_at])[leads]
    return Trajectories(leads, right)


def votes(signal: float, seed: int = 1) -> Trajectories:
    """Ten output neurons that spike at random, the right one more often, by an amount that differs between images."""
    rng = np.random.default_rng(seed)
    count, steps, classes = 3000, 20, 10
    labels = rng.integers(0, classes, count)
    rates = np.full((count, classes), 0.15)
    rates[np.arange(count), labels] += rng.uniform(0.2, 1.0, count) * signal
    rates[np.arange(count), rng.integers(0, classes, count)] += rng.uniform(0, 0.35, count)
    scores = (rng.random((count, steps, classes)) < rates[:, None]).cumsum(axis=1)
    top = np.partition(scores, -2, axis=-1)
    return Trajectories(top[..., -1] - top[..., -2], scores.argmax(axis=-1) == labels[:, None])


@pytest.mark.parametrize("halves_at", [0, 100])
@pytest.mark.parametrize("best", [1, 2, 3, 4])
def test_a_known_optimum_is_learnt(best, halves_at):
    """Until lead `best` another step pair pays, and from there on it does not."""
    right_at = [0.5 if n < best else 0.95 for n in range(1, 6)]
    found = ladder(right_at)
    search = search_k(found)
    assert search.best == best
    for seed in range(3):
        learnt = learn_q_values(found, Learning(rate_halves_at=halves_at), seed)
        assert learnt.k == best and learnt.converged


@pytest.mark.parametrize("discount", [0.9, 1.0])
@pytest.mark.parametrize("signal", [0.3, 0.5, 0.7])
def test_learnt_k_is_that_of_the_direct_search(signal, discount):
    found = votes(signal)
    rewards = Rewards(discount=discount)
    search = search_k(found, rewards)
    for seed in range(3):
        assert learn_q_values(found, Learning(rewards, rate_halves_at=100), seed).k == search.best
    # the paper's constant alpha rests on noisy values: it comes near, in reward if not in k
    constant = learn_q_values(found, Learning(rewards), 0)
    returns = dict(zip(search.ks, search.discounted, strict=True))
    assert returns[constant.k] > returns[search.best] - 5.0


def test_q_values_are_expected_returns():
    found = ladder([0.3, 0.6, 0.9])
    rewards = Rewards()
    learnt = learn_q_values(found, Learning(rate_halves_at=100, tolerance=0.05), 0)
    right = found.right.mean(axis=0)
    ends = [100 * right[2 * n - 1] - 50 for n in (1, 2, 3)]
    np.testing.assert_allclose(learnt.table[1:, TERMINATE], ends, atol=1.5)
    after_three = -6 + 100 * right[-1] - 50
    after_two = -2 + 0.9 * ends[2]
    after_one = -2 + 0.9 * after_two
    np.testing.assert_allclose(
        learnt.table[:, CONTINUE], [-2 + 0.9 * after_one, after_one, after_two, after_three], atol=1.5
    )
    assert learnt.k == 3
    assert learnt.table[0, CONTINUE] == pytest.approx(search_k(found, rewards).discounted.max(), abs=1.5)
    assert learnt.table[0, TERMINATE] == 0.0 and learnt.visits[0, TERMINATE] == 0


def test_one_step_of_the_algorithm_by_hand():
    """One image: leads by 1 after step 2, then runs to the end or stops; equation 4 with Q = 0 before."""
    found = Trajectories(np.array([[0, 1, 1]]), np.array([[False, False, True]]))
    once = Learning(max_images=1, report_interval=1)
    seen = set()
    for seed in range(8):
        learnt = learn_q_values(found, once, seed)
        start = 0.1 * -2
        stopped, went_on = [[start, 0.0], [0.0, -5.0]], [[start, 0.0], [pytest.approx(0.1 * (-1 + 50)), 0.0]]
        assert learnt.last.tolist() in (stopped, went_on)
        seen.add(int(learnt.visits[1, TERMINATE]))
        assert learnt.images == 1 and learnt.visits.sum() == 2 and not learnt.converged
    assert seen == {0, 1}


def test_a_lead_in_the_last_step_is_a_state_too():
    found = Trajectories(np.array([[0, 0, 1]]), np.array([[False, False, True]]))
    learnt = learn_q_values(found, Learning(max_images=200), 0)
    assert learnt.visits[1].sum() == 200 and learnt.visits[1].min() > 0
    assert learnt.k == search_k(found).best == 1


def test_states_that_were_never_seen_choose_nothing():
    """Steps that cost nothing, one image that goes on to the end: all Q but the last are 0, and equal values go on."""
    found = Trajectories(np.arange(1, 6)[None, :], np.ones((1, 5), bool))
    learning = Learning(Rewards(step=0.0), max_images=1, epsilon=1e-9, epsilon_min=1e-9)
    learnt = learn_q_values(found, learning, 0)
    np.testing.assert_array_equal(learnt.last, [[0, 0]] * 5 + [[5, 0]])
    assert learnt.k is None and learnt.visits[:, TERMINATE].sum() == 0


def test_convergence_needs_the_same_k_and_values_that_agree():
    found = votes(0.3)
    loose = Learning(epsilon=0.4, report_interval=50, patience=1, tolerance=1e6, max_images=20_000)
    for seed in range(20):
        learnt = learn_q_values(found, loose, seed)
        assert learnt.converged and learnt.images >= 100
        assert learnt.history_k[-1] == learnt.history_k[-2]
    assert not learn_q_values(found, Learning(epsilon=0.4, tolerance=1e-9, max_images=60_000), 0).converged


def test_the_same_seed_learns_the_same_and_another_does_not():
    found = votes(0.5)

    def values(learnt: LearntQValues) -> list[bytes | str]:
        parts = [getattr(learnt, field.name) for field in fields(learnt)]
        return [part.tobytes() if isinstance(part, np.ndarray) else repr(part) for part in parts]

    first, second, other = (learn_q_values(found, seed=seed) for seed in (4, 4, 5))
    assert values(first) == values(second) != values(other)
    assert values(learn_q_values(found, seed=np.random.default_rng(4))) == values(first)


def test_history_counts_and_progress():
    found = ladder([0.5, 0.9])
    learning = Learning(epsilon_factor=0.9999, report_interval=500, patience=2, max_images=7250, tolerance=1e-9)
    seen = []
    learnt = learn_q_values(found, learning, 0, lambda *now: seen.append(now))
    assert learnt.images == 7250 and len(learnt.history) == len(learnt.epsilons) == len(learnt.history_k) == 15
    assert seen[0][:2] == (500, 7250) and seen[-1][:2] == (7250, 7250) and seen[-1][2].startswith("k ")
    np.testing.assert_allclose(learnt.epsilons, np.maximum(0.4, 0.9999 ** np.append(np.arange(500, 7001, 500), 7250)))
    np.testing.assert_array_equal(learnt.shown, np.append(np.arange(500, 7001, 500), 7250))
    np.testing.assert_allclose(learnt.table, learnt.history[-2:].mean(axis=0))
    assert learnt.visits[0, CONTINUE] == 7250 and learnt.visits[1].sum() == 7250
    assert learnt.last_k in (1, 2, None)


def test_all_images_are_shown_before_any_a_second_time():
    """Only one image is right: after as many images as there are, it has been seen once exactly."""
    right = np.zeros((50, 1), bool)
    right[17] = True
    found = Trajectories(np.zeros((50, 1), int), right)
    learnt = learn_q_values(found, Learning(rate=1.0, max_images=50, report_interval=1), 0)
    assert np.count_nonzero(learnt.history[:, 0, CONTINUE] > 0) == 1


def test_no_image_ever_right():
    """Nothing is gained by waiting; but with a discount the penalty weighs less the later it comes."""
    found = ladder([0.0] * 5)
    search = search_k(found, Rewards(discount=1.0))
    assert learn_q_values(found, Learning(Rewards(discount=1.0)), 0).k == search.best == 1
    late = learn_q_values(found, Learning(rate_halves_at=100), 0)
    assert late.k == search_k(found).best != 1


def test_always_right_at_once():
    found = Trajectories(np.tile(np.arange(1, 9), (100, 1)), np.ones((100, 8), bool))
    learnt = learn_q_values(found, seed=0)
    assert learnt.k == search_k(found).best == 1 and learnt.converged


def test_no_image_ever_leads():
    found = Trajectories(np.zeros((20, 6), int), np.ones((20, 6), bool))
    learnt = learn_q_values(found, seed=0)
    assert learnt.k is None and search_k(found).ks == (None,) and learnt.table.shape == (1, 2)
    assert learnt.table[0, CONTINUE] == pytest.approx(44.0)


def test_one_class_stops_at_the_first_lead():
    chip = make_chip(20, 8, 1).programmed
    found = record_trajectories(chip, make_images(60, 20), np.zeros(60, int))
    assert found.levels > 1
    assert learn_q_values(found, seed=0).k == search_k(found).best == 1


def test_k_is_in_the_register_s_unit():
    found = ladder([0.5, 0.95, 0.95])
    coarse = Trajectories(found.leads * 7, found.right, unit=7)
    assert learn_q_values(coarse, seed=1).k == 14 == search_k(coarse).best


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rate": 0.0}, "^rate must be above 0 and at most 1, not 0.0"),
        ({"epsilon_factor": 1.5}, "^epsilon_factor must be above 0 and at most 1, not 1.5"),
        ({"epsilon": 0.1}, "^epsilon_min must be above 0 and at most epsilon, and epsilon at most 1, not 0.4 and 0.1"),
        ({"report_interval": 0}, "^report_interval must be a positive integer, not 0"),
        ({"max_images": True}, "^max_images must be a positive integer, not True"),
        ({"rate_halves_at": -1}, "^rate_halves_at must be a whole number of at least 0, not -1"),
        ({"tolerance": 0.0}, "^tolerance must be above 0, not 0.0"),
    ],
)
def test_settings_out_of_range(values, words):
    with pytest.raises(ValueError, match=words):
        Learning(**values)
