"""Response of memristor cells to programming pulses and verify reads: one compiled function for each.

A cell has a conductance G that an up pulse raises and a down pulse lowers; nothing sets it at once. Of a linear cell:

    up    G <- min(G_max, G + a dG pulse_up   (1 - soft_bounds x)       D P)     x = (G - G_min) / (G_max - G_min)
    down  G <- max(G_min, G - a dG pulse_down (1 - soft_bounds (1 - x)) D P)
    D = max(0, 1 + device_sigma Nd), one Nd per cell for life        P = max(0, 1 + pulse_sigma N), one N per pulse
    verify read: code = clip(rint((G (1 + read_sigma N) - G_min) / dG * 8), 0, 1023), one N per read

with amplitude a in levels (a whole number of eighths). A driven cell gets the voltage that its write driver has for
the code of its last verify read and the step asked for, and D P is a factor on the pulse's time
(`sim.devices.tantalum.write_driver`). Cells on a grid hold whole numbers, and pulses move them by whole numbers
(`sim.devices.integer_cells`). Stuck cells answer reads and never move. The k-th pulse or read of a cell's life
has its own draw, so a cell's history does not depend on what its neighbours do, nor on the order in which cells are
programmed. Sources and ranges: docs/devices.md, docs/tantalum-oxide.md.

The compiled functions work on one cell of a layer's arrays. The macro of the co-simulation calls `operate_tiles` once
per operation, whole layers are programmed by `program_rows`, and both go through `_pulse` and `_verify`: the same bits.
A cell kind (`sim.chip.cell_kinds.CellKind`) has a write driver, whose tables say where pulses of each voltage take its
cells, or a grid of numbers that they hold, or neither, and its cells go by `_moved`: kinds decide outside of these
functions, which are compiled for each of the three.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.units import CODES_PER_LEVEL, CURRENT_BITS, MAX_VERIFY_CODE
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.random_numbers import normal_table
from spikeloom.sim.common.random_words import Purpose, key
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.devices.conductance import Cells
from spikeloom.sim.devices.effects import StuckCells
from spikeloom.sim.devices.integer_cells import CellGrid, code_of, factor_of, pulse_on_grid
from spikeloom.sim.devices.tantalum.write_driver import WriteDriver, pulsed
from spikeloom.sim.programming.cell_draws import normal_of, word_of
from spikeloom.sim.programming.cell_records import CellArrays, Operation, WriteRule, Written

__all__ = ["CELL_FIELDS", "CellModel", "CellState", "program_rows"]

_PURPOSES = (Purpose.DEVICE, Purpose.STUCK, Purpose.PULSE, Purpose.VERIFY)
_DEVICE, _STUCK, _PULSE, _VERIFY = range(4)

_CODES = float(CODES_PER_LEVEL)
_LOAD = 2.0**CURRENT_BITS


class CellConstants(NamedTuple):
    """What all cells of a layer have in common, as the compiled functions take it.

    g_min, g_max, step : conductances of level 0 and of the top level, and of a level, siemens
    up, down, soft_bounds : of linear cells, see above
    device_sigma, pulse_sigma, read_sigma, stuck_share : the effects; 0 switches one off
    keys : uint64 [purposes, 2], keys of the random draws
    table : float32 [65536], normal quantiles
    """

    g_min: float
    g_max: float
    step: float
    up: float
    down: float
    soft_bounds: float
    device_sigma: float
    pulse_sigma: float
    read_sigma: float
    stuck_share: float
    keys: NDArray[np.uint64]
    table: NDArray[np.float32]


class _Cell(NamedTuple):
    """A cell's place, whether it is stuck, and D."""

    row: int
    column: int
    side: int
    stuck: bool
    spread: float


@kernel()
def _stuck(row: int, column: int, side: int, device: CellConstants) -> bool | np.bool_:
    """Whether the cell is one that `sim.devices.effects.StuckCells` holds."""
    if device.stuck_share == 0.0:
        return False
    word = word_of(row, column >> 2, side, 0, device.keys, _STUCK, column & 3)
    return np.float64(word) * 2.0**-32 < device.stuck_share


@kernel()
def _spread(row: int, column: int, side: int, device: CellConstants) -> float:
    """D, the factor on every step of the cell."""
    if device.device_sigma == 0.0:
        return 1.0
    normal: float = normal_of(row, column, side, 0, device.keys, _DEVICE, device.table)
    return max(0.0, 1.0 + device.device_sigma * normal)


@kernel()
def _cell_at(row: int, column: int, side: int, device: CellConstants) -> _Cell:
    """The `_Cell` at a place."""
    return _Cell(row, column, side, _stuck(row, column, side, device), _spread(row, column, side, device))


@kernel()
def _moved(g: float, up: bool, amplitude: int, factor: float, device: CellConstants) -> float:
    """The conductance after a pulse of `amplitude` eighths of a level, with the draws' factor D P."""
    x = (g - device.g_min) / (device.g_max - device.g_min)
    step = amplitude / _CODES * device.step * factor
    if up:
        return min(device.g_max, g + step * device.up * (1.0 - device.soft_bounds * x))
    return max(device.g_min, g - step * device.down * (1.0 - device.soft_bounds * (1.0 - x)))


@kernel()
def _load(g: float, device: CellConstants) -> np.int64:
    return np.int64(np.rint(g / device.step * _LOAD))


@kernel()
def _pulse(
    g: float,
    code: int,
    up: bool,
    amplitude: int,
    cell: _Cell,
    k: int,
    device: CellConstants,
    driver: WriteDriver | None,
    grid: CellGrid | None,
) -> tuple[float, np.int64]:
    """The conductance after the k-th pulse of a cell whose last verify read gave `code`, and the pulse's load."""
    row, column, side, stuck, spread = cell
    if grid is not None:  # which of the three, is known when this is compiled
        load = _load(g, device)
        return (g if stuck else pulse_on_grid(g, up, amplitude, factor_of(spread), grid)), load
    factor = 0.0 if stuck else spread
    if device.pulse_sigma > 0.0 and not stuck:
        normal = normal_of(row, column, side, k, device.keys, _PULSE, device.table)
        factor *= max(0.0, 1.0 + device.pulse_sigma * normal)
    if driver is None:
        load = _load(g, device)
        return (g if stuck else _moved(g, up, amplitude, factor, device)), load
    driven: tuple[float, np.int64] = pulsed(g, code, up, amplitude, factor, driver)
    return driven


@kernel()
def _verify(g: float, cell: _Cell, k: int, device: CellConstants, grid: CellGrid | None) -> np.int64:
    """Code of the k-th verify read of a cell, 0 .. MAX_VERIFY_CODE."""
    if grid is not None:
        return code_of(g, grid)  # type: ignore[no-any-return]
    if device.read_sigma > 0.0:
        normal = normal_of(cell.row, cell.column, cell.side, k, device.keys, _VERIFY, device.table)
        g = g * (1.0 + device.read_sigma * normal)
    return np.int64(min(max(np.rint((g - device.g_min) / device.step * _CODES), 0.0), float(MAX_VERIFY_CODE)))


@kernel()
def operate_tiles(
    operation: Operation,
    constants: CellConstants,
    driver: WriteDriver | None,
    grid: CellGrid | None,
    cells: CellArrays,
    codes: NDArray[np.int64],
) -> None:
    """One operation of the programming port: the cell at `row` of each row tile of `tiles`, in place.

    operation, constants, cells : an `Operation`, a `CellConstants`, a `CellArrays`
    driver, grid : a `WriteDriver`, a `CellGrid`, or None
    codes : int64 [row tiles], written, 0 where not read
    """
    pulse, row, column, side, tile_rows, tiles, up, amplitudes = operation
    device = CellConstants(*constants)
    g_S, pulses, reads, load, read_load, seen = cells
    for tile in range(tiles.shape[0]):
        codes[tile] = 0
        j = tile * tile_rows + row
        if not tiles[tile] or j >= g_S.shape[1] or column >= g_S.shape[2]:
            continue
        g = g_S[side, j, column]
        if pulse:
            cell, k = _cell_at(j, column, side, device), pulses[side, j, column]
            g_S[side, j, column], booked = _pulse(
                g, seen[side, j, column], up[tile], amplitudes[tile], cell, k, device, driver, grid
            )
            load[side, j, column] += booked
            pulses[side, j, column] += 1
        else:
            read_load[side, j, column] += _load(g, device)
            cell = _Cell(j, column, side, False, 1.0)  # reads are not changed by what pulses do
            codes[tile] = _verify(g, cell, reads[side, j, column], device, grid)
            seen[side, j, column] = codes[tile]
            reads[side, j, column] += 1


@kernel(nogil=True)
def program_rows(
    start: int,
    stop: int,
    targets: NDArray[np.uint16],
    mask: NDArray[np.bool_],
    rule: WriteRule,
    constants: CellConstants,
    driver: WriteDriver | None,
    grid: CellGrid | None,
    cells: CellArrays,
    written: Written,
) -> None:
    """Write-verify the cells of `mask` in rows start .. stop - 1, each from first read to last, in place.

    targets : uint16; mask : bool; all arrays are [2, inputs, outputs]
    rule, constants, cells, written : a `WriteRule`, a `CellConstants`, a `CellArrays`, a `Written`
    driver, grid : a `WriteDriver`, a `CellGrid`, or None
    """
    tolerance, tries, smallest, largest = rule
    device = CellConstants(*constants)
    g_S, pulses, reads, load, read_load, seen = cells
    codes, given, failed = written
    for side in range(2):
        for j in range(start, stop):
            for column in range(g_S.shape[2]):
                if not mask[side, j, column]:
                    continue
                g = g_S[side, j, column]
                cell = _cell_at(j, column, side, device)
                target = np.int64(targets[side, j, column])
                count = 0
                while True:
                    read_load[side, j, column] += _load(g, device)
                    code = _verify(g, cell, reads[side, j, column], device, grid)
                    reads[side, j, column] += 1
                    distance = abs(code - target)
                    if distance <= tolerance or count == tries:
                        break
                    amplitude = min(max(distance, smallest), largest)
                    k = pulses[side, j, column]
                    g, booked = _pulse(g, code, code < target, amplitude, cell, k, device, driver, grid)
                    load[side, j, column] += booked
                    pulses[side, j, column] += 1
                    count += 1
                g_S[side, j, column] = g
                seen[side, j, column] = code
                codes[side, j, column] = code
                given[side, j, column] = count
                failed[side, j, column] = distance > tolerance


@kernel()
def _fill_factors(constants: CellConstants, factors: NDArray[np.uint8]) -> None:
    """D of cells on a grid, uint8 [2, inputs, outputs], 0 for stuck ones."""
    device = CellConstants(*constants)
    for side in range(2):
        for j in range(factors.shape[1]):
            for column in range(factors.shape[2]):
                cell = _cell_at(j, column, side, device)
                factors[side, j, column] = 0 if cell.stuck else factor_of(cell.spread)


@dataclass(frozen=True, eq=False)
class CellState:
    """What the cells of a layer remember; every array is [2, inputs, outputs], side 0 the p and 1 the n cell.

    Parameters
    ----------
    g_S : float64, conductances, siemens, without IR drop; changed in place by pulses
    pulses, reads : int64, programming pulses and verify reads of the cell's life
    load : int64, sum over the pulses of rint((V / v_program_V)^2 G / dG * 2^10), for the energy: of a linear cell G is
        that before the pulse and V always v_program_V, of a tantalum cell G is the mean during the pulse
    read_load : int64, sum over the reads of rint(G / dG * 2^10)
    seen : uint16, code of the last verify read, which a write driver goes by; 0 before the first
    """

    g_S: NDArray[np.float64]
    pulses: NDArray[np.int64]
    reads: NDArray[np.int64]
    load: NDArray[np.int64]
    read_load: NDArray[np.int64]
    seen: NDArray[np.uint16]

    __repr__ = short_repr

    @classmethod
    def at(cls, g_S: NDArray[np.float64]) -> CellState:
        """Cells with these conductances, without pulses or reads."""
        pulses, reads, load, read_load = (np.zeros(g_S.shape, np.int64) for _ in range(4))
        seen = np.zeros(g_S.shape, np.uint16)
        return cls(np.ascontiguousarray(g_S, np.float64), pulses, reads, load, read_load, seen)

    def copy(self) -> CellState:
        """The same cells, to be changed apart."""
        return replace(self, **{name: getattr(self, name).copy() for name in CELL_FIELDS})

    @property
    def arrays(self) -> CellArrays:
        """The arrays, in the order of the fields."""
        return CellArrays(self.g_S, self.pulses, self.reads, self.load, self.read_load, self.seen)


CELL_FIELDS = tuple(field.name for field in fields(CellState))
"""Names of the arrays of a `CellState`."""


class CellModel:
    """What never changes about the cells of a layer; the cells themselves are a `CellState`.

    Parameters
    ----------
    device : Device; its bits, conductances, sigmas, stuck shares and pulse fields
    inputs, outputs : rows and columns of the layer
    seed, layer : address of the random draws
    pulse_s : length of a programming pulse, seconds; what tantalum cells do in it
    """

    def __init__(self, device: Device, inputs: int, outputs: int, seed: int, layer: int, pulse_s: float = 1e-7) -> None:
        self.device = device
        self.inputs = inputs
        self.outputs = outputs
        self.seed = seed
        self.layer = layer
        self.pulse_s = pulse_s

    @cached_property
    def constants(self) -> tuple[Any, ...]:
        """What kernels take of the cells, the fields of `CellConstants`."""
        device = self.device
        constants = CellConstants(
            g_min=device.g_min_S, g_max=device.g_max_S, step=device.step_S,
            up=device.pulse_up, down=device.pulse_down, soft_bounds=device.soft_bounds,
            device_sigma=device.device_sigma, pulse_sigma=device.pulse_sigma, read_sigma=device.read_sigma,
            stuck_share=device.stuck_on + device.stuck_off,
            keys=np.array([key(self.seed, purpose, self.layer) for purpose in _PURPOSES], np.uint64),
            table=normal_table(),
        )  # fmt: skip
        return tuple(constants)

    def __getstate__(self) -> dict[str, Any]:
        """Without the constants, whose table of random numbers each process has already."""
        return {name: value for name, value in self.__dict__.items() if name != "constants"}

    @property
    def driver(self) -> WriteDriver | None:
        """The write driver's tables, made once for all layers; None for cells without one."""
        driver: WriteDriver | None = self.device.kind.write_driver(self.device, self.pulse_s)
        return driver

    @property
    def grid(self) -> CellGrid | None:
        """The numbers that cells can hold; None for cells of any conductance."""
        grid: CellGrid | None = self.device.kind.grid(self.device)
        return grid

    def factors(self) -> NDArray[np.uint8]:
        """D of every cell on a grid, uint8 [2, inputs, outputs]; 0 for stuck ones."""
        factors = np.empty((2, self.inputs, self.outputs), np.uint8)
        _fill_factors(self.constants, factors)
        return factors

    def fresh(self) -> CellState:
        """Cells as they leave the fab: at G_min, those stuck on at G_max, without pulses or reads."""
        device = self.device
        g_S = np.full((2, self.inputs, self.outputs), device.kind.fresh_S(device))
        if device.stuck_on > 0.0 or device.stuck_off > 0.0:
            stuck = StuckCells(device.stuck_on, device.stuck_off, device.g_min_S, device.g_max_S)
            g_S = stuck.apply(g_S, Cells(self.seed, self.layer))
        return CellState.at(g_S)

    def operate(
        self, state: CellState, pulse: bool, row: int, column: int, side: int, tile_rows: int,
        tiles: NDArray[np.bool_], up: NDArray[np.bool_], amplitudes: NDArray[np.int64],
    ) -> NDArray[np.int64]:  # fmt: skip
        """One operation of the programming port on `state`, in place: a pulse, or a verify read.

        The cell of side `side` at row `row` of every row tile of `tiles`; tiles, up bool and amplitudes int64, all
        [row tiles]. Returns the codes of a verify read, int64 [row tiles], 0 for tiles that are not read.
        """
        codes = np.empty(len(tiles), np.int64)
        operation = Operation(pulse, row, column, side, tile_rows, tiles, up, amplitudes)
        operate_tiles(tuple(operation), self.constants, self.driver, self.grid, tuple(state.arrays), codes)
        return codes

    def pulse(self, state: CellState, side: int, row: int, column: int, up: bool, amplitude: int) -> None:
        """One pulse of `amplitude` eighths of a level on one cell of `state`, in place."""
        one = np.ones(1, np.bool_)
        self.operate(state, True, row, column, side, self.inputs, one, one & up, np.array([amplitude]))

    def verify(self, state: CellState, side: int, row: int, column: int) -> int:
        """Code, 0 .. 1023, of one verify read of one cell; booked in `state`."""
        one = np.ones(1, np.bool_)
        return int(self.operate(state, False, row, column, side, self.inputs, one, one, np.zeros(1, np.int64))[0])
