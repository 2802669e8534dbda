"""Convolutional networks as users write them: LeNet, VGG, two ways to write a ResNet for CIFAR-10."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F


class LeNet(nn.Module):
    """PyTorch's MNIST example: functions in forward(), max pooling before and after ReLUs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.dropout = nn.Dropout2d(0.25)
        self.fc1 = nn.Linear(16 * 4 * 4, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = self.dropout(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1) if self.training else self.fc2(x)


def vgg(
    plan: tuple[int | str, ...] = (16, 16, "M", 32, 32, "M", 64, "A"), channels: int = 3, size: int = 32
) -> nn.Module:
    """torchvision's make_layers: numbers are 3 x 3 convolutions with batch norm, M max pooling, A average pooling."""
    layers: list[nn.Module] = []
    now = channels
    for entry in plan:
        if isinstance(entry, str):
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2) if entry == "M" else nn.AvgPool2d(2))
            size //= 2
            continue
        layers += [nn.Conv2d(now, entry, kernel_size=3, padding=1), nn.BatchNorm2d(entry), nn.ReLU(inplace=True)]
        now = entry
    return Vgg(nn.Sequential(*layers), now * size * size)


class Vgg(nn.Module):
    """Features, adaptive pooling, and a classifier with dropout."""

    def __init__(self, features: nn.Module, size: int) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((4, 4))
        self.classifier = nn.Sequential(nn.Linear(size, 48), nn.ReLU(True), nn.Dropout(p=0.5), nn.Linear(48, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        return self.classifier(x)


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """torchvision's: one ReLU module used twice, downsample or None, `out += identity`."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.bn2 = conv3x3(outputs, outputs), nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class PaddedBlock(nn.Module):
    """The paper's parameter-free shortcut (option A), as the CIFAR-10 repositories write it."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv3x3(outputs, outputs), nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Sequential()
        if stride != 1 or inputs != outputs:
            extra = (outputs - inputs) // 2
            self.shortcut = Lambda(lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, extra, extra), "constant", 0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class Lambda(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class ResNet(nn.Module):
    """ResNet-(6 n + 2) of He et al. for 32 x 32 images; n = 3 is ResNet-20."""

    def __init__(
        self, block: Callable[..., nn.Module] = BasicBlock, n: int = 3, widths: tuple[int, ...] = (16, 32, 64)
    ):
        super().__init__()
        self.conv1, self.bn1 = conv3x3(3, widths[0]), nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        layers: list[nn.Module] = []
        now = widths[0]
        for stage, width in enumerate(widths):
            for index in range(n):
                layers.append(block(now, width, stride=2 if stage and not index else 1))
                now = width
        self.layers = nn.Sequential(*layers)
        self.padded = block is PaddedBlock
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(now, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layers(self.relu(self.bn1(self.conv1(x))))
        if self.padded:
            x = F.avg_pool2d(x, x.size()[3])
            x = x.view(x.size(0), -1)
        else:
            x = torch.flatten(self.avgpool(x), 1)
        return self.fc(x)


def settled(make: Callable[[], nn.Module], *shape: int, seed: int = 0) -> nn.Module:
    """A model with random weights, in evaluation, whose batch norms have seen images of this shape."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = make()
        for _ in range(10):
            model(torch.rand(16, *shape))
    return model.eval()
