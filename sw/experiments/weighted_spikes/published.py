"""Numbers reported by the weighted-spikes paper: J. Kim et al., Neurocomputing 2018 [WS].

Only numbers that its text and tables give; its figures are pictures, and nothing is read off them.

Its "number of spikes" is not one of firings. Table 3 gives Net2 3e6 in 16 steps, but 24,784 neurons that fire in
every step make 24,784 x 16 = 396,544 firings. So it must count a spike once for every synapse that it arrives at, or
something like it; the text says that an incoming spike changes a membrane, and that this takes energy (7.3). We report
firings and synaptic operations, each a cell whose row is driven, so that either can be compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["CITATION", "NETWORKS", "RATE_LIMIT", "SAVINGS", "TABLE_2", "Factors", "Published", "Row", "published_row"]

CITATION = {
    "authors": "Jaehyun Kim, Heesu Kim, Subin Huh, Jinho Lee and Kiyong Choi",
    "title": "Deep Neural Networks with Weighted Spikes",
    "venue": "Neurocomputing",
    "year": 2018,
    "doi": "10.1016/j.neucom.2018.05.087",
}
RATE_LIMIT = 10_000
"""Section 7.1: steps within which rate coding had to get there."""


@dataclass(frozen=True)
class Published:
    """A network of Table 1.

    Parameters
    ----------
    accuracy_network, accuracy : Table 1, of the ANN and of the SNN with weighted spikes, 0 .. 1
    phases : K, section 7.1
    skip : periods in which the outputs are not updated, caption of Figure 11
    neurons : Table 3; None where it has no number
    """

    data: str
    configuration: str
    accuracy_network: float
    accuracy: float
    phases: int
    skip: int
    neurons: int | None = None


NETWORKS: dict[str, Published] = {
    "net1": Published("MNIST", "MLP 784-1200-1200-10", 0.986, 0.986, 4, 4, 3194),
    "net2": Published("MNIST", "CNN 12c5-2s-64c5-2s-10", 0.992, 0.992, 4, 1, 24_784),
    "net3": Published("SVHN", "NiN, 3 Mlpconv layers", 0.952, 0.952, 8, 2),
    "net4": Published("CIFAR-10", "CNN 32c3-32c3-2s-64c3-64c3-2s-512-10", 0.891, 0.892, 8, 2, 118_282),
    "net5": Published("CIFAR-10", "ResNet-20", 0.914, 0.914, 8, 20),
    "net6": Published("CIFAR-100", "ResNet-32", 0.661, 0.662, 8, 30),
    "net7": Published("CIFAR-100", "Plain-32", 0.643, 0.637, 8, 100),
}


@dataclass(frozen=True)
class Factors:
    """Table 2: rate coding over weighted spikes; None where rate coding does not get there in 10,000 steps."""

    latency: float | None
    spikes: float | None


_NOT = Factors(None, None)
TABLE_2: dict[str, dict[float, Factors]] = {
    "net1": {1.0: Factors(1.2, 0.7), 0.1: Factors(3.0, 2.0), 0.0: Factors(3.2, 2.0)},
    "net2": {1.0: Factors(1.5, 0.5), 0.1: Factors(21.3, 15.0), 0.0: _NOT},
    "net3": {1.0: Factors(6.8, 2.2), 0.1: Factors(14.0, 4.4), 0.0: Factors(15.1, 4.6)},
    "net4": {1.0: Factors(91.1, 25.1), 0.1: _NOT, 0.0: _NOT},
    "net5": {1.0: Factors(17.2, 4.4), 0.1: _NOT, 0.0: _NOT},
    "net6": {1.0: Factors(11.4, 3.1), 0.1: Factors(11.9, 3.2), 0.0: _NOT},
    "net7": {1.0: _NOT, 0.1: _NOT, 0.0: _NOT},
}
"""By network and allowed loss in points."""

SAVINGS: dict[str, dict[float, tuple[float, float]]] = {
    "net1": {0.0: (0.22, 0.23), 1.0: (0.22, 0.23)},
    **{f"net{number}": {0.0: (0.50, 0.58), 1.0: (0.59, 0.77)} for number in (2, 3, 4, 5)},
}
"""Section 7.2: range of the spikes saved by the early decision, by allowed loss; one for Net1, one for Net2 .. Net5."""


@dataclass(frozen=True)
class Row:
    """What the paper says of a network with a coding, an allowed loss, with or without early decision.

    Parameters
    ----------
    accuracy : 0 .. 1
    steps_mean, steps_last : of all images; those of the last one
    spikes_mean : in the paper's sense, see above
    crossbar_energy_J : the paper has none
    place : where it says so
    """

    accuracy: float | None = None
    steps_mean: float | None = None
    steps_last: int | None = None
    spikes_mean: float | None = None
    crossbar_energy_J: float | None = None
    place: str | None = None


_ROWS: dict[tuple[str, str, bool, float], Row] = {
    ("net1", "weighted", False, 0.0): Row(0.986, 24, 24, 8e6, place="Table 3"),
    ("net1", "weighted", True, 0.1): Row(0.985, 19, 24, 6e6, place="Table 3; last step: 7.2"),
    ("net2", "weighted", False, 0.0): Row(0.992, 16, 16, 3e6, place="Table 3"),
    ("net2", "weighted", True, 0.1): Row(0.991, 8, None, 1e6, place="Table 3"),
    ("net4", "weighted", False, 0.0): Row(0.892, 117, 117, 4e8, place="Table 3"),
    ("net4", "weighted", True, 0.1): Row(0.891, 42, None, 1e8, place="Table 3"),
    ("net4", "weighted", True, 1.0): Row(0.8816, 27.6, 117, place="7.2; theta 0.9, 77 % of the spikes saved"),
    ("net5", "weighted", False, 0.0): Row(None, 502, 502, place="7.1"),
    ("net6", "weighted", False, 0.0): Row(None, 1064, 1064, place="7.1"),
    ("net7", "weighted", False, 1.0): Row(None, 3469, 3469, place="7.1"),
}
_NEVER = {("net2", 0.0), ("net5", 0.0), ("net6", 0.0), ("net7", 1.0)}
"""Rate coding does not get there in 10,000 steps, says 7.1."""


def published_row(network: str | None, coding: str, early: bool, loss_points: float) -> dict[str, Any]:
    """A row of the paper as plain values; None where it has no number."""
    row = _ROWS.get((network or "", coding, early, loss_points), Row())
    never = coding == "rate" and not early and (network, loss_points) in _NEVER
    if never:
        row = Row(place=f"7.1: not within {RATE_LIMIT:,} steps")
    return asdict(row)
