"""The neural processing unit: encoder, layers, decision, registers, and the controller that steps them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, flipped

from spikeloom.hw.control.controller import Controller
from spikeloom.hw.control.register_file import RegisterFile
from spikeloom.hw.decision.spike_counter import SpikeCounter
from spikeloom.hw.decision.terminator import Terminator
from spikeloom.hw.encoder.encoder_pair import EncoderPair
from spikeloom.hw.encoder.single_encoder import SingleEncoder
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.feature_maps.stages import join_maps
from spikeloom.hw.interfaces.activity import ActivitySignature
from spikeloom.hw.interfaces.crossbar_port import CrossbarSignature
from spikeloom.hw.interfaces.programming_port import ProgrammerHostSignature, ProgramSettingsSignature
from spikeloom.hw.interfaces.registers import BIAS_OFFSET, MAX_BIASES, MAX_LAYERS, global_registers, layer_registers
from spikeloom.hw.interfaces.streams import CYCLE_BITS, TAG_BITS, load_layout, pixels_layout, result_layout
from spikeloom.hw.layer.layer_core import LayerCore
from spikeloom.hw.layer.spike_collector import SpikeCollector
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["Npu"]


class Npu(wiring.Component):
    """A spiking network on crossbars: one image is processed, the next one stored meanwhile.

    With two encoders the next image's first vector is prepared, too. Dense layers in a row are joined vector by vector.
    A plan with windows, pooling or residual additions has maps between its stages (`hw.feature_maps.stages`).

    Parameters
    ----------
    parameters : NpuParameters
    read_address : whether the unit says which image and which read its crossbars are driven for, for devices with
        noise of their own

    Members
    -------
    pixels : In(stream of pixels_layout), `pixel_words` words per image; ready unless the unit holds two whole images
    seed : In(128), seed of the rate coding, taken with the image's first word; only with that coding
    tag : In(16), any number to tell images apart, taken with the image's first word
    drop : In(1), forget the image whose words are still coming; it gives no result. No effect if there is none; no
        word is taken in this cycle, so that the next one is an image's first
    load : In(stream of load_layout), register writes (`hw.interfaces.registers`); ready only while the unit holds no
        image, not even a part of one. A write offered together with the first pixel word of an image then goes first.
    result : Out(stream of result_layout), the images' answers in the order of the images
    result_tag : Out(16), tag of the current image; valid with `result.valid`
    cycles : Out(32), clock cycles from the image's start to the first cycle of `result.valid`. An image starts with
        the transfer of its first pixel word or of the result before it, whichever is later
    gap : Out(32), clock cycles between the transfer of the result before (or reset) and the first cycle in which the
        image's first vector (or map) is offered to the first layer or stage (0 if one follows the other); valid with
        `result.valid`
    overflow : Out(layers), bit l: a membrane of layer l saturated since reset or the last write of `clear_flags`
    program : In(ProgramSettingsSignature), shared by the layers' programmers; only with them
    programmer_<l> : In(ProgrammerHostSignature), programs the cells of layer l; only with programmers
    activity_<l> : Out(ActivitySignature), of the current image; valid with `result.valid`; only with counters
    crossbar_<l> : Out(CrossbarSignature)
    read_<l> : Out(32), number of the read that layer l is driven for in the first cycle of its `drive`: step *
        positions + position, steps from 1 on. The image is the one with `result_tag`. Only with `read_address`

    Cycles
    ------
    A step of dense layers in a row takes the drives and conversions of its layers, one after another; with maps, each
    stage overlaps gathering, driving and converting its windows. `hw.params.cycles` computes both, to the cycle;
    docs/hardware/npu.md has the formulas, and examples worked through.
    """

    def __init__(self, *, parameters: NpuParameters, read_address: bool = False) -> None:
        self._parameters = parameters
        self._read_address = read_address
        layers = len(parameters.layers)
        members = {
            "pixels": In(stream.Signature(pixels_layout(parameters))),
            **({"seed": In(128)} if parameters.draws_seeds else {}),
            "tag": In(TAG_BITS),
            "drop": In(1),
            "load": In(stream.Signature(load_layout())),
            "result": Out(stream.Signature(result_layout(parameters))),
            "result_tag": Out(TAG_BITS),
            "cycles": Out(CYCLE_BITS),
            "gap": Out(CYCLE_BITS),
            "overflow": Out(layers),
        }
        if parameters.programmer:
            members["program"] = In(ProgramSettingsSignature())
        if layers > MAX_LAYERS:
            raise SpikeLoomError(f"A unit must have 1 .. {MAX_LAYERS} layers, replicas counted, not {layers}")
        for index, layer in enumerate(parameters.layers):
            if layer.outputs > MAX_BIASES:
                raise SpikeLoomError(f"Layer {index}: outputs must be in 1 .. {MAX_BIASES}, not {layer.outputs}")
            if parameters.activity_counters:
                members[f"activity_{index}"] = Out(ActivitySignature())
            if parameters.programmer:
                members[f"programmer_{index}"] = In(ProgrammerHostSignature(layer))
            members[f"crossbar_{index}"] = Out(CrossbarSignature(layer))
            if read_address:
                members[f"read_{index}"] = Out(32)
        super().__init__(members)

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def _configure(self, m: Module, registers: RegisterFile, index: int, core: LayerCore) -> None:
        """Give layer `index` its registers and its share of the bias writes."""
        there = layer_registers(self._parameters.layers[index])
        m.submodules[f"registers_{index}"] = layer = RegisterFile(
            registers=there, scope=index + 1, parameters=self._parameters.layers[index]
        )
        m.d.comb += [layer.load.eq(registers.load), layer.write.eq(registers.write)]
        m.d.comb += [getattr(core, r.name).eq(getattr(layer, r.name)) for r in there]
        address = registers.load.address
        outputs = self._parameters.layers[index].outputs
        offset = address[:16]
        is_bias = (address[16:] == index + 1) & (offset >= BIAS_OFFSET) & (offset < BIAS_OFFSET + outputs)
        m.d.comb += [
            core.bias_write.index.eq(address[:15]),
            core.bias_write.value.eq(registers.load.data),
            core.bias_write.enable.eq(registers.write & is_bias),
        ]

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        parameters = self._parameters

        m.submodules.registers = registers = RegisterFile(
            registers=global_registers(parameters), scope=0, parameters=parameters
        )
        m.submodules.controller = controller = Controller(parameters=parameters)
        encoders = EncoderPair if parameters.encoders == 2 else SingleEncoder
        m.submodules.encoder = encoder = encoders(parameters=parameters)
        m.submodules.counter = counter = SpikeCounter(parameters=parameters)
        m.submodules.terminator = terminator = Terminator(parameters=parameters)
        cores = [LayerCore(parameters=p, pulse_cycles=parameters.pulse_cycles) for p in parameters.layers]

        for index, core in enumerate(cores):
            m.submodules[f"layer_{index}"] = core
            self._configure(m, registers, index, core)
            m.d.comb += [
                core.clear_flags.eq(registers.clear_flags),
                self.overflow[index].eq(core.overflow),
            ]
            wiring.connect(m, core.crossbar, flipped(getattr(self, f"crossbar_{index}")))
            if parameters.activity_counters:
                m.d.comb += core.clear_activity.eq(controller.restart)
                wiring.connect(m, core.activity, flipped(getattr(self, f"activity_{index}")))
            if parameters.programmer:
                wiring.connect(m, flipped(getattr(self, f"programmer_{index}")), core.programmer)
                wiring.connect(m, flipped(self.program), core.program)
            if self._read_address:
                positions = core.parameters.positions
                place = core.i.p.position if positions > 1 else 0
                m.d.comb += getattr(self, f"read_{index}").eq(controller.step * positions + place)

        # Host side: an image starts only where no write is offered, and no write comes into an image.
        accept = Signal()
        m.d.comb += [
            accept.eq(~(controller.idle & self.load.valid)),
            encoder.pixels.payload.eq(self.pixels.payload),
            encoder.pixels.valid.eq(self.pixels.valid & accept),
            self.pixels.ready.eq(encoder.pixels.ready & accept),
            encoder.drop.eq(self.drop),
            controller.current.eq(encoder.current),
            self.load.ready.eq(controller.idle),
            registers.load.eq(self.load.payload),
            registers.write.eq(self.load.valid & self.load.ready),
            encoder.tag.eq(self.tag),
            *_settings(parameters, encoder, registers),
            encoder.restart.eq(controller.restart),
            controller.skip.eq(registers.skip),
            self.result_tag.eq(encoder.o_tag),
            self.cycles.eq(controller.cycles),
            self.gap.eq(controller.gap),
        ]

        if parameters.draws_seeds:
            m.d.comb += encoder.seed.eq(self.seed)
        if parameters.plan.is_dense_chain:
            self._join_chain(m, encoder, controller, cores)
        else:
            join_maps(m, parameters, encoder, controller, cores)

        # Decision.
        wiring.connect(m, cores[-1].o, counter.i)
        wiring.connect(m, counter.o, terminator.i)
        wiring.connect(m, terminator.o, controller.verdict)
        wiring.connect(m, controller.result, flipped(self.result))
        m.d.comb += [
            counter.readout.eq(registers.readout),
            *_settings(parameters, terminator, registers),
            terminator.step.eq(controller.step),
        ]
        return m

    def _join_chain(
        self, m: Module, encoder: EncoderPair | SingleEncoder, controller: Controller, cores: list[LayerCore]
    ) -> None:
        """Dense layers in a row: encoder, admission gate, layer 0, collector 0, ..., final gate, last layer."""
        m.d.comb += [controller.vector_valid.eq(encoder.o.valid), encoder.o.ready.eq(controller.vector_ready)]
        vectors = [(encoder.o.p, controller.admit_valid, controller.admit_ready)]
        for index, core in enumerate(cores[:-1]):
            m.submodules[f"collector_{index}"] = collector = SpikeCollector(parameters=core.parameters)
            wiring.connect(m, core.o, collector.i)
            vectors.append((collector.o.p, collector.o.valid, collector.o.ready))
        for core, (payload, valid, ready) in zip(cores[:-1], vectors[:-1], strict=True):
            m.d.comb += [core.i.p.eq(payload), core.i.valid.eq(valid), ready.eq(core.i.ready)]
        payload, valid, ready = vectors[-1]
        m.d.comb += [
            controller.last_valid.eq(valid),
            ready.eq(controller.last_ready),
            cores[-1].i.p.eq(payload),
            cores[-1].i.p.first.eq(controller.final_first),
            cores[-1].i.valid.eq(controller.final_valid),
            controller.final_ready.eq(cores[-1].i.ready),
        ]


def _settings(parameters: NpuParameters, block: wiring.Component, registers: RegisterFile) -> list[Any]:
    """Every register of the unit to the block's port of its name, if it has one."""
    names = [register.name for register in global_registers(parameters) if register.name in block.signature.members]
    return [getattr(block, name).eq(getattr(registers, name)) for name in names]
