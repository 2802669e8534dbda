"""`npu_axi` in Verilog, driven by cocotbext-axi's managers and streams, under every simulator that is there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cocotb_tools.runner import get_runner

import spikeloom.hw.host.host_block
import spikeloom.hw.npu_axi
from spikeloom.hw.export.axi_verilog import export_axi
from spikeloom.hw.host.host_block import HostBlock
from spikeloom.hw.host.load_guard import LoadGuard
from spikeloom.hw.host.pixel_stream import PixelStream
from spikeloom.hw.host.result_stream import ResultStream
from spikeloom.hw.host.write_guard import WriteGuard
from spikeloom.sim.cosim.simulator import Simulator
from spikeloom.sim.cosim.tools import simulator_environment
from tests.benches.npu_axi_host import UNIT
from tests.benches.proof_bench import mutant
from tests.benches.start_values import paths_of, scrambled, without_reset
from tests.conftest import icarus
from tests.hw.export.test_verilog import MACROS

TESTS = ("registers", "sessions", "programming", "images", "frames", "random_resets")
REGISTERS = paths_of(export_axi(UNIT))
"""Every register of the unit and its value after a reset, as Verilog says it."""


def bench(seed: int | None = 1) -> dict[str, str]:
    """`bench_of` the chip of `npu_axi_host`."""
    return bench_of(export_axi(UNIT), REGISTERS, seed)


def bench_of(export: Mapping[str, str], registers: Mapping[str, str], seed: int | None) -> dict[str, str]:
    """Texts of a chip with ideal macros, in a module `bench` that Verilator shows to Python.

    All registers and memory words start from random values, or without a `seed` from what the simulator takes. Bit i of
    `unreset` says that register i of `registers` does not have its value after a reset, `soft_reset` that a soft reset
    is on.
    """
    found = [p for p in json.loads(export["ports.json"])["ports"] if "crossbar" not in p["name"]]
    declared = [f"{p['direction']} [{p['width'] - 1}:0] {p['name']}" for p in found]
    connected = ", ".join(f".{p['name']}({p['name']})" for p in found)
    lines = [
        "module bench (",
        ",\n".join(f"  {line.replace(' [0:0]', '')}" for line in declared),
        ");",
        "spikeloom_axi_chip #(.SETTLE_CYCLES(2), .ADC_CYCLES(1), .PROGRAM_CYCLES(3))",
        f"chip ({connected});",
        f"wire [{len(registers) - 1}:0] unreset;",
        "wire soft_reset = chip.crossbar_reset;",
        *(f"assign unreset[{i}] = chip.{path} !== {value};" for i, (path, value) in enumerate(registers.items())),
        "endmodule",
        "",
    ]
    names = [*(p["name"] for p in found), "unreset", "soft_reset"]
    visible = [f'public_flat_rw -module "bench" -var "{name}"' for name in names]
    files = {name: text for name, text in export.items() if name.endswith(".sv")}
    files = files if seed is None else scrambled(files, seed)
    macro = (MACROS / "crossbar_macro_ideal.v").read_text(encoding="utf-8")
    control = "\n".join(["`verilator_config", *visible, ""])
    return {**files, "crossbar_macro.sv": macro, "bench.sv": "\n".join(lines), "bench.vlt": control}


def play(built: Simulator, folder: Path, plusargs: list[str], only: str | None = None) -> None:
    """Run the bench; fails if one of its tests does."""
    for layer, p in enumerate(UNIT.layers):
        for side in "pn":  # all cells start at the lowest conductance
            (folder / f"layer_{layer}_{side}.hex").write_text(f"{0:0{2 * p.outputs}x}\n" * p.inputs)
    (folder / "registers.json").write_text(json.dumps(list(REGISTERS)))
    run_bench(built, folder, plusargs, "tests.benches.npu_axi_tb", 1 if only else len(TESTS), only)


def run_bench(
    built: Simulator, folder: Path, plusargs: list[str], module: str, count: int = 1, only: str | None = None
) -> None:
    """Run the cocotb bench `module` of `count` tests, or the one called `only`, in a folder with the level files."""
    path = folder / "results.xml"
    with simulator_environment(), contextlib.suppress(SystemExit):  # raised where a test failed; the file says which
        get_runner(built.simulator).test(
            test_module=module,
            hdl_toplevel="bench",
            hdl_toplevel_lang="verilog",
            build_dir=built.folder,
            test_dir=folder,
            results_xml=str(path),
            plusargs=plusargs,
            testcase=only,
            timescale=("1ns", "1ps"),
            log_file=folder / "simulation.log",
            extra_env={"COCOTB_REWRITE_ASSERTION_FILES": "", "COCOTB_LOG_LEVEL": "ERROR"},
        )
    text = path.read_text() if path.exists() else "no results"
    passed = text.count("<testcase") == count and "<failure" not in text and "<error" not in text
    assert passed, f"{text}\n{(folder / 'simulation.log').read_text()[-3000:]}"


@pytest.mark.parametrize(
    ("simulator", "stall", "resets"),
    [
        pytest.param("verilator", 0, 20, marks=pytest.mark.slow),
        ("verilator", 40, 20),
        pytest.param("icarus", 40, 2, marks=[icarus, pytest.mark.slow]),
    ],
)
def test_buses(simulator: str, stall: int, resets: int, tmp_path: Path) -> None:
    # Verilator's registers start from random values, those of Icarus from X.
    built = Simulator.of_texts(bench(None if simulator == "icarus" else 1), simulator, quick=True)
    play(built, tmp_path, [f"+stall={stall}", f"+resets={resets}"])


@pytest.mark.halved
@pytest.mark.parametrize(
    ("broken", "old", "new", "test"),
    [
        (HostBlock, "(bus.write_data & mask) | (before & ~mask)", "bus.write_data", "registers"),
        pytest.param(
            WriteGuard, "covered = in_image & self.busy,", "covered = in_image & 0,", "images", marks=pytest.mark.slow
        ),
        (WriteGuard, "self.accepted & (run_time | (bias & self.complete))", "self.accepted & run_time", "images"),
        (LoadGuard, "state.eq(_State.LOADED)", "state.eq(_State.EMPTY)", "sessions"),
        pytest.param(
            PixelStream,
            "(self.i.payload.last != is_last)",
            "(self.i.payload.last & ~is_last)",
            "frames",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ResultStream, "sending.eq(number != self._further - 1)", "sending.eq(0)", "images", marks=pytest.mark.slow
        ),
    ],
    ids=["strobes ignored", "written while busy", "biases lost", "never loaded", "too long", "cut off"],
)
def test_mutants_fail_the_bench(
    broken: Any, old: str, new: str, test: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = spikeloom.hw.host.host_block if broken in (LoadGuard, WriteGuard) else spikeloom.hw.npu_axi
    monkeypatch.setattr(home, broken.__name__, mutant(broken, old, new))
    simulator = Simulator.of_texts(bench(), "verilator", quick=True)
    with pytest.raises(AssertionError, match="<failure"):
        play(simulator, tmp_path, ["+stall=0", "+resets=1"], only=test)


@pytest.mark.slow
@pytest.mark.parametrize("stall", [0, 40])
def test_a_thousand_random_resets(stall: int, tmp_path: Path) -> None:
    simulator = Simulator.of_texts(bench())
    play(simulator, tmp_path, [f"+stall={stall}", "+resets=1000", f"+seed={2 + stall}"], only="random_resets")


@icarus
def test_a_reset_from_x(tmp_path: Path) -> None:
    """The shortest of the bench's tests in Icarus, whose registers and memories start from X: resets in the middle of
    what a host does, then every register and images.
    """
    built = Simulator.of_texts(bench(None), "icarus", quick=True)
    play(built, tmp_path, ["+stall=0", "+resets=1"], only="random_resets")


def from_seed(built: Simulator, folder: Path, seed: int) -> None:
    """Images of a chip whose registers and memories Verilator starts from random values."""
    folder.mkdir()
    start = ["+verilator+rand+reset+2", f"+verilator+seed+{seed}"]
    play(built, folder, ["+stall=20", f"+seed={seed}", *start], only="images")


@pytest.mark.slow
def test_images_from_random_values_of_verilator(tmp_path: Path) -> None:
    """From 20 seeds, of a unit without a start value anywhere, every image is that of the integer model."""
    built = Simulator.of_texts(bench(None), random_start=True, quick=True)
    for seed in range(1, 21):
        from_seed(built, tmp_path / str(seed), seed)


@pytest.mark.slow
def test_a_mutant_that_keeps_its_start_value_fails_from_random_values(tmp_path: Path) -> None:
    broken = without_reset(export_axi(UNIT), "npu_axi_npu_layer_0_neuron_array.sv", "written")
    built = Simulator.of_texts(bench_of(broken, REGISTERS, None), random_start=True, quick=True)
    with pytest.raises(AssertionError, match="<failure"):
        for seed in range(1, 9):
            from_seed(built, tmp_path / str(seed), seed)
