"""What every transport has: tables of accesses, single words, and errors that name the access."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikeloom.sw.host.errors import BusError
from spikeloom.sw.host.transport import ACCESS, ANSWER, INTERRUPT, READ, WRITE, Transport, accesses


class Recorded(Transport):
    """Keeps what was asked; the access at 0x40 is answered by an error."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = []

    def execute(self, table: Any) -> Any:
        self.rows += [tuple(row) for row in table.tolist()]
        return np.array([(3 if row[1] == 0x40 else 0, row[1] + 1) for row in table.tolist()], ANSWER)

    def send(self, frames: Any) -> None: ...

    def receive(self, count: int, idle_cycles: int) -> list[Any]:
        return []

    def wait(self, cycles: int) -> None: ...

    def hardware_reset(self, cycles: int = 8) -> None: ...

    def close(self) -> None:
        self.closed = True


def test_tables() -> None:
    assert accesses(READ, [8, 4]).tolist() == [(READ, 8, 0), (READ, 4, 0)]
    assert accesses(WRITE, 12, -1).tolist() == [(WRITE, 12, 0xFFFFFFFF)]
    assert accesses(INTERRUPT, 100).tolist() == [(INTERRUPT, 100, 0)]
    assert accesses(WRITE, [1 << 25, 0], [5, 1 << 31]).dtype == ACCESS


def test_words() -> None:
    with Recorded() as transport:
        assert transport.read(16) == 17
        transport.write(20, -2)
        assert transport.read_many([0, 4]).tolist() == [1, 5]
        transport.write_many([0, 8], [1, 2])
        assert transport.clock() is None and transport.devices is None
    assert transport.rows == [
        (READ, 16, 0), (WRITE, 20, 0xFFFFFFFE), (READ, 0, 0), (READ, 4, 0), (WRITE, 0, 1), (WRITE, 8, 2),
    ]  # fmt: skip
    assert transport.closed


def test_the_first_error_is_named() -> None:
    transport = Recorded()
    with pytest.raises(BusError, match=r"^The chip answered DECERR to a read at address 0x0000040$"):
        transport.read_many([0, 0x40, 0x44])
    with pytest.raises(BusError, match=r"^The chip answered DECERR to a write at address 0x0000040$"):
        transport.write(0x40, 1)
    assert len(transport.rows) == 4
