"""The programming port of the Verilog shell, driven cycle by cycle; it runs inside the simulator, in a job's folder."""

from __future__ import annotations

from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from spikeloom.sim.cosim.macro_model import MacroModel, load_models
from spikeloom.sim.cosim.npu_cocotb import answer_operations
from tests.benches.macro_shell import CYCLES


class Port:
    """One macro's programming port; `expected` are cells that get the same operations directly."""

    def __init__(self, dut, index: int, models: list[MacroModel], rng: np.random.Generator) -> None:
        self.dut, self.index, self.rng = dut, index, rng
        cells = models[index].cells
        assert cells is not None
        self.p, self.model, self.expected = cells.parameters, cells.model, cells.state.copy()
        self.stalls = "stalls" in cocotb.plusargs
        self.set("program_cell", 0)

    def __getattr__(self, name: str):
        return getattr(self.dut, f"m{self.index}_{name}")

    def set(self, name: str, value: int) -> None:
        getattr(self, name).value = value

    def present(self) -> None:
        """A random operation, with the tiles that have its row; kept in self.operation."""
        rng, p = self.rng, self.p
        row = int(rng.integers(min(p.tile_rows, p.inputs)))
        there = np.array([tile * p.tile_rows + row < p.inputs for tile in range(p.row_tiles)])
        tiles = there & (rng.random(p.row_tiles) < 0.7)
        tiles[0] |= not tiles.any()
        up, amplitudes = rng.random(p.row_tiles) < 0.7, rng.integers(1, 40, p.row_tiles)
        pulse, column, side = bool(rng.integers(2)), int(rng.integers(p.outputs)), int(rng.integers(2))
        self.operation = (pulse, row, column, side, p.tile_rows, tiles, up, amplitudes)
        for name, value in (("pulse", pulse), ("row", row), ("column", column), ("side", side)):
            self.set(f"program_{name}", int(value))
        self.set("program_tiles", sum(1 << tile for tile in np.flatnonzero(tiles).tolist()))
        self.set("program_up", sum(1 << tile for tile in np.flatnonzero(up).tolist()))
        self.set("program_amplitudes", sum(int(a) << 8 * tile for tile, a in enumerate(amplitudes)))
        self.set("program_cell", 1)

    async def operate(self) -> None:
        """An operation to its end: done in its cycle, codes right."""
        self.present()
        pulse = self.operation[0]
        settle, adc, program = CYCLES[self.index]
        needed = program if pulse else settle + adc
        codes = self.model.operate(self.expected, *self.operation)
        cycle, done = 0, False
        while not done and cycle < needed + 8:
            cycle += 1
            await FallingEdge(self.dut.clk)
            done, answer = bool(int(self.program_done.value)), int(self.program_codes.value)
            await RisingEdge(self.dut.clk)
            assert done or answer == 0
        assert needed <= cycle <= needed + 7 if self.stalls else cycle == needed
        assert pulse or [answer >> 10 * tile & 1023 for tile in range(self.p.row_tiles)] == codes.tolist()

    async def withdrawn(self) -> None:
        """An operation that a reset ends before it is done."""
        self.present()
        self.model.operate(self.expected, *self.operation)
        settle, adc, program = CYCLES[self.index]
        needed = program if self.operation[0] else settle + adc
        for _ in range(int(self.rng.integers(1, max(2, needed)))):
            await FallingEdge(self.dut.clk)
            assert not int(self.program_done.value)
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 1
        self.set("program_cell", int(self.rng.integers(2)))
        await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        self.set("program_cell", 0)


@cocotb.test()
async def operations(dut) -> None:
    """Back to back, with gaps, withdrawn by resets: timing, codes, and the cells at the end."""
    models = load_models(Path.cwd())
    rng = np.random.default_rng(0)
    ports = [Port(dut, index, models, rng) for index in range(len(models))]
    for index in range(len(models)):
        cocotb.start_soon(answer_operations(getattr(dut, f"macro_{index}"), models, index))
    dut.rst.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    for index, port in enumerate(ports):
        for _ in range(150):
            if index > 0 and rng.integers(10) == 0:
                await port.withdrawn()
            await port.operate()
            if rng.integers(3) == 0:
                port.set("program_cell", 0)
                for _ in range(int(rng.integers(1, 4))):
                    await FallingEdge(dut.clk)
                    assert not int(port.program_done.value) and not int(port.program_codes.value)
                    await RisingEdge(dut.clk)
        port.set("program_cell", 0)
        cells = models[index].cells
        assert cells is not None
        for a, b in zip(cells.state.arrays, port.expected.arrays, strict=True):
            assert np.array_equal(a, b)
        assert cells.state.pulses.any() and cells.state.reads.any()
