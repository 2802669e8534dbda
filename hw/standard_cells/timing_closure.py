"""Maps a unit until it meets a clock: modules on paths that are too slow are mapped again for delay.

`abc` sees one module at a time, as if its paths began and ended at its edge. A path through several modules is too
slow although each part is short. So OpenSTA times the whole netlist, and every module on a path that fails gets a
budget: its share of the path, scaled to what the clock leaves. Modules that are on no such path stay as they are, so
that the netlist of a slow clock is the smallest one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from spikeloom.hw.standard_cells.cell_mapping import CellMapper, Mapped
from spikeloom.hw.standard_cells.components import mapped_components
from spikeloom.hw.standard_cells.liberty import Library
from spikeloom.hw.standard_cells.timing import Timing, time_netlist

__all__ = ["ROUNDS", "Closed", "map_for_clock"]

ROUNDS = 4
"""Mappings for delay that are tried at most."""


@dataclass(frozen=True)
class Closed:
    """The netlist whose slowest path is the fastest of all that were made.

    Parameters
    ----------
    mapped, timing : the netlist and what OpenSTA says of it
    for_delay : modules that were mapped for delay, by name
    rounds : mappings for delay that were made, also those that were not better
    """

    mapped: Mapped
    timing: Timing
    for_delay: tuple[str, ...]
    rounds: int


def map_for_clock(
    mapper: CellMapper, top: str, libraries: Sequence[Library], constraints: str, corner: str = ""
) -> Closed:
    """Map for area, and then for delay where the clock is not met; OpenSTA is needed.

    Parameters
    ----------
    mapper : of the unit, which has not mapped yet
    top, libraries : those of the mapper
    constraints : SDC, with the clock asked for
    corner : operating conditions by name, "" for the library's default

    Raises `LibraryError`, `SynthesisError`: see `CellMapper.map` and `timing.time_netlist`.
    """

    def time(mapped: Mapped) -> Timing:
        return time_netlist(mapped.netlist, top, mapped.liberty(libraries), constraints, corner)

    mapped = mapper.map()
    timing = time(mapped)
    best, budgets, rounds = Closed(mapped, timing, (), 0), dict[str, float](), 0
    while timing.failing and rounds < ROUNDS:
        modules = {part.path: part.module for part in mapped_components(mapped.netlist, top, libraries)}
        tighter = _tighter(budgets, timing, modules)
        if tighter == budgets:
            break
        budgets, rounds = tighter, rounds + 1
        mapped = mapper.map(budgets)
        timing = time(mapped)
        if timing.slowest.slack_ns > best.timing.slowest.slack_ns:
            best = Closed(mapped, timing, tuple(sorted(budgets)), rounds)
    return replace(best, rounds=rounds)


def _tighter(budgets: Mapping[str, float], timing: Timing, modules: Mapping[str, str]) -> dict[str, float]:
    """Budgets in picoseconds after one more look at the paths that fail; none is larger than before."""
    found = dict(budgets)
    for path in timing.failing:
        left = max(path.arrival_ns + path.slack_ns, 0.0) / path.arrival_ns
        for component, ns in path.through:
            module = modules.get(component)
            if module is not None:
                found[module] = min(found.get(module, float("inf")), round(1e3 * ns * left))
    return found
