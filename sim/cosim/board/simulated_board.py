"""A board in a simulator, behind a pseudo terminal: host software opens it as it opens a board on a cable."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import struct
import tempfile
import threading
import tty
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal

from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.common.arguments import check_whole
from spikeloom.sim.cosim.board.board_bench import BREAK, RESET, RUN, SEND, UNIT, BenchedBoard, board_bench_text
from spikeloom.sim.cosim.board.board_bench import board_visible_text as visible_text
from spikeloom.sim.cosim.host.link import HostLink
from spikeloom.sim.cosim.simulator import Simulator
from spikeloom.sim.cosim.tools import SimulationError
from spikeloom.sim.cosim.waves import wave_file

__all__ = ["SimulatedBoard", "build_board_simulator"]

_MOST_CYCLES = 50_000
"""Clock cycles between two looks at the host's end of the line."""
_MOST_BYTES = 4096
_LOOK_s = 0.05
_MOST_COUNT = (1 << 24) - 1
_PLUSARGS = {"none": [], "spikes": ["+record"], "full": ["+membranes"]}

Bytes = Callable[[bytes], bytes]


def build_board_simulator(
    texts: Mapping[str, str],
    clocks_per_bit: int,
    *,
    board: BenchedBoard = UNIT,
    parameters: NpuParameters | None = None,
    unit: str = "npu_axi.npu",
    simulator: str = "verilator",
    waves: bool = False,
    quick: bool = False,
) -> Simulator:
    """Build the simulator of a board's Verilog, or take the existing build.

    texts : file name -> Verilog of everything but the bench
    clocks_per_bit, board, parameters, unit : as for `board_bench_text`
    simulator, waves, quick : as for `Simulator.build`, with its errors
    """
    bench = board_bench_text(board, clocks_per_bit, parameters, unit, wave_file(simulator) if waves else "")
    files = {name: text for name, text in texts.items() if name.endswith((".sv", ".v"))}
    files = {f"{Path(name).stem}.sv": text for name, text in files.items()}
    files |= {"bench.sv": bench, "bench.vlt": visible_text()}
    return Simulator.of_texts(files, simulator, waves=waves, quick=quick)


class SimulatedBoard:
    """A board's simulation, with the device `port` as its serial port; a context manager.

    Simulated time does not advance while the board is quiet and nothing is sent to it, so that what it does does not
    depend on the host's speed; except for how long it waits where the host thinks meanwhile, as a real one does.

    A thread carries bytes between the terminal and the simulator. It alone calls `to_board` and `to_host`, which may
    call any of the methods here but `close`.

    Parameters
    ----------
    simulator : of `build_board_simulator`
    folder : where it runs, emptied first; a temporary one if not given
    record : "none", "spikes" or "full": what `record` keeps of every image
    to_board, to_host : change what the cable carries, bytes -> bytes; for tests of broken lines. May be set at any time

    Attributes
    ----------
    port : path of the device; the same after `unplug` and `plug`
    cycles : clock cycles since the start
    error : why the simulation has ended, if it has before `close`; then the cable is unplugged
    """

    def __init__(
        self,
        simulator: Simulator,
        folder: Path | str | None = None,
        *,
        record: Literal["none", "spikes", "full"] = "none",
        to_board: Bytes | None = None,
        to_host: Bytes | None = None,
    ) -> None:
        plusargs = _PLUSARGS[record]
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="spikeloom-board-") if folder is None else folder).resolve()
        self.port = str(self.folder / "tty")
        self.to_board, self.to_host = to_board, to_host
        self.cycles = 0
        self.error: Exception | None = None
        self._stop = threading.Event()
        self._kill = threading.Event()
        self._plugs = threading.Lock()
        self._line: tuple[int, int] | None = None
        self._asked: deque[bytes] = deque()
        self._to_host = b""
        try:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self._link = HostLink(
                simulator, self.folder, plusargs, bench="spikeloom.sim.cosim.board.board_cocotb", stop=self._kill
            )
        except BaseException:
            self._tidy()
            raise
        self.plug()
        self._thread = threading.Thread(target=self._serve, name="simulated board", daemon=True)
        self._thread.start()

    @property
    def record(self) -> Path:
        """The record of spikes and membranes; whole when the board is closed. See `sim.cosim.job.read_trace`."""
        return self.folder / "record.txt"

    def plug(self) -> None:
        """Connect the cable: `port` is a new terminal. Raises what has ended the simulation, if it has ended."""
        with self._plugs:
            self._unplug()
            if self.error is not None:
                raise self.error
            if self._stop.is_set():
                raise SimulationError("The simulated board is closed: make a new one")
            host, device = os.openpty()
            self._line = host, device  # its own end stays open: a terminal that no host has open is not gone
            tty.setraw(device)
            os.set_blocking(host, False)
            Path(self.port).symlink_to(os.ttyname(device))

    def unplug(self) -> None:
        """Pull the cable: who has the port open gets errors, and what was on its way is lost."""
        with self._plugs:
            self._unplug()

    def _unplug(self) -> None:
        line, self._line, self._to_host = self._line, None, b""
        Path(self.port).unlink(missing_ok=True)
        for end in line or ():
            os.close(end)

    def hold_line(self, cycles: int) -> None:
        """Hold the line to the board down for clock cycles, 1 .. 2^24 - 1: a break, after bytes on their way."""
        self._asked.append(_command(BREAK, cycles))

    def press_reset(self, cycles: int = 16) -> None:
        """Hold the board's reset for clock cycles, 1 .. 2^24 - 1. What is in block RAM stays, such as cells."""
        self._asked.append(_command(RESET, cycles))

    def _serve(self) -> None:
        """Carry bytes between the line and the simulator until the end."""
        quiet = False
        try:
            while not self._stop.is_set():
                asked = self._asked.popleft() if self._asked else b""
                data = b"" if asked else self._take(_LOOK_s if quiet else 0.0)
                if data:
                    asked = _command(SEND, len(data)) + data
                elif not asked:
                    if quiet:
                        continue
                    asked = _command(RUN, _MOST_CYCLES)
                (line,) = self._link.exchange(asked, 1)
                _, calm, now = line.split()
                quiet, self.cycles = calm == b"1", int(now)
                self._give(bytes(0 if byte == b"x" else int(byte, 16) for byte in self._link.frames))
                self._link.frames.clear()
        except Exception as error:  # of the simulator, or of a function that a test has put into the cable
            if not self._stop.is_set():
                self.error = error
            self.unplug()

    def _take(self, wait_s: float) -> bytes:
        """What the host has sent, within so long."""
        with self._plugs:
            line = self._line
            if line is not None:
                self._flush(line[0])
        if line is None:
            self._stop.wait(wait_s)
            return b""
        with contextlib.suppress(OSError, ValueError):  # pulled meanwhile
            select.select([line[0]], [], [], wait_s)  # without the lock, which others would wait for in vain
        with self._plugs:
            try:
                data = os.read(line[0], _MOST_BYTES) if self._line is line else b""
            except OSError:
                data = b""
        return data if not data or self.to_board is None else self.to_board(data)

    def _give(self, data: bytes) -> None:
        """Put bytes on the line to the host."""
        if data and self.to_host is not None:
            data = self.to_host(data)
        with self._plugs:
            if self._line is not None:
                self._to_host += data
                self._flush(self._line[0])

    def _flush(self, host: int) -> None:
        while self._to_host:
            try:
                self._to_host = self._to_host[os.write(host, self._to_host) :]
            except OSError:  # nobody reads: it waits, as in the buffer of a real adapter
                return

    def close(self, kill: bool = False) -> None:
        """End the simulation, in order or at once, without a whole record; a temporary folder goes with it. May be
        called again.
        """
        if not self._stop.is_set():
            self._stop.set()
            if kill:
                self._kill.set()
            self._thread.join()
            self.unplug()
            self._link.close(kill)
            self._tidy()

    def _tidy(self) -> None:
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> SimulatedBoard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _command(op: int, count: int) -> bytes:
    check_whole("cycles", count, 1, _MOST_COUNT)
    return struct.pack(">I", op << 24 | count)
