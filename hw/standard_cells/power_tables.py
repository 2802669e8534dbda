"""Internal energies of a library's cells: what a transition of a pin takes inside the cell, by slew and load.

A group `internal_power` has a table for the rising and one for the falling pin. Their energies are averaged, since a
net rises as often as it falls; so are the groups of a pin that differ in the related pin or in the condition (`when`),
since which of them holds is not counted. Groups of different supply pins are added. OpenSTA does the same from 2.1 on
(`search/Power.cc`), there weighted by propagated probabilities; 2.0.17 adds rising and falling, which is twice as much.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.standard_cells.liberty import Group, Library, LibraryError, read_cells

__all__ = ["CellPower", "InternalPower", "PinPower", "Table", "read_power"]

Values = NDArray[np.float64]
_SLEW, _LOAD = "input_transition_time", "total_output_net_capacitance"


@dataclass(frozen=True, eq=False)
class Table:
    """Energies over slew and load.

    Parameters
    ----------
    slews_ns, loads_fF : rising places, float64 [m] and [n]; one place where a table does not depend on it
    energies_fJ : float64 [m, n]
    """

    slews_ns: Values
    loads_fF: Values
    energies_fJ: Values

    def at(self, slew_ns: Values, load_fF: Values) -> Values:
        """Energies, float64 [count], by lines between the places, and on along the last ones beyond."""
        rows, along = _between(self.slews_ns, slew_ns)
        columns, across = _between(self.loads_fF, load_fF)
        right, below = np.minimum(columns + 1, len(self.loads_fF) - 1), np.minimum(rows + 1, len(self.slews_ns) - 1)
        e = self.energies_fJ
        upper = e[rows, columns] * (1.0 - across) + e[rows, right] * across
        lower = e[below, columns] * (1.0 - across) + e[below, right] * across
        found: Values = upper * (1.0 - along) + lower * along
        return found


def _between(places: Values, values: Values) -> tuple[NDArray[np.int64], Values]:
    """The place before each value, and how far it is from there to the next, in distances of the two."""
    if len(places) == 1:
        return np.zeros(len(values), np.int64), np.zeros(len(values))
    before = np.clip(np.searchsorted(places, values, side="right") - 1, 0, len(places) - 2)
    return before, (values - places[before]) / (places[before + 1] - places[before])


@dataclass(frozen=True, eq=False)
class InternalPower:
    """One group: the pin that its slew is of ("" for the pin itself), its supply pin, and one table or two."""

    related: str
    supply: str
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class PinPower:
    """All groups of a pin."""

    groups: tuple[InternalPower, ...]

    def energy_fJ(self, slews_ns: Mapping[str, Values], load_fF: Values) -> Values:
        """Mean energy of a transition, float64 [count]; slews by the related pin's name, "" for the pin itself."""
        total = np.zeros(len(load_fF))
        for supply in {group.supply: None for group in self.groups}:
            each = [
                np.mean([table.at(slews_ns[group.related], load_fF) for table in group.tables], axis=0)
                for group in self.groups
                if group.supply == supply
            ]
            total += np.mean(each, axis=0)
        return total


@dataclass(frozen=True)
class CellPower:
    """Pin -> its groups, and which pins take a clock."""

    pins: dict[str, PinPower]
    clocks: frozenset[str]


def _numbers(text: str) -> list[float]:
    return [float(value) for value in re.split(r"[\s,]+", text.strip()) if value]


class _Tables:
    """Tables of one library, in femtojoules."""

    def __init__(self, library: Library, group: Group) -> None:
        self._name = library.name
        self._templates = {each.arguments[0]: each.attributes for each in group.named("power_lut_template")}
        self._load_fF = library.capacitance_fF
        volts = _unit(group.attributes.get("voltage_unit", "1V"), {"v": 1.0, "mv": 1e-3})
        self._energy_fJ = library.capacitance_fF * volts**2
        self._time_ns = _unit(group.attributes.get("time_unit", "1ns"), {"ns": 1.0, "ps": 1e-3, "us": 1e3})

    def table(self, group: Group) -> Table:
        template = self._templates.get(group.arguments[0] if group.arguments else "", {})
        values = np.array(_numbers(group.attributes["values"]))
        axes: dict[str, Values] = {}
        order: list[str] = []
        for number in (1, 2):
            kind = template.get(f"variable_{number}")
            if kind is None:
                continue
            if kind not in (_SLEW, _LOAD):
                raise LibraryError(
                    f"The library {self._name} has tables of internal power over {kind}, and they must be over "
                    f"{_SLEW} and {_LOAD}: use a library with such tables"
                )
            places = _numbers(group.attributes.get(f"index_{number}", template.get(f"index_{number}", "")))
            axes[kind] = np.array(places) * (self._time_ns if kind == _SLEW else self._load_fF)
            order.append(kind)
        one = np.zeros(1)
        slews, loads = axes.get(_SLEW, one), axes.get(_LOAD, one)
        if len(values) != len(slews) * len(loads):
            raise LibraryError(
                f"The library {self._name} has a table of internal power, line {group.line}, with {len(values)} values "
                f"for {len(slews)} slews and {len(loads)} loads: use a library whose tables are whole"
            )
        grid = values.reshape([len(axes[kind]) for kind in order] or [1])
        grid = grid.T if order == [_LOAD, _SLEW] else grid
        return Table(slews, loads, grid.reshape(len(slews), len(loads)) * self._energy_fJ)


def _unit(text: str, known: Mapping[str, float]) -> float:
    match = re.fullmatch(r"\s*([\d.]*)\s*([a-z]+)\s*", text.lower())
    if match is None or match[2] not in known:
        raise LibraryError(f"A library's unit is {text!r}, and it must be one of {', '.join(known)}: correct the file")
    return float(match[1] or 1.0) * known[match[2]]


def _pins(cell: Group) -> Iterable[tuple[str, Group]]:
    inner = [pin for outer in cell.groups if outer.name in ("bus", "bundle") for pin in outer.named("pin")]
    return ((name, pin) for pin in (*cell.named("pin"), *inner) for name in pin.arguments)


def _pin_power(pin: Group, tables: _Tables) -> PinPower:
    found: list[InternalPower] = []
    for group in pin.named("internal_power"):
        each = [member for kind in ("rise_power", "fall_power", "power") for member in group.named(kind)]
        if not each:
            continue
        made = tuple(tables.table(member) for member in each if "values" in member.attributes)
        supply = group.attributes.get("related_pg_pin", "")
        for related in group.attributes.get("related_pin", "").split() or [""]:
            found.append(InternalPower(related, supply, made))
    return PinPower(tuple(found))


def _clocks(cell: Group) -> frozenset[str]:
    marked = {name for name, pin in _pins(cell) if pin.attributes.get("clock", "").lower() == "true"}
    for kind in ("ff", "ff_bank"):
        for group in cell.named(kind):
            marked |= set(re.findall(r"[A-Za-z_]\w*", group.attributes.get("clocked_on", "")))
    return frozenset(marked)


def read_power(libraries: Sequence[Library], names: Iterable[str]) -> dict[str, CellPower]:
    """What transitions of the pins take, of the cells of some names; pins without tables have no groups.

    Raises `LibraryError` for tables that are not whole, or over other quantities than slew and load.
    """
    wanted = set(names)
    found: dict[str, CellPower] = {}
    for library in libraries:
        own = wanted & set(library.cells) - set(found)
        if not own:
            continue
        group = read_cells(library, own, ("internal_power", "power_lut_template", "rise_power", "fall_power"))
        tables = _Tables(library, group)
        for cell in group.named("cell"):
            pins = {name: _pin_power(pin, tables) for name, pin in _pins(cell)}
            found[cell.arguments[0]] = CellPower(pins, _clocks(cell))
    return found
