"""RTLIL of a component and of the components inside it, one module each, with exactly the members as ports.

Converting the whole hierarchy at once would make a port of every bundle of bits that crosses a boundary, named after a
signal inside. Here every component is converted by itself, as if it were the top, and its parent holds an instance:

- ports are all members of the component's signature, under their own names (`o__payload`), used or not
- a parent calls the members of a component inside it `<instance>__<member>` (`dac_driver__o__payload`); a signal
  between two of them has the name of the output
- names and numbers of a module depend on that component only

Two more things are settled here, because the text still tells what is what:

- names of signals of which a part is driven alone: the register in `o__payload` is `o__payload_part`; and of values
  that are cut to a signal: `amount` is the low end of `amount_uncut`
- aliases nobody reads are left out: second names of signals and slices, and elements of arrays. Fields of structs stay.

A component in a `ResetInserter` is a module as it would be without one, whose instance is reset by `rst` or the signal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count

from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Fragment, Instance, ResetSignal, Signal, Value
from amaranth.lib.wiring import Component, In

from spikeloom.hw.export.amaranth_internals import SignalDict, take_reset
from spikeloom.hw.export.writer.comments import summary_of
from tests.coverage.rtlil_text.internals import PortDirection, prefer_names

__all__ = ["RtlilModule", "converter", "rtlil_modules", "tidy"]

_CLOCK = {"clk": ClockSignal, "rst": ResetSignal}

_ANONYMOUS = re.compile(r"(?<![^\s{])\$(\d+)(?![^\s])")
_PORT = re.compile(r"^  wire width \d+ (?:input|output) \d+ +(?:signed )?\\(\S+)$", re.M)
_SLICE = re.compile(r"(\S+) \[(?:\d+:)?(\d+)\]$")
_FIELD = re.compile(r"[.\[]")


@dataclass(frozen=True)
class RtlilModule:
    """One component.

    Attributes
    ----------
    name : place in the hierarchy, with dots: `npu.layer_0.dac_driver`
    ports : names of the ports: clk and rst if the component is clocked, then the members in the signature's order
    summary : first sentence of the component's docstring, "" without one
    text : RTLIL
    """

    name: str
    ports: tuple[str, ...]
    summary: str
    text: str


def _members(component: Component) -> dict[str, tuple[Signal, PortDirection]]:
    """Signals of a component's members, under the names of their ports; members without bits have none."""
    members = {}
    for path, member, value in component.signature.flatten(component):
        direction = PortDirection.Input if member.flow == In else PortDirection.Output
        if len(Value.cast(value)):
            members["__".join(map(str, path))] = (Value.cast(value), direction)
    return members


class _Converter:
    """Converts the components of one hierarchy, inner ones first; `modules` grows meanwhile."""

    def __init__(self) -> None:
        self.modules: list[RtlilModule] = []
        self.names: list[tuple[Signal, str]] = []
        self._home = SignalDict()  # signal -> the module that has it; a member: the module around its component

    def convert(self, fragment: Fragment, component: Component, name: str) -> RtlilModule:
        """Convert one component, and before it all those inside; `fragment` is what it elaborated to."""
        outputs = self._replace_inner(fragment, name)
        members = _members(component)
        for port, (signal, _) in members.items():
            self._rename(signal, port)
        design = fragment.prepare(members, hierarchy=(name,))
        prefer_names(design, [signal for signal, _ in members.values()] + outputs)
        text, seen = rtlil.convert_fragment(design, name=name, emit_src=False)
        for signal in seen:
            home = self._home.setdefault(signal, name)
            if home != name:
                raise ValueError(f"Signal {signal.name} of {home} is used in {name}, but is not a member")
        declared = _PORT.findall(text)
        clocks = [clock for clock in _CLOCK if clock in declared]
        if unknown := set(declared) - {*clocks, *members}:
            raise ValueError(f"Module {name} has ports of clock domains other than sync: {', '.join(sorted(unknown))}")
        module = RtlilModule(name, (*clocks, *members), summary_of(component), tidy(text))
        self.modules.append(module)
        return module

    def _rename(self, signal: Signal, name: str) -> None:
        self.names.append((signal, signal.name))
        signal.name = name

    def _replace_inner(self, fragment: Fragment, name: str) -> list[Signal]:
        """Put instances in place of the components inside a module's fragment; returns their outputs."""
        outputs: list[Signal] = []
        for index, (inner, given, source) in enumerate(fragment.subfragments):
            if type(inner) is not Fragment:
                continue  # memories and foreign instances stay in their module
            label = given or f"part_{index}"
            component = next((origin for origin in inner.origins or () if isinstance(origin, Component)), None)
            if component is None:
                raise ValueError(f"{name}.{label} is not a component: its ports would have no names")
            reset = take_reset(inner)
            module = self.convert(inner, component, f"{name}.{label}")
            connections = [("i", clock, _CLOCK[clock]()) for clock in module.ports if clock in _CLOCK]
            if reset is not None:
                connections = [(kind, c, v | reset if c == "rst" else v) for kind, c, v in connections]
            for port, (signal, direction) in _members(component).items():
                self._rename(signal, f"{label}__{port}")
                self._home[signal] = name
                connections.append(("i" if direction is PortDirection.Input else "o", port, signal))
            outputs += [signal for kind, _, signal in connections if kind == "o"]
            fragment.subfragments[index] = (Instance(module.name, *connections), label, source)
        return outputs


@contextmanager
def converter() -> Iterator[_Converter]:
    """A converter; signals have their old names again afterwards."""
    converting = _Converter()
    try:
        yield converting
    finally:
        for signal, name in reversed(converting.names):
            signal.name = name


def rtlil_modules(component: Component, name: str) -> list[RtlilModule]:
    """Convert a component and all components inside it.

    Parameters
    ----------
    component : elaborated here
    name : name of its module, and the first part of the names of those inside

    Returns
    -------
    modules, inner ones first, the component's own last

    Raises
    ------
    ValueError : a component uses a signal of another one that is not a member, or clock domains other than sync, or a
        submodule is not a component: there would be ports without a name
    """
    with converter() as converting:
        converting.convert(Fragment.get(component, None), component, name)
        return converting.modules


def _anonymous_names(connections: list[tuple[str, str]], taken: set[str]) -> dict[str, str]:
    """Names for anonymous wires that named ones are made of or cut from: `$17` in `connect \\o__payload { $17 .. }`."""
    names: dict[str, str] = {}
    for target, source in connections:
        chunks = re.findall(r"(\S+) \[(?:\d+:)?(\d+)\]", source)
        is_joined = source.startswith("{")
        ending = "_part" if is_joined else "_uncut"
        for wire, low in chunks:
            if not wire.startswith("$") or wire in names or _FIELD.search(target) or not (is_joined or low == "0"):
                continue
            candidates = chain([target + ending], (f"{target}{ending}_{number}" for number in count(1)))
            names[wire] = next(name for name in candidates if name not in taken)
            taken.add(names[wire])
    return names


def tidy(text: str) -> str:
    """Leave out unread aliases, name anonymous parts, and pad anonymous names so that they sort in order of creation.

    Parameters
    ----------
    text : RTLIL of one module by Amaranth: what is connected at module level is a port or an alias, that is never read
    """
    lines = text.split("\n")
    parted = [line.split(" ", 2) for line in lines if line.startswith("connect ")]
    connections = [(target, source) for _, target, source in parted]
    declarations = [line.split() for line in lines if line.startswith(("  wire ", "  memory ", "  cell "))]
    outputs = {words[-1] for words in declarations if "output" in words}
    dropped: set[str] = set()
    for target, source in connections:
        piece = _SLICE.match(source)  # the only name of bits inside an anonymous wire stays
        is_copy = piece and (piece[1].startswith("\\") or piece[2] == "0")
        if target not in outputs and ("[" in target or (is_copy and not _FIELD.search(target))):
            dropped.add(target)
    dropped |= {target for target, _ in connections if _FIELD.split(target)[0] in dropped}
    names = _anonymous_names(connections, {words[-1] for words in declarations} - dropped)

    kept: list[str] = []
    for line in lines:
        if line.startswith("  wire ") and line.rsplit(" ", 1)[1] in dropped:
            while kept[-1].startswith("  attribute"):
                kept.pop()
        elif not (line.startswith("connect ") and line.split(" ", 2)[1] in dropped):
            kept.append(line)
    return _ANONYMOUS.sub(lambda match: names.get(f"${match[1]}") or f"${int(match[1]):06d}", "\n".join(kept))
