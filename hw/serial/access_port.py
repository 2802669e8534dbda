"""Accesses by address: to the accelerator's registers, the emulators, and the bridge's own registers."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from spikeloom.hw.serial.protocol import BRIDGE_ADDRESS, BRIDGE_REGISTERS, EMULATOR_ADDRESS, Response

__all__ = ["ACCESS_CYCLES", "EMULATOR_ADDRESS_BITS", "AccessPort", "axi_members", "emulator_members"]

ACCESS_CYCLES = 1023
"""Clock cycles after which an access that is not answered is given up."""
EMULATOR_ADDRESS_BITS = 25
"""Layer in the upper five, byte address in the layer's window in the others."""
_AXI_BITS = BRIDGE_ADDRESS.bit_length() - 1
_PAGE = 24  # lowest address bit that tells the bridge from the emulators


def axi_members() -> dict[str, Member]:
    """AXI4-Lite as the manager has it, by the standard names."""
    return {
        "awaddr": Out(_AXI_BITS),
        "awprot": Out(3),
        "awvalid": Out(1),
        "awready": In(1),
        "wdata": Out(32),
        "wstrb": Out(4),
        "wvalid": Out(1),
        "wready": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
        "araddr": Out(_AXI_BITS),
        "arprot": Out(3),
        "arvalid": Out(1),
        "arready": In(1),
        "rdata": In(32),
        "rresp": In(2),
        "rvalid": In(1),
        "rready": Out(1),
    }


def emulator_members() -> dict[str, Member]:
    """The bus of the emulators.

    `load_write` or `load_read` is up, with `load_address` (layer << 20 | byte address) and `load_data` stable, until
    the cycle with `load_ack`, in which `load_read_data` is the word that was read, or `load_error` says that there is
    no such word. The cycle after is one without request.
    """
    return {
        "load_address": Out(EMULATOR_ADDRESS_BITS),
        "load_data": Out(32),
        "load_write": Out(1),
        "load_read": Out(1),
        "load_ack": In(1),
        "load_error": In(1),
        "load_read_data": In(32),
    }


class AccessPort(wiring.Component):
    """One access at a time, answered within `ACCESS_CYCLES`.

    An access that is not answered in time is withdrawn, and from then on every one is answered TIMEOUT until `reset`:
    an answer that comes late would be taken for that of another.

    Members
    -------
    enable : In(1), an access is asked for, until the cycle with `done`; the cycle after is one without
    write : In(1), address : In(32), data : In(32), stable while `enable`
    done : Out(1), response : Out(3), read_data : Out(32), the answer, looked at while `enable`, see `Response`; of a
        read that is not OKAY nothing is said about `read_data`
    reset : In(1), what is behind the buses is reset
    register : Out(2), register_data : In(32), the bridge's own registers: number, and word in the same cycle
    those of `axi_members` and `emulator_members`
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "enable": In(1),
                "write": In(1),
                "address": In(32),
                "data": In(32),
                "done": Out(1),
                "response": Out(3),
                "read_data": Out(32),
                "reset": In(1),
                "register": Out(range(len(BRIDGE_REGISTERS))),
                "register_data": In(32),
                **axi_members(),
                **emulator_members(),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        address_sent, data_sent = Signal(), Signal()  # of the access, over AXI
        silent = Signal()  # an access was not answered
        patience = Signal(range(ACCESS_CYCLES + 1))  # cycles that the access has taken
        acts, answered, late = Signal(), Signal(), Signal()
        to_axi, to_emulator, exists = Signal(), Signal(), Signal()
        page = self.address[_PAGE:]
        bridge, emulator = BRIDGE_ADDRESS >> _PAGE, EMULATOR_ADDRESS >> _PAGE
        axi_answer = Mux(self.write, self.bvalid, self.rvalid)
        own_response = Mux(exists, Mux(self.write, Response.SLVERR, Response.OKAY), Response.DECERR)
        load_response = Mux(self.load_error, Response.DECERR, Response.OKAY)
        axi_response = Mux(to_axi, Mux(self.write, self.bresp, self.rresp), load_response)
        m.d.comb += [
            to_axi.eq(page < bridge),
            to_emulator.eq((page == emulator) | (page == emulator + 1)),
            self.register.eq(self.address[2:]),
            exists.eq((page == bridge) & (self.address[2 + len(self.register) : _PAGE] == 0)),
            acts.eq(self.enable & ~silent),
            answered.eq(acts & ((to_axi & axi_answer) | (to_emulator & self.load_ack))),
            late.eq(silent | (patience == ACCESS_CYCLES)),
            self.done.eq(answered | late | ~(to_axi | to_emulator)),
            self.response.eq(
                Mux(to_axi | to_emulator, Mux(answered, axi_response, Response.TIMEOUT), own_response),
            ),
            self.read_data.eq(Mux(to_axi, self.rdata, Mux(to_emulator, self.load_read_data, self.register_data))),
            # AXI4-Lite
            self.awaddr.eq(self.address),
            self.araddr.eq(self.address),
            self.wdata.eq(self.data),
            self.wstrb.eq(0b1111),
            self.awvalid.eq(acts & to_axi & self.write & ~address_sent),
            self.wvalid.eq(acts & to_axi & self.write & ~data_sent),
            self.arvalid.eq(acts & to_axi & ~self.write & ~address_sent),
            self.bready.eq(1),
            self.rready.eq(1),
            # emulators: EMULATOR_ADDRESS has the lowest bit of the page set
            self.load_address.eq(Cat(self.address[:_PAGE], ~self.address[_PAGE])),
            self.load_data.eq(self.data),
            self.load_write.eq(acts & to_emulator & self.write),
            self.load_read.eq(acts & to_emulator & ~self.write),
        ]
        with m.If((self.awvalid & self.awready) | (self.arvalid & self.arready)):
            m.d.sync += address_sent.eq(1)
        with m.If(self.wvalid & self.wready):
            m.d.sync += data_sent.eq(1)
        m.d.sync += patience.eq(patience + 1)
        with m.If(~self.enable | self.done):
            m.d.sync += [address_sent.eq(0), data_sent.eq(0), patience.eq(0)]
        with m.If(self.done & ~answered & (to_axi | to_emulator)):
            m.d.sync += silent.eq(1)
        with m.If(self.reset):
            m.d.sync += silent.eq(0)
        return m
