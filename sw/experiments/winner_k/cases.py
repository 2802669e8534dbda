"""The cases as plain configurations: training of a network, and settings of its chip.

The paper's method is rate coding by Bernoulli spikes, neurons that start at and are reset to zero, and a ReLU network
that knows nothing of spikes. `best` is a network trained for few steps, with even coding and neurons that start half
full. Devices are the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["CASES", "FEW_STEPS", "NETWORKS", "RELU", "VARIANTS", "Case", "case"]

RELU, FEW_STEPS = "relu", "few-steps"
NETWORKS = (RELU, FEW_STEPS)
"""The two networks of a seed."""

_PAPER: dict[str, Any] = {
    "coding": {"input": "rate", "phases": 1},
    "neuron": {"reset": "zero", "output_reset": "zero", "v0": 0.0},
}
_OURS: dict[str, Any] = {
    "coding": {"input": "even", "phases": 1, "even_start": 127},
    "neuron": {"reset": "subtract", "output_reset": "subtract", "v0": 0.5},
}
_AS_TRAINED = {"output_offset": "network", "adc_quantile": 1.0}
_FIXED = {"rule": "fixed"}
_LEARNT = {"rule": "winner_k", "strategy": "learned"}


@dataclass(frozen=True)
class Case:
    """One column of Table 2.

    Parameters
    ----------
    name : of the paper, or `best`
    network : which of `NETWORKS`
    changes : to the configuration of the network, table by table
    """

    name: str
    network: str
    changes: dict[str, Any]

    @property
    def slug(self) -> str:
        """The name for files."""
        return self.name.replace(", ", "-").replace(" = ", "")


def _normalised(percentile: float) -> dict[str, Any]:
    return {"normalisation": "percentile", "percentile": percentile, "weight_scale": "max", **_AS_TRAINED}


def _lead(k: int) -> dict[str, Any]:
    return {"rule": "winner_k", "k": float(k)}


CASES = (
    Case("99N", RELU, {**_PAPER, "convert": _normalised(0.99), "decision": _FIXED}),
    Case("999N", RELU, {**_PAPER, "convert": _normalised(0.999), "decision": _FIXED}),
    Case("99T", RELU, {**_PAPER, "convert": _normalised(0.99), "decision": _LEARNT}),
    Case("999T", RELU, {**_PAPER, "convert": _normalised(0.999), "decision": _LEARNT}),
    Case("OT", RELU, {**_PAPER, "convert": {**_normalised(0.99), "tune": True}, "decision": _LEARNT}),
    Case(
        "best",
        FEW_STEPS,
        {**_OURS, "convert": {"normalisation": "max", "tune": True, **_AS_TRAINED}, "decision": _LEARNT},
    ),
)
"""The columns of Table 2, and our best."""

VARIANTS = (
    Case("OT, k = 2", RELU, {**_PAPER, "convert": {**_normalised(0.99), "tune": True}, "decision": _lead(2)}),
    Case("best, k = 2", FEW_STEPS, {**_OURS, "convert": {"normalisation": "max", **_AS_TRAINED}, "decision": _lead(2)}),
)
"""Shown beside them."""


def case(name: str) -> Case:
    """The case or variant of a name."""
    return next(each for each in (*CASES, *VARIANTS) if each.name == name)
