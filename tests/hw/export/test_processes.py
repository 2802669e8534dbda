"""Programs that are started end with who started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from spikeloom.hw.export.processes import Stopped, end, run, start

SLEEPS = ["sh", "-c", "sleep 100 & sleep 100 & echo started; wait"]


def group(number: int) -> list[int]:
    """Processes of a process group that are not zombies."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == number and fields[0] not in "ZX":
                found.append(int(place.name))
    return found


def gone(number: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while group(number) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not group(number)


def test_a_program_runs_as_it_would_by_itself(tmp_path: Path) -> None:
    command = ["sh", "-c", 'cat; pwd; echo "$X"; echo oops >&2; exit 3']
    done = run(command, cwd=tmp_path, env={**os.environ, "X": "a  b"}, text="in\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, f"in\n{tmp_path}\na  b\n", "oops\n")
    with (tmp_path / "log").open("w") as log:
        assert run(["sh", "-c", "echo one; echo two >&2"], output=log).returncode == 0
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_words_are_passed_as_they_are() -> None:
    words = ["a b", "$HOME", "'", '"', "*", "\\", "ü", "", "-n"]
    done = run([sys.executable, "-c", "import sys; print(sys.argv[1:])", *words])
    assert done.stdout == f"{words}\n"


@pytest.mark.parametrize(("command", "code"), [(["no-such-program"], 127), (["sh", "-c", "kill -SEGV $$"], 139)])
def test_exit_codes_are_a_shells(command: list[str], code: int) -> None:
    assert run(command).returncode == code


def test_it_is_stopped_from_another_thread() -> None:
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    begin = time.monotonic()
    with pytest.raises(Stopped):
        run(SLEEPS, stop=stop)
    assert time.monotonic() - begin < 5


def test_it_has_so_much_time() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run(SLEEPS, timeout_s=0.3)


def test_the_end_takes_all_that_it_has_started() -> None:
    process = start(SLEEPS, output=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"started\n"
    assert len(group(process.pid)) == 5  # shell, watcher, program, and what it has started
    end(process)
    process.stdout.close()
    assert gone(process.pid) and process.returncode == -9
    end(process)


_PARENT = """
import subprocess, sys, threading
from spikeloom.hw.export.processes import start
def work():
    process = start(sys.argv[1:], output=subprocess.PIPE)
    process.stdout.readline()
    print(process.pid, flush=True)
thread = threading.Thread(target=work)  # which ends, while the program goes on
thread.start()
thread.join()
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV, None])
def test_it_ends_with_its_parent_however_that_ends(number: signal.Signals | None) -> None:
    """Killed, or at its end (None): and a thread's end is not the parent's."""
    command = [sys.executable, "-c", _PARENT, *SLEEPS]
    environment = {**os.environ, "PYTHONFAULTHANDLER": ""}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        process = int(parent.stdout.readline())
        time.sleep(0.2)
        assert len(group(process)) == 5
        if number is None:
            parent.stdin.close()
        else:
            parent.send_signal(number)
        parent.wait(5.0)
        assert gone(process)
