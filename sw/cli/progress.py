"""Progress of a step and the time it will take, from the rate so far; one line per minute where there is no bar."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

__all__ = ["LINE_s", "LONG_s", "Lines", "Meter", "duration"]

LINE_s = 60.0
"""Time between two lines of progress off a terminal."""
LONG_s = 3600.0
"""A step that will take longer says so once, with what can be done."""
_SURE_s = 3.0
"""Least time of measuring before a rate is believed."""
_HINT_s = 30.0
"""Least time of measuring before it is said that a step will take long."""


def duration(seconds: float) -> str:
    """A time in words: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60:,} h {minutes % 60} min"


class Meter:
    """One step's progress.

    Parameters
    ----------
    step : its name
    clock : seconds

    The rate is counted from the first advance on that `tell` is given: what an earlier run had done is not this run's,
    and the time until then is that of starting.
    """

    def __init__(self, step: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.step = step
        self._clock = clock
        self._start = self._last_line = clock()
        self._first: int | None = None
        self._base: tuple[float, int] | None = None
        self._done = self._total = 0
        self._text = ""
        self._hinted = False

    def tell(self, done: int, total: int, text: str) -> None:
        """Take (done, total, what is counted); a total of 0 is a text alone."""
        self._done, self._total, self._text = done, total, text
        if total and self._first is None:
            self._first = done
        if self._base is None and self._first is not None and done > self._first:
            self._base = self._clock(), done

    @property
    def rate(self) -> float | None:
        """What is counted, per second; None as long as it is not known."""
        if self._base is None:
            return None
        elapsed, done = self._clock() - self._base[0], self._done - self._base[1]
        return done / elapsed if done > 0 and elapsed >= _SURE_s else None

    @property
    def left_s(self) -> float | None:
        """Seconds to the end of the step; None as long as they are not known."""
        rate = self.rate
        return None if rate is None else max(0, self._total - self._done) / rate

    def text(self) -> str:
        """How far it is, and about how long it will take."""
        if not self._total:
            return self._text
        left = self.left_s
        count = f"{self._done:,} of {self._total:,} {self._text}"
        return count if left is None or self._done >= self._total else f"{count}, about {duration(left)} left"

    def line(self) -> str:
        """The same as a line by itself, with the time so far."""
        self._last_line = self._clock()
        return f"{self.step}: {self.text()} ({duration(self._last_line - self._start)} so far)"

    @property
    def since_line_s(self) -> float:
        """Seconds since the last line, or since the step began."""
        return self._clock() - self._last_line

    def hint(self) -> str | None:
        """A sentence, once, where a co-simulation will take longer than `LONG_s`; else None."""
        left, rate = self.left_s, self.rate
        if self._hinted or self.step != "cosim" or self._base is None or left is None or rate is None:
            return None
        if left < LONG_s or self._clock() - self._base[0] < _HINT_s:
            return None
        self._hinted = True
        speed = f"{rate:.2g} {self._text} per second" if rate >= 1 else f"{1 / rate:.2g} s per image"
        return (
            f"The simulation will take about {duration(left)} more ({speed}): for fewer images use --images N, or "
            "[cosim] images"
        )


class Lines:
    """Prints a line when a step begins, and one every `LINE_s` with how far it is; for output that is no terminal.

    Parameters
    ----------
    say : prints a line
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._meters: dict[str, Meter] = {}
        self._now: Meter | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._every_minute, daemon=True)

    def __enter__(self) -> Lines:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def advance(self, step: str, done: int, total: int, text: str) -> None:
        """Take a step's progress."""
        meter = self._meters.get(step)
        if meter is None:
            meter = self._meters[step] = Meter(step)
            self._say(f"{step}: {text}")
        meter.tell(done, total, text)
        self._now = meter
        hint = meter.hint()
        if hint is not None:
            self._say(hint)

    def _every_minute(self) -> None:
        """A step that tells nothing, such as a long build, has its line all the same."""
        wait_s = LINE_s
        while not self._ended.wait(wait_s):
            meter = self._now
            since_s = LINE_s if meter is None else meter.since_line_s
            if meter is not None and since_s >= LINE_s:
                self._say(meter.line())
                since_s = 0.0
            wait_s = LINE_s - min(since_s, LINE_s) or LINE_s
