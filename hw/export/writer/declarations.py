"""Header and declarations of a module, with what the sources say of ports and signals."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence

from amaranth.lib.wiring import Component

from spikeloom.hw.export.amaranth_internals import fields_of
from spikeloom.hw.export.writer.comments import Comments, member_notes
from spikeloom.hw.export.writer.connections import Joined
from spikeloom.hw.export.writer.hierarchy import Member, Node
from spikeloom.hw.export.writer.layout import WIDTH
from spikeloom.hw.export.writer.variables import Binding, Machine, Variable, Variables, declared

__all__ = ["declaration", "declarations", "header"]


def header(node: Node, variables: Variables, registers: Collection[Variable], clocked: bool) -> Iterator[str]:
    """Lines of the ports, from behind the module's name on."""
    lines: list[tuple[list[str], str]] = []
    if clocked:
        lines += [([], "input  wire clk"), ([], "input  wire rst")]
    notes = member_notes(node.component)
    said: dict[str, str] = {}
    for member in node.members:
        binding = variables.binding(member.signal)
        kind = "reg " if binding.whole in registers else "wire"
        direction = "input" if member.is_input else "output"
        above = _notes(node.component, member, notes, said)
        if fields := [name for name, *_ in fields_of(member.signal)]:
            above = [*above, *_wrapped(f"{member.port} = {{{', '.join(reversed(fields))}}}")]
        lines.append((above, f"{direction:6} {kind} {declared(binding.whole)}{member.port}"))
    yield " ("
    for number, (above, line) in enumerate(lines):
        yield from (f"    // {text}" for text in above)
        yield f"    {line}" + ("," if number + 1 < len(lines) else "")
    yield ");"


def _notes(component: Component, member: Member, notes: dict[str, str], said: dict[str, str]) -> list[str]:
    """What the docstrings say of a member, when its first port comes.

    `said` : members -> their text; the one that was said last, under "", is not repeated
    """
    found: list[str] = []
    name = str(member.path[0])
    texts = [] if name in said else [("", notes.get(name, ""))]
    said.setdefault(name, notes.get(name, ""))
    inner = component.signature.members.get(name)
    if inner is not None and not inner.is_port and len(member.path) > 1:
        label = str(member.path[1])
        texts.append((f"{label}: ", member_notes(inner.signature).get(label, "")))
    for label, text in texts:
        if text and text != said.get(""):
            found += _wrapped(label + text)
        said[""] = text
    return found


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 7)


def declarations(
    node: Node,
    variables: Variables,
    comments: Comments,
    machines: Sequence[Machine],
    registers: Collection[Variable],
    joined: Joined,
    ends: Collection[Variable],
    gone: Collection[Variable],
    nets: Sequence[Variable],
) -> Iterator[str]:
    """States of state machines, signals, and names of fields.

    `ends` are the wires of what is inside; they come last. `gone` are declared elsewhere. `nets` hold values of which
    bits are selected.
    """
    for machine in machines:
        yield from _states(machine)
    ports = {variables.binding(member.signal).whole for member in node.members}
    own: list[tuple[int, Variable, Binding]] = []
    aliases: list[str] = []
    used = {variables.root(variable) for variable in variables.read} | set(registers)
    used.update(v for group in joined.groups for v in group.variables)
    for _, binding in variables.bindings():
        whole = binding.whole
        if binding.split:
            inside = [variable for _, variable in binding.fields]
            if whole in used or whole in ports:
                names = ", ".join(variables.whole(variable).text for variable in reversed(inside))
                sign = "assign " if whole in ports else f"wire {declared(whole)}"
                aliases.append(f"{sign}{whole.name} = {{{names}}};")
                used.update(inside)
            own += [(variable.order, variable, binding) for variable in inside if variable in used]
            continue
        if whole not in ports and whole not in variables.aliases and whole in used:
            own.append((whole.order, whole, binding))
        for low, variable in binding.fields:
            if variable in used:
                root = variables.root(whole)
                part = f"[{low + variable.width - 1}:{low}]" if variable.width > 1 else f"[{low}]"
                aliases.append(f"wire {declared(variable)}{variable.name} = {root.name}{part};")
                if root not in ports and root not in used:
                    own.append((root.order, root, binding))
                    used.add(root)
    own.sort(key=lambda entry: (entry[1] in ends, entry[0]))
    yield ""
    for variable in (*(entry[1] for entry in own), *nets):
        if variable not in gone:
            yield from declaration(variable, variable.name, variable in registers, comments)
    yield ""
    yield from aliases


def declaration(variable: Variable, name: str, register: bool, comments: Comments) -> Iterator[str]:
    """Lines that declare a variable under a name."""
    yield from (f"// {line}" for line in comments.above(variable.place))
    note = comments.beside(variable.place)
    kind = "reg " if register else "wire"
    yield f"{kind} {declared(variable)}{name};" + (f"  // {note}" if note else "")


def _states(machine: Machine) -> Iterator[str]:
    bits = max(1, max(machine.states).bit_length())
    states = ", ".join(f"{name} = {bits}'d{code}" for code, name in sorted(machine.states.items()))
    yield f"localparam [{bits - 1}:0] {states};"
