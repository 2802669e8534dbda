"""Pictures of waves: what is drawn follows from the values, and slips are one sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import spikeloom
from spikeloom.sim.cosim.wave_reading import Wave
from spikeloom.sw.report.wave_picture import wave_svg
from tests.sim.cosim.test_wave_reading import DUMP

SIGNALS = {"a < b": "bench.valid", "word": "bench.chip.word"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "waves.vcd").write_text(DUMP)
    return tmp_path


def test_a_picture_of_a_dump(run: Path) -> None:
    path = spikeloom.wave_picture(run, run / "w.svg", SIGNALS)
    text = path.read_text()
    root = ElementTree.fromstring(text)
    assert root.find("{*}title").text == "Clock cycles 0 to 2: a < b, word"  # type: ignore[union-attr]
    assert [each.text for each in root.findall("{*}text")] == ["0", "a < b", "word", "0", "5", "x"]
    assert text.count('class="bus"') == 2 and text.count('class="unknown"') == 1
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "") and "image" not in text
    again = spikeloom.wave_picture(run / "waves.vcd", run / "again.svg", SIGNALS)
    assert again.read_bytes() == path.read_bytes()


def test_a_bit_goes_up_and_down_with_its_values() -> None:
    for values in ((0, 1, 1, 0), (1, 0, 0, 1)):
        (line,) = re.findall(r'points="([^"]+)"', wave_svg({"bit": Wave("bench.bit", 1, 7, values)}))
        points = [tuple(map(int, point.split(","))) for point in line.split()]
        xs = [x for x, _ in points]
        low = max(y for _, y in points)
        high = [y < low for _, y in points]
        assert high[::2] == high[1::2] == [bool(values[at]) for at in (0, 1, 3)]
        assert [b - a for a, b in zip(xs[::2], xs[1::2], strict=True)] == [18, 36, 18]


def test_an_unknown_bit_is_a_box() -> None:
    assert wave_svg({"bit": Wave("bench.bit", 1, 0, (None, 1))}).count('<rect class="unknown"') == 1


def test_a_value_is_written_where_it_has_room() -> None:
    wide = Wave("bench.word", 32, 0, (0xABCDEF, 0xABCDEF, 0xABCDEF, 0x123456))
    text = wave_svg({"word": wide})
    assert ">abcdef<" in text and "123456" not in text


def test_names_alone_are_labels(run: Path) -> None:
    text = spikeloom.wave_picture(run, run / "w.svg", ["bench.valid"], start="bench.valid", cycles=1).read_text()
    assert ">valid</text>" in text and "Clock cycles 1 to 1" in text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"signals": "bench.valid"}, r"^signals are names, or a dictionary of labels to names, not 'bench\.valid'$"),
        ({"signals": []}, r"^signals are names, .* not \[\]$"),
        ({"cycles": 0}, r"^cycles is a whole number of at least 1, not 0$"),
        ({"cycles": 2.0}, r"^cycles is a whole number of at least 1, not 2\.0$"),
        ({"cycles": 1001}, r"^cycles is at most 1000, what a picture can show, not 1001$"),
        ({"start": -1}, r"^start is a whole number of at least 0, not -1$"),
        ({"start": "bench.no"}, r"^No signal 'bench\.no' in "),
    ],
)
def test_slips_are_said_and_nothing_is_written(run: Path, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        spikeloom.wave_picture(run, run / "w.svg", **{"signals": SIGNALS, **asked})
    assert not (run / "w.svg").exists()
