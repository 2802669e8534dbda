"""Three exported modules beside their Amaranth source: states, fields and signals are found in the text by their names,
and what the page shows of both is there.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Fragment
from amaranth.lib import data

from spikeloom.hw.control import controller
from spikeloom.hw.decision import terminator
from spikeloom.hw.export.verilog import export_component
from spikeloom.hw.layer import neuron_array
from spikeloom.hw.params.decision_rules import DECISION_RULES
from tests.hw.test_npu import unit

PAGE = Path(__file__).parents[3] / "docs" / "hardware" / "export" / "verilog.md"
UNIT = unit()
ALL_RULES = replace(UNIT, rules=DECISION_RULES.unit)
COMPONENTS: dict[str, tuple[Any, Any]] = {
    "terminator": (terminator, lambda: terminator.Terminator(parameters=ALL_RULES)),
    "controller": (controller, lambda: controller.Controller(parameters=UNIT)),
    "neuron array": (neuron_array, lambda: neuron_array.NeuronArray(parameters=UNIT.layers[0])),
}


@pytest.fixture(params=COMPONENTS)
def beside(request: pytest.FixtureRequest) -> tuple[str, str, Any]:
    """Source of a component, its text, and the component."""
    module, make = COMPONENTS[request.param]
    shown = make()
    Fragment.get(shown, None)  # Amaranth complains about components that are never elaborated
    return inspect.getsource(module), export_component(make(), "unit")["unit.sv"], shown


def named_signals(source: str) -> set[str]:
    """Names to which a source assigns signals, one by one or side by side, but for those of lanes."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Assign):
            continue
        targets = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for target, value in zip(targets, values, strict=False):
            if isinstance(target, ast.Name) and isinstance(value, ast.Call):
                if isinstance(value.func, ast.Name) and value.func.id in ("Signal", "signal"):
                    found.add(target.id)
    return found


def test_every_state_has_its_name(beside: tuple[str, str, Any]) -> None:
    source, text, _ = beside
    states = re.findall(r'm\.State\("(\w+)"\)', source)
    for state in states:
        assert re.search(rf"^  localparam .*\b{state} = \d+'d\d+", text, re.M) and f"{state}: begin" in text
    for state in re.findall(r'm\.next = "(\w+)"', source):
        assert f"fsm_state <= {state};" in text
    assert ("fsm_state" in text) == bool(states) and not re.search(r"fsm_state (?:<=|==|!=) \d", text)


def test_every_field_has_its_name(beside: tuple[str, str, Any]) -> None:
    _, text, component = beside
    count = 0
    for path, member, _ in component.signature.flatten(component):
        if isinstance(member.shape, data.StructLayout):
            port = "__".join(map(str, path))
            fields = [str(name) for name, _ in member.shape]
            assert re.search(rf"// {port} = {{{', '.join(reversed(fields))}}}\n", text)
            assert any(re.search(rf"\b{port}_{field}\b", text) for field in fields)
            count += 1
    assert count == 2


def test_every_signal_has_its_name(beside: tuple[str, str, Any]) -> None:
    source, text, _ = beside
    names = named_signals(source)
    for name in names:
        assert re.search(rf"^ +(?:wire|reg) +(?:signed )?(?:\[\d+:0\] )?{name}(?:_here)?;", text, re.M), name
    assert len(names) > 5


def blocks(language: str) -> list[list[str]]:
    section = re.search(r"^## Beside its source\n(.*?)^## ", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert section
    return [lines(body) for body in re.findall(rf"^```{language}\n(.*?)^```$", section[1], re.M | re.S)]


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def test_what_the_page_shows_is_there() -> None:
    sources = [lines(inspect.getsource(module)) for module, _ in COMPONENTS.values()]
    texts = [lines(export_component(make(), "unit")["unit.sv"]) for _, make in COMPONENTS.values()]
    assert len(blocks("python")) == 3 and len(blocks("verilog")) == 4
    for language, places in (("python", sources), ("verilog", texts)):
        for block in blocks(language):
            size = len(block)
            found = any(place[n : n + size] == block for place in places for n in range(len(place) - size + 1))
            assert found, "\n".join(block)
