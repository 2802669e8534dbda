"""`ByStep`: what a run by step found, as arrays, as a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.plain_table import html_table
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = ["ByStep", "OneImage", "OperatingPoint"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """Images that end by the decision rule.

    Parameters
    ----------
    registers : of the rule, by name
    own : whether they are the chip's
    error : share of the images whose class is not the true one
    steps, spikes, crossbar_J : means of an image
    """

    registers: dict[str, int]
    own: bool
    error: float
    steps: float
    spikes: float
    crossbar_J: float


@dataclass(frozen=True, eq=False)
class OneImage:
    """The outputs of one image by step, in units of the outputs' activations ([WS Figure 4], [WS Figure 7]).

    Parameters
    ----------
    image : its row in the images given
    averages : float64 [steps, classes], scores over the weight that has passed since the outputs run; NaN before
    activations : float64 [classes], what they converge to
    """

    image: int
    averages: Floats
    activations: Floats

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class ByStep:
    """A chip on some images, all of which ran to t_max; arrays have a row per step, and a column per stage.

    Stages are layers of neurons and pooling units, in the order of the network; the last one is the output layer.
    Activations are in units of thresholds: 1 is a spike in every step.

    Parameters
    ----------
    name, images, phases, window : of the chip; number of images; K; steps after which noise spikes are judged
    against : what activations are compared with, "network" (that the chip was converted from) or "levels" (that its
        integers make)
    truth : what classes are compared with, "labels" or "network"
    stages, values, fires : name of every stage; its values (neurons of a layer); whether it is a layer whose spikes
        something reads
    mean_absolute_error, mean_error, deviation : float64 [steps, stages], of decoded activations less those of the
        network: mean magnitude, mean, standard deviation ([WS Figure 5]); NaN where a stage is not run
    above_one : float64 [stages], mean of what activations exceed a rate of 1 by, which no number of steps gives back
    spikes : int64 [steps, stages], in all images; 0 of pooling units
    input_spikes : int64 [steps], of the encoder in all images; 0 where inputs are analog
    noise : int64 [steps, stages], noise spikes found at the end of each window (`sw.diagnostics.by_step.noise`)
    counted : bool [stages], whether a stage's noise spikes can be counted
    crossbar_J : float64 [steps], crossbar energy of a step, mean of an image
    error : float64 [steps], share of the images whose class is not the true one; NaN before the outputs run
    network_error : the same of what activations are compared with
    settled : int32 [images], the step from which the class no longer changes
    early : the chip's decision rule and weaker and stronger ones; none for the rule "fixed"
    example : one image
    notes : sentences about what limits these figures
    """

    name: str
    images: int
    phases: int
    window: int
    against: str
    truth: str
    stages: tuple[str, ...]
    values: NDArray[np.int64]
    fires: NDArray[np.bool_]
    mean_absolute_error: Floats
    mean_error: Floats
    deviation: Floats
    above_one: Floats
    spikes: NDArray[np.int64]
    input_spikes: NDArray[np.int64]
    noise: NDArray[np.int64]
    counted: NDArray[np.bool_]
    crossbar_J: Floats
    error: Floats
    network_error: float
    settled: NDArray[np.int32]
    early: tuple[OperatingPoint, ...]
    example: OneImage
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """Steps."""
        return len(self.error)

    def __repr__(self) -> str:
        return f"ByStep({self.name}: {self.images} images, {len(self)} steps, {len(self.stages)} stages)"

    def __str__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join([*(f"{name:<{width}}  {value}" for name, value in rows), *self.notes])

    def _repr_html_(self) -> str:
        return html_table(f"{self.name} by step", self.rows(), " ".join(self.notes))

    @property
    def steps(self) -> NDArray[np.int64]:
        """1, 2, ... t_max."""
        return np.arange(1, len(self) + 1)

    @property
    def overall(self) -> dict[str, Floats]:
        """`mean_absolute_error`, `mean_error` and `deviation` of all neurons together, float64 [steps] each."""
        ran = ~np.isnan(self.mean_error)
        weight = ran * np.where(self.fires | (np.arange(len(self.values)) == len(self.values) - 1), self.values, 0)
        weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1)
        mean = (np.where(ran, self.mean_error, 0.0) * weight).sum(axis=1)
        square = (np.where(ran, self.deviation**2 + self.mean_error**2, 0.0) * weight).sum(axis=1)
        return {
            "mean_absolute_error": (np.where(ran, self.mean_absolute_error, 0.0) * weight).sum(axis=1),
            "mean_error": mean,
            "deviation": np.sqrt(np.maximum(square - mean**2, 0.0)),
        }

    @property
    def rates(self) -> Floats:
        """Mean firing rate of each stage's neurons in each step, spikes per neuron, float64 [steps, stages]."""
        return self.spikes / (self.images * self.values)

    @property
    def rate(self) -> Floats:
        """That of all neurons whose spikes something reads, float64 [steps] ([WS Figure 8c])."""
        neurons = max(1, int(self.values[self.fires].sum()))
        rate: Floats = self.spikes[:, self.fires].sum(axis=1) / (self.images * neurons)
        return rate

    @property
    def spikes_so_far(self) -> Floats:
        """Spikes of an image up to and with each step, mean, of neurons whose spikes something reads; [steps]."""
        return np.cumsum(self.spikes[:, self.fires].sum(axis=1)) / self.images

    @property
    def crossbar_J_so_far(self) -> Floats:
        """Crossbar energy of an image up to and with each step, joules, mean; [steps]."""
        return np.cumsum(self.crossbar_J)

    @property
    def noise_shares(self) -> Floats:
        """Noise spikes over spikes, of each stage in the whole run, float64 [stages]; NaN where there is no count."""
        spikes = self.spikes.sum(axis=0)
        shares = self.noise.sum(axis=0) / np.maximum(spikes, 1)
        return np.where(self.counted, shares, np.nan)

    @property
    def noise_share(self) -> float:
        """That of all stages whose noise spikes can be counted; NaN without any."""
        spikes = int(self.spikes[:, self.counted].sum())
        return int(self.noise[:, self.counted].sum()) / max(spikes, 1) if self.counted.any() else float("nan")

    def columns(self) -> dict[str, NDArray[Any]]:
        """A table with a row per step, NumPy arrays by column."""
        shared = {
            "step": self.steps,
            "period": (self.steps - 1) // self.phases + 1,
            "phase": (self.steps - 1) % self.phases + 1,
            "error": self.error,
            "spikes": self.spikes[:, self.fires].sum(axis=1) / self.images,
            "spikes_so_far": self.spikes_so_far,
            "crossbar_J": self.crossbar_J,
            "crossbar_J_so_far": self.crossbar_J_so_far,
            "rate": self.rate,
            **self.overall,
        }
        for stage in range(len(self.stages)):
            shared[f"stage{stage}_mean_absolute_error"] = self.mean_absolute_error[:, stage]
            shared[f"stage{stage}_mean_error"] = self.mean_error[:, stage]
            shared[f"stage{stage}_deviation"] = self.deviation[:, stage]
            if self.values[stage] and self.fires[stage]:
                shared[f"stage{stage}_rate"] = self.rates[:, stage]
            if self.counted[stage]:
                shared[f"stage{stage}_noise_spikes"] = self.noise[:, stage] / self.images
        return shared

    def to_dataframe(self) -> Any:
        """`columns` as a `pandas.DataFrame`; pandas, which comes with nothing here, has to be installed."""
        try:
            import pandas
        except ImportError as error:
            raise SpikeLoomError(
                "A data frame needs pandas, which is not installed: `pip install pandas`, or use columns(), the same "
                "as NumPy arrays"
            ) from error
        return pandas.DataFrame(self.columns())

    def to_json(self) -> dict[str, Any]:
        """Plain values; numbers that are not known are None."""
        return {
            "name": self.name, "images": self.images, "steps": len(self), "phases": self.phases,
            "noise_window": self.window, "against": self.against, "truth": self.truth,
            "network_error": self.network_error,
            "stages": [self._stage(stage) for stage in range(len(self.stages))],
            "noise_share": _plain(self.noise_share),
            "input_spikes_per_image": (self.input_spikes / self.images).tolist(),
            "by_step": {name: [_plain(value) for value in values.tolist()] for name, values in self.columns().items()},
            "settled": {"mean": float(self.settled.mean()), "max": int(self.settled.max())},
            "early": [dict(vars(point)) for point in self.early],
            "example": {
                "image": self.example.image,
                "settled": int(self.settled[self.example.image]),
                "averages": [[_plain(value) for value in row] for row in self.example.averages.tolist()],
                "activations": self.example.activations.tolist(),
            },
            "notes": list(self.notes),
        }  # fmt: skip

    def _stage(self, stage: int) -> dict[str, Any]:
        return {
            "name": self.stages[stage],
            "values": int(self.values[stage]),
            "above_one": float(self.above_one[stage]),
            "spikes_per_image": int(self.spikes[:, stage].sum()) / self.images if self.fires[stage] else None,
            "noise_share": _plain(float(self.noise_shares[stage])),
        }

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for people, at the end of the run."""
        end = {name: float(values[-1]) for name, values in self.overall.items()}
        compared = "the network" if self.against == "network" else "the network of its levels"
        rows = [
            ("images", f"{self.images:,}, {len(self)} steps each"),
            ("error at the end", f"{self.error[-1]:.2%}, against {self.truth}; {compared} {self.network_error:.2%}"),
            ("class settled after", f"{self.settled.mean():.1f} steps on average, {self.settled.max()} at most"),
            (
                "decoded activations",
                f"mean absolute error {end['mean_absolute_error']:.4f}, standard deviation {end['deviation']:.4f}",
            ),
            ("spikes per image", f"{self.spikes_so_far[-1]:,.1f}, rate {self.rate.mean():.4f}"),
        ]
        if self.counted.any():
            rows.append(("noise spikes", f"{self.noise_share:.2%} of the spikes"))
        for point in self.early:
            if point.own:
                held = " and ".join(f"{name} {value}" for name, value in point.registers.items())
                rows.append(
                    (
                        f"decision rule{', ' if held else ''}{held}",
                        f"error {point.error:.2%}, {point.steps:.2f} steps, {point.spikes:,.1f} spikes",
                    )
                )
        return rows


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
