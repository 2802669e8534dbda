"""The proof of WindowScheduler: every window's rows once, in order, and no read that is not its own."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Module, Signal, Value

from spikeloom.hw.feature_maps.window_scheduler import WindowScheduler
from spikeloom.hw.params.plan import MapShape, shared_columns
from tests.benches.proof_bench import inside, mutant
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls, stream_contract
from tests.hw.feature_maps.test_window_scheduler import layer_of
from tests.hw.feature_maps.test_window_walk import CASES, words
from tests.models.map_model import gather


class Vectors(Harness):
    """Of every step all vectors once, in order, as the loops over the windows have them; only the words of the loops
    are read, each once, in order, in a step, and none after `released`.

    The maps' words are free; they stand still from the start of a step until `released`.
    """

    def __init__(self, dut: WindowScheduler, *, invariants: bool = False) -> None:
        sizes = {f"content_{n}": s.size * dut.layer.row_bits for n, s in enumerate(dut.shapes)}
        super().__init__(dut, **sizes)
        self.invariants = invariants
        self.order = words(dut.windows, dut.shapes)
        self.kept = [Signal(bits, name=f"kept_{n}") for n, bits in enumerate(sizes.values())]
        self.full = any(
            all(word["inside"] for word in self.order if word["position"] == position)
            for position in range(dut.layer.positions)
        )  # some window has no padding

    def word(self, number: int, address: int | None) -> Value:
        """Word of window `number`'s map in this step."""
        bits = self.dut.shapes[number].channels * self.dut.layer.row_bits
        return Const(0, bits) if address is None else self.kept[number].word_select(address, bits)

    def window(self, position: int) -> dict[tuple[int, int, int], Value]:
        """(window, row, column) -> word of the vector of a position, in the order of the rows."""
        y, x = divmod(position, self.dut.windows[0].outputs(self.dut.shapes[0])[1])
        result = {}
        for number, (window, shape) in enumerate(zip(self.dut.windows, self.dut.shapes, strict=True)):
            places = MapShape(channels=1, height=shape.height, width=shape.width)
            marks = gather(window, places, [[place + 1] for place in range(shape.positions)], y, x)
            for index, mark in enumerate(marks):
                row, column = divmod(index, window.kernel[1])
                result[number, row, column] = self.word(number, mark - 1 if mark else None)
        return result

    def active(self, values: Any) -> Value:
        """How many row codes of some words are not 0."""
        bits = self.dut.layer.row_bits
        total: Value = Const(0)
        for value in values:
            for start in range(0, len(value), bits):
                total = total + value[start : start + bits].any()
        return total

    def elaborate(self, platform) -> Module:
        variables = inside(self.dut) if self.invariants else None
        m = super().elaborate(platform)
        dut, vector, positions = self.dut, self.dut.o.payload, self.dut.layer.positions
        stream_contract(m, dut.i, Assume)
        stream_contract(m, dut.o, Assert)

        # The environment: words that stand still while they may be read, and come a cycle later.
        begins = dut.i.valid & dut.i.ready
        step, reading = Signal(), Signal()  # vectors of a step are due; its words may be read
        data = []
        inner = [word for word in self.order if word["inside"]]
        reads, any_read = Signal(range(len(inner) + 1)), Signal()  # words read in this step
        source, address = (Array([*(word[name] for word in inner), 0])[reads] for name in ("window", "address"))
        m.d.comb += any_read.eq(Cat(getattr(dut, f"map_{n}").enable for n in range(len(dut.shapes))).any())
        m.d.sync += reads.eq(reads + any_read)
        with m.If(begins):
            m.d.sync += reads.eq(0)
        with m.If(dut.released):
            m.d.sync += reading.eq(0)
        with m.If(begins):
            m.d.sync += [step.eq(1), reading.eq(1)]
        for number, (shape, kept) in enumerate(zip(dut.shapes, self.kept, strict=True)):
            port, content = getattr(dut, f"map_{number}"), getattr(self, f"content_{number}")
            word = Signal(len(port.data), name=f"data_{number}")
            data.append(word)
            m.d.comb += [Assume(port.data == word), Assume(~reading | (content == kept))]
            m.d.comb += Assert(~port.enable | (reading & (port.address < shape.positions)))
            m.d.comb += Assert(~port.enable | (source == number) & (port.address == address))
            with m.If(begins):
                m.d.sync += kept.eq(content)
            with m.If(port.enable):
                m.d.sync += word.eq(content.word_select(port.address, len(word)))

        # The model: vector `index` of the step is due.
        index = Signal(range(max(2, positions)))
        taken, last = dut.o.valid & dut.o.ready, index == positions - 1
        first, phase = Signal(), Signal.like(vector.phase)
        with m.If(begins):
            m.d.sync += [first.eq(dut.i.payload.first), phase.eq(dut.i.payload.phase), index.eq(0)]
        with m.If(taken):
            m.d.sync += index.eq(index + 1)
            with m.If(last):
                m.d.sync += [step.eq(0), index.eq(0)]
        m.d.comb += [
            Assert(~(dut.o.valid | dut.released) | step),
            Assert(~dut.released | reading),
            Assert(~begins | ~step),
            Assert(~(taken & last) | ~reading),
        ]
        expected = [self.window(position).values() for position in range(positions)]
        with m.If(dut.o.valid):
            m.d.comb += [
                Assert(vector.rows == Array(Cat(values) for values in expected)[index]),
                Assert(vector.count == Array(self.active(values) for values in expected)[index]),
                Assert(vector.silent == ~vector.rows.any()),
                Assert((vector.first == first) & (vector.phase == phase)),
            ]
            if positions > 1:
                m.d.comb += Assert(vector.position == index)
        reaches(
            m,
            every_row=dut.o.valid & vector.rows.all() if self.full else dut.o.valid & vector.rows.any(),
            no_row=dut.o.valid & ~vector.rows.any(),
            released_before_the_last_is_taken=in_turn(m, dut.released, dut.o.valid & last & ~dut.o.ready, taken & last),
            begins_again=in_turn(m, taken & last, begins),
        )
        if positions > 1:
            reaches_stalls(m, "vector", dut.o)
        if len(self.order) <= 8:  # within sight
            reaches(m, step_after_step=in_turn(m, taken & last, begins, dut.o.valid & ~first))
        if variables is not None:
            m.d.comb += [Assert(index < positions), Assert(step | (index == 0))]
            with m.If(step):
                m.d.comb += Assert((variables.marks.first == first) & (variables.marks.phase == phase))
            self._invariants(m, variables, step, reading, index, data, reads)
        return m

    def _invariants(
        self, m: Module, variables: Any, step: Value, reading: Value, index: Value, data: list, reads: Value
    ) -> None:
        """What the registers hold. The states are (vector being gathered, words of it that have come), then the end."""
        dut, order = self.dut, self.order
        states, before = [], 0
        for position in range(dut.layer.positions):
            mine = [word for word in order if word["position"] == position]
            states += [(position, mine, come, before + come) for come in range(len(mine) + 1)]
            before += len(mine)
        state = Signal(range(len(states) + 1), init=len(states))

        def by_state(values: Any, end: Any = 0) -> Value:
            return Array([*values, end])[state]

        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += state.eq(0)
        with m.Else():
            m.d.sync += state.eq(state + variables.accept + variables.hand_on)
        whole = by_state(int(come == len(mine)) for _, mine, come, _ in states)
        gathered = by_state((position for position, *_ in states), dut.layer.positions)
        m.d.comb += [
            Assert(state <= len(states)),
            Assert(step | (state == len(states))),
            Assert(variables.complete == whole),
            Assert(~step | (gathered == index + (dut.o.valid if dut.buffered else 0))),
            Assert(~variables.arrived | step),
        ]
        if dut.layer.positions > 1:
            m.d.comb += Assert(variables.following == by_state(position for position, *_ in states))

        # The word to be fetched next, and the one that has arrived.
        number, here = Signal(range(len(order) + 2)), variables.here
        m.d.comb += [
            number.eq(by_state((come for *_, come in states), len(order)) + variables.arrived),
            Assert(number <= len(order)),
            Assert(reading == (step & (number < len(order)))),
            Assert(variables.walk.o.valid == reading),
            Assert(
                ~reading | (reads == Array(sum(w["inside"] for w in order[:n]) for n in range(len(order) + 1))[number])
            ),
        ]
        walk = inside(variables.walk)
        for name in ("position", "window", "row", "column", "x", "y"):
            m.d.comb += Assert(getattr(walk, name) == Array([*(word[name] for word in order), 0, 0])[number])
        with m.If(variables.arrived):
            for name in ("window", "row", "column", "inside", "closes"):
                m.d.comb += Assert(getattr(here, name) == Array([0, *(word[name] for word in order), 0])[number])
            for source, register in enumerate(data):
                value = Array([0, *(self.word(word["window"], word["address"]) for word in order), 0])[number]
                m.d.comb += Assert(~(here.inside & (here.window == source)) | (register == value))

        # The registers of words that have come or are kept, and how many of their rows are active.
        windows = [self.window(position) for position in range(dut.layer.positions)]

        def there(mine: list, come: int) -> set:
            due = {(word["window"], word["row"], word["column"]) for word in mine[come:]}
            return {key for key in windows[0] if key not in due}

        for key, register in zip(windows[0], variables.rows, strict=True):
            has = by_state(int(key in there(mine, come)) for _, mine, come, _ in states)
            value = by_state(windows[position][key] for position, *_ in states)
            m.d.comb += Assert(~has | (register == value))
        parts = []
        for source, (window, shape) in enumerate(zip(dut.windows, dut.shapes, strict=True)):
            columns = range(window.kernel[1])
            parts += [(source, [c]) for c in columns] if shared_columns(window, shape) else [(source, list(columns))]
        for (source, columns), register in zip(parts, variables.counts, strict=True):
            found = [
                (position, [key for key in there(mine, come) if key[0] == source and key[2] in columns])
                for position, mine, come, _ in states
            ]
            has = by_state(int(bool(keys)) for _, keys in found)
            value = by_state(self.active(windows[position][key] for key in keys) for position, keys in found)
            m.d.comb += Assert(~has | (register == value))


def scheduler(
    case: str, row_bits: int = 1, component: Any = WindowScheduler, buffered: bool | None = None
) -> WindowScheduler:
    layer, (windows, shapes) = layer_of(case, row_bits, phases=2), CASES[case]
    return component(layer=layer, windows=windows, shapes=shapes, buffered=buffered)


def reach(case: str) -> int:
    """Cycles that a step takes, and of a short one the next too, with some to spare."""
    number = len(words(*CASES[case]))
    return number + 10 + (number if number <= 8 else 0)


LONG = ("join", "overhanging", "padded")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if case in LONG else []) for case in CASES]
)
def test_vectors(case: str) -> None:
    prove(
        Vectors(scheduler(case), invariants=True),
        f"scheduler_{case}",
        depth=2,
        mode="prove",
        reach=reach(case),
        skip=reach(case) - 1,
    )


@pytest.mark.parametrize("case", [pytest.param("padded", marks=pytest.mark.slow), "strided", "join"])
def test_vectors_that_are_not_held(case: str) -> None:
    """Before replicas, each of which holds its own."""
    spec = Vectors(scheduler(case, buffered=False), invariants=True)
    prove(spec, f"scheduler_free_{case}", depth=2, mode="prove", reach=reach(case), skip=reach(case) - 1)


def test_vectors_of_row_codes() -> None:
    spec = Vectors(scheduler("far", row_bits=8), invariants=True)
    prove(spec, "scheduler_codes", depth=2, mode="prove", reach=reach("far"), skip=reach("far") - 1)


READY = "self.i.ready.eq(~(walk.o.valid | arrived | complete | self.o.valid))"
RELEASED = "self.released.eq(fetched & walk.o.payload.end)"
FREE = "[hand_on.eq(complete & self.o.ready), self.o.valid.eq(complete), *whole]"
HAND_ON = "hand_on.eq(complete & (~self.o.valid | self.o.ready))"
DONE = "with m.Elif(hand_on):\n            m.d.sync += complete.eq(0)"
NEXT = "following.eq(Mux(following == self._layer.positions - 1, 0, following + 1))"
ROWS = "for dy in range(height) for dx in range(width)"
BROKEN = {
    "padding_is_what_was_read_last": ("value.eq(Mux(here.inside, data, 0))", "value.eq(data)", "padded"),
    "reads_the_padding": ("fetched & walk.o.payload.inside & (", "fetched & (", "far"),
    "reads_every_map": (" & (walk.o.payload.window == number)),", "),", "join"),
    "starts_by_itself": ("walk.start.eq(self.i.valid & self.i.ready)", "walk.start.eq(self.i.ready)", "single"),
    "starts_again": (READY, "self.i.ready.eq(~walk.o.valid)", "whole"),
    "releases_early": (RELEASED, "self.released.eq(fetched & walk.o.payload.closes)", "far"),
    "releases_at_the_start": (RELEASED, "self.released.eq(fetched & walk.o.payload.opens)", "whole"),
    "overwrites_the_complete": ("accept.eq(arrived & (~complete | hand_on))", "accept.eq(arrived)", "far"),
    "overtakes_the_vector": (HAND_ON, "hand_on.eq(complete)", "far"),
    "loses_a_word": ("walk.o.ready.eq(~arrived | accept)", "walk.o.ready.eq(1)", "far"),
    "says_complete_at_once": ("with m.If(accept & here.closes):", "with m.If(accept):", "whole"),
    "gives_a_window_twice": (DONE, "with m.Elif(0):\n            pass", "far"),
    "slides_the_wrong_way": ("words[dy, dx + stride]", "words[dy, dx]", "strided"),
    "counts_on": ("total.eq(Mux(opens, 0, total) + active)", "total.eq(total + active)", "far"),
    "counts_the_last_row": ("column.eq(Mux(here.row == 0, 0, column) + active)", "column.eq(active)", "padded"),
    "keeps_the_wrong_counts": ("column.eq(columns[dx + stride])", "column.eq(columns[dx])", "strided"),
    "mixes_the_rows": (ROWS, "for dx in range(width) for dy in range(height)", "whole"),
    "stays_at_a_position": (NEXT, "following.eq(0)", "far"),
    "forgets_the_marks": ("marks.eq(self.i.payload)", "marks.eq(0)", "single"),
    "goes_on_before_it_is_taken": (FREE, FREE.replace(" & self.o.ready", ""), "strided_free"),
    "offers_before_it_is_complete": (FREE, FREE.replace("valid.eq(complete)", "valid.eq(arrived)"), "strided_free"),
}


@pytest.mark.halved
@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    old, new, case = BROKEN[name]
    case, _, free = case.partition("_")
    dut = scheduler(case, component=mutant(WindowScheduler, old, new), buffered=False if free else None)
    assert_fails(Vectors(dut), f"scheduler_{name}", depth=len(words(*CASES[case])) + 6)
