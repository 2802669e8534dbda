"""The exported text is the circuit that Amaranth makes of the components: proved by Yosys, for all inputs and times."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator, SimulatorContext

from spikeloom.hw.control.controller import Controller
from spikeloom.hw.decision.spike_counter import SpikeCounter
from spikeloom.hw.decision.terminator import Terminator
from spikeloom.hw.encoder.encoder_pair import EncoderPair
from spikeloom.hw.encoder.single_encoder import SingleEncoder
from spikeloom.hw.encoder.spike_encoder import SpikeEncoder
from spikeloom.hw.export.writer.unit import unit_files
from spikeloom.hw.layer.adc_readout import ColumnReadout
from spikeloom.hw.layer.dac_driver import DacDriver
from spikeloom.hw.layer.neuron_array import NeuronArray
from spikeloom.hw.layer.programmer import Programmer
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.primitives.activity_counter import ActivityCounter
from tests.hw.export.equivalence import both, proven
from tests.hw.export.test_verilog import run, tool
from tests.hw.test_npu import LEAN, unit
from tests.mutation.designs import units

SMALL = unit(sizes=(4, 3), lanes=1)
LAYER = SMALL.layers[0]
QUICK: dict[str, Callable[[], Any]] = {
    "terminator": lambda: Terminator(parameters=unit()),
    "terminator, all rules": lambda: Terminator(parameters=replace(unit(), rules=DECISION_RULES.unit)),
    "controller": lambda: Controller(parameters=unit()),
    "spike counter": lambda: SpikeCounter(parameters=unit()),
    "neuron array": lambda: NeuronArray(parameters=LAYER),
    "neuron array, subtracts only": lambda: NeuronArray(parameters=replace(LAYER, **LEAN)),
    "column readout": lambda: ColumnReadout(parameters=LAYER),
    "DAC driver": lambda: DacDriver(parameters=unit().layers[0], pulse_cycles=3),
    "activity counter": lambda: ActivityCounter(amount_bits=3),
}
LONG: dict[str, Callable[[], Any]] = {
    "neuron array, three lanes": lambda: NeuronArray(parameters=unit().layers[0]),
    "neuron array, two phases": lambda: NeuronArray(parameters=unit(phases=2).layers[0]),
    "encoder": lambda: SpikeEncoder(parameters=unit()),
    "encoder of 12 lanes": lambda: SpikeEncoder(parameters=replace(unit(sizes=(26, 5)), encoder_lanes=12)),
    "column readout, four tiles": lambda: ColumnReadout(parameters=unit(sizes=(16, 7)).layers[0]),
    "encoders": lambda: EncoderPair(parameters=unit()),
    "one encoder for two images": lambda: SingleEncoder(parameters=replace(unit(), encoders=1)),
    "programmer": lambda: Programmer(parameters=unit().layers[0]),
    "one layer": dict(units())["dense, one layer"],
}


@pytest.mark.parametrize("make", [*QUICK.values()], ids=[*QUICK])
def test_small_components(make: Callable[[], Any], tmp_path: Path) -> None:
    count, said = proven(*both(make()), tmp_path)
    assert count > 20 and not said, said


@pytest.mark.slow
@pytest.mark.parametrize("make", [*LONG.values()], ids=[*LONG])
def test_components_and_a_unit(make: Callable[[], Any], tmp_path: Path) -> None:
    count, said = proven(*both(make()), tmp_path)
    assert count > 100 and not said, said


def expression(rng: random.Random, leaves: list[Value], depth: int) -> Value:
    """A random value, of every operator that is exported, with operands of any width and sign."""
    if depth == 0:
        return rng.choice([*leaves, Const(rng.randrange(-8, 9)), Const(rng.randrange(4), 4)])

    def inner() -> Value:
        return expression(rng, leaves, depth - 1)

    def short() -> Value:
        return inner()[:3].as_unsigned()

    def unsigned_() -> Value:
        return inner()[:]  # a slice, since Amaranth's simulator gives `(~x).bit_select` bits beyond the end of x

    made = rng.choice(
        [
            lambda: inner() + inner(),
            lambda: inner() - inner(),
            lambda: -inner(),
            lambda: inner() * inner(),
            lambda: inner() & inner(),
            lambda: inner() | inner(),
            lambda: inner() ^ inner(),
            lambda: ~inner(),
            lambda: inner() << short(),
            lambda: inner() >> short(),
            lambda: inner() >> 2,
            lambda: rng.choice([inner() == inner(), inner() != inner()]),
            lambda: rng.choice([inner() < inner(), inner() <= inner(), inner() > inner(), inner() >= inner()]),
            lambda: rng.choice([inner().any(), inner().all(), inner().xor(), inner().bool()]),
            lambda: Mux(inner(), inner(), inner()),
            lambda: Cat(inner(), inner(), Const(1, 2)),
            lambda: inner()[1:4],
            lambda: inner().as_signed() if rng.random() < 0.5 else inner().as_unsigned(),
            lambda: rng.choice([unsigned_().bit_select(short(), 2), unsigned_().word_select(short(), 2)]),
            lambda: Array([inner(), inner(), inner()])[short()[:2]],
            lambda: inner().replicate(2),
        ]
    )()
    value = Value.cast(made)
    return value if 0 < len(value) <= 24 else value[:9].as_signed() if len(value) else Const(1, 2)


INPUTS = {"a": unsigned(1), "b": unsigned(3), "c": signed(4), "d": signed(1), "e": unsigned(5)}
WIDTHS = {name: shape.width for name, shape in INPUTS.items()}


class Expressions(wiring.Component):
    """Random expressions, each cut or extended to some width."""

    def __init__(self, seed: int, count: int = 8) -> None:
        self._seed, self._count = seed, count
        rng = random.Random(seed)
        shapes = [rng.choice([signed, unsigned])(rng.randrange(1, 14)) for _ in range(count)]
        super().__init__(
            {name: In(shape) for name, shape in INPUTS.items()}
            | {f"y{number}": Out(shape) for number, shape in enumerate(shapes)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rng = random.Random(self._seed + 1)
        leaves = [self.a, self.b, self.c, self.d, self.e]
        for number in range(self._count):
            m.d.comb += getattr(self, f"y{number}").eq(expression(rng, leaves, 3))
        return m


@pytest.mark.parametrize("seed", range(12))
def test_random_expressions(seed: int, tmp_path: Path) -> None:
    count, said = proven(*both(Expressions(seed)), tmp_path)
    assert count >= 8 and not said, said


class Statements(wiring.Component):
    """What statements may do: overlap, choose, write parts, and be written by numbers."""

    def __init__(self) -> None:
        inputs = {"a": In(4), "b": In(signed(5))}
        super().__init__(inputs | {"sums": Out(signed(8)), "words": Out(12), "chosen": Out(4), "kept": Out(6)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.sums.eq(self.b), self.sums[6].eq(1), Cat(self.chosen[1:3], self.words[:2]).eq(self.a)]
        with m.If(self.a[0]):
            m.d.comb += self.words.word_select(self.a[2:], 3).eq(self.b)
        with m.Elif(self.b < -3):
            m.d.comb += self.sums[1:4].eq(self.a)
        with m.Else():
            m.d.comb += Array([self.words[4:6], self.chosen])[self.a[1]].eq(5)
        with m.Switch(self.a):
            with m.Case("1--0"):
                m.d.sync += self.kept.eq(self.kept + 1)
            with m.Case("10--", 3):
                m.d.sync += [self.kept[1:3].eq(self.b), self.kept[5].eq(~self.kept[5])]
            with m.Case():
                m.d.sync += self.kept.eq(1)
            with m.Default():
                m.d.sync += self.kept.bit_select(self.b[:3].as_unsigned(), 2).eq(3)
        return m


def test_statements(tmp_path: Path) -> None:
    rtlil, files = both(Statements())
    count, said = proven(rtlil, files, tmp_path)
    assert count >= 30 and not said, said


class Lanes(wiring.Component):
    """Loops that read what another loop makes: its own lane, all lanes, and one lane."""

    def __init__(self) -> None:
        super().__init__({"a": In(12), "n": In(2), "kept": Out(48), "sums": Out(16), "low": Out(3)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        raised = [Signal(3, name=f"raised_{lane}") for lane in range(4)]
        words = [Signal(12, name=f"word_{lane}") for lane in range(4)]
        sums = [Signal(4, name=f"sum_{lane}") for lane in range(4)]
        for lane, value in enumerate(raised):
            m.d.comb += value.eq(self.a.word_select(lane, 3) + 1)
        for lane, word in enumerate(words):
            with m.If(self.n == lane):
                m.d.sync += word.eq(Cat(raised))
        for value, own in zip(sums, raised, strict=True):
            m.d.comb += value.eq(own + raised[0])
        m.d.comb += [self.kept.eq(Cat(words)), self.sums.eq(Cat(sums)), self.low.eq(raised[3])]
        return m


def test_loops(tmp_path: Path) -> None:
    rtlil, files = both(Lanes())
    (text,) = files.values()
    assert len(re.findall(r"begin : lanes", text)) == 3 and "_0" not in text
    count, said = proven(rtlil, files, tmp_path)
    assert count >= 60 and not said, said


class LaneBits(wiring.Component):
    """A loop that reads bits of what another loop makes, and a packed register that is read by its fields only."""

    def __init__(self) -> None:
        super().__init__({"a": In(12), "b": In(signed(3)), "high": Out(4), "low": Out(8), "seen": Out(3)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = [Signal(signed(4), name=f"held_{lane}") for lane in range(4)]
        tops = [Signal(name=f"top_{lane}") for lane in range(4)]
        rests = [Signal(2, name=f"rest_{lane}") for lane in range(4)]
        for lane, value in enumerate(held):
            m.d.sync += value.eq(self.a.word_select(lane, 3) + self.b)
        for value, top, rest in zip(held, tops, rests, strict=True):
            m.d.comb += [top.eq(Mux(value[-1], ~value[2:].all(), value[2:].any())), rest.eq(Mux(top, 3, value[1:3]))]
        pair = Signal(data.StructLayout({"first": 1, "second": 2}))
        m.d.sync += [pair.first.eq(tops[0]), pair.second.eq(self.a)]
        m.d.comb += [self.high.eq(Cat(tops)), self.low.eq(Cat(rests)), self.seen.eq(Cat(pair.second, pair.first))]
        return m


def test_bits_of_other_loops_and_fields_alone(tmp_path: Path) -> None:
    rtlil, files = both(LaneBits())
    assert "all_held[4 * i + 3]" in files["unit.sv"] and "all_held[4 * i + 1 +: 2]" in files["unit.sv"]
    count, said = proven(rtlil, files, tmp_path)
    assert count > 20 and not said, said


def test_a_wrong_text_is_no_proof(tmp_path: Path) -> None:
    rtlil, files = both(Terminator(parameters=unit()))
    (name,) = files
    wrong = files[name].replace("step >= t_max", "step > t_max")
    assert wrong != files[name]
    assert "unproven" in proven(rtlil, {name: wrong}, tmp_path)[1]


@pytest.mark.parametrize("seed", range(4))
def test_random_expressions_in_icarus(seed: int, tmp_path: Path) -> None:
    """An event-driven simulator has rules for widths and signs of its own: its values are those of Amaranth's."""
    rng = random.Random(seed)
    inputs = [{name: rng.getrandbits(bits) for name, bits in WIDTHS.items()} for _ in range(60)]
    outputs = [f"y{number}" for number in range(12)]
    dut, expected = Expressions(seed + 100, len(outputs)), []

    async def bench(ctx: SimulatorContext) -> None:
        for values in inputs:
            for name, value in values.items():
                ctx.set(Value.cast(getattr(dut, name)).as_unsigned(), value)
            expected.append([ctx.get(Value.cast(getattr(dut, name)).as_unsigned()) for name in outputs])

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    files = unit_files(Expressions(seed + 100, len(outputs)), "unit")
    lines = ["module bench;", *(f"  reg [{bits - 1}:0] {name};" for name, bits in WIDTHS.items())]
    widths = {name: len(Value.cast(getattr(dut, name))) for name in outputs}
    lines += [f"  wire [{widths[name] - 1}:0] {name};" for name in outputs]
    lines += [f"  unit unit ({', '.join(f'.{name}({name})' for name in (*WIDTHS, *outputs))});", "  initial begin"]
    for values in inputs:
        lines += [f"    {name} = {value};" for name, value in values.items()]
        lines += [f'    #1 $display("{" ".join(["%0d"] * len(outputs))}", {", ".join(outputs)});']
    (tmp_path / "bench.sv").write_text("\n".join([*lines, "  end", "endmodule", ""]))
    (tmp_path / "unit.sv").write_text(files["unit.sv"])
    run(tool("iverilog"), "-g2012", "-s", "bench", "-o", "b.vvp", "bench.sv", "unit.sv", cwd=tmp_path)
    found = [line.split() for line in run(tool("vvp"), "b.vvp", cwd=tmp_path).splitlines()]
    assert [[int(value) for value in line] for line in found] == expected
