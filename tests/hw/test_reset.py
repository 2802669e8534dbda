"""Every register of every export is reset, and has no start value; that it runs so is seen in `test_npu_axi_cosim`."""

from __future__ import annotations

import re

import pytest

from hw.export import export_verilog
from hw.export_axi import export_axi
from tests.hw.start_values import paths_of, scrambled, state_of
from tests.hw.test_export_maps import UNIT as MAPS
from tests.hw.test_npu import unit


@pytest.fixture(scope="module")
def with_buses() -> dict[str, str]:
    """All modules of a dense unit, and those of its buses."""
    return {name: text for name, text in export_axi(unit()).items() if name.endswith(".sv")}


@pytest.fixture(scope="module")
def with_maps() -> dict[str, str]:
    return {name: text for name, text in export_verilog(MAPS).items() if name.endswith(".sv")}


@pytest.fixture(params=["with_buses", "with_maps"])
def exported(request: pytest.FixtureRequest) -> dict[str, str]:
    return request.getfixturevalue(request.param)


def test_every_register_is_reset_and_has_no_start_value(exported: dict[str, str]) -> None:
    assert len(paths_of(exported)) > 140  # which raises for a register without a reset
    for name, text in exported.items():
        assert not re.search(r"\binitial\b|^ *(output )?reg [^;]*=", text, re.M), name


def test_what_is_not_reset_is_memory(exported: dict[str, str]) -> None:
    """Everything that is written at a clock edge is a register with a reset, a memory, or the data of its read port."""
    for name, text in exported.items():
        state = state_of(text)
        written = set(re.findall(r"^ +(\w+)(?:\[.*?\])* <= ", text, re.M))
        assert written == set(state.registers) | set(state.reads) | set(state.memories), name
        assert bool(state.reads) == bool(state.memories), name


@pytest.mark.parametrize(
    ("file", "register"),
    [("npu_axi_npu_layer_0_neuron_array.sv", "written"), ("npu_axi_npu_controller.sv", "fsm_state")],
)
def test_a_register_without_a_reset_is_noticed(with_buses: dict[str, str], file: str, register: str) -> None:
    files = with_buses
    block = rf"(begin : {register}_next_comb\n(?:(?!\n  end\n).)*?)    if \(rst\) begin\n.*?\n    end\n"
    broken, count = re.subn(block, r"\1", files[file], flags=re.S)
    assert count == 1
    with pytest.raises(AssertionError, match=register):
        paths_of({**files, file: broken})


def test_scrambled_gives_every_register_and_word_a_value(exported: dict[str, str]) -> None:
    for name, text in scrambled(exported, 1).items():
        state = state_of(exported[name])
        started = set(re.findall(r"^ *(?:output )?reg +(?:\[\d+:0\] )?(\w+) = ", text, re.M))
        assert started == set(state.registers) | set(state.reads), name
        for memory, (words, _) in state.memories.items():
            assert len(re.findall(rf"^    {memory}\[\d+\] = ", text, re.M)) == words
