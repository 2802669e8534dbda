"""Random changes of training images, drawn from PyTorch's current generator: kinds of [train] augment."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional as F

__all__ = ["AUGMENTATIONS", "PADDING"]

PADDING = 4
"""Zeros on every side of an image, of which a part of the image's size is taken ([WS] section 6)."""


def affine(x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Images turned (to 12 degrees), scaled (to 10 %), sheared and shifted (to 2 pixels of 28) at random, bilinear."""
    channels = 1 if len(shape) == 2 else shape[0]
    height, width = shape[-2:]
    count = len(x)
    angle = (torch.rand(count) * 2 - 1) * math.radians(12)
    scale_x = 1 + (torch.rand(count) * 2 - 1) * 0.1
    scale_y = 1 + (torch.rand(count) * 2 - 1) * 0.1
    shear = (torch.rand(count) * 2 - 1) * 0.1
    shift = (torch.rand(count, 2) * 2 - 1) * (4 / 28)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = torch.stack(
        [
            torch.stack([cos * scale_x, -sin * scale_y + shear, shift[:, 0]], 1),
            torch.stack([sin * scale_x, cos * scale_y, shift[:, 1]], 1),
        ],
        1,
    )
    pictures = x.view(count, channels, height, width)
    grid = F.affine_grid(rows, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, align_corners=False).view(count, -1)


def crop(x: torch.Tensor, shape: tuple[int, ...], flip: bool = False) -> torch.Tensor:
    """A part of each image with `PADDING` zeros around it, at random ([WS] section 6); with `flip` half of them
    mirrored.
    """
    channels = 1 if len(shape) == 2 else shape[0]
    height, width = shape[-2:]
    count = len(x)
    padded = F.pad(x.view(count, channels, height, width), (PADDING,) * 4)
    top, left = torch.randint(0, 2 * PADDING + 1, (2, count))
    across = torch.arange(width).expand(count, width)
    if flip:
        across = torch.where(torch.rand(count, 1) < 0.5, width - 1 - across, across)
    rows = (top[:, None] + torch.arange(height))[:, None, :, None]
    columns = (left[:, None] + across)[:, None, None, :]
    image, channel = torch.arange(count)[:, None, None, None], torch.arange(channels)[None, :, None, None]
    return padded[image, channel, rows, columns].reshape(count, -1)


def crop_flip(x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """`crop`, half of the images mirrored."""
    return crop(x, shape, flip=True)


AUGMENTATIONS: dict[str, Callable[[torch.Tensor, tuple[int, ...]], torch.Tensor]] = {
    "affine": affine,
    "crop": crop,
    "crop-flip": crop_flip,
}
"""By name: flat images float [count, pixels] and an image's shape -> the same shape."""
