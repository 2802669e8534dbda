"""Files of one co-simulation job: the inputs of the bench, and its record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.interfaces.layouts import layout_fields, unpack
from spikeloom.hw.interfaces.streams import result_layout
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.chip.image_seeds import image_seeds
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.register_writes import register_writes
from spikeloom.sim.chip.result import Result, Trace, from_counters
from spikeloom.sim.common.arguments import TraceKind
from spikeloom.sim.cosim.macro_model import MacroModel, read_drift, save_models
from spikeloom.sim.cosim.tools import SimulationError
from spikeloom.sim.images.pixels import pixel_words

__all__ = ["read_record", "read_trace", "write_job"]


def write_job(
    folder: Path, chip: ProgrammedChip, models: list[MacroModel], pixels: NDArray[np.uint8], ids: NDArray[np.int64]
) -> None:
    """Write `loads.bin`, `images.bin` and the programmed arrays into a job's folder.

    pixels is uint8 [images, inputs], ids int64 [images].
    """
    folder.mkdir(parents=True, exist_ok=True)
    writes = np.array([(address, value & 0xFFFFFFFF) for address, value in register_writes(chip)], dtype=np.uint64)
    (folder / "loads.bin").write_bytes(writes.astype(">u4").tobytes())
    (folder / "images.bin").write_bytes(image_stream(chip, pixels, ids).tobytes())
    save_models(folder, models)


def image_stream(chip: ProgrammedChip, pixels: NDArray[np.uint8], ids: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Bytes of `images.bin`, uint8 [images, 20 + words * lanes]: number, seed, pixel words with lane 0 last."""
    words = pixel_words(chip.parameters, chip.coding.sent(pixels))[:, :, ::-1].reshape(len(pixels), -1)
    seeds = np.zeros((len(pixels), 4), np.uint32)
    if chip.coding.draws_seeds:
        seeds = image_seeds(chip.seed, ids)
    head = np.concatenate([ids.astype(np.uint32)[:, None], seeds[:, ::-1]], axis=1).astype(">u4")
    return np.concatenate([head.view(np.uint8).reshape(len(pixels), 20), words], axis=1)


def read_record(folder: Path, chip: ProgrammedChip, ids: NDArray[np.int64], trace: TraceKind) -> Result:
    """The result that a bench recorded.

    Raises `SimulationError` where images are missing or the bench hung.
    """
    p = chip.parameters
    results: dict[int, list[str]] = {}
    recorder = _Recorder(p, len(ids), chip.t_max, trace) if trace != "none" else None
    lines = (folder / "record.txt").read_text().splitlines()
    order: list[int] = []
    for line in lines:
        kind, *fields = line.split()
        if kind == "hang":
            raise SimulationError(f"The simulation stalled at image {fields[0]}; its record is {folder / 'record.txt'}")
        row = len(order)
        if kind == "r":
            order.append(int(fields[0]))
            results[row] = fields
        elif recorder is not None and kind == "s":
            recorder.spikes(row, *fields[1:])
        elif recorder is not None and kind == "m":
            recorder.membranes(row, *fields[1:])
    if order != [int(number) for number in ids]:
        raise SimulationError(
            f"The simulation gave {len(order)} results for {len(ids)} images; see {folder / 'record.txt'}"
        )
    result = _decoded(folder, p, results, ids, recorder.trace() if recorder is not None else None)
    if not chip.device.drifts:
        return result
    return replace(result, drift=read_drift(folder / "drift.npz", len(chip.layers)))


def read_trace(path: Path, chip: ProgrammedChip, count: int, trace: TraceKind) -> Trace:
    """Spikes, and with a full trace membranes, of a record whose lines name images by their places 0 .. count - 1."""
    recorder = _Recorder(chip.parameters, count, chip.t_max, trace)
    for line in path.read_text().splitlines():
        kind, place, *fields = line.split()
        if kind == "s":
            recorder.spikes(int(place), *fields)
        elif trace != "spikes":
            recorder.membranes(int(place), *fields)
    return recorder.trace()


def _decoded(
    folder: Path, p: NpuParameters, results: dict[int, list[str]], ids: NDArray[np.int64], trace: Trace | None
) -> Result:
    count, layers = len(ids), len(p.layers)
    classes, steps = np.zeros(count, np.int32), np.zeros(count, np.int32)
    margins, reasons = np.zeros(count, np.int64), np.zeros(count, np.uint8)
    cycles = np.zeros(count, np.int64)
    counters = np.zeros((count, layers, len(COUNTERS)), np.int64)
    layout = layout_fields(result_layout(p))
    for row, fields in results.items():
        answer = unpack(layout, int(fields[1], 16))
        classes[row], steps[row] = answer["winner"], answer["steps"]
        margins[row], reasons[row] = answer["margin"], answer["reason"]
        cycles[row] = int(fields[2])
        if int(fields[3]):
            raise SimulationError(f"A membrane of image {int(ids[row])} overflowed (layer flags {int(fields[3]):b})")
        if p.activity_counters:
            counters[row] = np.array(fields[4:], np.int64).reshape(layers, -1)
    spikes, activity = from_counters(counters)
    with np.load(folder / "conductance.npz") as totals:
        sums = np.stack([_by_place(totals[f"layer_{index}"], count) for index in range(layers)], axis=1)
    activity |= {"conductance": sums[:, :, 0], "stray": sums[:, :, 1]}
    return Result(
        classes=classes,
        steps=steps,
        margins=margins,
        reasons=reasons,
        spikes=spikes,
        activity=activity,
        cycles=cycles,
        ids=ids,
        trace=trace,
        class_count=p.classes,
        counts_from="itself" if p.activity_counters else None,
    )


def _by_place(totals: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Sums of the images in stream order, int64 [count, 2], from rows of `sim.cosim.macro_model.MacroModel.totals`."""
    sums = np.zeros((count, 2), np.int64)
    sums[totals[:, 0]] = totals[:, 1:]
    return sums


def _bits(text: str, count: int) -> NDArray[np.uint8]:
    """The lowest bits of a hexadecimal number, lowest first, uint8 [count]."""
    raw = bytes.fromhex(text.zfill(len(text) + len(text) % 2))[::-1]
    return np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")[:count]


class _Recorder:
    """Spikes and membranes from the lines of a record: step, layer, values, and position where there are several."""

    def __init__(self, parameters: NpuParameters, count: int, steps: int, trace: TraceKind) -> None:
        self._layers = parameters.layers
        self._spikes = [np.zeros((count, steps, -(-p.neurons // 8)), np.uint8) for p in self._layers]
        full = trace == "full"
        widest = max(p.membrane_bits for p in self._layers)
        dtype = np.int32 if widest <= 32 else np.int64
        self._membranes = [np.zeros((count, steps, p.neurons), dtype) for p in self._layers] if full else None

    def spikes(self, row: int, step: str, layer: str, text: str, position: str = "0") -> None:
        p = self._layers[int(layer)]
        first = int(position) * p.outputs
        # packed bits of a position begin anywhere in a byte, and those around it stay as they are
        start, shift = divmod(first, 8)
        bits = np.concatenate([np.zeros(shift, np.uint8), _bits(text, p.outputs)])
        packed = np.packbits(bits)
        self._spikes[int(layer)][row, int(step) - 1, start : start + len(packed)] |= packed

    def membranes(self, row: int, step: str, layer: str, text: str, position: str = "0") -> None:
        p = self._layers[int(layer)]
        bits = _bits(text, p.outputs * p.membrane_bits)
        values = bits.reshape(p.outputs, p.membrane_bits).astype(np.int64) @ (1 << np.arange(p.membrane_bits))
        values -= (values >> (p.membrane_bits - 1)) << p.membrane_bits
        assert self._membranes is not None
        first = int(position) * p.outputs
        self._membranes[int(layer)][row, int(step) - 1, first : first + p.outputs] = values

    def trace(self) -> Trace:
        neurons, channels = (tuple(getattr(p, name) for p in self._layers) for name in ("neurons", "outputs"))
        membranes = tuple(self._membranes) if self._membranes is not None else None
        return Trace(tuple(self._spikes), membranes, neurons, channels)
