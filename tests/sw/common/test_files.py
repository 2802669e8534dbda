"""Whole or not at all."""

import errno
import hashlib
import json
import os

import pytest

from spikeloom.sw.common.errors import FileError
from spikeloom.sw.common.files import MANIFEST, check_no_foreign, write_atomic, write_folder, write_together


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


@pytest.mark.parametrize("write", [lambda path: write_atomic(path, "x"), lambda path: write_folder(path, {"a": "x"})])
def test_what_is_no_path_is_refused(write):
    for path, kind in ((None, TypeError), (3, TypeError), (["x"], TypeError), ("", FileError), ("a\0b", FileError)):
        with pytest.raises(kind, match=r"^The (file|folder) must be a path"):
            write(path)


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(FileError, match=r": the name is too long$"):
        write_atomic(tmp_path / ("a" * 300), "x")
    with pytest.raises(FileError, match=r": the name is too long$"):
        write_folder(tmp_path / ("a" * 300), {"a": "x"})
    assert os.listdir(tmp_path) == []


def test_a_file_of_the_user_is_not_written_over(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(
        FileError, match=r"has a file 'README.md' that is not from an earlier export and would be overwritten"
    ):
        write_folder(tmp_path, {"a.txt": "one", "README.md": "theirs"})
    assert os.listdir(tmp_path) == ["README.md"] and (tmp_path / "README.md").read_text() == "mine"


def test_a_file_of_the_user_is_noticed_before_there_are_contents(tmp_path):
    check_no_foreign(tmp_path / "out", {"a.txt": None})
    write_folder(tmp_path / "out", {"a.txt": "one"})
    (tmp_path / "out" / "b.txt").write_text("mine")
    check_no_foreign(tmp_path / "out", {"a.txt": None, "b.txt": "mine"})
    for content in (None, "theirs"):
        with pytest.raises(FileError, match=r"has a file 'b.txt' .*; move it away, or choose another folder$"):
            check_no_foreign(tmp_path / "out", {"a.txt": None, "b.txt": content})


@pytest.mark.parametrize("listed", ["[1, 2]", "not JSON", '{"a.txt": 3}', "[" * 100_000])
def test_a_list_of_another_program_is_not_written_over(tmp_path, listed):
    (tmp_path / MANIFEST).write_text(listed)
    with pytest.raises(FileError, match=r"has a file 'files.json' that is not from an earlier export"):
        write_folder(tmp_path, {"a.txt": "one"})
    assert os.listdir(tmp_path) == [MANIFEST]


def test_an_export_that_was_stopped_half_way_is_done_again(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    write_folder(folder, {"a.txt": "one", "old.txt": "old"})
    real, left = os.replace, 2

    def stop(source, target):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_folder(folder, {"a.txt": "two", "b.txt": "two", "c.txt": "two"})
    monkeypatch.undo()
    write_folder(folder, {"a.txt": "two", "b.txt": "two", "c.txt": "two"})
    assert sorted(os.listdir(folder)) == ["a.txt", "b.txt", "c.txt", MANIFEST] and os.listdir(tmp_path) == ["out"]
    assert sorted(json.loads((folder / MANIFEST).read_text())) == ["a.txt", "b.txt", "c.txt"]


def test_a_new_folder_that_cannot_be_filled_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", fail_with(errno.EACCES))
    with pytest.raises(FileError, match="permission is denied"):
        write_together(tmp_path / "out", {"a": "x", "b": "y"})
    assert os.listdir(tmp_path) == []
