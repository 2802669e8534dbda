"""One layer: row drivers, column readout, neurons and programmer around the layer's crossbar."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, flipped

from spikeloom.hw.interfaces.activity import ACTIVITY_BITS, ActivitySignature
from spikeloom.hw.interfaces.crossbar_port import CrossbarSignature
from spikeloom.hw.interfaces.programming_port import ProgrammerHostSignature, ProgramSettingsSignature
from spikeloom.hw.interfaces.registers import layer_registers
from spikeloom.hw.interfaces.streams import fired_layout, vector_layout
from spikeloom.hw.layer.adc_readout import ColumnReadout
from spikeloom.hw.layer.dac_driver import DacDriver
from spikeloom.hw.layer.neuron_array import BiasWriteSignature, NeuronArray
from spikeloom.hw.layer.programmer import Programmer
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.primitives.activity_counter import ActivityCounter

__all__ = ["LayerCore"]


def _programming_members(parameters: LayerParameters) -> dict[str, wiring.Member]:
    """Ports of the programmer and its settings."""
    return {"programmer": In(ProgrammerHostSignature(parameters)), "program": In(ProgramSettingsSignature())}


def _counting_members() -> dict[str, wiring.Member]:
    """Ports of the activity counters."""
    return {"clear_activity": In(1), "activity": Out(ActivitySignature())}


class LayerCore(wiring.Component):
    """DacDriver -> ColumnReadout -> NeuronArray, the counters of what they do, and the Programmer of the cells.

    The programmer gets the crossbar between two vectors; vectors wait until it is done. A layer may be built without.

    Parameters
    ----------
    parameters : LayerParameters
    pulse_cycles : clock cycles a read pulse drives the rows, >= 1

    Members
    -------
    i : In(stream of vector_layout), the layer's input of one read: of a step, or of one of its positions
    o : Out(stream of fired_layout), `groups` transfers per vector
    crossbar : Out(CrossbarSignature)
    theta, v0, clip, leak, reset, gain : In, registers (`hw.interfaces.registers`), those that the layer has, stable
        while a vector is being processed
    bias_write : In(BiasWriteSignature), only while no vector is being processed
    clear_flags : In(1), clears `overflow`
    overflow : Out(1), sticky: a membrane saturated
    clear_activity : In(1), starts the counters over; only with counters
    activity : Out(ActivitySignature), only with counters; an event shows in the counters two cycles later, a conversion
        and a saturation three
    programmer : In(ProgrammerHostSignature), only with a programmer
    program : In(ProgramSettingsSignature), only with a programmer

    Cycles
    ------
    A vector offered in cycle 0 to the idle layer, a macro that raises `sampled` in the s-th cycle of `drive` (s >= 1)
    and `done` a cycles after `convert` with a new column (a = 0: the same cycle): with D = max(pulse_cycles, s), or 0
    for a silent vector (which has a = 0 too), group j = 0 .. groups - 1 is valid at `o` in cycle

        D + 1 + (j + 1) * (a + 1) + NEURON_CYCLES

    if `o` is never stalled. The next vector is seen in cycle D + 2 + groups * (a + 1), once `sampled` has fallen.
    """

    def __init__(self, *, parameters: LayerParameters, pulse_cycles: int) -> None:
        self._parameters = parameters
        self._pulse_cycles = pulse_cycles
        super().__init__(
            {
                "i": In(stream.Signature(vector_layout(parameters))),
                "o": Out(stream.Signature(fired_layout(parameters))),
                "crossbar": Out(CrossbarSignature(parameters)),
                **{register.name: In(register.shape(parameters)) for register in layer_registers(parameters)},
                "bias_write": In(BiasWriteSignature(parameters)),
                "clear_flags": In(1),
                "overflow": Out(1),
                **(_counting_members() if parameters.activity_counters else {}),
                **(_programming_members(parameters) if parameters.programmer else {}),
            }
        )

    @property
    def parameters(self) -> LayerParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    @property
    def pulse_cycles(self) -> int:
        """Shortest read pulse, clock cycles."""
        return self._pulse_cycles

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        parameters = self._parameters
        m.submodules.dac_driver = driver = DacDriver(parameters=parameters, pulse_cycles=self._pulse_cycles)
        m.submodules.column_readout = readout = ColumnReadout(parameters=parameters)
        m.submodules.neuron_array = neurons = NeuronArray(parameters=parameters)

        wiring.connect(m, flipped(self.i), driver.i)
        wiring.connect(m, driver.o, readout.i)
        wiring.connect(m, readout.o, neurons.i)
        wiring.connect(m, neurons.o, flipped(self.o))
        wiring.connect(m, flipped(self.bias_write), neurons.bias_write)
        port = self.crossbar
        m.d.comb += [
            port.rows.eq(driver.xbar.rows),
            port.tiles.eq(driver.xbar.tiles),
            port.drive.eq(driver.xbar.drive),
            driver.xbar.sampled.eq(port.sampled),
            port.column.eq(readout.xbar.column),
            port.convert.eq(readout.xbar.convert),
            Value.cast(readout.xbar.codes).eq(Value.cast(port.codes)),
            readout.xbar.over.eq(port.over),
            readout.xbar.done.eq(port.done),
        ]
        if parameters.programmer:
            self._program(m, driver)

        m.d.comb += [
            getattr(neurons, register.name).eq(getattr(self, register.name))
            for register in layer_registers(parameters)
            if register.name != "gain"
        ]
        m.d.comb += [
            readout.gain.eq(self.gain),
            neurons.clear_flags.eq(self.clear_flags),
            self.overflow.eq(neurons.overflow),
        ]

        if parameters.activity_counters:
            self._count(m, driver, readout, neurons)
        return m

    def _count(self, m: Module, driver: DacDriver, readout: ColumnReadout, neurons: NeuronArray) -> None:
        """Count what the three do."""
        parameters, column_tiles = self._parameters, self._parameters.column_tiles
        events = {
            "row_pulses": (driver.pulse_count * column_tiles, parameters.inputs * column_tiles),
            "tile_reads": (driver.tiles_read * column_tiles, parameters.row_tiles * column_tiles),
            "conversions": (readout.converted, parameters.row_tiles * parameters.lanes),
            "saturations": (readout.saturated, parameters.row_tiles * parameters.lanes),
            "spikes": (neurons.spiked, parameters.lanes),
        }
        clear = Signal()
        m.d.sync += clear.eq(self.clear_activity)
        for name, (amount, largest) in events.items():
            m.submodules[name] = counter = ActivityCounter(amount_bits=largest.bit_length(), bits=ACTIVITY_BITS)
            counted = Signal.like(counter.amount, name=f"{name}_counted")  # events are counted, then added up
            m.d.sync += counted.eq(amount)
            m.d.comb += [
                counter.amount.eq(counted),
                counter.clear.eq(clear),
                getattr(self.activity, name).eq(counter.value),
            ]

    def _program(self, m: Module, driver: DacDriver) -> None:
        """The programmer, between the host and the crossbar."""
        m.submodules.programmer = programmer = Programmer(parameters=self._parameters)
        wiring.connect(m, flipped(self.programmer), programmer.host)
        wiring.connect(m, flipped(self.program), programmer.settings)
        m.d.comb += [
            driver.program_request.eq(programmer.program_request),
            programmer.program_grant.eq(driver.program_grant),
        ]
        for name, member in programmer.xbar.signature.members.items():
            inner, outer = Value.cast(getattr(programmer.xbar, name)), Value.cast(getattr(self.crossbar, name))
            m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
