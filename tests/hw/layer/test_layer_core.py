"""One layer against plain integers, with ideal cells, random delays of the macro, stalls, and cycles."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from spikeloom.hw.interfaces.registers import layer_registers
from spikeloom.hw.layer.layer_core import LayerCore
from spikeloom.hw.params.cycles import NEURON_CYCLES
from spikeloom.hw.params.parameters import LayerParameters, Reset
from tests.benches.stream_bench import collect, send, simulate
from tests.models.network_model import ACTIVITY, GoldenLayer, IdealCrossbar, random_delays, random_layer


def layer(
    row_bits: int = 1, outputs: int = 7, lanes: int = 3, phases: int = 1, positions: int = 1, **features: Any
) -> LayerParameters:
    return LayerParameters(
        inputs=11,
        outputs=outputs,
        row_bits=row_bits,
        positions=positions,
        tile_rows=4,
        tile_columns=3,
        lanes=lanes,
        adc_bits=6,
        max_gain_shift=3,
        max_theta=63,
        max_bias=15,
        phases=phases,
        max_steps=8,
        **features,
    )


def random_vectors(p: LayerParameters, rng: random.Random, count: int) -> list[dict]:
    """Images of 1 .. 8 steps, of vectors for every position; a fifth of them silent, tiles often silent."""
    vectors: list[dict] = []
    while len(vectors) < count:
        for step, position in itertools.product(range(rng.randint(1, 8)), range(p.positions)):
            density = rng.choice([0, 0.1, 0.3, 0.9])
            codes = [rng.randrange(1, 1 << p.row_bits) if rng.random() < density else 0 for _ in range(p.inputs)]
            vectors.append(
                {
                    "rows": sum(code << row * p.row_bits for row, code in enumerate(codes)),
                    "count": sum(code > 0 for code in codes),
                    "silent": int(not any(codes)),
                    "first": int(step == 0),
                    "phase": step % p.phases,
                    **({"position": position} if p.positions > 1 else {}),
                }
            )
    return vectors[:count]


def codes_of(p: LayerParameters, vector: dict) -> list[int]:
    return [vector["rows"] >> row * p.row_bits & (1 << p.row_bits) - 1 for row in range(p.inputs)]


def expected_groups(golden: GoldenLayer, vectors: list[dict]) -> list[dict]:
    p = golden.parameters
    fired = []
    for vector in vectors:
        marks = {name: vector[name] for name in ("first", "phase", "position") if name in vector}
        spikes = golden.step(codes_of(p, vector), marks["phase"], bool(marks["first"]), marks.get("position", 0))
        padding = [0] * (p.groups * p.lanes - p.outputs)
        spikes, membranes = spikes + padding, golden.membranes + padding
        for group in range(p.groups):
            lanes = slice(group * p.lanes, (group + 1) * p.lanes)
            fired.append(
                {
                    "group": group,
                    "spikes": sum(spike << lane for lane, spike in enumerate(spikes[lanes])),
                    "membranes": membranes[lanes],
                    **marks,
                }
            )
    return fired


async def configure(ctx, dut: LayerCore, golden: GoldenLayer) -> None:
    for register in layer_registers(dut.parameters):
        ctx.set(getattr(dut, register.name), getattr(golden, register.name))
    ctx.set(dut.bias_write.enable, 1)
    for index, value in enumerate(golden.bias):
        ctx.set(dut.bias_write.index, index)
        ctx.set(dut.bias_write.value, value)
        await ctx.tick()
    ctx.set(dut.bias_write.enable, 0)


SETTINGS = [
    (layer(), {"theta": 20}),
    (layer(row_bits=8, outputs=6), {"theta": 9, "gain": 2, "reset": Reset.ZERO}),
    (layer(phases=3, outputs=5, lanes=5), {"theta": 15, "gain": 1, "leak": 2, "v0": -8, "clip": 60}),
    (layer(phases=2, outputs=1, lanes=1), {"theta": 5, "reset": Reset.NONE}),
    (layer(phases=3, outputs=5, positions=4), {"theta": 15, "gain": 1, "leak": 2, "v0": -8}),
    (layer(leak=False, clip=False, resets=(Reset.ZERO,)), {"theta": 20, "reset": Reset.ZERO}),
]


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize(("parameters", "registers"), SETTINGS)
def test_layer_is_the_models(parameters: LayerParameters, registers: dict, stall: float) -> None:
    rng = random.Random(3)
    golden = random_layer(parameters, rng, **registers)
    dut = LayerCore(parameters=parameters, pulse_cycles=3)
    macro = IdealCrossbar(dut.crossbar, golden, rng, *random_delays(rng))
    vectors = random_vectors(parameters, rng, 40)
    fired: list[dict] = []
    activity: dict[str, int] = {}

    async def feed(ctx):
        await configure(ctx, dut, golden)
        await send(ctx, dut.i, vectors, random.Random(1), stall)

    async def check(ctx):
        fired.extend(await collect(ctx, dut.o, len(vectors) * parameters.groups, random.Random(2), stall))
        await ctx.tick().repeat(3)
        activity.update({name: ctx.get(getattr(dut.activity, name)) for name in ACTIVITY})
        ctx.set(dut.clear_activity, 1)
        await ctx.tick().repeat(2)
        assert [ctx.get(getattr(dut.activity, name)) for name in ACTIVITY] == [0] * len(ACTIVITY)
        assert ctx.get(dut.overflow) == 0

    simulate(dut, feed, check, background=[macro.drive_bench, macro.convert_bench])
    assert fired == expected_groups(golden, vectors)
    assert activity == golden.activity
    assert macro.reads == [codes for codes in (codes_of(parameters, v) for v in vectors) if any(codes)]


@pytest.mark.parametrize(("settle", "wait"), [(1, 0), (5, 0), (3, 2)])
def test_cycles(settle: int, wait: int) -> None:
    """The formula of LayerCore's docstring."""
    parameters, pulse_cycles = layer(), 3
    golden = random_layer(parameters, random.Random(4))
    dut = LayerCore(parameters=parameters, pulse_cycles=pulse_cycles)
    macro = IdealCrossbar(dut.crossbar, golden, random.Random(5), lambda: settle, lambda: wait)
    vectors = [
        {"rows": rows, "count": rows.bit_count(), "silent": int(rows == 0), "first": 1, "phase": 0}
        for rows in (0x7F3, 0, 0x001, 0x7FF)
    ]
    taken: list[int] = []
    delivered: list[int] = []

    async def feed(ctx):
        await send(ctx, dut.i, vectors, random.Random(1), 0.0, taken)

    async def check(ctx):
        await collect(ctx, dut.o, len(vectors) * parameters.groups, random.Random(2), 0.0, delivered)

    simulate(dut, feed, check, background=[macro.drive_bench, macro.convert_bench])
    seen, expected = 0, []
    for vector, cycle in zip(vectors, taken, strict=True):
        drive = max(pulse_cycles, settle) if vector["rows"] else 0
        group = wait + 1 if vector["rows"] else 1
        assert cycle == seen + drive
        expected += [seen + drive + 1 + (j + 1) * group + NEURON_CYCLES for j in range(parameters.groups)]
        seen += drive + 2 + parameters.groups * group
    assert delivered == expected


def test_programming_is_between_reads_only() -> None:
    parameters = layer()
    rng = random.Random(6)
    golden = random_layer(parameters, rng, theta=20)
    dut = LayerCore(parameters=parameters, pulse_cycles=2)
    macro = IdealCrossbar(dut.crossbar, golden, rng, *random_delays(rng))
    vectors = random_vectors(parameters, rng, 20)
    fired: list[dict] = []
    operations = 0

    async def feed(ctx):
        await configure(ctx, dut, golden)
        await send(ctx, dut.i, vectors, random.Random(1), 0.2)

    async def check(ctx):
        fired.extend(await collect(ctx, dut.o, len(vectors) * parameters.groups, random.Random(2), 0.2))

    async def programmer(ctx):
        nonlocal operations
        while True:
            ctx.set(dut.programmer.start, rng.random() < 0.5)
            await ctx.tick()
            ctx.set(dut.programmer.start, 0)
            for _ in range(rng.randint(1, 30)):
                ctx.set(dut.crossbar.program_done, rng.random() < 0.5)
                await ctx.tick()
                if ctx.get(dut.crossbar.program_cell):
                    operations += 1
                    assert not ctx.get(dut.crossbar.drive)
                    assert not ctx.get(dut.crossbar.sampled)

    simulate(dut, feed, check, background=[macro.drive_bench, macro.convert_bench, programmer])
    assert fired == expected_groups(golden, vectors)
    assert operations > 0
