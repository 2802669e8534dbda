"""docs/devices.md, "A device of your own", as it stands: done to a copy of the program, which then has the effect."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.fixtures.program_copy import program_copy

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "devices.md"

SCRIPT = """
import json, sys
import numpy as np, torch
from torch import nn
import spikeloom
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.devices.conductance import Cells
from spikeloom.sim.common.random_words import Purpose
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.analysis.waterfall import waterfall

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 5)).eval()
rng = np.random.default_rng(0)
images, labels = rng.integers(0, 256, (60, 20), dtype=np.uint8), rng.integers(0, 5, 60)
found = {}
for method in ("direct", "write-verify"):
    chips = {}
    for sigma in (0.0, 0.4):
        config = {"preset": "tiny", "device": {"relaxation_sigma": sigma, "wire_ohm": 2.0},
                  "programming": {"method": method}}
        chips[sigma] = spikeloom.compile(model, images, config)
    without, with_it = (build_arrays(chips[sigma].programmed)[0] for sigma in (0.0, 0.4))
    normals = Cells(chips[0.4].programmed.seed, 0).normals(Purpose.RELAX, without.cells_S.shape)
    expected = np.maximum(0.0, without.cells_S * (1.0 + 0.4 * normals))
    stages = waterfall(chips[0.4], images, labels)
    found[method] = {
        "exact": bool(np.array_equal(with_it.cells_S, expected)),
        "wires": bool((with_it.g_S < with_it.cells_S).any()),
        "stages": [name for name, _ in stages],
        "quantised": dict(stages)["quantised"] == dict(waterfall(chips[0.0], images, labels))["quantised"],
        "end": stages[-1][1] == chips[0.4].predict(images).accuracy(labels),
        "changed": int((chips[0.4].predict(images).margins != chips[0.0].predict(images).margins).sum()),
    }
    chips[0.4].save(sys.argv[1] + f"/{method}.loom")
    again = spikeloom.load(sys.argv[1] + f"/{method}.loom")
    found[method]["kept"] = bool(np.array_equal(again.predict(images).margins, chips[0.4].predict(images).margins))
print(json.dumps(found))
"""


def insert(path: Path, before: str, block: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{before!r} is {text.count(before)} times in {path.name}"
    path.write_text(text.replace(before, block + before), encoding="utf-8")


def extended(folder: Path, verify: str = '"relaxation"') -> Path:
    """A copy of the program with the guide's effect in it."""
    package = program_copy(folder)
    section = GUIDE.read_text(encoding="utf-8").split("## A device of your own")[1]
    effect, purpose, option, entry = re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S)
    purpose, option, entry = (textwrap.indent(block, "    ") for block in (purpose, option, entry))
    entry = entry.replace('"relaxation", "relaxation"', f'"relaxation", {verify}')
    insert(package / "sim/devices/effects.py", "EFFECTS = EffectList(", effect + "\n\n")
    insert(package / "sim/devices/effects.py", '    EffectEntry(\n        ("wire_ohm",)', entry.rstrip() + ",\n")
    insert(package / "sim/common/random_words.py", "\n\n_OWN: dict", purpose)
    insert(
        package / "sim/chip/device_options.py",
        '\n    @model_validator(mode="wrap")',
        option,
    )
    return folder


def run(folder: Path, script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_guides_effect_is_a_stage_and_acts_with_both_methods(tmp_path: Path) -> None:
    found = json.loads(run(extended(tmp_path), SCRIPT))
    stages = {"direct": ["relaxation", "IR drop"], "write-verify": ["programming", "relaxation", "IR drop"]}
    for method, seen in found.items():
        assert seen["stages"][-len(stages[method]) :] == stages[method] and "quantised" in seen["stages"]
        assert seen["exact"] and seen["wires"] and seen["quantised"] and seen["end"] and seen["kept"]
        assert seen["changed"] > 0


@pytest.mark.slow
def test_where_an_effect_does_not_apply_its_option_is_refused(tmp_path: Path) -> None:
    script = """
import spikeloom
config = {"device": {"relaxation_sigma": 0.1}}
spikeloom.Config.load(config)
try:
    spikeloom.Config.load({**config, "programming": {"method": "write-verify"}})
except ValueError as error:
    print(error)
"""
    said = run(extended(tmp_path, "None"), script)
    assert (
        "[device] relaxation_sigma must be 0.0 with [programming] method 'write-verify', with which the effect does"
        in said
    )
