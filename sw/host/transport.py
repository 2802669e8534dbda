"""Interface of a transport: register accesses, image frames out, result frames in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.host.errors import BusError

if TYPE_CHECKING:  # a driver of real chips needs no model of devices
    from spikeloom.sim.crossbar.array import CrossbarArray
    from spikeloom.sim.programming.cells import CellState

__all__ = [
    "ACCESS", "ANSWER", "INTERRUPT", "READ", "WRITE", "Accesses", "Answers", "Devices", "Frames", "Transport",
    "accesses",
]  # fmt: skip

WRITE, READ, INTERRUPT = 1, 2, 10
"""Kinds of an access. INTERRUPT waits until the chip's interrupt is up, or so many clock cycles."""
ACCESS = np.dtype([("kind", "<u4"), ("address", "<u4"), ("data", "<u4")])
"""An access: kind, byte address (INTERRUPT: most cycles), data."""
ANSWER = np.dtype([("response", "<u4"), ("data", "<u4")])
"""What an access gives: the bus's response (0 is good), and data: of a read the word, of an INTERRUPT the level."""
Accesses = NDArray[np.void]
Answers = NDArray[np.void]


@dataclass(frozen=True, eq=False)
class Frames:
    """Image frames of one length.

    Parameters
    ----------
    words : uint8 [frames, words, encoder_lanes], lane 0 first: it is the lowest byte of the stream's word
    tags : uint16 [frames], which come back with the results
    ids : int64 [frames], numbers that address the random draws of simulated devices; nothing to real ones
    """

    words: NDArray[np.uint8]
    tags: NDArray[np.uint16]
    ids: NDArray[np.int64]

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.words)


class Devices(Protocol):
    """What only simulated and emulated devices can do."""

    frames_sent: int
    """Image frames that were sent since the start: the place of the next one."""

    draws: bool
    """Whether an image's random draws go by its tag, which then has to be the lower half of its number."""

    def number_images(self, high: int) -> None:
        """With `draws`: the upper half of the numbers of all images that come; none may be in the chip."""

    def reload(
        self, chip: ProgrammedChip, arrays: Sequence[CrossbarArray] | None = None, drift: DriftSnapshot | None = None
    ) -> None:
        """Put the programmed arrays, made here if not given, in the place of the chip's: the fast load; `drift`
        is where their cells are.
        """

    def before_pulses(self, chip: ProgrammedChip) -> None:
        """Get ready for a load by pulses: cells that are not this chip's are replaced by its fresh ones."""

    def cells(self) -> tuple[CellState, ...]:
        """The cells of every layer as they are now."""

    def drift(self) -> DriftSnapshot | None:
        """Where the cells that were loaded fast have drifted since; None if they do not drift."""

    def totals(self, first: int, count: int) -> NDArray[np.int64] | None:
        """Sums for the energy of the frames from place `first` on, int64 [count, layers, 2]; then forgotten.

        They are `conductance` and `stray` of `sim.chip.result.ACTIVITIES`; None where nobody adds them up.
        """


def accesses(kind: int, addresses: ArrayLike, data: ArrayLike = 0) -> Accesses:
    """Accesses of one kind, `ACCESS` [n]."""
    places = np.asarray(addresses, np.int64).reshape(-1)
    table = np.empty(len(places), ACCESS)
    table["kind"] = kind
    table["address"] = places
    table["data"] = np.asarray(data, np.int64) & 0xFFFFFFFF
    return table


class Transport(ABC):
    """The way to one chip. Errors: `TransportClosed` where it is gone.

    Attributes
    ----------
    devices : what simulated and emulated devices can do in addition; None where they are real
    """

    devices: Devices | None = None

    @abstractmethod
    def execute(self, table: Accesses) -> Answers:
        """Do accesses, `ACCESS` [n], one after another, also after one that was answered by an error. Returns `ANSWER`
        [n].
        """

    @abstractmethod
    def send(self, frames: Frames) -> None:
        """Send image frames. Returns when the last one is on its way."""

    @abstractmethod
    def receive(self, count: int, idle_cycles: int) -> list[tuple[int, list[int]]]:
        """The next `count` result frames, or fewer where none has come for `idle_cycles` clock cycles.

        Each is its tag and its words of 64 bits.
        """

    @abstractmethod
    def wait(self, cycles: int) -> None:
        """Let clock cycles pass."""

    @abstractmethod
    def hardware_reset(self, cycles: int = 8) -> None:
        """Pull the chip's reset for clock cycles."""

    @abstractmethod
    def close(self) -> None:
        """Give the chip up. May be called again."""

    def clock(self) -> int | None:
        """Clock cycles since the start, where the transport can tell."""
        return None

    def write(self, address: int, data: int) -> None:
        """Write one word; `BusError` if the bus answers with an error."""
        self.write_many([address], [data])

    def read(self, address: int) -> int:
        """Read one word; `BusError` if the bus answers with an error."""
        return int(self.read_many([address])[0])

    def write_many(self, addresses: ArrayLike, data: ArrayLike) -> None:
        """Write words, one after another; `BusError` names the first that was answered with an error."""
        self.checked(accesses(WRITE, addresses, data))

    def read_many(self, addresses: ArrayLike) -> NDArray[np.uint32]:
        """Read words, uint32 [n]; `BusError` names the first that was answered with an error."""
        return self.checked(accesses(READ, addresses))

    def checked(self, table: Accesses) -> NDArray[np.uint32]:
        """`execute`; returns the data, uint32 [n], or raises `BusError` for the first access with an error."""
        answers = self.execute(table)
        wrong = np.flatnonzero(answers["response"])
        if len(wrong):
            access, answer = table[wrong[0]], answers[wrong[0]]
            kind = "read" if access["kind"] == READ else "write"
            raise BusError(int(access["address"]), int(answer["response"]), kind)
        return answers["data"]

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
