"""Golden model of units with maps in plain integers: windows, pooling, residual additions, and the order of a step's
reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import PoolStage
from tests.models.network_model import GoldenLayer, Outcome, decide

__all__ = ["GoldenPool", "Map", "gather", "image_map", "run_golden_maps"]

Map = list[list[int]]
"""Values of a map, [position][channel]."""


def image_map(shape: MapShape, codes: list[int]) -> Map:
    """The encoder's row codes of a step as a map: pixel c * positions + p is channel c at position p."""
    return [[codes[c * shape.positions + p] for c in range(shape.channels)] for p in range(shape.positions)]


def gather(window: Window, shape: MapShape, values: Map, y: int, x: int) -> list[int]:
    """Row codes of a window at output position (y, x)."""
    rows = []
    for dy in range(window.kernel[0]):
        for dx in range(window.kernel[1]):
            at_y = y * window.stride[0] - window.padding[0] + dy
            at_x = x * window.stride[1] - window.padding[1] + dx
            inside = 0 <= at_y < shape.height and 0 <= at_x < shape.width
            rows += values[at_y * shape.width + at_x] if inside else [0] * shape.channels
    return rows


@dataclass
class GoldenPool:
    """One pooling stage with what it remembers: sums of inputs (MAX) or V of outputs (AVERAGE)."""

    stage: PoolStage
    shape: MapShape  # of the source
    phases: int
    sums: dict[tuple[int, int], int] = field(default_factory=dict)

    def step(self, values: Map, phase: int, first: bool) -> Map:
        if first:
            self.sums = {}
        weight = 1 << self.phases - 1 - phase
        (height, width), (kh, kw) = self.stage.window.outputs(self.shape), self.stage.window.kernel
        result = []
        for q in range(height * width):
            y, x = divmod(q, width)
            places = [(y * kh + dy) * self.shape.width + x * kw + dx for dy in range(kh) for dx in range(kw)]
            word = []
            for c in range(self.shape.channels):
                spikes = [values[p][c] for p in places]
                if self.stage.largest:
                    for p, spike in zip(places, spikes, strict=True):
                        self.sums[p, c] = self.sums.get((p, c), 0) + spike * weight
                    sums = [self.sums[p, c] for p in places]
                    word.append(spikes[sums.index(max(sums))])
                else:
                    v = self.sums.get((q, c), self.stage.start) + sum(spikes) * weight
                    word.append(int(v >= len(places) * weight))
                    self.sums[q, c] = v - word[-1] * len(places) * weight
            result.append(word)
        return result


def run_golden_maps(
    parameters: NpuParameters, layers: list[GoldenLayer], encoded: list[list[int]], **decision: Any
) -> Outcome:
    """One image; `encoded` holds the row codes of all pixels of every step, `decision` is for `decide`.

    `Outcome.inputs` has a list of the windows' row codes, one own position each, for every step and layer; None where
    the last layer was not run.
    """
    plan: Plan = parameters.plan
    pools = {
        number: GoldenPool(stage, plan.maps[stage.window.source], parameters.phases)
        for number, stage in enumerate(plan.stages)
        if isinstance(stage, PoolStage)
    }

    def hidden(step: int, phase: int) -> tuple[list[Any], Any, list[int]]:
        maps, seen = [image_map(plan.input, encoded[step - 1])], []
        for number, stage in enumerate(plan.stages):
            if not isinstance(stage, CrossbarStage):
                maps.append(pools[number].step(maps[stage.window.source], phase, step == 1))
                continue
            shape, replicas = plan.maps[number + 1], stage.replicas
            windows = [
                [code for w in stage.windows for code in gather(w, plan.maps[w.source], maps[w.source], y, x)]
                for y in range(shape.height)
                for x in range(shape.width)
            ]
            if number == len(plan.stages) - 1:
                break
            seen += [windows[replica::replicas] for replica in range(replicas)]
            maps.append(
                [
                    layers[stage.layer + p % replicas].step(rows, phase, step == 1, p // replicas)
                    for p, rows in enumerate(windows)
                ]
            )
        return seen, windows, windows[0]

    return decide(parameters, layers, hidden, **decision)
