"""Data sets in their original formats."""

import gzip
import io
import os
import struct
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.datasets.datasets import load_data

RNG = np.random.default_rng(5)


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def write_mnist(folder: Path, name: str) -> dict[str, np.ndarray]:
    (folder / name).mkdir(parents=True)
    arrays = {
        "train-images-idx3-ubyte.gz": RNG.integers(0, 256, (30, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte.gz": RNG.integers(0, 10, 30, dtype=np.uint8),
        "t10k-images-idx3-ubyte.gz": RNG.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte.gz": RNG.integers(0, 10, 20, dtype=np.uint8),
    }
    for file, array in arrays.items():
        (folder / name / file).write_bytes(idx(array))
    return arrays


def cifar_files() -> dict[str, np.ndarray]:
    names = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]
    labels = RNG.integers(0, 10, (6, 4, 1), dtype=np.uint8)
    pixels = RNG.integers(0, 256, (6, 4, 3072), dtype=np.uint8)
    return dict(zip(names, np.concatenate([labels, pixels], axis=2), strict=True))


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, and an empty cache."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SPIKELOOM_DATA", raising=False)


def test_digits_are_split_in_proportion():
    data = load_data("digits")
    assert (len(data.train_images), len(data.test_images), data.inputs, data.shape) == (1297, 500, 64, (8, 8))
    assert data.train_images.dtype == np.uint8 and data.train_images.max() == 255
    test, train = np.bincount(data.test_labels), np.bincount(data.train_labels)
    np.testing.assert_allclose(test / (test + train), 500 / 1797, atol=0.006)
    assert data.checksum() == load_data("digits").checksum()


def test_the_last_training_images_are_split_off():
    data = load_data("digits")
    kept, (images, labels) = data.split(97)
    assert len(kept.train_images) == len(kept.train_labels) == 1200 and len(images) == len(labels) == 97
    np.testing.assert_array_equal(np.concatenate([kept.train_images, images]), data.train_images)
    np.testing.assert_array_equal(np.concatenate([kept.train_labels, labels]), data.train_labels)
    np.testing.assert_array_equal(kept.test_images, data.test_images)
    assert kept.checksum() != data.checksum()  # a network that was trained with them has another name
    whole, (none, _) = data.split(0)
    assert whole.checksum() == data.checksum() and len(none) == 0


@pytest.mark.parametrize("count", [-1, 1297, 5000])
def test_no_more_than_all_but_one_are_split_off(count):
    with pytest.raises(DataError, match=rf"^Validation images must be 0 .. 1296 of the 1297 .* 'digits', not {count}$"):
        load_data("digits").split(count)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_idx_files_of_a_folder(name, tmp_path, monkeypatch):
    arrays = write_mnist(tmp_path, name)
    data = load_data(name, tmp_path)
    np.testing.assert_array_equal(data.train_images.reshape(30, 28, 28), arrays["train-images-idx3-ubyte.gz"])
    np.testing.assert_array_equal(data.test_labels, arrays["t10k-labels-idx1-ubyte.gz"])
    assert (data.name, data.shape, data.classes) == (name, (28, 28), 10)
    monkeypatch.setenv("SPIKELOOM_DATA", str(tmp_path))
    assert load_data(name).checksum() == data.checksum()


def test_cifar_as_folder_and_as_archive(tmp_path):
    files = cifar_files()
    folder = tmp_path / "a" / "cifar-10" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name, records in files.items():
        (folder / name).write_bytes(records.tobytes())
    data = load_data("cifar-10", tmp_path / "a")
    assert (data.train_images.shape, data.test_images.shape, data.shape) == ((20, 3072), (4, 3072), (3, 32, 32))
    np.testing.assert_array_equal(data.train_images[4:8], files["data_batch_2.bin"][:, 1:])
    np.testing.assert_array_equal(data.test_labels, files["test_batch.bin"][:, 0])
    (tmp_path / "b" / "cifar-10").mkdir(parents=True)
    with tarfile.open(tmp_path / "b" / "cifar-10" / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, records in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = records.nbytes
            archive.addfile(member, io.BytesIO(records.tobytes()))
    assert load_data("cifar-10", tmp_path / "b").checksum() == data.checksum()


def test_cut_off_files_are_named(tmp_path):
    write_mnist(tmp_path, "mnist")
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    for content, sentence in (
        (whole[:1000], "truncated or damaged; replace it by the original file$"),
        (gzip.compress(gzip.decompress(whole)[:-5]), "truncated or damaged"),
        (gzip.compress(b"hello"), "not an IDX file of unsigned bytes"),
        (b"hello", "truncated or damaged; replace it by the original file$"),
        (b"", "(truncated or damaged|not an IDX)"),
        (whole[:-8] + b"\0" * 8, "truncated or damaged; replace it by the original file$"),
        (gzip.compress(gzip.decompress(whole) + b"more"), "truncated or damaged"),
        (gzip.compress(b"\0\0\x0d\x03" + b"\0" * 100), "not an IDX file of unsigned bytes"),
        (gzip.compress(b"\0\0\x08\xff" + b"\xff" * 100), "truncated or damaged"),
        (gzip.compress(b"\0\0\x08\x03" + b"\xff" * 100), "truncated or damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"train-images-idx3-ubyte.gz' (is |){sentence}"):
            load_data("mnist", tmp_path)


def test_labels_that_do_not_fit_are_named(tmp_path):
    write_mnist(tmp_path, "mnist")
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(idx(np.zeros(19, np.uint8)))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.gz' has \(19,\) labels for images of shape \(20,"):
        load_data("mnist", tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"\0" * 3072, "not a multiple of 3,073"), (b"\x0b" * 3073, "label of 11")]
)
def test_damaged_cifar_is_named(content, sentence, tmp_path):
    folder = tmp_path / "cifar-10"
    folder.mkdir()
    for name, records in cifar_files().items():
        (folder / name).write_bytes(records.tobytes())
    (folder / "data_batch_3.bin").write_bytes(content)
    with pytest.raises(DataError, match=f"data_batch_3.bin' is .*{sentence}"):
        load_data("cifar-10", tmp_path)


def test_without_files_and_network_the_error_says_both_ways(offline, tmp_path):
    start = time.monotonic()
    sentence = (
        r"^Data set 'mnist' is not there: SPIKELOOM_DATA is not set, and downloading .* "
        r"Either name a data folder that has 'mnist/train-images-idx3-ubyte.gz', 'mnist/.*' and "
        r"'mnist/t10k-labels-idx1-ubyte.gz', or set SPIKELOOM_DATA to it, or"
    )
    with pytest.raises(DataError, match=sentence):
        load_data("mnist")
    with pytest.raises(DataError, match=r"does not have it, and downloading .*cifar-10-binary.tar.gz failed"):
        load_data("cifar-10", tmp_path)
    for name, wanted in (
        ("svhn", "'svhn/train_32x32.mat' and 'svhn/test_32x32.mat'"),
        ("cifar-100", "'cifar-100/cifar-100-python.tar.gz'"),
    ):
        with pytest.raises(DataError, match=f"^Data set '{name}' is not there: .* folder that has {wanted}, or set"):
            load_data(name, tmp_path)
    assert time.monotonic() - start < 30


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(
        DataError,
        match=r"^The data folder '/no/where' \(--data or SPIKELOOM_DATA\) is not there; name an existing folder",
    ):
        load_data("mnist", "/no/where")


def test_unknown_sets_are_refused():
    with pytest.raises(DataError, match=r"^There is no data set 'imagenet'; known are digits, mnist, "):
        load_data("imagenet")


@pytest.mark.skipif("SPIKELOOM_DATA" not in os.environ, reason="needs the original files (SPIKELOOM_DATA)")
def test_the_real_mnist():
    data = load_data("mnist")
    assert (data.train_images.shape, data.test_images.shape) == ((60000, 784), (10000, 784))
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
