"""A small stand-in for a chip with buses behind the two pipes of `sim.host_bench`: registers, load session, frames.

It knows the answers beforehand and no network; its cells go straight to their targets, but for those that are stuck.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from hw.host_registers import (
    HostRegister,
    build_id,
    host_map,
    layer_byte_address,
    program_result_byte_address,
    program_target_byte_address,
    unit_byte_address,
)
from hw.params import NpuParameters

OK, SLVERR = 0, 2
REFUSED, FRAME, BUILD, CHECKSUM, TIMEOUT, UNLOADED = (1 << i for i in range(6))
NOT_SUMMED = ("control", "errors", "events", "timeout", "reset", "load_begin", "load_end")


@dataclass
class FakeChip:
    """Serves one host.

    Parameters
    ----------
    parameters : of the build
    answers : words of the result frame of each tag, without and with activity: {tag: (first word, more words)}
    stuck : (layer, row, column, side) -> code at which this cell stays
    forgets_after : load writes after which the session is given up, as after a timeout; once
    blind : bus errors are not shown, as to a processor that ignores them
    """

    parameters: NpuParameters
    answers: dict[int, tuple[int, list[int]]]
    stuck: dict[tuple[int, int, int, int], int] = field(default_factory=dict)
    forgets_after: int | None = None
    blind: bool = False

    def __post_init__(self) -> None:
        self.values = {e.address: e.init for e in host_map(self.parameters)}
        self.names = {e.address: e.name for e in host_map(self.parameters) if isinstance(e.register, HostRegister)}
        self.starts = {layer_byte_address(i, "program_start"): i for i in range(len(self.parameters.layers))}
        self.session = "empty"
        self.pending: list[str] = []
        self.busy = [0] * len(self.parameters.layers)  # times that program_status will read busy
        self.crc = 0
        self.writes: list[tuple[int, int]] = []
        self.sessions = 0
        self.frames: list[tuple[int, bytes]] = []
        self.log: list[str] = []
        self.cells: dict[tuple[int, int, int, int], int] = {}

    def serve(self, folder: Path) -> threading.Thread:
        """Make the pipes and serve them in a thread until the host ends."""
        for name in ("commands", "responses"):
            os.mkfifo(folder / name)
        thread = threading.Thread(target=self._run, args=(folder,), daemon=True)
        thread.start()
        return thread

    def unit(self, name: str) -> int:
        return self.values[unit_byte_address(name)]

    def _run(self, folder: Path) -> None:
        with (folder / "commands").open("rb") as commands, (folder / "responses").open("w") as out:
            while len(command := commands.read(16)) == 16:
                op, a, b, c = struct.unpack(">4I", command)
                if op == 0:
                    return
                if op == 3:
                    data = commands.read(a * self.parameters.encoder_lanes)
                    self.pending += self.frame(b, c, data)
                    continue
                text = self.answer(op, a, b, c, len(self.pending))
                come = len(self.pending) if op == 4 else min(len(self.pending), op == 5)
                out.writelines(line + "\n" for line in self.pending[:come])
                del self.pending[:come]
                out.write(text + "\n")
                out.flush()

    def answer(self, op: int, a: int, b: int, c: int = 15, frames: int = 0) -> str:
        """The line that answers a command of `sim.host_bench`; `frames` are waiting."""
        if op == 1:
            assert c == 15
            response = self._write(a, b)
            return f"w {OK if self.blind else response}"
        if op == 2:
            index = (a >> 18) - 1
            if self.names.get(a) == "program_status":
                self.values[a] = int(self.busy[index] > 0)
                self.busy[index] = max(0, self.busy[index] - 1)
            return f"r {OK if a in self._readable() else SLVERR} {self._readable().get(a, 0):08x}"
        return {4: "i", 5: f"d {min(a, frames)}", 10: "q 1"}[op]

    def _readable(self) -> dict[int, int]:
        errors = self.unit("errors")
        status = bool(errors) << 2 | (self.session == "loading") << 4 | (self.session == "loaded") << 5
        return self.values | {unit_byte_address("status"): status, unit_byte_address("load_checksum"): self.crc}

    def _error(self, flag: int) -> int:
        self.values[unit_byte_address("errors")] |= flag
        return SLVERR

    def _write(self, address: int, data: int) -> int:
        name = self.names.get(address, "")
        self.log.append(name or hex(address))
        if name == "load_begin":
            self.session = "empty"
            if data != build_id(self.parameters):
                return self._error(BUILD)
            self.session, self.crc, self.writes, self.sessions = "loading", 0, [], self.sessions + 1
            return OK
        if name == "load_end":
            if self.session != "loading":
                return self._error(REFUSED)
            self.session = "loaded" if data == self.crc else "empty"
            return OK if data == self.crc else self._error(CHECKSUM)
        if name in ("errors", "events"):
            self.values[address] &= ~data
            return OK
        if name == "reset":
            self.session = "empty"
            self.values[unit_byte_address("control")] = 0
            return OK
        scope, window = address >> 18, 0x14000 <= address & 0x3FFFF < 0x18000
        if name == "program_start" or (scope and window):
            if self.session != "loading" or self.busy[scope - 1]:
                return self._error(REFUSED)
        self.values[address] = data
        if self.session == "loading" and name not in NOT_SUMMED:
            self.crc = zlib.crc32(struct.pack("<2I", address, data), self.crc)
            self.writes.append((address, data))
            if len(self.writes) == self.forgets_after:
                self.forgets_after = None
                self.session = "empty"
                self._error(TIMEOUT)
        if address in self.starts:
            self.busy[scope - 1] = 3
            self._program(self.starts[address], data & 0xFFFF, data >> 16)
        return OK

    def _program(self, index: int, row: int, group: int) -> None:
        p = self.parameters.layers[index]
        for lane in range(min(p.lanes, p.outputs - group * p.lanes)):
            for tile, place in enumerate(range(row, p.inputs, p.tile_rows)):
                word = lane * p.row_tiles + tile
                target = self.values[program_target_byte_address(index, word)]
                for side in (0, 1):
                    wanted = target >> 16 * side & 0x3FF
                    cell = (index, place, group * p.lanes + lane, side)
                    code = self.cells[cell] = self.stuck.get(cell, wanted)
                    failed = abs(code - wanted) > self.unit("program_window")
                    self.values[layer_byte_address(index, "failed_cells")] += failed
                    self.values[layer_byte_address(index, "verify_reads")] += 1
                    self.values[program_result_byte_address(index, 2 * word + side)] = code | failed << 31

    def frame(self, tag: int, number: int, data: bytes) -> list[str]:
        """The lines of the result frames that an image frame gives; lane 0 is last in its words."""
        lanes = self.parameters.encoder_lanes
        words = [data[at : at + lanes][::-1] for at in range(0, len(data), lanes)]
        self.frames.append((number, b"".join(words)))
        if self.session != "loaded":
            self._error(UNLOADED)
            return []
        first, more = self.answers[tag]
        control = self.unit("control")
        return [" ".join([f"f {tag}", *(f"{word:016x}" for word in [first, *(more if control & 16 else [])])])]
