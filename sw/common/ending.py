"""What ends a command from outside: SIGTERM and SIGHUP end it as Ctrl-C does, and a command that hangs is ended all the
same.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

__all__ = ["GRACE_s", "Terminated", "ends_in_order", "leave"]

GRACE_s = 3.0
"""Time for going out in order after a signal. Then the process ends at once: its files are whole or not there, and the
programs that it has started end with it."""
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Terminated(BaseException):
    """The process was asked to end. Not an `Exception`, so that nothing takes it for an error of its own.

    `number` is the signal's; the exit code is 128 + number.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"signal {signal.Signals(number).name}")


@contextlib.contextmanager
def ends_in_order() -> Iterator[None]:
    """Raise `Terminated` in the block at SIGTERM and SIGHUP, unless they are ignored or handled; and end the process
    `GRACE_s` after these or SIGINT if the block is not done then.

    Python handles a signal when the main thread comes back from the library that it is in, and an exception can be
    lost in a callback. Outside the main thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    done = threading.Event()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    watcher = threading.Thread(target=_watch, args=(reading, done), daemon=True)
    before: dict[int, Any] = {}
    waking = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        watcher.start()
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _raise)
        yield
    finally:
        for handled, handler in before.items():
            signal.signal(handled, handler)
        signal.set_wakeup_fd(waking)
        done.set()
        os.close(writing)
        watcher.join()
        os.close(reading)


def leave(code: int) -> NoReturn:
    """End the process at once, with what it has printed."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _raise(number: int, _: FrameType | None) -> None:
    raise Terminated(number)


def _watch(reading: int, done: threading.Event) -> None:
    """Wait for a signal's number in the pipe, then for the end of the block, but not for ever."""
    while numbers := os.read(reading, 64):
        asked = [number for number in numbers if number in (signal.SIGINT, *_ENDING)]
        if asked and not done.wait(GRACE_s):
            with contextlib.suppress(OSError):
                os.write(2, b"Ended. Only finished steps and chunks are kept: run the same command again.\n")
            os._exit(128 + asked[0])
