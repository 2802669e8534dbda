"""The table of what takes the time, from a results file that pytest writes here; failures are said at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.checks.times import seconds_of_files, table

ROOT = Path(__file__).parents[2]
TESTS = """
import time

class TestGroup:
    def test_sleeps(self):
        time.sleep(0.3)

def test_fails():
    assert 1 == 2, "one is not two"
"""


def test_a_results_file_and_a_failure_as_it_happens(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "test_one.py").write_text(TESTS)
    (tmp_path / "a" / "test_two.py").write_text("def test_passes():\n    pass\n")
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import pytest_configure\n__all__ = ['pytest_configure']\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", "tests.xml", "a"]
    run = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert run.returncode == 1, run.stderr
    at_once = run.stdout.index("FAILED a/test_one.py::test_fails: AssertionError: one is not two")
    assert at_once < run.stdout.index("= FAILURES =")
    files = seconds_of_files(tmp_path / "tests.xml")
    assert {name: number for name, (number, _) in files.items()} == {"a.test_one": 2, "a.test_two": 1}
    assert 0.3 <= files["a.test_one"][1] < 10
    rows = table(files).splitlines()
    assert rows[2].startswith("| `a/` | 3 |") and rows[3].startswith("| `a/test_one.py` | 2 |")
    assert rows[-1].startswith("| all | 3 |") and rows[-1].endswith("| 100.0 % |")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tests.xml").write_text("<testsuites/>")
    with pytest.raises(ValueError, match=r"tests\.xml has no tests; `make test` writes it"):
        seconds_of_files(tmp_path / "tests.xml")
