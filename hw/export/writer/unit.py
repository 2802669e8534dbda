"""All modules of a unit: each text once, whatever the number of its instances, and every module under a telling name.

A module with one instance is named after its place, `npu_layer_0_neuron_array`. One with several is named after its
first place if they all have the same name there but for a number, as the `dac_driver` of equal layers, or the layers
themselves, and else after its class:
`npu_activity_counter`. Where several texts of such a class are shared, the widths of ports tell them apart:
`npu_activity_counter_amount_3`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from amaranth.lib.wiring import Component

from spikeloom.hw.export.amaranth_internals import SignalDict
from spikeloom.hw.export.writer.hierarchy import Node, node_of
from spikeloom.hw.export.writer.layout import TIMESCALE
from spikeloom.hw.export.writer.memories import MemoryKind
from spikeloom.hw.export.writer.module import MARK, ModuleText, write_module

__all__ = ["files_of", "unit_files"]

_COMMENT_WIDTH = 120


@dataclass(eq=False)
class _Shared:
    """A text that one or several instances have.

    Attributes
    ----------
    what : a component's module, or a kind of memory
    kind : last part of its name, where the place does not give it
    inside : what stands for the numbers in the text
    places : of the instances, `npu.layer_0.spikes`
    """

    what: ModuleText | MemoryKind
    kind: str
    inside: list[_Shared]
    places: list[str] = field(default_factory=list)

    def labels(self) -> set[str]:
        """Names of the instances, wherever they are, without numbers."""
        return {re.sub(r"_\d+$", "", place.rsplit(".", 1)[-1]) for place in self.places}

    def widths(self) -> dict[str, int]:
        """Bits of the ports."""
        assert isinstance(self.what, ModuleText)
        return {member.port: len(member.signal) for member in self.what.node.members}

    def text(self, names: dict[_Shared, str]) -> str:
        """The whole file."""
        if isinstance(self.what, MemoryKind):
            lines, above = list(self.what.text(names[self])), self.what.summary()
        else:
            head, *rest = self.what.body
            lines, above = [f"module {names[self]}{head}", *rest], [self.what.summary]
            lines = [re.sub(f"{MARK}(\\d+){MARK}", lambda m: names[self.inside[int(m[1])]], line) for line in lines]
        places = ", ".join(self.places)
        said = [line for line in (*above, f"Instance{'s' * (len(self.places) > 1)}: {places}") if line]
        wrapped = [part for line in said for part in textwrap.wrap(line, _COMMENT_WIDTH - len("// "))]
        return "".join(f"// {line}\n" for line in wrapped) + TIMESCALE + "\n".join(lines) + "\n"


class _Unit:
    """The texts of a unit's modules, inner ones first."""

    def __init__(self) -> None:
        self.shared: dict[object, _Shared] = {}
        self._of: dict[ModuleText, _Shared] = {}
        self._home = SignalDict()  # signal -> the module that has it; a member: the module around its component

    def add(self, node: Node) -> ModuleText:
        """Write a component's module, and before it those inside it."""
        inner = {child.label: self.add(child.node) for child in node.children}
        module = write_module(node, inner)
        for signal in module.signals:
            home = self._home.setdefault(signal, node.path)
            if home != node.path:
                raise ValueError(f"Signal {signal.name} of {home} is used in {node.path}, but is not a member")
        for member in node.members:
            self._home[member.signal] = node.path.rpartition(".")[0]
        memories = iter(node.memories)
        inside = [
            self._memory(each, f"{node.path}.{next(memories).label}")
            if isinstance(each, MemoryKind)
            else self._of[each]
            for each in module.inside
        ]
        key = (type(node.component), tuple(module.body), tuple(inside))
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(node.component).__name__).lower()
        self._of[module] = self.shared.setdefault(key, _Shared(module, kind, inside))
        self._of[module].places.append(node.path)
        return module

    def _memory(self, kind: MemoryKind, place: str) -> _Shared:
        found = self.shared.setdefault(kind, _Shared(kind, kind.name, []))
        found.places.append(place)
        return found

    def names(self, unit: str) -> dict[_Shared, str]:
        """Names of the modules."""
        names = {}
        common = {each.kind for each in self.shared.values() if len(each.labels()) > 1}
        for each in self.shared.values():
            place = each.places[0].replace(".", "_")
            if isinstance(each.what, MemoryKind):
                names[each] = f"{unit}_{each.kind}"
            elif each.kind not in common:
                names[each] = place
            else:
                names[each] = "_".join((unit, each.kind, *self._telling(each)))
        taken = [name for name in names.values() if list(names.values()).count(name) > 1]
        if taken:
            raise ValueError(f"Two modules of {unit} would both be called {taken[0]}")
        return names

    def _telling(self, shared: _Shared) -> Iterator[str]:
        """What tells a text from the others of its class: a port and its width."""
        others = [each for each in self.shared.values() if each.kind == shared.kind and each is not shared]
        if not others:
            return
        for port, width in shared.widths().items():
            if all(other.widths().get(port) != width for other in others):
                yield f"{port}_{width}"
                return
        yield shared.places[0].split(".", 1)[1].replace(".", "_")


def unit_files(component: Component, name: str) -> dict[str, str]:
    """Verilog of a component and all inside it: file name -> text, a module each, inner ones first.

    Raises
    ------
    ValueError : a component uses a signal of another one that is not a member, clock domains other than sync, or what
        Verilog has no words for; or two modules would have one name
    """
    return files_of(node_of(component, name))


def files_of(node: Node) -> dict[str, str]:
    """`unit_files` of a component that is elaborated."""
    unit = _Unit()
    unit.add(node)
    names = unit.names(node.path)
    return {f"{names[each]}.sv": each.text(names) for each in unit.shared.values()}
