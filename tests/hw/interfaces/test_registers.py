"""Address map: no overlaps, helpers, and a register file that takes its own writes only."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import Const

from spikeloom.hw.control.register_file import RegisterFile
from spikeloom.hw.interfaces.registers import (
    BIAS_OFFSET,
    GLOBAL_REGISTERS,
    LAYER_REGISTERS,
    bias_address,
    global_address,
    layer_address,
    layer_registers,
)
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters, Reset
from tests.benches.stream_bench import simulate

ROOT = Path(__file__).parents[3]
LAYER = LayerParameters(inputs=6, outputs=4, lanes=2, phases=2)
UNIT = NpuParameters(layers=(LAYER,), phases=2, encoder_lanes=2)


def test_map_is_the_documented_one() -> None:
    assert [global_address(name) for name in ("coding", "rule", "k", "t_max", "skip", "even_start", "readout")] == list(
        range(7)
    )
    assert [layer_address(2, name) for name in ("theta", "v0", "clip", "leak", "reset", "gain")] == [
        0x30000 + offset for offset in range(6)
    ]
    assert bias_address(0, 5) == 0x18005
    assert bias_address(254, 32767) == 0xFFFFFF


@pytest.mark.parametrize("registers", [GLOBAL_REGISTERS, LAYER_REGISTERS])
def test_offsets_are_distinct_and_below_the_biases(registers) -> None:
    offsets = [register.offset for register in registers]
    assert len(set(offsets)) == len(offsets)
    assert max(offsets) < BIAS_OFFSET


@pytest.mark.parametrize("register", [*GLOBAL_REGISTERS, *LAYER_REGISTERS], ids=lambda register: register.name)
def test_manual_has_every_register(register) -> None:
    lines = (ROOT / "docs" / "hardware" / "interfaces" / "registers.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    (row,) = [row for row in cells if row[1:2] == [f"`{register.name}`"]]
    assert row[0] == str(register.offset)
    assert row[2].endswith(", signed") == register.signed
    assert row[3:] == [str(register.init), register.unit, register.meaning.replace("|", r"\|")]


@pytest.mark.parametrize(
    ("features", "missing"),
    [
        ({}, set()),
        ({"leak": False}, {"leak"}),
        ({"clip": False}, {"clip"}),
        ({"resets": (Reset.NONE,)}, {"reset"}),
        ({"resets": (Reset.SUBTRACT, Reset.NONE)}, set()),
        ({"leak": False, "clip": False, "resets": (Reset.ZERO,)}, {"leak", "clip", "reset"}),
    ],
)
def test_registers_of_what_is_not_built_are_not_there(features, missing: set[str]) -> None:
    there = layer_registers(replace(LAYER, **features))
    assert there == tuple(register for register in LAYER_REGISTERS if register.name not in missing)


def test_ranges_follow_the_parameters() -> None:
    by_name = {register.name: register for register in LAYER_REGISTERS}
    assert by_name["theta"].range(LAYER) == (0, 1023)
    assert by_name["v0"].range(LAYER) == (-2048, 2047)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: global_address("theta"), "Global register must be one of coding, .*, not 'theta'"),
        (lambda: layer_address(0, "k"), "Layer register must be one of theta, .*, not 'k'"),
        (lambda: layer_address(255, "theta"), "Layer of a load address must be in 0 .. 254, not 255"),
        (lambda: bias_address(0, 32768), "Neuron of a bias address must be in 0 .. 32767, not 32768"),
    ],
)
def test_errors(call, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("..", re.escape("..")) + "$"):
        call()


@pytest.mark.parametrize(
    ("registers", "scope", "parameters"), [(GLOBAL_REGISTERS, 0, UNIT), (LAYER_REGISTERS, 2, LAYER)]
)
def test_register_file(registers, scope: int, parameters) -> None:
    dut = RegisterFile(registers=registers, scope=scope, parameters=parameters)
    rng = random.Random(1)
    expected = {register.name: register.init for register in registers}

    async def bench(ctx):
        for _ in range(600):
            register = rng.choice(registers)
            low, high = register.range(parameters)
            value, write = rng.randint(low, high), rng.random() < 0.7
            where = rng.choice([scope, scope, scope, scope ^ 1 << rng.randrange(8)])
            offset = rng.choice([register.offset, register.offset, register.offset ^ 1 << rng.randrange(16)])
            ctx.set(dut.load, {"address": where << 16 | offset, "data": value})
            ctx.set(dut.write, write)
            await ctx.tick()
            for other in registers:
                if other.pulse:
                    expected[other.name] = 0
            for other in registers:
                if write and where == scope and offset == other.offset:
                    expected[other.name] = Const(value, other.shape(parameters)).value
            assert {r.name: ctx.get(getattr(dut, r.name)) for r in registers} == expected

    simulate(dut, bench)
