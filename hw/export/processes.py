"""Child processes that end when this process ends, for any reason: `kill -9`, a signal, an error, or normally.

A program runs in a session and process group of its own, beside a watcher that reads from a pipe whose other end only
this process has. When the pipe ends, because this process is gone, the watcher kills the whole group: the program, and
all that it has started. Nothing has to run here for that, and it holds for any thread that started the program.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

__all__ = ["Stopped", "end", "run", "start"]

# The shell is the parent of both, so that it collects both, and nothing of them is left when it ends.
_TIED = """\
input=$1
shift
exec 3<&0
(read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
watcher=$!
"$@" <"$input" 3<&- &
wait "$!"
code=$?
kill -KILL "$watcher"
wait "$watcher" 2>/dev/null
exit "$code"
"""
_LOOK_s = 0.2


class Stopped(RuntimeError):
    """The program was ended before its time, because `stop` was set."""


def start(
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | os.PathLike[str] = os.devnull,
    output: IO[Any] | int | None = None,
    errors: IO[Any] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program that ends with this process. Its process group is `pid`; `end` must be called in the end.

    Parameters
    ----------
    command, cwd, env : as for `subprocess.Popen`
    stdin : file that is its standard input
    output, errors : its standard output and standard error; None for those of this process

    Exit codes are a shell's: 127 for a program that does not exist, 128 + n for one that signal n has ended.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", _TIED, "sh", os.fspath(stdin), *(os.fspath(word) for word in command)],
        cwd=cwd,
        env=None if env is None else dict(env),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a program's process group, at once, and collect it. May be called again."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    process.wait()


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    text: str = "",
    output: IO[Any] | None = None,
    stop: threading.Event | None = None,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as `subprocess.run` does; it ends with this process.

    Parameters
    ----------
    command, cwd, env : as for `start`
    text : its standard input
    output : file for its standard output and standard error; None returns both
    stop : the program is killed when this is set
    timeout_s : longest time

    Raises `Stopped`, `subprocess.TimeoutExpired`, or what interrupts the wait; then the program has been killed.
    """
    with contextlib.ExitStack() as files:
        stdin = os.devnull
        if text:
            given = files.enter_context(tempfile.NamedTemporaryFile("w", encoding="utf-8"))
            given.write(text)
            given.flush()
            stdin = given.name
        taken = [files.enter_context(tempfile.TemporaryFile()) for _ in range(2)] if output is None else []
        process = start(
            command,
            cwd=cwd,
            env=env,
            stdin=Path(stdin).resolve(),
            output=taken[0] if taken else output,
            errors=taken[1] if taken else subprocess.STDOUT,
        )
        try:
            _wait(process, stop, timeout_s)
        finally:
            end(process)
        texts = []
        for file in taken:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return subprocess.CompletedProcess([os.fspath(w) for w in command], process.returncode, *texts)


def _wait(process: subprocess.Popen[bytes], stop: threading.Event | None, timeout_s: float | None) -> None:
    """Wait for the end of a program, for `stop`, or so long."""
    left = timeout_s
    while True:
        if stop is not None and stop.is_set():
            raise Stopped(f"Process {process.pid} was stopped")
        look = left if stop is None else _LOOK_s if left is None else min(_LOOK_s, left)
        try:
            process.wait(look)
            return
        except subprocess.TimeoutExpired:
            left = None if left is None else left - (look or 0.0)
            if left is not None and left <= 0:
                raise
