"""Step `lifetime`: images that a chip classifies before the accuracy of test images falls under 85 % [WK 5.2.2].

First an estimate with scaled row pulses (`sim.lifetime.lifetime`), then the exact run of every image
(`stream_lifetime`), with `points` looks at test images until the estimate. Then steps and energy of the images on the
way, for Table 2: over the chip's own lifetime, and over the same images for all cases of a seed, those of the lifetime
of 99N. A chip that lives longer is older in the mean, so only the second says what a case saves.

Conductances are renewed after every image; of a chip that lives for more than `_RENEWALS` images, so many times in its
life. What is put off is the drift of a thousandth of the life.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import sw
from sim.energy import energy
from sim.image import ChipImage
from sim.lifetime import lifetime, stream_lifetime
from sim.reference import run_reference
from sw.files import write_atomic
from sw.flow import Flow
from sw.paper.experiment import Experiment, Images
from sw.paper.parts import Parts, plain
from sw.paper.scale import Scale

__all__ = ["SOURCES", "THRESHOLD", "measure_lifetimes"]

SOURCES = ("hw", "sim", "sw/paper/lifetimes.py")
THRESHOLD = 0.85
_RENEWALS = 1000
_ESTIMATE_IMAGES = 500


def measure_lifetimes(experiment: Experiment, flow: Flow) -> list[Path]:
    """Lifetime of every case and seed, and steps and energy during it."""
    scale, tests = experiment.scale, experiment.tests()
    parts = Parts(flow, "lifetime", SOURCES, len(experiment.seeds) * len(experiment.cases))
    rows = []
    for seed in experiment.seeds:
        common: int | None = None
        for case in experiment.cases:  # 99N is the first
            path = experiment.chip_path(flow, case, seed)

            def work(path=path, common=common):  # type: ignore[no-untyped-def]
                return lifetime_numbers(sw.load(path).image, tests, scale, common)

            facts = [scale.point_images, scale.points, scale.most_images, common]
            numbers = parts.get(f"{case.slug}-{seed}", facts, [flow.folder / "data/data.json", path], work)
            rows.append({"case": case.name, "seed": seed, **numbers})
            common = numbers["common_images"]
    summary = flow.folder / "lifetime/lifetime.json"
    write_atomic(summary, plain(rows))
    return [summary]


def lifetime_numbers(image: ChipImage, tests: Images, scale: Scale, common: int | None = None) -> dict[str, Any]:
    """Lifetime of one chip, the points on the way, and means over images: of its lifetime, and of the first `common`.

    Parameters
    ----------
    tests : the stream; some of them, at equal distances, tell the accuracy
    scale : how many tell it, how often, and when to give up
    common : images over which all cases are compared; the lifetime if not given
    """
    few, some = tests.spread(_ESTIMATE_IMAGES), tests.spread(scale.point_images)
    estimate = lifetime(image, few.pixels, few.labels, THRESHOLD, limit=scale.most_images)
    about = scale.most_images if estimate.images is None else max(1, estimate.images)
    exact = stream_lifetime(
        _renewed(image, about // _RENEWALS),
        tests.pixels,
        some.pixels,
        some.labels,
        THRESHOLD,
        every=-(-about // scale.points),
        limit=min(scale.most_images, 2 * about + scale.points),
    )
    lived = max(1, exact.images or exact.last_good or 0)
    common = lived if common is None else common
    return {
        "lifetime_images": exact.images,
        "estimate": estimate.images,
        "common_images": common,
        **_means("", image, tests, common, 1),
        **_means("lifetime_", image, tests, lived, lived // (_RENEWALS // 5)),
        "points": [{"images": p.images, "accuracy": p.accuracy, "steps": p.steps_mean} for p in exact.points],
    }


def _means(prefix: str, image: ChipImage, tests: Images, count: int, every: int) -> dict[str, float]:
    """Accuracy, steps and joules of the first images of the stream, conductances renewed after every so many."""
    stream = np.arange(count)
    result = run_reference(_renewed(image, every), tests.pixels[stream % len(tests)], ids=stream)
    return {
        f"{prefix}accuracy_mean": result.accuracy(tests.labels[stream % len(tests)]),
        f"{prefix}steps_mean": float(result.steps.mean()),
        f"{prefix}crossbar_energy_J": float(energy(image, result)["crossbar"].mean()),
    }


def _renewed(image: ChipImage, every: int) -> ChipImage:
    """The chip with conductances renewed after so many images, at least one."""
    return image.with_device(image.device.model_copy(update={"drift_every": max(1, every)}))
