"""Whole or not at all."""

import errno
import hashlib
import json
import os

import pytest

from sw.errors import FileError
from sw.files import MANIFEST, write_atomic, write_folder


def fail_with(code):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return fail


def test_write(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_atomic(path, "one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["b.txt"]


REASONS = [
    (errno.ENOSPC, "there is no space left on the device"),
    (errno.EACCES, "permission is denied"),
    (errno.EROFS, "the file system is read-only"),
    (errno.EDQUOT, "the disk quota is used up"),
]


@pytest.mark.parametrize(("code", "reason"), REASONS)
def test_a_failed_write_leaves_the_old_file(code, reason, tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, "old")
    monkeypatch.setattr("os.fsync", fail_with(code))
    with pytest.raises(FileError, match=f"^Cannot write '.*file': {reason}$"):
        write_atomic(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "file", "new")
    assert os.listdir(tmp_path) == []


def test_something_in_the_way(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    with pytest.raises(FileError, match=r"a part of the path is a file, not a folder$"):
        write_atomic(tmp_path / "file" / "below", "x")
    with pytest.raises(FileError, match=r"^Cannot write '.*folder': it is a folder$"):
        write_atomic(tmp_path / "folder", "x")
    with pytest.raises(FileError, match=r"a part of the path is a file, not a folder$"):
        write_folder(tmp_path / "file", {"a": "x"})
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_folder_gets_its_files_and_their_checksums(tmp_path):
    folder = tmp_path / "out"
    write_folder(folder, {"a.txt": "one", "sub/b.bin": b"two"})
    sums = json.loads((folder / MANIFEST).read_text())
    assert sums == {"a.txt": hashlib.sha256(b"one").hexdigest(), "sub/b.bin": hashlib.sha256(b"two").hexdigest()}
    assert (folder / "sub" / "b.bin").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["out"]


def test_writing_again_removes_what_is_stale_and_keeps_what_is_foreign(tmp_path):
    write_folder(tmp_path, {"a.txt": "one", "b.txt": "two"})
    (tmp_path / "mine.txt").write_text("mine")
    write_folder(tmp_path, {"a.txt": "three"})
    assert sorted(os.listdir(tmp_path)) == ["a.txt", MANIFEST, "mine.txt"]
    assert (tmp_path / "a.txt").read_text() == "three"


def test_without_space_a_folder_stays_as_it_was(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    write_folder(folder, {"a.txt": "one"})
    before = {name: (folder / name).read_bytes() for name in os.listdir(folder)}
    monkeypatch.setattr("pathlib.Path.write_bytes", fail_with(errno.ENOSPC))
    with pytest.raises(FileError, match=r"^Cannot write '.*out': there is no space left on the device$"):
        write_folder(folder, {"a.txt": "two", "b.txt": "new"})
    assert {name: (folder / name).read_bytes() for name in os.listdir(folder)} == before
    assert os.listdir(tmp_path) == ["out"]
