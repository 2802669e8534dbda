"""The run by step: the reference with the fixed rule and an observer, and what the observer has added up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import DecisionRule, Readout, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.arguments import is_whole
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.mapping import stage_name
from spikeloom.sw.analysis.waterfall import ideal_cells
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.common.labels import layer_label
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.diagnostics.by_step.costs import CrossbarCosts
from spikeloom.sw.diagnostics.by_step.early import EarlyRule, Outcomes, early_rules
from spikeloom.sw.diagnostics.by_step.noise import has_account, window_of
from spikeloom.sw.diagnostics.by_step.result import ByStep, OneImage, OperatingPoint
from spikeloom.sw.diagnostics.by_step.targets import Against, Target, target
from spikeloom.sw.diagnostics.by_step.totals import ERROR_LSB, Totals
from spikeloom.sw.diagnostics.by_step.watch import Watch
from spikeloom.sw.ir.network import Network

__all__ = ["measure_by_step"]


def measure_by_step(
    chip: Compiled,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64] | None = None,
    image: int = 0,
    ideal: bool = False,
    against: Against | None = None,
    ids: NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] | None = None,
    network: Network | None = None,
) -> ByStep:
    """Run images to t_max and add up what happens in every step.

    Parameters
    ----------
    pixels, labels : uint8 [images, inputs]; int64 [images], or None: classes of the network are the true ones
    image : row of the image whose outputs are kept
    ideal : with cells without any effect, in the place of the chip's own
    against, network : what activations are compared with, see `sw.diagnostics.by_step.targets.target`
    ids : numbers of the images' random draws; default 0, 1, 2, ...
    progress : called with images done and images in all

    Raises `ValueError` for a network that is not known, and for an image that is not there.
    """
    if not is_whole(image) or not 0 <= image < len(pixels):
        raise SpikeLoomError(f"image must be 0 .. {len(pixels) - 1}, the row of one of the images, not {image!r}")
    aim = target(chip, against, network)
    own = ideal_cells(chip.programmed) if ideal else chip.programmed
    programmed = replace(own, rule=DecisionRule.FIXED)
    plan, steps = programmed.parameters.plan, programmed.t_max
    rules, count = early_rules(own), len(pixels)
    watch = Watch(
        chip=programmed,
        target=aim,
        costs=CrossbarCosts.of_chip(programmed),
        pixels=pixels,
        labels=labels,
        rules=rules,
        outcomes=Outcomes.empty(len(rules), count),
        totals=Totals.zeros(steps, len(plan.stages), len(programmed.layers)),
        settled=np.zeros(count, np.int32),
        example=int(image),
        averages=np.full((steps, programmed.parameters.classes), np.nan),
        wanted=np.zeros(programmed.parameters.classes),
        lock=threading.Lock(),
    )
    run_reference(programmed, pixels, ids=ids, progress=progress, observe_steps=watch)
    return _found(watch, aim, _notes(own, aim, rules))


def _found(watch: Watch, aim: Target, notes: tuple[str, ...]) -> ByStep:
    """Means and shares of what was added up."""
    chip, totals, count = watch.chip, watch.totals, len(watch.pixels)
    plan = chip.parameters.plan
    stages = range(len(plan.stages))
    values = np.array([plan.maps[stage + 1].size for stage in stages], np.int64)
    sums = (totals.errors * ERROR_LSB).astype(np.float64) / (count * values[:, None])
    before = chip.skip * chip.parameters.phases
    sums[:before, -1] = np.nan
    right = totals.right.astype(np.float64)
    right[:before] = np.nan
    fires = np.array([bool(plan.stages[stage].layers) for stage in stages])
    counted = np.array([fires[s] and all(has_account(chip.layers[n]) for n in plan.stages[s].layers) for s in stages])
    if chip.readout == Readout.MEMBRANE:
        fires[-1] = counted[-1] = False
    return ByStep(
        name=chip.name,
        images=count,
        phases=chip.parameters.phases,
        window=window_of(chip.parameters.phases),
        against=aim.against,
        truth="network" if watch.labels is None else "labels",
        stages=tuple(layer_label(stage_name(chip, stage)) for stage in stages),
        values=values,
        fires=fires,
        mean_absolute_error=sums[..., 0],
        mean_error=sums[..., 1],
        deviation=np.sqrt(np.maximum(sums[..., 2] - sums[..., 1] ** 2, 0.0)),
        above_one=(totals.above_one * ERROR_LSB).astype(np.float64) / (count * values),
        spikes=totals.spikes,
        input_spikes=totals.input_spikes,
        noise=np.where(counted, totals.noise, 0),
        counted=counted,
        crossbar_J=watch.costs.in_all(totals.conductance, totals.stray) / count,
        error=1.0 - right / count,
        network_error=1.0 - int(totals.network_right[0]) / count,
        settled=watch.settled,
        early=tuple(_point(watch, number, rule) for number, rule in enumerate(watch.rules)),
        example=OneImage(watch.example, watch.averages, watch.wanted),
        notes=notes,
    )


def _point(watch: Watch, number: int, rule: EarlyRule) -> OperatingPoint:
    outcomes = watch.outcomes
    return OperatingPoint(
        registers=rule.registers,
        own=rule.own,
        error=1.0 - float(outcomes.right[number].mean()),
        steps=float(outcomes.steps[number].mean()),
        spikes=float(outcomes.spikes[number].mean()),
        crossbar_J=float(outcomes.crossbar_J[number].mean()),
    )


def _notes(chip: ProgrammedChip, aim: Target, rules: tuple[Any, ...]) -> tuple[str, ...]:
    """What limits the figures, in sentences."""
    notes = []
    if aim.against == "levels":
        notes.append(
            "Activations are compared with the network that the chip's integers make, without what the rounding of "
            "weights did to the original one."
        )
    others = sorted({layer.name for layer in chip.layers[:-1] if not has_account(layer)})
    if others:
        notes.append(
            f"Layers {', '.join(map(repr, others))} leak, clip or do not subtract their threshold: what their spikes "
            "say need not converge to a ReLU's activation, and noise spikes are not counted there."
        )
    if chip.readout == Readout.MEMBRANE and chip.layers[-1].reset != Reset.NONE:
        notes.append(
            "The output layer is reset after spikes, so its membranes do not converge to activations; [neuron] "
            "output_reset = 'none' adds them up."
        )
    if chip.device.drifts and rules:
        notes.append(
            "Cells drift with reads. All images ran to t_max here, which reads more than images that end early; the "
            "figures of the decision rule are for the same state of the cells."
        )
    if not rules:
        notes.append(f"The decision rule '{chip.rule.name}' ends no image early.")
    return tuple(notes)
