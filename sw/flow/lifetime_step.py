"""The step `lifetime` of a run, which exists only if [lifetime] measure is true."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import source_of
from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.flow import Flow, Step
from spikeloom.sw.flow.run_folder import load_compiled, load_run_images, run_image_set

__all__ = ["load_lifetime", "with_lifetime"]

NAME = "lifetime"
_FILE = "lifetime/lifetime.json"
_AFTER = "reference"


def _run(flow: Flow) -> list[Path]:
    from spikeloom.sw.analysis.lifetime import measure_lifetime

    tests = load_run_images(flow)
    found = measure_lifetime(
        load_compiled(flow).programmed,
        tests.images,
        tests.labels,
        flow.config.lifetime,
        progress=lambda text: flow.progress(NAME, 0, 0, text),
    )
    found["measured_on"] = run_image_set(flow).facts(found["test_images"])
    write_atomic(flow.folder / _FILE, json.dumps(found, indent=1, allow_nan=False) + "\n")
    return [flow.folder / _FILE]


_STEP = Step(
    NAME,
    "searching the lifetime of the cells",
    ("data", "convert"),
    (source_of(_run),),
    lambda flow: {NAME: flow.config.lifetime.model_dump(mode="json")},
    _run,
)


def with_lifetime(steps: tuple[Step, ...], config: Config) -> tuple[Step, ...]:
    """The steps of a run, with `lifetime` after `reference`, and read by `report`, where the configuration asks for it.

    Without it the other steps are as they were, and a record that an earlier run has left is not looked at.
    """
    if not config.lifetime.measure:
        return steps
    wanted: list[Step] = []
    for step in steps:
        wanted.append(replace(step, needs=(*step.needs, NAME)) if step.name == "report" else step)
        if step.name == _AFTER:
            wanted.append(_STEP)
    return tuple(wanted)


def load_lifetime(flow: Flow) -> dict[str, Any] | None:
    """What the step left, as `sw.analysis.lifetime.measure_lifetime` gives it, with the images in `measured_on`; None
    where it has not been run.
    """
    if NAME not in flow.names() or not flow.current(NAME):
        return None
    found: dict[str, Any] = json.loads((flow.folder / _FILE).read_text(encoding="utf-8"))
    return found
