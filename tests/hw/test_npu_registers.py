"""Register writes to the whole unit: with an image's first word, after the biases, and to what does not exist."""

from __future__ import annotations

import random
from typing import Any

import pytest

import spikeloom.hw.npu
from spikeloom.hw.control.register_file import RegisterFile
from spikeloom.hw.interfaces.registers import (
    BIAS_OFFSET,
    GLOBAL_REGISTERS,
    bias_address,
    global_address,
    layer_registers,
)
from spikeloom.hw.npu import Npu
from spikeloom.hw.params.parameters import Coding, DecisionRule, NpuParameters
from tests.benches.proof_bench import mutant
from tests.benches.stream_bench import collect, send, simulate
from tests.hw.encoder.test_spike_encoder import vectors_of
from tests.hw.test_npu import LEAN, unit, writes_of
from tests.models.network_model import GoldenLayer, IdealCrossbar, random_layer, run_golden


def decisions(
    parameters: NpuParameters, rounds: list[tuple[list[GoldenLayer], dict[str, int], list[dict]]], unit: type = Npu
) -> None:
    """One image per round, whose first word is offered together with the round's writes: it is decided by them.

    `rounds` has what the registers and biases are after the writes (layers and settings), and the writes.
    """
    dut, rng = unit(parameters=parameters), random.Random(5)
    images = [[rng.randrange(256) for _ in range(parameters.inputs)] for _ in rounds]
    macros = [
        IdealCrossbar(getattr(dut, f"crossbar_{index}"), layer, rng, lambda: 1, lambda: 0)
        for index, layer in enumerate(rounds[0][0])
    ]
    done: list[dict] = []

    async def write(ctx):
        for number, (_, _, writes) in enumerate(rounds):
            while len(done) < number:
                await ctx.tick()
            await send(ctx, dut.load, writes, rng, 0)

    async def feed(ctx):
        lanes = parameters.encoder_lanes
        for number, image in enumerate(images):
            while len(done) < number:
                await ctx.tick()
            padded = image + [0] * (-len(image) % lanes)
            words = [{"pixels": padded[start : start + lanes]} for start in range(0, len(padded), lanes)]
            await send(ctx, dut.pixels, words, rng, 0)

    async def take(ctx):
        for layers, settings, _ in rounds:
            (result,) = await collect(ctx, dut.result, 1, rng, 0)
            vectors = vectors_of(parameters, images[len(done)], Coding.EVEN, settings["t_max"], 0, 0)
            encoded = [[vector["rows"] >> row & 1 for row in range(parameters.inputs)] for vector in vectors]
            decision = {name: settings[name] for name in ("rule", "k", "t_max")}
            outcome = run_golden(parameters, layers, encoded, **decision)
            assert result == {name: getattr(outcome, name) for name in result}, f"round {len(done)}"
            done.append(result)

    benches = [bench for macro in macros for bench in (macro.drive_bench, macro.convert_bench)]
    simulate(dut, write, feed, take, background=benches, limit=20_000)


def random_rounds(parameters: NpuParameters, count: int) -> list[tuple[list[GoldenLayer], dict[str, int], list[dict]]]:
    """The first round writes everything, the biases first; the others write registers only."""
    rng, rounds = random.Random(3), []
    layers = [random_layer(p, rng, theta=9) for p in parameters.layers]
    for number in range(count):
        registers = [
            {
                "theta": rng.randint(2, 14),
                "v0": rng.choice([-2, 1, 3]),
                "clip": rng.choice([0, 40]) if layer.parameters.clip else 0,
            }
            for layer in layers
        ]
        layers = [
            GoldenLayer(old.parameters, old.weights, old.bias, **new)
            for old, new in zip(layers, registers, strict=True)
        ]
        settings = {"coding": Coding.EVEN, "rule": DecisionRule.WINNER_K, "k": rng.randint(2, 9), "t_max": 9 - number}
        writes = writes_of(layers, settings)[::-1]
        writes.sort(key=lambda one: one["address"] & BIAS_OFFSET, reverse=True)
        kept = [w for w in writes if number == 0 or not w["address"] & BIAS_OFFSET]
        rounds.append((layers, settings, [w for one in kept for w in (one, *strays(one["address"], parameters, rng))]))
    return rounds


def strays(address: int, parameters: NpuParameters, rng: random.Random) -> list[dict]:
    """Writes to addresses that nothing has, each a bit away from `address`: they must have no effect."""
    scopes = range(1, len(parameters.layers) + 1)
    real = {global_address(r.name) for r in GLOBAL_REGISTERS}
    real |= {scope << 16 | r.offset for scope in scopes for r in layer_registers(parameters.layers[scope - 1])}
    real |= {bias_address(scope - 1, n) for scope in scopes for n in range(parameters.layers[scope - 1].outputs)}
    free = [near for bit in range(24) if (near := address ^ 1 << bit) not in real]
    return [{"address": near, "data": rng.randrange(16)} for near in free]


@pytest.mark.parametrize("features", [{}, LEAN], ids=["all features", "subtracts only"])
def test_writes_go_before_an_image_that_is_offered_with_them(features: dict[str, Any]) -> None:
    """Writes to registers that are missing have no effect, as all to addresses that nothing has."""
    parameters = unit(**features)
    decisions(parameters, random_rounds(parameters, 4))


BROKEN = {
    "image_before_the_write": ("accept.eq(~(controller.idle & self.load.valid))", "accept.eq(1)"),
    "registers_write_biases": (" & (offset >= BIAS_OFFSET)", ""),
}


@pytest.mark.filterwarnings("ignore:.*created but never used")
@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_writes(name: str) -> None:
    parameters = unit()
    with pytest.raises(AssertionError):
        decisions(parameters, random_rounds(parameters, 4), mutant(Npu, *BROKEN[name]))


@pytest.mark.filterwarnings("ignore:.*created but never used")
@pytest.mark.parametrize("bits", [20, 23])
def test_mutants_fail_the_strays(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers of which a part of the address is compared: 20 bits mix up the unit and a layer 15."""
    old = "(self.load.address == (self._scope"
    monkeypatch.setattr(
        spikeloom.hw.npu, "RegisterFile", mutant(RegisterFile, old, old.replace("address", f"address[:{bits}]"))
    )
    parameters = unit()
    with pytest.raises(AssertionError):
        decisions(parameters, random_rounds(parameters, 4))
