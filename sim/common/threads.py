"""Parallel work in threads: one item per thread, results in order. For work that releases Python's interpreter lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_order", "processors"]

Item = TypeVar("Item")
Value = TypeVar("Value")


def processors() -> int:
    """Processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def in_order(work: Callable[[Item], Value], items: Sequence[Item], threads: int | None = None) -> Iterator[Value]:
    """Yield work(item) of every item, in order, `threads` at a time (default: the processors).

    An exception in the work reaches the caller; after one, there or here, items that have not begun are dropped.
    """
    pool = ThreadPoolExecutor(max(1, min(processors() if threads is None else threads, len(items))))
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)
