"""Energy and latency of a result: the tables of the report, for `Chip.energy` and `Chip.latency`.

Both need clock cycles, energy for the clock's part of it. They are measured in the Verilog, or come from the formula
that the Verilog is checked against (`sim.estimates.timing`), which needs the images. What it was is always said.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.estimates.timing import timing
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.calibration_words import calibration_words
from spikeloom.sw.analysis.energy_counts import COMPONENTS, energy_table
from spikeloom.sw.common.facts import Facts
from spikeloom.sw.common.readable import si, span

__all__ = ["FORMULA", "VERILOG", "energy_facts", "latency_facts", "latency_table", "with_cycles"]

VERILOG, FORMULA = "measured in the Verilog", "from the formula"
"""Where clock cycles come from."""


def latency_table(chip: ProgrammedChip, result: Result | None) -> dict[str, dict[str, Any]]:
    """`cycles` and `latency_s` (seconds at the chip's clock) of an image: mean, longest; None where none are known."""
    cycles = None if result is None or result.cycles is None or not len(result) else result.cycles
    mean, most = (None, None) if cycles is None else (float(np.mean(cycles)), int(np.max(cycles)))
    return {
        "cycles": {
            "mean": mean,
            "max": most,
            "steps_mean": None if cycles is None or result is None else float(np.mean(result.steps)),
        },
        "latency_s": {
            "mean": None if mean is None else mean / chip.clock_Hz,
            "max": None if most is None else float(most) / chip.clock_Hz,
            "clock_Hz": chip.clock_Hz,
        },
    }


def with_cycles(
    chip: ProgrammedChip, result: Result, pixels: NDArray[np.uint8] | None = None
) -> tuple[Result, str | None]:
    """The result with clock cycles, and where they come from: `VERILOG`, `FORMULA` or, of neither, None.

    pixels : uint8 [images, inputs] of the result, row by row; needed for the formula alone. A result without a trace is
        run again for its spikes

    Raises `ValueError` where that run takes other steps.
    """
    if result.cycles is not None:
        return result, VERILOG
    if pixels is None or not len(result):
        return result, None
    traced = result if result.trace is not None else run_reference(chip, pixels, ids=result.ids, trace="spikes")
    if not np.array_equal(traced.steps, result.steps):
        raise SpikeLoomError(
            "The result cannot be run again for the formula of its clock cycles, since reads have moved the chip's "
            'cells in between; give a result of chip.predict(..., trace="spikes") or of chip.cosim'
        )
    return replace(result, cycles=timing(chip, pixels, traced).cycles), FORMULA


def _counted(chip: ProgrammedChip, result: Result, pixels: NDArray[np.uint8] | None) -> Result:
    """The result with counts, those of the reference where it has none of its own and the images are given.

    Raises `ValueError` where a run of the reference takes other steps.
    """
    if result.whole or pixels is None or not len(result):
        return result
    reference = run_reference(chip, pixels, ids=result.ids)
    if not np.array_equal(reference.steps, result.steps):
        raise SpikeLoomError(
            "The result is without counts of its own, and its images cannot be run again to count, since reads have "
            "moved the chip's cells in between; give a result of chip.predict"
        )
    return result.counted_by(reference)


def energy_facts(chip: ProgrammedChip, result: Result, pixels: NDArray[np.uint8] | None = None) -> Facts:
    """`sw.analysis.energy_counts.energy_table`, with `images` and `cycles_from` (`VERILOG`, `FORMULA` or None)."""
    counted = _counted(chip, result, pixels)
    timed, source = with_cycles(chip, counted, pixels)
    table = energy_table(chip, timed)
    known = {name: table[name] for name in (*COMPONENTS, "total")}
    rows = [
        (name.upper() if name in ("adc", "dac") else name, "not known" if value is None else span(value, "J"))
        for name, value in known.items()
    ]
    note = f"Modelled: events times coefficients. Clock cycles are {source}."
    if source is None:
        note = (
            "Modelled: events times coefficients. The clock's part, control, needs clock cycles: give the images too, "
            "or a result of chip.cosim."
        )
    if counted.counts_from == "reference":
        note += " Activity is what the reference counts: the chip is built without activity counters."
    if counted.loads_from == "reference":
        note += " What the crossbars take is what the reference adds up: a board does not."
    if table["calibration"] is not None:
        note += f" {calibration_words(table['calibration'])}"
    title = f"Energy per image, mean of {len(result):,}: typical (low .. high)"
    return Facts({**table, "images": len(result), "cycles_from": source}, title, rows, note)


def latency_facts(chip: ProgrammedChip, result: Result, pixels: NDArray[np.uint8] | None = None) -> Facts:
    """`latency_table`, with `images` and `cycles_from` (`VERILOG` or `FORMULA`).

    Raises `ValueError` where neither the Verilog nor the images for the formula are there.
    """
    if not len(result):
        raise SpikeLoomError("The result has no images, so that there is no latency; give one of at least one image")
    timed, source = with_cycles(chip, result, pixels)
    if source is None:
        raise SpikeLoomError(
            "This result has no clock cycles, since it is of the integer reference: give chip.latency(result, images) "
            "the images too, for the formula, or a result of chip.cosim, where they are measured"
        )
    table = latency_table(chip, timed)
    cycles, seconds = table["cycles"], table["latency_s"]
    rows = [
        ("clock cycles", f"{cycles['mean']:,.1f} on average, {cycles['max']:,} at most"),
        ("latency", f"{si(seconds['mean'], 's')} on average, {si(seconds['max'], 's')} at most"),
        ("clock", si(chip.clock_Hz, "Hz")),
        ("steps", f"{cycles['steps_mean']:.2f} on average"),
        ("cycles are", source),
    ]
    title = f"Latency per image, of {len(result):,} in a row"
    return Facts({**table, "images": len(result), "cycles_from": source}, title, rows)
