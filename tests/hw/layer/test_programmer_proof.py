# amaranth: UnusedElaboratable=no
"""Programmer with the DAC driver: never an operation without a grant or while the rows are driven; the cells' order.

Two proofs: the state machine, with a judgement of codes that is easy to solve, and the judgement itself.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from spikeloom.hw.interfaces.crossbar_port import AMPLITUDE_BITS, CELL_CODE_BITS
from spikeloom.hw.interfaces.streams import vector_layout
from spikeloom.hw.layer.dac_driver import DacDriver
from spikeloom.hw.layer.programmer import Programmer
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.proof_bench import inside, mutant, past, with_junk
from tests.formal import assert_fails, constant, in_turn, prove, reaches

PARAMETERS = LayerParameters(inputs=3, outputs=3, tile_rows=2, lanes=2)
"""Two row tiles, the second without row 1, and two column groups, the second without its lane 1."""


def easy_judge(codes: list, wanted: list) -> tuple[Value, Value, list[Value]]:
    """A judgement without arithmetic, as good as any for the state machine: far, up, amplitudes.

    A bound amplitude stays what it is when it is bound again, like the real one.
    """
    pairs = list(zip(codes, wanted, strict=True))
    distances = [c ^ w for c, w in pairs]
    return Cat(d[0] for d in distances), Cat(d[1] for d in distances), [d[:AMPLITUDE_BITS] & ~3 for d in distances]


def easy(programmer: type) -> Any:
    """The class with the judgement above."""

    def measure(self, m, codes, wanted):
        return easy_judge(codes, wanted)[1], [c ^ w for c, w in zip(codes, wanted, strict=True)]

    def judge(self, m, distances):
        far, _, sizes = easy_judge(distances, [Const(0, CELL_CODE_BITS)] * len(distances))
        return far, sizes

    return type("Programmer", (programmer,), {"_measure": measure, "_judge": judge})


class Contract(wiring.Component):
    """Programmer and DacDriver on one crossbar, beside a model of the operations that must follow.

    The model holds the next operation: kind, cell, row tiles, and the codes read before a pulse. It knows the
    targets from the device's memory, and nothing else of the device.

    `inductive` adds what the registers of device and model have to do with each other, for the induction. `quick` lets
    the macro answer at once, and no vectors and no pulses come: for mutants that break something late.
    """

    def __init__(
        self, programmer: type = Programmer, driver: type = DacDriver, inductive: bool = False, quick: bool = False
    ) -> None:
        p = PARAMETERS
        self._inductive = inductive
        self._quick = quick
        self._programmer = with_junk(easy(programmer)(parameters=p))
        self._driver = driver(parameters=p, pulse_cycles=2)
        super().__init__(
            {
                "vector": In(vector_layout(p)),
                "valid": In(1),
                "ready": In(1),
                "sampled": In(1),
                "done": In(1),
                "codes": In(data.ArrayLayout(CELL_CODE_BITS, p.row_tiles)),
                "host": In(self._programmer.host.signature.flip()),
                "settings": In(self._programmer.settings.signature.flip()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.programmer = programmer = self._programmer
        m.submodules.driver = driver = self._driver
        self._inside = inside(programmer)
        port, host = programmer.xbar, programmer.host
        wiring.connect(m, wiring.flipped(self.host), programmer.host)
        wiring.connect(m, wiring.flipped(self.settings), programmer.settings)
        m.d.comb += [
            driver.i.payload.eq(self.vector),
            driver.i.valid.eq(self.valid),
            driver.o.ready.eq(self.ready),
            driver.xbar.sampled.eq(self.sampled),
            driver.program_request.eq(programmer.program_request),
            programmer.program_grant.eq(driver.program_grant),
            port.program_done.eq(self.done),
            port.program_codes.eq(self.codes),
        ]
        vector = Value.cast(self.vector)

        # The macro: sampled rises only while the rows are driven. The vector stays until it is taken; so do settings.
        m.d.comb += Assume(~self.sampled | past(m, self.sampled) | driver.xbar.drive)
        with m.If(past(m, self.valid & ~driver.i.ready)):
            m.d.comb += Assume(self.valid & (vector == past(m, vector)))
        constant(m, *(getattr(self.settings, name) for name in self.settings.signature.members))

        if self._quick:
            m.d.comb += Assume(self.done & ~self.valid & (self.settings.tries == 0) & (self.settings.window == 0))

        # The interlock, and the handshake.
        m.d.comb += Assert(~(driver.program_grant & (driver.xbar.drive | self.sampled)))
        with m.If(port.program_cell):
            m.d.comb += Assert(driver.program_grant & ~driver.xbar.drive & ~self.sampled)
        with m.If(past(m, port.program_cell & ~self.done)):
            m.d.comb += Assert(port.program_cell)

        model = self._model(m)
        with m.If(port.program_cell):
            m.d.comb += [
                Assert(model.wanted),
                Assert(port.program_pulse == model.pulse),
                Assert((port.program_row == model.row) & (port.program_column == model.column)),
                Assert(port.program_side == model.side),
                Assert(port.program_tiles == model.tiles),
            ]
        with m.If(port.program_cell & port.program_pulse):
            m.d.comb += Assert(model.given < self.settings.tries)
            _, up, amplitudes = easy_judge(list(model.codes), model.targets)
            for tile in range(PARAMETERS.row_tiles):
                with m.If(model.tiles[tile]):
                    m.d.comb += Assert(port.program_up[tile] == up[tile])
                    m.d.comb += Assert(port.program_amplitudes[tile] == amplitudes[tile])
        m.d.comb += Assert(~model.wanted | (model.given <= self.settings.tries))
        m.d.comb += Assert(host.busy | ~model.wanted)
        operation = port.program_cell & self.done
        pulse, read = operation & port.program_pulse, operation & ~port.program_pulse
        waits = port.program_cell & ~self.done
        grant, tries = driver.program_grant, self.settings.tries
        reaches(
            m,
            start_waits_for_the_grant=in_turn(m, driver.xbar.drive & host.busy & ~grant, grant & port.program_cell),
            row_of_one_tile=read & (port.program_tiles == 1) & (model.present == 1),
            nothing_there=in_turn(m, host.start & (self.host.start_group > 1), ~host.busy, operation),
            finished_without_a_pulse=in_turn(m, read & ~port.program_side, read & port.program_side),
            one_tile_is_left=in_turn(m, read & port.program_tiles.all(), pulse & ~port.program_tiles.all()),
            gives_up=in_turn(m, pulse, read & (model.given == 1) & (tries == 1), read & (model.given == 0)),
            operation_waits=in_turn(m, past(m, waits) & waits, pulse),
            no_pulses=in_turn(m, read & (tries == 0), ~host.busy),
        )
        if self._inductive:
            self._invariants(m, model)
        return m

    def _model(self, m: Module) -> SimpleNamespace:
        """The operation that must follow."""
        p, settings, host, port = PARAMETERS, self.settings, self._programmer.host, self._programmer.xbar
        n = SimpleNamespace(
            wanted=Signal(),
            pulse=Signal(),
            row=Signal.like(port.program_row),
            column=Signal.like(port.program_column),
            side=Signal(),
            lane=Signal(),
            tiles=Signal(2),
            present=Signal(2),
            given=Signal(8),
            codes=Signal.like(port.program_codes),
            targets=[Signal(CELL_CODE_BITS, name=f"wanted_code_{t}") for t in range(2)],
        )

        for tile in range(p.row_tiles):
            word = self._word(m, n.lane, tile)
            m.d.comb += n.targets[tile].eq(Mux(n.side, word.n, word.p))
        far, _, _ = easy_judge(list(self.codes), n.targets)
        rest = Signal(2)
        m.d.comb += rest.eq(Mux(n.given == settings.tries, 0, n.tiles & far))

        def cell(side: int) -> None:
            m.d.sync += [n.side.eq(side), n.tiles.eq(n.present), n.given.eq(0)]

        with m.If(host.start & ~host.busy):
            present = Cat(self.host.start_row < 2, self.host.start_row < 1)
            m.d.sync += [
                n.wanted.eq(present.any() & (self.host.start_group < p.groups)),
                n.row.eq(self.host.start_row),
                n.column.eq(self.host.start_group * p.lanes),
                n.present.eq(present),
                n.lane.eq(0),
            ]
            cell(0)
            m.d.sync += n.tiles.eq(present)
        with m.Elif(port.program_cell & self.done & n.pulse):
            m.d.sync += [n.pulse.eq(0), n.given.eq(n.given + 1)]
        with m.Elif(port.program_cell & self.done):
            m.d.sync += n.codes.eq(self.codes)
            with m.If(rest.any()):
                m.d.sync += [n.pulse.eq(1), n.tiles.eq(rest)]
            with m.Elif(~n.side):
                cell(1)
            with m.Elif((n.lane == p.lanes - 1) | (n.column == p.outputs - 1)):
                m.d.sync += n.wanted.eq(0)
            with m.Else():
                m.d.sync += [n.lane.eq(n.lane + 1), n.column.eq(n.column + 1)]
                cell(0)
        return n

    def _word(self, m: Module, lane: Value, tile: int) -> data.View:
        """Word of the device's buffer of targets."""
        read = self._inside.target_memory.read_port(domain="comb")
        m.d.comb += read.addr.eq(lane * PARAMETERS.row_tiles + tile)
        return read.data

    def _invariants(self, m: Module, n: SimpleNamespace) -> None:
        p, tiles = PARAMETERS, PARAMETERS.row_tiles
        dut, driver = SimpleNamespace(**vars(self._inside.w) | vars(self._inside)), inside(self._driver)
        state = dut.state
        reaches(m, **dut.states)
        m.d.comb += [
            Assert(driver.drive == driver.state("DRIVE")),
            Assert(driver.offered == driver.state("OFFER")),
            Assert(driver.grant == driver.state("PROGRAM")),
        ]
        granted = ~(state("IDLE") | state("CHECK") | state("WAIT"))
        m.d.comb += Assert(~granted | driver.grant)
        m.d.comb += Assert(~state("CHECK") | ~driver.grant)

        # The place.
        m.d.comb += Assert(dut.tile <= Mux(state("FETCH"), tiles, Mux(state("STORE"), tiles - 1, 0)))
        m.d.comb += Assert((dut.column < p.outputs) | ~(granted | state("WAIT")))
        with m.If(granted | state("WAIT")):
            m.d.comb += Assert((dut.base == dut.lane * tiles) & (dut.column[0] == dut.lane) & dut.present.any())

        # The targets.
        words = [self._word(m, dut.lane, tile) for tile in range(tiles)]
        with m.If(state("FETCH")):
            for tile in range(tiles):
                with m.If(dut.tile == tile + 1):
                    m.d.comb += Assert(dut._begin.fetched == Value.cast(words[tile]))
            with m.If(dut.tile == tiles):
                m.d.comb += Assert(Value.cast(dut.targets[1]) == Value.cast(words[0]))
        with m.Elif(granted):
            for tile in range(tiles):
                m.d.comb += Assert(Value.cast(dut.targets[tile]) == Value.cast(words[tile]))

        # What was measured.
        with m.If(state("JUDGE")):
            codes = [dut.outcomes[tile].code for tile in range(tiles)]
            _, up, _ = easy_judge(codes, dut.wanted)
            for tile in range(tiles):
                with m.If(dut.unfinished[tile]):
                    m.d.comb += Assert(dut.w.distances[tile] == codes[tile] ^ dut.wanted[tile])
                    m.d.comb += Assert(dut.w.up[tile] == up[tile])

        # What follows in the model.
        here = (n.column == dut.column) & (n.lane == dut.lane)
        kept = (n.row == dut.row) & (n.present == dut.present)
        fresh = n.wanted & ~n.pulse & (n.given == 0) & (n.tiles == n.present)
        m.d.comb += Assert(n.wanted | ~n.pulse)
        with m.If(state("IDLE")):
            m.d.comb += Assert(~n.wanted)
        with m.Elif(state("CHECK")):
            m.d.comb += Assert(n.wanted == (dut.there.any() & (dut.start_group < p.groups)))
            place = (n.row == dut.start_row[0]) & (n.column == (dut.start_group * p.lanes)[:2]) & (n.lane == 0)
            m.d.comb += Assert(~n.wanted | (fresh & ~n.side & place & (n.present == dut.there)))
        with m.Elif(state("WAIT")):
            m.d.comb += Assert(fresh & ~n.side & here & kept & (dut.lane == 0))
        with m.Elif(state("FETCH")):
            m.d.comb += Assert(fresh & ~n.side & here & kept)
        with m.Elif(state("READ") | state("PULSE") | (state("JUDGE") & dut.remaining.any())):
            m.d.comb += Assert(n.wanted & here & kept & (n.side == dut.side) & (n.given == dut.rounds))
            m.d.comb += Assert(n.pulse == ~state("READ"))
            m.d.comb += Assert(n.tiles == Mux(state("JUDGE"), dut.remaining, dut.unfinished))
            for tile in range(tiles):
                m.d.comb += Assert(~n.pulse | ~n.tiles[tile] | (dut.outcomes[tile].code == n.codes[tile]))
        with m.Elif(~dut.side):
            m.d.comb += Assert(fresh & n.side & here & kept)
        with m.Elif((dut.lane == p.lanes - 1) | (dut.column == p.outputs - 1)):
            m.d.comb += Assert(~n.wanted)
        with m.Else():
            m.d.comb += Assert(fresh & ~n.side & kept & (n.column == dut.column + 1) & (n.lane == 1))


def test_proof_contract() -> None:
    prove(Contract(inductive=True), "programmer", depth=2, mode="prove", reach=17, skip=16)


class Judgement(wiring.Component):
    """The judgement of one code, next to what it should be in other words."""

    def __init__(self, programmer: type = Programmer) -> None:
        self._programmer = programmer(parameters=LayerParameters(inputs=1, outputs=1, lanes=1))
        codes = {"code": In(CELL_CODE_BITS), "target": In(CELL_CODE_BITS)}
        super().__init__({**codes, "settings": In(self._programmer.settings.signature.flip())})

    def elaborate(self, platform):
        m = Module()
        wiring.connect(m, wiring.flipped(self.settings), self._programmer.settings)
        up, distances = self._programmer._measure(m, [self.code], [self.target])
        far, amplitudes = self._programmer._judge(m, distances)
        _, again = self._programmer._judge(m, amplitudes)
        m.d.comb += Assert(again[0] == amplitudes[0])  # what the register of both relies on
        window, least, most = (getattr(self.settings, n) for n in ("window", "amplitude_min", "amplitude_max"))
        inside_window = (self.code <= self.target + window) & (self.target <= self.code + window)
        distance = Mux(up[0], self.target - self.code, self.code - self.target)
        m.d.comb += [Assert(far[0] == ~inside_window), Assert(distance >= 0), Assert(amplitudes[0] <= most)]
        between = (amplitudes[0] > least) & (amplitudes[0] < most)
        reaches(
            m,
            finished=inside_window & (distance != 0),
            one_too_far=far[0] & (distance == window + 1) & (window != 0),
            up=far[0] & up[0] & between,
            down=far[0] & ~up[0] & between,
            smallest_amplitude=far[0] & (distance < least) & (amplitudes[0] == least),
            largest_amplitude=far[0] & (distance > most) & (amplitudes[0] == most),
            limits_crossed=far[0] & (least > most),
        )
        with m.If((least >= most) | (distance >= most)):
            m.d.comb += Assert(amplitudes[0] == most)
        with m.Else():
            m.d.comb += Assert(amplitudes[0] == Mux(distance <= least, least, distance))
        return m


def test_proof_judgement() -> None:
    prove(Judgement(), "judgement", depth=1, reach=1)


BROKEN_JUDGEMENT = {
    "window_too_narrow": ("distance > settings.window", "distance >= settings.window"),
    "pulls_away": ("up[t].eq(code < target)", "up[t].eq(code > target)"),
    "no_upper_bound": ("Mux(raised > settings.amplitude_max, settings.amplitude_max, raised)", "raised"),
    "no_lower_bound": ("Mux(distance < settings.amplitude_min, settings.amplitude_min, distance)", "distance"),
}


@pytest.mark.parametrize("name", BROKEN_JUDGEMENT)
def test_mutants_fail_the_proof_of_the_judgement(name: str) -> None:
    assert_fails(Judgement(mutant(Programmer, *BROKEN_JUDGEMENT[name])), name, depth=1)


BROKEN = {
    "does_not_wait_for_the_grant": ("with m.If(self.program_grant):", "with m.If(1):"),
    "gives_the_crossbar_back": ('host.busy & ~machine.ongoing("CHECK")', 'machine.ongoing("WAIT")'),
    "programs_what_is_not_there": ("with m.If(w.there.any() & (w.start_group < p.groups)):", "with m.If(1):"),
    "skips_the_negative_cells": ("with m.If(~w.side):", "with m.If(0):"),
    "negative_cells_first": ("self._start_cell(m, w, 0)", "self._start_cell(m, w, 1)"),
    "stays_on_a_column": ("column.eq(w.column + 1)", "column.eq(w.column)"),
    "skips_lanes": ("(w.lane == p.lanes - 1) | (w.column", "(w.lane == w.lane) | (w.column"),
    "goes_past_the_last_column": ("| (w.column == p.outputs - 1)", "| (w.column == p.outputs)"),
    "one_pulse_too_many": ("rounds == self.settings.tries", "rounds == self.settings.tries + 1"),
    "does_not_count_pulses": ("rounds.eq(w.rounds + 1)", "rounds.eq(w.rounds)"),
    "pulses_finished_tiles": ("unfinished.eq(remaining)", "unfinished.eq(w.unfinished)"),
    "does_not_verify": (
        'rounds + 1)\n                    m.next = "READ"',
        'rounds + 1)\n                    m.next = "STORE"',
    ),
    "does_not_bound_amplitudes": ("w.distances[t].eq(sizes[t])", "w.distances[t].eq(w.distances[t])"),
    "wrong_direction": ("w.up.eq(up)", "w.up.eq(~up)"),
    "withdraws_a_pulse": (
        "with m.If(completes):\n                    m.d.sync",
        "with m.If(1):\n                    m.d.sync",
    ),
    "withdraws_a_read": (
        "with m.If(completes):\n                    m.next",
        "with m.If(1):\n                    m.next",
    ),
    "drives_at_the_same_time": ("with_vector = m.Elif", "with_vector = m.If"),
    "grants_while_sampled": ("with m.If(~self.xbar.sampled):", "with m.If(1):"),
}
OF_THE_DRIVER = ("drives_at_the_same_time", "grants_while_sampled")
DEEP = ("stays_on_a_column", "goes_past_the_last_column", "skips_lanes", "skips_the_negative_cells")


LONG = ("stays_on_a_column", "goes_past_the_last_column", "does_not_count_pulses", "skips_lanes", "does_not_verify")


@pytest.mark.halved
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in BROKEN]
)
def test_mutants_fail_the_proof(name: str) -> None:
    programmer, driver = Programmer, DacDriver
    if name in OF_THE_DRIVER:
        driver = mutant(DacDriver, *BROKEN[name])
    else:
        programmer = mutant(Programmer, *BROKEN[name])
    assert_fails(Contract(programmer, driver, quick=name in DEEP), name, depth=30)
