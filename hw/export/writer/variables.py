"""Variables of a module: what Verilog declares for Amaranth's signals, and which of them a piece of a value reads.

A signal with a layout has a name per field. Where the fields are driven one by one, each is a variable of its own, and
the signal is their concatenation. Where the signal is driven as a whole, a field that is read is a second name of its
bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Const, Signal

from spikeloom.hw.export.amaranth_internals import Concat, Operator, Part, SignalDict, Slice, SwitchValue, fields_of
from spikeloom.hw.export.writer.comments import local_name
from spikeloom.hw.export.writer.text import Text

__all__ = ["Binding", "Machine", "Names", "Variable", "Variables", "declared"]

_MADE = {"choice": "choice", "part": "word", ">>": "shifted", "<<": "shifted", "*": "product", "+": "sum", "-": "rest"}
"""What a net without a name is called, after the first signal in it."""

_KEYWORDS = frozenset(
    """
    alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind bins binsof
    bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const constraint
    context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge else end
    endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage
    endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually expect export
    extends extern final first_match for force foreach forever fork forkjoin function generate genvar global highz0
    highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input inside
    instance int integer interconnect interface intersect join join_any join_none large let liblist library local
    localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
    noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority program
    property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
    randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0
    rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled
    signed small soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1
    sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri
    tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var
    vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
    """.split()
)


class Names:
    """Identifiers of one module, each given once."""

    def __init__(self) -> None:
        self._taken = set(_KEYWORDS)

    def free(self, name: str) -> bool:
        """Whether nothing has this name, and Verilog allows it."""
        return name not in self._taken

    def take(self, wanted: str) -> str:
        """`wanted`, or with a number what is nearest to it."""
        plain = "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in wanted).strip("_") or "net"
        name, number = plain, 1
        while name in self._taken:
            name, number = f"{plain}_{number}", number + 1
        self._taken.add(name)
        return name


@dataclass(eq=False)
class Variable:
    """A wire or a register.

    Attributes
    ----------
    name, width, signed : as it is declared
    init : its value after a reset, or while nothing assigns it
    place : where the source makes its signal: file and line
    order : in which order it is made
    reset : False where a reset leaves it alone
    machine : the state machine whose state it is
    """

    name: str
    width: int
    signed: bool = False
    init: int = 0
    place: tuple[str, int] | None = None
    order: int = 0
    reset: bool = True
    machine: Machine | None = None

    def __repr__(self) -> str:
        return f"Variable({self.name})"


def declared(variable: Variable) -> str:
    """Sign and bits of a variable, as they stand in front of its name."""
    bits = f"[{variable.width - 1}:0] " if variable.width > 1 else ""
    return ("signed " if variable.signed else "") + bits


@dataclass(frozen=True, eq=False)
class Machine:
    """States of a state machine: names by code."""

    states: dict[int, str]


@dataclass
class Binding:
    """What stands for a signal: its variable, and those of its fields as (lowest bit, variable).

    `split`: the fields are driven one by one, and the signal is their concatenation.
    """

    whole: Variable
    fields: list[tuple[int, Variable]] = field(default_factory=list)
    split: bool = False


class Variables:
    """Variables of a module by signal; the `Scope` of its expressions."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.read: dict[Variable, None] = {}
        self.nets: dict[int, tuple[Any, Variable]] = {}
        self.aliases: dict[Variable, Variable] = {}
        self.meanings = SignalDict()
        self.fresh: list[tuple[Variable, Any]] = []
        self._bindings = SignalDict()
        self._reads: dict[int, tuple[Any, frozenset[Variable]]] = {}

    def bind(self, signal: Any, name: str, *, split: bool = False) -> Binding:
        """Declare a signal; the first that wants a name has it."""
        shape = signal.shape()
        made = Variable(
            self.names.take(name),
            shape.width,
            bool(shape.signed),
            signal.init,
            signal.src_loc,
            signal.duid,
            not signal.reset_less,
        )
        binding = Binding(made)
        fields = fields_of(signal)
        binding.split = split and _tile(fields, shape.width)
        for label, low, width, signed in fields if len(fields) > 1 or binding.split else ():
            init = signal.init >> low & (1 << width) - 1
            variable = Variable(
                self.names.take(f"{made.name}_{label}"), width, signed, init, None, signal.duid, made.reset
            )
            binding.fields.append((low, variable))
        self._bindings[signal] = binding
        return binding

    def binding(self, signal: Any) -> Binding:
        """What stands for a signal, declared now if it was not."""
        if signal not in self._bindings:
            self.bind(signal, signal.name or "net")
        found: Binding = self._bindings[signal]
        return found

    def __contains__(self, signal: Any) -> bool:
        """Whether the signal is declared."""
        return signal in self._bindings

    def bindings(self) -> Iterable[tuple[Any, Binding]]:
        """All signals of the module with what stands for them."""
        pairs: Iterable[tuple[Any, Binding]] = self._bindings.items()
        return pairs

    def pieces(self, signal: Any, start: int, stop: int) -> Iterator[tuple[Variable, int, int]]:
        """(variable, lowest bit, bits) of what is driven as these bits of a signal, lowest first."""
        binding = self.binding(signal)
        if not binding.split:
            yield binding.whole, start, stop - start
            return
        for low, variable in binding.fields:
            first, last = max(start, low), min(stop, low + variable.width)
            if first < last:
                yield variable, first - low, last - first

    # The scope of expressions

    def bits(self, signal: Any, start: int, stop: int) -> Text:
        """Bits of a signal, by the name of a field where they lie in one."""
        binding = self.binding(signal)
        if (start, stop) == (0, binding.whole.width):
            return self.whole(binding.whole)
        for low, variable in binding.fields:
            if low <= start and stop <= low + variable.width:
                if (start, stop) == (low, low + variable.width):
                    return self.whole(variable)
                return self._slice(variable, start - low, stop - low)
        return self._slice(binding.whole, start, stop)

    def root(self, variable: Variable) -> Variable:
        """The variable that is declared for one that is only another name of it."""
        while variable in self.aliases:
            variable = self.aliases[variable]
        return variable

    def whole(self, variable: Variable) -> Text:
        """A variable by its name."""
        variable = self.root(variable)
        self.read[variable] = None
        return Text(variable.name, variable.signed)

    def _slice(self, variable: Variable, start: int, stop: int) -> Text:
        variable = self.root(variable)
        self.read[variable] = None
        return Text(f"{variable.name}[{start}]" if stop == start + 1 else f"{variable.name}[{stop - 1}:{start}]")

    def named(self, value: Any) -> Text | None:
        """The net of a value that has one."""
        net = self.nets.get(id(value))
        return self.whole(net[1]) if net else None

    def net(self, value: Any) -> Text:
        """A net for a value, which is to be assigned: (net, value) is added to `fresh`."""
        shape = value.shape()
        wanted = local_name(value.src_loc)
        if wanted in ("", "value"):  # Amaranth's own word for what it makes of fields
            wanted = f"{self._first(value)}_{_MADE.get(_kind(value), 'value')}"
        made = Variable(self.names.take(wanted), shape.width, bool(shape.signed), 0, None, -1)
        self.fresh.append((made, value))
        self.nets[id(value)] = (value, made)
        return self.whole(made)

    def _first(self, value: Any) -> str:
        """Name of the first signal in a value."""
        first = value.operands[0] if isinstance(value, Operator) else value
        names = sorted((variable.order, variable.name) for variable in self.reads(first))
        return names[0][1] if names else "constant"

    def meaning(self, signal: Any) -> Any:
        """The value of a signal that has no name and is printed as its value, else None."""
        return self.meanings.get(signal)

    def state(self, signal: Any, code: int) -> str | None:
        """Name of a state of a state machine's signal."""
        machine = self.binding(signal).whole.machine
        return machine.states.get(code) if machine else None

    # What a value depends on

    def reads(self, value: Any) -> frozenset[Variable]:
        """The driven variables that a value depends on."""
        known = self._reads.get(id(value))
        if known is None:
            known = self._reads[id(value)] = (value, self._found(value))
        return known[1]

    def _found(self, value: Any) -> frozenset[Variable]:
        if isinstance(value, Signal):
            if value in self.meanings:
                return self.reads(self.meanings[value])
            return frozenset(variable for variable, _, _ in self.pieces(value, 0, len(value)))
        if isinstance(value, Slice):
            start, stop, base = value.start, value.stop, value.value
            while isinstance(base, Slice) or (isinstance(base, Operator) and base.operator in ("u", "s")):
                if isinstance(base, Slice):
                    start, stop, base = start + base.start, stop + base.start, base.value
                else:
                    base = base.operands[0]
            if isinstance(base, Signal):
                return frozenset(variable for variable, _, _ in self.pieces(base, start, stop))
            return self.reads(value.value)
        if isinstance(value, Operator):
            return self._union(value.operands)
        if isinstance(value, Part):
            return self._union((value.value, value.offset))
        if isinstance(value, Concat):
            return self._union(value.parts)
        if isinstance(value, SwitchValue):
            return self._union((value.test, *(element for _, element in value.cases)))
        assert isinstance(value, Const) or not hasattr(value, "operands")
        return frozenset()

    def _union(self, values: Iterable[Any]) -> frozenset[Variable]:
        return frozenset().union(*(self.reads(value) for value in values))


def _kind(value: Any) -> str:
    if isinstance(value, Operator):
        return str(value.operator)
    return "choice" if isinstance(value, SwitchValue) else "part"


def _tile(fields: list[tuple[str, int, int, bool]], width: int) -> bool:
    """Whether fields lie one after another and are all of a word."""
    ends = [0]
    for _, low, bits, _ in fields:
        if low != ends[-1]:
            return False
        ends.append(low + bits)
    return bool(fields) and ends[-1] == width
