"""The observer of a run by step: one per chunk of images, which adds up and forgets."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import Readout
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.reference.step_observer import StepTaken
from spikeloom.sw.diagnostics.by_step.costs import CrossbarCosts
from spikeloom.sw.diagnostics.by_step.decoding import Decoded, score_errors
from spikeloom.sw.diagnostics.by_step.early import EarlyRule, Outcomes, Stopping
from spikeloom.sw.diagnostics.by_step.noise import Noise, has_account
from spikeloom.sw.diagnostics.by_step.targets import Target
from spikeloom.sw.diagnostics.by_step.totals import Totals, exact_sum

__all__ = ["ChunkWatch", "Watch"]


@dataclass(frozen=True, eq=False)
class Watch:
    """A run over images; what is called with a chunk gives its observer.

    Parameters
    ----------
    chip : with the fixed rule, whose images all run to t_max
    target : what activations are compared with
    pixels, labels : uint8 [images, inputs]; int64 [images], or None: classes of the target are the true ones
    rules, outcomes : of the decision rule, and what they give
    settled : int32 [images], the step from which the class no longer changes, written
    example : row of the image whose scores are kept
    averages : float64 [steps, classes], its scores in units of the outputs' activations, written
    wanted : float64 [classes], its activations, written
    """

    chip: ProgrammedChip
    target: Target
    costs: CrossbarCosts
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    rules: tuple[EarlyRule, ...]
    outcomes: Outcomes
    totals: Totals
    settled: NDArray[np.int32]
    example: int
    averages: NDArray[np.float64]
    wanted: NDArray[np.float64]
    lock: threading.Lock

    __repr__ = short_repr

    def __call__(self, part: slice) -> ChunkWatch:
        """The observer of the images of a slice."""
        return ChunkWatch(self, part)


class ChunkWatch:
    """Looks on at a chunk of images, all of which run to t_max."""

    def __init__(self, watch: Watch, part: slice) -> None:
        self._watch, self._part = watch, part
        chip, plan = watch.chip, watch.chip.parameters.plan
        wanted = watch.target.activations(watch.pixels[part])
        count, self._stages = len(wanted[0]), plan.stages
        network_classes = np.argmax(wanted[-1], axis=1)
        if chip.readout == Readout.SPIKES:
            wanted[-1] = np.maximum(wanted[-1], 0.0)  # spikes say nothing below 0
        self._totals = Totals.zeros(chip.t_max, len(plan.stages), len(chip.layers))
        for stage, values in enumerate(wanted):
            above = np.maximum(values.astype(np.float64) - 1.0, 0.0).sum(axis=1)
            self._totals.above_one[stage] = exact_sum(above[:, None])[0]
        self._truth = network_classes if watch.labels is None else watch.labels[part]
        self._totals.network_right[0] = np.count_nonzero(network_classes == self._truth)
        self._wanted = wanted[-1]
        self._decoded = [Decoded(values) for values in wanted]
        self._noise = {
            index: Noise(layer, chip.parameters.phases, count, chip.parameters.layers[index].neurons)
            for index, layer in enumerate(chip.layers)
            if has_account(layer)
        }
        self._stopping = Stopping(watch.rules, count, part.start, watch.outcomes)
        self._spikes, self._crossbar_J = np.zeros(count, np.int64), np.zeros(count)
        self._classes = np.full(count, -1, np.int64)
        self._settled = np.zeros(count, np.int32)
        self._passed = 0

    def step(self, taken: StepTaken) -> None:
        """Add up a step."""
        totals, at = self._totals, taken.step - 1
        totals.input_spikes[at] = np.count_nonzero(taken.maps[0])
        for stage, made in enumerate(taken.maps[1:]):
            for index in self._stages[stage].layers:
                fired = taken.layers[index].fired
                totals.spikes[at, stage] += fired.sum()
                if stage < len(self._stages) - 1 or self._watch.chip.readout == Readout.SPIKES:
                    self._spikes += fired
                if index in self._noise:
                    spikes = taken.layers[index].spikes
                    found = self._noise[index].step(taken.step, spikes, partial(taken.membranes, index))
                    totals.noise[at, stage] += found
            if stage < len(self._stages) - 1 or self._watch.chip.readout == Readout.SPIKES:
                totals.errors[at, stage] = exact_sum(self._decoded[stage].step(made, taken.shift))
        for index, layer in taken.layers.items():
            totals.conductance[at, index] = layer.activity["conductance"].sum()
            totals.stray[at, index] = layer.activity["stray"].sum()
            self._crossbar_J += self._watch.costs.of(index, layer.activity)
        if taken.scores is not None:
            self._decide(taken, taken.scores)

    def _decide(self, taken: StepTaken, scores: NDArray[np.int64]) -> None:
        """What the scores say after a step in which the outputs ran."""
        chip, at = self._watch.chip, taken.step - 1
        self._passed += 1 << taken.shift
        averages = scores / self._passed
        if chip.readout == Readout.MEMBRANE:
            outputs = chip.layers[-1]
            averages = (scores - outputs.v0) / (outputs.theta * self._passed)
            self._totals.errors[at, -1] = exact_sum(score_errors(averages, self._wanted))
        classes = np.argmax(scores, axis=1)
        self._totals.right[at] = np.count_nonzero(classes == self._truth)
        self._settled[classes != self._classes] = taken.step
        self._classes = classes
        self._stopping.step(taken.step, scores, self._truth, self._spikes, self._crossbar_J)
        if self._part.start <= self._watch.example < self._part.stop:
            self._watch.averages[at] = averages[self._watch.example - self._part.start]

    def end(self) -> None:
        """Hand over what was added up."""
        watch = self._watch
        watch.settled[self._part] = self._settled
        if self._part.start <= watch.example < self._part.stop:
            watch.wanted[:] = self._wanted[watch.example - self._part.start]
        watch.totals.add(self._totals, watch.lock)
