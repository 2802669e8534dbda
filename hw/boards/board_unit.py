"""All of a chip that an FPGA can have: the accelerator, an emulator in the place of every crossbar, a serial port."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.emulator.cell_memory import BLOCK_BITS
from spikeloom.hw.emulator.crossbar_emulator import CrossbarEmulator
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.interfaces.emulator_port import EMULATOR_ADDRESS_BITS
from spikeloom.hw.npu_axi import NpuAxi
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.hw.serial.bridge import SerialBridge

__all__ = ["BoardUnit"]


class BoardUnit(wiring.Component):
    """A whole chip between two pins: what a board's FPGA has, but for its clock and the pins themselves.

    The accelerator is `NpuAxi` as it is in silicon, with its crossbars emulated; where they have noise, it also says
    which image and which read they are driven for. A RESET over the serial port resets
    it, and what its emulators are doing; cells and gains stay.

    Parameters
    ----------
    parameters : NpuParameters
    clock_Hz : clock frequency, for the host's information
    clocks_per_bit, buffer_bytes : of `SerialBridge`
    rows_per_cycle, levels, weight_bits : of `EmulatorShape`, for all layers
    gains : gain shift of every layer's converters; None for registers
    noise : amplitude of the noise of a conversion, of `EmulatorShape`, for all layers
    block_bits : of `CrossbarEmulator`

    Members
    -------
    rx : In(1), tx : Out(1), the serial line, synchronised inside
    busy : Out(1), see `SerialBridge`
    error : Out(1), see `SerialBridge`

    Raises
    ------
    TypeError, ValueError : a parameter of the emulators is out of range, or there are not as many gains as layers; of
        the line, when the circuit is made
    """

    def __init__(
        self,
        *,
        parameters: NpuParameters,
        clock_Hz: int,
        clocks_per_bit: int,
        buffer_bytes: int = 2048,
        rows_per_cycle: int = 1,
        levels: int = 16,
        weight_bits: int | None = None,
        gains: tuple[int, ...] | None = None,
        noise: int = 0,
        block_bits: int = BLOCK_BITS,
    ) -> None:
        layers = len(parameters.layers)
        if gains is not None and len(gains) != layers:
            raise SpikeLoomError(f"A board needs a gain shift for each of its {layers} layers, not {len(gains)}")
        self._parameters = parameters
        self._block_bits = block_bits
        self._shapes = tuple(
            EmulatorShape(
                parameters=layer,
                rows_per_cycle=rows_per_cycle,
                levels=levels,
                weight_bits=weight_bits,
                gain=gain,
                noise=noise,
            )
            for layer, gain in zip(parameters.layers, gains or [None] * layers, strict=True)
        )
        self._line = {"clocks_per_bit": clocks_per_bit, "clock_Hz": clock_Hz, "buffer_bytes": buffer_bytes}
        super().__init__({"rx": In(1), "tx": Out(1), "busy": Out(1), "error": Out(1)})

    @property
    def parameters(self) -> NpuParameters:
        """Of the accelerator, as they were given."""
        return self._parameters

    @property
    def clocks_per_bit(self) -> int:
        """Clock cycles of a bit of the serial line."""
        return self._line["clocks_per_bit"]

    @property
    def shapes(self) -> tuple[EmulatorShape, ...]:
        """Structure of every layer's emulator."""
        return self._shapes

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        p = self._parameters
        bridge = SerialBridge(layers=len(p.layers), encoder_lanes=p.encoder_lanes, **self._line)
        noisy = any(shape.noise for shape in self._shapes)
        unit = NpuAxi(parameters=p, read_address=noisy)
        m.submodules.bridge = bridge
        m.submodules.npu_axi = ResetInserter(bridge.chip_reset)(unit)
        m.d.comb += [
            bridge.rx.eq(self.rx),
            self.tx.eq(bridge.tx),
            self.busy.eq(bridge.busy),
            self.error.eq(bridge.error),
            bridge.irq.eq(unit.irq),
        ]
        for name, member in unit.signature.members.items():
            if name.startswith(("s_axi", "m_axi")):
                inner, outer = getattr(unit, name), getattr(bridge, name)
                m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        self._add_emulators(m, bridge, unit)
        return m

    def _add_emulators(self, m: Module, bridge: SerialBridge, unit: NpuAxi) -> None:
        """An emulator for every crossbar; the bridge reaches one at a time. Where there is none, that is an error."""
        layer = bridge.load_address[EMULATOR_ADDRESS_BITS:]
        m.d.comb += [bridge.load_ack.eq(bridge.load_write | bridge.load_read), bridge.load_error.eq(1)]
        for index, shape in enumerate(self._shapes):
            emulator = CrossbarEmulator(
                parameters=shape.parameters,
                rows_per_cycle=shape.rows_per_cycle,
                levels=shape.levels,
                weight_bits=shape.weight_bits,
                gain=shape.gain,
                noise=shape.noise,
                block_bits=self._block_bits,
            )
            m.submodules[f"emulator_{index}"] = emulator
            wiring.connect(m, getattr(unit, f"crossbar_{index}"), emulator.crossbar)
            if shape.noise:
                m.d.comb += [emulator.image.eq(unit.image), emulator.read.eq(getattr(unit, f"read_{index}"))]
            here = Value.cast(layer == index)
            m.d.comb += [
                emulator.reset.eq(bridge.chip_reset | unit.crossbar_reset),
                emulator.load.address.eq(bridge.load_address),
                emulator.load.data.eq(bridge.load_data),
                emulator.load.write.eq(bridge.load_write & here),
                emulator.load.read.eq(bridge.load_read & here),
            ]
            with m.If(here):
                m.d.comb += [
                    bridge.load_ack.eq(emulator.load.done),
                    bridge.load_error.eq(emulator.load.error),
                    bridge.load_read_data.eq(emulator.load.answer),
                ]
