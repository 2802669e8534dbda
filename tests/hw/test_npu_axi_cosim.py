"""`npu_axi` in Verilog, driven by cocotbext-axi's managers and streams, under every simulator that is there."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from amaranth.hdl import Value
from amaranth.lib.wiring import In
from cocotb_tools.runner import get_runner

import hw.npu_axi
from hw.export import export_component
from hw.host_block import HostBlock
from hw.npu_axi import NpuAxi
from sim.cache import cache_folder
from sim.simulator import _build
from sim.tools import check_simulator, simulator_environment
from tests.conftest import SIMULATORS
from tests.hw.npu_axi_tb import UNIT
from tests.hw.proof_bench import mutant


def wrapper(component: NpuAxi) -> dict[str, str]:
    """Module `bench`: the unit's ports but the crossbars', which are silent; and what Verilator must show to Python."""
    outside, inside, wires = ["input clk", "input rst"], ["clk", "rst"], []
    for path, member, value in component.signature.flatten(component):
        name, width = "__".join(map(str, path)), len(Value.cast(value))
        inside.append(name)
        bits = f"[{width - 1}:0] " if width > 1 else ""
        if name.startswith("crossbar_"):
            wires.append(f"wire {bits}{name};")
        else:
            outside.append(f"{'input' if member.flow == In else 'output'} {bits}{name}")
    for index in range(len(component.parameters.layers)):
        port = f"crossbar_{index}__"
        wires += [
            f"reg sampled_{index} = 0;",
            f"always @(posedge clk) sampled_{index} <= {port}drive & ~rst;",
            f"assign {port}sampled = sampled_{index};",
            f"assign {port}done = {port}convert;",
            f"assign {port}codes = 0;",
            f"assign {port}over = 0;",
        ]
    ports = ",\n".join(f"  {port}" for port in outside)
    connections = ", ".join(f".{name}({name})" for name in inside)
    text = "\n".join([f"module bench (\n{ports}\n);", *wires, f"npu_axi chip ({connections});", "endmodule", ""])
    names = [port.split()[-1] for port in outside]
    visible = [f'public_flat_rw -module "bench" -var "{name}"' for name in names]
    return {"bench.sv": text, "bench.vlt": "\n".join(["`verilator_config", *visible, ""])}


def build(simulator: str, folder: Path) -> Path:
    """Build the simulator in a folder, which is returned."""
    check_simulator(simulator)
    component = hw.npu_axi.NpuAxi(parameters=UNIT)
    cache_folder("simulators").mkdir(parents=True, exist_ok=True)  # keeps the objects of Verilator's own library
    _build(folder, {**export_component(component, "npu_axi"), **wrapper(component)}, simulator, waves=False, quick=True)
    return folder


@pytest.fixture(scope="module", params=SIMULATORS)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A simulator and the folder it was built in."""
    return request.param, build(request.param, tmp_path_factory.mktemp("built") / request.param)


def play(built: tuple[str, Path], folder: Path, plusargs: list[str], only: str | None = None) -> None:
    """Run the bench; fails if one of its tests does."""
    simulator, build_folder = built
    path = folder / "results.xml"
    with simulator_environment(), contextlib.suppress(SystemExit):  # raised where a test failed; the file says which
        get_runner(simulator).test(
            test_module="tests.hw.npu_axi_tb",
            hdl_toplevel="bench",
            hdl_toplevel_lang="verilog",
            build_dir=build_folder,
            test_dir=folder,
            results_xml=str(path),
            plusargs=plusargs,
            testcase=only,
            timescale=("1ns", "1ps"),
            log_file=folder / "simulation.log",
            extra_env={"COCOTB_REWRITE_ASSERTION_FILES": "", "COCOTB_LOG_LEVEL": "ERROR"},
        )
    text = path.read_text() if path.exists() else "no results"
    passed = text.count("<testcase") == (1 if only else 3) and "<failure" not in text and "<error" not in text
    assert passed, f"{text}\n{(folder / 'simulation.log').read_text()[-3000:]}"


@pytest.mark.parametrize("stall", [0, 40])
def test_buses(built: tuple[str, Path], stall: int, tmp_path: Path) -> None:
    play(built, tmp_path, [f"+stall={stall}", "+resets=20"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(bus.write_data & mask) | (before & ~mask)", "bus.write_data"),
        ("(guarded | bias) & ~part & self.busy", "0"),
        ("accepted & (run_time | (bias & bus.write_strobe.all()))", "accepted & run_time"),
    ],
    ids=["strobes ignored", "written while busy", "biases lost"],
)
def test_bench_notices_broken_twins(old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hw.npu_axi, "HostBlock", mutant(HostBlock, old, new))
    broken = SIMULATORS[-1], build(SIMULATORS[-1], tmp_path / "built")
    with pytest.raises(AssertionError, match='type="AssertionError"'):
        play(broken, tmp_path, ["+stall=0", "+resets=1"])


@pytest.mark.slow
@pytest.mark.parametrize("stall", [0, 40])
def test_a_thousand_random_resets(built: tuple[str, Path], stall: int, tmp_path: Path) -> None:
    play(built, tmp_path, [f"+stall={stall}", "+resets=1000", "+seed=2"], only="random_resets")
