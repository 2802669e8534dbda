"""A load session: the writes that turn a reset chip into a programmed one, and their checksum."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.hw.host.register_map import (
    layer_byte_address,
    program_result_byte_address,
    program_target_byte_address,
    unit_byte_address,
)
from spikeloom.hw.interfaces.layouts import pack, unpack
from spikeloom.hw.interfaces.programming_port import RESULT_WORD, START_WORD, TARGET_WORD
from spikeloom.hw.params.cycles import STALL
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.register_writes import register_writes
from spikeloom.sim.chip.units import CODES_PER_LEVEL
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.programming.passes import Outcome, ProgrammedCells, compensate, second_pass, starts_mask, targets_of
from spikeloom.sw.host.errors import BusError, ChecksumError, HostError, RefusedError
from spikeloom.sw.host.registers import bit, flags, read_layer, read_unit, write_unit
from spikeloom.sw.host.transport import INTERRUPT, READ, WRITE, Accesses, Transport, accesses

__all__ = ["LayerLoad", "LoadReport", "LoadSession"]

_TILE_CYCLES = 8
"""Most clock cycles that a row tile adds to an operation: emulated ones take `hw.emulator.cell_pulses.CELL_CYCLES`."""
_BATCH = 8192
"""Accesses that are handed to the transport at once."""


@dataclass(frozen=True, eq=False)
class LayerLoad(ProgrammedCells):
    """A layer after programming over the bus, as the host saw it; events are the chip's counters.

    Parameters
    ----------
    failed_cells : counted by the chip over both passes
    """

    failed_cells: int

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class LoadReport:
    """What a load did.

    Parameters
    ----------
    method : "pulses", or "fast"
    layers : one entry per layer; empty after a fast load
    writes : writes that the checksum covers
    checksum : CRC-32 of them
    cycles : clock cycles, all accesses in them; None where the transport cannot tell
    """

    method: str
    layers: tuple[LayerLoad, ...]
    writes: int
    checksum: int
    cycles: int | None

    __repr__ = short_repr


class LoadSession:
    """One load session of a chip; `begin`, then writes and programming, then `end`.

    Parameters
    ----------
    transport : the way to the chip
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.checksum = 0
        self.writes = 0

    def begin(self, build: int) -> tuple[str, ...]:
        """Open the session with a build's number; returns the error flags if the chip does not take it, else none."""
        try:
            write_unit(self._transport, "load_begin", build)
        except BusError:
            return self._errors()
        return ()

    def registers(self, chip: ProgrammedChip) -> None:
        """Write the run-time registers, biases and, with programmers, settings of programming."""
        writes = [(4 * address, value) for address, value in register_writes(chip)]
        if chip.parameters.programmer:
            writes += [(unit_byte_address(name), value) for name, value in chip.programming.registers.items()]
        table = np.array([(address, value & 0xFFFFFFFF) for address, value in writes], np.int64)
        self._execute(accesses(WRITE, table[:, 0], table[:, 1]))

    def program(self, chip: ProgrammedChip, index: int, fault_aware: bool) -> LayerLoad:
        """Program the cells of a layer by pulses, with a second pass for pairs with a failed cell if `fault_aware`."""
        p = chip.parameters.layers[index]
        wanted = targets = targets_of(chip, index)
        starts = np.ones((p.tile_rows, p.groups), np.bool_)
        starts[p.inputs :] = False
        first = final = self._pass(chip, index, wanted, starts)
        second = np.zeros_like(starts)
        if fault_aware:
            targets = compensate(wanted, first.failed, first.codes, (chip.device.levels - 1) * CODES_PER_LEVEL)
            second = second_pass(wanted, targets, p)
            if second.any():
                final = first.updated(self._pass(chip, index, targets, second), starts_mask(second, p))
        counts = read_layer(self._transport, index, "pulses", "verify_reads", "failed_cells")
        return LayerLoad(wanted, targets, first, final, second, *counts)

    def end(self) -> None:
        """Close the session; `ChecksumError` where the chip has received other writes than these."""
        try:
            write_unit(self._transport, "load_end", self.checksum)
        except BusError as error:
            names = self._errors()
            if "checksum" not in names:
                raise self._refused(error, names) from None
            (received,) = read_unit(self._transport, "load_checksum")
            raise ChecksumError(
                f"The chip received writes with checksum 0x{received:08X}, but 0x{self.checksum:08X} was sent"
            ) from None

    def _errors(self) -> tuple[str, ...]:
        return flags("errors", read_unit(self._transport, "errors")[0])

    def _refused(self, error: BusError, names: tuple[str, ...]) -> HostError:
        flagged = f"its error flags: {', '.join(names)}" if names else "no error flag is up"
        return RefusedError(f"{error} in a load session; {flagged}")

    def _execute(self, table: Accesses, covered: ArrayLike | None = None) -> NDArray[np.uint32]:
        """Do accesses; the checksum continues over those `covered` by it, all if not given. Returns their data."""
        try:
            data = self._transport.checked(table)
        except BusError as error:
            raise self._refused(error, self._errors()) from None
        counted = table if covered is None else table[np.asarray(covered)]
        words = np.stack([counted["address"], counted["data"]], axis=1)
        self.checksum = zlib.crc32(words.astype("<u4").tobytes(), self.checksum)
        self.writes += len(counted)
        return data

    def _pass(
        self, chip: ProgrammedChip, index: int, targets: NDArray[np.uint16], starts: NDArray[np.bool_]
    ) -> Outcome:
        """Program the cells of `starts`, bool [tile_rows, groups]; the others' outcome is 0."""
        outcome = Outcome(
            np.zeros(targets.shape, np.uint16), np.zeros(targets.shape, np.uint8), np.zeros(targets.shape, np.bool_)
        )
        tables: list[Accesses] = []
        places: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        for rows, columns, table in _starts(chip, index, targets, starts):
            tables.append(table)
            places.append((rows, columns))
            if sum(map(len, tables)) >= _BATCH:
                self._batch(index, tables, places, outcome)
        self._batch(index, tables, places, outcome)
        return outcome

    def _batch(
        self,
        index: int,
        tables: list[Accesses],
        places: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
        outcome: Outcome,
    ) -> None:
        """Carry out starts, put what they gave into `outcome`, and empty the lists."""
        if not tables:
            return
        table = np.concatenate(tables)
        events = unit_byte_address("events")
        data = self._execute(table, (table["kind"] == WRITE) & (table["address"] != events))
        if not data[table["kind"] == INTERRUPT].all():
            raise HostError(f"The programmer of layer {index} has not finished in time")
        words = data[table["kind"] == READ]
        rows = np.concatenate([rows for rows, _ in places])
        columns = np.concatenate([columns for _, columns in places])
        for side in range(2):
            left = unpack(RESULT_WORD, words[side::2].astype(np.int64))
            outcome.codes[side, rows, columns] = left["code"]
            outcome.pulses[side, rows, columns] = left["pulses"]
            outcome.failed[side, rows, columns] = left["failed"]
        tables.clear()
        places.clear()


def _starts(
    chip: ProgrammedChip, index: int, targets: NDArray[np.uint16], starts: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], Accesses]]:
    """For every start: rows and columns of its cell pairs, int64 [pairs], and the accesses that carry it out.

    These are: the targets, the start, waiting for the interrupt, clearing it, and two results per pair.
    """
    p = chip.parameters.layers[index]
    target, result = program_target_byte_address(index, 0), program_result_byte_address(index, 0)
    start, events = layer_byte_address(index, "program_start"), unit_byte_address("events")
    programmed = bit("events", "programmed")
    cycles = 1000 + 2 * _longest(chip, p)
    for row, group in np.argwhere(starts).tolist():
        lanes = np.arange(min(p.lanes, p.outputs - group * p.lanes))
        tiles = np.arange(-(-(p.inputs - row) // p.tile_rows))
        words = (lanes[:, None] * p.row_tiles + tiles).reshape(-1)
        rows, columns = np.tile(row + tiles * p.tile_rows, len(lanes)), np.repeat(group * p.lanes + lanes, len(tiles))
        p_codes, n_codes = targets[:, rows, columns].astype(np.int64)
        yield (
            rows,
            columns,
            np.concatenate(
                [
                    accesses(WRITE, target + 4 * words, pack(TARGET_WORD, {"p": p_codes, "n": n_codes})),
                    accesses(WRITE, start, pack(START_WORD, {"row": row, "group": group})),
                    accesses(INTERRUPT, cycles),
                    accesses(WRITE, events, programmed),
                    accesses(READ, (result + 8 * words[:, None] + [0, 4]).reshape(-1)),
                ]
            ),
        )


def _longest(chip: ProgrammedChip, p: LayerParameters) -> int:
    """Bound on the clock cycles of a start: every cell of every lane takes all its tries, stalls in them, also where an
    emulator takes the cells of the row tiles one after another.
    """
    tries, more = chip.programming.tries, STALL + _TILE_CYCLES * p.row_tiles
    reads = (tries + 1) * (chip.settle_cycles + chip.adc_cycles + more)
    return 2 * p.lanes * (reads + tries * (chip.program_cycles + more))
