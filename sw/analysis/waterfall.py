"""Accuracy breakdown: the network after every stage of the conversion, on the same images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.device_config import Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.devices.effects import EFFECTS, ideal_device
from spikeloom.sim.lifetime.search import frozen
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.passes.calibrate import row_codes
from spikeloom.sw.passes.float_snn import SpikingNetwork, spiking_network

__all__ = ["device_stages", "ideal_cells", "spiking_classes", "stage_classes", "waterfall", "wide_adc"]

Progress = Callable[[str, float], None]


def waterfall(
    chip: Compiled, images: NDArray[np.uint8], labels: NDArray[np.integer], progress: Progress | None = None
) -> list[tuple[str, float]]:
    """(stage, accuracy 0 .. 1) from the ANN to the chip with all its effects.

    Stages before quantisation need the network the chip was compiled from; a chip that was loaded starts at
    "quantised". Until "tuned" thresholds are those before tuning, if that is known. The last stage is
    the chip itself: what `Chip.predict` gives.

    Parameters
    ----------
    images, labels : uint8 [images, inputs] and integers [images]
    progress : called with each stage and its accuracy when it is known
    """
    result: list[tuple[str, float]] = []
    for stage, classes in stage_classes(chip, images):
        result.append((stage, float(np.mean(classes() == labels))))
        if progress is not None:
            progress(*result[-1])
    return result


def stage_classes(chip: Compiled, images: NDArray[np.uint8]) -> list[tuple[str, Callable[[], NDArray[np.integer]]]]:
    """(stage, function that gives its classes [images] of uint8 images [images, inputs]); the stages of `waterfall`."""
    programmed = chip.programmed
    tuned = chip.passes is not None and chip.passes.untuned is not None
    if chip.passes is not None and chip.passes.untuned is not None:
        programmed = chip.passes.untuned
    stages: list[tuple[str, Callable[[], NDArray[np.integer]]]] = []
    if chip.passes is not None:
        from spikeloom.sw.frontend.plain_torch import torch_classes

        model, folded, normalised = chip.passes.model, chip.passes.folded, chip.passes.normalised
        pictures = images.reshape(len(images), *folded.input_shape)
        stages += [
            ("ANN", lambda: torch_classes(model, pictures)),
            ("folded", lambda: folded.classes(images)),
            ("normalised", lambda: normalised.classes(images)),
            ("spiking", lambda: spiking_classes(programmed, spiking_network(programmed, normalised), images)),
        ]
    ideal = ideal_cells(programmed)
    stages += [
        ("quantised", lambda: run_reference(wide_adc(ideal), images).classes),
        ("ADC", lambda: run_reference(ideal, images).classes),
    ]
    if tuned:
        stages.append(("tuned", lambda: run_reference(ideal_cells(chip.programmed), images).classes))
    for stage, chip_so_far in device_stages(chip.programmed):
        stages.append((stage, lambda now=chip_so_far: run_reference(now, images).classes))  # type: ignore[misc]
    return stages


def spiking_classes(
    programmed: ProgrammedChip, network: SpikingNetwork, images: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Classes int64 [images] of a spiking network in real numbers, which sees the rows of the chip's encoder."""
    parts = [slice(start, start + network.batch) for start in range(0, len(images), network.batch)]
    classes = [
        network.run(len(images[part]), row_codes(programmed, images[part], part.start)).classes for part in parts
    ]
    return np.concatenate(classes)


def wide_adc(programmed: ProgrammedChip) -> ProgrammedChip:
    """The same chip with converters of 16 bits and gain shift 0, which do not saturate and round only analog inputs."""
    shapes = tuple(replace(layer, adc_bits=16, max_gain_shift=0) for layer in programmed.parameters.layers)
    layers = tuple(
        replace(layer, gain_shift=0, clip=min(layer.clip, shape.max_membrane))
        for layer, shape in zip(programmed.layers, shapes, strict=True)
    )
    return replace(programmed, layers=layers, parameters=replace(programmed.parameters, layers=shapes))


def ideal_cells(programmed: ProgrammedChip) -> ProgrammedChip:
    """The same chip with its levels put exactly into cells without any effect."""
    return replace(programmed, device=ideal_device(programmed.device), programming=Programming())


def device_stages(programmed: ProgrammedChip) -> list[tuple[str, ProgrammedChip]]:
    """The effects that are on, one added after the other; the last is the chip itself.

    Stages and their order are those of `sim.devices.effects.EFFECTS`. With write-verify, "programming" is
    everything about pulses, cells that differ included, before there are stuck cells and noise; "fault-aware mapping"
    is what the second pass gives back, and effects that pulses do not have in them come after it. Cells that drift are
    held until the last stage, "drift"; others that are not linear ones come first, as "cells".
    """
    stages: list[tuple[str, ProgrammedChip]] = []
    now = ideal_cells(programmed)

    def add(stage: str, names: tuple[str, ...], **changes: Programming) -> None:
        nonlocal now
        fields = programmed.device.all_fields()
        values = {name: getattr(programmed.device, name) for name in names}
        if any(value != fields[name].default for name, value in values.items()) or changes:
            now = replace(now, device=now.device.model_copy(update=values), **changes)  # type: ignore[arg-type]
            stages.append((stage, now))

    programming = programmed.programming
    verify = programming.method == "write-verify"
    by_stage: dict[str, tuple[str, ...]] = {}
    in_pulses: list[str] = []
    for entry in EFFECTS:
        stage = entry.write_verify if verify else entry.direct
        if stage is not None and stage != _DRIFT:
            by_stage[stage] = (*by_stage.get(stage, ()), *entry.fields)
            if verify and entry.where == "pulses" and stage not in in_pulses:
                in_pulses.append(stage)
    if verify:
        now = frozen(now) if programmed.device.drifts else now
        first, *others = in_pulses
        blind = programming.model_copy(update={"fault_aware": False})
        add(first, ("cell", *by_stage[first]), programming=blind)
        for stage in others:
            add(stage, by_stage[stage])
        if programming.fault_aware:
            add("fault-aware mapping", (), programming=programming)
    elif not programmed.device.drifts:
        add("cells", ("cell",))
    for stage, names in by_stage.items():
        if stage not in in_pulses:
            add(stage, names)
    if programmed.device.drifts:
        add(_DRIFT, ("cell", "drift_every"))
        add("refresh", ("refresh_every",))
    return stages


_DRIFT = "drift"
"""Stage of cells that drift, the last but for refreshing them."""
