"""Numbers reported by the WINNER-K paper: Y. Ma and P. Zhou, ASPDAC 2021 [WK].

Only numbers that its text and tables give; its figures are pictures, and nothing is read off them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ACCURACY_ANN", "CASES", "CITATION", "SAVINGS", "TABLE_1", "Published", "Saving"]

CITATION = {
    "authors": "Yu Ma and Pingqiang Zhou",
    "title": "Efficient Techniques for Training the Memristor-based Spiking Neural Networks Targeting Better Speed, "
    "Energy and Lifetime",
    "venue": "26th Asia and South Pacific Design Automation Conference (ASPDAC '21)",
    "year": 2021,
    "doi": "10.1145/3394885.3431555",
}

ACCURACY_ANN = 0.9811
"""Table 1: accuracy of the network before conversion, 784 x 1000 x 30 x 10."""


@dataclass(frozen=True)
class Published:
    """A column of Table 2, and what section 5.2.1 says of Figure 7; None where the paper gives no number.

    Parameters
    ----------
    title : what the case is
    accuracy : static, 0 .. 1
    steps_mean, lifetime_images, crossbar_energy_J : Table 2, with drift
    steps_static : without drift, from the percentages of section 5.2.1: 99T is 48 % below 99N, 999T 42 % below 999N,
        and OT 35.17 % below 99T (41.69 % below 999T gives the same to 0.02 steps)
    """

    title: str
    accuracy: float | None = None
    steps_mean: float | None = None
    lifetime_images: int | None = None
    crossbar_energy_J: float | None = None
    steps_static: float | None = None


CASES: dict[str, Published] = {
    "99N": Published("99 % normalisation, every image 20 steps", None, 20.0, 50, 18.85e-6, 20.0),
    "999N": Published("99.9 % normalisation, every image 20 steps", None, 20.0, 58, 19.48e-6, 20.0),
    "99T": Published("99 % with learned k", None, 11.35, 83, 10.10e-6, 20.0 * (1 - 0.48)),
    "999T": Published("99.9 % with learned k", None, 12.10, 86, 11.91e-6, 20.0 * (1 - 0.42)),
    "OT": Published("learned k and tuned thresholds", None, 7.50, 98, 8.04e-6, 20.0 * (1 - 0.48) * (1 - 0.3517)),
    "best": Published("not in the paper: a network trained for few steps"),
}
"""The five cases of the paper, and ours."""


@dataclass(frozen=True)
class Saving:
    """OT against 99N: shares of steps and energy saved, 0 .. 1; lifetime as a factor."""

    steps: float
    energy: float
    lifetime: float


SAVINGS = Saving(steps=0.625, energy=0.587, lifetime=2.0)
"""Abstract and section 6: 62.5 %, 58.7 % and "double". Table 2 gives 62.5 %, 57.3 % and 1.96 against 99N; its 58.7 % is
OT against 999N.
"""

TABLE_1 = (
    ("layer 1", "rows x columns", "layers.0", "784 x 1000"),
    ("layer 2", "rows x columns", "layers.1", "1000 x 30"),
    ("layer 3", "rows x columns", "layers.2", "30 x 10"),
    ("accuracy", "of the network before conversion", "accuracy_ann", f"{100 * ACCURACY_ANN:.2f} %"),
    ("R_c, R_p", "reward of a correct and of a wrong class", "rewards", "+50, -50"),
    ("R_t", "reward of a time step", "reward_step", "-1"),
    ("alpha", "learning rate", "rate", "0.1"),
    ("gamma", "discount", "discount", "0.9"),
    ("alpha", "of tuning: factor on beta", "tuning_alpha", "0.2"),
    ("beta", "of tuning: first relative change of a factor", "tuning_beta", "0.5"),
    ("N", "of tuning: values of beta", "reductions", "4"),
    ("R", "of tuning: rounds with each beta", "repeats", "2"),
)
"""Symbol, what it is, our name for it, the paper's value."""
