"""One module: its variables, what drives them, and its text but for the names of the modules inside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Const, Signal

from spikeloom.hw.export.amaranth_internals import (
    Assign,
    MemoryPort,
    SignalDict,
    enumeration_of,
    fields_of,
    machines_of,
    memory_of,
    memory_ports,
)
from spikeloom.hw.export.writer.always_blocks import Writer
from spikeloom.hw.export.writer.comments import Comments, summary_of
from spikeloom.hw.export.writer.connections import Joined, join
from spikeloom.hw.export.writer.declarations import declaration, declarations, header
from spikeloom.hw.export.writer.drivers import driven, names_of, start_values
from spikeloom.hw.export.writer.grouping import Dependences, Group, clocked_groups, combinational_groups
from spikeloom.hw.export.writer.hierarchy import Memory, Node
from spikeloom.hw.export.writer.lanes import Block, families_of, roll
from spikeloom.hw.export.writer.layout import broken
from spikeloom.hw.export.writer.memories import MemoryKind, kind_of
from spikeloom.hw.export.writer.repeated import repeated
from spikeloom.hw.export.writer.statements import Statement, lowered, reads_of, restricted, targets
from spikeloom.hw.export.writer.values import Printer
from spikeloom.hw.export.writer.variables import Machine, Names, Variable, Variables

__all__ = ["MARK", "ModuleText", "write_module"]

MARK = "\0"
"""Around the number of what is inside, where its module's name comes."""


@dataclass(eq=False)
class ModuleText:
    """A module.

    Attributes
    ----------
    node : the component
    summary : the sentence above it
    body : lines from the header's ports to `endmodule`, with numbers for the modules inside
    inside : what the numbers stand for: a component's module or a kind of memory
    clocked : it has the ports clk and rst
    needs : output -> the inputs on which it depends without a clock
    signals : all that it has a name for
    """

    node: Node
    summary: str
    clocked: bool
    body: list[str] = field(default_factory=list)
    inside: list[ModuleText | MemoryKind] = field(default_factory=list)
    needs: dict[str, set[str]] = field(default_factory=dict)
    signals: list[Any] = field(default_factory=list)


def write_module(node: Node, inner: Mapping[str, ModuleText]) -> ModuleText:
    """The text of a component's module.

    Parameters
    ----------
    node : the component
    inner : label of a component inside -> its module

    Raises
    ------
    ValueError : the component does what Verilog has no words for, or a port is called like a keyword
    """
    return _ModuleWriter(node, inner).write()


class _ModuleWriter:
    def __init__(self, node: Node, inner: Mapping[str, ModuleText]) -> None:
        self._node = node
        self._inner = inner
        self._ports = {memory.label: memory_ports(memory.fragment) for memory in node.memories}
        clocked = bool(node.statements("sync")) or any(module.clocked for module in inner.values())
        clocked |= any(port.clocked for reads, writes in self._ports.values() for port in (*reads, *writes))
        self._module = ModuleText(node, summary_of(node.component), clocked)
        self._names = Names()
        self._variables = Variables(self._names)
        self._printer = Printer(self._variables)
        self._comments = Comments()
        self._writer = Writer(self._printer, self._names, self._comments.above)
        self._machines: list[Machine] = []
        self._nets: list[Variable] = []

    def write(self) -> ModuleText:
        """The module."""
        self._declare()
        comb = lowered(list(self._named(self._node.statements("comb"))), self._variables)
        sync = lowered(self._node.statements("sync"), self._variables)
        if both := set(targets(comb)) & set(targets(sync)):
            names = ", ".join(sorted(variable.name for variable in both))
            raise ValueError(f"{self._node.path}: parts of {names} are clocked and parts are not; use a layout")
        clocked = clocked_groups(sync)
        known: Dependences = {}
        self._enter_inside(known)
        comb = self._living(comb, clocked)
        inputs = [v for member in self._node.members if member.is_input for v, _, _ in self._pieces(member.signal)]
        needed = self._needed_outside().union(*(found for _, found in reads_of([*comb, *sync], self._variables.reads)))
        comb += start_values(needed.difference(targets(comb), targets(sync), inputs, self._sources))
        groups = combinational_groups(comb, self._variables.reads, known, inputs, self._outputs)
        joined = join(
            groups,
            clocked,
            self._variables,
            sinks=self._sinks,
            sources=self._sources,
            outputs=self._outputs,
            length=lambda value: len(self._printer.value(value).text),
        )
        self._variables.aliases = joined.aliases
        self._enter_needs(known)
        self._variables.read.clear()
        self._text(joined, clocked)
        self._module.signals = [signal for signal, _ in self._variables.bindings()]
        return self._module

    def _named(self, statements: Iterable[Any]) -> Iterator[Any]:
        """Statements but for those that say what a signal without a name means."""
        for statement in statements:
            if isinstance(statement, Assign) and isinstance(statement.lhs, Signal) and not statement.lhs.name:
                self._variables.meanings[statement.lhs] = statement.rhs
            else:
                yield statement

    def _declare(self) -> None:
        """Names and variables of ports, instances, memories, state machines and signals, in that order."""
        node = self._node
        drives = driven([*node.statements("comb"), *node.statements("sync")])
        partly = SignalDict([(signal, None) for signal, part in drives.items() if part and fields_of(signal)])
        given = names_of(signal for signal in drives if signal.name == "$signal")
        ports = [*(("clk", "rst") if self._module.clocked else ()), *(member.port for member in node.members)]
        if keywords := [port for port in ports if not self._names.free(port)]:
            raise ValueError(f"Module {node.path} cannot have ports called {', '.join(keywords)}: Verilog keywords")
        for clock in ports[: len(ports) - len(node.members)]:
            self._names.take(clock)
        bind = self._variables.bind
        for member in node.members:
            binding = bind(member.signal, member.port, split=not member.is_input and member.signal in partly)
            assert binding.whole.name == member.port
        labels = [*(child.label for child in node.children), *(memory.label for memory in node.memories)]
        self._labels = {label: self._names.take(label) for label in labels}
        for _, signal, states in machines_of(node.fragment):
            self._machines.append(self._machine(signal, states))
        for signal in drives:
            if signal not in self._variables and not drives[signal] and (states := enumeration_of(signal)):
                self._machines.append(self._machine(signal, states))
        self._sinks: set[Variable] = set()
        self._sources: set[Variable] = set()
        for child in node.children:
            for member in child.node.members:
                name = f"{child.label}__{member.port}"
                binding = bind(member.signal, name, split=member.is_input and member.signal in partly)
                ends = self._sinks if member.is_input else self._sources
                ends.update(variable for variable, _, _ in self._pieces(member.signal))
        for label, (reads, writes) in self._ports.items():
            names = [name for _, _, name in kind_of(reads, writes).ports()][1:]
            values = [value for port in (*writes, *reads) for value in _values_of(port)]
            data = [port.data for port in reads]
            for name, value in zip(names, values, strict=True):
                if isinstance(value, Signal) and len(value):
                    bind(value, f"{label}__{name}", split=value in partly)
                    ends = self._sources if any(value is each for each in data) else self._sinks
                    ends.update(variable for variable, _, _ in self._pieces(value))
        self._outputs = {
            variable for member in node.members if not member.is_input for variable, _, _ in self._pieces(member.signal)
        }
        for signal in drives:
            if signal.name and signal not in self._variables:
                bind(signal, given.get(signal, signal.name), split=signal in partly)

    def _pieces(self, signal: Any) -> list[tuple[Variable, int, int]]:
        return list(self._variables.pieces(signal, 0, len(signal)))

    def _machine(self, signal: Any, states: Mapping[int, str]) -> Machine:
        """A state machine's states, and the signal of its state."""
        if signal not in self._variables:
            self._variables.bind(signal, signal.name)
        machine = Machine({code: self._names.take(state) for code, state in states.items()})
        self._variables.binding(signal).whole.machine = machine
        return machine

    def _enter_inside(self, known: Dependences) -> None:
        """What the outputs of modules and memories inside depend on."""
        for child in self._node.children:
            signals = {member.port: member.signal for member in child.node.members}
            for output, inputs in self._inner[child.label].needs.items():
                for variable, _, _ in self._pieces(signals[output]):
                    needed = known.setdefault(variable, set())
                    for port in inputs:
                        needed.update(source for source, _, _ in self._pieces(signals[port]))
        for reads, _ in self._ports.values():
            for reader in reads:
                if not reader.clocked:
                    for variable in self._variables.reads(reader.data):
                        known.setdefault(variable, set()).update(self._variables.reads(reader.address))

    def _living(self, statements: list[Statement], clocked: Iterable[Group]) -> list[Statement]:
        """The statements without those whose results nothing reads."""
        needs: dict[Variable, set[Variable]] = {}
        for target, sources in _all_reads(statements, self._variables):
            needs.setdefault(target, set()).update(sources)
        alive = self._needed_outside()
        for group in clocked:
            for _, sources in reads_of(group.statements, self._variables.reads):
                alive |= sources
        stack = list(alive)
        while stack:
            for source in needs.get(stack.pop(), ()):
                if source not in alive:
                    alive.add(source)
                    stack.append(source)
        return restricted(statements, alive)

    def _needed_outside(self) -> set[Variable]:
        """What is needed by others than the statements: outputs, inputs of what is inside, and its resets."""
        resets = (child.reset for child in self._node.children if child.reset is not None)
        return set(self._outputs).union(self._sinks, *(self._variables.reads(reset) for reset in resets))

    def _enter_needs(self, known: Dependences) -> None:
        """On which inputs the module's outputs depend."""
        inputs = {
            variable: member.port
            for member in self._node.members
            if member.is_input
            for variable, _, _ in self._pieces(member.signal)
        }
        for member in self._node.members:
            if member.is_input:
                continue
            seen: set[Variable] = set()
            stack = [variable for variable, _, _ in self._pieces(member.signal)]
            while stack:
                current = stack.pop()
                if current not in seen:
                    seen.add(current)
                    stack += known.get(current, ())
            self._module.needs[member.port] = {inputs[variable] for variable in seen if variable in inputs}

    def _text(self, joined: Joined, clocked: list[Group]) -> None:
        """All lines. What is inside is printed first, since only what is read is declared."""
        blocks: list[Block] = []
        inside = [*self._memories(joined), *self._instances(joined)]
        self._add(blocks, [], ())
        registers: set[Variable] = set()
        for group in joined.groups:
            choice = None if group.continuous else self._writer.choice(group)
            if choice is not None:
                self._add(blocks, [choice], group.variables)
            elif group.continuous:
                self._add(blocks, list(self._writer.assigns(group)), group.variables)
            else:
                self._add(blocks, list(self._writer.combinational(group)), group.variables)
                registers.update(group.variables)
        for group in clocked:
            self._add(blocks, list(self._writer.clocked(group)), group.variables, True)
            registers.update(group.variables)
        ends = self._sinks | self._sources
        ports = {variable for member in self._node.members for variable, _, _ in self._pieces(member.signal)}
        free = {variable: None for block in blocks for variable in block.variables if variable not in ports | ends}
        rolled = roll(blocks, families_of(free), self._names)
        declared = declarations(
            self._node,
            self._variables,
            self._comments,
            self._machines,
            registers,
            joined,
            ends,
            rolled.gone,
            self._nets,
        )
        above = [rolled.outside(line) for line in declared]
        inside = [rolled.outside(line) for line in inside]
        logic = list(rolled.lines(lambda v, name: list(declaration(v, name, v in registers, self._comments))))
        logic = list(repeated(logic, self._names.take("n")))
        vectors = [f.declaration() for f in rolled.families.values() if f.outside or f.gathered]
        genvar = [f"genvar {rolled.index};"] if rolled.index else []
        lines = [*above, *vectors, *genvar, "", *inside, *logic]
        head = header(self._node, self._variables, registers, self._module.clocked)
        body = (part for line in _tidy(lines) for part in broken(f"  {line}".rstrip()))
        self._module.body = [*head, *body, "endmodule"]

    def _add(
        self, blocks: list[Block], lines: list[str], variables: tuple[Variable, ...], registers: bool = False
    ) -> None:
        """Add a block, of registers or not, and before it the nets that it needs."""
        fresh, self._variables.fresh = self._variables.fresh, []
        for net, value in fresh:
            if not registers and not self._variables.reads(value).isdisjoint(variables):
                raise ValueError(
                    f"{self._node.path}: a part of {net.name} is needed where it is made; give it a signal"
                )
            line = f"assign {net.name} = {self._printer.definition(value).text};"
            self._add(blocks, [line], (net,))
            self._nets.append(net)
        if lines:
            blocks.append(Block(lines, variables))

    def _instances(self, joined: Joined) -> Iterator[str]:
        for child in self._node.children:
            module = self._inner[child.label]
            connections = []
            if module.clocked:
                connections.append(("clk", "clk"))
                reset = "rst" if child.reset is None else f"rst | {self._printer.value(child.reset).at(89)}"
                connections.append(("rst", reset))
            for member in child.node.members:
                connections.append((member.port, self._connected(member.signal, joined)))
            yield from self._instance(module, "", self._labels[child.label], connections)

    def _instance(
        self, module: ModuleText | MemoryKind, parameters: str, label: str, connections: list[tuple[str, str]]
    ) -> Iterator[str]:
        yield f"{MARK}{len(self._module.inside)}{MARK} {parameters}{label} ("
        self._module.inside.append(module)
        last = len(connections) - 1
        for number, (port, text) in enumerate(connections):
            yield f"  .{port}({text})" + ("," if number < last else "")
        yield ");"
        yield ""

    def _connected(self, signal: Any, joined: Joined) -> str:
        """What a port inside is connected to."""
        binding = self._variables.binding(signal)
        texts = [
            self._printer.value(joined.values[variable], variable.width).text
            if variable in joined.values
            else self._variables.whole(variable).text
            for variable, _, _ in self._pieces(signal)
        ]
        return texts[0] if not binding.split else "{" + ", ".join(reversed(texts)) + "}"

    def _memories(self, joined: Joined) -> Iterator[str]:
        for memory in self._node.memories:
            reads, writes = self._ports[memory.label]
            yield from self._memory(memory, reads, writes, joined)

    def _memory(
        self, memory: Memory, reads: list[MemoryPort], writes: list[MemoryPort], joined: Joined
    ) -> Iterator[str]:
        kind = kind_of(reads, writes)
        shape = memory_of(memory.fragment)
        assert shape is not None
        width, depth, _, _ = shape
        address = max(1, (depth - 1).bit_length())
        parameters = {"WIDTH": width, "DEPTH": depth, "ADDRESS_BITS": address}
        if kind.by_lane:
            parameters["LANE_BITS"] = writes[0].granularity
        texts = ["clk"]
        for port in (*writes, *reads):
            if port.clocked:
                texts.append(self._input(port.enable, joined))
            texts.append(self._input(port.address, joined))
            texts.append(self._connected(port.data, joined) if port in reads else self._input(port.data, joined))
        connections = [(port, text) for (_, _, port), text in zip(kind.ports(), texts, strict=True)]
        settings = ", ".join(f".{name}({value})" for name, value in parameters.items())
        yield from self._instance(kind, f"#({settings}) ", self._labels[memory.label], connections)

    def _input(self, value: Any, joined: Joined) -> str:
        if isinstance(value, Const) or len(value) == 0:
            return self._printer.value(value, max(1, len(value))).text
        return self._connected(value, joined)


def _values_of(port: MemoryPort) -> list[Any]:
    """What a memory's port is connected to, in the order of its kind's ports."""
    return [*((port.enable,) if port.clocked else ()), port.address, port.data]


def _all_reads(statements: Iterable[Statement], variables: Variables) -> Iterator[tuple[Variable, frozenset[Variable]]]:
    for target, sources in reads_of(statements, variables.reads):
        if target is not None:
            yield target, sources


def _tidy(lines: Iterable[str]) -> Iterator[str]:
    """Lines without empty ones at the ends or side by side."""
    before = ""
    waiting = False
    for line in lines:
        if not line:
            waiting = bool(before)
            continue
        if waiting:
            yield ""
        waiting = False
        yield line
        before = line
