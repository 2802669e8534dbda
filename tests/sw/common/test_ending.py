"""Signals end a block in order, and in the end whatever it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from spikeloom.sw.common.ending import Terminated, ends_in_order


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_block_is_left_by_an_exception_and_handlers_are_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number), signal.set_wakeup_fd(-1)
    with pytest.raises(Terminated) as ended, ends_in_order():
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert ended.value.number == number and str(ended.value) == f"signal {number.name}"
    assert (signal.getsignal(number), signal.set_wakeup_fd(-1)) == before
    assert not isinstance(ended.value, Exception)


def test_signals_that_the_user_ignores_or_handles_stay_his() -> None:
    """`nohup` ignores SIGHUP."""
    seen: list[int] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.signal(signal.SIGTERM, lambda n, _: seen.append(n))
    try:
        with ends_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)
    finally:
        signal.signal(signal.SIGHUP, before[0])
        signal.signal(signal.SIGTERM, before[1])
    assert seen == [signal.SIGTERM]


def test_another_thread_is_left_alone() -> None:
    done: list[bool] = []

    def work() -> None:
        with ends_in_order():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


_DEAF = """
import signal, sys, time
from spikeloom.sw.common.ending import ends_in_order
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in what a shell starts in the background
with ends_in_order():
    while True:
        try:
            print("ready", flush=True)
            time.sleep(60)
        except BaseException:
            pass
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_block_that_swallows_the_exception_is_ended_all_the_same(number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-c", _DEAF]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        try:
            assert process.wait(5.0) == code
        finally:
            process.kill()
        assert process.stderr.read().startswith("Ended. Only finished steps and chunks are kept")
