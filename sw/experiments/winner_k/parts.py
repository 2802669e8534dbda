"""Finished parts of a long step: one JSON file each, so that an interrupted run can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import sources_digest
from spikeloom.sw.flow.flow import Flow

__all__ = ["FOLDER", "PARTS", "Parts", "digest", "plain"]

FOLDER = "page"
"""The folder of the page and its numbers, in the run's folder."""
PARTS = "parts"
"""The folder of all parts, in the run's folder."""


def digest(path: Path) -> str | None:
    """SHA-256 of a file; None if it does not exist."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def plain(values: Any) -> str:
    """JSON text of a file."""
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


@dataclass
class Parts:
    """The parts of one step.

    Parameters
    ----------
    flow, step : whose they are
    sources : functions that determine them, see `sw.flow.flow.Step`
    total : how many there will be, for the progress
    """

    flow: Flow
    step: str
    sources: tuple[str, ...]
    total: int
    _done: int = field(default=0, init=False)

    def get(
        self, name: str, facts: Any, inputs: Iterable[Path], work: Callable[[], Any], files: tuple[Path, ...] = ()
    ) -> Any:
        """What `work` returned, plain values, now or in an earlier run with the same facts and inputs.

        Parameters
        ----------
        name : of the part's file
        facts : plain values that determine the part
        inputs : files that determine it
        work : makes it
        files : files that `work` leaves in the run's folder; if one is not as it was, the part is made again
        """
        self.tell(name)
        path = self.flow.folder / PARTS / self.step / f"{name}.json"
        known = [facts, sources_digest(self.sources), [digest(source) for source in inputs]]
        key = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()
        record = _read(path)
        if record is None or record["key"] != key or record["files"] != [digest(file) for file in files]:
            value = work()
            record = {"key": key, "files": [digest(file) for file in files], "value": value}
            write_atomic(path, plain(record))
        self._done += 1
        return json.loads(json.dumps(record["value"]))  # the same plain values, from the file or not

    def tell(self, text: str) -> None:
        """Say what is being done."""
        self.flow.progress(self.step, self._done, self.total, f"parts, {text}")


def _read(path: Path) -> dict[str, Any] | None:
    """A part's record; None if it is missing or damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(record, dict) and {"key", "files", "value"} <= record.keys()
    return record if whole else None
