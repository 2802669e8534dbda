"""ClippedReLU: levels forward, straight through backward."""

import pytest
import torch

from spikeloom.sw.frontend.clipped_relu import ClippedReLU


def test_levels():
    x = torch.tensor([-1.0, 0.1, 0.13, 0.37, 0.38, 0.9, 5.0])
    expected = torch.tensor([0.0, 0.0, 0.25, 0.25, 0.5, 1.0, 1.0])
    torch.testing.assert_close(ClippedReLU(1.0, 4)(x), expected)
    torch.testing.assert_close(ClippedReLU(2.0, 4)(2 * x), 2 * expected)
    torch.testing.assert_close(ClippedReLU(1.0)(x), x.clamp(0, 1))
    with torch.no_grad():
        torch.testing.assert_close(ClippedReLU(1.0, 4)(x), expected)


def test_gradient_passes_inside_the_range_only():
    x = torch.tensor([-1.0, 0.1, 0.6, 2.0], requires_grad=True)
    ClippedReLU(1.0, 4)(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("clip", [0.0, -1.0, float("inf"), float("nan")])
def test_clip_must_be_positive_and_finite(clip):
    with pytest.raises(ValueError, match=r"^ClippedReLU: clip must be a positive finite number, not "):
        ClippedReLU(clip)


@pytest.mark.parametrize("levels", [-1, 2.5, True])
def test_levels_must_be_a_whole_number(levels):
    with pytest.raises(ValueError, match=r"^ClippedReLU: levels must be a whole number of at least 0, not "):
        ClippedReLU(1.0, levels)
