"""Random small networks, twice: as a PyTorch module that is compiled, and as `tests.float_model` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tests.float_model import Crossbar, Net, Pool, Stage, activations, normalised

PHASES = {"phase": (1, 2, 3, 4, 5, 6, 8, 10, 12), "rate": (1, 2, 4), "even": (1,), "analog": (1, 2, 3)}
CODINGS = ("phase", "rate", "phase", "even", "phase", "analog")


class Block(nn.Module):
    """A convolution, or two and a shortcut; ReLU; pooling."""

    def __init__(self, rng: np.random.Generator, channels: int, size: tuple[int, int], join: str) -> None:
        super().__init__()
        self.kernel = tuple(int(rng.integers(1, 1 + min(3, side))) for side in size)
        self.stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
        self.padding = tuple(int(rng.integers(0, 1 + side // 2)) for side in self.kernel)
        outputs = int(rng.integers(2, 5))
        if join:
            self.kernel, self.padding, self.stride = (3, 1), (1, 0), (1, 1)
            outputs = channels if join == "identity" else outputs
        self.conv = nn.Conv2d(channels, outputs, self.kernel, self.stride, self.padding)
        self.second = nn.Conv2d(outputs, outputs, 1) if join else None
        self.shortcut = nn.Conv2d(channels, outputs, 1, bias=False) if join == "convolution" else None
        height, width = self.conv(torch.zeros(1, channels, *size)).shape[2:]
        self.window = (min(height, int(rng.integers(1, 3))), min(width, 2))
        kind = str(rng.choice(["", "max", "average"]))
        self.pooling = kind if self.window != (1, 1) else ""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.conv(x))
        if self.second is not None:
            y = F.relu(self.second(y) + (x if self.shortcut is None else self.shortcut(x)))
        if self.pooling == "max":
            return F.max_pool2d(y, self.window)
        return F.avg_pool2d(y, self.window) if self.pooling == "average" else y


class Model(nn.Module):
    """Blocks, then dense layers."""

    def __init__(self, blocks: list[Block], dense: list[nn.Linear]) -> None:
        super().__init__()
        self.blocks, self.dense = nn.ModuleList(blocks), nn.ModuleList(dense)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        x = torch.flatten(x, 1)
        for number, layer in enumerate(self.dense):
            x = layer(x) if number == 0 else layer(F.relu(x))
        return x


def window_rows(
    size: tuple[int, int],
    channels: int,
    first: int,
    kernel: tuple,
    stride: tuple,
    padding: tuple,
) -> tuple[np.ndarray, tuple[int, int]]:
    """Places that the rows of a window read at every position, in the order dy, dx, channel; and the positions."""
    height, width = ((s + 2 * p - k) // d + 1 for s, k, d, p in zip(size, kernel, stride, padding, strict=True))
    rows = []
    for y in range(height):
        for x in range(width):
            place = []
            for dy in range(kernel[0]):
                for dx in range(kernel[1]):
                    for c in range(channels):
                        at = (y * stride[0] - padding[0] + dy, x * stride[1] - padding[1] + dx)
                        inside = 0 <= at[0] < size[0] and 0 <= at[1] < size[1]
                        place.append(first + (at[0] * size[1] + at[1]) * channels + c if inside else -1)
            rows.append(place)
    return np.array(rows), (height, width)


class Builder:
    """Stages of the plain network, with the shape of the latest map."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        self.stages: list[Stage] = []
        self.channels, self.size, self.first = channels, size, 0
        self.pixels = self.places = channels * size[0] * size[1]

    def made(self, stage: Stage, channels: int, size: tuple[int, int]) -> None:
        self.stages.append(stage)
        self.channels, self.size, self.first = channels, size, self.places
        self.places += channels * size[0] * size[1]

    def part(self, conv: nn.Conv2d, where: tuple[tuple[int, int], int, int]) -> tuple[np.ndarray, np.ndarray, tuple]:
        rows, size = window_rows(*where, conv.kernel_size, conv.stride, conv.padding)
        weight = conv.weight.detach().double().numpy().transpose(0, 2, 3, 1)
        return weight.reshape(len(weight), -1), rows, size

    def block(self, block: Block) -> None:
        before = (self.size, self.channels, self.first)
        weight, rows, size = self.part(block.conv, before)
        self.made(Crossbar(weight, bias_of(block.conv), rows), len(weight), size)
        if block.second is not None:
            weight, rows, size = self.part(block.second, (self.size, self.channels, self.first))
            if block.shortcut is None:
                other, others = np.eye(self.channels), window_rows(*before, (1, 1), (1, 1), (0, 0))[0]
            else:
                other, others, _ = self.part(block.shortcut, before)
            joined = Crossbar(np.hstack([weight, other]), bias_of(block.second), np.hstack([rows, others]))
            self.made(joined, len(weight), size)
        if block.pooling:
            (height, width), (down, right) = self.size, block.window
            rows, size = window_rows((height, width), self.channels, self.first, (down, right), (down, right), (0, 0))
            # positions x (window, channels) -> an output a row
            rows = rows.reshape(len(rows), -1, self.channels).transpose(0, 2, 1).reshape(-1, down * right)
            self.made(Pool(block.pooling, rows), self.channels, size)

    def dense(self, layer: nn.Linear) -> None:
        """PyTorch flattens channel by channel."""
        weight = layer.weight.detach().double().numpy().reshape(layer.out_features, self.channels, -1)
        rows = self.first + np.arange(weight[0].size)[None]
        weight = weight.transpose(0, 2, 1).reshape(len(weight), -1)
        self.made(Crossbar(weight, bias_of(layer), rows), len(weight), (1, 1))


def bias_of(layer: nn.Conv2d | nn.Linear) -> np.ndarray:
    assert layer.bias is not None
    return layer.bias.detach().double().numpy()


@dataclass(frozen=True)
class Case:
    """A network, twice; calibration images uint8 [images, channel, y, x]; the tables of its configuration."""

    seed: int
    model: nn.Module
    net: Net
    images: np.ndarray
    tables: dict[str, dict[str, Any]]

    def pixels(self, image: int) -> np.ndarray:
        """An image's pixels in the order of the plain network."""
        return self.images[image].transpose(1, 2, 0).ravel()


def random_case(seed: int, steps: int = 360, **fixed: Any) -> Case:
    """A network and a configuration. `fixed` are choices that are not drawn: coding, phases, blocks, tables of the
    configuration, and linear: hidden neurons subtract, nothing leaks or is clipped, the rule is fixed.
    """
    coding = fixed.get("coding", CODINGS[seed % len(CODINGS)])
    for attempt in range(100):
        rng = np.random.default_rng([seed, attempt])
        phases = fixed.get("phases", int(rng.choice(PHASES[coding])))
        blocks = fixed.get("blocks", int(rng.integers(0, 3)))
        # a dense network's image is one row of pixels, channel by channel
        channels, size = int(rng.integers(1, 3)) if blocks else 1, (int(rng.integers(3, 6)), int(rng.integers(3, 6)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(1 << 30)))
            model, builder = random_model(rng, channels, size, coding, blocks)
        images = rng.integers(0, 256, (10, channels, *size), dtype=np.uint8)
        images *= rng.random(images.shape) < 0.8
        images |= np.uint8(255) * (rng.random(images.shape) < 0.1)
        linear = fixed.get("linear", rng.random() < 0.5)
        tables = random_tables(rng, coding, phases, linear, steps) | fixed.get("tables", {})
        if len(builder.stages) == 1:
            tables["neuron"].pop("reset", None)  # there are no hidden neurons
        case = Case(seed, model, Net(builder.pixels, tuple(builder.stages)), images, tables)
        if fits(case):
            return case
    raise AssertionError(f"seed {seed}: no network in 100 attempts")


def fits(case: Case) -> bool:
    """Whether every layer has activations, and of a size that cells of few bits can hold: at least four thresholds'
    worth of levels for the largest weight.
    """
    net = normalised(case.net, [case.pixels(number) / 255 for number in range(len(case.images))])
    top = (1 << case.tables["device"]["bits"]) - 1
    weights = [np.abs(stage.weight).max() for stage in net.stages if isinstance(stage, Crossbar)]
    return max(weights) <= top / 4 and max(activations(case.net, case.pixels(0) / 255)[1][-1]) > 0.0


def random_model(
    rng: np.random.Generator, channels: int, size: tuple[int, int], coding: str, count: int
) -> tuple[Model, Builder]:
    builder, blocks = Builder(channels, size), []
    for number in range(count):
        may_join = coding != "analog" or number > 0  # only the first layer reads analog pixels
        join = str(rng.choice(["", "identity", "convolution"])) if may_join and builder.size[0] > 1 else ""
        block = Block(rng, builder.channels, builder.size, join)
        made = block(torch.zeros(1, builder.channels, *builder.size)) if min(builder.size) > 2 else None
        if made is None:
            break
        spread(block, rng)
        builder.block(block)
        blocks.append(block)
        assert tuple(made.shape[2:]) == builder.size
    dense = []
    for outputs in ([int(rng.integers(3, 8))] if rng.random() < 0.5 else []) + [int(rng.integers(2, 5))]:
        layer = nn.Linear(builder.channels * builder.size[0] * builder.size[1], outputs)
        spread(layer, rng)
        builder.dense(layer)
        dense.append(layer)
    return Model(blocks, dense).eval(), builder


def spread(module: nn.Module, rng: np.random.Generator) -> None:
    """Weights and biases of a size that matters."""
    for values in module.parameters():
        rows = values[0].numel() if values.ndim > 1 else 4
        drawn = rng.normal(0.1 if values.ndim > 1 else 0.2, 1.5 / rows**0.5, values.shape)
        with torch.no_grad():
            values.copy_(torch.from_numpy(drawn))


def random_tables(
    rng: np.random.Generator, coding: str, phases: int, linear: bool, steps: int
) -> dict[str, dict[str, Any]]:
    readout = str(rng.choice(["spikes", "spikes", "membrane"]))
    decision: dict[str, Any] = {"readout": readout, "rule": "fixed", "t_max": max(2, steps // phases) * phases}
    decision["skip"] = int(rng.choice([0, 0, 1]))
    if not linear and rng.random() < 0.5:
        decision |= {"rule": "winner_k", "k": float(rng.integers(1, 5) << (phases - 1))}
        if readout == "membrane":
            decision["k"] = float(rng.uniform(0.5, 3.0) * 2 ** (phases - 1))
    neuron: dict[str, Any] = {"v0": float(rng.choice([0.5, 0.5, 0.0, 0.3, 1.0]))}
    if not linear:
        neuron["reset"] = str(rng.choice(["subtract", "zero", "zero", "none"]))
        neuron["leak"] = int(rng.choice([0, 1, 3, 6]))
        neuron["clip"] = float(rng.choice([0.0, 0.0, 1.0, 2.0]))
    neuron["output_reset"] = "none" if readout == "membrane" else str(rng.choice(["subtract", "zero"]))
    inputs: dict[str, Any] = {"input": coding, "phases": phases}
    converters = [5, 8, 12, 16] if phases < 10 else [5, 8, 12]  # margins between classes have 32 bits
    if coding == "even":
        inputs["even_start"] = int(rng.choice([127, 127, 0, 254]))
    return {
        "coding": inputs,
        "neuron": neuron,
        "decision": decision,
        "convert": {
            "normalisation": "max",
            "weight_scale": "max",
            "output_offset": "network",
            "adc_quantile": 1.0,
        },
        "device": {"bits": int(rng.choice([3, 4, 6, 6]))},
        "crossbar": {"tile_rows": int(rng.choice([4, 16, 64])), "adc_bits": int(rng.choice(converters))},
    }
