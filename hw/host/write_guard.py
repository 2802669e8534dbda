"""Checks a host's write by its address, its strobes and the accelerator's state, before it takes effect."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.host.register_map import ADDRESS_BITS, LAYER_BLOCKS, block_byte_address, host_map
from spikeloom.hw.host.register_types import HostRegister
from spikeloom.hw.interfaces.registers import Register
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["WriteGuard", "block_hits"]


def block_hits(parameters: NpuParameters, name: str, address: Value) -> Iterator[tuple[int, Value]]:
    """Each layer that has a register block `name`, and whether a byte address is that of a word of it."""
    block = next(block for block in LAYER_BLOCKS if block.name == name)
    for index, layer in enumerate(parameters.layers):
        if not block.there(layer):
            continue
        first = block_byte_address(block, index, 0)
        yield index, (address >= first) & (address < first + 4 * block.words(layer)) & (address[:2] == 0)


class WriteGuard(wiring.Component):
    """Says in the same cycle whether a write is accepted, and what kind it is; its address is decoded the cycle before.

    A write is wrong if nothing can be written there, or if it is of a part of a word that is written whole. It is
    refused if the unit's state forbids it:

    - run-time registers, biases, seeds, programming settings: while an image is being processed
    - programming settings: while a programmer is busy
    - targets, program_start: outside of a load session, or while that layer's programmer is busy
    - load_begin, load_end: what the load session says

    A unit without programmers has no settings, targets and starts.

    Parameters
    ----------
    parameters : NpuParameters

    Members
    -------
    enable, address, strobe : In(1), In(26), In(4), a write of this cycle; `address` is there since the cycle before
    busy : In(1), an image is being processed
    loading : In(1), a load session is open; only with programmers
    programming : In(layers), bit l: the programmer of layer l is busy; only with programmers
    session_error : In(1), the load session does not accept the write of this cycle
    accepted : Out(1), the write is made
    refused : Out(1), the state forbids it (but for the load session, which says so itself)
    complete : Out(1), a write of all four bytes, accepted or not
    to_unit : Out(1), accepted, and goes to a run-time register or a whole bias
    counted : Out(1), accepted, and the load session's checksum covers it
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        super().__init__(
            {
                "enable": In(1),
                "address": In(ADDRESS_BITS),
                "strobe": In(4),
                "busy": In(1),
                **({"loading": In(1), "programming": In(len(parameters.layers))} if parameters.programmer else {}),
                "session_error": In(1),
                "accepted": Out(1),
                "refused": Out(1),
                "complete": Out(1),
                "to_unit": Out(1),
                "counted": Out(1),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        writable = Signal()
        whole = Signal()  # written as a whole word
        in_image = Signal()  # forbidden while an image is being processed
        run_time = Signal()
        bias = Signal()
        part = Signal()

        m.d.sync += [kind.eq(0) for kind in (writable, whole, in_image, run_time, bias)]
        with m.Switch(self.address):
            for e in host_map(self._parameters):
                with m.Case(e.address):
                    m.d.sync += [
                        writable.eq(e.access != "ro"),
                        whole.eq(e.whole),
                        in_image.eq(e.idle_only),
                        run_time.eq(isinstance(e.register, Register)),
                    ]
        for _, inside in block_hits(self._parameters, "bias", self.address):
            with m.If(inside):
                m.d.sync += [bias.eq(1), writable.eq(1), whole.eq(1), in_image.eq(1)]
        forbidden, covered = in_image & self.busy, run_time | bias
        if self._parameters.programmer:
            held, for_programmers = self._programming(m, writable, whole)
            forbidden, covered = forbidden | held, covered | for_programmers

        m.d.comb += [
            self.complete.eq(self.enable & self.strobe.all()),
            part.eq(whole & self.strobe.any() & ~self.strobe.all()),
            self.refused.eq(self.enable & ~part & forbidden),
            self.accepted.eq(self.enable & writable & ~part & ~self.refused & ~self.session_error),
            self.to_unit.eq(self.accepted & (run_time | (bias & self.complete))),
            self.counted.eq(self.accepted & self.strobe.any() & covered),
        ]
        return m

    def _programming(self, m: Module, writable: Signal, whole: Signal) -> tuple[Value, Value]:
        """Writes to the programmers: whether a programmer or the session forbids the one of this cycle, and whether it
        is one. Targets are `writable`, as a `whole` word.
        """
        setting = Signal()
        in_session = Signal()  # wants a load session, and its programmer at rest
        of_programmer = Signal(len(self.programming))
        m.d.sync += [kind.eq(0) for kind in (setting, in_session, of_programmer)]
        with m.Switch(self.address):
            for e in host_map(self._parameters):
                if isinstance(e.register, HostRegister) and e.register.group == "programming":
                    with m.Case(e.address):
                        m.d.sync += setting.eq(1)
                if e.name == "program_start":
                    with m.Case(e.address):
                        m.d.sync += [in_session.eq(1), of_programmer[e.layer or 0].eq(1)]
        for index, inside in block_hits(self._parameters, "program_target", self.address):
            with m.If(inside):
                m.d.sync += [writable.eq(1), whole.eq(1), in_session.eq(1), of_programmer[index].eq(1)]
        programmer_busy = (of_programmer & self.programming).any()
        held = (setting & self.programming.any()) | (in_session & (~self.loading | programmer_busy))
        return held, setting | in_session
