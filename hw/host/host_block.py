"""The host registers in hardware: decodes and checks accesses, stores errors and events."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, flipped

from spikeloom.hw.control.register_file import RegisterFile
from spikeloom.hw.host.axi_lite import RegisterBusSignature
from spikeloom.hw.host.host_counters import HostCounters
from spikeloom.hw.host.load_guard import LoadGuard
from spikeloom.hw.host.plan_words import words_of
from spikeloom.hw.host.register_map import (
    ADDRESS_BITS,
    UNIT_HOST_REGISTERS,
    HostRegister,
    MapEntry,
    build_id,
    host_map,
    layer_byte_address,
    unit_byte_address,
)
from spikeloom.hw.host.write_guard import WriteGuard, block_hits
from spikeloom.hw.interfaces.activity import COUNTERS, ActivitySignature
from spikeloom.hw.interfaces.layouts import word_of
from spikeloom.hw.interfaces.programming_port import START_WORD, ProgrammerHostSignature, ProgramSettingsSignature
from spikeloom.hw.interfaces.registers import Register, global_registers, layer_registers
from spikeloom.hw.interfaces.streams import CYCLE_BITS, SEED_BYTES, frame_words, load_layout
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["HostBlock"]

Values = dict[tuple[int | None, str], Value]
"""What registers hold, by layer (None for the unit's) and name."""


def _layout(parameters: NpuParameters, name: str) -> data.FlexibleLayout:
    """Where the fields of one of the unit's registers are, those that the build has."""
    return next(register.built(parameters).layout for register in UNIT_HOST_REGISTERS if register.name == name)


def _keeps_bytes(entry: MapEntry) -> bool:
    """Whether bytes that a write leaves out stay as they are."""
    return entry.access == "rw" and not entry.whole


def _kept(register: HostRegister, word: Value) -> Value:
    """What a write leaves of a word: bits between fields are 0."""
    bits = register.mask.bit_length()
    return word if register.mask == (1 << bits) - 1 else word & register.mask


class HostBlock(wiring.Component):
    """Serves the map of `hw.host.register_map` to a bus; writes run-time registers, settings and targets into the unit.

    A write that is wrong or refused (`hw.host.write_guard`), or that the load session does not accept
    (`hw.host.load_guard`), is an error, and changes nothing but the flag of its cause in `errors`. Bytes without a
    strobe keep their value. Copies of the run-time registers are kept for reading; biases and targets are not read.

    Parameters
    ----------
    parameters : NpuParameters

    Members
    -------
    bus : In(RegisterBusSignature(26)), answered in the same cycle
    load : Out(stream of load_layout), valid only while not `busy`, when it must be ready
    program : Out(ProgramSettingsSignature), programmer_<l> : Out(ProgrammerHostSignature); only with programmers
    busy : In(1), an image is being processed, or comes: the load port need not be ready
    result_waits, result_taken : In(1), a word of the result stream is offered; an answer is taken in this cycle
    wrong_frame, unloaded, frame_timed_out : In(1), see `hw.host.pixel_stream`
    cycles, gap : In(32), activity_<l> : In(ActivitySignature), of the answer; kept with `result_taken`; the latter only
        with activity counters
    overflow : In(layers)
    open : Out(1), image frames that begin in this cycle are taken: a load session was completed, and none opens now
    seeds, activity : Out(1), fields of `control`; the first with rate coding only
    timeout : Out(32)
    seed : Out(128), only with rate coding
    counters : Out, words of a result frame, see `hw.host.host_counters`
    reset : Out(1), soft reset; up for the cycle after the write
    irq : Out(1), a result waits, an error flag or the flag of the programmers is up, as far as `control` lets it
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        layers = len(parameters.layers)
        programming: dict[str, wiring.Member] = {}
        if parameters.programmer:
            programming["program"] = Out(ProgramSettingsSignature())
            programming |= {f"programmer_{i}": Out(ProgrammerHostSignature(p)) for i, p in enumerate(parameters.layers)}
        super().__init__(
            {
                "bus": In(RegisterBusSignature(ADDRESS_BITS)),
                "load": Out(stream.Signature(load_layout())),
                **programming,
                "busy": In(1),
                "result_waits": In(1),
                "result_taken": In(1),
                "wrong_frame": In(1),
                "unloaded": In(1),
                "frame_timed_out": In(1),
                "cycles": In(CYCLE_BITS),
                "gap": In(CYCLE_BITS),
                **{
                    f"activity_{index}": In(ActivitySignature())
                    for index in range(layers * parameters.activity_counters)
                },
                "overflow": In(layers),
                "open": Out(1),
                **({"seeds": Out(1), "seed": Out(8 * SEED_BYTES)} if parameters.draws_seeds else {}),
                "activity": Out(1),
                "timeout": Out(32),
                "counters": Out(64 * (frame_words(parameters) - 1)),
                "reset": Out(1),
                "irq": Out(1),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def _values(self, m: Module, entries: tuple[MapEntry, ...]) -> Values:
        """What the registers hold that are no constants: copies of the run-time ones, and the host's own."""
        p = self._parameters
        values: Values = {}
        for scope, layer in enumerate([None, *range(len(p.layers))]):
            copy = RegisterFile(
                registers=global_registers(p) if layer is None else layer_registers(p.layers[layer]),
                scope=scope,
                parameters=p if layer is None else p.layers[layer],
            )
            m.submodules["copies" if layer is None else f"copies_{layer}"] = copy
            m.d.comb += [copy.load.eq(self.load.payload), copy.write.eq(self.load.valid)]
            values |= {
                (layer, e.name): Value.cast(getattr(copy, e.name))
                for e in entries
                if e.layer == layer and isinstance(e.register, Register) and not e.register.pulse
            }
        for e in entries:
            if not isinstance(e.register, Register) and e.access in ("rw", "w1c"):
                name = e.name if e.layer is None else f"{e.name}_{e.layer}"
                values[e.layer, e.name] = Signal(e.bits, init=e.init, name=name)
        control = data.View(_layout(p, "control"), values[None, "control"])
        m.d.comb += [
            self.timeout.eq(values[None, "timeout"]),
            self.activity.eq(control.activity),
        ]
        if p.draws_seeds:
            seed = Cat(values[None, f"seed_{part}"] for part in range(4))
            m.d.comb += [self.seed.eq(seed), self.seeds.eq(control.seeds)]
        if p.programmer:
            m.d.comb += [
                getattr(self.program, name).eq(values[None, f"program_{name}"])
                for name in self.program.signature.members
            ]
        return values

    def _counts(self, m: Module, values: Values) -> None:
        """What is only read: counters of the last answer and of the programmers, flags of the layers."""
        layers = len(self._parameters.layers)
        counted = layers * self._parameters.activity_counters
        m.submodules.kept = kept = HostCounters(layers=counted)
        m.d.comb += [
            kept.taken.eq(self.result_taken),
            kept.cycles.eq(self.cycles),
            kept.gap.eq(self.gap),
            self.counters.eq(kept.words),
        ]
        values |= {(None, "images"): kept.images, (None, "cycles"): kept.kept_cycles, (None, "gap"): kept.kept_gap}
        for index in range(counted):
            wiring.connect(m, flipped(getattr(self, f"activity_{index}")), getattr(kept, f"activity_{index}"))
            values |= {(index, name): getattr(getattr(kept, f"kept_{index}"), name) for name in COUNTERS}
        values |= {(index, "flags"): self.overflow[index] for index in range(layers)}
        for index, programmer in enumerate(self._programmers):
            values |= {(index, name): getattr(programmer, name) for name in ("pulses", "verify_reads", "failed_cells")}
            values[index, "program_status"] = programmer.busy

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        p, bus = self._parameters, self.bus
        m.submodules.guard = guard = LoadGuard(build=build_id(p), programmer=p.programmer)
        m.submodules.write_guard = judge = WriteGuard(parameters=p)
        entries = host_map(p)
        values = self._values(m, entries)
        self._counts(m, values)
        errors = values[None, "errors"]
        control = data.View(_layout(p, "control"), values[None, "control"])
        raised, allowed = [self.result_waits, errors.any()], [control.irq_result, control.irq_error]
        states: dict[str, Value] = {}
        causes: dict[str, Value] = {}
        if p.programmer:
            programming, causes["events"] = self._programming(m, judge, guard)
            states["programming"] = programming
            raised.append(values[None, "events"].any())
            allowed.append(control.irq_program)
        m.d.comb += self.irq.eq((Cat(raised) & Cat(allowed)).any())
        values[None, "load_checksum"] = guard.checksum
        values[None, "status"] = word_of(
            _layout(p, "status"),
            busy=self.busy,
            result=self.result_waits,
            error=errors.any(),
            overflow=self.overflow.any(),
            loading=guard.loading,
            loaded=guard.loaded,
            **states,
        )
        if plan := words_of(p.plan):
            values[None, "plan_word"] = plan_word = Signal(32)
            with m.Switch(values[None, "plan_index"]):
                for index, number in enumerate(plan):
                    with m.Case(index):
                        m.d.comb += plan_word.eq(number)

        words = self._read(m, entries, values)
        merged = self._judge(m, judge, guard, {e.address: words[e.address] for e in entries if _keeps_bytes(e)})
        self._write(m, judge, guard, merged, entries, values)
        self._session(m, judge, guard, merged)
        causes["errors"] = word_of(
            _layout(p, "errors"),
            refused=judge.refused | guard.refused,
            frame=self.wrong_frame,
            build=guard.wrong_build,
            checksum=guard.wrong_checksum,
            timeout=guard.timed_out | self.frame_timed_out,
            unloaded=self.unloaded,
        )
        for name, cause in causes.items():
            flags = values[None, name]
            cleared = Mux(judge.accepted & (bus.write_address == unit_byte_address(name)), merged, 0)
            m.d.sync += flags.eq((flags & ~cleared) | cause)
        return m

    @property
    def _programmers(self) -> list[wiring.PureInterface]:
        there = self._parameters.programmer
        return [getattr(self, f"programmer_{index}") for index in range(len(self._parameters.layers) * there)]

    def _programming(self, m: Module, judge: WriteGuard, guard: LoadGuard) -> tuple[Value, Value]:
        """Whether a programmer is busy, and whether none is any more, for the first cycle; those who ask are told."""
        programming = Signal()
        was_programming = Signal()
        m.d.comb += [
            judge.programming.eq(Cat(programmer.busy for programmer in self._programmers)),
            judge.loading.eq(guard.loading),
            programming.eq(judge.programming.any()),
            guard.programming.eq(programming),
        ]
        m.d.sync += was_programming.eq(programming)
        return programming, was_programming & ~programming

    def _read(self, m: Module, entries: tuple[MapEntry, ...], values: Values) -> dict[int, Value]:
        """Answer reads; the registers' values, 32 bits each, by address."""

        def word(entry: MapEntry) -> Value:
            value = values.get((entry.layer, entry.name))
            if value is None:  # a constant, or one that reads 0
                return Const(0 if isinstance(entry.register, Register) else entry.init, 32)
            extended = Signal(Shape(32, entry.signed), name=f"{entry.name}_word")
            m.d.comb += extended.eq(value.as_signed() if entry.signed else value)
            return extended

        bus, programmers = self.bus, self._programmers
        words = {entry.address: word(entry) for entry in entries}
        with m.Switch(bus.read_address):
            for address, value in words.items():
                with m.Case(address):
                    m.d.comb += bus.read_data.eq(value)
            with m.Default():
                m.d.comb += bus.read_error.eq(1)
        for index, inside in block_hits(self._parameters, "program_result", bus.read_address):
            m.d.comb += programmers[index].result_index.eq(bus.read_address[2:])
            with m.If(inside):
                m.d.comb += [bus.read_error.eq(0), bus.read_data.eq(programmers[index].result)]
        return words

    def _judge(self, m: Module, judge: WriteGuard, guard: LoadGuard, words: dict[int, Value]) -> Value:
        """Judge a write, and let it through to the unit; the word that it makes with the bytes of `words` that stay."""
        bus = self.bus
        before = Signal(32)
        merged = Signal(32)
        with m.Switch(bus.write_address):
            for address, word in words.items():
                with m.Case(address):
                    m.d.comb += before.eq(word)
        # A word is put together in the cycle before its write is made: nothing else changes these registers.
        mask = Cat(bit.replicate(8) for bit in bus.write_strobe)
        m.d.sync += merged.eq((bus.write_data & mask) | (before & ~mask))
        m.d.comb += [
            judge.enable.eq(bus.write_enable),
            judge.address.eq(bus.write_address),
            judge.strobe.eq(bus.write_strobe),
            judge.busy.eq(self.busy),
            judge.session_error.eq(guard.refused | guard.wrong_build | guard.wrong_checksum),
            bus.write_error.eq(~judge.accepted),
            self.load.valid.eq(judge.to_unit),
            self.load.payload.address.eq(bus.write_address[2:]),
            self.load.payload.data.eq(merged),
        ]
        return merged

    def _write(
        self,
        m: Module,
        judge: WriteGuard,
        guard: LoadGuard,
        merged: Value,
        entries: tuple[MapEntry, ...],
        values: Values,
    ) -> None:
        """Write the host's own registers, and the programmers' targets and starts."""
        bus = self.bus
        for e in entries:
            if e.access == "rw" and not isinstance(e.register, Register):
                written = judge.accepted & (bus.write_address == e.address) & (judge.complete | (not e.whole))
                with m.If(written):
                    m.d.sync += values[e.layer, e.name].eq(_kept(e.register, merged))
        start = data.View(START_WORD, merged)
        for index, inside in block_hits(self._parameters, "program_target", bus.write_address):
            programmer = self._programmers[index]
            started = bus.write_address == layer_byte_address(index, "program_start")
            m.d.comb += [
                programmer.target_write.enable.eq(judge.accepted & judge.complete & inside),
                programmer.target_write.index.eq(bus.write_address[2:]),
                programmer.target_write.value.eq(merged),
                programmer.start.eq(judge.accepted & judge.complete & started),
                programmer.start_row.eq(start.row),
                programmer.start_group.eq(start.group),
                programmer.clear_counts.eq(guard.opens),
            ]

    def _session(self, m: Module, judge: WriteGuard, guard: LoadGuard, merged: Value) -> None:
        """The load session, and the soft reset."""
        bus = self.bus

        def written(name: str) -> Value:
            """A write goes to this register; it may still be wrong."""
            here = Signal(name=f"at_{name}")
            m.d.sync += here.eq(bus.write_address == unit_byte_address(name))
            return here

        m.d.comb += [
            guard.load_begin.eq(judge.complete & written("load_begin")),
            guard.load_end.eq(judge.complete & written("load_end")),
            guard.value.eq(merged),
            guard.counted.eq(judge.counted),
            guard.address.eq(bus.write_address),
            guard.data.eq(merged),
            guard.access.eq(bus.write_enable | bus.read_enable),
            guard.busy.eq(self.busy),
            guard.timeout.eq(self.timeout),
            self.open.eq(guard.loaded & ~guard.opens & ~guard.wrong_build),
        ]
        layout = _layout(self._parameters, "reset")
        soft = data.View(layout, merged[: layout.size]).soft
        m.d.sync += self.reset.eq(judge.accepted & written("reset") & soft)
