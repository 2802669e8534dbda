"""Transport to a simulated chip: its Verilog in a simulator, with the device model in place of its devices."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.host.bench import CELLS, FRAME, RECEIVE, RECORD, RELOAD, RESET, TIME, TOTALS, WAIT
from spikeloom.sim.cosim.host.link import HostLink, command
from spikeloom.sim.cosim.host.simulator import build_host_simulator
from spikeloom.sim.cosim.macro_model import fresh_models, programmed_models, read_drift, save_models
from spikeloom.sim.cosim.options import CosimOptions
from spikeloom.sim.cosim.tools import SimulationError
from spikeloom.sim.cosim.waves import gtkw_text, wave_file
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.programming.cells import CELL_FIELDS, CellState
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.common.files import writable_folder
from spikeloom.sw.host.errors import TransportClosed
from spikeloom.sw.host.transport import ANSWER, READ, WRITE, Accesses, Answers, Frames, Transport

__all__ = ["CosimTransport"]

_BATCH = 1 << 14
"""Accesses of which the answers are held as text at once."""


class CosimTransport(Transport):
    """A fresh chip in a simulator: its cells have no pulses yet, its registers are those after a reset.

    Parameters
    ----------
    chip : its hardware and devices; weights and registers are not looked at, but for the gain shifts, which are
        parameters of the simulated arrays
    options, changes : a `CosimOptions`, of which fields may be given by name: `simulator`; `stalls`, the same in every
        run; `trace`, what `record.txt` keeps of every image; `waves`, which needs `folder`; `folder`, where the
        simulation runs, emptied first; `quick`
    patience_s : longest time without an answer
    stop : set by another thread, it ends the simulation

    Simulated time does not advance while the host is idle, so that results do not depend on the host's speed.

    Raises `spikeloom.errors.ToolError` or `SimulationError` where the simulator is missing or does not build.
    """

    def __init__(
        self,
        chip: ProgrammedChip,
        options: CosimOptions | None = None,
        *,
        patience_s: float = 600.0,
        stop: threading.Event | None = None,
        **changes: Any,
    ) -> None:
        options = CosimOptions.of(options, changes)
        place = None if options.folder is None else writable_folder(options.folder, "simulation folder")
        built = build_host_simulator(chip, options.simulator, waves=options.waves, quick=bool(options.quick))
        self._temporary = place is None
        self.folder = Path(tempfile.mkdtemp(prefix="spikeloom-host-")) if place is None else place.resolve()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if options.waves:
            save = gtkw_text(chip.parameters, wave_file(options.simulator), through_bus=True)
            (self.folder / "waves.gtkw").write_text(save)
        save_models(self.folder, fresh_models(chip))
        recorded = ["+membranes" if options.membranes else "+record"] if options.trace != "none" else []
        plusargs = ["+stalls"] * options.stalls + recorded
        self._link: HostLink | None = HostLink(built, self.folder, plusargs, patience_s=patience_s, stop=stop)
        self._layers = len(chip.layers)
        self._chip = chip
        self.frames_sent = 0
        self.draws = False  # not by tags: the simulation is told the numbers of the images
        self.devices = self

    @property
    def record(self) -> Path:
        """The record of spikes and membranes; whole when the transport is closed. See `sim.cosim.job.read_trace`."""
        return self.folder / RECORD

    @property
    def link(self) -> HostLink:
        """The pipes; `TransportClosed` where they are gone."""
        if self._link is None:
            raise TransportClosed("The simulated chip is gone: the transport was closed; open a new one")
        return self._link

    def _exchange(self, data: bytes, replies: int = 0) -> list[bytes]:
        try:
            return self.link.exchange(data, replies)
        except SimulationError as error:
            self._link = None
            raise TransportClosed(str(error)) from None

    def execute(self, table: Accesses) -> Answers:
        """Carry out accesses over the simulated bus."""
        answers = np.zeros(len(table), ANSWER)
        for start in range(0, len(table), _BATCH):
            part = table[start : start + _BATCH]
            commands = np.zeros((len(part), 4), ">u4")
            for column, name in enumerate(("kind", "address", "data")):
                commands[:, column] = part[name]
            commands[:, 3] = 15  # strobes
            lines = self._exchange(commands.tobytes(), len(part))
            for row, (kind, line) in enumerate(zip(part["kind"].tolist(), lines, strict=True), start):
                fields = line.split()
                if kind == READ:
                    answers[row] = int(fields[1]), int(fields[2], 16)
                else:
                    answers[row]["response" if kind == WRITE else "data"] = int(fields[1])
        return answers

    def send(self, frames: Frames) -> None:
        """Send frames of images into the simulated stream."""
        count, words = frames.words.shape[:2]
        heads = np.zeros((count, 4), ">u4")
        heads[:, 0] = FRAME
        heads[:, 1] = words
        heads[:, 2] = frames.tags
        heads[:, 3] = frames.ids & 0xFFFFFFFF
        body = frames.words[:, :, ::-1].reshape(count, -1)
        self._exchange(np.concatenate([heads.view(np.uint8).reshape(count, 16), body], axis=1).tobytes())
        self.frames_sent += count

    def receive(self, count: int, idle_cycles: int) -> list[tuple[int, list[int]]]:
        """Up to `count` result frames; it gives up after so many idle cycles."""
        (line,) = self._exchange(command(RECEIVE, count, idle_cycles), 1)
        come = int(line.split()[1])
        frames = self.link.frames
        taken, frames[:] = frames[:come], frames[come:]
        return [(int(tag), [int(word, 16) for word in words]) for tag, *words in map(bytes.split, taken)]

    def wait(self, cycles: int) -> None:
        """Let the simulated chip run for so many clock cycles."""
        self._exchange(command(WAIT, cycles), 1)

    def hardware_reset(self, cycles: int = 8) -> None:
        """Hold the reset for so many clock cycles."""
        self._exchange(command(RESET, cycles), 1)

    def clock(self) -> int:
        """Clock cycles since the simulation began."""
        (line,) = self._exchange(command(TIME), 1)
        return int(line.split()[1])

    def reload(
        self, chip: ProgrammedChip, arrays: Sequence[CrossbarArray] | None = None, drift: DriftSnapshot | None = None
    ) -> None:
        """Replace the chip's arrays by the programmed ones; see `Devices`."""
        arrays = build_arrays(chip) if arrays is None else arrays
        save_models(self.folder, programmed_models(self._chip, arrays, drift, self.frames_sent))
        self._exchange(command(RELOAD), 1)

    def number_images(self, high: int) -> None:
        """Nothing; see `draws`."""

    def before_pulses(self, chip: ProgrammedChip) -> None:
        """Nothing: the simulation began with the fresh cells of its chip."""

    def drift(self) -> DriftSnapshot | None:
        """Where the cells have drifted; see `Devices`."""
        if not self._chip.device.drifts:
            return None
        self._exchange(command(CELLS), 1)
        return read_drift(self.folder / "drift.npz", self._layers)

    def cells(self) -> tuple[CellState, ...]:
        """The cells of every layer as they are now; `ValueError` after a fast load, which leaves no cells."""
        self._exchange(command(CELLS), 1)
        with np.load(self.folder / "cells.npz") as file:
            if not file.files:
                raise SpikeLoomError(
                    "The simulated chip has arrays that were loaded fast, and no cells; load it with method 'pulses'"
                )
            return tuple(CellState(*(file[f"{name}_{index}"] for name in CELL_FIELDS)) for index in range(self._layers))

    def totals(self, first: int, count: int) -> NDArray[np.int64]:
        """Sums for the energy of frames sent; see `Devices`."""
        self._exchange(command(TOTALS), 1)
        sums = np.zeros((count, self._layers, 2), np.int64)
        with np.load(self.folder / "conductance.npz") as file:
            for index in range(self._layers):
                places, values = file[f"layer_{index}"][:, 0], file[f"layer_{index}"][:, 1:]
                inside = (places >= first) & (places < first + count)
                sums[places[inside] - first, index] = values[inside]
        return sums

    def close(self) -> None:
        """End the simulation; a temporary folder goes with it."""
        link, self._link = self._link, None
        if link is not None:
            link.close()
            if self._temporary:
                with contextlib.suppress(OSError):
                    shutil.rmtree(self.folder)
