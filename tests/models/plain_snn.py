"""A chip of maps and windows in plain Python integers, one neuron after the other: slow, and easy to check by eye."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikeloom.hw.params.parameters import DecisionRule, Readout
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Window
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from tests.models.neuron import update
from tests.models.stable import StableModel

Map = dict[tuple[int, int, int], int]
"""Values by (y, x, channel)."""


def rows_of(window: Window, values: Map, shape: MapShape, y: int, x: int) -> list[int]:
    """A window's rows at an output position: dy, dx, channel, and 0 outside the map."""
    (height, width), (down, right), (top, left) = window.kernel, window.stride, window.padding
    return [
        values.get((y * down - top + dy, x * right - left + dx, channel), 0)
        for dy in range(height)
        for dx in range(width)
        for channel in range(shape.channels)
    ]


def run_plain(chip: ProgrammedChip, pixels: Callable[[int], np.ndarray]) -> tuple[int, int, list[int]]:
    """Class, steps, and spikes of every stage of one image; pixels(step) are its row codes, [channel, y, x] flat.

    Ideal cells, and converters that neither round nor saturate.
    """
    plan, phases = chip.parameters.plan, chip.parameters.phases
    layers = [layer.weights.astype(int) for layer in chip.layers]
    membranes: dict[tuple[int, ...], int] = {}
    sums: dict[tuple[int, ...], int] = {}
    counts, stable = [0] * len(chip.layers[-1].bias), StableModel(chip.stable_theta)
    spikes = [0] * len(plan.stages)
    for step in range(1, chip.t_max + 1):
        period, phase = divmod(step - 1, phases)
        weight_of_spike = 1 << (phases - 1 - phase)
        first = plan.input
        codes = pixels(step).reshape(first.channels, first.height, first.width)
        maps: list[Map] = [{(y, x, c): int(codes[c, y, x]) for c, y, x in np.ndindex(codes.shape)}]
        for number, stage in enumerate(plan.stages):
            last = number == len(plan.stages) - 1
            if last and period < chip.skip:
                break
            made, out = plan.maps[number + 1], {}
            for y, x in np.ndindex(made.height, made.width):
                if isinstance(stage, CrossbarStage):
                    rows = [r for w in stage.windows for r in rows_of(w, maps[w.source], plan.maps[w.source], y, x)]
                    layer, bits = chip.layers[stage.layer], chip.parameters.layers[stage.layer].membrane_bits
                    z = [sum(r * w for r, w in zip(rows, column, strict=True) if r) for column in layers[stage.layer].T]
                    for c, total in enumerate(z):
                        v, z = membranes.get((number, y, x, c), layer.v0), total + int(layer.bias[c])
                        after = update(layer, v, z, weight_of_spike, bits)
                        membranes[number, y, x, c] = after.v
                        out[y, x, c] = int(after.spike)
                    continue
                window, source = stage.window, maps[stage.window.source]
                for c in range(made.channels):
                    inside = [
                        (y * window.stride[0] + dy, x * window.stride[1] + dx, c)
                        for dy in range(window.kernel[0])
                        for dx in range(window.kernel[1])
                    ]
                    if stage.largest:
                        for place in inside:
                            key = (number, *place)
                            sums[key] = sums.get(key, 0) + source[place] * weight_of_spike
                        best = max(inside, key=lambda place: sums[number, *place])  # the first of equals
                        out[y, x, c] = source[best]
                        continue
                    v = sums.get((number, y, x, c), stage.start) + sum(source[p] for p in inside) * weight_of_spike
                    fired = v >= len(inside) * weight_of_spike
                    sums[number, y, x, c] = v - len(inside) * weight_of_spike * fired
                    out[y, x, c] = int(fired)
            maps.append(out)
            spikes[number] += sum(out.values())
        if period < chip.skip:
            continue
        classes = range(len(counts))
        counts = [counts[c] + maps[-1][0, 0, c] * weight_of_spike for c in classes]
        end = len(plan.stages) - 1
        scores = counts if chip.readout == Readout.SPIKES else [membranes[end, 0, 0, c] for c in classes]
        ranked = sorted(scores, reverse=True)
        margin = ranked[0] - (ranked[1] if len(ranked) > 1 else 0)
        winner = scores.index(ranked[0])
        ends = chip.rule == DecisionRule.WINNER_K and margin >= chip.k
        ends |= stable.after(winner, margin) and chip.rule == DecisionRule.STABLE
        if step == chip.t_max or ends:
            return winner, step, spikes
    raise AssertionError("an image ends at t_max at the latest")
