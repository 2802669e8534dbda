"""Random small chips: every coding, reset, rule, readout and device effect, sizes that do not fit tiles or lanes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from hw.params import Coding, LayerParameters, NpuParameters, Readout, Reset, Rule
from sim.config import Device, Energy, Programming
from sim.image import ChipImage, LayerImage

DEVICE_KEYS = tuple(Device.model_fields)


def random_chip(rng: np.random.Generator, **overrides: Any) -> ChipImage:
    """A random chip image.

    Overrides: `plan` (a `hw.geometry.Plan`), or `sizes` (inputs, then outputs of each layer) or `depth`, `row_bits` (of
    the first layer), `tile_rows`, `tile_columns`, `lanes` (most of a layer), `adc_bits`, `phases`, `max_steps`,
    `encoder_lanes`, `pulse_cycles`, `weights` (list of integer arrays [inputs, outputs], or "zero"), `theta`,
    `gain_shift`, `leak`, `v0`, `reset`, `output_reset`, `clip` and `bias` (0 or 1: off or on), `device` (a `Device`),
    any field of `Device`, and the run-time fields of `ChipImage`: `coding`, `even_start`, `rule`, `k`, `t_max`, `skip`,
    `readout`, `energy`, `seed`, `settle_cycles`, `adc_cycles`, `clock_Hz`, `programming` (default: method "direct"),
    `program_cycles`.
    """
    o = dict(overrides)

    def pick(name: str, choices: list[Any]) -> Any:
        value = choices[int(rng.integers(len(choices)))]
        return o.pop(name, value)

    def draw(name: str, low: int, high: int) -> int:
        value = int(rng.integers(low, high + 1))
        return int(o.pop(name, value))

    depth = draw("depth", 1, 5)
    sizes = o.pop("sizes", None)
    drawn = [int(v) for v in rng.integers(1, 40, depth + 1)]
    drawn[-1] = int(rng.choice([1, 2, 3, 10, 17, drawn[-1]]))
    plan = o.pop("plan", None)
    sizes = list(sizes) if sizes is not None else drawn
    ends = [(inputs, outputs, 1) for inputs, outputs in pairwise(sizes)]
    if plan is not None:
        ends = [
            (plan.rows(place.stage), plan.maps[place.number + 1].channels, place.positions) for place in plan.places
        ]
    coding = Coding(pick("coding", list(Coding)))
    row_bits = pick("row_bits", [8] if coding == Coding.ANALOG else [1, 1, 8])
    phases = pick("phases", [1, 1, 2, 4, 8, 11])
    max_steps = draw("max_steps", max(1, phases), 24)
    device = _device(rng, o)
    top = device.levels - 1
    tile_rows, tile_columns = draw("tile_rows", 1, 24), draw("tile_columns", 1, 24)
    lanes = draw("lanes", 1, 9)
    adc_bits = draw("adc_bits", 1, 9)
    encoder_lanes = min(draw("encoder_lanes", 1, 17), sizes[0] if plan is None else plan.image.size)
    shapes, layers = [], []
    given = o.pop("weights", None)
    firsts = range(len(ends)) if plan is None else [place.stage.layer for place in plan.places]
    for index, (inputs, outputs, positions) in enumerate(ends):
        mean_sum = 1 + inputs * top // 6
        shape = LayerParameters(
            inputs=inputs,
            outputs=outputs,
            positions=positions,
            row_bits=row_bits if firsts[index] == 0 else 1,
            tile_rows=tile_rows,
            tile_columns=tile_columns,
            lanes=min(lanes, outputs),
            adc_bits=adc_bits,
            max_gain_shift=5,
            max_theta=1023,
            max_bias=1 + int(rng.integers(0, 64)),
            phases=phases,
            max_steps=max_steps,
        )
        if firsts[index] < index:  # a copy: its weights are the first one's, its registers its own
            shape = replace(shapes[firsts[index]], positions=positions)
        weights = rng.integers(-top, top + 1, (inputs, outputs)) + rng.integers(0, 2)
        weights = np.clip(weights, -top, top)
        if given is not None:
            weights = np.zeros((inputs, outputs), int) if isinstance(given, str) else np.asarray(given[index])
        if firsts[index] < index:
            weights = layers[firsts[index]].weights
        theta = int(rng.integers(1, min(1023, 2 * mean_sum) + 1))
        bias = rng.integers(-shape.max_bias, shape.max_bias + 1, outputs).astype(np.int32)
        last = index == len(ends) - 1
        reset = Reset(int(rng.integers(3)))
        clip = int(rng.integers(1, 4 * theta + 2)) << (phases - 1)
        layers.append(
            LayerImage(
                name=f"dense{index}",
                positive=np.maximum(weights, 0).astype(np.uint8),
                negative=np.maximum(-weights, 0).astype(np.uint8),
                bias=bias * o.get("bias", 1),
                theta=int(o.get("theta", theta)),
                v0=int(np.clip(o.get("v0", rng.integers(-theta, theta + 1)), -shape.max_v0, shape.max_v0)),
                clip=min(clip, shape.max_membrane) * int(o.get("clip", rng.integers(0, 3) == 0)),
                leak=int(o.get("leak", rng.integers(1, 6) * (rng.integers(0, 3) == 0))),
                reset=Reset(o.get("output_reset", o.get("reset", reset)) if last else o.get("reset", reset)),
                gain_shift=int(o.get("gain_shift", rng.integers(0, 4))),
                scale=0.05,
            )
        )
        shapes.append(shape)
    for name in ("bias", "theta", "v0", "clip", "leak", "reset", "output_reset", "gain_shift"):
        o.pop(name, None)
    parameters = NpuParameters(
        layers=tuple(shapes),
        plan=plan,
        phases=phases,
        max_steps=max_steps,
        encoder_lanes=encoder_lanes,
        pulse_cycles=draw("pulse_cycles", 1, 4),
    )
    t_max = draw("t_max", max_steps if rng.integers(2) else 1, max_steps)
    rule = Rule(pick("rule", [Rule.FIXED, Rule.WINNER_K, Rule.WINNER_K]))
    readout = Readout(pick("readout", list(Readout)))
    k = draw("k", 1, 1 << int(rng.integers(phases)) if readout == Readout.SPIKES else 2 * layers[-1].theta)
    image = ChipImage(
        name="random",
        layers=tuple(layers),
        parameters=parameters,
        coding=coding,
        even_start=draw("even_start", 0, 254),
        rule=rule,
        k=min(k, (1 << (parameters.margin_bits - 1)) - 1),
        t_max=t_max,
        skip=min(draw("skip", 0, 2), (t_max - 1) // phases),
        readout=readout,
        device=device,
        energy=o.pop("energy", Energy()),
        settle_cycles=draw("settle_cycles", 1, 4),
        adc_cycles=draw("adc_cycles", 1, 3),
        clock_Hz=float(o.pop("clock_Hz", 1e8)),
        seed=draw("seed", 0, 2**32 - 1),
        programming=o.pop("programming", Programming()),
        program_cycles=int(o.pop("program_cycles", 10)),
    )
    if o:
        raise TypeError(f"random_chip has no {', '.join(sorted(o))}")
    return image


def random_pixels(rng: np.random.Generator, images: int, inputs: int) -> np.ndarray:
    """Pixels uint8 [images, inputs] with many of the extremes 0, 1, 127, 128, 254 and 255; the first image is black."""
    pixels = rng.integers(0, 256, (images, inputs))
    extremes = rng.choice([0, 0, 0, 1, 127, 128, 254, 255], (images, inputs))
    pixels = np.where(rng.random((images, inputs)) < 0.5, pixels, extremes).astype(np.uint8)
    pixels[0] = 0
    return pixels


def _device(rng: np.random.Generator, o: dict[str, Any]) -> Device:
    given = o.pop("device", None)
    values = {
        "bits": int(rng.integers(1, 6)),
        "device_sigma": float(rng.choice([0.0, 0.1])),
        "program_sigma": float(rng.choice([0.0, 0.02])),
        "read_sigma": float(rng.choice([0.0, 0.05, 0.2])),
        "stuck_on": float(rng.choice([0.0, 0.02])),
        "stuck_off": float(rng.choice([0.0, 0.05])),
        "wire_ohm": float(rng.choice([0.0, 0.0, 5.0])),
    }
    for name in DEVICE_KEYS:
        if name in o:
            values[name] = o.pop(name)
    return given if given is not None else Device(**values)
