"""Forked children that run tests: what they see is sent home as lines of JSON, and a time limit holds for each test."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.mutation.blocks import ROOT

__all__ = ["Send", "run_child"]

Send = Callable[[dict[str, Any]], None]

_MEMORY = 6 << 30
"""Bytes of a child's data: a mutant may ask for signals of 2^30 bits."""


def _become(work: Callable[[Send], None], pipe: int, log: Path) -> None:
    """The child's life."""
    os.setsid()  # a group of its own, so that all that it starts ends with it
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    log.parent.mkdir(parents=True, exist_ok=True)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ["SPIKELOOM_CACHE"] = str(ROOT / "build" / "mutate" / "cache")

    def send(message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(pipe, data) :]

    code = 0
    try:
        work(send)
    except BaseException as error:
        traceback.print_exc()
        send({"error": f"{type(error).__name__}: {error}"})
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run_child(
    work: Callable[[Send], None], log: Path, limit: float, limits: Mapping[str, float] | None = None
) -> Iterator[dict[str, Any]]:
    """Run `work(send)` in a forked child; yields what it sends.

    Parameters
    ----------
    work : what the child does; its exceptions come as {"error": text}
    log : file for the child's output
    limit : seconds between two messages after which the child is killed; {"hung": seconds} is the last message then
    limits : for tests by name, instead of `limit` after a message {"test": name}
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _become(work, writing, log)
    os.close(writing)
    buffer, allowed = b"", limit
    try:
        last = time.monotonic()
        while True:
            left = last + allowed - time.monotonic()
            if left <= 0 or not select.select([reading], [], [], left)[0]:
                yield {"hung": round(allowed)}
                return
            data = os.read(reading, 1 << 16)
            if not data:
                return
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                message = json.loads(line)
                last, allowed = time.monotonic(), (limits or {}).get(message.get("test", ""), limit)
                yield message
    finally:
        os.close(reading)
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(child, 0)
