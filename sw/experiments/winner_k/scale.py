"""Scale of the experiment: the paper's on MNIST, or a small version on scikit-learn's digits.

The small one goes through the same steps. Its numbers are those of another network on other images and say nothing
about the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spikeloom.sw.config.config import Config
from spikeloom.sw.experiments.winner_k.cases import FEW_STEPS, RELU, Case

__all__ = ["Scale", "full", "quick"]


@dataclass(frozen=True)
class Scale:
    """Sizes and settings that are not a case's own.

    Parameters
    ----------
    quick : whether it is the small one
    base : configuration of data, crossbars, devices and hardware
    train : table [train] of each network
    tuning : table [tuning] of each tuned case
    figure_images, figure_steps : test images and T of Figures 3 and 4
    points, point_images : of a lifetime: about so many points, so many test images each
    most_images : a chip that lives longer counts as one without an end
    sensitivity : validation images and test images of the sensitivities
    assumptions : names of those that are changed there; None is all
    verilog_images : first test images that go through the Verilog; 0 is all
    """

    quick: bool
    base: Config
    train: dict[str, dict[str, Any]]
    tuning: dict[str, dict[str, Any]]
    figure_images: int
    figure_steps: int
    points: int
    point_images: int
    most_images: int
    sensitivity: tuple[int, int]
    assumptions: tuple[str, ...] | None
    verilog_images: int

    def network(self, name: str, seed: int) -> Config:
        """The configuration that a network is trained with."""
        return self.base.updated({"name": f"winner-k-{name}", "seed": seed, "train": self.train[name]})

    def config(self, case: Case, seed: int, changes: dict[str, Any] | None = None) -> Config:
        """The configuration of a case's chip; `changes`, table by table, go on top."""
        tables = {key: dict(value) for key, value in case.changes.items()}
        if tables["convert"].get("tune"):
            tables["tuning"] = dict(self.tuning[case.name])
        for key, value in (changes or {}).items():
            tables[key] = {**tables.get(key, {}), **value}
        if not tables["convert"].get("tune"):
            tables.pop("tuning", None)
        if tables["decision"].get("strategy") != "learned":
            tables.pop("learning", None)
        return self.network(case.network, seed).updated({"name": f"winner-k-{case.slug}", **tables})

    def facts(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**vars(self), "base": self.base.model_dump(mode="json")}


_DEVICE = {
    "bits": 4,
    "cell": "tantalum",
    "g_min_S": 1e-4,
    "g_max_S": 0.025,
    "v_read_V": 0.2,
    "read_polarity": "positive",
    "drift_every": 1,
}
_PULSES = {"pulse_cycles": 10, "clock_Hz": 1e8}  # read pulses of 100 ns
_FEW_STEPS = {"activation": "clipped", "activation_levels": 4, "weight_bits": 4}
_RELU = {"activation": "relu", "activation_levels": 0, "weight_bits": 4}


def full() -> Scale:
    """The paper's experiment: MNIST, 784-1000-30-10."""
    base = Config.validated(
        {
            "data": {"set": "mnist", "validation_images": 5000},
            "train": {"hidden": [1000, 30]},
            "decision": {"t_max": 20},
            "crossbar": {"tile_rows": 256, "tile_columns": 64, "adc_bits": 8},
            "device": {**_DEVICE, "acceleration": 7.6e7},
            "hardware": {"lanes": 16, "encoder_lanes": 16, **_PULSES},
        },
        "winner-k",
    )
    few = {"epochs": 16, "batch": 256, "learning_rate": 2e-3, "weight_noise": 0.03, "augment": "affine"}
    return Scale(
        quick=False,
        base=base,
        train={
            RELU: {**_RELU, "epochs": 10, "batch": 128, "learning_rate": 1e-3, "dropout": 0.3, "weight_noise": 0.1},
            FEW_STEPS: {**_FEW_STEPS, **few},
        },
        tuning={
            "OT": {"accuracy_drop": 0.0, "batch": 5000},
            "OT, k = 2": {"accuracy_drop": 0.0, "batch": 500},
            "best": {"accuracy_drop": 0.0, "batch": 5000},
        },
        figure_images=2000,
        figure_steps=50,
        points=40,
        point_images=1000,
        most_images=50_000,
        sensitivity=(1000, 500),
        assumptions=None,
        verilog_images=0,
    )


def quick() -> Scale:
    """The same in small: scikit-learn's digits, 64-128-30-10."""
    base = Config.validated(
        {
            "data": {"set": "digits", "validation_images": 300, "calibration_images": 500},
            "train": {"hidden": [128, 30]},
            "decision": {"t_max": 20},
            "crossbar": {"tile_rows": 32, "tile_columns": 32, "adc_bits": 8},
            "device": {**_DEVICE, "acceleration": 2e8},
            "hardware": {"lanes": 8, "encoder_lanes": 16, **_PULSES},
        },
        "winner-k, quick",
    )
    return Scale(
        quick=True,
        base=base,
        train={
            RELU: {**_RELU, "epochs": 30, "batch": 32, "learning_rate": 5e-3, "dropout": 0.1},
            FEW_STEPS: {**_FEW_STEPS, "epochs": 30, "batch": 32, "learning_rate": 5e-3, "weight_noise": 0.03},
        },
        tuning={name: {"accuracy_drop": 0.0, "batch": 300} for name in ("OT", "OT, k = 2", "best")},
        figure_images=200,
        figure_steps=30,
        points=10,
        point_images=250,
        most_images=3000,
        sensitivity=(200, 100),
        assumptions=("as-above", "k2", "unbounded", "negative", "eighty"),
        verilog_images=100,
    )
