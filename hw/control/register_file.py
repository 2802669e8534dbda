"""The register file that the load port writes; its registers and their addresses are declared in
`hw.interfaces.registers`."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.registers import Register
from spikeloom.hw.interfaces.streams import load_layout
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

__all__ = ["RegisterFile"]


class RegisterFile(wiring.Component):
    """Registers of one scope, written by the load port.

    Writes to other scopes and to undeclared offsets have no effect. Values are truncated to the register's width: the
    software checks ranges (`Register.range`). A write shows from the next cycle on.

    Parameters
    ----------
    registers : the scope's declaration, `GLOBAL_REGISTERS` or `layer_registers`
    scope : bits 23 .. 16 of its addresses
    parameters : NpuParameters or LayerParameters the widths are taken from

    Members
    -------
    load : In(load_layout()), valid for one cycle per write
    write : In(1), take `load` in this cycle
    <name> : Out, one port per register
    """

    def __init__(
        self, *, registers: Sequence[Register], scope: int, parameters: NpuParameters | LayerParameters
    ) -> None:
        self._registers = tuple(registers)
        self._scope = scope
        ports = {r.name: Out(r.shape(parameters), init=r.init) for r in self._registers}
        super().__init__({"load": In(load_layout()), "write": In(1), **ports})

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        for register in self._registers:
            port = getattr(self, register.name)
            hit = self.write & (self.load.address == (self._scope << 16 | register.offset))
            if register.pulse:
                m.d.sync += port.eq(Mux(hit, self.load.data, 0))
            else:
                with m.If(hit):
                    m.d.sync += port.eq(self.load.data)
        return m
