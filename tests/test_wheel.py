"""The wheel: it has everything that the program needs and ships, and works where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from spikeloom.sw.common.shipped import driver_files, example_files
from tests.sw.export.test_firmware import COMPILER
from tests.test_docs import ROOT, files

PACKAGED = {"hw", "sim", "sw", "examples"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the repository's files: the build leaves things in its folder."""
    copy, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for path in files():
        name = path.relative_to(ROOT)
        if name.parts[0] in {*PACKAGED, "src", "setup.py", "pyproject.toml", "README.md", "LICENSE"}:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy / name)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(dist), ".", at=copy)
    (path,) = dist.glob("*.whl")
    return path


def run(*command: str, at: Path, **variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(at), "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables}
    done = subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_of_the_packages_and_every_example_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    expected = {}
    for path in files():
        name = path.relative_to(ROOT)
        if name.parts[0] in PACKAGED:
            expected[f"spikeloom/{name.as_posix()}"] = path.read_bytes()
        elif name.parts[0] == "src":
            expected[name.relative_to("src").as_posix()] = path.read_bytes()
    assert set(content) == set(expected)
    assert all(content[name] == expected[name] for name in expected)
    assert {f"spikeloom/examples/{name}": text for name, text in example_files().items()}.items() <= content.items()
    assert {"spikeloom.c", "spikeloom.h", "spikeloom_load.c", "main.c", "Makefile"} <= set(driver_files())


@pytest.mark.slow
def test_installed_without_a_checkout(wheel: Path, tmp_path: Path) -> None:
    """`spikeloom firmware tiny` and `spikeloom examples` from a fresh environment; the driver compiles as it came."""
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", str(environment), at=tmp_path)
    python, command = environment / "bin" / "python", environment / "bin" / "spikeloom"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", str(wheel), at=tmp_path)
    site = run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", at=tmp_path).strip()
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = run(str(python), "-c", "import spikeloom; print(spikeloom.__file__)", at=tmp_path).strip()
    assert Path(where).is_relative_to(environment)
    for name in ("hw", "sim", "sw", "tests"):  # a user's own, with names that were once the program's
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('this is not what was asked for')\n")
    assert {"hw", "sim", "sw"}.isdisjoint(path.name for path in Path(site).iterdir())

    assert "From a trained PyTorch network" in run(str(python), "-m", "spikeloom", "--help", at=tmp_path)
    run(str(command), "examples", "examples", at=tmp_path)
    for name, content in example_files().items():
        assert (tmp_path / "examples" / name).read_bytes() == content
    run(str(command), "run", "examples/nir_digits.toml", "--to", "train", at=tmp_path)
    said = run(str(command), "firmware", "tiny", "-o", "c", at=tmp_path)
    assert "network.h" in said
    if COMPILER is not None:
        run("make", "-C", "c", at=tmp_path)
        assert (tmp_path / "c" / "firmware").exists()
