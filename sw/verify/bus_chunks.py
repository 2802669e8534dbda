"""Co-simulation through the host buses: loaded as by a host, images back to back, everything compared with the models.

All images go through one simulated chip in one run, so that the clock cycles between images are those of a busy chip;
then the traced images once more through a second chip, loaded fast, with every membrane recorded. Each of the two is
kept when it is done.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Mismatch, Result
from spikeloom.sim.cosim.options import CosimOptions
from spikeloom.sim.programming.passes import Outcome, starts_mask
from spikeloom.sim.programming.write_verify import ChipProgramming, program_chip
from spikeloom.sw.common.errors import FileError
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.verify.result_file import load_result, save_result

if TYPE_CHECKING:
    from spikeloom.sw.host.driver import Method
    from spikeloom.sw.host.load import LoadReport

__all__ = ["compare_load", "cosimulate_through_bus", "gap_facts", "load_facts"]

_NAMES = ("the model", "the chip")


def cosimulate_through_bus(
    chip: ProgrammedChip,
    images: NDArray[np.uint8],
    options: CosimOptions,
    *,
    trace_images: int = 0,
    waves: Path | None = None,
    chunks: Path | None = None,
) -> tuple[Result, dict[str, Any]]:
    """As `sw.verify.chunks.cosimulate`, but over AXI4-Lite and AXI4-Stream, driven by `sw.host`.

    A chip that is programmed by pulses is programmed so, over the bus, and every cell's code, pulses and failure are
    compared with `sim.programming.write_verify`; any other is loaded fast. The comparison also has `through_bus`, a
    mapping of `load_facts` and `gap_facts`.

    Raises what `cosimulate` raises, and `spikeloom.errors.HostError` where the chip refuses what it should take.
    """
    from spikeloom.sim.crossbar.array import build_arrays
    from spikeloom.sim.reference.run import run_reference
    from spikeloom.sw.verify.bus_run import through_bus

    arrays = build_arrays(chip)
    pulses = chip.programming.method == "write-verify"

    def part(count: int, full: bool) -> tuple[Result, int, dict[str, Any]]:
        recorded = waves if full else None
        kept = None if recorded is not None else chunks
        path = None if kept is None else kept / f"bus_{'traced' if full else 'images'}_{count:06d}.npz"
        known = None if path is None else _known(path)
        if known is None:
            ids = np.arange(count, dtype=np.int64)
            method: Method = "pulses" if pulses and not full else "fast"
            chunk = replace(
                options,
                trace="full" if full else "spikes",
                waves=recorded is not None,
                folder=recorded,
                progress=None if full else options.progress,
            )
            result, load = through_bus(chip, images[:count], ids=ids, method=method, options=chunk, arrays=arrays)
            expected = run_reference(chip, images[:count], ids=ids, trace=chunk.trace, arrays=arrays)
            values = expected.compare(result, ("the reference", "the Verilog"))
            facts = load_facts(chip, load)
            result = result.counted_by(expected)
            known = result, values, facts
            if path is not None:
                write_atomic(path.with_suffix(".json"), json.dumps(facts) + "\n")
                save_result(path, result, values)
        return known

    result, values, facts = part(len(images), False)
    traced = min(len(images), trace_images if waves is None else max(trace_images, 1))
    if traced:
        values += part(traced, True)[1]
    if options.progress is not None:
        options.progress(len(images), len(images))
    comparison = {
        "images": len(images),
        "values_compared": values,
        "mismatches": 0,
        "traced_images": traced,
        "simulator": options.simulator,
        "through_bus": {**facts, **gap_facts(result)},
        "counts_compared": chip.parameters.activity_counters,
    }
    return result, comparison


def load_facts(chip: ProgrammedChip, load: LoadReport) -> dict[str, Any]:
    """Plain values of a load: its method, its writes and clock cycles, and of pulses their sums and cells compared.

    Raises what `compare_load` raises.
    """
    programming = program_chip(chip) if load.layers else None
    facts: dict[str, Any] = {"method": load.method, "writes": load.writes, "load_cycles": load.cycles}
    counted = load.layers if programming is not None else None
    for name in ("pulses", "verify_reads"):
        facts[name] = None if counted is None else sum(int(getattr(layer, name)) for layer in counted)
    facts["failed_cells"] = None if counted is None else sum(int(layer.first.failed.sum()) for layer in counted)
    shapes = chip.parameters.layers
    facts["cells_compared"] = None if programming is None else compare_load(load, programming, shapes)
    return facts


def gap_facts(result: Result) -> dict[str, Any]:
    """Clock cycles without work between a result and the next image; of the first image there are none."""
    gaps = None if result.gaps is None or len(result) < 2 else result.gaps[1:]
    return {
        "gap_max": None if gaps is None else int(gaps.max()),
        "gap_mean": None if gaps is None else float(gaps.mean()),
    }


def compare_load(load: LoadReport, programming: ChipProgramming, shapes: Sequence[LayerParameters]) -> int:
    """Hold what the chip's programmers report to the model, cell by cell; returns the number of cells.

    `shapes` is the hardware of every layer.

    Raises `Mismatch` at the first difference: the sentence names layer, cell and both values.
    """
    cells = 0
    for index, (found, expected, shape) in enumerate(zip(load.layers, programming.layers, shapes, strict=True)):
        pairs: list[tuple[str, NDArray[Any], NDArray[Any]]] = [("target", expected.targets, found.targets)]
        passes: tuple[tuple[str, Outcome, Outcome], ...] = (
            ("first", expected.first, found.first),
            ("last", expected.final, found.final),
        )
        for name, a, b in passes:
            pairs += [
                (f"code of the {name} pass", a.codes, b.codes),
                (f"number of pulses of the {name} pass", a.pulses, b.pulses),
                (f"failure in the {name} pass", a.failed, b.failed),
            ]
        for what, wanted, given in pairs:
            where = np.argwhere(wanted != given)
            if len(where):
                side, row, column = (int(v) for v in where[0])
                values = int(wanted[side, row, column]), int(given[side, row, column])
                raise Mismatch(
                    f"Layer {index}, {'pn'[side]} cell of row {row} and column {column}: {what} is "
                    f"{values[0]} in {_NAMES[0]} and {values[1]} in {_NAMES[1]}"
                )
        again = expected.final.failed & starts_mask(expected.second, shape)
        for what, total, counted in (
            ("pulses", expected.pulses, found.pulses),
            ("verify reads", expected.verify_reads, found.verify_reads),
            ("failed cells", int(expected.first.failed.sum() + again.sum()), found.failed_cells),
        ):
            if total != counted:
                raise Mismatch(f"Layer {index}: {what} are {total} in {_NAMES[0]} and {counted} in {_NAMES[1]}")
        cells += int(expected.wanted.size)
    return cells


def _known(path: Path) -> tuple[Result, int, dict[str, Any]] | None:
    """A part that was saved, if it is there and whole."""
    try:
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return (*load_result(path), facts)
    except (FileError, OSError, ValueError):
        return None
