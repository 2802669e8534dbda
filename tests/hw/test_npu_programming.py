"""The unit programs all its layers at once, from fresh cells, and then decides like the golden model of its cells."""

from __future__ import annotations

import random

from spikeloom.hw.npu import Npu
from spikeloom.hw.params.parameters import Coding
from tests.benches.program_bench import Cell, Cells, Operation, Settings, golden_program, program_macro, target_words
from tests.benches.stream_bench import collect, send, simulate
from tests.hw.encoder.test_spike_encoder import vectors_of
from tests.hw.test_npu import unit, writes_of
from tests.models.network_model import GoldenLayer, IdealCrossbar, random_delays, random_layer, run_golden

SETTINGS = Settings(window=1, tries=40, amplitude_min=1, amplitude_max=30)
COUNTS = ("pulses", "verify_reads", "failed_cells")


def targets_of(layer: GoldenLayer, row: int, group: int) -> list[tuple[int, int]]:
    """Codes of the cells of a row and group, by lane * row_tiles + tile; junk where there is no cell."""
    p, targets = layer.parameters, []
    for lane in range(p.lanes):
        for tile in range(p.row_tiles):
            line, column = tile * p.tile_rows + row, group * p.lanes + lane
            there = line < p.inputs and column < p.outputs
            weight = layer.weights[line][column] if there else 99
            targets.append((8 * max(0, weight), 8 * max(0, -weight)))
    return targets


def cell_weights(layer: GoldenLayer, cells: Cells) -> list[list[int]]:
    """p - n of every pair in whole levels."""
    p = layer.parameters
    values = {cell: round(code / 8) for cell, code in cells.values.items()}
    return [
        [values.get(Cell(row, i, 0), 0) - values.get(Cell(row, i, 1), 0) for i in range(p.outputs)]
        for row in range(p.inputs)
    ]


def test_programs_then_decides() -> None:
    parameters, rng = unit(), random.Random(8)
    dut = Npu(parameters=parameters)
    layers = [random_layer(p, rng, theta=20) for p in parameters.layers]
    cells = [Cells(seed=index, spread=0.5, stuck=0.2) for index in range(len(layers))]
    golden = [Cells(seed=index, spread=0.5, stuck=0.2) for index in range(len(layers))]
    chip = [GoldenLayer(layer.parameters, [], layer.bias, theta=20) for layer in layers]  # weights of its cells
    operations: list[list[Operation]] = [[] for _ in layers]
    image = [rng.choice([0, 255, rng.randrange(256)]) for _ in range(parameters.inputs)]
    image += [0] * (-len(image) % parameters.encoder_lanes)
    finished: list[int] = []
    answers: list[dict] = []

    def programmer(index: int):
        layer, host = layers[index], getattr(dut, f"programmer_{index}")
        p = layer.parameters

        async def bench(ctx):
            for name, value in vars(SETTINGS).items():
                ctx.set(getattr(dut.program, name), value)
            totals = dict.fromkeys(COUNTS, 0)
            for row in range(min(p.tile_rows, p.inputs)):
                for group in range(p.groups):
                    targets = targets_of(layer, row, group)
                    ctx.set(host.target_write.enable, 1)
                    for number, word in enumerate(target_words(targets)):
                        ctx.set(host.target_write.index, number)
                        ctx.set(host.target_write.value, word)
                        await ctx.tick()
                    ctx.set(host.target_write.enable, 0)
                    ctx.set(host.start_row, row)
                    ctx.set(host.start_group, group)
                    ctx.set(host.start, 1)
                    await ctx.tick()
                    ctx.set(host.start, 0)
                    while ctx.get(host.busy):
                        await ctx.tick()
                    done = golden_program(p, golden[index], targets, SETTINGS, row, group)
                    assert operations[index] == done.operations
                    operations[index].clear()
                    for number, word in done.results.items():
                        ctx.set(host.result_index, number)
                        assert ctx.get(host.result) == word
                    for name in COUNTS:
                        totals[name] += getattr(done, name)
            await ctx.tick()
            assert {name: ctx.get(getattr(host, name)) for name in COUNTS} == totals
            assert totals["failed_cells"] > 0
            chip[index].weights = cell_weights(layer, cells[index])
            finished.append(index)

        return bench

    async def host(ctx):
        while len(finished) < len(layers):
            await ctx.tick()
        await send(ctx, dut.load, writes_of(chip, {"coding": Coding.EVEN, "t_max": 8}), rng, 0)
        words = [image[start : start + parameters.encoder_lanes] for start in range(0, len(image), 4)]
        await send(ctx, dut.pixels, [{"pixels": word} for word in words], rng, 0)
        answers.extend(await collect(ctx, dut.result, 1, rng, 0))

    macros = [
        IdealCrossbar(getattr(dut, f"crossbar_{index}"), layer, rng, *random_delays(rng))
        for index, layer in enumerate(chip)
    ]
    background = [bench for macro in macros for bench in (macro.drive_bench, macro.convert_bench)]
    for index, layer in enumerate(layers):
        port = getattr(dut, f"crossbar_{index}")
        background.append(
            program_macro(port, layer.parameters, cells[index], operations[index], lambda _: rng.randint(1, 5), rng)
        )
    simulate(dut, host, *(programmer(index) for index in range(len(layers))), background=background)

    assert cells == golden
    assert all(one.weights != layer.weights for one, layer in zip(chip, layers, strict=True)), "no cell has failed"
    vectors = vectors_of(parameters, image[: parameters.inputs], Coding.EVEN, 8, 0, 0)
    encoded = [[vector["rows"] >> row & 1 for row in range(parameters.inputs)] for vector in vectors]
    outcome = run_golden(parameters, chip, encoded, t_max=8)
    assert answers == [{name: getattr(outcome, name) for name in ("winner", "steps", "margin", "reason")}]
