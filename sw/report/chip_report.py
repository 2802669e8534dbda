"""`Chip.report`: given results are checked, everything else is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.result import Result
from spikeloom.sw.analysis.waterfall import waterfall
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.datasets.image_set import UNNAMED, ImageSet
from spikeloom.sw.diagnostics import diagnose
from spikeloom.sw.report.content import ReportContent
from spikeloom.sw.report.report import write_report
from spikeloom.sw.verify.measured import compared

__all__ = ["report"]


def report(
    chip: Compiled,
    folder: Path,
    pixels: NDArray[np.uint8] | None = None,
    labels: NDArray[np.int64] | None = None,
    reference: Result | None = None,
    rtl: Result | None = None,
) -> Path:
    """Write the report; see `Chip.report`, which checks what it is given.

    pixels, labels : uint8 [images, inputs] and int64 [images]; with pixels, `reference` is there too
    """
    comparison: dict[str, Any] | None = None
    if reference is not None and rtl is not None and rtl.origin is not None:
        values, traced = compared(reference, rtl)
        comparison = {"images": len(rtl), "values_compared": values, "mismatches": 0, "traced_images": traced}
        comparison |= {"simulator": rtl.origin.simulator, "through_bus": rtl.origin.through_bus}
        comparison["counts_compared"] = rtl.counts_from == "itself"
        rtl = rtl.counted_by(reference.part(rtl.ids))
    diagnosis = chip.findings
    if diagnosis is None and pixels is not None:
        diagnosis = diagnose(chip, pixels, labels, "images of this report")
    stages: list[tuple[str, float]] = []
    if chip.passes is not None and pixels is not None and labels is not None:
        stages = waterfall(chip, pixels, labels)
    content = ReportContent(
        chip=chip.programmed,
        images=pixels,
        labels=labels,
        reference=reference,
        rtl=rtl,
        comparison=comparison,
        accuracy_ann=stages[0][1] if stages else None,
        waterfall=stages,
        learnt_rule=chip.learnt_rule,
        chosen_rule=chip.chosen_rule,
        tuned=chip.tuned,
        notes=chip.notes,
        diagnosis=diagnosis,
        config=chip.config,
        measured_on=ImageSet(UNNAMED.name, None if pixels is None else len(pixels)),
        provenance=chip.provenance,
    )
    return write_report(folder, content)
