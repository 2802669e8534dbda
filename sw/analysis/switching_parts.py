"""Which part of the energy table a component of the netlist belongs to, by its path."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["CLOCK", "MEMORY_CLOCK", "OTHER", "book", "logic_part"]

CLOCK = "clock"
OTHER = "other logic"
MEMORY_CLOCK = "clock of memories"
_TOPS = (
    ("encoder", "encoding"),
    ("collector_", "spike collectors"),
    ("join_", "spike collectors"),
    ("counter", "decision"),
    ("terminator", "decision"),
    ("map_", "map logic"),
    ("loader", "map logic"),
    ("windows_", "map logic"),
    ("distributor_", "map logic"),
    ("pool_", "pooling"),
)
_IN_LAYER = {
    "neuron_array": "neurons",
    "column_readout": "column readout",
    "dac_driver": "row drivers' logic",
    "programmer": OTHER,
}
"""Within a layer; its other components are activity counters."""


def logic_part(path: str) -> str:
    """The part of a component that is no memory: the logic of what it computes."""
    top, _, rest = path.partition("/")
    if top.startswith("layer_"):
        return _IN_LAYER.get(rest.partition("/")[0], "activity counters")
    return next((part for start, part in _TOPS if top.startswith(start)), OTHER)


def book(path: str, memories: Iterable[tuple[str, str]]) -> tuple[str, bool]:
    """Part of a component, and whether it is a memory, or inside one.

    memories : (path in the hardware's hierarchy, with dots, and the part that books it) of all; "" is no part
    """
    dotted = path.replace("/", ".")
    for place, part in memories:
        if dotted == place or dotted.startswith(f"{place}."):
            return part or OTHER, True
    return logic_part(path), False
