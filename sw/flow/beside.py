"""A chip for a command that maps or examines one, without harm to a finished run of other settings in its folder."""

from __future__ import annotations

import json

from spikeloom.sw.common.errors import warn
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.flow.steps import make_flow

__all__ = ["CHIP_FOLDER", "beside"]

CHIP_FOLDER = "chip"
"""Folder within that of a run, where the chip of other settings is made."""


def beside(flow: Flow) -> Flow:
    """The flow; but where it would convert anew over a run with other settings, one in a folder of its own, with the
    data and the network of the run as far as they are the same.
    """
    names = flow.names()
    later = [name for name in names[names.index("convert") + 1 :] if flow.recorded(name)]
    if not later or flow.current("convert") or not _other_settings(flow):
        return flow
    other = make_flow(flow.config, flow.folder / CHIP_FOLDER, flow.data)
    with flow.alone(), other.alone():
        for name in ("data", "train"):
            if flow.current(name) and not other.current(name):
                other.adopt(name, flow)
    warn(
        f"The folder '{flow.folder}' holds a run with other settings, which stays as it is: the chip of these settings "
        f"is made in '{other.folder}'"
    )
    return other


def _other_settings(flow: Flow) -> bool:
    """Whether a step up to the chip was run with other settings, and not only by another version."""
    steps = flow.steps[: flow.names().index("convert") + 1]
    return any(
        flow.recorded_facts(step.name) != json.loads(json.dumps(step.facts(flow), default=str)) for step in steps
    )
