"""A compiled chip compared with the float model: spikes on the chip's integers, currents on the network's own numbers.

Bounds, in thresholds. W(t) is the sum of omega up to step t, R the same of a value's spikes, a its activation, 0 .. 1.

- A weight is rounded by at most 1 / (2 theta), and so is a bias. A converter with gain shift g (or of analog inputs)
  rounds a tile's current by at most 2^(g-1).
- Inputs: |R - a W| <= d + e W. The bits left out of a pixel are worth at most e = (2^(8-K) - 1) / 255, and within a
  period R may be as far as d from a W. With `even` d is 1/2 max(start, 254 - start) / 255, e = 0; `analog` is exact.
  `rate` has e = |(x + (x >> 7)) / 256 - x / 255| <= 0.00196, and d is what its random numbers happen to give.
- A layer's current summed up to t, U = sum_j W_j R_j + b W, is then as far as D + E W from A W, A the value before the
  ReLU, with D = sum_j |w_j| d_j and E = sum_j (|w_j| e_j + a_j / (2 theta)) + 1 / (2 theta) + rounding of converters.
- A neuron that subtracts, from V(0) = v on, has V = v + U - R >= 0 after a spike, so R <= max(0, A W) + D + E W + v at
  any time. If it did not fire in step s, V < omega(s) <= 1/2; and if it fires in all steps since, R >= a W - D - E W -
  1/2 + v. So its spikes have d = D + max(v, 1/2 - v) and e = E.
- Average pooling is such a neuron. Max pooling passes at least the largest R of its inputs; by how much more is
  measured, since [WS 4.5] does not bound it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import spikeloom
from spikeloom.hw.params.plan import CrossbarStage
from spikeloom.sim.reference.encoder import encoder_of
from spikeloom.sw.chip import Chip
from spikeloom.sw.config.config import Config
from spikeloom.sw.passes.calibrate import row_codes
from spikeloom.sw.passes.float_snn import spiking_network
from tests.checks.compared import Compared
from tests.fixtures.models import make_config
from tests.fixtures.random_float import Case
from tests.models import float_model as plain

Value = tuple[np.ndarray, np.ndarray, np.ndarray]


class Beside:
    """A case, compiled, and the float model of it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.config: Config = make_config(**case.tables)
        self.chip: Chip = spikeloom.compile(case.model, case.images, self.config)
        self.programmed = self.chip.programmed
        self.coding, self.phases = self.config.coding.input, self.config.coding.phases
        images = [case.pixels(number) / 255 for number in range(len(case.images))]
        self.wanted = plain.for_chip(plain.normalised(case.net, images), self.coding, self.phases)
        self.unit = 2.0**-self.phases  # of the chip's integers, in omega's
        self.chip_net, self.neurons, self.starts = self._integers()

    def _integers(self) -> tuple[plain.Net, list[plain.Neurons | None], list[float]]:
        """The chip's weights, biases and thresholds; everything else from the configuration."""
        neuron, stages, neurons, starts = self.config.neuron, [], [], []
        plan = self.programmed.parameters.plan
        assert len(plan.stages) == len(self.wanted.stages)
        for number, (made, stage) in enumerate(zip(plan.stages, self.wanted.stages, strict=True)):
            if isinstance(stage, plain.Pool):
                size = stage.rows.shape[1]
                starts.append(min(size - 1, round(neuron.v0 * size)) * self.unit)
                stages.append(stage)
                neurons.append(None)
                continue
            assert isinstance(made, CrossbarStage) and made.replicas == 1
            layer = self.programmed.layers[made.layer]
            bits = self.config.crossbar.adc_bits
            codes = (-1, 1) if bits == 1 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
            last = number == len(plan.stages) - 1
            stages.append(replace(stage, weight=layer.weights.T.astype(float), bias=layer.bias.astype(float)))
            neurons.append(
                plain.Neurons(
                    tau=float(layer.theta),
                    start=round(neuron.v0 * layer.theta) * self.unit,
                    clip=round(neuron.clip * layer.theta) * 2.0 ** (self.phases - 1) * self.unit,
                    leak=neuron.leak,
                    reset=neuron.output_reset if last else neuron.reset,
                    grain=self.unit,
                    converter=(self.config.crossbar.tile_rows, layer.gain_shift, *codes),
                )
            )
            starts.append(0.0)
        return plain.Net(self.case.net.size, tuple(stages)), neurons, starts

    def crossbar_stages(self) -> list[tuple[int, plain.Crossbar, plain.Crossbar, Any]]:
        """(stage, as wanted, as on the chip, the chip's layer) of every crossbar stage."""
        out: list[tuple[int, plain.Crossbar, plain.Crossbar, Any]] = []
        for number, (wanted, chip) in enumerate(zip(self.wanted.stages, self.chip_net.stages, strict=True)):
            if isinstance(wanted, plain.Crossbar) and isinstance(chip, plain.Crossbar):
                out.append((number, wanted, chip, self.programmed.layers[len(out)]))
        return out

    def rounding(self) -> Compared:
        """Weights and biases of the chip, in thresholds, beside the normalised network's: half a step at most."""
        out = Compared()
        for _, wanted, chip, layer in self.crossbar_stages():
            read = (wanted.rows >= 0).any(axis=0)
            out.add((chip.weight / layer.theta - wanted.weight)[:, read], np.array(0.5 / layer.theta))
            out.add(chip.bias / layer.theta - wanted.bias, np.array(0.5 / layer.theta))
        return out

    def decision(self) -> plain.Decision:
        given = self.config.decision
        k = None
        if given.rule == "winner_k":
            theta = self.programmed.layers[-1].theta
            k = max(1, round(given.k * (theta if given.readout == "membrane" else 1))) * self.unit
        return plain.Decision(given.readout, given.skip, k)

    def inputs(self, number: int) -> np.ndarray:
        """What the rows carry in every step; random spikes are the encoder's, which `inputs_fit` looks at."""
        pixels, steps = self.case.pixels(number), self.config.decision.t_max
        if self.coding == "rate":
            flat = self.case.images[number].ravel()[None]
            encoder = encoder_of(self.programmed, flat, np.array([number], np.int64))
            codes = np.array([encoder.step(np.zeros(1, np.int64), t)[0] for t in range(1, steps + 1)], float)
            shape = self.case.images[number].shape
            return codes.reshape(steps, *shape).transpose(0, 2, 3, 1).reshape(steps, -1)
        return plain.encoded(self.coding, pixels, steps, self.phases, self.config.coding.even_start)

    def run(self, number: int) -> tuple[np.ndarray, plain.Run]:
        inputs = self.inputs(number)
        return inputs, plain.run(self.chip_net, inputs, self.phases, self.neurons, self.starts, self.decision())

    def drive(self, number: int, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """a, d and e of the pixels, and that they are as the docstring has them."""
        pixels = self.case.pixels(number).astype(int)
        a = pixels / 255 * plain.full_rate(self.coding, self.phases)
        weight = plain.weights_of_steps(len(inputs), self.phases)
        sums = np.cumsum(inputs * weight[:, None], axis=0)
        if self.coding == "rate":
            mean = (pixels + pixels // 128) / 256
            limit_e = 0.00196
            # Azuma and Doob: passed by one pixel in 10^9
            limit_d = np.sqrt(0.5 * (weight**2).sum() * np.log(2e9))
        elif self.coding == "phase":
            mean = sums[self.phases - 1] / weight[: self.phases].sum()
            limit_e = (2.0 ** max(0, 8 - self.phases) - 1) / 255
            limit_d = 0.5
        else:
            start = self.config.coding.even_start
            mean, limit_e = pixels / 255, 0.0
            limit_d = 0.5 * max(start, 254 - start) / 255 if self.coding == "even" else 0.0
        d = np.abs(sums - mean * np.cumsum(weight)[:, None]).max(axis=0)
        e = np.abs(mean - a)
        assert d.max() <= limit_d + 1e-9 and e.max() <= limit_e + 1e-9, (d.max(), limit_d, e.max(), limit_e)
        return a, d, e

    def end_to_end(self, number: int, inputs: np.ndarray, ran: plain.Run) -> Compared:
        """Mean currents and rates of all stages beside what the network has before and behind its ReLUs, as far as
        they are bounded.
        """
        out = Compared()
        for stage, current, rate in self.bounds(number, inputs, ran.excess):
            values, whole, before = self.mean(ran.spikes, stage, ran.steps)
            share = (whole + 2 * before) / whole  # what is not seen is as far off, at both of its ends
            if rate is not None:
                activation, d, e = rate
                out.add(values - activation, (1 + (before > 0)) * d / whole + share * e)
            if current is not None:
                own = self.neurons[stage]
                assert own is not None
                expected, d, e = current
                found = self.mean(ran.currents, stage, ran.steps)[0] / own.tau
                out.add(found - expected, (1 + (before > 0)) * d / whole + share * e)
        return out

    def mean(self, values: list[list[np.ndarray]], stage: int, steps: int) -> tuple[np.ndarray, float, float]:
        """Weighted mean of a stage's values while it is run; W of that time, and W before it."""
        weight = plain.weights_of_steps(steps, self.phases)
        first = self.config.decision.skip * self.phases if stage == len(self.wanted.stages) - 1 else 0
        whole = float(weight[first:].sum())
        total = (np.array(values[stage][first:steps]) * weight[first:, None]).sum(axis=0)
        return total / whole, whole, float(weight[:first].sum())

    def bounds(
        self, number: int, inputs: np.ndarray, excess: list[float], quantised: bool = True
    ) -> list[tuple[int, Value | None, Value | None]]:
        """(stage, current, rate) of the stages whose inputs are bounded: A, D, E of the current, and a, d, e of the
        spikes, None where they are not bounded or there is none. Without rounding, if not `quantised`.
        """
        maps = [[each] for each in self.drive(number, inputs)]
        before = plain.activations(self.wanted, maps[0][0])[1]
        neuron, last = self.config.neuron, len(self.wanted.stages) - 1
        out: list[tuple[int, Value | None, Value | None]] = []
        for at, wanted in enumerate(self.wanted.stages):
            a, d, e = (plain.read(each, wanted.rows) for each in maps)
            reset = neuron.output_reset if at == last else neuron.reset
            current: Value | None = None
            if isinstance(wanted, plain.Pool):
                v = self.starts[at] / wanted.rows.shape[1]
                rate = (a.mean(axis=1), d.mean(axis=1) + max(v, 0.5 - v), e.mean(axis=1))
                if wanted.kind == "max":
                    rate = (a.max(axis=1), d.max(axis=1) + excess[at], e.max(axis=1))
            else:
                own = self.neurons[at]
                assert own is not None
                weight, half, rounded = np.abs(wanted.weight), 0.0, 0.0
                if quantised:
                    chip = self.chip_net.stages[at]
                    assert isinstance(chip, plain.Crossbar)
                    weight, half, rounded = np.abs(chip.weight) / own.tau, 0.5 / own.tau, self.rounded(at, own)
                far = (d @ weight.T).ravel()
                wrong = (e @ weight.T + half * (a.sum(axis=1, keepdims=True) + 1.0) + rounded).ravel()
                current = (before[at], far, wrong)
                if reset != "subtract" or neuron.leak or neuron.clip:
                    out.append((at, current, None))
                    break
                v = own.start / own.tau
                rate = (np.clip(before[at], 0.0, 1.0), far + max(v, 0.5 - v), wrong)
            out.append((at, current, rate))
            for each, value in zip(maps, rate, strict=True):
                each.append(value)
        return out

    def rounded(self, stage: int, own: plain.Neurons) -> float:
        """What converters may be off by, in thresholds per step."""
        assert own.converter is not None
        tile, gain, _, _ = own.converter
        if gain == 0 and (self.coding != "analog" or stage):
            return 0.0
        tiles = -(-self.chip_net.stages[stage].rows.shape[1] // tile)
        return float(tiles * 2.0 ** (gain - 1) / own.tau)

    def layer_by_layer(self, inputs: np.ndarray, ran: plain.Run) -> Compared:
        """Mean current of every layer beside weights times the rates that it reads, plus bias; whatever the neurons."""
        out = Compared()
        weight = plain.weights_of_steps(ran.steps, self.phases)
        for stage, wanted, chip, _ in self.crossbar_stages():
            first = self.config.decision.skip * self.phases if stage == len(self.wanted.stages) - 1 else 0
            share = weight[first:] / weight[first:].sum()
            of_maps = [inputs, *(np.array(each) for each in ran.spikes[:stage])]
            rates = [(each[first : ran.steps] * share[:, None]).sum(axis=0) for each in of_maps]
            read = plain.read(rates, wanted.rows)
            own = self.neurons[stage]
            assert own is not None
            expected = (read @ wanted.weight.T + wanted.bias).ravel()
            limit = 0.5 / own.tau * (read.sum(axis=1) + 1.0) + self.rounded(stage, own)
            found = self.mean(ran.currents, stage, ran.steps)[0]
            out.add(found / own.tau - expected, np.repeat(limit, len(chip.bias)))
        return out

    def spiking_stage(self, number: int, inputs: np.ndarray) -> Compared:
        """The accuracy breakdown's network in real numbers: its outputs' mean current; without max pooling and skip."""
        out = Compared()
        assert self.chip.passes is not None
        network = spiking_network(self.programmed, self.chip.passes.normalised)
        flat = self.case.images[number].ravel()[None]
        steps = len(inputs)
        found = network.output_currents(1, row_codes(self.programmed, flat, number), steps)[:, 0]
        weight = plain.weights_of_steps(steps, self.phases)
        mean = (weight[:, None] * (found + network.layers[-1].bias)).sum(axis=0) / weight.sum()
        stage, current, _ = self.bounds(number, inputs, [0.0] * len(self.wanted.stages), quantised=False)[-1]
        assert stage == len(self.wanted.stages) - 1 and current is not None
        expected, d, e = current
        # it is in single precision: 2^-24 of what is added up per step
        single = 2.0**-22 * (np.abs(self.wanted.stages[-1].weight).sum(axis=1) + 1.0)  # type: ignore[union-attr]
        out.add(mean - expected, d / weight.sum() + e + single)
        return out
