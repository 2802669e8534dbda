"""What a report is made of: a chip, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.analysis.accuracy import Example, TileMap
from spikeloom.sw.common.findings import Diagnosis
from spikeloom.sw.compiler.provenance import Provenance
from spikeloom.sw.datasets.image_set import UNNAMED, ImageSet
from spikeloom.sw.decision.allowed_loss import ChosenRule
from spikeloom.sw.decision.learn_rule import LearntRule
from spikeloom.sw.passes.tune import Tuned

__all__ = ["ReportContent"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ReportContent:
    """The programmed chip, and what is known of it; None and () are what is not.

    Parameters
    ----------
    chip : the programmed chip
    images, labels : uint8 [B, inputs] and [B], the images of the results, first to last; either may be left out.
        With them, what is missing of `by_steps` and `example`, and the accuracies with and without fault-aware
        mapping of a chip that is programmed by pulses, are computed by the reference
    reference, rtl : results on those images, or on some of them; image i has the number i
    comparison : {"images", "values_compared", "mismatches", "traced_images", "simulator", "through_bus",
        "counts_compared"} of the two
    accuracy_ann : of the source network on the same images, 0 .. 1
    waterfall : (stage, accuracy 0 .. 1) pairs, or mappings with these keys
    by_steps, example, maps : see `sw.analysis.accuracy`; maps are computed if left out
    cells : {component: {kind of cell: bits}} of `hw.export.synthesis.cell_counts`
    standard_cells : of `sw.report.standard_cells.read_standard_cells`
    learnt_rule, chosen_rule, tuned : how k was learned, the rule was chosen for an allowed loss, and the thresholds
        were tuned, if they were
    notes : what conversion chose, `Chip.notes`
    lifetime : of `sw.analysis.lifetime.measure_lifetime`
    diagnosis : of `sw.diagnostics.diagnose`
    config : the run's configuration, if there is one
    measured_on : what the images are
    provenance : where the chip comes from; settings that had no part in it are not shown
    """

    chip: ProgrammedChip
    images: NDArray[np.uint8] | None = None
    labels: NDArray[np.integer] | None = None
    reference: Result | None = None
    rtl: Result | None = None
    comparison: Mapping[str, Any] | None = None
    accuracy_ann: float | None = None
    waterfall: Sequence[Any] = ()
    by_steps: Sequence[float | None] | None = None
    example: Example | None = None
    maps: Sequence[TileMap] | None = None
    cells: Mapping[str, Mapping[str, int]] | None = None
    standard_cells: Mapping[str, Any] | None = None
    learnt_rule: LearntRule | None = None
    chosen_rule: ChosenRule | None = None
    tuned: Tuned | None = None
    notes: Sequence[str] = ()
    lifetime: Mapping[str, Any] | None = None
    diagnosis: Diagnosis | None = None
    config: Mapping[str, Any] | BaseModel | None = None
    measured_on: ImageSet = UNNAMED
    provenance: Provenance | None = None

    __repr__ = short_repr

    @property
    def count(self) -> int | None:
        """Images that the report is about, if they are known."""
        given = self.images if self.images is not None else self.labels
        return None if given is None else len(given)

    @property
    def timed(self) -> Result | None:
        """The result of the Verilog, if it is on the first images and no others."""
        rtl = self.rtl
        return rtl if rtl is not None and np.array_equal(rtl.ids, np.arange(len(rtl))) else None

    @property
    def settings(self) -> Mapping[str, Any] | None:
        """The configuration as plain values."""
        return self.config.model_dump(mode="json") if isinstance(self.config, BaseModel) else self.config

    @property
    def stages(self) -> list[tuple[str, float]]:
        """Stages of the accuracy breakdown, and accuracies."""
        return [_stage(stage) for stage in self.waterfall]


def _stage(stage: Any) -> tuple[str, float]:
    """(name, accuracy) of a pair, a mapping, or an object with these attributes."""
    if isinstance(stage, Mapping):
        return str(stage["stage"]), float(stage["accuracy"])
    if hasattr(stage, "accuracy"):
        return str(stage.stage), float(stage.accuracy)
    name, accuracy = stage
    return str(name), float(accuracy)
