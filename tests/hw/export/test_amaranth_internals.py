"""What the program uses of Amaranth's inside: a release that changes it fails here, and says what depends on it."""

import importlib
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from amaranth.hdl import Fragment, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spikeloom.hw.export import amaranth_internals
from spikeloom.hw.export.amaranth_internals import clocked_signals, memory_of, take_reset

ROOT = Path(__file__).parents[3]
RELEASE = f"Amaranth {version('amaranth')}"
USED = {
    "hdl._ast:SignalDict": "the names of exported ports",
    "hdl._ast:Assign.lhs": "the exported text",
    "hdl._ast:Concat.parts": "the exported text",
    "hdl._ast:Format.Enum": "the names of states in the exported text",
    "hdl._ast:Format.Struct": "the names of fields in the exported text",
    "hdl._ast:Operator.operands": "the exported text",
    "hdl._ast:Part.offset": "the exported text",
    "hdl._ast:Slice.start": "the exported text",
    "hdl._ast:Switch.cases": "the exported text",
    "hdl._ast:SwitchValue.cases": "the exported text",
    "hdl._dsl:FSM": "the names of states in the exported text",
    "hdl._dsl:Module._generated": "the names of states behind the buses",
    "hdl._ir:Fragment": "the exported text",
    "hdl._ast:SignalSet": "the count of flip-flops",
    "hdl._ast:Assign._lhs_signals": "the count of flip-flops",
    "hdl._mem:MemoryInstance": "the count of memories",
    "hdl._xfrm:TransformedElaboratable": "components in a ResetInserter",
}


@pytest.mark.parametrize("name", USED)
def test_what_is_used_is_there(name: str) -> None:
    module, _, path = name.partition(":")
    value: object = importlib.import_module(f"amaranth.{module}")
    for part in path.split("."):
        assert hasattr(value, part) or part in getattr(value, "__annotations__", {}) or part in _made(value), (
            f"{RELEASE} has no {name}, and with it breaks {USED[name]}: mend hw/export/amaranth_internals.py"
        )
        value = getattr(value, part, None)


def _made(value: object) -> set[str]:
    """Attributes that a class' constructor sets."""
    code = getattr(getattr(value, "__init__", None), "__code__", None)
    return set() if code is None else set(code.co_names)


class _Store(wiring.Component):
    data: In(4)
    seen: Out(4)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = words = Memory(shape=4, depth=8, init=[])
        m.d.comb += self.seen.eq(words.read_port().data)
        words.read_port(domain="comb")
        m.d.sync += Signal(3, name="count").eq(self.data)
        return m


def test_memories_and_flip_flops_are_seen() -> None:
    fragment = Fragment.get(_Store(), None)
    ((memory, name, _),) = fragment.subfragments
    assert name == "words" and memory_of(fragment) is None
    assert memory_of(memory) == (4, 8, 4, False)
    assert [(signal.name, len(signal)) for signal in clocked_signals(fragment)] == [("count", 3)]


def test_a_reset_inserter_is_taken_away_again() -> None:
    again = Signal()
    plain, inserted = Fragment.get(_Store(), None), Fragment.get(ResetInserter(again)(_Store()), None)
    assert len(inserted.statements["sync"]) == len(plain.statements["sync"]) + 1
    assert take_reset(inserted) is again and len(inserted.statements["sync"]) == len(plain.statements["sync"])
    assert take_reset(plain) is None


def test_nothing_else_uses_it() -> None:
    inside = re.compile(r"^\s*(?:from|import) amaranth[\w.]*\._|^\s*from amaranth[\w.]* import .*\b_\w|rtlil\._", re.M)
    files = [path for tree in ("hw", "sim", "sw") for path in (ROOT / tree).rglob("*.py")]
    using = [path for path in files if inside.search(path.read_text(encoding="utf-8"))]
    assert using == [Path(str(amaranth_internals.__file__)).resolve()]
