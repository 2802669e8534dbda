"""Cells, and the hardware's way to program them, in plain Python: one cell, one operation at a time."""

from __future__ import annotations

from collections.abc import Callable

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.common.random_numbers import normal_table
from spikeloom.sim.common.random_words import Purpose
from tests.models.plain_tantalum import PlainOxide
from tests.sim.common.test_random_numbers import plain_philox

Operate = Callable[[bool, int, int, int, list[bool], list[bool], list[int]], list[int]]
"""An operation of the programming port: pulse, row, column, side, tiles, up, amplitudes -> codes."""

Cell = tuple[int, int, int]
"""Side, row, column."""


class PlainCells:
    """A layer's cells; every draw is noted in `draws`, and drawing twice at one address is an error."""

    def __init__(self, device: Device, inputs: int, outputs: int, seed: int, layer: int, pulse_s: float = 1e-7) -> None:
        self.device, self.seed, self.layer = device, seed, layer
        self.oxide = PlainOxide(device, pulse_s) if device.cell == "tantalum" else None
        self.draws: set[tuple[int, ...]] = set()
        cells = [(s, j, i) for s in range(2) for j in range(inputs) for i in range(outputs)]
        self.spread = {c: 1.0 for c in cells}
        if device.device_sigma > 0:
            self.spread = {c: max(0.0, 1.0 + device.device_sigma * self.normal(Purpose.DEVICE, c, 0)) for c in cells}
        place = {c: self.uniform(c) for c in cells}
        self.on = {c for c in cells if place[c] < device.stuck_on}
        self.off = {c for c in cells if place[c] < device.stuck_on + device.stuck_off} - self.on
        self.g = {c: device.g_max_S if c in self.on else device.g_min_S for c in cells}
        self.numbers = None  # of emulated cells: G and D, integers, from which the conductances follow
        if device.cell == "emulated":
            self.top = (2**device.bits - 1) * 1024
            self.numbers = {c: self.top if c in self.on else 0 for c in cells}
            moved = {c: min(max(round(128 * self.spread[c]), 0), 255) for c in cells}
            self.factors = {c: 0 if c in self.on | self.off else moved[c] for c in cells}
        self.pulses, self.reads = dict.fromkeys(cells, 0), dict.fromkeys(cells, 0)
        self.load, self.read_load = dict.fromkeys(cells, 0), dict.fromkeys(cells, 0)
        self.seen = dict.fromkeys(cells, 0)

    @property
    def arrays(self) -> list[list[float]]:
        """Values of all cells, in the order of the fields of `CellState`."""
        return [
            list(values.values()) for values in (self.g, self.pulses, self.reads, self.load, self.read_load, self.seen)
        ]

    def block(self, purpose: Purpose, counter: tuple[int, int, int, int], part: int) -> tuple[int, ...]:
        address = (purpose, *counter, part)
        assert address not in self.draws
        self.draws.add(address)
        return plain_philox(counter, (self.seed, purpose << 16 | self.layer))

    def normal(self, purpose: Purpose, cell: Cell, k: int) -> float:
        side, row, column = cell
        word = self.block(purpose, (row, column // 8, side, k), column % 8)[column % 8 // 2]
        return float(normal_table()[word >> 16 if column % 2 else word & 0xFFFF])

    def uniform(self, cell: Cell) -> float:
        side, row, column = cell
        return self.block(Purpose.STUCK, (row, column // 4, side, 0), column % 4)[column % 4] / 2**32

    def pulse(self, cell: Cell, up: bool, amplitude: int) -> None:
        d, g = self.device, self.g[cell]
        if self.numbers is not None:
            self.load[cell] += round(g / d.step_S * 1024)
            self.pulses[cell] += 1
            change = amplitude * self.factors[cell]
            number = self.numbers[cell] + (change if up else -change)
            self.numbers[cell] = min(max(number, 0), self.top)
            if self.factors[cell]:
                self.g[cell] = d.g_min_S + self.numbers[cell] * (d.step_S / 1024)
            return
        stuck, noise = cell in self.on | self.off, 1.0
        if d.pulse_sigma > 0 and not stuck:
            noise = max(0.0, 1.0 + d.pulse_sigma * self.normal(Purpose.PULSE, cell, self.pulses[cell]))
        if self.oxide is not None:
            stretch = 0.0 if stuck else self.spread[cell] * noise
            self.g[cell], load = self.oxide.pulse(g, self.seen[cell], up, amplitude, stretch)
            self.load[cell] += load
            self.pulses[cell] += 1
            return
        self.load[cell] += round(g / d.step_S * 1024)
        if not stuck:
            x = (g - d.g_min_S) / (d.g_max_S - d.g_min_S)
            step = amplitude / 8 * d.step_S * (self.spread[cell] * noise)
            if up:
                g = min(d.g_max_S, g + step * d.pulse_up * (1.0 - d.soft_bounds * x))
            else:
                g = max(d.g_min_S, g - step * d.pulse_down * (1.0 - d.soft_bounds * (1.0 - x)))
        self.g[cell] = g
        self.pulses[cell] += 1

    def verify(self, cell: Cell) -> int:
        d, g = self.device, self.g[cell]
        self.read_load[cell] += round(g / d.step_S * 1024)
        if self.numbers is not None:
            self.reads[cell] += 1
            self.seen[cell] = min(self.numbers[cell] + 64 >> 7, 1023)
            return self.seen[cell]
        if d.read_sigma > 0:
            g *= 1.0 + d.read_sigma * self.normal(Purpose.VERIFY, cell, self.reads[cell])
        self.reads[cell] += 1
        self.seen[cell] = min(max(round((g - d.g_min_S) / d.step_S * 8), 0), 1023)
        return self.seen[cell]

    def operate(self, p: LayerParameters) -> Operate:
        """The port of these cells."""

        def operation(
            pulse: bool, row: int, column: int, side: int, tiles: list[bool], up: list[bool], amplitudes: list[int]
        ) -> list[int]:
            codes = [0] * p.row_tiles
            for tile in range(p.row_tiles):
                if tiles[tile]:
                    cell = (side, tile * p.tile_rows + row, column)
                    if pulse:
                        self.pulse(cell, up[tile], amplitudes[tile])
                    else:
                        codes[tile] = self.verify(cell)
            return codes

        return operation


class LockstepProgrammer:
    """A start: all row tiles of a row and column group, lane by lane, side by side, the tiles in lockstep."""

    def __init__(self, p: LayerParameters, programming: Programming, operate: Operate) -> None:
        self.p, self.programming, self.operate = p, programming, operate
        self.codes: dict[Cell, int] = {}
        self.pulses: dict[Cell, int] = {}
        self.failed: dict[Cell, bool] = {}
        self.operations = {"pulse": 0, "read": 0, "cells": 0, "starts": 0}

    def start(self, row: int, group: int, targets: Callable[[Cell], int]) -> None:
        p, settings = self.p, self.programming
        self.operations["starts"] += 1
        for lane in range(p.lanes):
            column = group * p.lanes + lane
            if column >= p.outputs:
                continue
            for side in range(2):
                self.operations["cells"] += 1
                cells = {t: (side, t * p.tile_rows + row, column) for t in range(p.row_tiles)}
                active = [cells[t][1] < p.inputs for t in range(p.row_tiles)]
                count = 0
                while any(active):
                    codes = self.operate(False, row, column, side, active, [False] * len(active), [0] * len(active))
                    self.operations["read"] += 1
                    up, amplitudes = [False] * len(active), [0] * len(active)
                    for t, cell in cells.items():
                        if not active[t]:
                            assert codes[t] == 0
                            continue
                        distance = abs(codes[t] - targets(cell))
                        self.codes[cell], self.pulses[cell] = codes[t], count
                        self.failed[cell] = distance > settings.tolerance_code
                        active[t] = self.failed[cell] and count < settings.tries
                        up[t] = codes[t] < targets(cell)
                        smallest, largest = settings.amplitude_codes
                        amplitudes[t] = min(max(distance, smallest), largest)
                    if any(active):
                        self.operate(True, row, column, side, active, up, amplitudes)
                        self.operations["pulse"] += 1
                        count += 1
