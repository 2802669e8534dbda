"""AXI4-Lite subordinate: converts the five channels of the bus to plain register accesses."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError

__all__ = ["OKAY", "SLVERR", "AxiLite", "RegisterBusSignature", "axi_lite_members"]

OKAY = 0
SLVERR = 2


def axi_lite_members(address_bits: int) -> dict[str, Member]:
    """Members of an AXI4-Lite subordinate with 32 data bits, by their standard names."""
    return {
        "awaddr": In(address_bits),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(32),
        "wstrb": In(4),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(address_bits),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(32),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }


class RegisterBusSignature(wiring.Signature):
    """Register accesses, as seen from the bus: each is answered in its own cycle.

    Members
    -------
    write_enable : Out(1), a write; for one cycle, and not in the cycle before
    write_address, write_data, write_strobe : Out, byte address, word, bit i: byte i is written; with `write_enable` as
        they already were in the cycle before, so that they can be decoded ahead
    write_error : In(1), the write of this cycle is wrong; it has changed nothing
    read_enable : Out(1), a read; for one cycle
    read_address : Out, byte address
    read_data, read_error : In, the word at `read_address` in this cycle, or that there is none; reads change nothing
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "write_enable": Out(1),
                "write_address": Out(address_bits),
                "write_data": Out(32),
                "write_strobe": Out(4),
                "write_error": In(1),
                "read_enable": Out(1),
                "read_address": Out(address_bits),
                "read_data": In(32),
                "read_error": In(1),
            }
        )


class AxiLite(wiring.Component):
    """AXI4-Lite subordinate with 32 data bits: one write and one read in progress at a time, in order.

    Address and data of a write may come in any order and at any distance. An access is made when all of it has arrived
    and the response before it has been taken; the register side answers it in that cycle with data or an error, which
    becomes SLVERR. No channel waits for one that the protocol does not let it wait for, and no ready signal depends on
    a valid signal of the same cycle. `awprot` and `arprot` are ignored.

    Parameters
    ----------
    address_bits : bits of a byte address, >= 3

    Members
    -------
    awaddr ... rready : the bus, see `axi_lite_members`
    registers : Out(RegisterBusSignature)

    Cycles
    ------
    A write whose later part (address or data) is transferred in cycle c is made in cycle c + 2 and answered from cycle
    c + 3 on; a read whose address is transferred in cycle c is answered from cycle c + 2 on: one write in three cycles,
    and beside it one read in two.

    Raises
    ------
    TypeError, ValueError : address_bits is not an integer of at least 3
    """

    def __init__(self, *, address_bits: int) -> None:
        if isinstance(address_bits, bool) or not isinstance(address_bits, int):
            raise ArgumentTypeError(f"AXI4-Lite address_bits must be an integer, not {address_bits!r}")
        if address_bits < 3:
            raise SpikeLoomError(f"AXI4-Lite address_bits must be at least 3, not {address_bits!r}")
        self._address_bits = address_bits
        super().__init__(
            {**axi_lite_members(address_bits), "registers": Out(RegisterBusSignature(address_bits))},
        )

    @property
    def address_bits(self) -> int:
        """Bits of a byte address."""
        return self._address_bits

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        registers = self.registers
        aw_held = Signal()
        w_held = Signal()
        decoded = Signal()  # address and data of the write were there in the cycle before
        ar_held = Signal()

        # Write: address and data are taken one each and decoded, then the access is made, then answered.
        m.d.comb += [
            self.awready.eq(~aw_held),
            self.wready.eq(~w_held),
            registers.write_enable.eq(decoded & ~self.bvalid),
        ]
        m.d.sync += decoded.eq(aw_held & w_held)
        with m.If(self.awvalid & self.awready):
            m.d.sync += [aw_held.eq(1), registers.write_address.eq(self.awaddr)]
        with m.If(self.wvalid & self.wready):
            m.d.sync += [
                w_held.eq(1),
                registers.write_data.eq(self.wdata),
                registers.write_strobe.eq(self.wstrb),
            ]
        with m.If(self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(registers.write_enable):
            m.d.sync += [
                aw_held.eq(0),
                w_held.eq(0),
                self.bvalid.eq(1),
                self.bresp.eq(Mux(registers.write_error, SLVERR, OKAY)),
            ]

        # Read.
        m.d.comb += [self.arready.eq(~ar_held), registers.read_enable.eq(ar_held & ~self.rvalid)]
        with m.If(self.arvalid & self.arready):
            m.d.sync += [ar_held.eq(1), registers.read_address.eq(self.araddr)]
        with m.If(self.rready):
            m.d.sync += self.rvalid.eq(0)
        with m.If(registers.read_enable):
            m.d.sync += [
                ar_held.eq(0),
                self.rvalid.eq(1),
                self.rdata.eq(Mux(registers.read_error, 0, registers.read_data)),
                self.rresp.eq(Mux(registers.read_error, SLVERR, OKAY)),
            ]
        return m
