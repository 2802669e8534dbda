"""Facts about a chip that need no images: the parts of `summary.json` that describe only the chip."""

from __future__ import annotations

from typing import Any

from spikeloom.sim.chip.chip_facts import chip_rows
from spikeloom.sw.analysis.decision import learning_summaries
from spikeloom.sw.analysis.stopping import stopping_summary
from spikeloom.sw.analysis.summary import summarise
from spikeloom.sw.common.facts import Facts
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.compiler.provenance import settings_in_effect

__all__ = ["CHIP_KEYS", "chip_summary"]

CHIP_KEYS = (
    "name", "provenance", "chip", "conversion", "decision", "stopping", "tuning", "diagnosis", "mapping", "layers",
    "seed", "config", "versions",
)  # fmt: skip
"""Keys of `summary.json` that need no images."""


def chip_summary(chip: Compiled) -> Facts:
    """`CHIP_KEYS`, as in the `summary.json` of a report without images; counts of images in them are None."""
    decision, tuning = learning_summaries(chip.programmed, chip.learnt_rule, chip.tuned, chip.provenance)
    whole: dict[str, Any] = summarise(
        chip.programmed,
        notes=chip.notes,
        decision=decision,
        stopping=stopping_summary(chip.programmed, chip.chosen_rule, chip.provenance),
        tuning=tuning,
        diagnosis=None if chip.findings is None else chip.findings.to_json(),
        config=settings_in_effect(chip.config.model_dump(mode="json"), chip.provenance),
        provenance=chip.provenance.to_json(),
    )
    rows = [*chip_rows(chip.programmed), ("origin", chip.provenance.in_words())]
    rows += [("chosen", note) for note in chip.notes]
    if chip.findings is not None:
        names = [finding["name"] for finding in whole["diagnosis"]["findings"]]
        rows.append(("findings", "; ".join(names) or "none"))
    return Facts({key: whole[key] for key in CHIP_KEYS}, f"Chip {chip.programmed.name}", rows)
