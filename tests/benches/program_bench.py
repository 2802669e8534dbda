"""Golden model of programming in plain integers, and the programming side of a behavioural macro."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from amaranth.hdl import Value

from spikeloom.hw.params.parameters import LayerParameters

__all__ = ["Cell", "Cells", "Operation", "Programmed", "Settings", "golden_program", "program_macro", "target_words"]

MAX_VERIFY_CODE = 1023


class Cell(NamedTuple):
    """Place of a cell: layer row and column, side 0 (positive) or 1 (negative)."""

    row: int
    column: int
    side: int


class Operation(NamedTuple):
    """One pulse or verify read; direction and amplitude of each tile that takes part, (0, 0) for a verify read."""

    pulse: bool
    row: int
    column: int
    side: int
    tiles: dict[int, tuple[int, int]]


@dataclass(frozen=True)
class Settings:
    window: int
    tries: int
    amplitude_min: int
    amplitude_max: int


@dataclass
class Cells:
    """Conductances in 1/8 of a level. The k-th pulse of a cell moves it by `spread` more or less than it should.

    Parameters
    ----------
    seed : of the draws, which depend on the cell and k alone
    spread : largest relative error of a pulse, 0 .. 1
    stuck : share of the cells that no pulse moves
    """

    seed: int = 0
    spread: float = 0.0
    stuck: float = 0.0
    values: dict[Cell, int] = field(default_factory=dict)
    pulses: dict[Cell, int] = field(default_factory=dict)

    def _draw(self, cell: Cell, number: int) -> float:
        return random.Random(f"{self.seed} {cell} {number}").random()

    def read(self, cell: Cell) -> int:
        return min(self.values.get(cell, 0), MAX_VERIFY_CODE)

    def pulse(self, cell: Cell, up: int, amplitude: int) -> None:
        number = self.pulses.get(cell, 0)
        self.pulses[cell] = number + 1
        step = round(amplitude * (1 + self.spread * (2 * self._draw(cell, number) - 1)))
        if self._draw(cell, -1) >= self.stuck:
            self.values[cell] = min(max(self.values.get(cell, 0) + (step if up else -step), 0), 2 * MAX_VERIFY_CODE)


@dataclass
class Programmed:
    """What one start does: operations in order, result words by index, totals."""

    operations: list[Operation] = field(default_factory=list)
    results: dict[int, int] = field(default_factory=dict)
    pulses: int = 0
    verify_reads: int = 0
    failed_cells: int = 0
    columns: int = 0
    rounds: int = 0


def _write_and_verify(cells: Cells, cell: Cell, target: int, s: Settings) -> tuple[list[tuple[int, int]], int, bool]:
    """One cell on its own: direction and amplitude of its pulses, last code, failed."""
    pulses: list[tuple[int, int]] = []
    while True:
        code = cells.read(cell)
        distance = abs(code - target)
        if distance <= s.window:
            return pulses, code, False
        if len(pulses) == s.tries:
            return pulses, code, True
        pulses.append((int(code < target), min(max(distance, s.amplitude_min), s.amplitude_max)))
        cells.pulse(cell, *pulses[-1])


def golden_program(
    p: LayerParameters, cells: Cells, targets: Sequence[tuple[int, int]], s: Settings, row: int, group: int
) -> Programmed:
    """Program row `row` of every row tile in column group `group`; `targets` by index lane * row_tiles + tile."""
    done = Programmed()
    tiles = [t for t in range(p.row_tiles) if row < p.tile_rows and t * p.tile_rows + row < p.inputs]
    if not tiles or group >= p.groups:
        return done
    for lane in range(p.lanes):
        column = group * p.lanes + lane
        if column >= p.outputs:
            break
        done.columns += 1
        for side in range(2):
            given: dict[int, list[tuple[int, int]]] = {}
            for tile in range(p.row_tiles):
                index = (lane * p.row_tiles + tile) * 2 + side
                done.results[index] = 0
                if tile in tiles:
                    cell = Cell(tile * p.tile_rows + row, column, side)
                    target = targets[lane * p.row_tiles + tile][side]
                    given[tile], code, failed = _write_and_verify(cells, cell, target, s)
                    done.results[index] = code | len(given[tile]) << 16 | failed << 31
                    done.failed_cells += failed
            rounds = max(len(pulses) for pulses in given.values())
            for number in range(rounds + 1):
                part = {tile: pulses for tile, pulses in given.items() if len(pulses) >= number}
                done.operations.append(Operation(False, row, column, side, dict.fromkeys(part, (0, 0))))
                done.verify_reads += len(part)
                moved = {tile: pulses[number] for tile, pulses in part.items() if len(pulses) > number}
                if moved:
                    done.operations.append(Operation(True, row, column, side, moved))
                    done.pulses += len(moved)
            done.rounds += rounds
    return done


def target_words(targets: Sequence[tuple[int, int]]) -> list[int]:
    return [positive | negative << 16 for positive, negative in targets]


def _operation(ctx: Any, port: Any, p: LayerParameters) -> Operation:
    pulse, tiles, up = (ctx.get(getattr(port, f"program_{name}")) for name in ("pulse", "tiles", "up"))
    moves = {
        tile: (up >> tile & 1, ctx.get(port.program_amplitudes[tile])) if pulse else (0, 0)
        for tile in range(p.row_tiles)
        if tiles >> tile & 1
    }
    row, column, side = (ctx.get(getattr(port, f"program_{name}")) for name in ("row", "column", "side"))
    return Operation(bool(pulse), row, column, side, moves)


def program_macro(
    port: Any,
    p: LayerParameters,
    cells: Cells,
    operations: list[Operation],
    cycles: Callable[[bool], int],
    rng: random.Random,
) -> Callable[[Any], Any]:
    """Programming side of a macro: done in the cycles(pulse)-th cycle of an operation, junk as codes before.

    Appends what was asked for to `operations`; raises if an operation changes or is withdrawn before it is done.
    """
    codes = Value.cast(port.program_codes)

    async def bench(ctx: Any) -> None:
        while True:
            ctx.set(port.program_done, 0)
            ctx.set(codes, rng.getrandbits(len(codes)))
            if not ctx.get(port.program_cell):
                await ctx.tick()
                continue
            operation = _operation(ctx, port, p)
            for _ in range(cycles(operation.pulse) - 1):
                await ctx.tick()
                assert ctx.get(port.program_cell), "an operation was withdrawn"
                assert _operation(ctx, port, p) == operation, "an operation changed"
            answer = 0
            for tile, move in operation.tiles.items():
                cell = Cell(tile * p.tile_rows + operation.row, operation.column, operation.side)
                if operation.pulse:
                    cells.pulse(cell, *move)
                else:
                    answer |= cells.read(cell) << tile * 10
            ctx.set(codes, answer if not operation.pulse else rng.getrandbits(len(codes)))
            ctx.set(port.program_done, 1)
            operations.append(operation)
            await ctx.tick()

    return bench
