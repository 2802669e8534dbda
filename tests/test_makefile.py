"""The Makefile in a checkout under any path: nothing is expanded twice, nothing is cut at a space."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ODD = "a b $c $(HOME) #%;,&'ü"
CONTRACT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
_PYTHON = """#!/bin/sh
printf '%s\\n' "$*" >> said
printf '%s' "$PATH" > path
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment has a Python that writes down what it is asked."""
    folder = tmp_path / ODD / "check out"
    (folder / ".venv/bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv/bin/python").write_text(_PYTHON)
    (folder / ".venv/bin/python").chmod(0o755)
    (folder / ".venv/.ready").touch()
    return folder


def make(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | variables
    return subprocess.run(["make", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("demo", ["-m spikeloom demo"]),
        (
            "lint",
            [
                "-m ruff check .",
                "-m ruff format --check .",
                "-m mypy",
                "-m tests.checks.sizes",
                f"-c {CONTRACT} --no-cache",
            ],
        ),
        ("bench", ["-m benchmarks"]),
    ],
)
def test_programs_are_started_by_the_environments_python(checkout: Path, target: str, said: list[str]) -> None:
    """A start script names its Python in its first line, which ends at a space."""
    path = f"{os.environ['PATH']}:/o pt/$d/bin"
    done = make(checkout, target, PATH=path)
    assert done.returncode == 0, done.stderr
    assert (checkout / "said").read_text().splitlines() == said
    assert (checkout / "path").read_text() == f"{checkout}/.venv/bin:{path}"


def test_a_path_that_python_refuses_is_one_sentence(checkout: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    shutil.copytree(checkout, folder)
    (folder / ".venv/.ready").unlink()
    done = make(folder, "demo")
    assert done.returncode != 0 and not (folder / "said").exists()
    assert f"Python has no virtual environments under a path with a colon: {folder}; move this folder" in done.stdout


@pytest.fixture
def site(checkout: Path) -> Path:
    """The checkout with what the documentation's tools are installed by."""
    (checkout / "docs/site").mkdir(parents=True)
    for name in ("requirements-docs.lock", "docs/site/package.json", "docs/site/package-lock.json"):
        shutil.copy(ROOT / name, checkout / name)
    return checkout


def test_the_site_is_built_by_its_own_python(site: Path) -> None:
    (site / ".venv/docs/bin").mkdir(parents=True)
    shutil.copy(site / ".venv/bin/python", site / ".venv/docs/bin/python")
    (site / ".venv/docs/.ready").touch()
    done = make(site, "docs")
    assert done.returncode == 0, done.stderr
    built = ["-m mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml", "-m docs.site.built build/docs"]
    assert (site / "said").read_text().splitlines() == built


def test_without_npm_the_site_says_what_it_needs(site: Path) -> None:
    tools = site / "tools"
    tools.mkdir()
    for name in ("make", "sh"):
        (tools / name).symlink_to(str(shutil.which(name)))
    done = make(site, "docs", PATH=str(tools))
    assert done.returncode != 0 and not (site / ".venv/docs").exists()
    assert "make docs needs npm on PATH (Debian: apt-get install npm)" in done.stdout
