"""The accelerator with standard buses: AXI4-Lite for registers, AXI4-Stream for image frames and result frames."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, flipped

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.host.axi_lite import AxiLite, axi_lite_members
from spikeloom.hw.host.host_block import HostBlock
from spikeloom.hw.host.pixel_stream import PixelStream
from spikeloom.hw.host.register_map import ADDRESS_BITS
from spikeloom.hw.host.result_stream import ResultStream
from spikeloom.hw.interfaces.crossbar_port import CrossbarSignature
from spikeloom.hw.interfaces.streams import RESULT_LAYOUT, TAG_BITS, frame_words
from spikeloom.hw.npu import Npu
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["NpuAxi"]


class NpuAxi(wiring.Component):
    """The unit behind AXI4-Lite (registers) and AXI4-Stream (image frames in, result frames out).

    Registers are those of `hw.host.register_map`, image frames those of `hw.host.pixel_stream`, result frames those of
    `hw.host.result_stream`. A soft reset (register `reset`) leaves the bus and a word that waits on the result stream
    alone; everything else is as after `rst`.

    Parameters
    ----------
    parameters : NpuParameters
    read_address : of `Npu`

    Members
    -------
    s_axil_<name> : the AXI4-Lite bus, see `hw.host.axi_lite.axi_lite_members`; addresses of 26 bits
    s_axis_pixels_tdata, _tlast, _tuser, _tvalid, _tready : image frames, byte 0 of a word lowest; `tuser` of a frame's
        first word is its tag
    m_axis_result_tdata, _tlast, _tuser, _tvalid, _tready : result frames; `tuser` is the image's tag in every word. The
        first word has the bits of `RESULT_LAYOUT`, `overflow` says that a membrane has saturated since `clear_flags`
        was written; with `control.activity` the words of `hw.host.host_counters` follow, those of layers only with
        activity counters
    irq : Out(1), see register `control`
    crossbar_reset : Out(1), soft reset: the macros' reset besides `rst`; their cells stay
    crossbar_<l> : Out(CrossbarSignature)
    image : Out(16), tag of the current image, and read_<l> : Out(32), see `Npu`; only with `read_address`

    Cycles: an image takes the cycles it takes in `Npu`, its result frame begins one cycle later; an access takes those
    it takes in `AxiLite`. A soft reset lasts for the cycle after its write is made, in which no word is taken from a
    frame.

    Raises
    ------
    ValueError : a field of the result is wider than `RESULT_LAYOUT` allows
    """

    def __init__(self, *, parameters: NpuParameters, read_address: bool = False) -> None:
        widths = {"winner": parameters.class_bits, "steps": parameters.step_bits, "margin": parameters.margin_bits}
        for name, bits in widths.items():
            most = RESULT_LAYOUT[name].width
            if bits > most:
                raise SpikeLoomError(f"Result field {name} must have at most {most} bits to fit the stream, not {bits}")
        self._parameters = parameters
        self._read_address = read_address
        reads = {"image": Out(TAG_BITS), **{f"read_{index}": Out(32) for index in range(len(parameters.layers))}}
        super().__init__(
            {
                **{f"s_axil_{name}": member for name, member in axi_lite_members(ADDRESS_BITS).items()},
                "s_axis_pixels_tdata": In(8 * parameters.encoder_lanes),
                "s_axis_pixels_tlast": In(1),
                "s_axis_pixels_tuser": In(TAG_BITS),
                "s_axis_pixels_tvalid": In(1),
                "s_axis_pixels_tready": Out(1),
                "m_axis_result_tdata": Out(64),
                "m_axis_result_tlast": Out(1),
                "m_axis_result_tuser": Out(TAG_BITS),
                "m_axis_result_tvalid": Out(1),
                "m_axis_result_tready": In(1),
                "irq": Out(1),
                "crossbar_reset": Out(1),
                **{f"crossbar_{index}": Out(CrossbarSignature(p)) for index, p in enumerate(parameters.layers)},
                **(reads if read_address else {}),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        p = self._parameters
        npu = Npu(parameters=p, read_address=self._read_address)
        host, pixels = HostBlock(parameters=p), PixelStream(parameters=p)
        reset = Signal()
        m.submodules.axi_lite = axi_lite = AxiLite(address_bits=ADDRESS_BITS)
        m.submodules.host = ResetInserter(reset)(host)
        m.submodules.pixels = ResetInserter(reset)(pixels)
        m.submodules.npu = ResetInserter(reset)(npu)
        m.submodules.results = results = ResultStream(further=frame_words(p) - 1)
        m.d.comb += [reset.eq(host.reset), self.crossbar_reset.eq(reset)]

        # Registers, settings, targets.
        for name, member in axi_lite_members(ADDRESS_BITS).items():
            inner, outer = getattr(axi_lite, name), getattr(self, f"s_axil_{name}")
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        wiring.connect(m, axi_lite.registers, host.bus)
        self._connect(m, host, npu)

        # Image frames.
        wiring.connect(m, pixels.pixels, npu.pixels)
        m.d.comb += [
            pixels.i.payload.data.eq(self.s_axis_pixels_tdata),
            pixels.i.payload.last.eq(self.s_axis_pixels_tlast),
            pixels.i.payload.tag.eq(self.s_axis_pixels_tuser),
            pixels.i.valid.eq(self.s_axis_pixels_tvalid & ~reset),
            self.s_axis_pixels_tready.eq(pixels.i.ready & ~reset),
            pixels.open.eq(host.open),
            pixels.timeout.eq(host.timeout),
            npu.tag.eq(pixels.tag),
            npu.drop.eq(pixels.drop),
            host.busy.eq(pixels.begun | ~npu.load.ready),
            host.wrong_frame.eq(pixels.wrong_frame),
            host.unloaded.eq(pixels.unloaded),
            host.frame_timed_out.eq(pixels.timed_out),
        ]

        if p.draws_seeds:
            m.d.comb += [
                pixels.seeds.eq(host.seeds),
                pixels.default_seed.eq(host.seed),
                npu.seed.eq(pixels.seed),
            ]

        # Result frames.
        result, answer, word = npu.result.payload, results.i.payload.word, results.o.payload
        m.d.comb += [
            answer.winner.eq(result.winner),
            answer.overflow.eq(npu.overflow.any()),
            answer.steps.eq(result.steps),
            answer.reason.eq(result.reason),
            answer.margin.eq(result.margin),
            results.i.payload.tag.eq(npu.result_tag),
            results.i.valid.eq(npu.result.valid),
            npu.result.ready.eq(results.i.ready),
            results.more.eq(host.activity),
            results.counters.eq(host.counters),
            results.clear.eq(reset),
            self.m_axis_result_tdata.eq(word.data),
            self.m_axis_result_tlast.eq(word.last),
            self.m_axis_result_tuser.eq(word.tag),
            self.m_axis_result_tvalid.eq(results.o.valid),
            results.o.ready.eq(self.m_axis_result_tready),
            host.result_waits.eq(results.o.valid),
            host.result_taken.eq(npu.result.valid & npu.result.ready),
            host.cycles.eq(npu.cycles),
            host.gap.eq(npu.gap),
            host.overflow.eq(npu.overflow),
            self.irq.eq(host.irq),
        ]
        return m

    def _connect(self, m: Module, host: HostBlock, npu: Npu) -> None:
        """The unit with what its host reaches, and with its crossbars."""
        p = self._parameters
        wiring.connect(m, host.load, npu.load)
        if p.programmer:
            wiring.connect(m, host.program, npu.program)
        for index in range(len(p.layers)):
            if p.programmer:
                wiring.connect(m, getattr(host, f"programmer_{index}"), getattr(npu, f"programmer_{index}"))
            if p.activity_counters:
                wiring.connect(m, getattr(npu, f"activity_{index}"), getattr(host, f"activity_{index}"))
            wiring.connect(m, getattr(npu, f"crossbar_{index}"), flipped(getattr(self, f"crossbar_{index}")))
            if self._read_address:
                m.d.comb += getattr(self, f"read_{index}").eq(getattr(npu, f"read_{index}"))
        if self._read_address:
            m.d.comb += self.image.eq(npu.result_tag)
