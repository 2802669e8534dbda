"""What the command imports before it knows what it is asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version


def test_the_command_starts_without_what_computes() -> None:
    code = "import sys, spikeloom.sw.cli.main; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "spikeloom" in loaded
    assert not loaded & {"torch", "numba", "scipy", "matplotlib", "cocotb", "sklearn", "nir", "h5py", "jinja2"}


def test_the_version() -> None:
    done = subprocess.run([sys.executable, "-m", "spikeloom", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"spikeloom {version('spikeloom')}\n"
