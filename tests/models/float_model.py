"""The papers' equations in double precision, naive and short: what network, conversion and chip are to compute.

Nothing of hw, sim or sw is used: what conversion, reference and Verilog have in common, this has not. Numbers are in
the papers' units: a spike of phase p weighs omega = 2^-(1+p) [WS eq. 6], and a membrane is in units of a threshold's
weight, or in conductance steps where the network has integers for weights.

A map is an array of values, place (y, x, channel) at (y * width + x) * channels + channel. A crossbar stage has one
matrix for all of its positions, and for each position the places of the values that its rows read; place -1 is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Crossbar:
    """Weights [outputs, rows], bias [outputs]; rows [positions, rows] are places in all maps so far, one after the
    other, as `places` numbers them.
    """

    weight: Array
    bias: Array
    rows: Array


@dataclass(frozen=True)
class Pool:
    """Rows [outputs, window] as those of a crossbar; `kind` is "max" or "average"."""

    kind: str
    rows: Array


Stage = Crossbar | Pool


@dataclass(frozen=True)
class Net:
    """A network of activations: a ReLU behind every crossbar but the last; `size` pixels."""

    size: int
    stages: tuple[Stage, ...]


def read(maps: Sequence[Array], rows: Array) -> Array:
    """The values at these places of all maps in a row, 0 at -1."""
    return np.append(np.concatenate(maps), 0.0)[rows]


def activations(net: Net, pixels: Array) -> tuple[list[Array], list[Array]]:
    """[WS eq. 7] Of an image of numbers 0 .. 1: all maps, the image first, and every stage's value before its ReLU."""
    maps, before = [pixels], []
    for stage in net.stages:
        if isinstance(stage, Crossbar):
            before.append((read(maps, stage.rows) @ stage.weight.T + stage.bias).ravel())
            maps.append(before[-1] if stage is net.stages[-1] else np.maximum(before[-1], 0.0))
        else:
            inside = read(maps, stage.rows)
            before.append(inside.max(axis=1) if stage.kind == "max" else inside.mean(axis=1))
            maps.append(before[-1])
    return maps, before


def normalised(net: Net, images: Sequence[Array]) -> Net:
    """Data-based normalisation [WK 2.1, WS 4.1]: the largest activation of every crossbar stage becomes 1."""
    of_images = [activations(net, image)[0] for image in images]
    unit = [np.ones(net.size)]  # of every place: what a value of 1 stands for
    stages: list[Stage] = []
    for number, stage in enumerate(net.stages):
        if isinstance(stage, Pool):
            unit.append(read(unit, stage.rows)[:, 0])
            stages.append(stage)
            continue
        largest = max(float(maps[number + 1].max()) for maps in of_images)
        scale = largest if largest > 0.0 else 1.0
        of_rows = read(unit, stage.rows).max(axis=0)  # a row reads the same map at every position
        stages.append(replace(stage, weight=stage.weight * of_rows / scale, bias=stage.bias / scale))
        unit.append(np.full(len(stage.rows) * len(stage.bias), scale))
    return Net(net.size, tuple(stages))


def omega(step: int, phases: int) -> float:
    """[WS eq. 6] t from 1."""
    return 2.0 ** -(1 + (step - 1) % phases)


def weights_of_steps(steps: int, phases: int) -> Array:
    return np.array([omega(step, phases) for step in range(1, steps + 1)])


def encoded(coding: str, pixels: Array, steps: int, phases: int, start: int) -> Array:
    """What the rows carry of pixels 0 .. 255 in every step, [steps, pixels]; of "rate", which is random, its means."""
    out, left = np.zeros((steps, len(pixels))), pixels.astype(int) * 0 + start
    for step in range(1, steps + 1):
        if coding == "phase":  # [WS 4.1] bit by bit, the most significant first; a pixel has eight
            bit = 7 - (step - 1) % phases
            out[step - 1] = pixels.astype(int) // 2**bit % 2 if bit >= 0 else 0
        elif coding == "even":  # as many spikes in t steps as are nearest to t x / 255
            left = left + pixels
            out[step - 1] = left >= 255
            left = left - 255 * (left >= 255)
        else:  # "analog", and of "rate" the probability [WS eq. 5]
            out[step - 1] = pixels / 255
    return out


def full_rate(coding: str, phases: int) -> float:
    """What pixel 255 is in a period, as a share of the period's weights."""
    weights = weights_of_steps(phases, phases)
    return float(weights @ encoded(coding, np.array([255]), phases, phases, 0)[:, 0] / weights.sum())


def for_chip(net: Net, coding: str, phases: int) -> Net:
    """The normalised network with the biases that its spikes need.

    [WS 4.1] normalises to 0 .. 1 - 2^-K, the largest sum of a period's weights: biases are multiplied by that, and then
    divided by it, so that a period's sum of omega(t) beta is b (eq. 8). Where not even pixel 255 spikes in every phase,
    inputs are smaller by that, and so is every current and activation, if biases are.
    """
    largest = weights_of_steps(phases, phases).sum()
    factor = largest * (1.0 / largest) * full_rate(coding, phases)
    return replace(
        net,
        stages=tuple(s if isinstance(s, Pool) else replace(s, bias=s.bias * factor) for s in net.stages),
    )


@dataclass(frozen=True)
class Neurons:
    """Of a crossbar stage: threshold tau, start V(0) and clip (0 is none), leak by shift (0 is none), reset "subtract",
    "zero" or "none". For what is whole on the chip: `grain`, to multiples of which the leak is rounded down (0: it is
    not); converters (rows of a tile, gain shift, lowest and highest code), None where currents are exact.
    """

    tau: float = 1.0
    start: float = 0.0
    clip: float = 0.0
    leak: int = 0
    reset: str = "subtract"
    grain: float = 0.0
    converter: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Decision:
    """Readout "spikes" or "membrane"; periods without output; the lead that ends an image, None for none."""

    readout: str
    skip: int
    k: float | None


@dataclass
class Run:
    """What happened, per stage: spikes and membranes [steps, neurons], currents (bias included, without omega).
    `excess` is by how much a max pooling passed more than the largest sum of its inputs, at most. Class and steps.
    """

    spikes: list[list[Array]]
    membranes: list[list[Array]]
    currents: list[list[Array]]
    excess: list[float]
    decided: int = -1
    steps: int = 0
    counts: Array = field(default_factory=lambda: np.zeros(0))


def current(stage: Crossbar, maps: Sequence[Array], neurons: Neurons) -> Array:
    """[WS eq. 8] without omega: what the columns carry at every position, and the bias."""
    values = read(maps, stage.rows)
    if neurons.converter is None:
        return (values @ stage.weight.T + stage.bias).ravel()
    tile, gain, low, high = neurons.converter
    total = np.zeros((len(stage.rows), len(stage.bias)))
    for first in range(0, stage.rows.shape[1], tile):
        part = slice(first, first + tile)
        # pixels come as x / 255: their sums are made whole before they are divided, so that halves are halves
        sums = np.rint(values[:, part] * 255) @ stage.weight[:, part].T / 255
        total += np.clip(np.rint(sums / 2**gain), low, high) * 2**gain
    return (total + stage.bias).ravel()


def run(
    net: Net, inputs: Array, phases: int, neurons: Sequence[Neurons | None], starts: Sequence[float], decision: Decision
) -> Run:
    """The spiking network; `starts` are where average poolings start, in spikes of weight 1."""
    count = len(net.stages)
    out = Run(*([[] for _ in range(count)] for _ in range(3)), excess=[0.0] * count)
    membranes: list[Array] = []
    for stage, own, start in zip(net.stages, neurons, starts, strict=True):
        if isinstance(stage, Crossbar):
            assert own is not None
            membranes.append(np.full(len(stage.rows) * len(stage.bias), own.start))
        else:
            membranes.append(np.full(len(stage.rows), start))
    sums = [np.zeros(net.size)] + [np.zeros(len(v)) for v in membranes]
    for step in range(1, len(inputs) + 1):
        weight = omega(step, phases)
        skipped = step <= decision.skip * phases
        maps = [inputs[step - 1]]
        for number, stage in enumerate(net.stages):
            v = membranes[number]
            if isinstance(stage, Crossbar):
                own = neurons[number]
                assert own is not None
                if skipped and number == count - 1:
                    spikes, z = np.zeros(len(v)), np.zeros(len(v))
                else:
                    z = current(stage, maps, own)
                    spikes, v = update(own, v, z * weight, weight)
                out.currents[number].append(z)
            elif stage.kind == "max":  # [WS 4.5] the spikes of the input with the largest sum so far
                inside = read([total + spike * weight for total, spike in zip(sums, [*maps], strict=False)], stage.rows)
                best = np.argmax(inside, axis=1)  # the first of equals
                spikes = read(maps, stage.rows)[np.arange(len(best)), best]
                excess = sums[number + 1] + spikes * weight - inside.max(axis=1)
                out.excess[number] = max(out.excess[number], float(excess.max()))
            else:  # a neuron with weights of 1 and the size of the window for its threshold
                size = stage.rows.shape[1]
                spikes, v = update(Neurons(tau=size), v, read(maps, stage.rows).sum(axis=1) * weight, weight)
            membranes[number] = v
            maps.append(spikes)
            out.spikes[number].append(spikes)
            out.membranes[number].append(v)
        sums = [total + spikes * weight for total, spikes in zip(sums, maps, strict=True)]
        if skipped:
            continue
        scores = sums[-1] if decision.readout == "spikes" else membranes[-1]  # [WS eq. 15 to 17]
        best = int(np.argmax(scores))
        lead = scores[best] - max([s for i, s in enumerate(scores) if i != best], default=0.0)
        out.decided, out.steps, out.counts = best, step, sums[-1]
        if decision.k is not None and lead >= decision.k:  # [WK 4.1]
            break
    return out


def update(neurons: Neurons, v: Array, z: Array, weight: float) -> tuple[Array, Array]:
    """[WS eq. 9, 10; BS eq. 1; WK eq. 3] Spikes and membranes after a step, z with its weight."""
    if neurons.leak:
        share = v * 2.0**-neurons.leak
        v = v - (np.floor(share / neurons.grain) * neurons.grain if neurons.grain else share)
    v = v + z
    if neurons.clip:
        v = np.clip(v, -neurons.clip, neurons.clip)
    fires = v >= weight * neurons.tau
    if neurons.reset == "subtract":
        v = np.where(fires, v - weight * neurons.tau, v)
    elif neurons.reset == "zero":
        v = np.where(fires, 0.0, v)
    return fires.astype(float), v
