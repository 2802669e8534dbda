"""Write-verify programming: brings the cells of a layer to their target conductances."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.crossbar_port import AMPLITUDE_BITS, CELL_CODE_BITS, CrossbarProgramSignature
from spikeloom.hw.interfaces.layouts import word_of
from spikeloom.hw.interfaces.programming_port import (
    PROGRAM_COUNT_BITS,
    RESULT_WORD,
    TARGET_WORD,
    TRIES_BITS,
    ProgrammerHostSignature,
    ProgramSettingsSignature,
)
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.primitives.activity_counter import ActivityCounter

__all__ = ["Programmer"]

_TARGETS = data.StructLayout({"p": unsigned(CELL_CODE_BITS), "n": unsigned(CELL_CODE_BITS)})
_OUTCOME = data.StructLayout({"code": unsigned(CELL_CODE_BITS), "pulses": unsigned(TRIES_BITS), "failed": 1})


class _Work:
    """What a programmer keeps while it is busy."""

    def __init__(self, p: LayerParameters, xbar: wiring.PureInterface) -> None:
        tiles = p.row_tiles
        self.start_row = Signal(16)
        self.start_group = Signal(16)
        self.there = Signal(tiles)  # row tiles that have the row
        self.present = Signal(tiles)  # the same, kept
        self.row = Signal.like(xbar.program_row, name="row")
        self.column = Signal.like(xbar.program_column, name="column")
        self.lane = Signal(range(p.lanes))
        self.base = Signal(range(p.lanes * tiles))  # lane * tiles
        self.side = Signal()
        self.tile = Signal(range(tiles + 1))  # whose word is fetched or stored
        self.stored = Signal(range(2 * p.lanes * tiles + 1))  # results before this one were stored since the reset
        self.targets = Signal(data.ArrayLayout(_TARGETS, tiles))  # of the lane
        self.outcomes = Signal(data.ArrayLayout(_OUTCOME, tiles))  # of the cell
        self.unfinished = Signal(tiles)
        self.rounds = Signal(TRIES_BITS)  # pulses that every unfinished tile has had
        self.up = Signal(tiles)  # the next pulses' directions
        self.distances = Signal(data.ArrayLayout(CELL_CODE_BITS, tiles))  # once judged, the next pulses' amplitudes


class Programmer(wiring.Component):
    """Programs the cells of one row of every row tile in one column group, cell after cell, by write and verify.

    A layer's row tiles work in lockstep: on the same row of the tile, column and side, each with its own direction
    and amplitude. The cells' order is lane 0 first, and side 0 (positive) before side 1. A cell is read; if its code
    is at most the tolerance `window` from its target it is finished; after `tries` pulses it has failed; otherwise it
    gets a pulse towards the target, of amplitude min(max(distance, amplitude_min), amplitude_max), and is read again.
    Finished tiles take no further part, and the next cell follows when all are finished. Row tiles without the row
    take no part at all: their results are 0. Results of columns past the last output stay what they were.

    Parameters
    ----------
    parameters : LayerParameters of the layer

    Members
    -------
    host : In(ProgrammerHostSignature)
    settings : In(ProgramSettingsSignature)
    program_request : Out(1), up while the crossbar is needed
    program_grant : In(1), the crossbar is the programmer's: its rows are not driven; stays up while requested
    xbar : Out(CrossbarProgramSignature), programming side of the crossbar port

    Cycles
    ------
    `start` in cycle 0; `program_request` is up from cycle 2 on, and `program_grant` is first seen in cycle g (3 for an
    idle DacDriver). With n columns in the group, T row tiles, a macro that takes P cycles per pulse and V per verify
    read, and R rounds (the sum over the n columns and both sides of the most pulses that one tile's cell got), the
    programmer is busy in cycles 1 .. g + n (T + 1) + 2 n (V + 1 + T) + R (P + V + 1), and requests the crossbar until
    then (`hw.params.cycles.programming_cycles`). The first operation starts in cycle g + T + 2. A start out of range:
    busy in cycle 1.

    Raises
    ------
    ValueError : lanes * row_tiles exceeds MAX_TARGETS
    """

    def __init__(self, *, parameters: LayerParameters) -> None:
        self._parameters = parameters
        super().__init__(
            {
                "host": In(ProgrammerHostSignature(parameters)),
                "settings": In(ProgramSettingsSignature()),
                "program_request": Out(1),
                "program_grant": In(1),
                "xbar": Out(CrossbarProgramSignature(parameters)),
            }
        )
        words = parameters.lanes * parameters.row_tiles
        self._targets = memory.MemoryData(shape=_TARGETS, depth=words, init=[])
        self._results = memory.MemoryData(shape=_OUTCOME, depth=2 * words, init=[])

    @property
    def parameters(self) -> LayerParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        p, host, xbar = self._parameters, self.host, self.xbar
        tiles = p.row_tiles
        m.submodules.target_memory = target_memory = memory.Memory(self._targets)
        m.submodules.result_memory = result_memory = memory.Memory(self._results)
        fetch, store = target_memory.read_port(), result_memory.write_port()

        w = _Work(p, xbar)
        wanted = [Mux(w.side, w.targets[t].n, w.targets[t].p) for t in range(tiles)]
        up, distances = self._measure(m, [xbar.program_codes[t] for t in range(tiles)], wanted)
        far, sizes = self._judge(m, [w.distances[t] for t in range(tiles)])
        out_of_tries = Signal()
        remaining = Signal(tiles)
        given_up = Signal(tiles)
        completes = Signal()  # a pulse or a verify read ends
        m.d.comb += [
            out_of_tries.eq(w.rounds == self.settings.tries),
            remaining.eq(Mux(out_of_tries, 0, w.unfinished & far)),
            given_up.eq(Mux(out_of_tries, w.unfinished & far, 0)),
            completes.eq(xbar.program_cell & xbar.program_done),
        ]

        # Judged in every cycle but the one in which codes come, which needs no enable: bounds do not change what is
        # within them.
        m.d.sync += [w.distances[t].eq(sizes[t]) for t in range(tiles)]
        with m.FSM() as machine:
            self._begin(m, w, Value.cast(fetch.data))
            with m.State("READ"):
                with m.If(completes):
                    m.next = "JUDGE"
                    m.d.sync += [w.up.eq(up), *(w.distances[t].eq(distances[t]) for t in range(tiles))]
                    for t in range(tiles):
                        with m.If(w.unfinished[t]):
                            m.d.sync += [
                                w.outcomes[t].code.eq(xbar.program_codes[t]),
                                w.outcomes[t].pulses.eq(w.rounds),
                            ]

            with m.State("JUDGE"):
                m.d.sync += w.unfinished.eq(remaining)
                m.d.sync += [w.outcomes[t].failed.eq(w.outcomes[t].failed | given_up[t]) for t in range(tiles)]
                m.next = "STORE"
                with m.If(remaining.any()):
                    m.next = "PULSE"

            with m.State("PULSE"):
                with m.If(completes):
                    m.d.sync += w.rounds.eq(w.rounds + 1)
                    m.next = "READ"

            with m.State("STORE"):  # leaves zeros for the next cell
                self._store(m, w, len(Value.cast(store.data)))

        m.d.comb += [
            host.busy.eq(~machine.ongoing("IDLE")),
            self.program_request.eq(host.busy & ~machine.ongoing("CHECK")),
            fetch.addr.eq(w.base + w.tile),
            fetch.en.eq(machine.ongoing("FETCH")),
            store.addr.eq(Cat(w.side, (w.base + w.tile)[: len(w.base)])),
            store.data.eq(w.outcomes[0]),
            store.en.eq(machine.ongoing("STORE")),
            xbar.program_cell.eq(machine.ongoing("READ") | machine.ongoing("PULSE")),
            xbar.program_pulse.eq(machine.ongoing("PULSE")),
            xbar.program_row.eq(w.row),
            xbar.program_column.eq(w.column),
            xbar.program_side.eq(w.side),
            xbar.program_tiles.eq(w.unfinished),
            xbar.program_up.eq(w.up),
            *(xbar.program_amplitudes[t].eq(w.distances[t]) for t in range(tiles)),
        ]
        self._serve_host(m, target_memory, result_memory, w.stored)
        self._count(m, w, machine.ongoing("STORE"))
        return m

    def _begin(self, m: Module, w: _Work, fetched: Value) -> None:
        """States from a start to the first read: is there such a row and group, the grant, the lane's targets."""
        p, host, tiles = self._parameters, self.host, self._parameters.row_tiles
        with m.State("IDLE"):
            m.d.sync += [w.start_row.eq(host.start_row), w.start_group.eq(host.start_group)]
            with m.If(host.start):
                m.next = "CHECK"

        with m.State("CHECK"):
            in_tile = [w.start_row < min(p.tile_rows, p.inputs - t * p.tile_rows) for t in range(tiles)]
            m.d.comb += w.there.eq(Cat(in_tile))
            m.d.sync += [w.present.eq(w.there), w.row.eq(w.start_row), w.column.eq(w.start_group * p.lanes)]
            m.d.sync += [w.lane.eq(0), w.base.eq(0)]
            m.next = "IDLE"
            with m.If(w.there.any() & (w.start_group < p.groups)):
                m.next = "WAIT"

        with m.State("WAIT"):
            with m.If(self.program_grant):
                m.next = "FETCH"

        with m.State("FETCH"):  # the word of `tile` is there one cycle later, and moves down to its place
            m.d.sync += [w.tile.eq(w.tile + 1), w.targets.eq(Cat(Value.cast(w.targets), fetched)[len(fetched) :])]
            with m.If(w.tile == tiles):
                m.d.sync += w.tile.eq(0)
                self._start_cell(m, w, 0)

    def _start_cell(self, m: Module, w: _Work, side: int) -> None:
        m.d.sync += [w.side.eq(side), w.unfinished.eq(w.present), w.rounds.eq(0)]
        m.next = "READ"

    def _store(self, m: Module, w: _Work, bits: int) -> None:
        """Store the row tiles' outcomes, `bits` each, one per cycle; then comes the pair's other cell, or a lane."""
        p, tiles = self._parameters, self._parameters.row_tiles
        m.d.sync += [w.tile.eq(w.tile + 1), w.outcomes.eq(Value.cast(w.outcomes)[bits:])]
        with m.If(w.tile == tiles - 1):
            m.d.sync += w.tile.eq(0)
            following = (w.base + tiles) << 1  # the lane's last result, and one
            with m.If(w.side & (following > w.stored)):
                m.d.sync += w.stored.eq(following)
            with m.If(~w.side):
                self._start_cell(m, w, 1)
            with m.Elif((w.lane == p.lanes - 1) | (w.column == p.outputs - 1)):
                m.next = "IDLE"
            with m.Else():
                m.d.sync += [w.lane.eq(w.lane + 1), w.base.eq(w.base + tiles), w.column.eq(w.column + 1)]
                m.next = "FETCH"

    def _measure(self, m: Module, codes: list[Value], wanted: list[Value]) -> tuple[Value, list[Value]]:
        """A bit per tile: is the code below its target; and the distances, as soon as the codes come."""
        up = Signal(len(codes))
        distances = [Signal(CELL_CODE_BITS, name=f"distance_{t}") for t in range(len(codes))]
        for t, (code, target, distance) in enumerate(zip(codes, wanted, distances, strict=True)):
            m.d.comb += [up[t].eq(code < target), distance.eq(Mux(up[t], target - code, code - target))]
        return up, distances

    def _judge(self, m: Module, distances: list[Value]) -> tuple[Value, list[Value]]:
        """A bit per tile: is it outside of the tolerance; and the pulses' amplitudes."""
        settings = self.settings
        far = Signal(len(distances))
        amplitudes = [Signal(AMPLITUDE_BITS, name=f"amplitude_{t}") for t in range(len(distances))]
        for t, distance in enumerate(distances):
            raised = Signal(CELL_CODE_BITS, name=f"raised_{t}")
            m.d.comb += [
                far[t].eq(distance > settings.window),
                raised.eq(Mux(distance < settings.amplitude_min, settings.amplitude_min, distance)),
                amplitudes[t].eq(Mux(raised > settings.amplitude_max, settings.amplitude_max, raised)),
            ]
        return far, amplitudes

    def _serve_host(self, m: Module, targets: memory.Memory, results: memory.Memory, stored: Value) -> None:
        """The host's ports of the two memories. Indices past the end write nothing; from `stored` on they read 0."""
        host, words = self.host, self._parameters.lanes * self._parameters.row_tiles
        write, read = targets.write_port(), results.read_port(domain="comb")
        request = host.target_write
        target = data.View(TARGET_WORD, request.value)
        m.d.comb += [
            write.addr.eq(request.index),
            write.data.p.eq(target.p),
            write.data.n.eq(target.n),
            write.en.eq(request.enable & ~host.busy & (request.index < words)),
            read.addr.eq(host.result_index),
        ]
        with m.If(host.result_index < stored):
            outcome = read.data
            word = word_of(RESULT_WORD, code=outcome.code, pulses=outcome.pulses, failed=outcome.failed)
            m.d.comb += host.result.eq(word)

    def _count(self, m: Module, w: _Work, stores: Value) -> None:
        """Counts as outcomes are stored, one row tile per cycle: no sums over all row tiles.

        What is added, and the start of new counts, come from registers: short paths, and all one cycle later.
        """
        clear = Signal(name="clear_counts")
        m.d.sync += clear.eq(self.host.clear_counts)
        pulses, failed = w.outcomes[0].pulses, w.outcomes[0].failed
        has_row = Signal()  # of the row tile that is stored
        m.d.comb += has_row.eq(Cat(here & (w.tile == t) for t, here in enumerate(w.present)).any())
        for name, amount in {
            "pulses": pulses,
            "verify_reads": pulses + has_row,  # one before each pulse, and the last one
            "failed_cells": failed,
        }.items():
            bits = len(Value.cast(amount))
            m.submodules[name] = counter = ActivityCounter(amount_bits=bits, bits=PROGRAM_COUNT_BITS)
            added = Signal(bits, name=f"added_{name}")
            m.d.sync += added.eq(Mux(stores, amount, 0))
            m.d.comb += [
                counter.amount.eq(added),
                counter.clear.eq(clear),
                getattr(self.host, name).eq(counter.value),
            ]
