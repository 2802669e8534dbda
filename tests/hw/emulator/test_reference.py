"""The emulator and the reference: arrays of real devices, and a whole unit with emulators for macros."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, flipped

from spikeloom.hw.emulator.cell_words import emulator_words
from spikeloom.hw.emulator.crossbar_emulator import CrossbarEmulator
from spikeloom.hw.interfaces.emulator_port import EmulatorBusSignature
from spikeloom.hw.npu import Npu
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.image_seeds import image_seed
from spikeloom.sim.chip.register_writes import register_writes
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.reference.run import run_reference
from tests.benches.emulator_bench import load_cells, read
from tests.benches.stream_bench import collect, send, simulate
from tests.fixtures.networks import random_chip, random_pixels
from tests.sim.crossbar.test_array import layer_of

REAL = {"device_sigma": 0.1, "program_sigma": 0.05, "stuck_on": 0.02, "stuck_off": 0.02, "wire_ohm": 1.0}
"""Every effect that the cells have when they are read."""


def bits_of(array: CrossbarArray) -> int:
    return max(2, int(np.abs(array.current_grid).max()).bit_length() + 1)


@pytest.mark.parametrize(
    ("row_bits", "adc_bits", "rows_per_cycle", "gain"), [(1, 5, 1, 1), (8, 4, 2, None), (1, 1, 4, 0)]
)
def test_codes_are_the_arrays(row_bits: int, adc_bits: int, rows_per_cycle: int, gain: int | None) -> None:
    rng = np.random.default_rng(adc_bits)
    p = LayerParameters(
        inputs=30, outputs=11, row_bits=row_bits, tile_rows=12, lanes=4, adc_bits=adc_bits, programmer=False
    )
    shift = 1 if gain is None else gain
    array = CrossbarArray(0, layer_of(rng.integers(-15, 16, (30, 11)), shift), p, Device(**REAL), seed=3)
    dut = CrossbarEmulator(parameters=p, rows_per_cycle=rows_per_cycle, weight_bits=bits_of(array), gain=gain)
    pauses, seen = random.Random(1), 0

    async def bench(ctx):
        nonlocal seen
        await load_cells(ctx, dut, emulator_words(dut.shape, array.current_grid), shift)
        for number in range(8):
            rows = (rng.integers(1, 1 << row_bits, 30) * (rng.random(30) < rng.choice([0.1, 0.5, 1.0]))).astype(
                np.uint8
            )
            codes, over, _ = await read(ctx, dut, rows, pauses, 0.3)
            wanted, flags = array.convert_one(rows, 0, number)
            np.testing.assert_array_equal(codes, wanted)
            np.testing.assert_array_equal(over, flags)
            seen += int(over.sum())

    simulate(dut, bench)
    assert seen, "nothing was clipped"


class EmulatedNpu(wiring.Component):
    """A unit with an emulator for each macro."""

    def __init__(self, parameters: NpuParameters, emulators: list[CrossbarEmulator]) -> None:
        self.npu, self.emulators = Npu(parameters=parameters), emulators
        members = {n: m for n, m in self.npu.signature.members.items() if not n.startswith("crossbar_")}
        loads = {f"load_{index}": In(EmulatorBusSignature()) for index in range(len(emulators))}
        super().__init__({**members, **loads})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.npu = self.npu
        for name, member in self.npu.signature.members.items():
            if name.startswith("crossbar_"):
                continue
            outer, inner = getattr(self, name), getattr(self.npu, name)
            if member.is_signature:
                wiring.connect(m, flipped(outer), inner)
            else:
                sides = (outer, inner) if member.flow == Out else (inner, outer)
                m.d.comb += Value.cast(sides[0]).eq(Value.cast(sides[1]))
        for index, emulator in enumerate(self.emulators):
            m.submodules[f"emulator_{index}"] = emulator
            wiring.connect(m, getattr(self.npu, f"crossbar_{index}"), emulator.crossbar)
            wiring.connect(m, flipped(getattr(self, f"load_{index}")), emulator.load)
        return m


class _Load:
    """What `load_cells` knows of an emulator, with the bus of a unit around it."""

    def __init__(self, emulator: CrossbarEmulator, bus: Any) -> None:
        self.shape, self.load = emulator.shape, bus


@pytest.mark.parametrize(("row_bits", "rows_per_cycle", "stall"), [(1, 1, 0.0), (1, 2, 0.3), (8, 1, 0.0)])
def test_a_whole_unit_decides_as_the_reference(row_bits: int, rows_per_cycle: int, stall: float) -> None:
    rng = np.random.default_rng(rows_per_cycle)
    coding = Coding.ANALOG if row_bits == 8 else Coding.RATE
    chip = random_chip(
        rng, sizes=(20, 9, 4), row_bits=row_bits, coding=coding, tile_rows=8, lanes=4, adc_bits=6, phases=1,
        max_steps=10, t_max=8, theta=12, gain_shift=1, device=Device(**REAL), programmer=False,
    )  # fmt: skip
    pixels = random_pixels(rng, 5, 20)
    arrays = build_arrays(chip)
    wanted = run_reference(chip, pixels, arrays=arrays)
    emulators = [
        CrossbarEmulator(parameters=p, rows_per_cycle=rows_per_cycle, weight_bits=bits_of(array), gain=array.gain_shift)
        for p, array in zip(chip.parameters.layers, arrays, strict=True)
    ]
    dut, pauses = EmulatedNpu(chip.parameters, emulators), random.Random(4)
    lanes = chip.parameters.encoder_lanes
    results: list[dict] = []

    async def feed(ctx):
        for index, (emulator, array) in enumerate(zip(emulators, arrays, strict=True)):
            bench: Any = _Load(emulator, getattr(dut, f"load_{index}"))
            await load_cells(ctx, bench, emulator_words(emulator.shape, array.current_grid))
        writes = [{"address": address, "data": data} for address, data in register_writes(chip)]
        await send(ctx, dut.load, writes, pauses, stall)
        for number, image in enumerate(pixels):
            if chip.parameters.draws_seeds:
                ctx.set(dut.seed, image_seed(chip.seed, number))
            padded = [*image.ravel().tolist(), *[0] * (-image.size % lanes)]
            words = [{"pixels": padded[start : start + lanes]} for start in range(0, len(padded), lanes)]
            await send(ctx, dut.pixels, words, pauses, stall)

    async def take(ctx):
        results.extend(await collect(ctx, dut.result, len(pixels), random.Random(5), stall))

    simulate(dut, feed, take)
    assert [result["winner"] for result in results] == wanted.classes.tolist()
    assert [result["steps"] for result in results] == wanted.steps.tolist()
    assert [result["margin"] for result in results] == wanted.margins.tolist()
    assert wanted.spikes[:, 0].min() > 0, "no spike between the layers"
