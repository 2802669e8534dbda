"""The flow: named steps with atomic outputs, so that a run that was stopped can be resumed.

Every finished step leaves a record in `state.json`: a fingerprint of what determined it (configuration, the program's
own source, outputs of the steps it builds on), its settings, and the checksums of its outputs. A step whose record
still holds is kept, any other is run. What the steps do is in `sw.flow.steps`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikeloom.sim.chip.device_config import Energy
from spikeloom.sim.common.lock import Busy, locked
from spikeloom.sw.common.errors import ConfigError, FileError, warn
from spikeloom.sw.common.files import readable_error, write_atomic
from spikeloom.sw.common.registered_sources import registered_sources
from spikeloom.sw.common.sources import sources_digest
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import DATA_SETS

__all__ = ["Flow", "Step"]

Progress = Callable[[str, int, int, str], None]
"""Called with (step, done, in all, what is counted); 0 of 0 when a step begins."""

_STATE = "state.json"
_LOCK = ".lock"
_VERSION = 1


@dataclass(frozen=True)
class Step:
    """One named step.

    Parameters
    ----------
    name : of the step
    title : what it does, for people
    needs : steps whose outputs it reads
    sources : the program's own functions that determine its outputs, see `sw.common.sources.closure`
    facts : the part of a run's settings that determines its outputs, as plain values
    run : does the work, and returns its outputs as paths inside the run's folder
    partial : names of files and folders in the run's folder that it resumes from after an interruption
    """

    name: str
    title: str
    needs: tuple[str, ...]
    sources: tuple[str, ...]
    facts: Callable[[Flow], Any]
    run: Callable[[Flow], Iterable[Path]]
    partial: tuple[str, ...] = ()


@dataclass
class Flow:
    """One run in its folder.

    Parameters
    ----------
    config : of the run
    folder : where its outputs lie; it is made when needed
    steps : in order
    data : folder of the data sets; None for $SPIKELOOM_DATA or a download
    progress : told how far a step is
    energy : what the report takes for the energies of the chip, if not the chip's own
    """

    config: Config
    folder: Path
    steps: tuple[Step, ...]
    data: Path | None = None
    progress: Progress = lambda step, done, total, text: None
    energy: Energy | None = None
    skipped: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    _held: bool = False

    def __post_init__(self) -> None:
        self.config = Config.load(self.config)

    def names(self) -> tuple[str, ...]:
        """Names of the steps, first to last."""
        return tuple(step.name for step in self.steps)

    def run(self, start: str | None = None, stop: str | None = None) -> None:
        """Run the steps up to `stop`, those from `start` on even if their records hold.

        Raises `ConfigError` for names that are not steps, and whatever a step raises; what was finished stays.
        """
        first = self._index("--from", start) if start is not None else len(self.steps)
        last = self._index("--to", stop) if stop is not None else len(self.steps) - 1
        if start is not None and first > last:
            raise ConfigError(
                "run", [f"--from {start} comes after --to {stop}; the steps are {', '.join(self.names())}"]
            )
        for step in self.steps[: last + 1]:
            sources_digest(step.sources)  # of the program that runs now, whatever is edited meanwhile
        with self.alone():
            for index, step in enumerate(self.steps[: last + 1]):
                if index < first and self.current(step.name):
                    self.skipped.append(step.name)
                    continue
                self._tell_of_another()
                if self.current(step.name):  # done, and yet asked for: from nothing, not from what an interruption left
                    self._remove(step.partial)
                self.run_one(step.name)

    def run_one(self, name: str) -> None:
        """Run one step, whether its record holds or not, on what the steps before it have left."""
        step = self.steps[self._index("step", name)]
        sources_digest(step.sources)
        with self.alone():
            self._record(name, None)
            self.progress(name, 0, 0, step.title)
            outputs = self._outputs(step.run(self))
            facts = json.loads(json.dumps(step.facts(self), default=str))
            self._record(name, {"fingerprint": self.fingerprint(name), "facts": facts, "outputs": outputs})
        self.done.append(name)

    def adopt(self, name: str, other: Flow) -> None:
        """Take over a finished step of a run in another folder, where its record holds."""
        record = other._state()[name]
        with self.alone():
            for path in record["outputs"]:
                write_atomic(self.folder / path, (other.folder / path).read_bytes())
            self._record(name, record)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs out of the folder while the block runs. Raises `FileError` if one is at work there."""
        if self._held:
            yield
            return
        with contextlib.ExitStack() as stack:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.folder / _LOCK))
            except Busy as busy:
                raise FileError(
                    f"Another run (process {busy.holder}) is at work in '{self.folder}': wait until it is done, or "
                    "choose another folder (--output)"
                ) from None
            except OSError as error:
                raise FileError(readable_error(self.folder, error)) from error
            self._held = True
            try:
                yield
            finally:
                self._held = False

    def recorded(self, name: str) -> bool:
        """Whether the step has been run, with these settings or others."""
        return name in self._state()

    def recorded_facts(self, name: str) -> Any:
        """The settings with which the step has been run, see `Step.facts`; None where they are not known."""
        return self._state().get(name, {}).get("facts")

    def current(self, name: str) -> bool:
        """Whether the step has been run with the present settings, and its outputs are whole."""
        step = self.steps[self._index("step", name)]
        record = self._state().get(name)
        if record is None or not all(self.current(need) for need in step.needs):
            return False
        if record["fingerprint"] != self.fingerprint(name):
            return False
        return all(_checksum(self.folder / path) == digest for path, digest in record["outputs"].items())

    def fingerprint(self, name: str) -> str:
        """Checksum of everything that determines the step's outputs. The steps it needs must have been run."""
        step = self.steps[self._index("step", name)]
        state = self._state()
        facts = {
            "step": name,
            "facts": step.facts(self),
            "sources": sources_digest(step.sources),
            "registered": registered_sources(*DATA_SETS.registered()),
            "inputs": {need: state[need]["outputs"] if need in state else None for need in step.needs},
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()

    def started(self) -> bool:
        """Whether a run has left any finished step in the folder."""
        return bool(self._state())

    def clear(self) -> None:
        """Remove everything that runs in this folder have left, and nothing else.

        In a folder without a record of a run nothing is removed: what lies there under a step's name is the user's.
        """
        records = self._state()
        if not records:
            return
        with self.alone():
            files = [self._inside(path) for record in records.values() for path in record["outputs"]]
            self._remove(tuple(path for path in files if path is not None))
            self._remove(tuple(name for step in self.steps for name in step.partial))
            self._remove((_STATE,))
            for folder in sorted({(self.folder / path).parent for path in files if path}, key=lambda p: -len(p.parts)):
                with contextlib.suppress(OSError):  # the user's own files are in it
                    folder.rmdir()

    def _inside(self, path: str) -> str | None:
        """The path, unless a record that was tampered with leads out of the folder."""
        return None if Path(path).is_absolute() or ".." in Path(path).parts else path

    def _remove(self, names: tuple[str, ...]) -> None:
        for path in (self.folder / name for name in names):
            try:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:
                raise FileError(f"Cannot remove '{path}': {error.strerror}") from error

    def _tell_of_another(self) -> None:
        """Warn where the folder holds the run of a configuration with another name, which this one will replace."""
        state = self._file()
        name = state.get("name", self.config.name)
        if state.get("steps") and name != self.config.name:
            warn(
                f"The folder '{self.folder}' holds the run '{name}', whose outputs those of the run "
                f"'{self.config.name}' replace; give another folder (--output) to keep both"
            )

    def _index(self, option: str, name: str) -> int:
        if name not in self.names():
            raise ConfigError(option, [f"there is no step '{name}'; the steps are {', '.join(self.names())}"])
        return self.names().index(name)

    def _outputs(self, paths: Iterable[Path]) -> dict[str, str | None]:
        """Checksums of files; folders are taken with everything in them."""
        found = {}
        for path in paths:
            files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
            found.update({file.relative_to(self.folder).as_posix(): _checksum(file) for file in files})
        return found

    def _state(self) -> dict[str, Any]:
        """Records of the steps; none if the file is missing, damaged, or of another version."""
        steps: dict[str, Any] = self._file().get("steps", {})
        return steps

    def _file(self) -> dict[str, Any]:
        """What the file of the state holds: "version", "steps", and the configuration's "name" where it is known."""
        try:
            state = json.loads((self.folder / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(state, dict) or state.get("version") != _VERSION:
            return {}
        steps = state.setdefault("steps", {})
        whole = isinstance(steps, dict) and all(
            isinstance(record, dict) and isinstance(record.get("outputs"), dict) and "fingerprint" in record
            for record in steps.values()
        )
        return state if whole else {}

    def _record(self, name: str, record: dict[str, Any] | None) -> None:
        steps = self._state()
        if record is None and name not in steps:
            return
        steps = {**steps, name: record}
        steps = {key: value for key, value in steps.items() if value is not None}
        state = {"version": _VERSION, "name": self.config.name, "steps": steps}
        write_atomic(self.folder / _STATE, json.dumps(state, indent=1) + "\n")


def _checksum(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
