"""The components of a unit, one by one: what each elaborated to, and what is inside it.

A parent knows of a component inside it only the members: `<instance>__<member>` (`dac_driver__o__payload`). A component
in a `ResetInserter` is a module as it would be without one, whose instance is reset by `rst` or the signal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Fragment, Value
from amaranth.lib.wiring import Component, In

from spikeloom.hw.export.amaranth_internals import memory_of, take_reset

__all__ = ["Child", "Member", "Memory", "Node", "members_of", "node_of"]


@dataclass(frozen=True)
class Member:
    """A port of a component.

    Attributes
    ----------
    port : its name, `o__payload`
    signal : what it is inside and outside
    is_input : direction, as the component sees it
    path : names and numbers that lead to it
    """

    port: str
    signal: Any
    is_input: bool
    path: tuple[str | int, ...]


@dataclass(frozen=True)
class Child:
    """A component inside another: its name there, and what resets it besides `rst`."""

    label: str
    node: Node
    reset: Any


@dataclass(frozen=True)
class Memory:
    """A memory of a component."""

    label: str
    fragment: Any


@dataclass(frozen=True)
class Node:
    """A component and what it elaborated to.

    Attributes
    ----------
    path : place in the hierarchy, with dots: `npu.layer_0.dac_driver`
    """

    path: str
    component: Component
    fragment: Any
    members: tuple[Member, ...]
    children: tuple[Child, ...]
    memories: tuple[Memory, ...]

    def statements(self, domain: str) -> list[Any]:
        """Its own statements of `comb` or `sync`."""
        return list(self.fragment.statements.get(domain, ()))


def members_of(component: Component) -> Iterator[Member]:
    """The ports of a component in the order of its signature; members without bits have none."""
    for path, member, value in component.signature.flatten(component):
        signal = Value.cast(value)
        if len(signal):
            yield Member("__".join(map(str, path)), signal, member.flow == In, tuple(path))


def node_of(component: Component, name: str) -> Node:
    """Elaborate a component.

    Raises
    ------
    ValueError : clock domains other than sync, or something inside that is no component: its ports would have no names
    """
    return _node(Fragment.get(component, None), component, name)


def _node(fragment: Any, component: Component, path: str) -> Node:
    if unknown := set(fragment.statements) - {"comb", "sync"}:
        raise ValueError(f"Module {path} has clock domains other than sync: {', '.join(sorted(unknown))}")
    children, memories = [], []
    for index, (inner, given, _) in enumerate(fragment.subfragments):
        label = given or f"part_{index}"
        if memory_of(inner) is not None:
            memories.append(Memory(label, inner))
            continue
        found = next((origin for origin in inner.origins or () if isinstance(origin, Component)), None)
        if found is None:
            raise ValueError(f"{path}.{label} is not a component: its ports would have no names")
        reset = take_reset(inner)
        children.append(Child(label, _node(inner, found, f"{path}.{label}"), reset))
    return Node(path, component, fragment, tuple(members_of(component)), tuple(children), tuple(memories))
