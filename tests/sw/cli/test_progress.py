"""Lines of progress, the time that is left, and the hint where it is long."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from spikeloom.sw.cli import console, progress
from spikeloom.sw.cli.progress import Lines, Meter, duration


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (91, "2 min"), (5340, "89 min"), (12_000, "3 h 20 min"), (4e6, "1,111 h 7 min")],
)
def test_a_time_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_time_left_is_counted_from_what_this_run_has_done() -> None:
    """2,000 images were kept from an earlier run, the simulators took 30 seconds to start and do the first 50, and 50
    more took 25 seconds: 400 more take 200.
    """
    clock = Clock()
    meter = Meter("cosim", clock)
    meter.tell(0, 0, "running the Verilog")
    assert meter.text() == "running the Verilog" and meter.left_s is None
    clock.now += 30
    meter.tell(2000, 2500, "images")
    assert meter.left_s is None and meter.text() == "2,000 of 2,500 images"
    clock.now += 20
    meter.tell(2050, 2500, "images")
    assert meter.left_s is None and meter.text() == "2,050 of 2,500 images"
    clock.now += 25
    meter.tell(2100, 2500, "images")
    assert meter.rate == 2.0 and meter.left_s == 200.0
    assert meter.text() == "2,100 of 2,500 images, about 3 min left"
    assert meter.line() == "cosim: 2,100 of 2,500 images, about 3 min left (75 s so far)"
    meter.tell(2500, 2500, "images")
    assert meter.text() == "2,500 of 2,500 images"


def test_a_rate_is_not_believed_at_once() -> None:
    clock = Clock()
    meter = Meter("cosim", clock)
    meter.tell(0, 100_000, "images")
    clock.now += 100
    meter.tell(1, 100_000, "images")
    clock.now += 2
    meter.tell(2, 100_000, "images")
    assert meter.left_s is None and meter.hint() is None
    clock.now += 20
    meter.tell(3, 100_000, "images")
    assert meter.left_s == 99_997 * 11.0 and meter.hint() is None
    clock.now += 20
    assert meter.hint() is not None


@pytest.mark.parametrize(("step", "hours"), [("cosim", 5), ("cosim", 0.9), ("train", 5)])
def test_hours_of_simulation_are_told_once_with_the_remedy(step: str, hours: float) -> None:
    clock = Clock()
    meter = Meter(step, clock)
    meter.tell(0, 1020, "images")
    meter.tell(10, 1020, "images")
    clock.now += 36 * hours
    meter.tell(20, 1020, "images")
    expected = (
        "The simulation will take about 5 h 0 min more (18 s per image): for fewer images use --images N, or [cosim] "
        "images"
    )
    assert meter.hint() == (expected if (step, hours) == ("cosim", 5) else None)
    assert meter.hint() is None


def test_off_a_terminal_a_step_has_its_lines_even_if_it_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_s", 0.05)
    lines: list[str] = []
    told = threading.Event()

    def say(text: str) -> None:
        lines.append(text)
        if len(lines) == 5:
            told.set()

    with Lines(say) as shown:
        shown.advance("train", 0, 0, "training the network")
        shown.advance("cosim", 0, 0, "running the Verilog")
        shown.advance("cosim", 3, 500, "images")
        assert told.wait(20)
    assert lines[:2] == ["train: training the network", "cosim: running the Verilog"]
    assert lines[2] in ("cosim: 3 of 500 images (0 s so far)", "cosim: running the Verilog (0 s so far)")
    assert lines[4] == "cosim: 3 of 500 images (0 s so far)"
    count = len(lines)
    time.sleep(0.2)
    assert len(lines) == count  # none after the end


def test_the_minute_begins_with_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that begins shortly before a minute of the whole run is over has its first line a minute later."""
    monkeypatch.setattr(progress, "LINE_s", 1.0)
    lines: list[tuple[float, str]] = []
    with Lines(lambda text: lines.append((time.monotonic(), text))) as shown:
        time.sleep(0.7)
        shown.advance("report", 0, 0, "writing the report")
        time.sleep(1.6)
    (began, _), (later, text) = lines
    assert text.startswith("report: writing the report (1 s so far)")
    assert 0.95 <= later - began < 1.5


def test_the_command_line_uses_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with console.bar(False) as advance:
        advance("cosim", 0, 0, "running the Verilog")
    assert capsys.readouterr() == ("", "cosim: running the Verilog\n")
    with console.bar(True) as advance:
        advance("cosim", 0, 0, "running the Verilog")
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_the_bar_tells_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(console, "Meter", lambda step: Meter(step, clock))
    terminal = console.Console

    def wide(**options: Any) -> Any:
        return terminal(force_terminal=True, width=160, **options)

    monkeypatch.setattr(console, "Console", wide)
    with console.bar(False) as advance:
        advance("cosim", 0, 1001, "images")
        advance("cosim", 1, 1001, "images")
        clock.now += 3600
        advance("cosim", 2, 1001, "images")
    shown = capsys.readouterr().err
    assert "2 of 1,001 images, about 999 h 0 min left" in shown
    assert "The simulation will take about 999 h 0 min more (3.6e+03 s per image)" in shown
