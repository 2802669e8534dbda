"""`diagnose`: a chip on some images; and what `spikeloom.compile` does with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.images.brightness import DARK
from spikeloom.sw.common.errors import DiagnosticWarning, warn
from spikeloom.sw.common.findings import Diagnosis
from spikeloom.sw.compiler.compiled import Compiled

# they register their kinds, causes before what they cause
from spikeloom.sw.diagnostics import basis, causes, outputs, precision, spiking, symptoms  # noqa: F401
from spikeloom.sw.diagnostics.measure import measure
from spikeloom.sw.diagnostics.registry import find

__all__ = ["MOST_COMPILED", "MOST_IMAGES", "diagnose", "diagnose_compiled"]

MOST_IMAGES = 2000
"""Images that are looked at, at most."""
MOST_COMPILED = 128
"""Calibration images that `spikeloom.compile` looks at, at most."""
_QUICK_CELLS = 100_000
"""Cells whose wires are solved in a second or two; for more, `spikeloom.compile` leaves IR drop out."""


def diagnose(
    chip: Compiled,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64] | None = None,
    source: str = "images",
    most: int = MOST_IMAGES,
    programmed: ProgrammedChip | None = None,
    notes: tuple[str, ...] = (),
) -> Diagnosis:
    """Findings about a chip.

    Parameters
    ----------
    pixels, labels : uint8 [images, inputs] and int64 [images]; more than `most` are thinned out evenly
    source : what the images are, in words
    programmed : the chip on cheaper devices, if it shall not be measured on its own
    notes : sentences that go into the diagnosis
    """
    chosen = np.linspace(0, len(pixels) - 1, min(most, len(pixels))).round().astype(np.int64)
    measures = measure(
        chip,
        chip.programmed if programmed is None else programmed,
        pixels[chosen],
        None if labels is None else labels[chosen],
    )
    return Diagnosis(find(measures), len(chosen), source, notes, measures.stages.table())


def diagnose_compiled(chip: Compiled, pixels: NDArray[np.uint8]) -> Diagnosis:
    """Findings on calibration images, each of them a `DiagnosticWarning`, but for what has caused a warning already."""
    programmed = chip.programmed
    notes: tuple[str, ...] = ()
    cells = sum(2 * layer.positive.size for layer in programmed.layers)
    if programmed.device.wire_ohm > 0.0 and cells > _QUICK_CELLS:
        programmed = replace(programmed, device=programmed.device.model_copy(update={"wire_ohm": 0.0}))
        notes = (
            f"IR drop was left out, since the wires of {cells:,} cells take long to solve; chip.diagnose(images) takes "
            "it in.",
        )
    found = diagnose(chip, pixels, None, "calibration images", MOST_COMPILED, programmed, notes)
    dark = int(pixels.max()) <= DARK
    for finding in found:
        if finding.name == "dark-input" and dark:
            continue
        warn(_sentence(str(finding)), DiagnosticWarning)
    return found


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
