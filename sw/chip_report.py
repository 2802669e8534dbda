"""What `Chip.report` does: check that results belong together, compare them, measure the rest, write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.result import Result
from sw.diagnostics import diagnose
from sw.image_set import GIVEN, ImageSet
from sw.inputs import as_labels
from sw.measured import check_measured, compared
from sw.report import write_report
from sw.waterfall import waterfall

if TYPE_CHECKING:
    from sw.chip import Chip

__all__ = ["report"]


def report(chip: Chip, folder: Path, images: Any, labels: Any, reference: Result | None, rtl: Result | None) -> Path:
    """Write the report; see `Chip.report`."""
    if images is None:
        for name, value in (("Labels", labels), ("Results", reference), ("Results", rtl)):
            if value is not None:
                raise ValueError(f"{name} need the images they belong to: give chip.report the images too")
    pixels = None if images is None else chip.pixels(images)
    known = None
    if pixels is not None:
        known = None if labels is None else as_labels(labels, len(pixels), chip.parameters.classes)
        check_measured(chip.image, pixels, reference, rtl)
        reference = chip.predict(pixels, ids=range(len(pixels))) if reference is None else reference
    comparison: dict[str, Any] | None = None
    if reference is not None and rtl is not None and rtl.origin is not None:
        values, traced = compared(reference, rtl)
        comparison = {"images": len(rtl), "values_compared": values, "mismatches": 0, "traced_images": traced}
        comparison |= {"simulator": rtl.origin.simulator, "through_bus": rtl.origin.through_bus}
    diagnosis = chip.findings
    if diagnosis is None and pixels is not None:
        diagnosis = diagnose(chip, pixels, known, "images of this report")
    stages: list[tuple[str, float]] = []
    if chip.stages is not None and pixels is not None and known is not None:
        stages = waterfall(chip, pixels, known)
    return write_report(
        folder,
        image=chip.image,
        images=pixels,
        labels=known,
        reference=reference,
        rtl=rtl,
        comparison=comparison,
        accuracy_ann=stages[0][1] if stages else None,
        waterfall=stages,
        strategy=chip.strategy,
        tuned=chip.tuned,
        notes=chip.notes,
        diagnosis=diagnosis,
        config=chip.config,
        measured_on=ImageSet(GIVEN.name, None if pixels is None else len(pixels)),
        provenance=chip.provenance,
    )
