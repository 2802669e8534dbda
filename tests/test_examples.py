"""The examples: configurations that load and equal their presets, and the quick start, run as a user would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spikeloom.sw.config.config import PRESETS, Config
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.flow.run_folder import load_chip
from spikeloom.sw.flow.steps import STEPS, make_flow
from spikeloom.sw.verify.result_file import load_result

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_configurations_load_and_equal_their_presets(path):
    config = Config.load(path)
    assert config.name == path.stem
    if path.stem in PRESETS:
        assert config == Config.load(path.stem)
        preset = ROOT / "sw" / "config" / "presets" / path.name
        assert path.read_text(encoding="utf-8") == preset.read_text(encoding="utf-8")  # comments, too


@pytest.mark.slow
def test_quick_start(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / "quick_start.py"), str(tmp_path / "out")]
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    assert "20 images bit-identical" in run.stdout
    assert {"chip.sv", "load.hex", "mine.loom", "report.html", "summary.json"} <= set(os.listdir(tmp_path / "out"))


@pytest.mark.slow
def test_host(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / "host.py")]
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert "Bit-identical to the reference with the conductances that were reached" in run.stdout


def test_nir_digits(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / "nir_digits.py"), str(tmp_path / "out")]
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert "10 images bit-identical" in run.stdout and "100.0% of the same classes" in run.stdout
    assert float(run.stdout.split("accuracy ")[1].split("%")[0]) > 97.0


@pytest.mark.slow
def test_winner_k_digits(tmp_path):
    """As it is, but for the images through the Verilog."""
    config = Config.load(ROOT / "examples" / "winner_k_digits.toml").updated({"cosim": {"images": 4}})
    flow = make_flow(config, tmp_path)
    flow.run()
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert summary["bit_exact"]["images"] == 4 and summary["bit_exact"]["mismatches"] == 0
    decision, tuning = summary["decision"], summary["tuning"]
    assert decision["converged"] and decision["k"] == decision["register"]["k"] == load_chip(flow).programmed.k
    assert tuning["after"]["loss"] < tuning["before"]["loss"]
    assert tuning["after"]["accuracy"] >= tuning["before"]["accuracy"] - 0.002 - 1e-12
    assert summary["accuracy"]["reference"] > summary["accuracy"]["ann"] - 0.03
    assert summary["steps"]["mean"] < 0.5 * config.decision.t_max


@pytest.mark.slow
def test_winner_k_fashion(tmp_path, dataset_folder):
    """Made small: the same passes on the other data set."""
    if not (dataset_folder / "fashion-mnist").is_dir():
        pytest.skip("SPIKELOOM_DATA has no folder fashion-mnist")
    small = {
        "data": {"validation_images": 300, "calibration_images": 100, "test_limit": 40},
        "train": {"hidden": [30], "epochs": 1},
        "tuning": {"batch": 100, "reductions": 1, "repeats": 1},
        "cosim": {"images": 2, "trace_images": 1},
    }
    flow = make_flow(Config.load(ROOT / "examples" / "winner_k_fashion.toml").updated(small), tmp_path, dataset_folder)
    flow.run()
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert summary["bit_exact"]["images"] == 2 and summary["bit_exact"]["mismatches"] == 0
    assert summary["decision"]["validation_images"] == 300 and summary["tuning"]["images"] == 100
    assert summary["layers"][0]["inputs"] == 784


@pytest.mark.slow
def test_tantalum_with_a_small_network(tmp_path):
    """From data to report: cells by pulses over the bus, every image through the stream port, drift on."""
    changes = {"train": {"hidden": [24], "epochs": 10}, "data": {"test_limit": 60}, "cosim": {"trace_images": 4}}
    Flow(Config.load(ROOT / "examples" / "tantalum.toml").updated(changes), tmp_path, STEPS).run()
    summary = json.loads((tmp_path / "report/summary.json").read_text())
    bus, programming = summary["bit_exact"]["through_bus"], summary["programming"]
    assert summary["bit_exact"]["images"] == 60 and summary["bit_exact"]["mismatches"] == 0
    assert bus["method"] == "pulses" and bus["cells_compared"] == programming["cells"] == 2 * (64 * 24 + 24 * 10)
    assert bus["pulses"] == programming["pulses"] > programming["failed_cells"] > 0
    assert 2.0 < programming["pulses_mean"] * programming["cells"] / (64 * 24 + 24 * 10) < 5.0
    reference, verilog = (load_result(tmp_path / name)[0] for name in ("reference/reference.npz", "cosim/rtl.npz"))
    assert reference.compare(verilog) > 0 and reference.drift is not None and reference.drift.images == 60
    stages = {stage["stage"]: stage["accuracy"] for stage in summary["waterfall"]}
    assert stages["drift"] == summary["accuracy"]["reference"]
    assert stages["read noise"] == programming["accuracy"]["fault_aware"] > 0.8
