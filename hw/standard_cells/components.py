"""What every component of a mapped netlist is made of: cells, flip-flops and area, by instance."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from spikeloom.hw.standard_cells.liberty import Cell, Library

__all__ = ["Component", "Netlist", "components", "mapped_components", "read_netlist", "totals"]

_LINE = re.compile(r"^module (\S+?) ?\(|^  (?!module\b)([A-Za-z_]\w*) (\\\S+ |\w+) ?\($|^(endmodule)", re.M)


@dataclass
class Netlist:
    """One module of a netlist: how many instances of each cell it has, and its other instances, name -> module."""

    cells: Counter[str] = field(default_factory=Counter)
    inside: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Component:
    """One instance of a module, without the instances inside it.

    Parameters
    ----------
    path : names of instances from the top on, joined by slashes; "" for the top
    module : what it is an instance of
    cells, flip_flops : how many
    area : of its cells, in the library's unit
    """

    path: str
    module: str
    cells: int
    flip_flops: int
    area: float


def read_netlist(text: str, cells: Mapping[str, Cell]) -> dict[str, Netlist]:
    """Modules of a netlist as Yosys writes it without attributes, an instance per line; `cells` are the library's."""
    found: dict[str, Netlist] = {}
    module = Netlist()
    for match in _LINE.finditer(text):
        if match[1]:
            module = found.setdefault(match[1], Netlist())
        elif match[2] in cells:
            module.cells[match[2]] += 1
        elif match[2]:
            module.inside[match[3].strip().removeprefix("\\")] = match[2]
    return found


def _walk(netlist: Mapping[str, Netlist], module: str, path: str) -> Iterator[tuple[str, str]]:
    yield path, module
    for name, inner in netlist[module].inside.items():
        if inner in netlist:  # not a memory
            yield from _walk(netlist, inner, f"{path}/{name}" if path else name)


def components(netlist: Mapping[str, Netlist], top: str, libraries: Sequence[Library]) -> list[Component]:
    """Every instance, the top first, then each with those inside it; modules may have several instances."""
    cells = {name: cell for library in reversed(libraries) for name, cell in library.cells.items()}
    own = {}
    for name, module in netlist.items():
        area = sum(cells[cell].area * count for cell, count in module.cells.items())
        flip_flops = sum(count for cell, count in module.cells.items() if cells[cell].kind == "flip-flop")
        own[name] = (sum(module.cells.values()), flip_flops, area)
    return [Component(path, module, *own[module]) for path, module in _walk(netlist, top, "")]


def mapped_components(netlist: str, top: str, libraries: Sequence[Library]) -> list[Component]:
    """Every instance of a netlist's top module, as `components` has them."""
    cells = {name: cell for library in reversed(libraries) for name, cell in library.cells.items()}
    return components(read_netlist(netlist, cells), top, libraries)


def totals(found: Sequence[Component], path: str = "") -> Component:
    """A component with everything inside it."""
    chosen = [part for part in found if not path or part.path == path or part.path.startswith(f"{path}/")]
    module = next(part.module for part in chosen if part.path == path)
    return Component(
        path,
        module,
        sum(part.cells for part in chosen),
        sum(part.flip_flops for part in chosen),
        sum(part.area for part in chosen),
    )
