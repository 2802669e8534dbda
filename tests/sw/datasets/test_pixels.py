"""What is handed to the Python API: every kind that is taken, and one sentence for every kind that is not."""

import re

import numpy as np
import pytest
import torch

from spikeloom.sw.datasets.pixels import as_ids, as_labels, as_pixels, as_trace

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 784), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(3, 784), (3, 28, 28), (3, 1, 28, 28)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_and_bytes_of_any_shape_are_the_same_pixels(shape, dtype) -> None:
    for array in (PIXELS.reshape(shape), (PIXELS / 255).astype(dtype).reshape(shape)):
        np.testing.assert_array_equal(as_pixels(array, 784), PIXELS)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32, torch.float64])
def test_tensors_are_taken(dtype) -> None:
    tensor = torch.from_numpy(PIXELS) if dtype == torch.uint8 else (torch.from_numpy(PIXELS) / 255).to(dtype)
    np.testing.assert_array_equal(as_pixels(tensor.reshape(3, 1, 28, 28), 784), PIXELS)
    np.testing.assert_array_equal(as_pixels(np.asfortranarray(PIXELS), 784), PIXELS)
    if dtype.is_floating_point:
        np.testing.assert_array_equal(as_pixels(tensor.requires_grad_(), 784), PIXELS)


def test_bfloat16_is_taken_as_exactly_as_it_is() -> None:
    tensor = (torch.from_numpy(PIXELS) / 255).to(torch.bfloat16)
    np.testing.assert_array_equal(as_pixels(tensor, 784), as_pixels(tensor.float(), 784))


ONES = np.ones((3, 4))
BAD = [
    (None, TypeError, "Images must be a NumPy array or a PyTorch tensor, not NoneType"),
    ([[0, 0, 0, 0]], TypeError, "Images must be a NumPy array or a PyTorch tensor, not list"),
    ("images", TypeError, "Images must be a NumPy array or a PyTorch tensor, not str"),
    (ONES.astype(np.int32), TypeError, "Images must be uint8 (0 .. 255) or floating point (0 .. 1), not int32"),
    (ONES.astype(bool), TypeError, "Images must be uint8 (0 .. 255) or floating point (0 .. 1), not bool"),
    (ONES.astype(str), TypeError, "Images must be uint8 (0 .. 255) or floating point (0 .. 1), not <U"),
    (ONES.astype(complex), TypeError, "Images must be uint8 (0 .. 255) or floating point (0 .. 1), not complex128"),
    (np.full((3, 4), None), TypeError, "Images must be uint8 (0 .. 255) or floating point (0 .. 1), not object"),
    (torch.ones(3, 4, dtype=torch.int64), TypeError, "Images must be uint8"),
    (torch.ones(3, 4).to_sparse(), TypeError, "Images must be an ordinary tensor with values"),
    (torch.ones(3, 4, device="meta"), TypeError, "Images must be an ordinary tensor with values"),
    (np.ma.masked_array(ONES, ONES > 0), TypeError, "Images must be an array in which every pixel counts"),
    (ONES[:, :3], ValueError, "Images must have shape [images, 4] or as many pixels per image, not (3, 3)"),
    (np.ones(4), ValueError, "Images must have shape [images, 4] or as many pixels per image, not (4,)"),
    (np.array(1.0), ValueError, "Images must have shape [images, 4] or as many pixels per image, not ()"),
    (ONES[:0], ValueError, "Images must be at least one, but the batch is empty"),
    (ONES * 255, ValueError, "Floating-point images must lie in 0 .. 1, but pixel 0 of image 0 is 255.0"),
    (ONES - 1.1, ValueError, "Floating-point images must lie in 0 .. 1, but pixel 0 of image 0 is -0.1"),
    (ONES * np.nan, ValueError, "Floating-point images must lie in 0 .. 1, but pixel 0 of image 0 is nan"),
    (ONES * np.inf, ValueError, "Floating-point images must lie in 0 .. 1, but pixel 0 of image 0 is inf"),
]


@pytest.mark.parametrize(("images", "kind", "sentence"), BAD, ids=[sentence[-30:] for _, _, sentence in BAD])
def test_bad_images_are_refused(images, kind, sentence) -> None:
    with pytest.raises(kind, match="^" + re.escape(sentence)):
        as_pixels(images, 4)


def test_labels_of_every_kind() -> None:
    for labels in ([0, 1, 2], (0, 1, 2), np.array([0, 1, 2], np.uint8), torch.tensor([0, 1, 2])):
        found = as_labels(labels, 3, 3)
        assert found.dtype == np.int64 and found.tolist() == [0, 1, 2]


BAD_LABELS = [
    ([0, 1], ValueError, "Labels must have shape (3,), one per image, not (2,)"),
    (
        np.eye(3, dtype=int),
        ValueError,
        "Labels must have shape (3,), one per image, not (3, 3): use labels.argmax(1) of one-hot rows",
    ),
    (5, ValueError, "Labels must have shape (3,), one per image, not ()"),
    ([0, 1, 3], ValueError, "Labels must lie in 0 .. 2, the chip's classes, but that of image 2 is 3"),
    (
        [0, -1, 1],
        ValueError,
        "Labels must lie in 0 .. 2, the chip's classes, but that of image 1 is -1: leave images without a class out",
    ),
    (
        [0.0, 1.0, 2.0],
        TypeError,
        "Labels must be integers, one per image, not float64: use labels.astype(int), or .long()",
    ),
    (
        [True, False, True],
        TypeError,
        "Labels must be integers, one per image, not bool: use labels.astype(int), or .long()",
    ),
    (["a", "b", "c"], TypeError, "Labels must be integers, one per image, not <U1"),
    ([None] * 3, TypeError, "Labels must be integers, one per image, not object"),
    ([[0], [1, 2]], TypeError, "Labels must be a list or array of integers, one per image, not [[0], [1, 2]]"),
]


@pytest.mark.parametrize(("labels", "kind", "sentence"), BAD_LABELS, ids=[sentence for _, _, sentence in BAD_LABELS])
def test_bad_labels_are_refused(labels, kind, sentence) -> None:
    with pytest.raises(kind, match="^" + re.escape(sentence) + "$"):
        as_labels(labels, 3, 3)


def test_image_numbers() -> None:
    assert as_ids(None, 3) is None
    found = as_ids([0, 7, 2**32 - 1], 3)
    assert found is not None and found.tolist() == [0, 7, 4294967295]


BAD_IDS = [
    ([1, 2], ValueError, "Image numbers have shape (2,), but there are 3 images"),
    ([0, 1, -1], ValueError, "Image numbers must be in 0 .. 4294967295, not -1 .. 1"),
    ([0, 1, 2**32], ValueError, "Image numbers must be in 0 .. 4294967295, not 0 .. 4294967296"),
    ([0.0, 1.0, 2.0], TypeError, "Image numbers must be integers, not float64"),
    ([10**30] * 3, TypeError, "Image numbers must be integers, not object"),
    ([[1], [2, 3]], TypeError, "Image numbers must be a list or array of integers, one per image, not [[1], [2, 3]]"),
]


@pytest.mark.parametrize(("ids", "kind", "sentence"), BAD_IDS, ids=[sentence for _, _, sentence in BAD_IDS])
def test_bad_image_numbers_are_refused(ids, kind, sentence) -> None:
    with pytest.raises(kind, match="^" + re.escape(sentence) + "$"):
        as_ids(ids, 3)


@pytest.mark.parametrize("trace", ["all", True, False, 1, None, [], np.zeros(3)])
def test_unknown_traces_are_refused(trace) -> None:
    assert [as_trace(known) for known in ("none", "spikes", "full")] == ["none", "spikes", "full"]
    with pytest.raises(ValueError, match=r"^trace must be 'none', 'spikes' or 'full', not "):
        as_trace(trace)
