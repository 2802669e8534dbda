"""A report goes by what was run on the chip, whatever [cosim] and [lifetime] say now; what is left out is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.flow import Flow, Step
from spikeloom.sw.flow.run_settings import left_out, with_run_settings
from spikeloom.sw.flow.steps import make_flow


def config(**tables: Any) -> Config:
    return Config.load("tiny").updated(tables)


def recorded(folder: Path, tables: dict[str, Any]) -> Flow:
    """A folder in which every step that a configuration has was run: the records, and outputs of one byte."""

    def output(step: Step) -> Any:
        def run(flow: Flow) -> list[Path]:
            (folder / step.name).write_bytes(b"1")
            return [folder / step.name]

        return run

    flow = make_flow(config(**tables), folder)
    flow.steps = tuple(Step(s.name, s.title, s.needs, s.sources, s.facts, output(s)) for s in flow.steps)
    flow.run()
    return flow


def test_results_of_the_run_are_kept_with_its_settings(tmp_path: Path) -> None:
    recorded(tmp_path, {"cosim": {"images": 5, "simulator": "icarus"}})
    flow, differences = with_run_settings(make_flow(config(), tmp_path))
    assert list(differences.values()) == ['cosim.simulator = "icarus", not "verilator"', "cosim.images = 5, not 8"]
    assert flow.config.cosim.images == 5 and flow.current("cosim") and left_out(flow) == []
    assert with_run_settings(flow) == (flow, {})


def test_a_lifetime_is_kept_where_it_is_not_asked_for(tmp_path: Path) -> None:
    device = {"cell": "tantalum", "g_min_S": 1e-4, "g_max_S": 0.025, "acceleration": 1e8}
    recorded(tmp_path, {"device": device, "lifetime": {"measure": True, "threshold": 0.5}, "cosim": {"images": 3}})
    flow, differences = with_run_settings(make_flow(config(device=device), tmp_path))
    assert list(differences.values()) == [
        "cosim.images = 3, not 8",
        "lifetime.measure = true, not false",
        "lifetime.threshold = 0.5, not 0.85",
    ]
    assert flow.current("lifetime") and flow.current("cosim") and left_out(flow) == []


def test_results_of_another_chip_or_version_are_left_out(tmp_path: Path) -> None:
    recorded(tmp_path, {"cosim": {"images": 5}})
    other = make_flow(config(device={"bits": 2}), tmp_path)
    assert with_run_settings(other) == (other, {})
    assert left_out(other) == ["reference", "verilog", "cosim"]
    state = json.loads((tmp_path / "state.json").read_text())
    for facts in (None, [], {"cosim": 3}, {"cosim": {"images": -1}}, {"cosim": {"engine": "x"}}):
        state["steps"]["cosim"]["facts"] = facts
        (tmp_path / "state.json").write_text(json.dumps(state))
        flow, differences = with_run_settings(make_flow(config(), tmp_path))
        assert not differences and left_out(flow) == ["cosim"]
