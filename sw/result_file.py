"""Results on disk: one `.npz` file, without pickle and without traces."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from sim.result import ACTIVITIES, Result
from sw.errors import FileError
from sw.files import write_atomic

__all__ = ["load_result", "save_result"]

_FIELDS = ("classes", "steps", "margins", "reasons", "spikes", "ids")
_OPTIONAL = ("cycles", "gaps")


def save_result(path: Path, result: Result, values: int = 0) -> None:
    """Write the result whole or not at all; `values` is how many values were compared with another result."""
    arrays = {name: getattr(result, name) for name in _FIELDS}
    arrays.update({f"activity_{name}": result.activity[name] for name in ACTIVITIES})
    arrays.update({name: getattr(result, name) for name in _OPTIONAL if getattr(result, name) is not None})
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
            )
            return result, int(file["values"])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise FileError(f"'{path}' is not a result of SpikeLoom, or damaged: {error}") from error
