"""Threads: order, failures, and no work after a failure."""

from __future__ import annotations

import time

import pytest

from spikeloom.sim.common.threads import in_order, processors


def test_results_are_in_order() -> None:
    def work(item: int) -> int:
        time.sleep(0.002 * (5 - item))
        return item * item

    assert list(in_order(work, range(5), threads=4)) == [0, 1, 4, 9, 16]
    assert list(in_order(work, [])) == []
    assert processors() >= 1


def test_failure_reaches_the_caller_and_ends_the_work() -> None:
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        time.sleep(0.001)
        if item == 1:
            raise ValueError("item 1")

    with pytest.raises(ValueError, match=r"^item 1$"):
        list(in_order(work, range(1000), threads=1))
    assert len(begun) < 100
