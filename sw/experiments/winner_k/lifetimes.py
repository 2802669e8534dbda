"""Step `lifetime`: images that a chip classifies before the accuracy on test images falls below 85 % [WK 5.2.2].

First an estimate with scaled row pulses (`sim.lifetime.search.lifetime`), then the exact run of every image
(`stream_lifetime`), with `points` looks at test images until the estimate. Then the images of the lifetime once more,
for their steps and their energy; and, for Table 2, the same images for all cases: those of the lifetime of 99N. A case
that lives longer classifies many images on cells that are worn, slowly, and its own lifetime's mean would hold that
against it.

Conductances are renewed after every image; of a chip that lives for more than `_RENEWALS` images, so many times in its
life. What is put off is the drift of a thousandth of the life.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.lifetime.search import lifetime, stream_lifetime
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import source_of
from spikeloom.sw.experiments.winner_k.experiment import Experiment, Images
from spikeloom.sw.experiments.winner_k.parts import Parts, plain
from spikeloom.sw.experiments.winner_k.scale import Scale
from spikeloom.sw.experiments.winner_k.static import crossbar_energy
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.weight_image.file import load

__all__ = ["THRESHOLD", "measure_lifetimes"]

THRESHOLD = 0.85
_RENEWALS = 1000
_ESTIMATE_IMAGES = 500


def measure_lifetimes(experiment: Experiment, flow: Flow) -> list[Path]:
    """Lifetime of every case and seed, and steps and energy during it."""
    scale, tests = experiment.scale, experiment.tests()
    parts = Parts(flow, "lifetime", (source_of(measure_lifetimes),), 2 * len(experiment.seeds) * len(experiment.cases))
    rows = []
    for seed in experiment.seeds:
        equal: int | None = None
        for case in experiment.cases:
            path = experiment.chip_path(flow, case, seed)
            inputs = [flow.folder / "data/data.json", path]

            def work(path=path):  # type: ignore[no-untyped-def]
                return lifetime_numbers(load(path).programmed, tests, scale)

            facts = [scale.point_images, scale.points, scale.most_images]
            numbers = parts.get(f"{case.slug}-{seed}", facts, inputs, work)
            if equal is None:  # the first case, 99N, is what the others are compared with
                equal = max(1, numbers["lifetime_images"] or scale.most_images)

            def share(path=path, equal=equal):  # type: ignore[no-untyped-def]
                return first_images(load(path).programmed, tests, equal)

            same = parts.get(f"{case.slug}-{seed}-same", [equal], inputs, share)
            rows.append({"case": case.name, "seed": seed, **numbers, **same})
    summary = flow.folder / "lifetime/lifetime.json"
    write_atomic(summary, plain(rows))
    return [summary]


def lifetime_numbers(chip: ProgrammedChip, tests: Images, scale: Scale) -> dict[str, Any]:
    """Lifetime of one chip, the points on the way, and means over the images of the lifetime.

    Parameters
    ----------
    tests : the stream; some of them, at equal distances, tell the accuracy
    scale : how many tell it, how often, and when to give up
    """
    few, some = tests.spread(_ESTIMATE_IMAGES), tests.spread(scale.point_images)
    estimate = lifetime(chip, few.pixels, few.labels, THRESHOLD, limit=scale.most_images)
    about = scale.most_images if estimate.images is None else max(1, estimate.images)
    exact = stream_lifetime(
        _renewed(chip, about // _RENEWALS),
        tests.pixels,
        some.pixels,
        some.labels,
        THRESHOLD,
        every=max(1, about // scale.points),
        limit=min(scale.most_images, 2 * about + scale.points),
    )
    count = exact.images if exact.images is not None else exact.last_good
    lived = first_images(chip, tests, max(1, count or 0))
    return {
        "lifetime_images": exact.images,
        "estimate": estimate.images,
        **{f"life_{name}": value for name, value in lived.items()},
        "points": [{"images": p.images, "accuracy": p.accuracy, "steps": p.steps_mean} for p in exact.points],
    }


def first_images(chip: ProgrammedChip, tests: Images, count: int) -> dict[str, Any]:
    """Means over the first `count` images of the stream on cells that drift: steps, joules, accuracy; and the count."""
    stream = np.arange(count)
    lived = run_reference(_renewed(chip, count // (_RENEWALS // 5)), tests.pixels[stream % len(tests)], ids=stream)
    return {
        "images": count,
        "steps_mean": float(lived.steps.mean()),
        "crossbar_energy_J": crossbar_energy(chip, lived),
        "accuracy_mean": lived.accuracy(tests.labels[stream % len(tests)]),
    }


def _renewed(chip: ProgrammedChip, every: int) -> ProgrammedChip:
    """The chip with conductances renewed after so many images, at least one."""
    return chip.with_device(chip.device.model_copy(update={"drift_every": max(1, every)}))
