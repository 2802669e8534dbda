"""A chunk of images through the reference, in parallel: step by step, stage by stage, until they are decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import Readout
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import ACTIVITIES, Result, Trace
from spikeloom.sim.common.arguments import TraceKind
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.array import CrossbarArray
from spikeloom.sim.crossbar.sums import RowSums
from spikeloom.sim.crossbar.windows import LayerWindows, MapLists, map_of_pixels, map_of_replicas
from spikeloom.sim.reference.decision import Decision
from spikeloom.sim.reference.encoder import encoder_of
from spikeloom.sim.reference.layer import LayerRun, LayerStep, Observe
from spikeloom.sim.reference.stages import StageRuns
from spikeloom.sim.reference.step_observer import StepObserver, StepTaken

__all__ = ["ChunkResult", "run_chunk"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ChunkResult:
    """Arrays of a result, being filled."""

    classes: NDArray[np.int32]
    steps: NDArray[np.int32]
    margins: NDArray[np.int64]
    reasons: NDArray[np.uint8]
    spikes: NDArray[np.int64]
    activity: dict[str, NDArray[np.int64]]
    trace: Trace | None
    class_count: int

    __repr__ = short_repr

    @classmethod
    def empty(cls, chip: ProgrammedChip, count: int, trace: TraceKind) -> ChunkResult:
        """Zeros for `count` images, with a trace of this kind."""
        shapes = chip.parameters.layers
        neurons = tuple(shape.neurons for shape in shapes)
        kept = None
        if trace != "none":
            packed = tuple(np.zeros((count, chip.t_max, -(-n // 8)), np.uint8) for n in neurons)
            membranes = None
            if trace != "spikes":
                widest = max(shape.membrane_bits for shape in shapes)
                dtype = np.int32 if widest <= 32 else np.int64
                membranes = tuple(np.zeros((count, chip.t_max, n), dtype) for n in neurons)
            kept = Trace(packed, membranes, neurons, tuple(shape.outputs for shape in shapes))
        per_layer = (count, len(shapes))
        return cls(
            classes=np.zeros(count, np.int32),
            steps=np.zeros(count, np.int32),
            margins=np.zeros(count, np.int64),
            reasons=np.zeros(count, np.uint8),
            spikes=np.zeros(per_layer, np.int64),
            activity={name: np.zeros(per_layer, np.int64) for name in ACTIVITIES},
            trace=kept,
            class_count=chip.parameters.classes,
        )

    def add(
        self,
        index: int,
        images: NDArray[np.int64],
        step: int,
        taken: LayerStep,
        membranes: Callable[[], NDArray[np.int64]],
    ) -> None:
        """Add a step of layer `index`; rows `images` are those of its images."""
        for name, values in taken.activity.items():
            self.activity[name][images, index] += values
        self.spikes[images, index] += taken.fired
        if self.trace is not None:
            self.trace.spikes[index][images, step - 1] = np.packbits(taken.spikes, axis=1)
            if self.trace.membranes is not None:
                self.trace.membranes[index][images, step - 1] = membranes()

    def result(self, ids: NDArray[np.int64], drift: DriftSnapshot | None) -> Result:
        """The result of these images, whose numbers are `ids`, int64 [images]."""
        return Result(
            classes=self.classes,
            steps=self.steps,
            margins=self.margins,
            reasons=self.reasons,
            spikes=self.spikes,
            activity=self.activity,
            ids=ids,
            trace=self.trace,
            drift=drift,
            class_count=self.class_count,
        )


def run_chunk(
    chip: ProgrammedChip,
    arrays: tuple[CrossbarArray, ...],
    windows: Sequence[LayerWindows],
    pixels: NDArray[np.uint8],
    ids: NDArray[np.int64],
    out: ChunkResult,
    start: int,
    pulses: list[NDArray[np.int64]] | None,
    observe: Observe | None = None,
    steps: StepObserver | None = None,
) -> None:
    """Run `pixels` to their decisions; row b of the chunk is row start + b of `out`.

    pulses : per layer, int64 [inputs], the rows that are driven are added; None counts nothing
    observe : called with every block of reads
    steps : told of every step
    """
    parameters, plan = chip.parameters, chip.parameters.plan
    count, last = len(pixels), len(arrays) - 1
    encoder = encoder_of(chip, pixels, ids)
    lists = MapLists(plan, count, parameters.layers[0].row_bits > 1)
    fixed: dict[int, RowSums] = {}
    live = np.arange(count)
    if chip.coding.steady:
        lists.add(0, map_of_pixels(encoder.step(live, 1), plan.input))
        fixed = {
            n: arrays[n].window_products(lists.driven(windows[n], slice(count)))
            for n in plan.placements[0].stage.layers
        }
    layers = [
        LayerRun(chip.layers[index], array, layer_windows, count, fixed.get(index), observe)
        for index, (array, layer_windows) in enumerate(zip(arrays, windows, strict=True))
    ]
    units = StageRuns(plan, count)
    scores = np.zeros((count, parameters.classes), np.int64)
    decision = Decision(chip, count)
    for step in range(1, chip.t_max + 1):
        period, phase = divmod(step - 1, parameters.phases)
        shift = parameters.phases - 1 - phase
        lists.clear()
        maps = [map_of_pixels(encoder.step(live, step), plan.input) if not fixed else pixels[:0]]
        taken: dict[int, LayerStep] = {}
        for number, stage in enumerate(plan.stages):
            lists.add(number, maps[number])
            if number in units:
                maps.append(units.step(number, maps, live, shift))
                continue
            if last in stage.layers and period < chip.skip:
                break
            parts = []
            for index in stage.layers:
                own_pulses = None if pulses is None else pulses[index]
                layer_step = taken[index] = layers[index].step(lists, live, ids[live], step, shift, own_pulses)
                parts.append(layer_step.spikes)
                out.add(index, start + live, step, layer_step, partial(layers[index].membranes, live))
            maps.append(map_of_replicas(parts, plan.maps[number + 1].channels))
        standing = None
        if period >= chip.skip:
            if chip.readout == Readout.SPIKES:
                scores[live] += maps[-1].astype(np.int64) << shift
            else:
                scores[live] = layers[last].membranes(live)
            standing = scores[live]
        if steps is not None:
            steps.step(StepTaken(step, shift, live, maps, taken, partial(_membranes, layers, live), standing))
        if standing is None:
            continue
        verdict = decision.after(step, standing, live)
        stop = verdict.stop
        done = start + live[stop]
        out.classes[done] = verdict.winners[stop]
        out.steps[done] = step
        out.margins[done] = verdict.margins[stop]
        out.reasons[done] = verdict.by_rule[stop]
        live = live[~stop]
        if len(live) == 0:
            return


def _membranes(layers: Sequence[LayerRun], live: NDArray[np.int64], index: int) -> NDArray[np.int64]:
    return layers[index].membranes(live)
