"""The host's registers in hardware: decodes accesses, guards what they may change, keeps errors and events."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, flipped

from hw.axi_lite import RegisterBusSignature
from hw.controller import CYCLE_BITS
from hw.host_counters import ACTIVITY, HostCounters
from hw.host_registers import ADDRESS_BITS, LAYER_WINDOWS, MapEntry, build_id, host_map, window_byte_address
from hw.layer_core import ActivitySignature
from hw.load_guard import LoadGuard
from hw.params import NpuParameters
from hw.programmer import ProgrammerHostSignature, ProgramSettingsSignature
from hw.registers import GLOBAL_REGISTERS, LAYER_REGISTERS, Register, RegisterFile
from hw.streams import load_layout

__all__ = ["HostBlock"]

_SETTINGS = ("window", "tries", "amplitude_min", "amplitude_max")


class HostBlock(wiring.Component):
    """Serves the map of `hw.host_registers` to a bus; writes run-time registers, settings and targets into the unit.

    A write that names no register, is not aligned to words, goes to a read-only register or window, or writes a part of
    a word that is written whole is an error and changes nothing. Bytes without a strobe keep their value. An error that
    changes nothing but a flag of `errors` is

    - a write to a run-time register, a bias, a seed or a programming setting while an image is in work, and to a
      programming setting while a programmer is busy: `refused`
    - a write to a target or program_start outside of a load session, or while that layer's programmer is busy:
      `refused`
    - what the load session does not accept, see `hw.load_guard`

    Copies of the run-time registers are kept for reading; biases and targets are not read.

    Parameters
    ----------
    parameters : NpuParameters

    Members
    -------
    bus : In(RegisterBusSignature(26)), answered in the same cycle
    load : Out(stream of load_layout), valid only while not `busy`, when it must be ready
    program : Out(ProgramSettingsSignature), programmer_<l> : Out(ProgrammerHostSignature)
    busy : In(1), an image is in work, or comes: the load port need not be ready
    result_waits, result_taken : In(1), a word of the result stream is offered; an answer is taken in this cycle
    wrong_frame, unloaded, frame_timed_out : In(1), see `hw.pixel_stream`
    cycles, gap : In(32), activity_<l> : In(ActivitySignature), of the answer; kept with `result_taken`
    overflow : In(layers)
    open : Out(1), image frames that begin in this cycle are taken: a load session was completed, and none opens now
    seeds, activity : Out(1), fields of `control`
    timeout : Out(32)
    seed : Out(128)
    counters : Out, words of a result frame, see `hw.host_counters`
    reset : Out(1), soft reset; up for the cycle after the write
    irq : Out(1), a result waits, an error flag or the flag of the programmers is up, as far as `control` lets it
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        layers = len(parameters.layers)
        super().__init__(
            {
                "bus": In(RegisterBusSignature(ADDRESS_BITS)),
                "load": Out(stream.Signature(load_layout())),
                "program": Out(ProgramSettingsSignature()),
                **{f"programmer_{i}": Out(ProgrammerHostSignature(p)) for i, p in enumerate(parameters.layers)},
                "busy": In(1),
                "result_waits": In(1),
                "result_taken": In(1),
                "wrong_frame": In(1),
                "unloaded": In(1),
                "frame_timed_out": In(1),
                "cycles": In(CYCLE_BITS),
                "gap": In(CYCLE_BITS),
                **{f"activity_{index}": In(ActivitySignature()) for index in range(layers)},
                "overflow": In(layers),
                "open": Out(1),
                "seeds": Out(1),
                "activity": Out(1),
                "timeout": Out(32),
                "seed": Out(128),
                "counters": Out(64 * (1 + 3 * layers)),
                "reset": Out(1),
                "irq": Out(1),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        return self._parameters

    def _values(self, m: Module, entries: tuple[MapEntry, ...]) -> dict[tuple[int | None, str], Value]:
        """What the registers hold that are no constants: copies of the run-time ones, and the host's own."""
        p = self._parameters
        values: dict[tuple[int | None, str], Value] = {}
        for scope, layer in enumerate([None, *range(len(p.layers))]):
            copy = RegisterFile(
                registers=GLOBAL_REGISTERS if layer is None else LAYER_REGISTERS,
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
        m.d.comb += [
            self.seed.eq(Cat(values[None, f"seed_{part}"] for part in range(4))),
            self.timeout.eq(values[None, "timeout"]),
            Cat(self.seeds, self.activity).eq(values[None, "control"][3:5]),
            *(getattr(self.program, name).eq(values[None, f"program_{name}"]) for name in _SETTINGS),
        ]
        return values

    def _counts(self, m: Module, values: dict[tuple[int | None, str], Value]) -> None:
        """What is only read: counters of the last answer and of the programmers, flags of the layers."""
        layers = len(self._parameters.layers)
        m.submodules.kept = kept = HostCounters(layers=layers)
        m.d.comb += [
            kept.taken.eq(self.result_taken),
            kept.cycles.eq(self.cycles),
            kept.gap.eq(self.gap),
            self.counters.eq(kept.words),
        ]
        values |= {(None, "images"): kept.images, (None, "cycles"): kept.kept_cycles, (None, "gap"): kept.kept_gap}
        for index in range(layers):
            wiring.connect(m, flipped(getattr(self, f"activity_{index}")), getattr(kept, f"activity_{index}"))
            programmer = getattr(self, f"programmer_{index}")
            values |= {(index, name): getattr(getattr(kept, f"kept_{index}"), name) for name in ACTIVITY}
            values |= {(index, name): getattr(programmer, name) for name in ("pulses", "verify_reads", "failed_cells")}
            values |= {(index, "flags"): self.overflow[index], (index, "program_status"): programmer.busy}

    def _windows(self, name: str, address: Value) -> Iterator[tuple[int, Value]]:
        """Each layer, and whether a byte address is that of a word of its window `name`."""
        window = next(window for window in LAYER_WINDOWS if window.name == name)
        for index, layer in enumerate(self._parameters.layers):
            first = window_byte_address(window, index, 0)
            inside = (address >= first) & (address < first + 4 * window.words(layer)) & (address[:2] == 0)
            yield index, inside

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, bus = self._parameters, self.bus
        m.submodules.guard = guard = LoadGuard(build=build_id(p))
        entries = host_map(p)
        programmers = [getattr(self, f"programmer_{index}") for index in range(len(p.layers))]
        values = self._values(m, entries)
        self._counts(m, values)
        control, errors, events = (values[None, name] for name in ("control", "errors", "events"))
        programming = Signal()
        was_programming = Signal()
        m.d.comb += programming.eq(Cat(programmer.busy for programmer in programmers).any())
        m.d.sync += was_programming.eq(programming)
        values[None, "load_checksum"] = guard.checksum
        values[None, "status"] = Cat(
            self.busy,
            self.result_waits,
            errors.any(),
            self.overflow.any(),
            guard.loading,
            guard.loaded,
            programming,
        )
        m.d.comb += self.irq.eq((Cat(self.result_waits, errors.any(), events.any()) & control[:3]).any())

        def word(entry: MapEntry) -> Value:
            """The register's value, as 32 bits."""
            value = values.get((entry.layer, entry.name))
            if value is None:  # a constant, or one that reads 0
                return Const(0 if isinstance(entry.register, Register) else entry.init, 32)
            extended = Signal(Shape(32, entry.signed), name=f"{entry.name}_word")
            m.d.comb += extended.eq(value.as_signed() if entry.signed else value)
            return extended

        # Read.
        words = {entry.address: word(entry) for entry in entries}
        with m.Switch(bus.read_address):
            for address, value in words.items():
                with m.Case(address):
                    m.d.comb += bus.read_data.eq(value)
            with m.Default():
                m.d.comb += bus.read_error.eq(1)
        for index, inside in self._windows("program_result", bus.read_address):
            m.d.comb += programmers[index].result_index.eq(bus.read_address[2:])
            with m.If(inside):
                m.d.comb += [bus.read_error.eq(0), bus.read_data.eq(programmers[index].result)]

        # Write: find the register, judge, then let the write through.
        writable = Signal()
        in_image = Signal()
        run_time = Signal()
        setting = Signal()
        whole = Signal()
        bias = Signal()
        in_session = Signal()
        programmer_busy = Signal()
        before = Signal(32)
        mask = Signal(32)
        merged = Signal(32)
        complete = Signal()
        part = Signal()
        refused = Signal()
        accepted = Signal()
        hits: dict[tuple[int | None, str], Value] = {}
        with m.Switch(bus.write_address):
            for e in entries:
                own = not isinstance(e.register, Register)
                with m.Case(e.address):
                    m.d.comb += [
                        writable.eq(e.access != "ro"),
                        in_image.eq(e.idle_only),
                        run_time.eq(not own),
                        setting.eq(own and e.name.startswith("program_") and e.layer is None),
                        whole.eq(e.whole),
                        before.eq(words[e.address] if e.access == "rw" and not e.whole else 0),
                    ]
                    if own and e.access != "ro":
                        hits[e.layer, e.name] = hit = Signal(name=f"hit_{e.name}")
                        m.d.comb += hit.eq(1)
                    if e.name == "program_start":
                        m.d.comb += [in_session.eq(1), programmer_busy.eq(programmers[e.layer or 0].busy)]
        for _, inside in self._windows("bias", bus.write_address):
            with m.If(inside):
                m.d.comb += [bias.eq(1), writable.eq(1), whole.eq(1), in_image.eq(1)]
        targets = dict(self._windows("program_target", bus.write_address))
        for index, inside in targets.items():
            with m.If(inside):
                m.d.comb += [writable.eq(1), whole.eq(1), in_session.eq(1)]
                m.d.comb += programmer_busy.eq(programmers[index].busy)
        m.d.comb += [
            mask.eq(Cat(bit.replicate(8) for bit in bus.write_strobe)),
            merged.eq((bus.write_data & mask) | (before & ~mask)),
            complete.eq(bus.write_enable & bus.write_strobe.all()),
            part.eq(whole & bus.write_strobe.any() & ~bus.write_strobe.all()),
            refused.eq(
                (bus.write_enable & ~part)
                & ((in_image & self.busy) | (setting & programming) | (in_session & (~guard.loading | programmer_busy)))
            ),
            accepted.eq(
                (bus.write_enable & writable & ~part & ~refused)
                & ~(guard.refused | guard.wrong_build | guard.wrong_checksum)
            ),
            bus.write_error.eq(~accepted),
        ]
        m.d.comb += [
            self.load.valid.eq(accepted & (run_time | (bias & complete))),
            self.load.payload.address.eq(bus.write_address[2:]),
            self.load.payload.data.eq(merged),
        ]
        cleared, cleared_events = Signal(len(errors)), Signal(len(events))
        for (layer, name), hit in hits.items():
            if name == "errors":
                m.d.comb += cleared.eq(Mux(accepted & hit, merged, 0))
            elif name == "events":
                m.d.comb += cleared_events.eq(Mux(accepted & hit, merged, 0))
            elif name == "program_start":
                programmer = programmers[layer or 0]
                m.d.comb += [
                    programmer.start.eq(accepted & hit & complete),
                    Cat(programmer.start_row, programmer.start_group).eq(merged),
                ]
                with m.If(programmer.start):
                    m.d.sync += values[layer, name].eq(merged)
            elif (layer, name) in values:
                with m.If(accepted & hit):
                    m.d.sync += values[layer, name].eq(merged)
        for index, inside in targets.items():
            target = programmers[index].target_write
            m.d.comb += [
                target.enable.eq(accepted & complete & inside),
                target.index.eq(bus.write_address[2:]),
                target.value.eq(merged),
                programmers[index].clear_counts.eq(guard.opens),
            ]

        # Load session, soft reset, flags.
        m.d.comb += [
            guard.load_begin.eq(complete & hits[None, "load_begin"]),
            guard.load_end.eq(complete & hits[None, "load_end"]),
            guard.value.eq(merged),
            guard.counted.eq(accepted & bus.write_strobe.any() & (run_time | bias | setting | in_session)),
            guard.address.eq(bus.write_address),
            guard.data.eq(merged),
            guard.access.eq(bus.write_enable | bus.read_enable),
            guard.busy.eq(self.busy),
            guard.programming.eq(programming),
            guard.timeout.eq(self.timeout),
            self.open.eq(guard.loaded & ~guard.opens & ~guard.wrong_build),
        ]
        m.d.sync += [
            self.reset.eq(accepted & hits[None, "reset"] & merged[0]),
            errors.eq(
                (errors & ~cleared)
                | Cat(
                    refused | guard.refused,
                    self.wrong_frame,
                    guard.wrong_build,
                    guard.wrong_checksum,
                    guard.timed_out | self.frame_timed_out,
                    self.unloaded,
                )
            ),
            events.eq((events & ~cleared_events) | (was_programming & ~programming)),
        ]
        return m
