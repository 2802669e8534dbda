"""The neurons of a layer: a row of neuron circuits, and their membranes and biases in memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.registers import layer_registers
from spikeloom.hw.interfaces.streams import copy_marks, fired_layout, sums_layout
from spikeloom.hw.params.parameters import LayerParameters, Reset
from spikeloom.hw.primitives.adder_tree import adder_tree

__all__ = ["BiasWriteSignature", "NeuronArray"]


class BiasWriteSignature(wiring.Signature):
    """Write port of a layer's bias memory, as seen from who writes.

    Members
    -------
    index : Out(bits of outputs - 1), the neuron
    value : Out(signed(bias_bits)), its bias
    enable : Out(1), write in this cycle
    """

    def __init__(self, parameters: LayerParameters) -> None:
        super().__init__(
            {
                "index": Out(range(max(2, parameters.outputs))),
                "value": Out(signed(parameters.bias_bits)),
                "enable": Out(1),
            }
        )


class NeuronArray(wiring.Component):
    """Integrate and fire, `lanes` neurons at a time; a column has a neuron of its own at every position.

    A neuron's step in phase p of K, all in two's complement integers, membranes in units of the last phase:

        V <- v0 if first, else its membrane                    (no sweep over the memory between images)
        V <- V - (V >> leak)             if leak > 0           (arithmetic shift)
        V <- saturate(V + ((sum + bias) << (K-1-p)))           [WS eq. 8]; `overflow` is set if it saturates
        V <- min(max(V, -clip), clip)    if clip > 0
        spike = V >= theta << (K-1-p)
        V <- V - (theta << (K-1-p)) | 0 | V   if spike         reset SUBTRACT [WS eq. 10] | ZERO [WK eq. 3] | NONE

    What the layer does not have (its parameters leak, clip, resets) is not built: no leak and no clip are as 0; a
    single kind of reset follows every spike.

    The membrane in memory and in `o` is the one after the reset. At most max_steps steps after a `first`,
    membrane_bits are wide enough for V never to saturate.

    Cycles: takes a group per cycle; a group taken in cycle t is valid at `o` in cycle t + 2 (later only under
    back-pressure). A group may be followed by the same group at once: its new membrane is forwarded.

    Parameters
    ----------
    parameters : the layer's parameters

    Members
    -------
    i : In(stream of sums_layout), groups 0 .. groups - 1 of a position
    o : Out(stream of fired_layout); lanes past the last output: no spike, membrane 0
    theta : In(theta_bits), threshold in the last phase, >= 1; this and the next four are constant during an image
    v0 : In(signed(v0_bits)), membrane at an image's start
    clip : In(membrane_bits - 1), largest magnitude of a membrane, 0 for no limit; with a clip only
    leak : In(4), leak shift 1 .. 15, 0 for no leak; with a leak only
    reset : In(2), a Reset; with several kinds of them only. One that the layer does not have leaves the membrane
    bias_write : In(BiasWriteSignature), never during an image; a bias that was not written since the reset is 0
    clear_flags : In(1), clears `overflow`
    overflow : Out(1), a membrane has saturated since the last `clear_flags`
    spiked : Out(range(lanes + 1)), number of spikes that pass `o` in this cycle (0 without a transfer)
    """

    def __init__(self, *, parameters: LayerParameters) -> None:
        self._parameters = parameters
        lanes, groups = parameters.lanes, parameters.groups
        membranes = unsigned(lanes * parameters.membrane_bits)
        self._membranes = memory.MemoryData(shape=membranes, depth=parameters.positions * groups, init=[])
        self._biases = memory.MemoryData(shape=unsigned(lanes * parameters.bias_bits), depth=groups, init=[])
        names = {register.name for register in layer_registers(parameters)}
        settings = {"clip": In(parameters.membrane_bits - 1), "leak": In(4), "reset": In(2)}
        features = {name: member for name, member in settings.items() if name in names}
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(parameters))),
                "o": Out(stream.Signature(fired_layout(parameters))),
                "theta": In(parameters.theta_bits),
                "v0": In(signed(parameters.v0_bits)),
                **features,
                "bias_write": In(BiasWriteSignature(parameters)),
                "clear_flags": In(1),
                "overflow": Out(1),
                "spiked": Out(range(lanes + 1)),
            }
        )

    @property
    def parameters(self) -> LayerParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        parameters = self._parameters
        lanes, bits = parameters.lanes, parameters.membrane_bits
        m = Module()
        m.submodules.membranes = membranes = memory.Memory(self._membranes)
        m.submodules.biases = biases = memory.Memory(self._biases)
        write = membranes.write_port()
        read = membranes.read_port(transparent_for=(write,))
        read_bias = biases.read_port()
        written = self._write_bias(m, biases)

        # Stage 1: the group's sums, and what belongs to all lanes. The memories' data arrive together with it.
        held = Signal(sums_layout(parameters))
        held_valid = Signal()
        held_biased = Signal()  # the group's biases are in the memory
        shift = Signal(parameters.phase_bits)
        threshold = Signal(parameters.theta_bits + parameters.phases - 1)
        advance = Signal()
        take = Signal()
        remaining = (parameters.phases - 1 - self.i.payload.phase)[: parameters.phase_bits]
        m.d.comb += [
            advance.eq(held_valid & (~self.o.valid | self.o.ready)),
            self.i.ready.eq(~held_valid | advance),
            take.eq(self.i.valid & self.i.ready),
            read.addr.eq(self._place(self.i.payload)),
            read.en.eq(take),
            read_bias.addr.eq(self.i.payload.group),
            read_bias.en.eq(take),
        ]
        with m.If(advance):
            m.d.sync += held_valid.eq(0)
        with m.If(take):
            m.d.sync += [
                held_valid.eq(1),
                held.eq(self.i.payload),
                held_biased.eq((written >> self.i.payload.group)[0]),
                shift.eq(remaining),
                threshold.eq(self.theta << remaining),
            ]

        # Stage 2: the new membranes go to the memory and, with the spikes, to the output.
        spikes, results, saturated = [], [], []
        for lane in range(lanes):
            stored = read.data[lane * bits : (lane + 1) * bits].as_signed()
            stored_bias = read_bias.data[lane * parameters.bias_bits : (lane + 1) * parameters.bias_bits].as_signed()
            bias = Mux(held_biased, stored_bias, Const(0, signed(parameters.bias_bits)))
            start = Mux(held.first, self.v0, stored)
            spike, result, over = self._neuron(m, lane, start, held.sums[lane] + bias, shift, threshold)
            spikes.append(spike)
            results.append(result)
            saturated.append(over)
        padding = Signal(lanes)
        real = parameters.outputs - (parameters.groups - 1) * lanes
        with m.If(held.group == parameters.groups - 1):
            m.d.comb += padding.eq(((1 << lanes) - 1) & ~((1 << real) - 1))
        m.d.comb += [write.addr.eq(self._place(held)), write.data.eq(Cat(results)), write.en.eq(advance)]

        fired = self.o.payload
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.clear_flags):
            m.d.sync += self.overflow.eq(0)
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(1),
                fired.group.eq(held.group),
                *copy_marks(fired, held),
                fired.spikes.eq(Cat(spikes) & ~padding),
            ]
            for lane in range(lanes):
                m.d.sync += fired.membranes[lane].eq(
                    results[lane] if lane < real else Mux(padding[lane], 0, results[lane])
                )
            with m.If((Cat(saturated) & ~padding).any()):
                m.d.sync += self.overflow.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.comb += self.spiked.eq(adder_tree(list(fired.spikes)))
        return m

    def _place(self, sums: data.View) -> Value:
        """Word of the membranes of a group at a position."""
        groups = self._parameters.groups
        if self._parameters.positions == 1:
            return sums.group
        return sums.position * groups + sums.group if groups > 1 else sums.position

    def _neuron(
        self, m: Module, lane: int, start: Value, current: Value, shift: Value, threshold: Value
    ) -> tuple[Value, Value, Value]:
        """One neuron circuit: spike, membrane after the reset, and whether the membrane saturated."""
        features, bits = self._parameters, self._parameters.membrane_bits
        top = (1 << (bits - 1)) - 1

        def signal(name: str, width: int) -> Signal:
            return Signal(signed(width), name=f"{name}_{lane}")

        increment = signal("increment", len(current) + self._parameters.phases - 1)
        before, leaked = signal("before", bits), signal("leaked", bits)
        total = signal("total", max(bits, len(increment)) + 1)
        limited, clipped, after = signal("limited", bits), signal("clipped", bits), signal("after", bits)
        over, spike = Signal(name=f"over_{lane}"), Signal(name=f"spike_{lane}")
        m.d.comb += [
            before.eq(start),
            increment.eq(current << shift if self._parameters.phases > 1 else current),
            leaked.eq(Mux(self.leak == 0, before, before - (before >> self.leak)) if features.leak else before),
            total.eq(leaked + increment),
            over.eq(Mux(total[-1], ~total[bits - 1 :].all(), total[bits - 1 :].any())),
            limited.eq(Mux(over, Mux(total[-1], -top - 1, top), total)),
            clipped.eq(limited),
            spike.eq(clipped >= threshold),
            after.eq(clipped),
        ]
        if features.clip:
            with m.If(self.clip != 0):
                with m.If(limited > self.clip):
                    m.d.comb += clipped.eq(self.clip)
                with m.Elif(limited < -self.clip):
                    m.d.comb += clipped.eq(-self.clip)
        one = len(features.resets) == 1  # then there is nothing to choose
        branch = m.If
        for kind, result in ((Reset.SUBTRACT, clipped - threshold), (Reset.ZERO, Const(0))):
            if kind in features.resets:
                with branch(spike if one else spike & (self.reset == kind)):
                    m.d.comb += after.eq(result)
                branch = m.Elif
        return spike, after, over

    def _write_bias(self, m: Module, biases: memory.Memory) -> Value:
        """Split a neuron's index into group and lane; the division by `lanes` is a multiplication by 2**n / lanes.

        Returns the groups that were written since the reset, one bit each. A memory cannot be reset at once, so these
        bits say which words are 0 whatever is in them; the first write to a group fills its word, with 0 but for the
        lane that is meant.
        """
        parameters = self._parameters
        lanes = parameters.lanes
        index = self.bias_write.index
        port = biases.write_port(granularity=parameters.bias_bits)
        scale = len(index) + (lanes - 1).bit_length()
        group = Signal(parameters.group_bits)
        lane = Signal(range(max(2, lanes)))
        written = Signal(parameters.groups)
        m.d.comb += [
            group.eq((index * -(-(1 << scale) // lanes)) >> scale),
            lane.eq(index - group * lanes),
            port.addr.eq(group),
            port.data.eq(Cat(Mux(lane == number, self.bias_write.value.as_unsigned(), 0) for number in range(lanes))),
        ]
        with m.If(self.bias_write.enable):
            m.d.comb += port.en.eq(Mux((written >> group)[0], Const(1, lanes) << lane, Const(-1, lanes)))
            m.d.sync += written.eq(written | Const(1, parameters.groups) << group)
        return written
