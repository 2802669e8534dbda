"""From two wires to the accelerator: serial line, frames, and the requests in them."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.serial.access_port import AccessPort, axi_members, emulator_members
from spikeloom.hw.serial.executor import Executor
from spikeloom.hw.serial.frame_receiver import FrameReceiver
from spikeloom.hw.serial.frame_sender import FrameSender
from spikeloom.hw.serial.protocol import BRIDGE_REGISTERS, VERSION, Hello, most_payload, result_bytes
from spikeloom.hw.serial.uart import UartReceiver, UartTransmitter, checked_clocks

__all__ = ["MOST_LAYERS", "SerialBridge"]

MOST_LAYERS = 32
_COUNT_BITS = 8
_CLOCK_BITS = 48
_LIMITS = {
    "buffer_bytes": (64, 32768),
    "clock_Hz": (1, 0xFFFFFFFF),
    "layers": (1, MOST_LAYERS),
    "encoder_lanes": (1, 255),
}


def _checked(name: str, value: object) -> int:
    """`value`; SpikeLoomError if it is not an integer within the limits of parameter `name`."""
    low, high = _LIMITS[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentTypeError(f"{name} of the serial bridge must be an integer, not {value!r}")
    if not low <= value <= high:
        raise SpikeLoomError(f"{name} of the serial bridge must be from {low} to {high}, not {value}")
    return value


class SerialBridge(wiring.Component):
    """Registers, image frames and result frames of the accelerator, and its crossbar emulators, over a serial line.

    The protocol is that of `hw.serial.protocol`.

    Parameters
    ----------
    clocks_per_bit : clock cycles of a bit on the line, >= 4
    buffer_bytes : most bytes of a frame, requests and answers alike, without delimiters and escapes; a power of two
    clock_Hz : clock frequency, for the host's information
    layers, encoder_lanes : of the accelerator

    Members
    -------
    rx : In(1), tx : Out(1), the line
    s_axil_<name>, s_axis_pixels_<name>, m_axis_result_<name>, irq : as `NpuAxi` has them, the other direction
    load_<name> : bus of the emulators, see `hw.serial.access_port.emulator_members`
    chip_reset : Out(1), reset of the accelerator and of the emulators' state, while a RESET is carried out
    busy : Out(1), a request is carried out or answered, two images are held, or a result waits
    error : Out(1), there was a broken or a lost frame since the last HELLO
    quiet : Out(1), nothing happens until a byte comes

    Raises
    ------
    TypeError, ValueError : a parameter is not an integer or out of its range, or a buffer is too small for an answer
    """

    def __init__(
        self, *, clocks_per_bit: int, layers: int, encoder_lanes: int, clock_Hz: int, buffer_bytes: int = 2048
    ) -> None:
        self._hello = Hello(
            nonce=0,
            version=VERSION,
            buffer_bytes=_checked("buffer_bytes", buffer_bytes),
            clock_Hz=_checked("clock_Hz", clock_Hz),
            clocks_per_bit=checked_clocks(clocks_per_bit),
            encoder_lanes=_checked("encoder_lanes", encoder_lanes),
            layers=_checked("layers", layers),
        )
        if buffer_bytes & (buffer_bytes - 1):
            raise SpikeLoomError(f"buffer_bytes of the serial bridge must be a power of two, not {buffer_bytes}")
        if result_bytes(layers) > most_payload(buffer_bytes):
            raise SpikeLoomError(
                f"buffer_bytes of the serial bridge must be more than {buffer_bytes}: results of {layers} layers take "
                f"{result_bytes(layers)} bytes, and {most_payload(buffer_bytes)} fit"
            )
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1, init=1),
                **{f"s_axil_{name}": member for name, member in axi_members().items()},
                "s_axis_pixels_tdata": Out(8 * encoder_lanes),
                "s_axis_pixels_tlast": Out(1),
                "s_axis_pixels_tuser": Out(16),
                "s_axis_pixels_tvalid": Out(1),
                "s_axis_pixels_tready": In(1),
                "m_axis_result_tdata": In(64),
                "m_axis_result_tlast": In(1),
                "m_axis_result_tuser": In(16),
                "m_axis_result_tvalid": In(1),
                "m_axis_result_tready": Out(1),
                "irq": In(1),
                **emulator_members(),
                "chip_reset": Out(1),
                "busy": Out(1),
                "error": Out(1),
                "quiet": Out(1),
            }
        )

    @property
    def hello(self) -> Hello:
        """What is answered to HELLO, but for the nonce."""
        return self._hello

    def _line(self) -> tuple[UartReceiver, UartTransmitter]:
        """The two ends of the line."""
        clocks = self._hello.clocks_per_bit
        return UartReceiver(clocks_per_bit=clocks), UartTransmitter(clocks_per_bit=clocks)

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        hello = self._hello
        line_in, line_out = self._line()
        m.submodules.uart_receiver, m.submodules.uart_transmitter = line_in, line_out
        m.submodules.frame_receiver = frames = FrameReceiver(buffer_bytes=hello.buffer_bytes)
        m.submodules.executor = executor = Executor(hello=hello)
        m.submodules.access_port = access = AccessPort()
        m.submodules.frame_sender = answers = FrameSender(buffer_bytes=hello.buffer_bytes)

        # The way of a request, and of its answer.
        m.d.comb += [
            line_in.rx.eq(self.rx),
            frames.data.eq(line_in.data),
            frames.valid.eq(line_in.valid),
            frames.error.eq(line_in.error),
            frames.request_address.eq(executor.request_address),
            frames.free.eq(executor.free),
            executor.whole.eq(frames.whole),
            executor.length.eq(frames.length),
            executor.request_byte.eq(frames.request_byte),
            executor.broken.eq(frames.broken),
            answers.write.eq(executor.answer_write),
            answers.address.eq(executor.answer_address),
            answers.data.eq(executor.answer_data),
            answers.start.eq(executor.start),
            answers.sequence_number.eq(executor.sequence_number),
            answers.status.eq(executor.status),
            answers.length.eq(executor.answer_length),
            answers.empty.eq(executor.answer_empty),
            executor.busy.eq(answers.busy),
            line_out.i.payload.eq(answers.line_data),
            line_out.i.valid.eq(answers.line_valid),
            answers.line_ready.eq(line_out.i.ready),
            self.tx.eq(line_out.tx),
        ]

        # What it asks for.
        m.d.comb += [
            access.enable.eq(executor.access),
            access.write.eq(executor.access_write),
            access.address.eq(executor.access_address),
            access.data.eq(executor.access_data),
            executor.access_done.eq(access.done),
            executor.access_response.eq(access.response),
            executor.access_read.eq(access.read_data),
            access.reset.eq(executor.chip_reset),
            self.s_axis_pixels_tdata.eq(executor.pixels_data),
            self.s_axis_pixels_tlast.eq(executor.pixels_last),
            self.s_axis_pixels_tuser.eq(executor.pixels_tag),
            self.s_axis_pixels_tvalid.eq(executor.pixels_valid),
            executor.pixels_ready.eq(self.s_axis_pixels_tready),
            executor.result_data.eq(self.m_axis_result_tdata),
            executor.result_last.eq(self.m_axis_result_tlast),
            executor.result_tag.eq(self.m_axis_result_tuser),
            executor.result_valid.eq(self.m_axis_result_tvalid),
            self.m_axis_result_tready.eq(executor.result_ready),
            executor.irq.eq(self.irq),
            self.chip_reset.eq(executor.chip_reset),
        ]
        for name, member in {f"s_axil_{name}": member for name, member in axi_members().items()}.items():
            inner, outer = getattr(access, name.removeprefix("s_axil_")), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        for name, member in emulator_members().items():
            inner, outer = getattr(access, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        self._registers(m, access, frames, executor)
        m.d.comb += [
            self.busy.eq(~executor.idle | ~self.s_axis_pixels_tready | self.m_axis_result_tvalid),
            self.quiet.eq(executor.idle & line_in.idle & line_out.idle),
        ]
        return m

    def _registers(self, m: Module, access: AccessPort, frames: FrameReceiver, executor: Executor) -> None:
        """The bridge's own registers, and `error`."""
        broken, lost, requests = (
            Signal(_COUNT_BITS, name=name) for name in ("broken_frames", "lost_frames", "requests")
        )
        clock = Signal(_CLOCK_BITS)
        m.d.sync += clock.eq(clock + 1)
        for count, event in ((broken, frames.broken), (lost, frames.lost), (requests, executor.executed)):
            with m.If(event):
                m.d.sync += count.eq(count + 1)
        words = {
            "faults": Cat(broken, Const(0, 16 - _COUNT_BITS), lost),
            "requests": requests,
            "clock_low": clock[:32],
            "clock_high": clock[32:],
        }
        with m.Switch(access.register):
            for name, offset in BRIDGE_REGISTERS.items():
                with m.Case(offset // 4):
                    m.d.comb += access.register_data.eq(words[name])
        with m.If(frames.broken | frames.lost):
            m.d.sync += self.error.eq(1)
        with m.Elif(executor.greeted):
            m.d.sync += self.error.eq(0)
