# amaranth: UnusedElaboratable=no
"""WindowWalk against loops over windows, and the proof: every window once, in order, nothing outside of the map."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Array, Assert, Assume, Module, Signal

from spikeloom.hw.feature_maps.window_walk import WindowWalk
from spikeloom.hw.params.plan import MapShape, Window, shared_columns, window_words
from tests.benches.proof_bench import inside, mutant
from tests.benches.stream_bench import collect, simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls

Case = tuple[tuple[Window, ...], tuple[MapShape, ...]]


def _case(*pairs: tuple[Window, MapShape]) -> Case:
    return tuple(window for window, _ in pairs), tuple(shape for _, shape in pairs)


SQUARE, WIDE = MapShape(channels=1, height=3, width=3), MapShape(channels=2, height=3, width=4)
SMALL = MapShape(channels=2, height=2, width=2)
CASES = {
    "padded": _case((Window(source=0, kernel=(3, 3), padding=(1, 1)), SQUARE)),
    "strided": _case(
        (Window(source=0, kernel=(2, 3), stride=(1, 2), padding=(1, 0)), MapShape(channels=1, height=2, width=5))
    ),
    "apart": _case((Window(source=0, kernel=(2, 2), stride=(2, 2)), WIDE)),
    "far": _case((Window(source=0, kernel=(1, 2), stride=(2, 3), padding=(0, 1)), WIDE)),
    "overhanging": _case(  # the last window has one column past the map, and none where its stride is left out
        (Window(source=0, kernel=(1, 3), stride=(1, 2), padding=(0, 1)), MapShape(channels=1, height=1, width=7))
    ),
    "whole": _case((Window.whole(0, SMALL), SMALL)),
    "single": _case((Window(source=0), MapShape(channels=3))),
    "join": _case(
        (Window(source=1, kernel=(2, 3), stride=(2, 1), padding=(1, 1)), SQUARE),
        (Window(source=0, stride=(1, 1)), MapShape(channels=1, height=2, width=3)),
        (Window(source=0, kernel=(1, 2)), MapShape(channels=1, height=2, width=4)),
    ),
}


def words(windows: tuple[Window, ...], shapes: tuple[MapShape, ...]) -> list[dict]:
    """All words of a step in order, and for the proof the output position's line and column."""
    height, width = windows[0].outputs(shapes[0])
    result = []
    for y in range(height):
        for x in range(width):
            mine = []
            for number, (window, shape) in enumerate(zip(windows, shapes, strict=True)):
                for dy in range(window.kernel[0]):
                    for dx in range(window.kernel[1]):
                        # The column is where one of the window on the left was.
                        if x > 0 and dx + window.stride[1] < window.kernel[1]:
                            continue
                        at_y = y * window.stride[0] + dy - window.padding[0]
                        at_x = x * window.stride[1] + dx - window.padding[1]
                        within = at_y in range(shape.height) and at_x in range(shape.width)
                        address = at_y * shape.width + at_x if within else None
                        mine.append({"window": number, "row": dy, "column": dx, "inside": int(within)})
                        mine[-1] |= {"address": address, "position": y * width + x, "y": y, "x": x}
            for index, word in enumerate(mine):
                word |= {"opens": int(index == 0), "closes": int(index == len(mine) - 1)}
            result += mine
    return [word | {"end": int(index == len(result) - 1)} for index, word in enumerate(result)]


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_words(name: str, stall: float) -> None:
    dut = WindowWalk(windows=CASES[name][0], shapes=CASES[name][1])
    expected = words(*CASES[name])
    times: list[int] = []

    async def bench(ctx):
        for _ in range(2):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            taken = await collect(ctx, dut.o, len(expected), random.Random(1), stall, times)
            for found, word in zip(taken, expected, strict=True):
                address = found["address"] if word["address"] is None else word["address"]
                assert found == {name: word[name] for name in found} | {"address": address}
            assert not ctx.get(dut.o.valid)

    simulate(dut, bench)
    if not stall:
        assert times[: len(expected)] == list(range(1, len(expected) + 1))


@pytest.mark.parametrize("name", CASES)
def test_numbers_of_words(name: str) -> None:
    first, other = window_words(*CASES[name])
    columns = {
        word["x"]: sum(w["x"] == word["x"] and w["y"] == 0 for w in words(*CASES[name])) for word in words(*CASES[name])
    }
    assert columns[0] == first and all(number == other for x, number in columns.items() if x)
    assert shared_columns(Window.whole(0, SMALL), SMALL) == 0


class Walk(Harness):
    """Word for word the list of the loops, whatever stalls; nothing without a start."""

    def __init__(self, dut: WindowWalk, *, invariants: bool = False) -> None:
        super().__init__(dut)
        self.invariants = invariants

    def elaborate(self, platform) -> Module:
        variables = inside(self.dut) if self.invariants else None
        m = super().elaborate(platform)
        dut, word = self.dut, self.dut.o.payload
        expected = words(dut.windows, dut.shapes)
        number, active = Signal(range(len(expected))), Signal()
        m.d.comb += [Assume(~(dut.start & dut.o.valid)), Assert(dut.o.valid == active)]
        with m.If(dut.start):
            m.d.sync += [active.eq(1), number.eq(0)]
        with m.If(dut.o.valid & dut.o.ready):
            m.d.sync += number.eq(number + 1)
            with m.If(number == len(expected) - 1):
                m.d.sync += [active.eq(0), number.eq(0)]

        def now(name: str):
            return Array(entry[name] or 0 for entry in expected)[number]

        with m.If(active):
            names = ("position", "window", "row", "column", "inside", "opens", "closes", "end")
            m.d.comb += [Assert(getattr(word, name) == now(name)) for name in names]
            m.d.comb += Assert(~word.inside | (word.address == now("address")))
        taken = dut.o.valid & dut.o.ready
        reaches(
            m,
            starts_again=in_turn(m, taken & word.end, dut.start, taken),
            **{f"window_{n}": taken & (word.window == n) & (number != 0) for n in range(1, len(dut.windows))},
        )
        if any(entry["inside"] == 0 for entry in expected):
            reaches(m, outside=taken & ~word.inside)
        if len(expected) > 1:
            reaches_stalls(m, "word", dut.o)
        if variables is not None:
            m.d.comb += Assert(number < len(expected))
            names = ("position", "window", "row", "column", "x", "y")
            m.d.comb += [Assert(getattr(variables, name) == now(name)) for name in names]
            m.d.comb += Assert(active | (number == 0))
        return m


@pytest.mark.parametrize("name", CASES)
def test_every_window_once_in_order_inside(name: str) -> None:
    dut = WindowWalk(windows=CASES[name][0], shapes=CASES[name][1])
    cycles = len(words(*CASES[name])) + 5
    prove(Walk(dut, invariants=True), f"walk_{name}", depth=2, mode="prove", reach=cycles, skip=cycles - 1)


BROKEN = {
    "skips_a_window": ("x.eq(x + 1)]", "x.eq(x + 2)]", "padded"),
    "stops_a_line_early": ("last_y.eq(y == self._height - 1)", "last_y.eq(y == self._height - 2)", "far"),
    "goes_round_for_ever": (", busy.eq(0)]", "]", "apart"),
    "reads_below_the_map": ("inside.append(padded < size + padding)", "pass", "padded"),
    "reads_above_the_map": ("inside.append(padded >= padding)", "pass", "strided"),
    "turns_the_window": (
        "last_column.eq(column == w.kernel[1] - 1)",
        "last_column.eq(column == w.kernel[0] - 1)",
        "strided",
    ),
    "forgets_the_stride": ("(at * stride if stride > 1 else at)", "at", "apart"),
    "keeps_too_much": ("shared_columns(*pair) for pair", "pair[0].kernel[1] - 1 for pair", "strided"),
    "keeps_across_lines": ("column.eq(Mux(last_x, 0, kept[0]))", "column.eq(kept[0])", "strided"),
    "leaves_out_a_join": (
        "last_window.eq(window == len(self._windows) - 1)",
        "last_window.eq(window == len(self._windows) - 2)",
        "join",
    ),
    "joins_begin_anywhere": ("column.eq(following)", "column.eq(0)", "join"),
    "moves_while_it_waits": ("with m.If(self.o.valid & self.o.ready):", "with m.If(self.o.valid):", "single"),
}


@pytest.mark.halved
@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    old, new, case = BROKEN[name]
    dut = mutant(WindowWalk, old, new)(windows=CASES[case][0], shapes=CASES[case][1])
    assert_fails(Walk(dut), f"walk_{name}", depth=len(words(*CASES[case])) + 4)


def test_what_does_not_go_together() -> None:
    with pytest.raises(ValueError, match=r"one number of positions, not \[\(1, 1\), \(3, 3\)\]"):
        WindowWalk(windows=(Window(source=0), Window.whole(0, SQUARE)), shapes=(SQUARE, SQUARE))
