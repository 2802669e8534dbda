"""Timing of a mapped netlist by OpenSTA: its script, and what its report says in terms of components."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikeloom.hw.export.processes import run as run_program
from spikeloom.hw.export.yosys import SynthesisError

__all__ = ["CriticalPath", "Timing", "find_opensta", "opensta_version", "time_netlist"]

_SCRIPT = """\
{libraries}
read_verilog netlist.v
link_design {top}
set_cmd_units -time ns
read_sdc constraints.sdc
{corner}
puts "== slowest"
report_checks -path_delay max -fields {{slew cap}} -digits 4
puts "== registers"
report_checks -path_delay max -from [all_registers -clock_pins] -to [all_registers -data_pins] -digits 4
puts "== hold"
report_checks -path_delay min -digits 4
report_checks -path_delay max -slack_max 0 -group_count {count} -digits 4 > failing.txt
"""

_MOST_FAILING = 5000
"""Endpoints whose path is looked at where the clock is not met; the slowest come first."""
_STEP = re.compile(r"^(?:\s+-?[\d.]+)*\s+(-?[\d.]+)\s+(-?[\d.]+) [\^v] (\S+) \((\S+)\)$", re.M)
_SLACK = re.compile(r"^\s+(-?[\d.]+)\s+slack ", re.M)
_NAMES = ("sta", "opensta")


@dataclass(frozen=True)
class CriticalPath:
    """One path.

    Parameters
    ----------
    start, end : instance and pin, or port
    arrival_ns, slack_ns : from the clock's edge to the end, and what is left
    through : components in order, "" for the top, with the time that the path spends in each, nanoseconds
    gates : cells on the way, the first register included, the last not
    """

    start: str
    end: str
    arrival_ns: float
    slack_ns: float
    through: tuple[tuple[str, float], ...]
    gates: int


@dataclass(frozen=True)
class Timing:
    """What OpenSTA says.

    Parameters
    ----------
    slowest : the path with the least slack
    registers : the one between registers or memories, None if there is none
    hold : that with the least slack for hold
    log : all that was printed
    failing : the slowest path of every endpoint whose slack is below 0, the slowest first
    """

    slowest: CriticalPath
    registers: CriticalPath | None
    hold: CriticalPath
    log: str
    failing: tuple[CriticalPath, ...] = ()


def find_opensta() -> str | None:
    """Where OpenSTA is, or None."""
    return next((place for name in _NAMES if (place := shutil.which(name))), None)


def opensta_version() -> str | None:
    """Version of OpenSTA, or None where it is missing, does not start, or is another program of that name."""
    place = find_opensta()
    if place is None:
        return None
    try:
        done = subprocess.run([place, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"\d+(?:\.\d+)+", done.stdout.strip())
    return match[0] if match else None


def _component(pin: str, cell: str) -> str:
    """Component of a pin `a/b/cell/pin`; ports of the unit belong to its outside."""
    if cell in ("in", "out"):
        return "outside"
    return "/".join(pin.split("/")[:-2])


def _path(text: str) -> CriticalPath | None:
    """The first path of a report."""
    slack, steps = _SLACK.search(text), _STEP.findall(text.partition("data arrival time")[0])
    if slack is None or not steps:
        return None
    through: list[tuple[str, float]] = []
    for delay, _, pin, cell in steps:
        component = _component(pin, cell)
        if through and through[-1][0] == component:
            through[-1] = (component, through[-1][1] + float(delay))
        else:
            through.append((component, float(delay)))
    return CriticalPath(
        start=steps[0][2],
        end=steps[-1][2],
        arrival_ns=float(steps[-1][1]),
        slack_ns=float(slack[1]),
        through=tuple((name, round(delay, 4)) for name, delay in through),
        gates=len({pin.rpartition("/")[0] for _, _, pin, cell in steps[:-1] if cell not in ("in", "out")}),
    )


def time_netlist(netlist: str, top: str, libraries: Mapping[str, str], sdc: str, corner: str = "") -> Timing:
    """Run OpenSTA over a netlist; the hierarchy stays.

    Parameters
    ----------
    netlist, top : Verilog of cells, and the name of its top module
    libraries : file name -> Liberty text
    sdc : constraints, nanoseconds
    corner : operating conditions of a library, "" for its default

    Raises
    ------
    SynthesisError : OpenSTA does not take one of them, or finds no path
    """
    place = find_opensta()
    assert place is not None, "the caller has looked"
    script = _SCRIPT.format(
        libraries="\n".join(f"read_liberty {name}" for name in libraries),
        top=top,
        corner=f"set_operating_conditions {{{corner}}}" if corner else "",
        count=_MOST_FAILING,
    )
    with tempfile.TemporaryDirectory(prefix="timing-") as name:
        folder = Path(name)
        contents = {**libraries, "netlist.v": netlist, "constraints.sdc": sdc, "timing.tcl": script}
        for file, text in contents.items():
            (folder / file).write_text(text, encoding="latin-1")
        done = run_program([place, "-no_splash", "-exit", "timing.tcl"], cwd=folder)
        late = folder / "failing.txt"
        failing = late.read_text(encoding="latin-1") if late.exists() else ""
    log = done.stdout + done.stderr
    parts = _parts(log)
    paths = [_path(parts.get(part, "")) for part in ("slowest", "registers", "hold")]
    errors = [line for line in log.splitlines() if line.startswith("Error")]
    if errors or done.returncode or paths[0] is None or paths[2] is None:
        what = errors[0] if errors else log.strip().splitlines()[-1] if log.strip() else f"exit code {done.returncode}"
        raise SynthesisError(f"OpenSTA could not time the netlist: {what}")
    found = [_path(text) for text in failing.split("Startpoint:")[1:]]
    below = tuple(path for path in found if path is not None and path.slack_ns < 0.0)
    return Timing(paths[0], paths[1], paths[2], log, below)


def _parts(log: str) -> dict[str, str]:
    """Sections of the log by name."""
    pieces: Sequence[str] = re.split(r"^== (\w+)\n", log, flags=re.M)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))
