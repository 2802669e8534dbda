"""A small chip image and results made by hand, for tests of what comes after the simulation."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from hw.params import Coding, LayerParameters, NpuParameters, Readout, Reset, Rule
from sim.config import Device, Energy, Programming
from sim.image import ChipImage, LayerImage
from sim.result import ACTIVITIES, Result, Trace


def make_programmed_chip(fault_aware: bool = True, stuck: float = 0.02) -> ChipImage:
    """`make_chip` programmed by pulses on cells with 10 % spread, a share of them stuck, half of these at the top."""
    device = Device(device_sigma=0.05, read_sigma=0.01, pulse_sigma=0.1, stuck_on=stuck / 2, stuck_off=stuck / 2)
    programming = Programming(method="verify", tries=30, fault_aware=fault_aware)
    return replace(make_chip(), device=device, programming=programming)


def make_chip(sizes: tuple[int, ...] = (64, 40, 10), t_max: int = 8) -> ChipImage:
    """A dense network of the given sizes, random 4-bit weights of seed 1, tiles of at most 32 x 16."""
    rng = np.random.default_rng(1)
    shapes, layers = [], []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        shapes.append(
            LayerParameters(inputs=inputs, outputs=outputs, tile_rows=32, tile_columns=16, lanes=4, max_steps=t_max)
        )
        weights = rng.integers(-15, 16, (inputs, outputs))
        layers.append(
            LayerImage(
                name=f"layer{index}",
                positive=np.maximum(weights, 0).astype(np.uint8),
                negative=np.maximum(-weights, 0).astype(np.uint8),
                bias=rng.integers(-20, 20, outputs).astype(np.int32),
                theta=60,
                v0=30,
                clip=0,
                leak=0,
                reset=Reset.SUBTRACT,
                gain_shift=1,
                scale=0.01,
            )
        )
    return ChipImage(
        name="synthetic",
        layers=tuple(layers),
        parameters=NpuParameters(layers=tuple(shapes), max_steps=t_max),
        coding=Coding.EVEN,
        even_start=0,
        rule=Rule.WINNER_K,
        k=2,
        t_max=t_max,
        skip=0,
        readout=Readout.SPIKES,
        device=Device(device_sigma=0.05, read_sigma=0.01),
        energy=Energy(),
        seed=7,
    )


def make_result(chip: ChipImage, count: int = 60, *, cycles: bool = False, trace: bool = False) -> Result:
    """Invented numbers of the right shapes and types; the same every time."""
    rng = np.random.default_rng(2)
    layers = len(chip.layers)
    steps = rng.integers(1, chip.t_max + 1, count).astype(np.int32)
    record = None
    if trace:
        spikes, values = [], []
        for layer in chip.parameters.layers:
            fired = rng.random((count, chip.t_max, layer.outputs)) < 0.15
            spikes.append(np.packbits(fired, axis=-1))
            values.append(rng.integers(-50, 60, (count, chip.t_max, layer.outputs)).astype(np.int32))
        record = Trace(tuple(spikes), tuple(values), tuple(layer.outputs for layer in chip.parameters.layers))
    return Result(
        classes=rng.integers(0, chip.parameters.classes, count).astype(np.int32),
        steps=steps,
        margins=rng.integers(0, 5, count).astype(np.int64),
        reasons=(steps < chip.t_max).astype(np.uint8),
        spikes=rng.integers(0, 100, (count, layers)).astype(np.int64),
        activity={name: rng.integers(0, 1000, (count, layers)).astype(np.int64) for name in ACTIVITIES},
        ids=np.arange(count, dtype=np.int64),
        cycles=(steps * 120 + 40).astype(np.int64) if cycles else None,
        trace=record,
    )
