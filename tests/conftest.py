"""What the whole test suite shares."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

SIMULATORS = ["verilator"] + (["icarus"] if shutil.which("iverilog") else [])
"""Simulators that are there. Icarus is optional."""

icarus = pytest.mark.skipif("icarus" not in SIMULATORS, reason="Icarus Verilog (iverilog) is not installed")


@pytest.fixture
def dataset_folder() -> Path:
    """Folder of the original data sets; the test is skipped where $SPIKELOOM_DATA does not name one."""
    folder = os.environ.get("SPIKELOOM_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SPIKELOOM_DATA does not name a folder with the original data sets")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def _no_waves() -> Iterator[None]:
    """A WAVES variable in the user's environment must not change what the tests build."""
    before = os.environ.pop("WAVES", None)
    yield
    if before is not None:
        os.environ["WAVES"] = before
