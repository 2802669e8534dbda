"""Numbers and operands that are left of formulas for any parameters."""

from __future__ import annotations

import random

from amaranth.hdl import Const, Module, Signal, Value, signed
from amaranth.sim import Simulator, SimulatorContext

from spikeloom.hw.export.writer.folding import Folding

X, Y = Signal(4), Signal(signed(3))


def test_numbers() -> None:
    for value, number in (
        (Const(5), 5),
        (X * 0, 0),
        (Y & 0, 0),
        (Const(3) * 2 - 7, -1),
        ((Const(13) + 4)[1:4], 0),
        ((X * 0 + 6)[1:], 3),
        (X, None),
        (X + 0, None),
        (X | 15, None),
    ):
        assert Folding().number(value) == number, value


def test_operands() -> None:
    for value, only in (
        (X + 0, X),
        (0 + X, X),
        (X - 0, X),
        (0 - X, None),
        (X * 1, X),
        (X | 0, X),
        (X ^ 0, X),
        (X & 15, X),
        (X & 255, X),
        (X & 7, None),
        (Y & 7, None),  # signed: the result is not
        (Y & -1, Y),
        (X & Const(1, 1), None),
        (X * 2, None),
        (X << 0, None),
        (X == 0, None),
    ):
        found = Folding().operand(value)
        assert found is None if only is None else found is only, value


def test_they_have_the_values_of_amaranths_simulator() -> None:
    rng = random.Random(1)

    def formula(depth: int) -> Value:
        if depth == 0:
            return rng.choice([X, Y, Const(0), Const(1), Const(-1), Const(15), Const(rng.randrange(-9, 9))])
        left, right = formula(depth - 1), formula(depth - 1)
        return rng.choice([left + right, left - right, left * right, left & right, left | right, (left & right)[:3]])

    formulas = [formula(3) for _ in range(300)]
    folding = Folding()
    known = [(value, folding.number(value)) for value in formulas]
    operators = [value for value in formulas if len(getattr(value, "operands", ())) == 2]
    same = [(value, only) for value in operators if (only := folding.operand(value)) is not None]
    assert sum(number is not None for _, number in known) > 20 and len(same) > 20

    async def bench(ctx: SimulatorContext) -> None:
        for _ in range(20):
            ctx.set(X, rng.randrange(16))
            ctx.set(Y, rng.randrange(-4, 4))
            assert all(number is None or ctx.get(value) == number for value, number in known)
            assert all(ctx.get(value) == ctx.get(only) for value, only in same)

    simulator = Simulator(Module())
    simulator.add_testbench(bench)
    simulator.run()
