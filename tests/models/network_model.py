"""Golden model of layers and networks in plain integers, and an ideal crossbar for the testbenches."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from amaranth.hdl import Value

from spikeloom.hw.params.parameters import DecisionRule, LayerParameters, NpuParameters, Readout, Reset
from tests.models.neuron import update
from tests.models.stable import StableModel

__all__ = ["ACTIVITY", "GoldenLayer", "IdealCrossbar", "Outcome", "random_delays", "random_layer", "run_golden"]

ACTIVITY = ("row_pulses", "tile_reads", "conversions", "saturations", "spikes")


@dataclass
class GoldenLayer:
    """One layer: weights[input][output], registers, membranes of the last position, activity of the current image."""

    parameters: LayerParameters
    weights: list[list[int]]
    bias: list[int]
    theta: int = 1
    v0: int = 0
    clip: int = 0
    leak: int = 0
    reset: int = Reset.SUBTRACT
    gain: int = 0
    membranes: list[int] = field(default_factory=list)
    stored: dict[int, list[int]] = field(default_factory=dict)
    activity: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIVITY, 0))

    def tiles(self, codes: list[int]) -> list[range]:
        """Rows of each row tile."""
        size = self.parameters.tile_rows
        return [range(start, min(start + size, len(codes))) for start in range(0, len(codes), size)]

    def convert(self, codes: list[int]) -> tuple[list[list[int]], list[list[int]]]:
        """ADC codes and over-range flags, [row tile][column]; 0 for tiles whose rows are all silent."""
        p = self.parameters
        full_scale = 255 if p.row_bits == 8 else 1
        values, over = [], []
        for rows in self.tiles(codes):
            sums = [sum(codes[row] * self.weights[row][i] for row in rows) for i in range(p.outputs)]
            exact = [round(Fraction(total, full_scale << self.gain)) for total in sums]
            values.append([min(max(code, p.code_min), p.code_max) for code in exact])
            over.append([int(code != value) for code, value in zip(exact, values[-1], strict=True)])
        return values, over

    def step(self, codes: list[int], phase: int, first: bool, position: int = 0) -> list[int]:
        """One step at one position: spikes of the layer."""
        p, weight = self.parameters, self.parameters.phases - 1 - phase
        values, over = self.convert(codes)
        active = [index for index, rows in enumerate(self.tiles(codes)) if any(codes[row] for row in rows)]
        self.activity["row_pulses"] += sum(code > 0 for code in codes) * p.column_tiles
        self.activity["tile_reads"] += len(active) * p.column_tiles
        self.activity["conversions"] += len(active) * p.outputs
        self.activity["saturations"] += sum(sum(over[tile]) for tile in active)
        self.membranes = self.stored[position] = [self.v0] * p.outputs if first else self.stored[position]
        spikes = []
        for i in range(p.outputs):
            z = (sum(values[tile][i] for tile in active) << self.gain) + self.bias[i]
            after = update(self, self.membranes[i], z, 1 << weight, p.membrane_bits)
            assert not after.overflow
            self.membranes[i] = after.v
            spikes.append(int(after.spike))
        self.activity["spikes"] += sum(spikes)
        return spikes


@dataclass
class Outcome:
    """What an image gives: the answer, and the layers' input codes of every step (None where a layer was not run)."""

    winner: int
    steps: int
    margin: int
    reason: int
    inputs: list[list[list[int] | None]]
    activity: list[dict[str, int]]


def run_golden(
    parameters: NpuParameters, layers: list[GoldenLayer], encoded: list[list[int]], **decision: Any
) -> Outcome:
    """One image; `encoded` holds the first layer's row codes of every step, `decision` is for `decide`."""

    def hidden(step: int, phase: int) -> tuple[list[Any], Any, list[int]]:
        codes, seen = encoded[step - 1], []
        for layer in layers[:-1]:
            seen.append(codes)
            codes = layer.step(codes, phase, step == 1)
        return seen, codes, codes

    return decide(parameters, layers, hidden, **decision)


def decide(
    parameters: NpuParameters,
    layers: list[GoldenLayer],
    hidden: Callable[[int, int], tuple[list[Any], Any, list[int]]],
    *,
    rule: DecisionRule = DecisionRule.FIXED,
    k: int = 1,
    stable_theta: int = 1,
    t_max: int,
    skip: int = 0,
    readout: Readout = Readout.SPIKES,
) -> Outcome:
    """One image step by step until it is decided.

    hidden : (step, phase) -> inputs of the layers before the last, and those of the last, for `Outcome.inputs`; and the
        last layer's row codes
    """
    scores, ran, stable = [0] * parameters.classes, False, StableModel(stable_theta)
    inputs: list[Any] = []
    for layer in layers:
        layer.activity = dict.fromkeys(ACTIVITY, 0)
    for step in range(1, t_max + 1):
        phase, period = (step - 1) % parameters.phases, (step - 1) // parameters.phases
        seen, shown, codes = hidden(step, phase)
        inputs.append([*seen, shown if period >= skip else None])
        if period < skip:
            continue
        spikes = layers[-1].step(codes, phase, not ran)
        ran = True
        for i, spike in enumerate(spikes):
            count = scores[i] + (spike << parameters.phases - 1 - phase)
            scores[i] = count if readout == Readout.SPIKES else layers[-1].membranes[i]
        winner = max(range(len(scores)), key=lambda i: (scores[i], -i))
        margin = scores[winner] - max([s for i, s in enumerate(scores) if i != winner], default=0)
        lasts = stable.after(winner, margin)
        reason = int({int(DecisionRule.WINNER_K): margin >= k, int(DecisionRule.STABLE): lasts}.get(int(rule), False))
        if reason or step == t_max:
            return Outcome(winner, step, margin, reason, inputs, [dict(layer.activity) for layer in layers])
    raise ValueError("t_max must be larger than skip * phases")


class IdealCrossbar:
    """Behavioural macro of one layer: exact codes after any delays; junk on its outputs whenever they do not count.

    `settle()` gives the cycle of a drive (1, 2, ...) in which `sampled` is first up, `wait()` the cycles (0, 1, ...)
    from `convert` to `done`, `fall()` the cycles (1, 2, ...) from the drive's end to the fall of `sampled`. `reads`
    remembers the row codes of every read.
    """

    def __init__(
        self,
        port: Any,
        layer: GoldenLayer,
        rng: random.Random,
        settle: Callable[[], int],
        wait: Callable[[], int],
        fall: Callable[[], int] = lambda: 1,
    ) -> None:
        self.port, self.layer, self.rng, self.settle, self.wait, self.fall = port, layer, rng, settle, wait, fall
        self.reads: list[list[int]] = []
        self._values: list[list[int]] = []
        self._over: list[list[int]] = []

    async def drive_bench(self, ctx: Any) -> None:
        port, p = self.port, self.layer.parameters
        mask = (1 << p.row_bits) - 1
        while True:
            while not ctx.get(port.drive):
                await ctx.tick()
            rows, tiles = ctx.get(port.rows), ctx.get(port.tiles)
            for _ in range(self.settle() - 1):
                await ctx.tick()
                assert ctx.get(port.drive), "drive fell before sampled"
            codes = [rows >> row * p.row_bits & mask for row in range(p.inputs)]
            assert tiles == sum(1 << t for t, r in enumerate(self.layer.tiles(codes)) if any(codes[row] for row in r))
            assert tiles, "driven without a tile"
            self.reads.append(codes)
            self._values, self._over = self.layer.convert(codes)
            ctx.set(port.sampled, 1)
            while ctx.get(port.drive):
                assert (ctx.get(port.rows), ctx.get(port.tiles)) == (rows, tiles), "rows moved while driven"
                await ctx.tick()
            for _ in range(self.fall()):
                await ctx.tick()
            ctx.set(port.sampled, 0)

    async def convert_bench(self, ctx: Any) -> None:
        port, p = self.port, self.layer.parameters
        slots = [(tile, lane) for tile in range(p.row_tiles) for lane in range(p.lanes)]
        while True:
            while not ctx.get(port.convert):
                await ctx.tick()
            column = ctx.get(port.column)
            for _ in range(self.wait()):
                ctx.set(Value.cast(port.codes), self.rng.getrandbits(len(Value.cast(port.codes))))
                await ctx.tick()
                assert ctx.get(port.convert) and ctx.get(port.column) == column, "conversion moved before done"
            codes, over = [], 0
            for index, (tile, lane) in enumerate(slots):
                i = column * p.lanes + lane
                junk = self.rng.choice([p.code_min, p.code_max])
                codes.append(self._values[tile][i] if i < p.outputs else junk)
                over |= (self._over[tile][i] if i < p.outputs else self.rng.getrandbits(1)) << index
            ctx.set(port.codes, codes)
            ctx.set(port.over, over)
            ctx.set(port.done, 1)
            await ctx.tick()
            ctx.set(port.done, 0)


def random_layer(parameters: LayerParameters, rng: random.Random, **registers: int) -> GoldenLayer:
    """A layer with random 4-bit weights and biases that keep it busy."""
    weights = [[rng.randint(-15, 15) for _ in range(parameters.outputs)] for _ in range(parameters.inputs)]
    bias = [rng.randint(-6, 12) for _ in range(parameters.outputs)]
    return GoldenLayer(parameters, weights, bias, **registers)


def random_delays(rng: random.Random) -> tuple[Callable[[], int], Callable[[], int], Callable[[], int]]:
    """Random `settle`, `wait` and `fall` of an IdealCrossbar."""
    return lambda: rng.choice([1, 1, 2, 6]), lambda: rng.choice([0, 0, 1, 4]), lambda: rng.choice([1, 1, 2, 5])
