"""What a chip's images did after every step, from one run to T_max that skips no period and ends no image early.

Output neurons that are read as membranes, and that neither fire, leak nor clip, only add up what they receive. If they
are not updated in the first s periods, their membranes after a later step t are therefore

    V(t) without the skipped periods  =  V(t) - V(end of the s periods) + V0,

bit for bit, since what the layers before them do does not depend on them. So one recording tells the scores for every
number of skipped periods, and with them every decision rule. The reads of the output layer in skipped periods do not
take place; what they cost is recorded apart, and left out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import DecisionRule, Readout, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.reference.run import run_reference
from spikeloom.sim.reference.step_observer import StepTaken
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.diagnostics.by_step.costs import CrossbarCosts

__all__ = ["Recording", "Run", "record"]


@dataclass(frozen=True, eq=False)
class Run:
    """Images with a number of skipped periods; arrays [images, steps], step t in column t - 1, sums from step 1 on.

    Parameters
    ----------
    first : the first step with scores, from 1: those before are in skipped periods
    scores : int64 [images, steps, classes], 0 before `first`
    spikes : of the inputs and all neurons but the outputs, which do not fire
    operations : synaptic operations, cells whose row is driven: row pulses times the columns of a layer
    crossbar_J : crossbar energy
    """

    first: int
    scores: NDArray[np.int64]
    spikes: NDArray[np.int64]
    operations: NDArray[np.int64]
    crossbar_J: NDArray[np.float64]

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class Recording:
    """Sums up to every step of every image; arrays [images, steps] unless said otherwise.

    Parameters
    ----------
    phases : K
    v0 : int64 [1], membranes of the outputs at an image's start
    unit : float64 [1], threshold of the outputs: scores - v0 over it and the weight that has passed are activations
    scores : int64 [images, steps, classes], membranes of the outputs without skipped periods
    spikes, input_spikes : of all neurons but the outputs; of the encoder
    operations, output_operations : synaptic operations of all layers but the last; of the last
    crossbar_J, output_crossbar_J : crossbar energy likewise
    """

    phases: NDArray[np.int64]
    v0: NDArray[np.int64]
    unit: NDArray[np.float64]
    scores: NDArray[np.int64]
    spikes: NDArray[np.int64]
    input_spikes: NDArray[np.int64]
    operations: NDArray[np.int64]
    output_operations: NDArray[np.int64]
    crossbar_J: NDArray[np.float64]
    output_crossbar_J: NDArray[np.float64]

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def steps(self) -> int:
        """T_max."""
        return int(self.scores.shape[1])

    @property
    def passed(self) -> NDArray[np.int64]:
        """Weight of the spikes of every step, summed, in units of the last phase's; int64 [steps]."""
        phases = int(self.phases[0])
        passed: NDArray[np.int64] = np.cumsum(1 << (phases - 1 - np.arange(self.steps) % phases))
        return passed

    def skipped(self, periods: int) -> Run:
        """The run of a chip that does not update its outputs in the first periods.

        Raises `ValueError` if no step would be left.
        """
        before = periods * int(self.phases[0])
        if periods < 0 or before >= self.steps:
            raise SpikeLoomError(
                f"{periods} skipped periods of {self.phases[0]} steps leave none of the {self.steps} steps of this run"
            )
        return Run(
            first=before + 1,
            scores=_without(self.scores, before, int(self.v0[0])),
            spikes=self.spikes + self.input_spikes,
            operations=self.operations + _without(self.output_operations, before),
            crossbar_J=self.crossbar_J + _without(self.output_crossbar_J, before),
        )

    def averages(self, periods: int, image: int) -> NDArray[np.float64]:
        """Scores of an image over the weight that has passed since the skipped periods, in units of activations;
        float64 [steps, classes], NaN before.
        """
        run, before = self.skipped(periods), periods * int(self.phases[0])
        passed = (self.passed - (self.passed[before - 1] if before else 0)).astype(np.float64)
        passed[:before] = np.nan
        averages: NDArray[np.float64] = (run.scores[image] - self.v0[0]) / (self.unit[0] * passed[:, None])
        return averages

    def to_bytes(self) -> bytes:
        """As a file."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{field.name: getattr(self, field.name) for field in fields(self)})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Recording:
        """From a file of `to_bytes`."""
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            return cls(**{field.name: held[field.name] for field in fields(cls)})

    @classmethod
    def joined(cls, parts: Sequence[Recording]) -> Recording:
        """Recordings of consecutive images of one chip as one."""
        if len({(*part.phases, *part.v0, *part.unit, part.steps) for part in parts}) != 1:
            raise SpikeLoomError("recordings to be joined must be of one chip and as many steps, and there must be one")
        alone = ("phases", "v0", "unit")
        return cls(
            **{
                field.name: getattr(parts[0], field.name)
                if field.name in alone
                else np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            }
        )


def _without(sums: NDArray[Any], before: int, start: int = 0) -> NDArray[Any]:
    """Sums over steps, axis 1, without the first steps; `start` is what sums begin with. 0 in the first steps."""
    if not before:
        return sums
    found: NDArray[Any] = sums - (sums[:, before - 1 : before] - start)
    found[:, :before] = 0
    return found


def record(
    chip: ProgrammedChip,
    pixels: NDArray[np.uint8],
    ids: NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Recording:
    """Run images to t_max, whatever the chip's rule and skipped periods are.

    Parameters
    ----------
    ids : numbers of the images' random draws; default 0, 1, 2, ...

    Raises `ValueError` for a chip whose scores with skipped periods do not follow from those without.
    """
    outputs = chip.layers[-1]
    if chip.readout != Readout.MEMBRANE or outputs.reset != Reset.NONE or outputs.clip or outputs.leak:
        raise SpikeLoomError(
            f"The outputs of chip '{chip.name}' must be read as membranes that only add up: set [decision] readout = "
            "'membrane', [neuron] output_reset = 'none', and neither a clip nor a leak"
        )
    if chip.device.drifts:
        raise SpikeLoomError(
            f"The cells of chip '{chip.name}' drift with reads, so that what a step does depends on the steps that "
            "were skipped: set [device] cell to one that does not drift"
        )
    chip = replace(chip, rule=DecisionRule.FIXED, skip=0)
    count, steps = len(pixels), chip.t_max
    shape = (count, steps)
    kept = Recording(
        phases=np.array([chip.parameters.phases]),
        v0=np.array([outputs.v0], np.int64),
        unit=np.array([outputs.theta], np.float64),
        scores=np.zeros((*shape, chip.parameters.classes), np.int64),
        spikes=np.zeros(shape, np.int64),
        input_spikes=np.zeros(shape, np.int64),
        operations=np.zeros(shape, np.int64),
        output_operations=np.zeros(shape, np.int64),
        crossbar_J=np.zeros(shape),
        output_crossbar_J=np.zeros(shape),
    )
    run_reference(chip, pixels, ids=ids, progress=progress, observe_steps=_Watch(chip, kept))
    for name in ("spikes", "input_spikes", "operations", "output_operations", "crossbar_J", "output_crossbar_J"):
        values = getattr(kept, name)
        np.cumsum(values, axis=1, out=values)
    return kept


class _Watch:
    """Makes the observers of chunks, each of which writes its own rows."""

    def __init__(self, chip: ProgrammedChip, kept: Recording) -> None:
        self.chip, self.kept = chip, kept
        self.costs = CrossbarCosts.of_chip(chip)
        shapes = chip.parameters.layers
        self.cells = [shape.outputs for shape in shapes]
        self.column_tiles = [shape.column_tiles for shape in shapes]
        self.outputs = frozenset(chip.parameters.plan.stages[-1].layers)  # replicas of one layer

    def __call__(self, part: slice) -> _ChunkWatch:
        return _ChunkWatch(self, part)


class _ChunkWatch:
    """Writes what happened in the rows of a chunk."""

    def __init__(self, watch: _Watch, part: slice) -> None:
        self._watch, self._part = watch, part

    def step(self, taken: StepTaken) -> None:
        watch, kept, at = self._watch, self._watch.kept, (self._part, taken.step - 1)
        kept.input_spikes[at] = np.count_nonzero(taken.maps[0], axis=1)
        for index, layer in taken.layers.items():
            operations = layer.activity["row_pulses"] // watch.column_tiles[index] * watch.cells[index]
            joules = watch.costs.of(index, layer.activity)
            if index in watch.outputs:
                kept.output_operations[at] += operations
                kept.output_crossbar_J[at] += joules
            else:
                kept.spikes[at] += layer.fired
                kept.operations[at] += operations
                kept.crossbar_J[at] += joules
        assert taken.scores is not None
        kept.scores[at] = taken.scores

    def end(self) -> None:
        """Nothing is left to do."""
