"""Clock cycles of a network with windows: crossbars that work or wait for windows, windows that wait for crossbars.

A crossbar is read once per window, so a convolution's windows go through it one after another: the data path stalls
while each is applied to the weights, unless the weights are there more than once [J. K. Eshraghian et al.,
"Memristor-based binarized spiking neural networks", IEEE Nanotechnology Magazine 16, 2022]. The numbers are those of
the formula that the Verilog is checked against (`hw.params.cycles`), with the spikes of the first images of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.cycles import Macro, StepCycles, image_cycles, window_cycles, words_of
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.hw.params.plan import CrossbarStage
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.estimates.window_activity import macro_of, steps_of, window_activity
from spikeloom.sim.images.pixels import check_images
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.mapping import stage_name

__all__ = ["REPLICAS", "data_path", "with_replicas"]

REPLICAS = (1, 2, 4, 8)
"""Replicas of every crossbar with several positions that cycles are predicted for."""
_WINDOWS = 400_000
"""Windows that are computed for a report; at least those of one image."""
_MOST_IMAGES = 20


@dataclass
class _Stage:
    """Cycles of a stage, added up.

    cycles : from receiving a step to passing it on
    works, works_silent : a crossbar and its neurons work on windows with spikes, and on those without, which are not
        read; with replicas the mean of a replica
    waits : they wait for a window, or for the step's first one; likewise
    closes : all the windows are through: the map's last word is written, classes are compared; likewise
    gathers, gather_waits : words are gathered, and a gathered window waits for a crossbar
    """

    cycles: float = 0.0
    works: float = 0.0
    works_silent: float = 0.0
    waits: float = 0.0
    closes: float = 0.0
    gathers: float = 0.0
    gather_waits: float = 0.0


def with_replicas(parameters: NpuParameters, most: int) -> NpuParameters:
    """The unit with min(most, positions) replicas of every crossbar stage."""
    plan = parameters.plan
    counts = [min(most, plan.maps[number + 1].positions) for number, _ in plan.crossbar_stages]
    copied = plan.with_replicas(counts)
    firsts = [parameters.layers[stage.layer] for _, stage in plan.crossbar_stages]
    kinds = [layer for layer, replicas in zip(firsts, counts, strict=True) for _ in range(replicas)]
    layers = tuple(
        replace(layer, positions=placement.positions) for layer, placement in zip(kinds, copied.placements, strict=True)
    )
    return replace(parameters, plan=copied, layers=layers)


def data_path(
    chip: ProgrammedChip, images: NDArray[np.uint8], run: Result | None, measured: Result | None = None
) -> dict[str, Any] | None:
    """Plain values for `summary.json`; None for a chain of dense layers, where nothing is gathered.

    Parameters
    ----------
    images : uint8 [images, inputs]
    run, measured : results of these images or the first of them, by the reference or the Verilog; and one with clock
        cycles

    Raises `AssertionError` where the Verilog took fewer cycles than the formula says (a mistake of ours).
    """
    if chip.parameters.plan.is_dense_chain or run is None or not len(run):
        return None
    parameters, plan = chip.parameters, chip.parameters.plan
    windows = sum(shape.positions for shape in plan.maps[1:]) * float(np.mean(run.steps)) * (1 + len(REPLICAS))
    count = int(np.clip(_WINDOWS // windows, 1, min(_MOST_IMAGES, len(run))))
    pixels = check_images(images[:count], parameters.inputs)
    traced = run_reference(chip, pixels, ids=run.ids[:count], trace="spikes")
    active = window_activity(chip, pixels, traced)
    totals = [_Stage() for _ in plan.stages]
    cycles, between = np.zeros(count, np.int64), 0
    for number in range(count):
        steps = steps_of(chip, active, number, int(traced.steps[number]))
        _add_image(totals, chip, steps, active, number)
        cycles[number] = image_cycles(parameters, steps, 1)
        between += int(cycles[number]) - sum(step.ends[-1] for step in steps)
    stages = [_means(chip, number, total, count) for number, total in enumerate(totals)]
    several = [stage["cycles"] for stage, shape in zip(stages, plan.maps[1:], strict=True) if shape.positions > 1]
    return {
        "images": count,
        "cycles": float(cycles.mean()),
        **_measured(cycles, measured, count),
        "between_steps": between / count,
        "share_of_windows": sum(several) / float(cycles.mean()),
        "stages": stages,
        "replicas": [_predicted(chip, active, traced.steps, most) for most in REPLICAS],
    }


def _add_image(
    totals: Sequence[_Stage],
    chip: ProgrammedChip,
    steps: Sequence[StepCycles],
    active: Sequence[NDArray[np.bool_]],
    number: int,
) -> None:
    """Add what the stages did in every step of image `number`."""
    parameters, macro = chip.parameters, macro_of(chip)
    crossbars = dict(parameters.plan.crossbar_stages)
    for step, taken in enumerate(steps):
        windows, before = iter(active), 0
        for stage, (total, end) in enumerate(zip(totals, taken.ends, strict=True)):
            total.cycles += end - before
            total.gathers += sum(words_of(parameters, stage))
            if stage in crossbars:
                skipped = stage == len(totals) - 1 and step // parameters.phases < chip.skip
                spikes = next(windows)[number, step].tolist()
                words = words_of(parameters, stage)
                _add(total, parameters, crossbars[stage], words, spikes, macro, end - before, skipped)
            before = end


def _add(
    total: _Stage,
    parameters: NpuParameters,
    stage: CrossbarStage,
    words: Sequence[int],
    spikes: list[bool],
    macro: Macro,
    cycles: int,
    skipped: bool,
) -> None:
    """Add one step of a crossbar stage that takes so many cycles.

    words, spikes : of every window, how many it reads, and whether it has some
    """
    if skipped:
        total.waits += cycles
        return
    layer, replicas = parameters.layers[stage.layer], stage.replicas
    windows = list(window_cycles(layer, words, spikes, macro, replicas))
    work = [0, 0]
    for spike in spikes:
        drive, conversion = macro.of(spike)
        work[spike] += drive + 2 + layer.groups * conversion
    through = [max(window.done for window in windows[replica::replicas]) for replica in range(replicas)]
    closes = cycles - sum(through) / replicas
    total.works += work[True] / replicas
    total.works_silent += work[False] / replicas
    total.closes += closes
    total.waits += cycles - sum(work) / replicas - closes
    total.gather_waits += sum(window.handed - window.gathered for window in windows)


def _means(chip: ProgrammedChip, number: int, total: _Stage, count: int) -> dict[str, Any]:
    """A stage's mean cycles of an image, and what sets its pace."""
    stage = chip.parameters.plan.stages[number]
    values = {field.name: getattr(total, field.name) / count for field in fields(_Stage)}
    pace = "gathering" if not stage.layers or values["waits"] > values["gather_waits"] else "crossbar"
    return {"stage": number, "name": stage_name(chip, number), **values, "pace": pace}


def _measured(cycles: NDArray[np.int64], measured: Result | None, count: int) -> dict[str, Any]:
    """The Verilog's cycles of the same images. The first image of a simulator waits for its own pixels, and so does one
    after very short images; what is left is the formula's.
    """
    if measured is None or measured.cycles is None:
        return {"measured_images": 0, "measured_cycles": None, "pixel_cycles": None, "measured_equal": None}
    there = min(count, len(measured))
    found = measured.cycles[:there]
    late = found - cycles[:there]
    assert there == 0 or int(late.min()) >= 0, f"the Verilog took {found}, the formula says {cycles[:there]}"
    return {
        "measured_images": there,
        "measured_cycles": float(found.mean()),
        "pixel_cycles": float(late.mean()),
        "measured_equal": int((late == 0).sum()),
    }


def _predicted(
    chip: ProgrammedChip, active: Sequence[NDArray[np.bool_]], steps: NDArray[np.int32], most: int
) -> dict[str, Any]:
    """What `most` replicas of every crossbar with several positions would take, with the same spikes."""
    parameters = with_replicas(chip.parameters, most)
    found = [
        image_cycles(parameters, steps_of(chip, active, number, taken, parameters), 1)
        for number, taken in enumerate(steps.tolist())
    ]
    tiles = sum(layer.row_tiles * layer.column_tiles for layer in parameters.layers)
    return {"replicas": most, "cycles": float(np.mean(found)), "tiles": tiles}
