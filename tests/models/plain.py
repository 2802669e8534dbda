"""The number contract in plain Python integers and floats, one image, one neuron at a time: slow, and easy to read."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction
from typing import Any

import numpy as np

from spikeloom.hw.encoder.random_source import taps, xorshift128
from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout
from spikeloom.hw.params.plan import MapShape, Window
from spikeloom.hw.params.stage_kinds import PoolStage
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.random_numbers import normal_table
from spikeloom.sim.common.random_words import Purpose
from spikeloom.sim.crossbar.array import CrossbarArray
from tests.models.conversions import plain_conversion_noise
from tests.models.neuron import update
from tests.models.stable import StableModel
from tests.sim.common.test_random_numbers import plain_philox


def plain_codes(
    array: CrossbarArray, gain_shift: int, rows: list[int], image_id: int, read: int
) -> tuple[list[list[int]], list[list[bool]]]:
    """ADC codes and over flags [row tiles][outputs] of one read, from the array's conductances."""
    p, device = array.parameters, array.device
    g_p, g_n = array.g_S
    full_scale = 255 if p.row_bits == 8 else 1
    codes, over = [], []
    for tile in range(p.row_tiles):
        driven = [j for j in range(tile * p.tile_rows, min((tile + 1) * p.tile_rows, p.inputs)) if rows[j]]
        codes.append([0] * p.outputs)
        over.append([False] * p.outputs)
        for i in range(p.outputs if driven else 0):
            u = v = 0
            for j in driven:
                a, b = float(g_p[j, i]) / device.step_S, float(g_n[j, i]) / device.step_S
                u += rows[j] * round((a - b) * 2**10)
                v += rows[j] ** 2 * round((a * a + b * b) * 2**array.noise_bits)
            if device.adc_sigma > 0:
                key_words = array.seed, Purpose.CONVERT << 16 | array.index
                noise = round(device.adc_sigma * 1024 / math.sqrt(170))
                t = plain_conversion_noise(key_words, image_id, read, tile, i, p.lanes)
                u += noise * t * full_scale * 2**gain_shift
            if device.read_sigma == 0:  # in whole numbers, as hardware does
                rounded = round(Fraction(u, full_scale << 10 + gain_shift))
                codes[tile][i] = min(max(rounded, p.code_min), p.code_max)
                over[tile][i] = not p.code_min <= rounded <= p.code_max
                continue
            current = u * 2.0**-10 / full_scale
            words = plain_philox((image_id, read, tile, i // 8), (array.seed, Purpose.READ << 16 | array.index))
            word = words[i % 8 // 2]
            normal = float(normal_table()[word >> 16 if i % 2 else word & 0xFFFF])
            current += device.read_sigma * math.sqrt(v * 2.0**-array.noise_bits) / full_scale * normal
            rounded = round(current / 2**gain_shift)
            codes[tile][i] = min(max(rounded, p.code_min), p.code_max)
            over[tile][i] = not p.code_min <= rounded <= p.code_max
    return codes, over


def plain_row_codes(chip: ProgrammedChip, pixels: list[int], image_id: int, steps: int) -> list[list[int]]:
    """Row codes of every step, [steps][inputs]."""
    unit = 255 if chip.parameters.layers[0].row_bits == 8 else 1
    lanes, phases = chip.parameters.encoder_lanes, chip.parameters.phases
    accumulators = [chip.even_start] * len(pixels)
    state = plain_philox((image_id, 0, 0, 0), (chip.seed, Purpose.ENCODER << 16))
    if not any(state):
        state = (1, 0, 0, 0)
    out = []
    for t in range(1, steps + 1):
        codes = [0] * len(pixels)
        for j, x in enumerate(pixels):
            if chip.coding == Coding.PHASE:
                p = (t - 1) % phases
                codes[j] = unit * (x >> (7 - p) & 1) if p < 8 else 0
            elif chip.coding == Coding.EVEN:
                accumulators[j] += x
                if accumulators[j] >= 255:
                    codes[j] = unit
                    accumulators[j] -= 255
            elif chip.coding == Coding.ANALOG:
                codes[j] = x
            else:
                bits = sum(word << 32 * index for index, word in enumerate(state))
                u = 0
                for bit, (a, b, c) in enumerate(taps(lanes)[j % lanes]):
                    u |= ((bits >> a ^ bits >> b ^ bits >> c) & 1) << bit
                codes[j] = unit if u < x + (x >> 7) else 0
                if j % lanes == lanes - 1 or j == len(pixels) - 1:
                    state = xorshift128(state)
        out.append(codes)
    return out


Map = dict[tuple[int, int, int], int]
"""Values of a map by (channel, y, x)."""


def plain_window(window: Window, shape: MapShape, values: Map, y: int, x: int) -> list[int]:
    """Row codes of a window at output position (y, x)."""
    rows = []
    for dy in range(window.kernel[0]):
        for dx in range(window.kernel[1]):
            for c in range(shape.channels):
                place = (
                    c,
                    y * window.stride[0] - window.padding[0] + dy,
                    x * window.stride[1] - window.padding[1] + dx,
                )
                rows.append(values.get(place, 0))
    return rows


def plain_pool(stage: PoolStage, shape: MapShape, values: Map, kept: Map, shift: int) -> Map:
    """One step of a pooling stage; `kept` holds what it remembers of the image."""
    (kernel_y, kernel_x), out = stage.window.kernel, {}
    for y in range(shape.height // kernel_y):
        for x in range(shape.width // kernel_x):
            for c in range(shape.channels):
                inputs = [(c, y * kernel_y + dy, x * kernel_x + dx) for dy in range(kernel_y) for dx in range(kernel_x)]
                if stage.largest:
                    for place in inputs:
                        kept[place] = kept.get(place, 0) + values[place] * 2**shift
                    best = inputs[0]
                    for place in inputs:
                        if kept[place] > kept[best]:
                            best = place
                    out[c, y, x] = values[best]
                else:
                    v = kept.get((c, y, x), stage.start) + sum(values[place] for place in inputs) * 2**shift
                    out[c, y, x] = int(v >= len(inputs) * 2**shift)
                    kept[c, y, x] = v - out[c, y, x] * len(inputs) * 2**shift
    return out


def plain_stray(grid: np.ndarray, tile_rows: int, rows: list[int]) -> int:
    """Sum over all pairs of rows of every row tile, driven or not."""
    total = 0
    for tile in range(0, len(rows), tile_rows):
        codes = rows[tile : tile + tile_rows]
        for i, x in enumerate(codes):
            for j, y in enumerate(codes[:i]):
                total += int(grid[tile // tile_rows, i, j]) * (x - y) ** 2
    return total


def plain_run(
    chip: ProgrammedChip, arrays: tuple[CrossbarArray, ...], pixels: np.ndarray, image_id: int
) -> dict[str, Any]:
    """One image to its decision: class, steps, margin, reason, and per layer spikes, membranes, activity and the number
    of times that every row was driven.
    """
    p = chip.parameters
    plan = p.plan
    last = len(arrays) - 1
    inputs = plain_row_codes(chip, [int(x) for x in pixels], image_id, chip.t_max)
    membranes = [[layer.v0] * shape.neurons for layer, shape in zip(chip.layers, p.layers, strict=True)]
    kept: list[Map] = [{} for _ in plan.stages]
    trace: dict[str, Any] = {"spikes": defaultdict(dict), "membranes": defaultdict(dict)}
    activity = {name: [0] * len(arrays) for name in ("row_pulses", "tile_reads", "conversions", "saturations")}
    activity |= {name: [0] * len(arrays) for name in ("conductance", "stray")}
    counts, stable = [0] * p.classes, StableModel(chip.stable_theta)
    pulses = [[0] * shape.inputs for shape in p.layers]
    spikes: list[int] = []
    for t in range(1, chip.t_max + 1):
        period, phase = (t - 1) // p.phases, (t - 1) % p.phases
        shift = p.phases - 1 - phase
        places = [(c, y, x) for c in range(plan.input.channels) for y in range(plan.input.height)
                  for x in range(plan.input.width)]  # fmt: skip
        maps: list[Map] = [dict(zip(places, inputs[t - 1], strict=True))]
        for number, stage in enumerate(plan.stages):
            made = plan.maps[number + 1]
            if isinstance(stage, PoolStage):
                source = stage.window.source
                maps.append(plain_pool(stage, plan.maps[source], maps[source], kept[number], shift))
                continue
            if stage.layer == last and period < chip.skip:
                continue
            spikes, out = [], {}
            fired: dict[int, list[int]] = {index: [] for index in stage.layers}
            for y in range(made.height):
                for x in range(made.width):
                    index = stage.layer + (y * made.width + x) % stage.replicas
                    position = (y * made.width + x) // stage.replicas
                    layer, array = chip.layers[index], arrays[index]
                    shape = array.parameters
                    rows = []
                    for window in stage.windows:
                        rows += plain_window(window, plan.maps[window.source], maps[window.source], y, x)
                    codes, over = plain_codes(array, layer.gain_shift, rows, image_id, t * shape.positions + position)
                    driven = [j for j, code in enumerate(rows) if code]
                    tiles = len({j // shape.tile_rows for j in driven})
                    for j in driven:
                        pulses[index][j] += 1
                    activity["row_pulses"][index] += len(driven) * shape.column_tiles
                    activity["tile_reads"][index] += tiles * shape.column_tiles
                    activity["conversions"][index] += tiles * shape.outputs
                    activity["saturations"][index] += sum(map(sum, over))
                    load = array.g_S.sum(axis=0) / array.device.step_S
                    activity["conductance"][index] += sum(
                        rows[j] ** 2 * sum(round(float(g) * 2**10) for g in load[j]) for j in driven
                    )
                    if getattr(array, "stray_grid", None) is not None:
                        activity["stray"][index] += plain_stray(array.stray_grid, shape.tile_rows, rows)
                    for i in range(shape.outputs):
                        neuron = position * shape.outputs + i
                        z = sum(codes[tile][i] for tile in range(shape.row_tiles)) << layer.gain_shift
                        z += int(layer.bias[i])
                        after = update(layer, membranes[index][neuron], z, 1 << shift, shape.membrane_bits)
                        assert not after.overflow
                        out[i, y, x] = int(after.spike)
                        spikes.append(int(after.spike))
                        fired[index].append(spikes[-1])
                        membranes[index][neuron] = after.v
            for index in stage.layers:
                trace["spikes"][index][t] = fired[index]
                trace["membranes"][index][t] = list(membranes[index])
            maps.append(out)
        if period < chip.skip:
            continue
        counts = [count + (spike << shift) for count, spike in zip(counts, spikes, strict=True)]
        scores = counts if chip.readout == Readout.SPIKES else membranes[last]
        winner = scores.index(max(scores))
        second = max((s for i, s in enumerate(scores) if i != winner), default=0)
        margin = scores[winner] - second
        lasts = stable.after(winner, margin)
        by_rule = {DecisionRule.WINNER_K: margin >= chip.k, DecisionRule.STABLE: lasts}.get(chip.rule, False)
        if by_rule or t == chip.t_max:
            break
    decision = {"class": winner, "steps": t, "margin": margin, "reason": int(by_rule)}
    return {**decision, **trace, "activity": activity, "pulses": pulses}
