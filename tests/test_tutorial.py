"""The tutorial runs as it is written, prints what it says, and its picture is the one that it draws."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from docs.pictures.tutorial_waves import DRAWN, PICTURE, run_page

NUMBER = re.compile(r"\d[\d,]*\.?\d*")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[tuple[str, str]]]:
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return (folder, *run_page())


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def test_it_prints_what_it_says(ran: tuple[Path, dict[str, Any], list[tuple[str, str]]]) -> None:
    """The same words; numbers are of one machine, and those of another one are not far from them."""
    pairs = ran[2]
    assert len(pairs) == 5
    for printed, said in pairs:
        assert NUMBER.sub("N", printed) == NUMBER.sub("N", said)
        assert numbers(printed) == pytest.approx(numbers(said), rel=0.15)


def test_the_picture_is_up_to_date(ran: tuple[Path, dict[str, Any], list[tuple[str, str]]]) -> None:
    drawn = (ran[0] / DRAWN).read_text(encoding="utf-8")
    assert drawn == PICTURE.read_text(encoding="utf-8"), "write it anew: python -m docs.pictures.tutorial_waves"


def test_everything_that_it_names_is_written(ran: tuple[Path, dict[str, Any], list[tuple[str, str]]]) -> None:
    folder, names, _ = ran
    written = folder / "build/tutorial"
    assert (written / "report/report.html").stat().st_size > 100_000
    assert (written / "verilog/chip.sv").exists() and (written / "tutorial.loom").exists()
    assert (written / "job_0/waves.gtkw").exists()
    assert names["result"].accuracy(names["expected"]) > 0.88 and names["values"] > 300
    energy = names["energy"]
    assert energy["low"] < energy["typical"] < energy["high"]
    for name in names["signals"].values():
        assert name in (written / "job_0/waves.gtkw").read_text()
