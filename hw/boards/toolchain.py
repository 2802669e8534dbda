"""From a design for a board to its bitstream: synthesis, placement and routing with a clock that is met, packing.

Each step is resumed where its results are there (`hw.boards.steps`), so that a build that was stopped, or one with
other options of a later step, begins where the earlier one ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.hw.boards.board import SMALLER, TRIES, Board
from spikeloom.hw.boards.clocks import Clock, in_MHz
from spikeloom.hw.boards.family import Usage
from spikeloom.hw.boards.placed import Timing, timing_of
from spikeloom.hw.boards.programs import Program, Programs, programs_of
from spikeloom.hw.boards.project import TOP, Project
from spikeloom.hw.boards.steps import OWN_LOG, BitstreamError, Done, Step, Steps
from spikeloom.hw.boards.top import UNIT_NAME
from spikeloom.hw.errors import SpikeLoomError

__all__ = ["Built", "Placed", "TimingError", "build", "place_step", "synthesis_step"]

_REPORT, _NETLIST = "report.json", "placed.json"


class TimingError(BitstreamError):
    """No placement met the clock. `highest_Hz` is that of the best one."""

    def __init__(self, message: str, highest_Hz: float) -> None:
        super().__init__(message)
        self.highest_Hz = highest_Hz


@dataclass(frozen=True)
class Placed:
    """A placement.

    Parameters
    ----------
    seed : of it
    done : its files
    timing : its clock
    """

    seed: int
    done: Done
    timing: Timing

    @property
    def netlist(self) -> dict[str, Any]:
        """The placed cells, as nextpnr writes them (`--write`)."""
        found: dict[str, Any] = json.loads(self.done.read(_NETLIST))
        return found


@dataclass(frozen=True)
class Built:
    """A bitstream, and how it came about.

    Parameters
    ----------
    project : of the design
    programs : that made it
    synthesis, placed, pack : its steps; `placed` is the placement that was taken
    tried : all placements, in the order of their seeds
    """

    project: Project
    programs: Programs
    synthesis: Done
    placed: Placed
    pack: Done
    tried: tuple[Placed, ...]

    @property
    def bitstream(self) -> bytes:
        """What the board is programmed with."""
        return self.pack.read(f"{TOP}.{self.project.board.family.bitstream}")

    @property
    def seconds(self) -> dict[str, float]:
        """Time of the programs, by step; placement is that of all that were tried."""
        placing = sum(one.done.seconds for one in self.tried)
        return {"synthesise": self.synthesis.seconds, "place": placing, "pack": self.pack.seconds}


def synthesis_step(project: Project, program: Program) -> Step:
    """Yosys: from the sources to the family's cells, `top.json`."""
    files = {name: text.encode() for name, text in project.sources.items()}
    arguments = ("-q", "-l", OWN_LOG, f"{TOP}.ys")
    return Step("synthesise", "synthesise the design", program, arguments, files, (f"{TOP}.json",))


def place_step(project: Project, program: Program, netlist: bytes, seed: int) -> Step:
    """nextpnr: placement and routing."""
    family = project.board.family
    constraints, text = project.constraints
    placed = f"{TOP}.{family.placed}"
    arguments = (
        *project.place,
        *("--json", f"{TOP}.json", f"--{constraints.rpartition('.')[2]}", constraints),
        *("--textcfg" if family.placed == "config" else f"--{family.placed}", placed),
        *("--report", _REPORT, "--write", _NETLIST, "--seed", str(seed), "--timing-allow-fail"),
    )
    files = {f"{TOP}.json": netlist, constraints: text.encode()}
    results = (placed, _REPORT, _NETLIST)
    return Step(f"place-{seed}", "place and route the design", program, arguments, files, results)


def pack_step(project: Project, program: Program, placed: bytes) -> Step:
    """ecppack or icepack: the bitstream."""
    family = project.board.family
    source, target = f"{TOP}.{family.placed}", f"{TOP}.{family.bitstream}"
    arguments = (*project.pack, source, target)
    return Step("pack", "pack the bitstream", program, arguments, {source: placed}, (target,))


def build(
    project: Project,
    folder: Path,
    *,
    seed: int = 1,
    tries: int = TRIES,
    programs: Programs | None = None,
    tell: Callable[[str, str], None] = lambda step, text: None,
) -> Built:
    """Make the bitstream.

    Parameters
    ----------
    project : of `hw.boards.project.project_of`
    folder : for the steps' results and, in `logs`, their logs
    seed, tries : first seed of the placement, and how many are tried until the clock is met
    programs : None for those of `programs_of`
    tell : told (step, what it is at)

    Raises
    ------
    SpikeLoomError : the FPGA is too small
    TimingError : no placement met the clock
    BitstreamError : a program did not take the design
    """
    programs = programs_of(project.board.family) if programs is None else programs
    steps = Steps(folder / "steps", folder / "logs", tell)
    synthesis = steps.run(synthesis_step(project, programs.yosys))
    netlist = synthesis.read(f"{TOP}.json")
    project.board.check_capacity(mapped_usage(project.board, json.loads(netlist)), "The design", SMALLER)
    tried: list[Placed] = []
    for number in range(tries):
        done = _place(project, steps, place_step(project, programs.nextpnr, netlist, seed + number))
        tried.append(Placed(seed + number, done, timing_of(json.loads(done.read(_REPORT)), UNIT_NAME)))
        if tried[-1].timing.highest_Hz >= project.clock.Hz:
            break
    else:
        raise _missed(project, tried)
    pack = steps.run(pack_step(project, programs.packer, tried[-1].done.read(f"{TOP}.{project.board.family.placed}")))
    return Built(project, programs, synthesis, tried[-1], pack, tuple(tried))


def _place(project: Project, steps: Steps, step: Step) -> Done:
    """Place and route; a design that does not fit once it is packed is told by what it needs, and not by nextpnr's
    words.
    """
    try:
        return steps.run(step)
    except BitstreamError:
        text = steps.log(step.name).read_text(encoding="utf-8", errors="replace")
        for kind, needed, there in re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", text, re.M):
            if int(needed) > int(there):
                what = project.board.family.cells.get(kind, f"cells of kind {kind}")
                raise SpikeLoomError(
                    f"The design needs {int(needed):,} {what} once it is packed, and the board "
                    f"{project.board.name} has {int(there):,} ({project.board.family.name}); {SMALLER}"
                ) from None
        raise


def mapped_usage(board: Board, netlist: dict[str, Any]) -> Usage:
    """Cells that a design needs at least, from Yosys' netlist of it."""
    return board.family.needed(netlist["modules"][TOP]["cells"])


def _missed(project: Project, tried: list[Placed]) -> TimingError:
    """The error of a clock that no placement has met."""
    best = max(tried, key=lambda one: one.timing.highest_Hz)
    found, seeds = best.timing, ", ".join(str(one.seed) for one in tried)
    many = "s" if len(tried) > 1 else ""
    lower = clock_below(project.board, found.highest_Hz)
    remedy = "" if lower is None else f"a lower clock (--clock {lower.Hz:.12g}), or "
    return TimingError(
        f"The clock of {in_MHz(project.clock.frequency)} is not met: the best of {len(tried)} placement{many} "
        f"(seed{many} {seeds}) reaches {in_MHz(found.highest_Hz)}; its slowest path takes {found.path_s * 1e9:.1f} ns, "
        f"through {', '.join(found.path)}; give {remedy}other seeds (--seed {tried[-1].seed + 1})",
        found.highest_Hz,
    )


def clock_below(board: Board, highest_Hz: float) -> Clock | None:
    """A round clock that the board can have, at least 2 % below the highest; None where there is none."""
    step = 0.5e6
    for count in range(int(highest_Hz * 0.98 / step), 0, -1):
        try:
            clock = board.clock(count * step)
        except SpikeLoomError:
            continue
        if clock.Hz <= highest_Hz:
            return clock
    return None
