"""The host's registers in hardware: decodes accesses, guards the run-time registers, keeps errors and counters."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.axi_lite import RegisterBusSignature
from hw.controller import CYCLE_BITS
from hw.host_registers import ADDRESS_BITS, MapEntry, bias_byte_address, host_map
from hw.layer_core import ActivitySignature
from hw.params import NpuParameters
from hw.registers import GLOBAL_REGISTERS, LAYER_REGISTERS, Register, RegisterFile
from hw.streams import load_layout

__all__ = ["HostBlock"]

_ACTIVITY = ("row_pulses", "tile_reads", "conversions", "saturations", "spikes")


class HostBlock(wiring.Component):
    """Serves the map of `hw.host_registers` to a bus, and writes the unit's run-time registers through its load port.

    A write that names no register, is not aligned to words, goes to a read-only register, or writes a part of a bias
    is an error and changes nothing. A write to a run-time register or a seed while an image is in work is an error,
    and changes nothing but the flag `errors.refused`. Bytes without a strobe keep their value. Copies of the run-time
    registers are kept for reading; biases are not read.

    Parameters
    ----------
    parameters : NpuParameters

    Members
    -------
    bus : In(RegisterBusSignature(26)), answered in the same cycle
    load : Out(stream of load_layout), valid only while not `busy`, when it must be ready
    busy : In(1), an image is in work: the load port is not ready
    result_waits, result_taken : In(1), a result is offered; is transferred in this cycle
    frame_error : In(1), a pixel word came with a wrong `tlast`
    cycles : In(32), of the result; kept with `result_taken`, like the activity
    overflow : In(layers)
    activity_<l> : In(ActivitySignature)
    seed : Out(128)
    irq : Out(1), a result waits or an error flag is up, as far as `control` lets it
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        layers = len(parameters.layers)
        super().__init__(
            {
                "bus": In(RegisterBusSignature(ADDRESS_BITS)),
                "load": Out(stream.Signature(load_layout())),
                "busy": In(1),
                "result_waits": In(1),
                "result_taken": In(1),
                "frame_error": In(1),
                "cycles": In(CYCLE_BITS),
                "overflow": In(layers),
                **{f"activity_{index}": In(ActivitySignature()) for index in range(layers)},
                "seed": Out(128),
                "irq": Out(1),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        return self._parameters

    def _bias(self, m: Module, part: Signal) -> Signal:
        """Whether a write goes to a bias; then `part` says that it is not a whole word."""
        hit = Signal()
        address, strobe = self.bus.write_address, self.bus.write_strobe
        for index, layer in enumerate(self._parameters.layers):
            first = bias_byte_address(index, 0)
            with m.If((address >= first) & (address < first + 4 * layer.outputs) & (address[:2] == 0)):
                m.d.comb += [hit.eq(1), part.eq(~strobe.all() & strobe.any())]
        return hit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, bus = self._parameters, self.bus
        entries = host_map(p)
        values: dict[tuple[int | None, str], Value] = {}

        # What is kept here: copies of the run-time registers, and the host's own.
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
        control = Signal(2)
        errors = Signal(2)
        images = Signal(32)
        cycles = Signal(32)
        waits = self.result_waits
        values[None, "control"] = control
        values[None, "errors"] = errors
        values[None, "status"] = Cat(self.busy, waits, errors.any(), self.overflow.any())
        values[None, "images"] = images
        values[None, "cycles"] = cycles
        seeds = [Signal(32, name=f"seed_{i}") for i in range(4)]
        values |= {(None, f"seed_{i}"): seed for i, seed in enumerate(seeds)}
        m.d.comb += [self.seed.eq(Cat(*seeds)), self.irq.eq((Cat(waits, errors.any()) & control).any())]
        with m.If(self.result_taken):
            m.d.sync += [images.eq(images + 1), cycles.eq(self.cycles)]
        for index in range(len(p.layers)):
            values[index, "flags"] = self.overflow[index]
            for name in _ACTIVITY:
                values[index, name] = kept = Signal(32, name=f"{name}_{index}")
                with m.If(self.result_taken):
                    m.d.sync += kept.eq(getattr(getattr(self, f"activity_{index}"), name))

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

        # Write: find the register, judge, then let the write through.
        writable, guarded, run_time = Signal(), Signal(), Signal()
        before, mask, merged = Signal(32), Signal(32), Signal(32)
        part, accepted, refused = Signal(), Signal(), Signal()
        with m.Switch(bus.write_address):
            for entry in entries:
                with m.Case(entry.address):
                    m.d.comb += [
                        writable.eq(entry.access != "ro"),
                        guarded.eq(entry.idle_only),
                        run_time.eq(isinstance(entry.register, Register)),
                        before.eq(words[entry.address] if entry.access == "rw" else 0),
                    ]
        bias = self._bias(m, part)
        m.d.comb += [
            mask.eq(Cat(bit.replicate(8) for bit in bus.write_strobe)),
            merged.eq((bus.write_data & mask) | (before & ~mask)),
            refused.eq(bus.write_enable & (guarded | bias) & ~part & self.busy),
            accepted.eq(bus.write_enable & (writable | bias) & ~part & ~refused),
            bus.write_error.eq(~accepted),
            self.load.valid.eq(accepted & (run_time | (bias & bus.write_strobe.all()))),
            self.load.payload.address.eq(bus.write_address[2:]),
            self.load.payload.data.eq(merged),
        ]
        flags = Cat(refused, self.frame_error)
        cleared = Signal(2)
        m.d.sync += errors.eq((errors & ~cleared) | flags)
        with m.If(accepted):
            with m.Switch(bus.write_address):
                for entry in entries:
                    if entry.name == "errors":
                        with m.Case(entry.address):
                            m.d.comb += cleared.eq(merged)
                    elif entry.access == "rw" and not isinstance(entry.register, Register):
                        with m.Case(entry.address):
                            target = control if entry.name == "control" else values[entry.layer, entry.name]
                            m.d.sync += target.eq(merged)
        return m
