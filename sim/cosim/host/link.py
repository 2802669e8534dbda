"""The two named pipes between a host and the simulator of its chip, and the simulator's process.

Neither can hang the other. The host opens both pipes first, for reading and writing, so that opening never waits; it
never waits for one pipe without looking at the other and at the process. The simulator ends with the host, however
that happened (`hw.export.processes`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from spikeloom.hw.export.processes import end, start
from spikeloom.sim.cosim.host.bench import COMMANDS, RESPONSES
from spikeloom.sim.cosim.simulator import Simulator
from spikeloom.sim.cosim.tools import SimulationError

__all__ = ["HostLink", "command"]

_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of Linux; elsewhere pipes keep their size
_LOOK_s = 0.2
_ENDING_s = 20.0


def command(op: int, a: int = 0, b: int = 0, c: int = 0) -> bytes:
    """One command of `sim.cosim.host.bench`."""
    return struct.pack(">4I", op, a & 0xFFFFFFFF, b & 0xFFFFFFFF, c & 0xFFFFFFFF)


class HostLink:
    """A simulator with a chip on buses, driven by commands.

    Parameters
    ----------
    simulator : built from `sim.cosim.host.bench.host_bench_text`
    job : folder of the run, with `models.pickle`
    plusargs : of the bench, with their +
    bench : module of the cocotb bench
    patience_s : longest time without any answer or progress while one is due
    stop : set by another thread, it ends the simulator

    Attributes
    ----------
    frames : result frames since they were last taken, lines of the bench without `f`

    Raises `SimulationError` if the simulator ends, stalls or does not answer; then it is gone.
    """

    def __init__(
        self,
        simulator: Simulator,
        job: Path,
        plusargs: Sequence[str] = (),
        *,
        bench: str = "spikeloom.sim.cosim.host.host_cocotb",
        patience_s: float = 600.0,
        stop: threading.Event | None = None,
    ) -> None:
        self.frames: list[bytes] = []
        self._job = job
        self._patience_s = patience_s
        self._stop = stop
        self._replies: list[bytes] = []
        self._rest = b""
        self._using = contextlib.ExitStack()
        try:
            self._using.enter_context(simulator.in_use())
            self._out = self._pipe(COMMANDS)
            self._in = self._pipe(RESPONSES)
            words, environment = simulator.command(job, bench, plusargs)
            log = self._using.enter_context((job / "simulation.log").open("wb"))
            self._process = start(words, cwd=job, env=environment, output=log, errors=subprocess.STDOUT)
            self._using.callback(end, self._process)
        except BaseException:
            self._using.close()
            raise

    def __enter__(self) -> HostLink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _pipe(self, name: str) -> int:
        """Make a named pipe and open it at both its ends, so that neither side waits for the other to open it."""
        path = self._job / name
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._using.callback(os.close, pipe)
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_BYTES)
        return pipe

    @property
    def alive(self) -> bool:
        """Whether the simulator still runs."""
        return self._process.poll() is None

    def exchange(self, data: bytes, replies: int = 0) -> list[bytes]:
        """Send commands, and wait for this many answers; returns them, one line each, without line ends.

        Result frames that come meanwhile are added to `frames`.
        """
        left = memoryview(data)
        waited = time.monotonic()
        while left or len(self._replies) < replies:
            if self._stop is not None and self._stop.is_set():
                self._fail("was stopped")
            alive = self.alive
            readable, writable, _ = select.select([self._in], [self._out] if left else [], [], _LOOK_s)
            if writable:
                with contextlib.suppress(BlockingIOError):
                    left = left[os.write(self._out, left) :]
            if readable:
                self._take()
            if readable or writable:
                waited = time.monotonic()
            elif not alive:
                self._fail("has ended")
            elif time.monotonic() - waited > self._patience_s:
                self._fail(f"has not answered for {self._patience_s:.0f} seconds")
            if writable and not readable and not alive:
                self._fail("has ended")
        taken, self._replies = self._replies[:replies], self._replies[replies:]
        return taken

    def _take(self) -> None:
        """Read what has arrived and sort it."""
        try:
            data = self._rest + os.read(self._in, _PIPE_BYTES)
        except BlockingIOError:
            return
        *lines, self._rest = data.split(b"\n")
        for line in lines:
            if line.startswith(b"f "):
                self.frames.append(line[2:])
            elif line == b"h":
                self._fail("stalled")
            else:
                self._replies.append(line)

    def _fail(self, what: str) -> None:
        self.close(kill=True)
        raise SimulationError(f"The simulation {what}; its log is {self._job / 'simulation.log'}")

    def close(self, kill: bool = False) -> None:
        """End the simulation, in order or at once, and wait for its end. May be called again."""
        if not kill and self.alive:
            with contextlib.suppress(SimulationError, OSError):
                self.exchange(command(0))
                self._process.wait(_ENDING_s)
        self._using.close()
