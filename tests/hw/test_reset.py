"""Every register of every export is reset, and has no start value; that it runs so is seen in `test_npu_axi_cosim` and
`test_reset_maps`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import pytest

from spikeloom.hw.export.axi_verilog import export_axi
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from tests.benches.start_values import paths_of, scrambled, state_of, without_reset
from tests.hw.export.test_verilog_maps import UNIT as MAPS
from tests.hw.feature_maps.test_stages import unit_of
from tests.hw.test_npu import unit
from tests.hw.test_reset_maps import exported as maps_and_buses

WINDOW = Window(source=0, kernel=(2, 2), stride=(1, 2))
ANALOG_MAPS = Plan(
    input=MapShape(channels=2, height=3, width=4),
    stages=(
        CrossbarStage(layer=0, windows=(WINDOW,)),
        CrossbarStage(layer=1, windows=(Window(source=1, kernel=(2, 2)),)),
    ),
    channels=(3, 3),
)
EXPORTS: dict[str, Callable[[], dict[str, str]]] = {
    "buses": lambda: export_axi(unit()),
    "maps": lambda: export_verilog(MAPS),
    "maps and buses": maps_and_buses,
    "8-bit rows and buses": lambda: export_axi(unit(phases=2, row_bits=8)),
    "maps of 8-bit rows": lambda: export_verilog(unit_of(ANALOG_MAPS.with_replicas((2, 1)), row_bits=8)),
}
"""Units, all with replicas where they have maps, and all with one programmer per layer."""


@functools.cache
def modules(name: str) -> dict[str, str]:
    """All modules of an export."""
    return {file: text for file, text in EXPORTS[name]().items() if file.endswith(".sv")}


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slow] if name == "maps" else []) for name in EXPORTS])
def exported(request: pytest.FixtureRequest) -> dict[str, str]:
    return modules(request.param)


@pytest.mark.parametrize(
    ("export", "parts"),
    [
        ("maps and buses", ("npu_loader", "npu_pool_1", "npu_pool_2", "npu_distributor_0", "npu_join_0", "host")),
        ("8-bit rows and buses", ("npu_encoder", "npu_controller", "host")),
    ],
)
def test_the_exports_have_what_units_have(export: str, parts: tuple[str, ...]) -> None:
    """Programmers; maps, both poolings and replicas behind the buses; rows of 8 bits."""
    assert {f"npu_axi_{part}.sv" for part in (*parts, "npu_layer_0_programmer")} <= set(modules(export))


def test_every_register_is_reset_and_has_no_start_value(exported: dict[str, str]) -> None:
    assert len(paths_of(exported)) > 140  # which raises for a register without a reset
    for name, text in exported.items():
        assert not re.search(r"\binitial\b|^ *(output )?reg [^;,/]*=", text, re.M), name


def test_what_is_not_reset_is_memory(exported: dict[str, str]) -> None:
    """Everything that is written at a clock edge is a register with a reset, a memory, or the data of its read port."""
    for name, text in exported.items():
        state = state_of(text)
        written = set(re.findall(r"^ +(\w+)(?:\[.*?\])* <= ", text, re.M))
        if state.memory:
            assert "storage" in written and all(each == "storage" or each.startswith("fetched") for each in written)
        else:
            assert written == set(state.registers), name


@pytest.mark.parametrize(
    ("export", "file", "register"),
    [
        ("buses", "npu_axi_npu_layer_0_neuron_array.sv", "written"),
        ("buses", "npu_axi_npu_controller.sv", "fsm_state"),
        ("maps and buses", "npu_axi_npu_pool_1.sv", "most_0"),
        ("maps of 8-bit rows", "npu_loader.sv", "state"),
    ],
)
def test_mutants_without_a_reset_fail(export: str, file: str, register: str) -> None:
    with pytest.raises(AssertionError, match=register):
        paths_of(without_reset(modules(export), file, register))


def test_scrambled_gives_every_register_and_word_a_value(exported: dict[str, str]) -> None:
    for name, text in scrambled(exported, 1).items():
        state = state_of(exported[name])
        started = set(re.findall(r"^ *(?:output )?reg +(?:signed )?(?:\[.*\] )?(\w+) = ", text, re.M))
        if state.memory:
            assert started == set(re.findall(r"\bfetched\w*", exported[name])), name
            assert "storage[word][place] = drawn[0];" in text
        else:
            assert started == set(state.registers), name
