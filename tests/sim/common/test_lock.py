"""One holder at a time, and nobody is held up by the dead."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spikeloom.sim.common.lock import Busy, locked, shared


def test_a_second_holder_is_refused_and_told_who_holds(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path), pytest.raises(Busy, match=f"^Process {os.getpid()} holds '.*lock'$"), locked(path):
        pass
    assert list(tmp_path.iterdir()) == []
    with locked(path):
        pass


def test_waiting_ends_when_the_holder_does(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", []

    def second() -> None:
        with locked(path, wait=True):
            order.append("second")

    with locked(path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_killed_holder_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = f"""
import os, pathlib
from spikeloom.sim.common.lock import locked
with locked(pathlib.Path({str(path)!r})):
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert path.exists()
    with locked(path):
        assert path.read_text() == str(os.getpid())


def test_an_error_inside_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), locked(tmp_path / "lock"):
        raise KeyboardInterrupt
    with locked(tmp_path / "lock"):
        pass


def test_a_shared_file_is_held_against_one_that_wants_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with shared(path), shared(path), pytest.raises(Busy), locked(path):
        pass
    with locked(path):
        pass
    with pytest.raises(FileNotFoundError), shared(path):
        pass


def test_a_shared_file_that_was_removed_meanwhile_is_gone(tmp_path: Path) -> None:
    path, seen = tmp_path / "lock", []

    def late() -> None:
        try:
            with shared(path):
                seen.append("held")
        except FileNotFoundError:
            seen.append("gone")

    with locked(path):
        thread = threading.Thread(target=late)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join(10)
    assert seen == ["gone"]
