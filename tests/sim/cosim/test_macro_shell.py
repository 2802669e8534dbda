"""The Verilog shell's programming port under every simulator that is there."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from cocotb_tools.runner import get_results, get_runner

from spikeloom.sim.cosim.macro_model import fresh_models, save_models
from spikeloom.sim.cosim.simulator import _SETTINGS, SOURCES, Simulator, visible
from spikeloom.sim.cosim.tools import simulator_environment
from tests.benches.macro_shell import bench_texts, shell_chip
from tests.conftest import SIMULATORS


@pytest.fixture(scope="module", params=SIMULATORS)
def built(request: pytest.FixtureRequest) -> tuple[str, Path]:
    texts = bench_texts()
    macro = [line for line in visible().splitlines() if '"bench"' not in line]
    texts["bench.vlt"] = "\n".join([*macro, texts["bench.vlt"], ""])
    texts["crossbar_macro.sv"] = (SOURCES / "crossbar_macro_python.sv").read_text()
    return request.param, Simulator.of_texts(texts, request.param, quick=True).folder


@pytest.mark.parametrize("plusargs", [[], ["+stalls"]], ids=["plain", "stalls"])
def test_operations(built: tuple[str, Path], plusargs: list[str], tmp_path: Path) -> None:
    simulator, folder = built
    save_models(tmp_path, fresh_models(shell_chip()))
    results = tmp_path / "results.xml"
    with simulator_environment(), contextlib.suppress(SystemExit):
        get_runner(simulator).test(
            test_module="tests.benches.macro_shell_tb",
            hdl_toplevel="bench",
            hdl_toplevel_lang="verilog",
            build_dir=folder,
            test_dir=tmp_path,
            results_xml=str(results),
            plusargs=plusargs,
            extra_env=_SETTINGS,
            log_file=str(tmp_path / "log.txt"),
        )
    assert get_results(results) == (1, 0), (tmp_path / "log.txt").read_text()
