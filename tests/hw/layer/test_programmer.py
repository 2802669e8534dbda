# amaranth: UnusedElaboratable=no
"""Programmer: every cell as the golden model programs it, to the cycle, and proofs of the interlock and the order."""

from __future__ import annotations

import copy
import itertools
import operator
import random

import pytest

from spikeloom.hw.layer.programmer import Programmer
from spikeloom.hw.params.cycles import programming_cycles
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.program_bench import (
    MAX_VERIFY_CODE,
    Cell,
    Cells,
    Operation,
    Programmed,
    Settings,
    golden_program,
    program_macro,
    target_words,
)
from tests.benches.proof_bench import mutant
from tests.benches.stream_bench import CYCLE, simulate


def layer(**changes: int) -> LayerParameters:
    return LayerParameters(**{"inputs": 11, "outputs": 7, "tile_rows": 4, "lanes": 3, **changes})


LAYERS = [layer(), layer(inputs=4, outputs=1, lanes=1), layer(inputs=3, lanes=7, tile_rows=9), layer(tile_rows=1)]
SETTINGS = Settings(window=2, tries=9, amplitude_min=3, amplitude_max=40)
COUNTS = ("pulses", "verify_reads", "failed_cells")


class Bench:
    """A programmer, its macro and its host. `starts` are rows and groups, programmed one after another."""

    def __init__(self, parameters: LayerParameters, cells: Cells, stall: float, dut: Programmer | None = None) -> None:
        self.parameters, self.cells, self.stall = parameters, cells, stall
        self.dut = dut or Programmer(parameters=parameters)
        self.rng = random.Random(3)
        self.pulse_cycles, self.verify_cycles, self.grant_delay = 4, 3, 1
        self.operations: list[Operation] = []
        self.golden = copy.deepcopy(cells)
        self.results = [0] * (2 * parameters.lanes * parameters.row_tiles)
        self.totals = dict.fromkeys(COUNTS, 0)
        self.done: list[Programmed] = []

    def _cycles(self, pulse: bool) -> int:
        if self.stall:
            return self.rng.randint(1, 7)
        return self.pulse_cycles if pulse else self.verify_cycles

    async def granter(self, ctx) -> None:
        """Grants like the DAC driver: at least a cycle later, and until the request falls."""
        dut = self.dut
        while True:
            ctx.set(dut.program_grant, 0)
            while not ctx.get(dut.program_request):
                assert not ctx.get(dut.xbar.program_cell)
                await ctx.tick()
            for _ in range(self.rng.randint(1, 9) if self.stall else self.grant_delay):
                assert not ctx.get(dut.xbar.program_cell), "an operation without a grant"
                await ctx.tick()
                assert ctx.get(dut.program_request), "the request was withdrawn before its grant"
            ctx.set(dut.program_grant, 1)
            while ctx.get(dut.program_request):
                await ctx.tick()

    async def configure(self, ctx, settings: Settings) -> None:
        for name, value in vars(settings).items():
            ctx.set(getattr(self.dut.settings, name), value)

    async def write(self, ctx, words: list[int]) -> None:
        port = self.dut.host.target_write
        order = list(enumerate(words))
        self.rng.shuffle(order)
        for index, value in order:
            ctx.set(port.index, index)
            ctx.set(port.value, value | self.rng.getrandbits(6) << 10 | self.rng.getrandbits(6) << 26)
            ctx.set(port.enable, 1)
            await ctx.tick()
        ctx.set(port.enable, 0)

    async def start(self, ctx, row: int, group: int) -> int:
        """Start and wait; the number of cycles it was busy. Meanwhile writes and starts, which must change nothing."""
        host = self.dut.host
        assert not ctx.get(host.busy)
        ctx.set(host.start_row, row)
        ctx.set(host.start_group, group)
        ctx.set(host.start, 1)
        await ctx.tick()
        begin = ctx.get(CYCLE)
        while ctx.get(host.busy):
            noise = self.rng.random() < self.stall
            ctx.set(host.start, noise)
            ctx.set(host.target_write.enable, noise)
            for signal, bits in ((host.start_row, 2), (host.start_group, 2), (host.target_write.value, 32)):
                ctx.set(signal, self.rng.getrandbits(bits))
            ctx.set(host.target_write.index, self.rng.randrange(len(self.results) // 2))
            await ctx.tick()
            ctx.set(host.start, 0)
            ctx.set(host.target_write.enable, 0)
        return ctx.get(CYCLE) - begin

    async def program(self, ctx, settings: Settings, targets: list[tuple[int, int]], row: int, group: int) -> int:
        """Write the targets, start, and hold everything that can be seen to the golden model; the busy cycles."""
        host = self.dut.host
        await self.configure(ctx, settings)
        await self.write(ctx, target_words(targets))
        self.operations.clear()
        busy = await self.start(ctx, row, group)
        golden = golden_program(self.parameters, self.golden, targets, settings, row, group)
        assert self.operations == golden.operations
        for index, word in golden.results.items():
            self.results[index] = word
        for index, word in enumerate(self.results):
            ctx.set(host.result_index, index)
            assert ctx.get(host.result) == word, f"result {index}"
        await ctx.tick()  # an outcome is counted two cycles after it is stored
        for name in COUNTS:
            self.totals[name] += getattr(golden, name)
            assert ctx.get(getattr(host, name)) == self.totals[name], name
        self.done.append(golden)
        return busy

    def run(self, host) -> None:
        macro = program_macro(self.dut.xbar, self.parameters, self.cells, self.operations, self._cycles, self.rng)
        simulate(self.dut, host, background=[macro, self.granter], limit=300_000)
        assert self.cells == self.golden


def random_targets(p: LayerParameters, rng: random.Random, top: int = 120) -> list[tuple[int, int]]:
    return [(rng.randint(0, top), rng.choice([0, rng.randint(0, top)])) for _ in range(p.lanes * p.row_tiles)]


def check(parameters: LayerParameters, stall: float, settings: Settings = SETTINGS, dut: Programmer | None = None):
    """All rows and groups in random order, some of them twice; a fifth of the cells stuck."""
    bench = Bench(parameters, Cells(seed=1, spread=0.6, stuck=0.2), stall, dut)
    rng = random.Random(4)

    async def host(ctx):
        starts = [(r, g) for r in range(min(parameters.tile_rows, parameters.inputs)) for g in range(parameters.groups)]
        for row, group in rng.sample(starts + starts[:2], len(starts) + 2)[:9]:
            await bench.program(ctx, settings, random_targets(parameters, rng), row, group)

    bench.run(host)
    return bench


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("parameters", LAYERS)
def test_programs_what_the_model_says(parameters: LayerParameters, stall: float) -> None:
    bench = check(parameters, stall)
    assert bench.totals["failed_cells"] > 0
    assert bench.totals["pulses"] > bench.totals["failed_cells"] * SETTINGS.tries
    operations = [operation for one in bench.done for operation in one.operations]
    assert parameters.row_tiles == 1 or len({len(operation.tiles) for operation in operations}) == parameters.row_tiles


@pytest.mark.parametrize(
    "settings",
    [
        Settings(window=0, tries=255, amplitude_min=1, amplitude_max=255),
        Settings(window=255, tries=3, amplitude_min=0, amplitude_max=0),
        Settings(window=1, tries=0, amplitude_min=1, amplitude_max=1),
        Settings(window=1, tries=1, amplitude_min=255, amplitude_max=255),
        Settings(window=4, tries=20, amplitude_min=60, amplitude_max=7),
        Settings(window=0, tries=4, amplitude_min=0, amplitude_max=0),
    ],
)
def test_ends_of_the_settings(settings: Settings) -> None:
    parameters = layer(inputs=6, outputs=2, lanes=2)
    bench = Bench(parameters, Cells(seed=2, spread=0.2, stuck=0.1), 0.0)
    rng = random.Random(5)

    async def host(ctx):
        for row in (3, 1, 1):
            await bench.program(ctx, settings, random_targets(parameters, rng, 1023), row, 0)

    bench.run(host)


@pytest.mark.parametrize("parameters", [*LAYERS, layer(inputs=8, lanes=2, tile_rows=2), layer(inputs=8, tile_rows=1)])
def test_targets_and_settings_of_all_values(parameters: LayerParameters) -> None:
    """Cells of any conductance to any target, between settings that have all bits and settings that have none."""
    rng = random.Random(6)
    places = itertools.product(range(parameters.inputs), range(parameters.outputs), range(2))
    values = {Cell(*place): rng.randrange(MAX_VERIFY_CODE + 1) for place in places}
    bench = Bench(parameters, Cells(seed=4, spread=0.2, stuck=0.02, values=values), 0.0)
    bench.pulse_cycles = bench.verify_cycles = 1
    exact = Settings(window=0, tries=255, amplitude_min=0, amplitude_max=255)
    easy = Settings(window=255, tries=0, amplitude_min=255, amplitude_max=0)

    async def host(ctx):
        for settings in (exact, easy, exact):
            row, group = rng.randrange(min(parameters.tile_rows, parameters.inputs)), rng.randrange(parameters.groups)
            await bench.program(ctx, settings, random_targets(parameters, rng, MAX_VERIFY_CODE), row, group)

    bench.run(host)


def test_conductances_past_the_codes() -> None:
    """Codes of 1023 mean at least that; targets of 1023 are reached from above too."""
    parameters = layer(inputs=2, outputs=1, lanes=1)
    bench = Bench(parameters, Cells(), 0.0)

    async def host(ctx):
        over = Settings(window=0, tries=4, amplitude_min=255, amplitude_max=255)
        await bench.program(ctx, over, [(1023, 1000)], 0, 0)
        assert bench.done[-1].failed_cells == 2
        await bench.program(ctx, Settings(window=0, tries=9, amplitude_min=1, amplitude_max=255), [(1023, 0)], 0, 0)

    bench.run(host)


@pytest.mark.parametrize("parameters", LAYERS)
@pytest.mark.parametrize(("pulse", "verify", "delay"), [(1, 1, 1), (10, 2, 1), (3, 5, 6)])
def test_cycles(parameters: LayerParameters, pulse: int, verify: int, delay: int) -> None:
    """The formula of Programmer's docstring, for single starts and for their sum."""
    bench = Bench(parameters, Cells(seed=3, spread=0.4), 0.0)
    bench.pulse_cycles, bench.verify_cycles, bench.grant_delay = pulse, verify, delay
    rng = random.Random(6)
    cycles = {"pulse_cycles": pulse, "verify_cycles": verify, "grant": 2 + delay}
    busy: list[int] = []

    async def host(ctx):
        for _ in range(5):
            row, group = rng.randrange(min(parameters.tile_rows, parameters.inputs)), rng.randrange(parameters.groups)
            busy.append(await bench.program(ctx, SETTINGS, random_targets(parameters, rng), row, group))
            one = bench.done[-1]
            assert busy[-1] == programming_cycles(parameters, columns=one.columns, rounds=one.rounds, **cycles)
            columns = min(parameters.lanes, parameters.outputs - group * parameters.lanes)
            assert one.columns == columns

    bench.run(host)
    columns, rounds = sum(one.columns for one in bench.done), sum(one.rounds for one in bench.done)
    assert sum(busy) == programming_cycles(parameters, columns=columns, rounds=rounds, starts=5, **cycles)


def test_first_operation() -> None:
    """In cycle g + T + 2; the request is up from cycle 2 on."""
    parameters = layer()
    bench = Bench(parameters, Cells(), 0.0)
    seen: dict[str, int] = {}

    async def watch(ctx):
        while len(seen) < 3:
            for name, signal in (
                ("start", bench.dut.host.start),
                ("request", bench.dut.program_request),
                ("operation", bench.dut.xbar.program_cell),
            ):
                if ctx.get(signal):
                    seen.setdefault(name, ctx.get(CYCLE))
            await ctx.tick()

    async def host(ctx):
        await bench.configure(ctx, SETTINGS)
        await bench.start(ctx, 0, 0)

    macro = program_macro(bench.dut.xbar, parameters, bench.cells, [], bench._cycles, bench.rng)
    simulate(bench.dut, host, watch, background=[macro, bench.granter])
    assert seen["request"] - seen["start"] == 2
    assert seen["operation"] - seen["start"] == 3 + parameters.row_tiles + 2


OUT_OF_RANGE = [(4, 0), (0, 3), (11, 0), (0xFFFF, 0xFFFF), (0x0100, 0), (0, 0x0100), (0x8001, 1), (1, 0x8001), (4, 3)]


@pytest.mark.parametrize("start", OUT_OF_RANGE)
def test_starts_out_of_range_do_nothing(start: tuple[int, int]) -> None:
    parameters = layer()
    bench = Bench(parameters, Cells(), 0.0)

    async def host(ctx):
        targets = random_targets(parameters, bench.rng)
        await bench.program(ctx, SETTINGS, targets, 1, 1)
        assert bench.done[-1].pulses > 0
        assert await bench.program(ctx, SETTINGS, targets, *start) == 1
        assert not bench.operations
        await bench.program(ctx, SETTINGS, targets, 2, 2)

    bench.run(host)


def test_rows_of_a_single_tile_end_with_the_inputs() -> None:
    parameters = layer(inputs=3, tile_rows=9)
    bench = Bench(parameters, Cells(), 0.0)

    async def host(ctx):
        for row in (2, 3, 8):
            await bench.program(ctx, SETTINGS, random_targets(parameters, bench.rng), row, 0)
        assert [bool(one.operations) for one in bench.done] == [True, False, False]

    bench.run(host)


def test_counts_start_over() -> None:
    parameters = layer(inputs=6, outputs=2, lanes=2)
    bench = Bench(parameters, Cells(stuck=0.3), 0.0)

    async def host(ctx):
        for _ in range(2):
            await bench.program(ctx, SETTINGS, random_targets(parameters, bench.rng), 1, 0)
            ctx.set(bench.dut.host.clear_counts, 1)
            await ctx.tick()
            ctx.set(bench.dut.host.clear_counts, 0)
            await ctx.tick()
            assert [ctx.get(getattr(bench.dut.host, name)) for name in COUNTS] == [0, 0, 0]
            bench.totals = dict.fromkeys(COUNTS, 0)

    bench.run(host)


def counts_by_cycle(clear: int | None = None, dut: Programmer | None = None) -> list[tuple[int, ...]]:
    """Counts in each clock cycle from the start of a row's programming on, until the third cycle that is not busy.

    clear : cycle in which `clear_counts` is up
    """
    bench = Bench(layer(), Cells(stuck=0.3), 0.0, dut)
    bench.golden = bench.cells  # which other tests compare
    counts = []

    async def host(ctx):
        host = bench.dut.host
        await bench.configure(ctx, SETTINGS)
        await bench.write(ctx, target_words(random_targets(bench.parameters, random.Random(1))))
        ctx.set(host.start_row, 1)
        ctx.set(host.start_group, 0)
        last = 3
        while last >= 0:
            ctx.set(host.start, not counts)
            ctx.set(host.clear_counts, len(counts) == clear)
            counts.append(tuple(ctx.get(getattr(host, name)) for name in COUNTS))
            await ctx.tick()
            last = 3 if ctx.get(host.busy) else last - 1

    bench.run(host)
    return counts


def check_counts(dut: type[Programmer] = Programmer) -> None:
    """What is stored in a cycle shows two cycles later; with `clear_counts` it is the first that counts again."""
    plain = counts_by_cycle(dut=dut(parameters=layer()))
    assert plain[-3] != plain[-2] == plain[-1], "the last outcome shows in the second cycle that is not busy"
    stores = [cycle - 1 for cycle, counts in enumerate(plain[1:]) if counts != plain[cycle]]
    assert len(stores) > 6
    for store in (stores[0], stores[4], stores[-1]):
        for cycle in (store - 1, store, store + 1):
            counts = counts_by_cycle(cycle, dut(parameters=layer()))
            before = plain[cycle + 1]
            assert counts[: cycle + 2] == plain[: cycle + 2]
            rest = [tuple(map(operator.sub, later, before)) for later in plain[cycle + 2 :]]
            assert counts[cycle + 2 :] == rest[: len(counts) - cycle - 2], (store, cycle)


def test_counts_come_and_start_over_in_the_cycles_that_are_said() -> None:
    check_counts()


@pytest.mark.parametrize(
    "change",
    [
        ("counter.clear.eq(clear)", "counter.clear.eq(self.host.clear_counts)"),
        ("counter.amount.eq(added)", "counter.amount.eq(Mux(stores, amount, 0))"),
        ("m.d.sync += clear.eq(self.host.clear_counts)", "m.d.sync += clear.eq(self.host.clear_counts & ~stores)"),
    ],
    ids=["clears_a_cycle_early", "counts_a_cycle_early", "a_store_hides_a_clear"],
)
def test_counts_of_another_cycle_fail(change: tuple[str, str]) -> None:
    with pytest.raises(AssertionError):
        check_counts(mutant(Programmer, *change))


def test_indices_past_the_end() -> None:
    """They read 0, and write nothing."""
    parameters = layer(inputs=11, outputs=3, lanes=3)  # 9 words of targets, 18 of results
    bench = Bench(parameters, Cells(), 0.0)

    async def host(ctx):
        await bench.configure(ctx, SETTINGS)
        targets = random_targets(parameters, bench.rng)
        await bench.write(ctx, target_words(targets))
        for index in range(9, 16):
            ctx.set(bench.dut.host.target_write.index, index)
            ctx.set(bench.dut.host.target_write.enable, 1)
            await ctx.tick()
        ctx.set(bench.dut.host.target_write.enable, 0)
        await bench.start(ctx, 0, 0)
        golden = golden_program(parameters, bench.golden, targets, SETTINGS, 0, 0)
        for index in range(32):
            ctx.set(bench.dut.host.result_index, index)
            assert ctx.get(bench.dut.host.result) == golden.results.get(index, 0)

    bench.run(host)


def test_too_many_targets() -> None:
    assert Programmer(parameters=layer(inputs=32, outputs=1024, tile_rows=8, lanes=1024)).parameters.row_tiles == 4
    with pytest.raises(ValueError, match=r"^Programmer's lanes \* row tiles must be at most 4096, not 4100$"):
        Programmer(parameters=layer(inputs=32, outputs=1025, tile_rows=8, lanes=1025))


WRONG = {
    "keeps_the_code_before": ("outcomes[t].code.eq(xbar.program_codes[t])", "outcomes[t].code.eq(w.outcomes[t].code)"),
    "never_says_failed": ("outcomes[t].failed | given_up[t]", "outcomes[t].failed"),
    "swaps_the_sides_results": ("store.addr.eq(Cat(w.side,", "store.addr.eq(Cat(~w.side,"),
    "results_of_one_lane": ("base.eq(w.base + tiles), w.column", "base.eq(w.base), w.column"),
    "swaps_the_targets": ("Mux(w.side, w.targets[t].n, w.targets[t].p)", "Mux(w.side, w.targets[t].p, w.targets[t].n)"),
    "writes_while_busy": ("request.enable & ~host.busy", "request.enable"),
    "leaves_the_outcome": ("outcomes)[bits:])", "outcomes).rotate_right(19))"),
    "reads_of_tiles_without_the_row": ("pulses + has_row", "pulses + 1"),
    "reads_of_one_tile": ("here & (w.tile == t) for", "here for"),
    "counts_in_every_cycle": ("Mux(stores, amount, 0)", "amount"),
    "wrong_column": ("column.eq(w.start_group * p.lanes)", "column.eq(w.start_group)"),
    "lower_bound_wins": (
        "amplitudes[t].eq(Mux(raised > settings.amplitude_max, settings.amplitude_max, raised))",
        "amplitudes[t].eq(Mux(distance > settings.amplitude_max, settings.amplitude_max, raised))",
    ),
}


CROSSED = Settings(window=2, tries=9, amplitude_min=11, amplitude_max=8)


def test_comparison_passes() -> None:
    check(layer(), 0.4, CROSSED)


@pytest.mark.parametrize("name", WRONG)
def test_mutants_fail_the_comparison(name: str) -> None:
    with pytest.raises(AssertionError):
        check(layer(), 0.4, CROSSED, mutant(Programmer, *WRONG[name])(parameters=layer()))
