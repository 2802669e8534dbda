"""Host registers in hardware: which writes are let through, proven for every access; and what is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Module, Mux, Signal, Value

import spikeloom.hw.host.host_block
import spikeloom.hw.host.load_guard
from spikeloom.hw.host.host_block import HostBlock
from spikeloom.hw.host.register_map import (
    HostRegister,
    bias_byte_address,
    build_id,
    host_map,
    layer_byte_address,
    program_result_byte_address,
    program_target_byte_address,
    unit_byte_address,
)
from spikeloom.hw.host.write_guard import WriteGuard
from spikeloom.hw.interfaces.registers import Register
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters
from tests.benches.proof_bench import inside, mutant, past
from tests.formal import Harness, assert_fails, constant, in_turn, prove, reaches
from tests.hw.host.test_load_guard import Folded

LAYER = LayerParameters(
    inputs=2, outputs=3, lanes=2, tile_rows=1, adc_bits=3, max_gain_shift=1, max_theta=7, max_bias=3, max_steps=3
)
UNIT = NpuParameters(layers=(LAYER,), max_steps=3, encoder_lanes=1)
LEAN = replace(UNIT, layers=(replace(LAYER, programmer=False, activity_counters=False),), codings=(Coding.EVEN,))
"""Without programmers, activity counters and seeds."""
SETTINGS = [f"program_{name}" for name in ("window", "tries", "amplitude_min", "amplitude_max")]


class Guard(Harness):
    """For any accesses and any behaviour of the unit.

    A write is right if it goes to a register that may be written, or to a whole word that must be, and nothing forbids
    it: an image in progress (run-time registers, biases, seeds, settings), a busy programmer (settings, targets,
    starts), no load session (targets, starts), the session's own rules. Any other changes nothing kept and writes
    nothing to the unit, and leaves no flag but that of its cause. A right one changes the bytes with a strobe, and no
    other, of its own register only (looked at through any one bit), writes its own target, starts its own programmer,
    and counts for the checksum if it is one of those. Flags come up with their cause and stay until a one is written to
    them. A read is an error where nothing is: what is not built, too, such as registers of programmers.
    """

    def __init__(self, dut: HostBlock) -> None:
        super().__init__(dut, bit=range(32))
        self.inner = inside(dut)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, bus, inner = self.dut, self.dut.bus, self.inner
        entries = host_map(dut.parameters)
        write, address, strobe = bus.write_enable, bus.write_address, bus.write_strobe
        asked = Cat(address, bus.write_data, strobe)
        m.d.comb += Assume(~write | (past(m, 1) & ~past(m, write) & (asked == past(m, asked))))
        programmer, guard = dut.programmer_0 if dut.parameters.programmer else None, inner.guard
        busy = programmer.busy if programmer is not None else Const(0)
        build = build_id(dut.parameters)

        def at(*addresses: int) -> Value:
            return Cat(address == one for one in addresses).any()

        bias = at(*(bias_byte_address(0, index) for index in range(3)))
        target, result, start, settings = Const(0), Const(0), Const(0), Const(0)
        if programmer is not None:
            target = at(*(program_target_byte_address(0, index) for index in range(4)))
            result = Cat(bus.read_address == program_result_byte_address(0, index) for index in range(8)).any()
            start = at(layer_byte_address(0, "program_start"))
            settings = at(*(unit_byte_address(name) for name in SETTINGS))
        begin, end = at(unit_byte_address("load_begin")), at(unit_byte_address("load_end"))
        run_time = at(*(e.address for e in entries if isinstance(e.register, Register)))
        seeds = at(*(e.address for e in entries if e.name.startswith("seed_")))
        writable = at(*(e.address for e in entries if e.access != "ro")) | bias | target
        partial = (bias | target | start | begin | end) & strobe.any() & ~strobe.all()
        full = write & strobe.all()

        refused, right, wrong_build, wrong_checksum = Signal(), Signal(), Signal(), Signal()
        in_image = (run_time | seeds | settings | bias) & dut.busy
        in_programming = (settings | target | start | begin | end) & busy
        out_of_session = (target | start | end) & ~guard.loading
        may = write & ~partial & ~refused
        m.d.comb += [
            refused.eq(
                (write & ~partial)
                & (in_image | (begin & dut.busy) | in_programming | out_of_session)
                & (~(begin | end) | strobe.all())
            ),
            wrong_build.eq(may & full & begin & (bus.write_data != build)),
            wrong_checksum.eq(may & full & end & (bus.write_data != guard.checksum)),
            right.eq(may & writable & ~wrong_build & ~wrong_checksum),
            Assert(bus.write_error == ~right),
            Assert(bus.read_error == ~(Cat(bus.read_address == e.address for e in entries).any() | result)),
            Assert(dut.load.valid == (right & (run_time | (bias & full)))),
            Assert(~dut.load.valid | (dut.load.payload.address == address[2:])),
            Assert(~(bias & dut.load.valid) | (dut.load.payload.data.as_unsigned() == bus.write_data)),
            Assert(guard.opens == (right & full & begin)),
            Assert(dut.open == (guard.loaded & ~(may & full & begin))),
            Assert(guard.counted == (right & strobe.any() & (run_time | bias | settings | target | start))),
            Assert(~guard.counted | (guard.address == address)),
        ]
        if programmer is not None:
            self._programming(m, right & full & target, right & full & start, result)

        # What is kept: the writable registers, and the flags.
        constant(m, self.bit)
        struck, data = strobe.bit_select(self.bit[3:], 1), bus.write_data.bit_select(self.bit, 1)
        for entry in entries:
            if entry.access != "rw" or entry.name == "clear_flags":
                continue
            kept = Value.cast(inner.values[entry.layer, entry.name]).as_unsigned()
            mask = entry.register.mask if isinstance(entry.register, HostRegister) else -1
            fields = Const(mask & (1 << len(kept)) - 1, 32)
            here, now, there = at(entry.address), kept.bit_select(self.bit, 1), fields.bit_select(self.bit, 1)
            m.d.comb += Assert((kept & ~fields) == 0)
            before, wrote, seen = past(m, now), past(m, right & here & struck), past(m, there)
            with m.If(seen):
                m.d.comb += Assert(now == Mux(wrote, past(m, data), before))
            new = Mux(struck, data, now)
            with m.If(here & there & dut.load.valid):
                m.d.comb += Assert(dut.load.payload.data.bit_select(self.bit, 1) == new)
            with m.If(here & there & guard.counted):
                m.d.comb += Assert(guard.data.bit_select(self.bit, 1) == new)
            with m.If(bus.read_address == entry.address):
                m.d.comb += Assert(bus.read_data[: len(kept)] == kept)
        programming = Signal()
        m.d.sync += programming.eq(busy)
        causes = [
            refused,
            dut.wrong_frame,
            wrong_build,
            wrong_checksum,
            guard.timed_out | dut.frame_timed_out,
            dut.unloaded,
        ]
        flags = {"errors": causes} | ({"events": [programming & ~busy]} if programmer is not None else {})
        for name, bits in flags.items():
            clears = write & at(unit_byte_address(name)) & strobe[0]
            for bit, cause in enumerate(bits):
                flag = inner.values[None, name][bit]
                set_, cleared, before = past(m, cause), past(m, clears & bus.write_data[bit]), past(m, flag)
                m.d.comb += Assert(flag == (set_ | (before & ~cleared)))
        resets = write & at(unit_byte_address("reset")) & strobe[0] & bus.write_data[0]
        m.d.comb += Assert(dut.reset == past(m, resets))

        kinds = {"run_time": run_time, "bias": bias}
        if programmer is not None:
            kinds |= {"setting": settings, "target": target, "start": start}
            reaches(m, reads_a_result=result & ~bus.read_error, event=inner.values[None, "events"][0])
        reaches(
            m,
            **{f"{name}_written": right & kind & strobe.any() for name, kind in kinds.items()},
            **{f"{name}_refused": refused & kind for name, kind in kinds.items()},
            loaded_and_closed_again=in_turn(m, dut.open & guard.loaded, wrong_build, ~dut.open),
            part_of_a_word=write & partial & bus.write_error,
            some_bytes=right & run_time & strobe.any() & ~strobe.all(),
            soft_reset=dut.reset,
            reads_nothing=bus.read_error & bus.read_enable,
            **{f"error_{bit}": inner.values[None, "errors"][bit] for bit in range(len(causes))},
            error_cleared=in_turn(m, inner.values[None, "errors"].all(), ~inner.values[None, "errors"].any()),
        )
        return m

    def _programming(self, m: Module, target: Value, start: Value, result: Value) -> None:
        """What the programmer is told: targets that are written, starts, sessions that open; results that are read."""
        bus, guard, programmer = self.dut.bus, self.inner.guard, self.dut.programmer_0
        m.d.comb += [
            Assert(programmer.target_write.enable == target),
            Assert(programmer.start == start),
            Assert(programmer.clear_counts == guard.opens),
        ]
        with m.If(result):
            m.d.comb += Assert(bus.read_data == programmer.result)
            m.d.comb += Assert(programmer.result_index == ((bus.read_address - program_result_byte_address(0, 0)) >> 2))
        with m.If(programmer.target_write.enable):
            m.d.comb += Assert(
                program_target_byte_address(0, 0) + (programmer.target_write.index << 2) == bus.write_address,
            )
            m.d.comb += Assert(programmer.target_write.value == bus.write_data)
        with m.If(programmer.start):
            m.d.comb += Assert(Cat(programmer.start_row, programmer.start_group) == bus.write_data)


@pytest.fixture(autouse=True)
def _simple_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spikeloom.hw.host.load_guard, "Checksum", Folded)


@pytest.mark.parametrize("parameters", [UNIT, LEAN], ids=["whole", "lean"])
def test_proof(parameters: NpuParameters) -> None:
    prove(Guard(HostBlock(parameters=parameters)), "host_block", depth=2, mode="prove")


@pytest.mark.halved
@pytest.mark.parametrize(
    ("broken", "old", "new"),
    [
        (WriteGuard, "whole.eq(1), in_image.eq(1)", "whole.eq(1)"),
        (WriteGuard, "writable & ~part & ~self.refused", "writable & ~part"),
        (WriteGuard, "writable & ~part & ~self.refused", "writable & ~self.refused"),
        (WriteGuard, "(setting & self.programming.any()) | ", ""),
        (WriteGuard, "(~self.loading | programmer_busy)", "programmer_busy"),
        (WriteGuard, "of_programmer[index].eq(1)", "of_programmer[index].eq(0)"),
        (WriteGuard, " & (address[:2] == 0)", ""),
        (WriteGuard, "address < first + 4 * block.words(layer)", "address <= first + 4 * block.words(layer)"),
        (WriteGuard, 'writable.eq(e.access != "ro")', "writable.eq(1)"),
        (WriteGuard, "return held, setting | in_session", "return held, in_session"),
        (HostBlock, "guard.refused | guard.wrong_build | guard.wrong_checksum", "guard.refused | guard.wrong_build"),
        (HostBlock, "(bus.write_data & mask) | (before & ~mask)", "bus.write_data & mask"),
        (HostBlock, "m.d.comb += bus.read_error.eq(1)", "pass"),
        (HostBlock, "(flags & ~cleared)", "flags"),
        (HostBlock, "judge.accepted & judge.complete & started", "judge.accepted & started"),
    ],
    ids=[
        "bias while busy",
        "refused written",
        "part of a bias",
        "settings in programming",
        "outside of a session",
        "targets in programming",
        "misaligned windows",
        "past the windows",
        "read-only register written",
        "settings not counted",
        "checksum unjudged",
        "bytes without a strobe",
        "reads what is not there",
        "flags for ever",
        "start without a word",
    ],
)
def test_mutants_fail(broken: type, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_fails(twin(broken, old, new, UNIT, monkeypatch), "host_block_mutant", depth=6)


@pytest.mark.halved
@pytest.mark.parametrize(
    ("broken", "old", "new"),
    [
        (WriteGuard, "whole.eq(1), in_image.eq(1)", "whole.eq(1)"),
        (WriteGuard, "covered = in_image & self.busy, run_time | bias", "covered = in_image & self.busy, run_time"),
        (WriteGuard, " & (address[:2] == 0)", ""),
        (HostBlock, "(flags & ~cleared)", "flags"),
        (HostBlock, "word & register.mask", "word"),
        (HostBlock, "guard.loaded & ~guard.opens & ~guard.wrong_build", "guard.loaded"),
    ],
    ids=[
        "bias while busy",
        "biases not counted",
        "misaligned windows",
        "flags for ever",
        "bits that are not there",
        "image while it opens",
    ],
)
def test_lean_mutants_fail(broken: type, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_fails(twin(broken, old, new, LEAN, monkeypatch), "host_block_lean_mutant", depth=6)


def twin(broken: type, old: str, new: str, parameters: NpuParameters, monkeypatch: pytest.MonkeyPatch) -> Guard:
    """The harness of a broken twin."""
    broken_unit = mutant(broken, old, new)
    if broken is WriteGuard:
        monkeypatch.setattr(spikeloom.hw.host.host_block, "WriteGuard", broken_unit)
        broken_unit = HostBlock
    return Guard(broken_unit(parameters=parameters))
