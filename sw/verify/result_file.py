"""Results on disk: one `.npz` file, without pickle, traces, and conductances of cells that drift, which follow from
their pulses.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.origin import Origin
from spikeloom.sim.chip.result import ACTIVITIES, Result
from spikeloom.sw.common.errors import FileError
from spikeloom.sw.common.files import write_atomic

__all__ = ["load_result", "save_result"]

_FIELDS = ("classes", "steps", "margins", "reasons", "spikes", "ids")
_OPTIONAL = ("cycles", "gaps")
_WHO = ("counts_from", "loads_from")
_DRIFT = ("row_pulses", "renewed", "earlier")


def save_result(path: Path, result: Result, values: int = 0) -> None:
    """Write the result whole or not at all; `values` is how many values were compared with another result."""
    arrays = {name: getattr(result, name) for name in _FIELDS}
    arrays.update({f"activity_{name}": result.activity[name] for name in ACTIVITIES})
    arrays.update({name: getattr(result, name) for name in _OPTIONAL if getattr(result, name) is not None})
    if result.drift is not None:
        arrays["drift_counts"] = np.array([result.drift.images, result.drift.programmings])
        for name in _DRIFT:
            arrays.update({f"drift_{name}_{index}": part for index, part in enumerate(getattr(result.drift, name))})
    if result.origin is not None:
        origin = result.origin
        facts = {"chip": origin.chip, "simulator": origin.simulator, "through_bus": origin.through_bus}
        arrays |= {"origin": np.array(json.dumps(facts)), "origin_images": origin.images}
    for name in _WHO:
        if getattr(result, name) != "itself":
            arrays[name] = np.array(getattr(result, name) or "")
    if result.class_count is not None:
        arrays["class_count"] = np.int64(result.class_count)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, values=np.int64(values), **arrays)
    write_atomic(path, buffer.getvalue())


def load_result(path: Path) -> tuple[Result, int]:
    """The result and its `values`. Raises `FileError` if the file is damaged or of another kind."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            result = Result(
                **{name: file[name] for name in _FIELDS},
                activity={name: file[f"activity_{name}"] for name in ACTIVITIES},
                **{name: file[name] for name in _OPTIONAL if name in file.files},
                drift=_drift(file),
                origin=_origin(file),
                class_count=int(file["class_count"]) if "class_count" in file.files else None,
                counts_from=_who(file, "counts_from"),
                loads_from=_who(file, "loads_from"),
            )
            return result, int(file["values"])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise FileError(
            f"'{path}' is not a result of SpikeLoom, or damaged; make it again with `spikeloom run CONFIG --from STEP`"
        ) from error


def _origin(file: Any) -> Origin | None:
    """What the result was measured on, of a file that says it."""
    if "origin" not in file.files:
        return None
    return Origin(**json.loads(str(file["origin"])), images=file["origin_images"])


def _who(file: Any, name: str) -> Literal["itself", "reference"] | None:
    """Who has counted; the result itself, of a file that does not say it."""
    if name not in file.files:
        return "itself"
    return "reference" if str(file[name]) else None


def _drift(file: Any) -> DriftSnapshot | None:
    """The drift of a file that has one, without conductances."""
    if "drift_counts" not in file.files:
        return None
    layers = range(sum(name.startswith("drift_row_pulses_") for name in file.files))
    names = [name for name in _DRIFT if f"drift_{name}_0" in file.files]
    counts = {name: tuple(file[f"drift_{name}_{index}"] for index in layers) for name in names}
    images, programmings = (int(value) for value in file["drift_counts"])
    return DriftSnapshot(images, programmings=programmings, **counts)
