"""What a calibration of the digital parts means for a chip's energies: as plain values, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from spikeloom.sim.chip.energy_calibration import CALIBRATED
from spikeloom.sim.chip.energy_margins import CARRIED, MARGINS
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.estimates.energy import EnergyRow
from spikeloom.sim.estimates.energy_events import Events
from spikeloom.sim.estimates.energy_parts import CALIBRATED_ONLY, PARTS
from spikeloom.sw.common.readable import si

__all__ = ["calibration_facts", "calibration_words"]

_COPIED = (
    "library", "corner", "clock_Hz", "memory_bits", "chip", "images", "images_checked", "images_beyond", "error",
    "error_of_data",
)  # fmt: skip
_CALLED = {"adc": "ADC", "dac": "DAC"}


def calibration_facts(
    chip: ProgrammedChip, result: Result | None = None, rows: Sequence[EnergyRow] = ()
) -> dict[str, Any] | None:
    """Where the joules of the digital parts come from; None without a calibration.

    result, rows : its rows of energy, for what the calibration does not have

    What the calibration says of itself, `chip_clock_Hz`, `same_design`, `missing` (parts that this chip has and the
    calibration does not: no energy for logic, the coefficients of [energy] for the rest), and `kept` (what in the total
    has the coefficients of [energy], of whatever process those are).
    """
    found = chip.energy.calibration
    if found is None:
        return None
    return {
        **{name: getattr(found, name) for name in _COPIED},
        "chip_clock_Hz": chip.clock_Hz,
        "same_design": found.is_of(chip.parameters),
        "missing": [] if result is None else _missing(chip, result),
        "kept": _kept(chip, rows),
    }


def _missing(chip: ProgrammedChip, result: Result) -> list[str]:
    """Parts that would have events with a calibration of everything."""
    found = chip.energy.calibration
    assert found is not None
    whole = found.model_copy(update={"parts": dict.fromkeys(CALIBRATED, (0.0, 0.0, 0.0))})
    events = Events(replace(chip, energy=chip.energy.model_copy(update={"calibration": whole})), result)
    absent = [part for part in PARTS if part.name in CALIBRATED and part.name not in found.parts]
    return [
        part.name
        for part in absent
        if any(count.calibrated and count.events is not None and count.events.any() for count in part.count(events))
    ]


def _kept(chip: ProgrammedChip, rows: Sequence[EnergyRow]) -> list[str]:
    """Components, or parts of those that are calibrated in part, that cost what [energy] says."""
    found = chip.energy.calibration
    assert found is not None

    def calibrated(row: EnergyRow) -> bool:
        return row.part.name in found.parts and row.counts[0].calibrated

    mixed = {row.part.component for row in rows if calibrated(row)}
    names = []
    for row in rows:
        part = row.part
        if calibrated(row) or part.field in ("", CALIBRATED_ONLY) or not any(row.means):
            continue
        inside = part.name if part.component != "memory" else f"memories of more than {found.memory_bits:,} bits"
        names.append(inside if part.component in mixed else _CALLED.get(part.component, part.component))
    return list(dict.fromkeys(names))


def _carried() -> str:
    return ", ".join(f"{each.what.partition(', ')[2]} by {each.low:g} and {each.high:g}" for each in CARRIED)


def calibration_words(found: dict[str, Any]) -> str:
    """Sentences of `calibration_facts`."""
    clock = si(found["clock_Hz"], "Hz")
    where = f"Digital parts are calibrated with {found['library']} at {found['corner']} and {clock}, on"
    misses = (
        f"missed an image by {100 * found['error_of_data']:.1f} % at most, clock and leakage left out, or by "
        f"{100 * found['error']:.1f} % of all, among {found['images_checked']} that were not in it, "
        f"{found['images_beyond']} of which are less or more active than all that were"
    )
    if found["same_design"]:
        sentences = [f"{where} this design; the fit {misses}."]
    else:
        sentences = [
            f"{where} another design, '{found['chip']}', and carried over: its error here is not known, so that lows "
            f"and highs are wider ({_carried()}); there, the fit {misses}."
        ]
    margins = ", ".join(each.what for each in MARGINS)
    sentences.append(f"Typical values are the netlist's; lows and highs allow for what it does not show: {margins}.")
    if found["missing"]:
        sentences.append(
            f"The calibration does not have {', '.join(found['missing'])}: logic among them is not counted."
        )
    if found["kept"]:
        sentences.append(
            f"The total mixes processes: {', '.join(found['kept'])} have the coefficients of [energy], as without a "
            "calibration."
        )
    if found["chip_clock_Hz"] != found["clock_Hz"]:
        sentences.append(
            f"This chip's clock is {si(found['chip_clock_Hz'], 'Hz')}, and the leakage of a cycle that of {clock}."
        )
    return " ".join(sentences)
