"""A run of gates: a mapped netlist in the place of the unit's Verilog, and the transitions of its nets, image by image.

The netlist has a probe in every module (`hw.standard_cells.probes`). Once per clock cycle, before its rising edge, the
bench writes them all into a pipe, from which this side counts. A window is the clock cycles from the result of one
image to that of the next: the cycles that the unit counts for the second one, in which its successor's pixels are
loaded. So the first image has no window, since registers are loaded in its time, and the last one has no successor.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.standard_cells.probes import Probes
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.arguments import check_ids
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.cosim.job import read_record, write_job
from spikeloom.sim.cosim.macro_model import programmed_models
from spikeloom.sim.cosim.npu_bench import bench_text
from spikeloom.sim.cosim.run import workplace
from spikeloom.sim.cosim.simulator import SOURCES, Simulator, visible
from spikeloom.sim.cosim.tools import SimulationError, simulator_environment
from spikeloom.sim.images.layout import image_shape
from spikeloom.sim.images.pixels import check_images

__all__ = ["GateRun", "run_gates"]

_PIPE = "nets.bin"
_AT_ONCE = 4 << 20
"""Bytes of probes that are counted at once, so that memory stays small."""
_WRITER = """
    // Probes of every module, once per clock cycle: the place of the current image, then all nets.
    integer nets_file;
    initial nets_file = $fopen("{pipe}", "wb");
    always @(posedge clk)
        if (position != 0 && !finished) begin
            $fwrite(nets_file, "%u", position);
{statements}        end else if (finished) $fclose(nets_file);
endmodule
"""


@dataclass(frozen=True, eq=False)
class GateRun:
    """What a run of gates gave.

    Parameters
    ----------
    result : of all images
    transitions : int64 [images, bits], of every net of every instance, as `Probes.starts` says where; rows of the first
        image and of the last are not whole
    cycles : int64 [images], clock cycles that were counted for each
    """

    result: Result
    transitions: NDArray[np.int64]
    cycles: NDArray[np.int64]

    __repr__ = short_repr


class _Counter:
    """Counts transitions of the bits in records of a fixed size, each with the number of an image before them."""

    def __init__(self, images: int, bits: int) -> None:
        self.transitions = np.zeros((images, bits), np.int64)
        self.cycles = np.zeros(images, np.int64)
        self._size = 4 + bits // 8
        self._last: NDArray[np.uint8] | None = None
        self._rest = b""

    def add(self, data: bytes) -> None:
        """Count what has come."""
        data = self._rest + data
        whole = len(data) // self._size * self._size
        self._rest = data[whole:]
        if not whole:
            return
        records = np.frombuffer(data[:whole], np.uint8).reshape(-1, self._size)
        images = records[:, :4].copy().view("<u4")[:, 0]
        nets = records[:, 4:]
        before = nets[:1] if self._last is None else self._last
        changed = nets ^ np.concatenate([before, nets[:-1]])
        self._last = nets[-1:].copy()
        for image in np.unique(images[images < len(self.cycles)]):  # and not cycles after the last result
            chosen = changed[images == image]
            self.cycles[image] += len(chosen)
            bits = np.unpackbits(chosen, axis=1, bitorder="little")
            self.transitions[image] += bits.sum(axis=0, dtype=np.int64)


def _read(pipe: Path, counter: _Counter, failed: list[BaseException]) -> None:
    try:
        with pipe.open("rb") as stream:
            _count(stream, counter)
    except BaseException as error:
        failed.append(error)


def _count(stream: BinaryIO, counter: _Counter) -> None:
    while data := stream.read(_AT_ONCE):
        counter.add(data)


def gate_texts(programmed: ProgrammedChip, probes: Probes, models: Mapping[str, str]) -> dict[str, str]:
    """Everything that is simulated, file name -> text; `models` are those of cells and of memories outside."""
    macro = {"SETTLE_CYCLES": programmed.settle_cycles, "ADC_CYCLES": programmed.adc_cycles}
    bench = bench_text(programmed.parameters, macro).rstrip().removesuffix("endmodule")
    statements = probes.writer("nets_file", "chip.npu")
    return {
        "chip.sv": export_verilog(programmed.parameters)["chip.sv"],
        "npu.sv": f"`timescale 1ns / 1ps\n{probes.netlist}",
        **models,
        "crossbar_macro.sv": (SOURCES / "crossbar_macro_python.sv").read_text(),
        "bench.sv": bench + _WRITER.format(pipe=_PIPE, statements=statements),
        "bench.vlt": visible(),
    }


def run_gates(
    programmed: ProgrammedChip,
    images: ArrayLike,
    probes: Probes,
    models: Mapping[str, str],
    ids: ArrayLike | None = None,
    *,
    simulator: str = "verilator",
    quick: bool = True,
    progress: Callable[[int, int], None] | None = None,
    folder: Path | str | None = None,
) -> GateRun:
    """Run images through a netlist with the device model, in one simulator.

    Parameters
    ----------
    programmed, images, ids : as for `sim.cosim.run.run_cosim`; at least 3 images
    probes, models : the netlist, and file name -> Verilog of its cells and of memories outside
    simulator, quick, progress, folder : as for `sim.cosim.options.CosimOptions`

    Raises
    ------
    ToolError, SimulationError : a program is missing, or did not finish
    ValueError : too few images, or those of `run_cosim`
    """
    pixels = check_images(images, image_shape(programmed.parameters))
    if len(pixels) < 3:
        raise SpikeLoomError(f"A run of gates needs at least 3 images, since two have no window, not {len(pixels)}")
    numbers = check_ids(ids, len(pixels))
    texts = gate_texts(programmed, probes, models)
    chip = Simulator.of_texts(texts, simulator, quick=quick)
    counter = _Counter(len(pixels), probes.size)
    failed: list[BaseException] = []
    with workplace(folder) as base:
        job = base / "job_0"
        shutil.rmtree(job, ignore_errors=True)
        write_job(job, programmed, programmed_models(programmed), pixels, numbers)
        pipe = job / _PIPE
        os.mkfifo(pipe)
        held = os.open(pipe, os.O_RDWR)  # so that neither side waits for the other to open
        reader = threading.Thread(target=_read, args=(pipe, counter, failed), daemon=True)
        reader.start()
        watch = _Watch(job / "record.txt", len(pixels), progress)
        try:
            with simulator_environment(), watch:
                chip.run(job, membranes=True)
        finally:
            os.close(held)
            reader.join()
            pipe.unlink()
        if failed:
            raise SimulationError(f"Transitions could not be counted: {failed[0]}") from failed[0]
        result = read_record(job, programmed, numbers, "full")
    return GateRun(result, counter.transitions, counter.cycles)


class _Watch:
    """Tells how many images are done, from the record that the bench writes."""

    def __init__(self, record: Path, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._record, self._total, self._progress = record, total, progress
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> _Watch:
        if self._progress is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._progress is not None:
            self._thread.join()
            self._progress(self._total, self._total)

    def _follow(self) -> None:
        assert self._progress is not None
        while not self._done.wait(0.5):
            if self._record.exists():
                done = self._record.read_bytes().count(b"\nr ")
                self._progress(min(done, self._total), self._total)
