"""Modules of a hierarchy: ports are members, names follow drivers, unread aliases go, what has no name is refused."""

from __future__ import annotations

import re

import pytest
from amaranth.hdl import Elaboratable, EnableInserter, Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tests.coverage.rtlil_text.rtlil_modules import RtlilModule, rtlil_modules, tidy

PAIR = data.StructLayout({"low": 2, "list": data.ArrayLayout(2, 3)})


class Source(wiring.Component):
    """Makes pairs. Nothing else.

    More text.
    """

    def __init__(self) -> None:
        super().__init__({"o": Out(stream.Signature(PAIR)), "unused": In(3)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.o.valid.eq(1)
        m.d.comb += self.o.payload.low.eq(2)
        m.d.sync += self.o.payload.list.eq(self.o.payload.list.as_value() + 1)
        return m


class Sink(wiring.Component):
    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(PAIR)), "total": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.i.ready.eq(1), self.total.eq(self.i.payload.low + self.i.payload.list[2])]
        return m


class Outer(wiring.Component):
    """Both."""

    def __init__(self) -> None:
        super().__init__({"total": Out(4), "pair": Out(PAIR)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.source = self.source = source = Source()
        m.submodules.sink = self.sink = sink = Sink()
        wiring.connect(m, source.o, sink.i)
        second = Signal(4)
        m.d.comb += [second.eq(sink.total), self.total.eq(second), self.pair.low.eq(source.o.payload.low)]
        return m


@pytest.fixture
def modules() -> dict[str, RtlilModule]:
    return {module.name: module for module in rtlil_modules(Outer(), "outer")}


def test_ports_are_the_members(modules: dict[str, RtlilModule]) -> None:
    assert {name: module.ports for name, module in modules.items()} == {
        "outer.source": ("clk", "rst", "o__payload", "o__valid", "o__ready", "unused"),
        "outer.sink": ("i__payload", "i__valid", "i__ready", "total"),  # no registers: no clock
        "outer": ("clk", "rst", "total", "pair"),
    }
    for module in modules.values():
        declared = re.findall(r"wire width \d+ (?:input|output) \d+ +\\(\S+)", module.text)
        assert sorted(declared) == sorted(module.ports)


def test_summary_is_the_first_sentence(modules: dict[str, RtlilModule]) -> None:
    assert {name: module.summary for name, module in modules.items()} == {
        "outer.source": "Makes pairs.",
        "outer.sink": "",  # not the docstring of the class above it
        "outer": "Both.",
    }


def test_signals_between_components_have_the_name_of_the_output(modules: dict[str, RtlilModule]) -> None:
    text = modules["outer"].text
    cells = {m[1]: m[2] for m in re.finditer(r"cell \S+ \\(\w+)\n(.*?)  end", text, re.S)}
    assert "connect \\o__payload \\source__o__payload\n" in cells["source"]
    assert "connect \\i__payload \\source__o__payload [7:0]\n" in cells["sink"]
    assert "connect \\total \\total\n" in cells["sink"]


def test_names_are_given_back() -> None:
    outer = Outer()
    rtlil_modules(outer, "outer")
    assert outer.source.o.valid.name == "o__valid"
    assert outer.sink.total.name == "total"


def test_unread_aliases_go_and_fields_stay(modules: dict[str, RtlilModule]) -> None:
    wires = set(re.findall(r"wire .*\\(\S+)$", modules["outer"].text, re.M))
    assert wires & {"second", "sink__i__payload", "sink__i__payload.low", "sink__total"} == set()
    assert {"source__o__payload.low", "source__o__payload.list", "pair.low"} <= wires
    assert not any("[" in wire for wire in wires)


def test_parts_of_a_signal_have_its_name(modules: dict[str, RtlilModule]) -> None:
    assert re.search(r"attribute \\init 6'0+\n  wire width 6 \\o__payload_part$", modules["outer.source"].text, re.M)


def test_cut_values_and_numbers() -> None:
    text = "\n".join(
        [
            "module \\m",
            "  wire width 4 $9",
            "  wire width 4 $10",
            "  wire width 2 \\low",
            "  wire width 2 \\middle",
            "  wire width 4 \\low_uncut",
            "  wire width 1 output 0  \\o",
            "connect \\low $9 [1:0]",
            "connect \\middle $10 [2:1]",
            "connect \\o \\low_uncut [0]",
            "end",
        ]
    )
    assert tidy(text).split("\n") == [
        "module \\m",
        "  wire width 4 \\low_uncut_1",
        "  wire width 4 $000010",
        "  wire width 2 \\middle",
        "  wire width 4 \\low_uncut",
        "  wire width 1 output 0  \\o",
        "connect \\middle $000010 [2:1]",
        "connect \\o \\low_uncut [0]",
        "end",
    ]


class Restarted(wiring.Component):
    """Source and what is around it, with a reset of its own."""

    def __init__(self, transformer: type = ResetInserter) -> None:
        super().__init__({"again": In(1), "total": Out(4)})
        self.transformer = transformer

    def elaborate(self, platform: object) -> Module:
        m = Module()
        outer = Outer()
        m.submodules.outer = self.transformer(self.again)(outer)
        m.d.comb += self.total.eq(outer.total)
        return m


def test_inserted_resets_are_those_of_the_instance(modules: dict[str, RtlilModule]) -> None:
    found = {module.name: module.text for module in rtlil_modules(Restarted(), "top")}
    assert found["top.outer.source"] == modules["outer.source"].text.replace("outer.source", "top.outer.source")
    connections = dict(re.findall(r"^    connect \\(\S+) (\S+)", found["top"], re.M))
    assert (connections["A"], connections["B"]) == ("\\rst", "\\again") and "cell $or" in found["top"]
    assert connections["rst"] == connections["Y"]


def test_other_transformers_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^A component may be transformed by one ResetInserter of the domain sync only$"
    ):
        rtlil_modules(Restarted(EnableInserter), "top")


class Broken(wiring.Component):
    """Outer component with one of several mistakes."""

    def __init__(self, mistake: str) -> None:
        super().__init__({"q": Out(1)})
        self.mistake = mistake

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.mistake == "reads inside":
            m.submodules.outer = outer = Outer()
            inner = outer.elaborate(platform)
            outer.elaborate = lambda platform: inner
            m.d.comb += self.q.eq(outer.source.o.valid)
        elif self.mistake == "drives inside":
            m.submodules.outer = outer = Outer()
            inner = outer.elaborate(platform)
            outer.elaborate = lambda platform: inner
            m.d.comb += outer.source.unused.eq(self.q)
        elif self.mistake == "no component":
            m.submodules.plain = Plain()
        else:
            m.d.fast += self.q.eq(~self.q)
        return m


class Plain(Elaboratable):
    def elaborate(self, platform: object) -> Module:
        return Module()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("reads inside", r"^Signal source__o__valid of broken.outer is used in broken, but is not a member$"),
        ("drives inside", r"^Signal source__unused of broken.outer is used in broken, but is not a member$"),
        ("no component", r"^broken.plain is not a component: its ports would have no names$"),
        ("clock", r"^Module broken has ports of clock domains other than sync: fast_clk, fast_rst$"),
    ],
)
def test_what_has_no_name_is_refused(mistake: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rtlil_modules(Broken(mistake), "broken")
