"""Random small convolutional networks as users write them, for differential tests."""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.nn import functional as F

from sw.layers import ClippedReLU

Shape = tuple[int, int, int]


JOINS = ("identity", "convolution", "subsample")
"""Shortcuts: the spikes themselves, a 1 x 1 convolution with batch norm, positions left out and channels of zeros."""


class Subsample(nn.Module):
    """A shortcut without weights, as the CIFAR-10 repositories write it."""

    def __init__(self, stride: tuple[int, int], before: int, after: int) -> None:
        super().__init__()
        self.stride, self.pad = stride, (0, 0, 0, 0, before, after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x[:, :, :: self.stride[0], :: self.stride[1]], self.pad)


class Stage(nn.Module):
    """One layer of a random network: convolution or join, batch norm, pooling before or after the ReLU."""

    def __init__(self, rng: random.Random, shape: Shape, join: bool) -> None:
        super().__init__()
        channels, height, width = shape
        self.join = rng.choice(JOINS) if join else None
        self.outputs = rng.randint(1, 6)
        kernel = tuple(rng.randint(1, min(5, size)) for size in (height, width))
        stride = tuple(rng.randint(1, 2) for _ in range(2))
        padding = tuple(rng.randint(0, size // 2) for size in kernel)
        if self.join is not None:  # both branches make maps of one size
            kernel = tuple(size - 1 + size % 2 for size in kernel)
            padding = tuple(size // 2 for size in kernel)
        if self.join == "identity":
            self.outputs, stride = channels, (1, 1)
        elif self.join == "subsample":
            self.outputs = channels + rng.randint(0, 3)
        self.conv = nn.Conv2d(channels, self.outputs, kernel, stride, padding, bias=rng.random() < 0.5)
        out = self.conv(torch.zeros(1, *shape)).shape[1:]
        self.shortcut: nn.Module | None = None
        if self.join is not None:
            self.second = nn.Conv2d(self.outputs, self.outputs, (1, 1))
            more = self.outputs - channels
            before = rng.randint(0, more) if self.join == "subsample" else 0
            self.shortcut = {
                "identity": nn.Identity,
                "convolution": lambda: nn.Sequential(
                    nn.Conv2d(channels, self.outputs, 1, stride, bias=False), nn.BatchNorm2d(self.outputs)
                ),
                "subsample": lambda: Subsample(stride, before, more - before),
            }[self.join]()
        self.norm = nn.BatchNorm2d(self.outputs) if rng.random() < 0.6 else nn.Identity()
        self.activation = nn.ReLU() if rng.random() < 0.5 else ClippedReLU(rng.uniform(0.5, 2.0))
        kinds = ["none", "max", "average"] if join else ["none", "max", "average", "max before", "average before"]
        self.pooling = rng.choice(kinds)
        self.kernel = tuple(rng.randint(1, min(3, size)) for size in out[1:])

    def pool(self, x: torch.Tensor, when: str) -> torch.Tensor:
        if self.pooling == "max" + when:
            return F.max_pool2d(x, self.kernel)
        return F.avg_pool2d(x, self.kernel) if self.pooling == "average" + when else x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.shortcut is None:
            return self.pool(self.activation(self.pool(self.norm(self.conv(x)), " before")), "")
        inner = F.relu(self.norm(self.conv(x)))
        return self.pool(self.activation(self.second(inner) + self.shortcut(x)), "")


class RandomCnn(nn.Module):
    """One to four stages and a dense layer or two."""

    def __init__(self, seed: int, shape: Shape) -> None:
        super().__init__()
        rng = random.Random(seed)
        stages, now = [], shape
        for number in range(rng.randint(1, 4)):
            stages.append(Stage(rng, now, join=rng.random() < (0.6 if number else 0.2)))
            with torch.no_grad():
                now = tuple(stages[-1](torch.zeros(2, *now)).shape[1:])  # type: ignore[assignment]
        self.stages = nn.Sequential(*stages)
        self.globally = rng.random() < 0.3
        size = now[0] if self.globally else now[0] * now[1] * now[2]
        self.hidden = nn.Linear(size, 7) if rng.random() < 0.5 else None
        self.last = nn.Linear(7 if self.hidden else size, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stages(x)
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1) if self.globally else x, 1)
        return self.last(x if self.hidden is None else F.relu(self.hidden(x)))


def random_shape(seed: int) -> Shape:
    rng = random.Random(seed + 1000)
    return rng.randint(1, 3), rng.randint(3, 9), rng.randint(3, 9)


def random_cnn(seed: int) -> tuple[RandomCnn, Shape]:
    """A random network in evaluation, with batch norms that have seen images, and the shape of its images."""
    shape = random_shape(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = RandomCnn(seed, shape)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, -1.0, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
        with torch.no_grad():
            for _ in range(5):
                model(torch.rand(16, *shape))
    return model.eval(), shape


def features(seed: int) -> set[str]:
    """What a random network has of what such tests must cover."""
    model = RandomCnn(seed, random_shape(seed))
    found = set()
    for number, stage in enumerate(model.stages):
        assert isinstance(stage, Stage)
        if stage.join is not None:
            found |= {stage.join, "branch of the image"} if number == 0 else {stage.join}
            found |= {f"{stage.join}, stride {max(stage.conv.stride)}"}
        found |= {f"stride {max(stage.conv.stride)}", f"kernel {max(stage.conv.kernel_size)}"}
        found |= {"padding"} if any(stage.conv.padding) else set()  # type: ignore[arg-type]
        found |= {"uneven"} if len({*stage.conv.kernel_size}) > 1 or len({*stage.conv.stride}) > 1 else set()
        found |= {f"{stage.pooling} pooling"} if max(stage.kernel) > 1 else set()
        found |= {"batch norm"} if isinstance(stage.norm, nn.BatchNorm2d) else set()
    return found | ({"global pooling"} if model.globally else set())
