"""The unit with standard buses: AXI4-Lite for registers, AXI4-Stream for pixels and results."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, flipped

from hw.axi_lite import AxiLite, axi_lite_members
from hw.crossbar_port import CrossbarSignature
from hw.encoder_pair import TAG_BITS
from hw.host_block import HostBlock
from hw.host_registers import ADDRESS_BITS
from hw.npu import Npu
from hw.params import NpuParameters

__all__ = ["RESULT_LAYOUT", "TAG_BITS", "NpuAxi"]

RESULT_LAYOUT = data.StructLayout({"winner": 15, "overflow": 1, "steps": 15, "reason": 1, "margin": signed(32)})
"""Bits of `m_axis_result_tdata`, the same in every build."""


class NpuAxi(wiring.Component):
    """The unit behind AXI4-Lite (registers) and AXI4-Stream (pixels in, results out).

    Registers are those of `hw.host_registers`. The unit counts the words of an image itself: a `tlast` that comes with
    another word than an image's last, or is missing there, changes nothing but the flag `errors.frame`.

    Parameters
    ----------
    parameters : NpuParameters

    Members
    -------
    s_axil_<name> : the AXI4-Lite bus, see `hw.axi_lite.axi_lite_members`; addresses of 26 bits
    s_axis_pixels_tdata, _tlast, _tuser, _tvalid, _tready : words of an image, pixel 0 of a word lowest; `tuser` of an
        image's first word is its tag
    m_axis_result_tdata, _tlast, _tuser, _tvalid, _tready : the answer in the bits of `RESULT_LAYOUT`, and the image's
        tag; `tlast` is always 1. `overflow` says that a membrane has saturated since `clear_flags` was written
    irq : Out(1), see register `control`
    crossbar_<l> : Out(CrossbarSignature)

    Cycles: an image takes the cycles it takes in `Npu`, an access those it takes in `AxiLite`.

    Raises
    ------
    ValueError : a field of the result is wider than `RESULT_LAYOUT` allows
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        widths = {"winner": parameters.class_bits, "steps": parameters.step_bits, "margin": parameters.margin_bits}
        for name, bits in widths.items():
            most = RESULT_LAYOUT[name].width
            if bits > most:
                raise ValueError(f"Result field {name} must have at most {most} bits to fit the stream, not {bits}")
        self._parameters = parameters
        super().__init__(
            {
                **{f"s_axil_{name}": member for name, member in axi_lite_members(ADDRESS_BITS).items()},
                "s_axis_pixels_tdata": In(8 * parameters.encoder_lanes),
                "s_axis_pixels_tlast": In(1),
                "s_axis_pixels_tuser": In(TAG_BITS),
                "s_axis_pixels_tvalid": In(1),
                "s_axis_pixels_tready": Out(1),
                "m_axis_result_tdata": Out(RESULT_LAYOUT),
                "m_axis_result_tlast": Out(1),
                "m_axis_result_tuser": Out(TAG_BITS),
                "m_axis_result_tvalid": Out(1),
                "m_axis_result_tready": In(1),
                "irq": Out(1),
                **{f"crossbar_{index}": Out(CrossbarSignature(p)) for index, p in enumerate(parameters.layers)},
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self._parameters
        m.submodules.npu = npu = Npu(parameters=p)
        m.submodules.axi_lite = axi_lite = AxiLite(address_bits=ADDRESS_BITS)
        m.submodules.host = host = HostBlock(parameters=p)

        for name, member in axi_lite_members(ADDRESS_BITS).items():
            inner, outer = getattr(axi_lite, name), getattr(self, f"s_axil_{name}")
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        wiring.connect(m, axi_lite.registers, host.bus)
        wiring.connect(m, host.load, npu.load)

        # Pixels.
        last, taken = Signal(), Signal()
        word = Signal(range(max(2, p.pixel_words)))
        m.d.comb += [
            Value.cast(npu.pixels.payload).eq(self.s_axis_pixels_tdata),
            npu.pixels.valid.eq(self.s_axis_pixels_tvalid),
            self.s_axis_pixels_tready.eq(npu.pixels.ready),
            npu.seed.eq(host.seed),
            npu.tag.eq(self.s_axis_pixels_tuser),
            taken.eq(npu.pixels.valid & npu.pixels.ready),
            last.eq(word == p.pixel_words - 1),
            host.frame_error.eq(taken & (self.s_axis_pixels_tlast != last)),
        ]
        with m.If(taken):
            m.d.sync += word.eq(word + 1)
            with m.If(last):
                m.d.sync += word.eq(0)

        # Result.
        result, answer = npu.result.payload, self.m_axis_result_tdata
        m.d.comb += [
            answer.winner.eq(result.winner),
            answer.overflow.eq(npu.overflow.any()),
            answer.steps.eq(result.steps),
            answer.reason.eq(result.reason),
            answer.margin.eq(result.margin),
            self.m_axis_result_tlast.eq(1),
            self.m_axis_result_tuser.eq(npu.result_tag),
            self.m_axis_result_tvalid.eq(npu.result.valid),
            npu.result.ready.eq(self.m_axis_result_tready),
            host.result_waits.eq(npu.result.valid),
            host.result_taken.eq(npu.result.valid & npu.result.ready),
            host.busy.eq(~npu.load.ready),
            host.cycles.eq(npu.cycles),
            host.overflow.eq(npu.overflow),
            self.irq.eq(host.irq),
        ]
        for index in range(len(p.layers)):
            wiring.connect(m, getattr(npu, f"activity_{index}"), getattr(host, f"activity_{index}"))
            wiring.connect(m, getattr(npu, f"crossbar_{index}"), flipped(getattr(self, f"crossbar_{index}")))
        return m
