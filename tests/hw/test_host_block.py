"""Host registers in hardware: which writes are let through, proven for every access; and what is kept."""

from __future__ import annotations

import pytest
from amaranth.hdl import Assert, Cat, Signal, Value

from hw.host_block import HostBlock
from hw.host_registers import bias_byte_address, host_map, unit_byte_address
from hw.params import LayerParameters, NpuParameters
from hw.registers import Register
from tests.formal import Harness, assert_fails, prove
from tests.hw.proof_bench import inside, mutant, past

LAYER = LayerParameters(
    inputs=2, outputs=3, lanes=1, adc_bits=3, max_gain_shift=1, max_theta=7, max_bias=3, max_steps=3
)
UNIT = NpuParameters(layers=(LAYER,), max_steps=3, encoder_lanes=1)


class Guard(Harness):
    """For any accesses and any behaviour of the unit.

    A write is right if it goes to a register that may be written, or to a whole bias, and not to a run-time register, a
    bias or a seed while busy; any other changes nothing kept and writes nothing to the unit, and only one refused for
    being busy leaves a flag. A right one changes the bytes with a strobe, and no other, of its own register only. Flags
    come up with their cause and stay until a one is written to them. A read is an error where no register is.
    """

    def __init__(self, dut: HostBlock) -> None:
        super().__init__(dut)
        self.inner = inside(dut)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, bus, inner = self.dut, self.dut.bus, self.inner
        entries = host_map(dut.parameters)
        write, address = bus.write_enable, bus.write_address
        first = bias_byte_address(0, 0)
        bias = Cat(address == first + 4 * index for index in range(LAYER.outputs)).any()
        partial = bias & bus.write_strobe.any() & ~bus.write_strobe.all()
        run_time = Cat(address == e.address for e in entries if isinstance(e.register, Register)).any()
        seeds = Cat(address == e.address for e in entries if e.name.startswith("seed_")).any()
        writable = Cat(address == e.address for e in entries if e.access != "ro").any() | bias
        guarded = run_time | seeds | bias
        right, refused = Signal(), Signal()
        m.d.comb += [
            right.eq(write & writable & ~partial & ~(guarded & dut.busy)),
            refused.eq(write & guarded & ~partial & dut.busy),
            Assert(bus.write_error == ~right),
            Assert(bus.read_error == ~Cat(bus.read_address == e.address for e in entries).any()),
            Assert(dut.load.valid == (right & (run_time | (bias & bus.write_strobe.all())))),
            Assert(~dut.load.valid | (dut.load.payload.address == address[2:])),
        ]

        # What is kept: the writable registers but `errors`, and the flags.
        for entry in entries:
            if entry.access != "rw" or entry.name == "clear_flags":
                continue
            kept = Value.cast(inner.values[entry.layer, entry.name]).as_unsigned()
            here = past(m, right & (address == entry.address))
            for bit in range(len(kept)):
                strobe, data = past(m, bus.write_strobe[bit // 8]), past(m, bus.write_data[bit])
                old, seen = past(m, kept[bit]), past(m, 1)
                with m.If(seen):
                    m.d.comb += Assert(kept[bit] == ((here & strobe & data) | (~(here & strobe) & old)))
            with m.If(dut.load.valid & (address == entry.address)):
                for bit in range(len(kept)):
                    new = (bus.write_strobe[bit // 8] & bus.write_data[bit]) | (~bus.write_strobe[bit // 8] & kept[bit])
                    m.d.comb += Assert(dut.load.payload.data[bit] == new)
            with m.If(bus.read_address == entry.address):
                m.d.comb += Assert(bus.read_data[: len(kept)] == kept)
        with m.If(bias & dut.load.valid):
            m.d.comb += Assert(dut.load.payload.data.as_unsigned() == bus.write_data)
        clears = write & (address == unit_byte_address("errors")) & bus.write_strobe[0]
        for bit, cause in enumerate((refused, dut.frame_error)):
            flag = inner.errors[bit]
            set_, cleared, before = past(m, cause), past(m, clears & bus.write_data[bit]), past(m, flag)
            m.d.comb += Assert(flag == (set_ | (before & ~cleared)))
        return m


def test_proof() -> None:
    prove(Guard(HostBlock(parameters=UNIT)), "host_block", depth=2, mode="prove")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(guarded | bias) & ~part & self.busy", "guarded & ~part & self.busy"),
        ("(writable | bias) & ~part & ~refused", "(writable | bias) & ~part"),
        ("(writable | bias) & ~part & ~refused", "(writable | bias) & ~refused"),
        ("(errors & ~cleared) | flags", "(errors | flags) & ~cleared"),
        ("(errors & ~cleared) | flags", "flags"),
        ("(bus.write_data & mask) | (before & ~mask)", "bus.write_data & mask"),
        (" & (address[:2] == 0)", ""),
        ("address < first + 4 * layer.outputs", "address <= first + 4 * layer.outputs"),
        ('entry.access != "ro"', "True"),
        ("m.d.comb += bus.read_error.eq(1)", "pass"),
    ],
    ids=[
        "bias while busy",
        "write while busy",
        "part of a bias",
        "flag lost",
        "flag does not stay",
        "bytes without a strobe",
        "misaligned bias",
        "bias past the last",
        "read-only register written",
        "reads what is not there",
    ],
)
def test_broken_twins(old: str, new: str) -> None:
    assert_fails(Guard(mutant(HostBlock, old, new)(parameters=UNIT)), "host_block_twin", depth=4)
