"""A chip in memory, behind the transport that a driver of a board would have: `FakeChip` without pipes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sw.host.transport import INTERRUPT, READ, Frames, Transport
from tests.sw.fake_chip import FakeChip

__all__ = ["MemoryTransport"]


class MemoryTransport(Transport):
    """The way to `chip`."""

    def __init__(self, chip: FakeChip) -> None:
        self.chip = chip
        self.waiting: list[tuple[int, list[int]]] = []

    def execute(self, table: NDArray[np.uint32]) -> NDArray[np.uint32]:
        answers = np.zeros((len(table), 2), np.uint32)
        for row, (kind, address, data) in enumerate(table.tolist()):
            if kind == INTERRUPT:  # the cells are where they go already
                self.chip.busy = [0] * len(self.chip.busy)
                answers[row, 1] = 1
                continue
            fields = self.chip.answer(2 if kind == READ else 1, address, data).split()
            answers[row] = int(fields[1]), int(fields[2], 16) if kind == READ else 0
        return answers

    def send(self, frames: Frames) -> None:
        for words, tag, number in zip(frames.words, frames.tags.tolist(), frames.ids.tolist(), strict=True):
            for line in self.chip.frame(tag, number, words[:, ::-1].tobytes()):
                _, sent, *rest = line.split()
                self.waiting.append((int(sent), [int(word, 16) for word in rest]))

    def receive(self, count: int, idle_cycles: int) -> list[tuple[int, list[int]]]:
        taken, self.waiting[:count] = self.waiting[:count], []
        return taken

    def wait(self, cycles: int) -> None:
        pass

    def hardware_reset(self, cycles: int = 8) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.waiting.clear()
