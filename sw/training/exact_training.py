"""Training with the same result on every processor: multilayer perceptrons, in double precision.

Libraries add up in an order that depends on the processor, and round differently with it; training amplifies a last
digit until the networks are two. Here nothing depends on an order: the operands of every matrix product are rounded to
whole numbers of so few bits that all sums are exact. Everything else is done with NumPy's single operations that
IEEE 754 rounds in one way only (+, -, *, /, square root, rounding), and with functions and random numbers made of them.

What is learned is what `sw.training.training` learns: rounded weights with an error, clipped and rounded activations,
gradients passed straight through both, cross entropy, AdamW.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import nn

from spikeloom.sim.common.random_numbers import normal_table
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset
from spikeloom.sw.passes.quantise import largest_threshold

__all__ = ["cosine", "decay", "exact_product", "fit_exact", "rate"]

Floats = NDArray[np.float64]
Progress = Callable[[int, int, str], None]
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_PER_LN2 = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""ln 2 in two parts, the first of 32 bits, so that its small multiples are exact."""


def fit_exact(model: nn.Sequential, section: TrainSection, data: Dataset, seed: int, progress: Progress | None) -> None:
    """Train a multilayer perceptron of `sw.training.example_networks.build` from scratch, in place."""
    linears = [module for module in model if isinstance(module, nn.Linear)]
    sizes = [linears[0].in_features, *(linear.out_features for linear in linears)]
    network = _Perceptron(section, sizes, _Random(seed))
    images = data.train_images.astype(np.float64) / 255.0
    steps = -(-len(images) // section.batch)
    total = section.epochs * steps
    done = 0
    for epoch in range(section.epochs):
        order = network.random.order(len(images))
        loss = 0.0
        with threadpool_limits(1, "blas"):  # small products: threads would wait for one another
            for start in range(0, len(images), section.batch):
                chosen = order[start : start + section.batch]
                labels, share = data.train_labels[chosen], rate(done, total)
                loss += len(chosen) * network.step(images[chosen], labels, section.learning_rate * share)
                done += 1
        if progress is not None:
            progress(epoch + 1, section.epochs, f"loss {loss / len(images):.4f}")
    with torch.no_grad():
        for number, (linear, layer) in enumerate(zip(linears, network.layers, strict=True)):
            weight = network.rounded(number) if section.weight_bits else layer.weight.value
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(layer.bias.value))


class _Random:
    """Random numbers from the raw words of NumPy's Philox, whose stream is fixed."""

    def __init__(self, seed: int) -> None:
        self._words = np.random.Philox(key=seed)

    def uniform(self, *shape: int) -> Floats:
        """0 <= u < 1."""
        return (self._raw(shape) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def normal(self, *shape: int) -> Floats:
        """Standard Gaussians from the table of the devices."""
        normals: Floats = normal_table()[self._raw(shape) & np.uint64(0xFFFF)].astype(np.float64)
        return normals

    def order(self, count: int) -> NDArray[np.intp]:
        """A permutation."""
        return np.argsort(self._raw((count,)), kind="stable")

    def _raw(self, shape: tuple[int, ...]) -> NDArray[np.uint64]:
        return self._words.random_raw(math.prod(shape)).reshape(shape)


class _Parameter:
    """An array with the state of AdamW."""

    def __init__(self, value: Floats) -> None:
        self.value, self._mean, self._square = value, np.zeros_like(value), np.zeros_like(value)

    def move(self, gradient: Floats, rate: float, decay: float, powers: tuple[float, float]) -> None:
        """One step [I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2].

        powers : of beta1 and beta2, to the number of the step
        """
        self._mean = _BETA1 * self._mean + (1.0 - _BETA1) * gradient
        self._square = _BETA2 * self._square + (1.0 - _BETA2) * (gradient * gradient)
        root = np.sqrt(self._square) / math.sqrt(1.0 - powers[1]) + _EPSILON
        self.value = self.value * (1.0 - rate * decay) - (rate / (1.0 - powers[0])) * self._mean / root


@dataclass(frozen=True, eq=False)
class _Layer:
    """weight [outputs, inputs], bias [outputs]."""

    weight: _Parameter
    bias: _Parameter


class _Perceptron:
    def __init__(self, section: TrainSection, sizes: list[int], random: _Random) -> None:
        self.section, self.random = section, random
        self.powers = (1.0, 1.0)
        self.layers: list[_Layer] = []
        for rows, columns in itertools.pairwise(sizes):
            bound = 1.0 / math.sqrt(rows)  # as torch.nn.Linear begins
            weight, bias = (bound * (2.0 * random.uniform(*shape) - 1.0) for shape in ((columns, rows), (columns,)))
            self.layers.append(_Layer(_Parameter(weight), _Parameter(bias)))

    def rounded(self, number: int) -> Floats:
        """Weights on the grid of `sw.training.quantised_weights.CellWeights`."""
        weight, top = self.layers[number].weight.value, (1 << self.section.weight_bits) - 1
        largest = float(np.abs(weight).max())
        scale = max(largest, 1e-12) / top
        if number < len(self.layers) - 1 and self.section.activation == "clipped":
            scale = largest / top if largest > top else 1.0 / largest_threshold(largest, top)
        return np.clip(np.rint(weight / scale), -top, top) * scale

    def step(self, x: Floats, labels: NDArray[np.int64], rate: float) -> float:
        """One step for images [images, inputs]; returns the loss before it."""
        section = self.section
        inputs, weights, errors, gates = [], [], [], []
        for number, layer in enumerate(self.layers):
            weight = self.rounded(number) if section.weight_bits else layer.weight.value
            error = 1.0 + section.weight_noise * self.random.normal(*weight.shape) if section.weight_noise else 1.0
            weight = weight * error
            inputs.append(x)
            weights.append(weight)
            errors.append(error)
            x = exact_product(x, weight.T) + layer.bias.value
            if number < len(self.layers) - 1:
                x, gate = self._activation(x)
                gates.append(gate)
        share = _softmax(x)
        target = np.full(x.shape, section.label_smoothing / x.shape[1])
        target[np.arange(len(x)), labels] += 1.0 - section.label_smoothing
        slope = (share - target) / len(x)
        self.powers = (self.powers[0] * _BETA1, self.powers[1] * _BETA2)
        for number in reversed(range(len(self.layers))):
            layer = self.layers[number]
            gradient = exact_product(slope.T, inputs[number]) * errors[number]
            bias = exact_product(np.ones((1, len(slope))), slope)[0]
            if number:
                slope = exact_product(slope, weights[number]) * gates[number - 1]
            layer.weight.move(gradient, rate, section.weight_decay, self.powers)
            layer.bias.move(bias, rate, section.weight_decay, self.powers)
        return float(-(target * np.log(np.maximum(share, 1e-12))).sum() / len(x))  # is only shown

    def _activation(self, x: Floats) -> tuple[Floats, Floats]:
        """Activations with dropout, and the factors of their gradients."""
        section = self.section
        if section.activation == "clipped":
            y, gate = np.clip(x, 0.0, 1.0), ((x >= 0.0) & (x <= 1.0)).astype(np.float64)
            if section.activation_levels:
                y = np.floor(y * section.activation_levels + 0.5) / section.activation_levels
        else:
            y, gate = np.maximum(x, 0.0), (x > 0.0).astype(np.float64)
        if section.dropout:
            factors = (self.random.uniform(*x.shape) >= section.dropout) / (1.0 - section.dropout)
            y, gate = y * factors, gate * factors
        return y, gate


def exact_product(a: Floats, b: Floats) -> Floats:
    """a @ b of operands rounded to a grid on which all sums are exact, in any order.

    With n terms both are rounded to whole multiples of a power of two, with at most (53 - log2 n) / 2 bits for the
    largest: 23 for 128 terms.
    """
    bits = (53 - (a.shape[1] - 1).bit_length()) // 2
    (left, left_exponent), (right, right_exponent) = _whole(a, bits), _whole(b, bits)
    return (left @ right) * math.ldexp(1.0, left_exponent + right_exponent)


def _whole(x: Floats, bits: int) -> tuple[Floats, int]:
    """Whole numbers of magnitude 0 .. 2^bits, and the exponent of two that x has been divided by."""
    exponent = math.frexp(float(np.abs(x).max()))[1] - bits
    return np.rint(x * math.ldexp(1.0, -exponent)), exponent


def _softmax(x: Floats) -> Floats:
    """Rows of shares; terms are multiples of 2^-40, so that their sums are exact."""
    terms = np.rint(decay(x.max(axis=1, keepdims=True) - x) * 2.0**40)
    shares: Floats = terms / terms.sum(axis=1, keepdims=True)
    return shares


def decay(x: Floats) -> Floats:
    """exp(-x) for x >= 0, by Taylor's series of exp(-r) for |r| <= ln(2) / 2."""
    x = np.minimum(x, 700.0)
    whole = np.rint(x * _PER_LN2)
    rest = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    total = np.ones_like(rest)
    for n in range(16, 0, -1):
        total = 1.0 - rest * total / n
    return np.ldexp(total, -whole.astype(np.int64))


def rate(step: int, total: int) -> float:
    """Share of the peak learning rate: a short linear rise, then a cosine to zero."""
    rise = max(1, total // 20)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1.0 + cosine(math.pi * min(1.0, (step - rise) / max(1, total - rise))))


def cosine(x: float) -> float:
    """cos(x) for 0 <= x <= pi, by Taylor's series: libraries differ in the last digit."""
    total = 1.0
    for n in range(24, 0, -1):
        total = 1.0 - x * x / ((2 * n - 1) * (2 * n)) * total
    return total
