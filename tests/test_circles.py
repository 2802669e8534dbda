"""No modules of hw, sim and sw import one another in a circle, and a circle would be found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.device_options import OF_THE_KIND, DeviceOptions
from tests.checks.circles import circles, imports, problems


def test_there_is_no_circle() -> None:
    assert list(problems()) == []


@pytest.mark.parametrize(
    "back",
    [
        "from toy_circle.a import A\n",
        "def late():\n    from toy_circle.a import A\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toy_circle.a import A\n",
    ],
)
def test_a_circle_is_found(back: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "toy_circle"
    package.mkdir()
    for name, text in (
        ("__init__", ""),
        ("a", "from toy_circle import b\nA = 1\n"),
        ("b", "from toy_circle.c import C\n"),
        ("c", f"C = 1\n{back}"),
        ("d", "from toy_circle import a\n"),
    ):
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "toy_circle", raising=False)
    (found,) = problems("toy_circle")
    assert found.startswith("toy_circle.a, toy_circle.b, toy_circle.c import one another")
    (package / "c.py").write_text("C = 1\n", encoding="utf-8")
    assert circles(imports("toy_circle")) == []


def test_names_that_no_option_may_have() -> None:
    """A device has nothing but its options, what follows from them, and what its kind says."""
    added = {name for name in set(dir(Device)) - set(dir(DeviceOptions)) if not name.startswith("_")}
    assert added == set(OF_THE_KIND) - set(dir(DeviceOptions))
    assert set(OF_THE_KIND) <= set(dir(Device))
