"""Steps of a tool chain: each a program with files before and after it, which is not run again for the same files.

A step works in a folder of its own beside the others, which becomes that of its results when all of them are there:
what is stopped, by an error, a signal or a lack of space, leaves the results of earlier runs, and nothing else but its
log. Logs lie beside the results, and are written while a program runs.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.hw.boards.programs import Program
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.processes import end, start

__all__ = ["OWN_LOG", "BitstreamError", "Done", "Step", "Steps"]

Tell = Callable[[str, str], None]
"""Told (step, what it does now)."""
_RECORD = "step.json"
OWN_LOG = "own.log"
"""Log that a program writes into its folder itself; it becomes the step's."""
_LOOK_s = 0.5
_HEADLINES = re.compile(r"^(?:[\d.]+ Executing (?P<pass>[\w -]+) pass|Info: (?P<info>\w[\w ]+)\.\.)", re.M)
_LAST_LINES = 400


class BitstreamError(SpikeLoomError):
    """A program of the tool chain did not take the design, or could not be run."""


@dataclass(frozen=True)
class Step:
    """One program to run.

    Parameters
    ----------
    name : of the step, and of its folder and log
    task : what it is for, as the message of an error has it: "... could not ..."
    program : Program
    arguments : of the command; files by their names
    files : name -> content, all that it reads
    results : names of the files that it writes and that are kept
    """

    name: str
    task: str
    program: Program
    arguments: tuple[str, ...]
    files: Mapping[str, bytes]
    results: tuple[str, ...]

    @property
    def key(self) -> str:
        """SHA-256 of all that the results depend on."""
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(self.files.items())}
        facts = [self.program.name, self.program.version, self.arguments, sums, self.results]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass(frozen=True)
class Done:
    """A step that has ended well.

    Parameters
    ----------
    folder : of its results
    seconds : that the program took, in this run or an earlier one
    resumed : whether it was an earlier one
    """

    folder: Path
    seconds: float
    resumed: bool

    def read(self, name: str) -> bytes:
        """One of the results."""
        return (self.folder / name).read_bytes()


class Steps:
    """Runs steps in a folder.

    Parameters
    ----------
    folder : which gets a folder for each step's results, made where it is not there; nobody else works in it
    logs : folder of the logs
    tell : told the progress
    """

    def __init__(self, folder: Path, logs: Path, tell: Tell = lambda step, text: None) -> None:
        self._folder, self._logs, self._tell = folder, logs, tell

    def log(self, step: str) -> Path:
        """The log of a step."""
        return self._logs / f"{step}.log"

    def run(self, step: Step) -> Done:
        """Run a step, unless its results are there. Raises `BitstreamError` for a program that fails."""
        earlier = self._earlier(step)
        if earlier is not None:
            self._tell(step.name, "finished before")
            return earlier
        self._folder.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(f".{step.name}-*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f".{step.name}-", dir=self._folder))
        try:
            began = time.perf_counter()
            self._call(step, work)
            seconds = time.perf_counter() - began
            return Done(self._keep(step, work, seconds), seconds, False)
        except OSError as error:
            if error.filename is None:  # of a write: no space is left, where?
                raise OSError(error.errno, error.strerror, str(self._folder)) from error
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _earlier(self, step: Step) -> Done | None:
        """The step as it has ended before, with the same inputs, its results as they were written."""
        folder = self._folder / step.name
        try:
            record: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
            sums = {name: _sum(folder / name) for name in step.results}
            if record["key"] != step.key or record["sums"] != sums:
                return None
            return Done(folder, float(record["seconds"]), True)
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def _call(self, step: Step, work: Path) -> None:
        """Run the program in its folder; its log grows meanwhile, and stays."""
        for name, content in step.files.items():
            (work / name).write_bytes(content)
        log = self.log(step.name)
        self._tell(step.name, step.task)
        with log.open("wb") as file:
            command = [*step.program.command, *step.arguments]
            process = start(command, cwd=work, output=file, errors=subprocess.STDOUT)
            try:
                self._wait(process, step, work, log)
            finally:
                end(process)
                own = work / OWN_LOG  # of a program in WebAssembly that loses its output on the way
                if own.exists():
                    file.write(own.read_bytes())
        if process.returncode != 0:
            why = _reason(log, process.returncode)
            raise BitstreamError(f"{step.program.name} could not {step.task}: {why} (log: {log})")
        missing = [name for name in step.results if not (work / name).is_file()]
        if missing:
            raise BitstreamError(f"{step.program.name} wrote no {', '.join(missing)}, and gave no error (log: {log})")

    def _wait(self, process: subprocess.Popen[bytes], step: Step, work: Path, log: Path) -> None:
        """Wait for the end; tell what the log says the program is at."""
        said = ""
        while True:
            try:
                process.wait(_LOOK_s)
                return
            except subprocess.TimeoutExpired:
                own = work / OWN_LOG
                found = _headline(own if own.exists() else log)
                if found and found != said:
                    said = found
                    self._tell(step.name, f"{step.task}: {said}")

    def _keep(self, step: Step, work: Path, seconds: float) -> Path:
        """Make the results the step's; earlier ones are replaced."""
        fresh = work / "kept"
        fresh.mkdir()
        for name in step.results:
            (work / name).rename(fresh / name)
        sums = {name: _sum(fresh / name) for name in step.results}
        record = {"key": step.key, "sums": sums, "seconds": seconds, "program": step.program.version}
        (fresh / _RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        folder = self._folder / step.name
        if folder.exists():
            folder.rename(work / "earlier")
        fresh.rename(folder)
        return folder


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _headline(log: Path) -> str:
    """What a program is at, from the end of its log; "" where it does not say."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    found = [(match["pass"] or match["info"]).strip() for match in _HEADLINES.finditer(text)]
    return found[-1] if found else ""


def _reason(log: Path, code: int) -> str:
    """Why a program failed: its lines with "ERROR", else its last one."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
    errors = [line.strip() for line in lines if re.match(r"(?:Error|ERROR|fatal)\b", line.strip())]
    last = [line.strip() for line in lines if line.strip()][-1:]
    return " ".join(errors[:3] or last) or f"exit code {code}, and no message"
