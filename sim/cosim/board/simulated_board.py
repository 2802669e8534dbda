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
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from spikeloom.hw.params.parameters import NpuParameters
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
    error : why the simulation has ended, if it has
    """

    def __init__(
        self,
        simulator: Simulator,
        folder: Path | str | None = None,
        *,
        record: str = "none",
        to_board: Bytes | None = None,
        to_host: Bytes | None = None,
    ) -> None:
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="spikeloom-board-") if folder is None else folder).resolve()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.port = str(self.folder / "tty")
        self.to_board, self.to_host = to_board, to_host
        self.cycles = 0
        self.error: SimulationError | None = None
        self._stop = threading.Event()
        self._plugs = threading.Lock()
        self._line: tuple[int, int] | None = None
        self._asked: list[bytes] = []
        self._to_host = b""
        plusargs = {"none": [], "spikes": ["+record"], "full": ["+membranes"]}[record]
        self._link = HostLink(simulator, self.folder, plusargs, bench="spikeloom.sim.cosim.board.board_cocotb")
        self.plug()
        self._thread = threading.Thread(target=self._serve, name="simulated board", daemon=True)
        self._thread.start()

    @property
    def record(self) -> Path:
        """The record of spikes and membranes; whole when the board is closed. See `sim.cosim.job.read_trace`."""
        return self.folder / "record.txt"

    def plug(self) -> None:
        """Connect the cable: `port` is a new terminal."""
        with self._plugs:
            self._unplug()
            host, device = os.openpty()
            tty.setraw(device)
            os.set_blocking(host, False)
            self._line = host, device
            self._to_host = b""
            Path(self.port).symlink_to(os.ttyname(device))

    def unplug(self) -> None:
        """Pull the cable: who has the port open gets errors, and what was on its way is lost."""
        with self._plugs:
            self._unplug()

    def _unplug(self) -> None:
        line, self._line = self._line, None
        Path(self.port).unlink(missing_ok=True)
        for end in line or ():
            os.close(end)

    def hold_line(self, cycles: int) -> None:
        """Hold the line to the board down for clock cycles: a break."""
        self._asked.append(_command(BREAK, cycles))

    def press_reset(self, cycles: int = 16) -> None:
        """Hold the board's reset for clock cycles; its cells are then those of the bitstream again in part: what is in
        block RAM stays.
        """
        self._asked.append(_command(RESET, cycles))

    def _serve(self) -> None:
        """Carry bytes between the line and the simulator until the end."""
        quiet = False
        try:
            while not self._stop.is_set():
                asked = self._asked.pop(0) if self._asked else b""
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
        except SimulationError as error:
            if not self._stop.is_set():
                self.error = error
                self.unplug()

    def _take(self, wait_s: float) -> bytes:
        """What the host has sent, within so long."""
        with self._plugs:
            line = self._line
            if line is None:
                data = b""
            else:
                self._flush(line[0])
                readable, _, _ = select.select([line[0]], [], [], wait_s)
                data = b""
                if readable:
                    with contextlib.suppress(OSError):
                        data = os.read(line[0], _MOST_BYTES)
        if line is None and wait_s:
            self._stop.wait(wait_s)
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

    def close(self) -> None:
        """End the simulation; a temporary folder goes with it. May be called again."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join()
            self._link.close()
            self.unplug()
            if self._temporary:
                shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> SimulatedBoard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _command(op: int, count: int) -> bytes:
    return struct.pack(">I", op << 24 | count)
