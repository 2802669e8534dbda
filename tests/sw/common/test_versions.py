"""Versions, of a checkout that is not installed too."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from spikeloom.sw.common.versions import version_of

ROOT = Path(__file__).resolve().parents[3]
HIDDEN = """
import importlib.metadata

found = importlib.metadata.version
def version(name):
    if name == "spikeloom":
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)
importlib.metadata.version = version

import numpy as np
import spikeloom
from torch import nn
images = np.random.default_rng(0).integers(0, 256, (20, 9), dtype=np.uint8)
chip = spikeloom.compile(nn.Sequential(nn.Linear(9, 3)).eval(), images)
print(chip.provenance.versions["spikeloom"])
chip.report("page", images)
"""


def test_versions() -> None:
    assert version_of("numpy") == np.__version__ and version_of("no-such-package-at-all") is None
    assert version_of("spikeloom") == importlib.metadata.version("spikeloom")


def test_a_checkout_that_is_not_installed_compiles_and_reports(tmp_path: Path) -> None:
    """As under a folder whose name has a `$`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HIDDEN],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == importlib.metadata.version("spikeloom")
    assert (tmp_path / "page/report.html").is_file()
