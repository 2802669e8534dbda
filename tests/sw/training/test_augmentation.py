"""Random changes of training images."""

from __future__ import annotations

import torch

from spikeloom.sw.training.augmentation import AUGMENTATIONS, PADDING, crop, crop_flip


def test_crops_are_parts_of_the_image_with_zeros_around() -> None:
    torch.manual_seed(0)
    count, shape = 300, (3, 6, 5)
    images = torch.rand(count, *shape)
    moved = crop(images.flatten(1), shape).view(count, *shape)
    padded = torch.nn.functional.pad(images, (PADDING,) * 4)
    seen = set()
    for n in range(count):
        places = [
            (top, left)
            for top in range(2 * PADDING + 1)
            for left in range(2 * PADDING + 1)
            if torch.equal(padded[n, :, top : top + 6, left : left + 5], moved[n])
        ]
        assert places, n
        seen.add(places[0])
    assert len(seen) > 60  # of 81 places


def test_half_of_the_crops_are_mirrored() -> None:
    torch.manual_seed(0)
    count, shape = 400, (12, 16)
    ramp = torch.arange(1.0, 17.0).expand(count, *shape)
    moved = crop_flip(ramp.flatten(1), shape).view(count, *shape)
    change = moved[:, 6, 8] - moved[:, 6, 7]  # the middle is never among the zeros
    assert ((change == 1.0) | (change == -1.0)).all()
    assert 150 < int((change == 1.0).sum()) < 250
    assert not torch.equal(moved, crop_flip(ramp.flatten(1), shape).view(count, *shape))


def test_changes_are_drawn_from_the_current_generator() -> None:
    x = torch.rand(20, 1, 8, 8).flatten(1)
    for change in AUGMENTATIONS.values():
        torch.manual_seed(3)
        first = change(x, (1, 8, 8))
        torch.manual_seed(3)
        assert torch.equal(first, change(x, (1, 8, 8))) and first.shape == x.shape
        assert not torch.equal(first, change(x, (1, 8, 8)))
