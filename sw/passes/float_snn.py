"""A spiking network in floating point: the stage between the ANN and the integers, and ADC calibration.

The dynamics are those of the number contract (leak, integrate, clip, fire, reset; decision), without any array or
converter between the weights and the membranes. Given integer weights it computes the very integers of ideal cells with
converters that never saturate nor round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.decision_rules import DECISION_RULES, SCORE_UNITS, DecisionRule
from spikeloom.hw.params.parameters import Readout, Reset
from spikeloom.hw.params.plan import CrossbarStage, Plan, Stage
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.windows import map_of_pixels
from spikeloom.sim.reference.decision import Decision
from spikeloom.sw.ir.network import Network
from spikeloom.sw.ir.neuron_steps import fire
from spikeloom.sw.ir.stages import REAL
from spikeloom.sw.ir.window_reader import WindowReader
from spikeloom.sw.passes.quantise import full_rate

__all__ = ["Codes", "FloatLayer", "FloatResult", "Maps", "Observer", "SpikingNetwork", "spiking_network"]

Codes = Callable[[NDArray[np.intp], int], NDArray[np.float32]]
"""Row codes of step t (from 1) for the given images, float32 [images, inputs]."""
Maps = Sequence[NDArray[np.float32]]
Observer = Callable[[int, int, Maps], NDArray[np.floating] | None]
"""Called with (layer, step, the maps made so far) before each read; map 0 is the image. Returns the layer's sums if it
has made them, so that they are not made twice.
"""


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """Weights float64 [rows, outputs], bias [outputs]; theta, v0 and clip in the same unit, last phase's.

    leak : the shift lambda, 0 is off
    dtype : of membranes and bias: float64 where whole numbers could be too large for float32, which holds them up to
        2^24
    full : row code that counts as 1; above 1 the layer reads the image only
    converted : makes the sums [images, neurons] of the maps behind converters, in the place of the exact ones
    """

    reader: WindowReader
    weight: NDArray[np.float64]
    bias: NDArray[np.floating]
    theta: float
    v0: float
    clip: float
    leak: int
    reset: Reset
    dtype: type[np.float32] | type[np.float64]
    full: float
    converted: Callable[[Maps], NDArray[np.floating]] | None = None

    __repr__ = short_repr

    @cached_property
    def biases(self) -> NDArray[np.floating]:
        """The bias of every neuron, [positions * outputs]."""
        return self.reader.spread(self.bias)

    def sums(self, maps: Maps) -> NDArray[np.floating]:
        """Sums [images, positions * outputs]."""
        return self.read(maps)[0] if self.converted is None else self.converted(maps)

    def read(self, maps: Maps, rows: slice | None = None) -> tuple[NDArray[np.floating], NDArray[np.int32]]:
        """Sums of the rows, and how many of them are driven, int32 [images, positions]."""
        if self.full == 1.0:
            return self.reader.read(maps, self.weight, rows, self.dtype)
        sums, driven = self.reader.read(maps, self.weight, rows, np.float64)
        return (sums / self.full).astype(self.dtype), driven

    def pulses(self, maps: Maps) -> int:
        """Rows driven in all windows of all images."""
        return int(self.reader.read(maps, np.zeros((len(self.weight), 0)))[1].sum())


@dataclass(frozen=True, eq=False)
class FloatResult:
    """Classes int64 [images] and steps int64 [images]."""

    classes: NDArray[np.int64]
    steps: NDArray[np.int64]

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class SpikingNetwork:
    """Layers, what they and pooling units read, and decision; `settings` are the rule's registers, in the scores' unit.

    `whole` rounds leaks down as integer hardware does, and with `fixed` the image's codes are the same in every step.
    """

    layers: tuple[FloatLayer, ...]
    plan: Plan
    phases: int
    whole: bool
    rule: DecisionRule
    settings: Mapping[str, float]
    t_max: int
    skip: int
    readout: Readout
    fixed: bool

    __repr__ = short_repr

    def setting(self, name: str) -> float:
        """A register of the decision rule, in the unit of the scores."""
        return self.settings[name]

    @property
    def batch(self) -> int:
        """Images to run together: whose membranes fit into 256 MB (512 MB in float64), at most 1000."""
        return min(1000, max(1, (1 << 26) // sum(shape.size for shape in self.plan.maps)))

    def run(self, count: int, codes: Codes, observe: Observer | None = None) -> FloatResult:
        """Classes and steps of `count` images. An image that has decided leaves the batch."""
        alive = np.arange(count)
        classes, steps = np.zeros(count, np.int64), np.zeros(count, np.int64)
        states = [self._start(stage, count) for stage in self.plan.stages]
        kept: dict[int, NDArray[np.floating]] = {}
        counts = np.zeros((count, len(self.layers[-1].bias)), np.float32)
        decision = Decision(self, count)
        for step in range(1, self.t_max + 1):
            gain = np.float32(2.0 ** (self.phases - 1 - (step - 1) % self.phases))
            skipped = (step - 1) // self.phases < self.skip
            maps = [map_of_pixels(codes(alive, step), self.plan.input)]
            for stage, state in zip(self.plan.stages[: len(states) - skipped], states, strict=False):
                if not isinstance(stage, CrossbarStage):
                    maps.append(self._step(stage, state, maps, gain))
                    continue
                layer = self.layers[stage.layer]
                sums = kept.get(stage.layer)
                seen = None if observe is None else observe(stage.layer, step, maps)
                if sums is None:
                    sums = layer.sums(maps) if seen is None else seen
                    if self.fixed and all(window.source == 0 for window in stage.windows):
                        kept[stage.layer] = sums
                maps.append(self._fire(layer, state, sums, gain))
            if skipped:
                continue
            counts += maps[-1] * gain
            scores = counts if self.readout == Readout.SPIKES else states[-1]
            verdict = decision.after(step, scores, alive)
            done = verdict.stop
            classes[alive[done]] = verdict.winners[done]
            steps[alive[done]] = step
            if done.any():
                keep = ~done
                alive, counts = alive[keep], counts[keep]
                states = [state[keep] for state in states]
                kept = {layer: sums[keep] for layer, sums in kept.items()}
            if not len(alive):
                break
        return FloatResult(classes, steps)

    def output_currents(
        self, count: int, codes: Codes, steps: int, first: list[NDArray[np.floating]] | None = None
    ) -> NDArray[np.floating]:
        """What the output layer's columns carry in the first `steps` steps, whatever the rule: [steps, images,
        classes], without bias; 0 where the layer is not run.

        first : the first layer's sums of each step, if they are known from a network with the same first layer; an
            empty list takes them
        """
        last = len(self.layers) - 1
        layer = self.layers[last]
        currents: NDArray[np.floating] = np.zeros((steps, count, len(layer.bias)), layer.dtype)

        def observe(number: int, step: int, maps: Maps) -> NDArray[np.floating] | None:
            if number == last:
                currents[step - 1] = last_sums = layer.sums(maps)
                return last_sums
            if number or first is None:
                return None
            if len(first) < step:
                first.append(self.layers[0].sums(maps))
            return first[step - 1]

        replace(self, rule=DecisionRule.FIXED, t_max=steps).run(count, codes, observe)
        return currents

    def decide(self, currents: NDArray[np.floating], layer: FloatLayer, settings: Mapping[str, float]) -> FloatResult:
        """Classes and steps of the images that give these currents, with `layer` in the output layer's place and these
        registers of the rule.
        """
        steps, count, outputs = currents.shape
        classes, ended, alive = np.zeros(count, np.int64), np.zeros(count, np.int64), np.arange(count)
        v = np.full((count, outputs), layer.v0, layer.dtype)
        counts = np.zeros((count, outputs), np.float32)
        decision = Decision(replace(self, settings=settings, t_max=steps), count)
        for step in range(self.skip * self.phases + 1, steps + 1):
            gain = np.float32(2.0 ** (self.phases - 1 - (step - 1) % self.phases))
            counts += self._fire(layer, v, currents[step - 1, alive], gain) * gain
            scores = counts if self.readout == Readout.SPIKES else v
            verdict = decision.after(step, scores, alive)
            done = verdict.stop
            classes[alive[done]] = verdict.winners[done]
            ended[alive[done]] = step
            if done.any():
                keep = ~done
                alive, counts, v = alive[keep], counts[keep], v[keep]
            if not len(alive):
                break
        return FloatResult(classes, ended)

    def _start(self, stage: Stage, count: int) -> NDArray[Any]:
        """Membranes of a layer [images, neurons], or what another stage keeps."""
        if isinstance(stage, CrossbarStage):
            layer = self.layers[stage.layer]
            return np.full((count, len(layer.biases)), layer.v0, layer.dtype)
        real = REAL[type(stage)]
        assert real is not None
        return real.start(stage, self.plan.sources(stage), count)

    def _step(self, stage: Stage, state: NDArray[np.float32], maps: Maps, gain: np.float32) -> NDArray[np.float32]:
        """One step of a stage that is no crossbar, in place; spikes as 0 and 1."""
        real = REAL[type(stage)]
        assert real is not None
        return real.step(
            stage, self.plan.sources(stage), state, [maps[window.source] for window in stage.windows], gain
        )

    def _fire(
        self, layer: FloatLayer, v: NDArray[np.floating], sums: NDArray[np.floating], gain: np.float32
    ) -> NDArray[np.float32]:
        """One neuron update, in place; spikes as 0 and 1."""
        if layer.leak:
            share = v * layer.dtype(2.0**-layer.leak)
            v -= np.floor(share) if self.whole else share
        fired = np.empty(v.shape, np.float32)
        fire(
            v,
            np.asarray(sums, v.dtype),
            layer.biases.astype(v.dtype, copy=False),
            v.dtype.type(gain),
            v.dtype.type(layer.clip),
            v.dtype.type(layer.theta * float(gain)),
            layer.reset == Reset.SUBTRACT,
            layer.reset == Reset.ZERO,
            fired,
        )
        return fired


def spiking_network(programmed: ProgrammedChip, network: Network | None = None) -> SpikingNetwork:
    """The dynamics of a chip: with its integers, or with a normalised network's real weights and thresholds of 1.

    Its layers are the network's: replicas of a crossbar, which compute the same, are one.
    """
    layers = []
    shared = programmed.parameters.plan
    numbers = [stage.layer for _, stage in shared.crossbar_stages]
    plan = shared.with_replicas([1] * len(numbers))
    full = full_rate(programmed.coding, programmed.parameters.phases)
    for index, (number, (_, stage)) in enumerate(zip(numbers, plan.crossbar_stages, strict=True)):
        chip, shape = programmed.layers[number], programmed.parameters.layers[number]
        unit = 1.0 if network is None else float(chip.theta)
        weight = chip.weights if network is None else network.layers[index].weight.T
        bias = chip.bias if network is None else network.layers[index].bias * full
        dtype = np.float32 if network is not None or shape.membrane_bits <= 25 else np.float64
        layers.append(
            FloatLayer(
                WindowReader(plan, stage),
                np.ascontiguousarray(weight, np.float64),
                bias.astype(dtype),
                chip.theta / unit,
                chip.v0 / unit,
                chip.clip / unit,
                chip.leak,
                chip.reset,
                dtype,
                255.0 if shape.row_bits == 8 else 1.0,
            )
        )
    unit = float(programmed.layers[-1].theta) if network is not None and programmed.readout == Readout.MEMBRANE else 1.0
    return SpikingNetwork(
        tuple(layers),
        plan,
        programmed.parameters.phases,
        network is None,
        programmed.rule,
        {
            own.name: programmed.setting(own.name) / (unit if own.unit in SCORE_UNITS else 1.0)
            for own in DECISION_RULES.registers
        },
        programmed.t_max,
        programmed.skip,
        programmed.readout,
        programmed.coding.steady,
    )
