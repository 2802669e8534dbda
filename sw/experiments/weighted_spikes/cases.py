"""What is measured: networks, codings, numbers of phases and cells; the paper's, or a small version.

The small one goes through the same steps on scikit-learn's digits. Its networks and images are others, so its numbers
say nothing about the paper.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from spikeloom.sw.config.config import Config

__all__ = ["Case", "Network", "Scale", "full", "quick"]

Coding = Literal["weighted", "rate"]
Cells = Literal["ideal", "noisy"]


@dataclass(frozen=True)
class Network:
    """A network, and how it is tested.

    Parameters
    ----------
    name : of the paper's network, or of one of the small version
    config : what it is trained and converted with
    tests, validation : images on which numbers are measured, and held-out ones on which skip and theta are chosen
    approximation : first test images of Figure 5
    phases, skip : K and skipped periods of the figures: the paper's, see `published.NETWORKS`
    skips : skipped periods that are tried
    """

    name: str
    config: Config
    tests: int
    validation: int
    approximation: int
    phases: int
    skip: int
    skips: tuple[int, ...]

    def facts(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**vars(self), "config": self.config.model_dump(mode="json")}


@dataclass(frozen=True)
class Case:
    """A recording: a network with a coding and cells.

    Parameters
    ----------
    phases : K; 1 with rate coding
    steps : T_max
    early : whether held-out images are recorded too, and the early decision is measured
    """

    network: str
    coding: Coding
    phases: int
    cells: Cells
    steps: int
    early: bool

    @property
    def slug(self) -> str:
        """As part of a file's name."""
        return f"{self.network}-{self.coding}-{self.phases}-{self.cells}"

    def facts(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Scale:
    """One size of the experiment.

    Parameters
    ----------
    chunk : images of a part that a stopped run does not repeat
    """

    quick: bool
    networks: tuple[Network, ...]
    cases: tuple[Case, ...]
    chunk: int

    def network(self, name: str) -> Network:
        """The network of a name."""
        return next(network for network in self.networks if network.name == name)

    def cases_of(self, network: str) -> tuple[Case, ...]:
        """The cases of a network."""
        return tuple(case for case in self.cases if case.network == network)

    def facts(self) -> dict[str, Any]:
        """All of it as plain values."""
        networks = [network.facts() for network in self.networks]
        return {"networks": networks, "cases": [case.facts() for case in self.cases], "chunk": self.chunk}

    def config(self, case: Case) -> Config:
        """The configuration of a case's chip. It skips nothing and ends no image early: recordings tell both."""
        own = self.network(case.network).config
        coding = {"input": "phase" if case.coding == "weighted" else "rate", "phases": case.phases}
        decision = {"rule": "fixed", "theta": 1.0, "skip": 0, "t_max": case.steps, "readout": "membrane"}
        return own.updated({"name": f"ws-{case.slug}", "coding": coding, "decision": decision})


def _network(name: str, tests: int, validation: int, approximation: int, skips: tuple[int, ...]) -> Network:
    config = Config.load(name)
    return Network(
        name, config, tests, validation, approximation, config.coding.phases, config.decision.skip, skips
    )  # fmt: skip


def _cases(
    network: Network, periods: int, rate_steps: int, other_phases: tuple[int, ...] = (), noisy: bool = True
) -> list[Case]:
    """Weighted spikes with the paper's K, on ideal and noisy cells, and with others; rate coding."""
    name, phases = network.name, network.phases
    cases = [Case(name, "weighted", phases, "ideal", phases * periods, True)]
    cases.append(Case(name, "rate", 1, "ideal", rate_steps, True))
    if noisy:
        cases.append(Case(name, "weighted", phases, "noisy", phases * periods, True))
    return cases + [
        Case(name, "weighted", other, "ideal", other * periods, False) for other in other_phases if other != phases
    ]


def full() -> Scale:
    """The paper's networks. Numbers of images and steps are such that integers of every cell can be computed."""
    every_phase = (2, 3, 4, 5, 6, 7, 8)
    net1 = _network("net1", 10_000, 5000, 500, (0, 1, 2, 3, 4, 5, 6))
    net2 = _network("net2", 2000, 2000, 100, (0, 1, 2, 3))
    net3 = _network("net3", 100, 100, 10, (0, 1, 2, 3, 4))
    net4 = _network("net4", 500, 500, 50, (0, 1, 2, 3, 4, 6))
    net5 = _network("net5", 200, 200, 20, (0, 5, 10, 15, 20, 25))
    net6 = _network("net6", 100, 100, 10, (0, 10, 20, 30, 40))
    net7 = _network("net7", 100, 100, 10, (0, 25, 50, 100))
    cases = [
        *_cases(net1, 16, 500),
        *_cases(net2, 12, 500, every_phase),
        *_cases(net3, 16, 500, noisy=False),
        *_cases(net4, 20, 1000, every_phase),
        *_cases(net5, 70, 1000),
        *_cases(net6, 140, 1000, noisy=False),
        *_cases(net7, 140, 1000, noisy=False),
    ]
    return Scale(False, (net1, net2, net3, net4, net5, net6, net7), tuple(cases), 500)


def quick() -> Scale:
    """Two small networks on scikit-learn's digits: a perceptron and a convolutional one."""
    train = {"batch_norm": True, "epochs": 12, "batch": 64, "learning_rate": 1e-2, "activation": "relu"}
    base = Config.validated(
        {
            "data": {"set": "digits", "validation_images": 300, "calibration_images": 300},
            "convert": {"normalisation": "percentile", "percentile": 0.999},
            "neuron": {"output_reset": "none", "v0": 0.0},
            "coding": {"input": "phase", "phases": 4},
            "decision": {"readout": "membrane", "rule": "fixed", "t_max": 40},
            "crossbar": {"tile_rows": 128, "tile_columns": 32, "adc_bits": 10},
            "device": {"bits": 6, "device_sigma": 0.05, "read_sigma": 0.01},
            "hardware": {"lanes": 16, "encoder_lanes": 16},
        },
        "weighted spikes, quick",
    )
    networks = []
    for name, layers, skip in (("small-mlp", "64-64-64-10", 2), ("small-cnn", "8c3-2s-16c2-10", 1)):
        table = {**train, "network": layers, "activation_levels": 0, "weight_bits": 6}
        config = base.updated({"name": f"ws-{name}", "train": table})
        networks.append(Network(name, config, 200, 200, 50, 4, skip, (0, 1, 2, 3)))
    perceptron, convolutional = networks
    cases = [*_cases(perceptron, 12, 150), *_cases(convolutional, 10, 100, (2, 8), noisy=False)]
    return Scale(True, tuple(networks), tuple(cases), 100)
