"""SVHN from files of its original format, and files that are none."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.datasets.datasets import load_data

RNG = np.random.default_rng(7)
IMAGES = RNG.integers(0, 256, (32, 32, 3, 12), dtype=np.uint8)
LABELS = np.array([[1], [10], [3], [9], [5], [6], [7], [8], [2], [4], [10], [1]], np.uint8)


def mat(**variables: Any) -> bytes:
    held = io.BytesIO()
    savemat(held, variables, do_compression=True)
    return held.getvalue()


def write(folder: Path, train: bytes, test: bytes | None = None) -> Path:
    (folder / "svhn").mkdir(exist_ok=True)
    (folder / "svhn" / "train_32x32.mat").write_bytes(train)
    (folder / "svhn" / "test_32x32.mat").write_bytes(mat(X=IMAGES[..., :4], y=LABELS[:4]) if test is None else test)
    return folder


def test_images_are_planes_and_label_10_is_the_digit_0(tmp_path: Path) -> None:
    data = load_data("svhn", write(tmp_path, mat(X=IMAGES, y=LABELS)))
    assert (data.name, data.shape, data.classes, data.inputs) == ("svhn", (3, 32, 32), 10, 3072)
    assert data.train_labels.tolist() == [1, 0, 3, 9, 5, 6, 7, 8, 2, 4, 0, 1]
    assert len(data.test_images) == 4
    planes = data.train_images.reshape(12, 3, 32, 32)
    for image, channel, y, x in ((0, 0, 0, 0), (3, 2, 5, 31), (11, 1, 30, 2)):
        assert planes[image, channel, y, x] == IMAGES[y, x, channel, image]


def test_a_plain_file_is_the_same_as_a_compressed_one(tmp_path: Path) -> None:
    first = load_data("svhn", write(tmp_path, mat(X=IMAGES, y=LABELS))).checksum()
    savemat(tmp_path / "svhn" / "train_32x32.mat", {"X": IMAGES, "y": LABELS, "more": np.ones(3)})
    assert load_data("svhn", tmp_path).checksum() == first


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"x": IMAGES, "y": LABELS}, "is not an original file: it has no variable X; replace it by the original file"),
        ({"a": LABELS}, "is not an original file: it has no variable X and no y; replace"),
        ({"X": IMAGES[..., 0], "y": LABELS}, "X is uint8 [32, 32, 3], and must be uint8 [32, 32, 3, images]; replace"),
        ({"X": IMAGES.transpose(3, 0, 1, 2), "y": LABELS}, "X is uint8 [12, 32, 32, 3], and must be uint8 [32, 32, 3,"),
        ({"X": IMAGES / 255, "y": LABELS}, "X is float64 [32, 32, 3, 12], and must be uint8 [32, 32, 3, images]"),
        ({"X": IMAGES.astype(object), "y": LABELS}, "X is object [32, 32, 3, 12], and must be uint8"),
        ({"X": {"a": 1}, "y": LABELS}, "X is [('a', 'O')] [1, 1], and must be uint8"),
        ({"X": IMAGES[..., :0], "y": LABELS[:0]}, "is damaged: X is uint8 "),
        ({"X": IMAGES, "y": LABELS[:11]}, "y is uint8 [11, 1], and must be uint8 [12, 1], a label per image; replace"),
        ({"X": IMAGES, "y": LABELS.T}, "y is uint8 [1, 12], and must be uint8 [12, 1]"),
        ({"X": IMAGES, "y": LABELS.astype(float)}, "y is float64 [12, 1], and must be uint8 [12, 1]"),
        ({"X": IMAGES, "y": LABELS - 1}, "its labels are 0 .. 9, and must be 1 .. 10, where 10 is the digit 0"),
        ({"X": IMAGES, "y": LABELS + 1}, "its labels are 2 .. 11, and must be 1 .. 10"),
    ],
)
def test_other_variables_are_named(variables: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"train_32x32.mat' .*{re.escape(sentence)}"):
        load_data("svhn", write(tmp_path, mat(**variables)))


WHOLE = mat(X=IMAGES, y=LABELS)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"MATLAB 7.3 MAT-file" + b" " * 105 + b"\0\x02IM" + b"\0" * 400, b"\0" * 2000]
    + [WHOLE[:size] for size in (100, 130, 140, 1000, len(WHOLE) // 2, len(WHOLE) - 20)],
    ids=lambda content: str(len(content)),  # a whole file has the time in it, which workers differ in
)
def test_what_is_no_whole_file_is_named(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test_32x32.mat' is (truncated or damaged|not an original file): .*; replace"):
        load_data("svhn", write(tmp_path, WHOLE, content))


def test_bytes_that_are_changed_give_an_error_or_other_pixels_and_nothing_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    plain = io.BytesIO()
    savemat(plain, {"X": IMAGES, "y": LABELS})
    for whole in (WHOLE, plain.getvalue()):
        for place in rng.integers(0, 300, 150):
            changed = bytearray(whole)
            changed[place] ^= 1 << rng.integers(0, 8)
            try:
                data = load_data("svhn", write(tmp_path, bytes(changed)))
            except DataError as error:
                assert "train_32x32.mat' is " in str(error)
            else:
                assert data.train_images.shape == (12, 3072)
