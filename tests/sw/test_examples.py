"""The examples: configurations that load and equal their presets, and the quick start, run as a user would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sw.config import PRESETS, Config

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_configurations_load_and_equal_their_presets(path):
    config = Config.load(path)
    assert config.name == path.stem
    if path.stem in PRESETS:
        assert config == Config.load(path.stem)


def test_quick_start(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / "quick_start.py"), str(tmp_path / "out")]
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    assert "20 images bit-identical" in run.stdout
    assert {"chip.sv", "load.hex", "mine.loom", "report.html", "summary.json"} <= set(os.listdir(tmp_path / "out"))


def test_host(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / "host.py")]
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert "Bit-identical to the reference with the conductances that were reached" in run.stdout
