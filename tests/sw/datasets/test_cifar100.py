"""CIFAR-100 from files of its original format, and pickles that would do something else."""

from __future__ import annotations

import io
import os
import pickle
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.datasets.datasets import load_data

RNG = np.random.default_rng(11)
PIXELS = RNG.integers(0, 256, (6, 3072), dtype=np.uint8)
LABELS = [19, 29, 0, 99, 1, 86]


def held(**changes: Any) -> dict[bytes, Any]:
    whole: dict[str, Any] = {
        "filenames": [b"a.png"] * 6,
        "batch_label": b"training batch 1 of 1",
        "fine_labels": LABELS,
        "coarse_labels": [11, 15, 4, 14, 1, 5],
        "data": PIXELS,
    }
    return {name.encode(): value for name, value in (whole | changes).items() if value is not None}


def pickled(value: Any, protocol: int = 2) -> bytes:
    return pickle.dumps(value, protocol)


def python_2(labels: list[int]) -> bytes:
    """The pickle of Python 2, whose texts are bytes: two images, written opcode by opcode."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    pixels = bytes(range(256)) * 24
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + text(b"b") + b"tR"
        b"(K\x01(K\x02M\x00\x0ctcnumpy\ndtype\n("
        + text(b"u1")
        + b"K\x00K\x01tR(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + len(pixels).to_bytes(4, "little")
        + pixels
        + b"tb"
    )
    values = b"".join(b"K" + bytes([label]) for label in labels)
    return b"\x80\x02}(" + text(b"fine_labels") + b"](" + values + b"e" + text(b"data") + array + b"u."


def write(folder: Path, train: bytes, test: bytes | None = None) -> Path:
    place = folder / "cifar-100" / "cifar-100-python"
    place.mkdir(parents=True, exist_ok=True)
    (place / "train").write_bytes(train)
    (place / "test").write_bytes(pickled(held()) if test is None else test)
    return folder


def test_fine_labels_from_the_folder_and_from_the_archive(tmp_path: Path) -> None:
    few = {b"data": np.asfortranarray(PIXELS[:2]), b"fine_labels": [98, 3]}
    data = load_data("cifar-100", write(tmp_path / "a", pickled(held()), pickled(few)))
    assert (data.name, data.shape, data.classes) == ("cifar-100", (3, 32, 32), 100)
    np.testing.assert_array_equal(data.train_images, PIXELS)
    np.testing.assert_array_equal(data.test_images, PIXELS[:2])
    assert data.train_labels.tolist() == LABELS and data.test_labels.tolist() == [98, 3]
    (tmp_path / "b" / "cifar-100").mkdir(parents=True)
    with tarfile.open(tmp_path / "b" / "cifar-100" / "cifar-100-python.tar.gz", "w:gz") as archive:
        for name in ("meta", "test", "train"):
            content = (tmp_path / "a" / "cifar-100" / "cifar-100-python" / name.replace("meta", "test")).read_bytes()
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert load_data("cifar-100", tmp_path / "b").checksum() == data.checksum()


def test_files_of_python_2(tmp_path: Path) -> None:
    data = load_data("cifar-100", write(tmp_path, python_2([7, 99]), pickled(held())))
    assert data.train_labels.tolist() == [7, 99]
    np.testing.assert_array_equal(data.train_images, np.tile(np.arange(256, dtype=np.uint8), 24).reshape(2, 3072))


class Harm:
    """Would make a file, if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_nothing_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert not mark.exists()
    for content in (
        pickled(held(data=Harm(mark))),
        pickled({Harm(mark): 1}),
        pickled(held(coarse_labels=Harm(mark)), 5),
        f"cos\nmkdir\n(V{mark}\ntR.".encode(),
        f"(V{mark}\nios\nmkdir\n.".encode(),
        b"cbuiltins\neval\n(Vprint(1)\ntR.",
    ):
        with pytest.raises(DataError, match=r"train' is not an original file: it is a pickle that calls \w+\.\w+, and"):
            load_data("cifar-100", write(tmp_path, content))
    assert not mark.exists()
    pickle.loads(pickled(Harm(mark)))
    assert mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02P1\n.",  # persistent objects
        b"\x80\x02c_codecs\nencode\n}b.",  # a state for a name
        b"\x80\x02c_codecs\nencode\n)\x81.",  # an instance of a name
        b"\x80\x02c_codecs\nencode\nK\x01K\x02\x86R.",  # other arguments
        b"\x80\x02\x82\x01.",  # a registered extension
        pickled(held())[:-1],
        pickled(held())[:300],
        pickled(held())[:1],
        b"",
        b"hello",
        b"\x80\x09.",
        b".",
        b"0" * 100,
    ],
)
def test_damaged_pickles_are_named(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train' is truncated or damaged: it is no whole pickle \(\w+\); replace"):
        load_data("cifar-100", write(tmp_path, content))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([1, 2], "it has no dictionary but list, and must have data and fine_labels; replace it by the"),
        ({}, "it has the keys of an empty dictionary, and must have data and fine_labels"),
        (held(fine_labels=None), "it has the keys filenames, batch_label, coarse_labels, data, and must have data and"),
        ({"data": PIXELS, "fine_labels": LABELS}, "it has the keys 'data', 'fine_labels', and must have"),
        (held(data=PIXELS.tolist()), "its data are of type list, and no array, and must be an array of uint8 [images,"),
        (held(data=PIXELS.astype(float)), "its data are an array of dtype f8, and must be"),
        (held(data=PIXELS.astype(np.int8)), "its data are an array of dtype i1, and must be"),
        (held(data=PIXELS[:, :3000]), "its data are an array of shape [6, 3000], and must be an array of uint8 [image"),
        (held(data=PIXELS.reshape(6, 3, 1024)), "its data are an array of shape [6, 3, 1024], and must be"),
        (held(fine_labels=LABELS[:5]), "its fine_labels are 5 values, and must be a list of 6 integers, one per image"),
        (held(fine_labels=tuple(LABELS)), "its fine_labels are of type tuple, and must be a list of 6 integers"),
        (
            held(fine_labels=[*LABELS[:5], 100]),
            "the fine label of image 5 is 100, and must be an integer 0 .. 99; repl",
        ),
        (held(fine_labels=[*LABELS[:5], -1]), "the fine label of image 5 is -1, and must be an integer 0 .. 99"),
        (held(fine_labels=[True, *LABELS[:5]]), "the fine label of image 0 is True, and must be"),
        (held(fine_labels=[1.0, *LABELS[:5]]), "the fine label of image 0 is 1.0, and must be"),
    ],
)
def test_other_content_is_named(value: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"test' is (not an original file|damaged): .*{re.escape(sentence)}"):
        load_data("cifar-100", write(tmp_path, pickled(held()), pickled(value)))


def test_changed_bytes_give_an_error_or_other_values_and_nothing_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for whole in (pickled(held()), python_2([1, 2])):
        for place in rng.integers(0, 400, 200):
            changed = bytearray(whole)
            changed[place] = rng.integers(0, 256)
            try:
                data = load_data("cifar-100", write(tmp_path, bytes(changed)))
            except DataError as error:
                assert "train' is " in str(error)
            else:
                assert data.train_images.shape[1] == 3072


def test_an_archive_without_its_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "cifar-100").mkdir()
    path = tmp_path / "cifar-100" / "cifar-100-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("train", "test"):
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.type = tarfile.DIRTYPE
            archive.addfile(member)
    with pytest.raises(DataError, match=r"'cifar-100-python.tar.gz' has 'cifar-100-python/train', which is not a file"):
        load_data("cifar-100", tmp_path)
    for content in (b"", b"hello", path.read_bytes()[:60]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"cifar-100-python.tar.gz' is truncated or damaged; replace it by"):
            load_data("cifar-100", tmp_path)
