"""ADCs of a crossbar emulator: exact column sums in, codes out."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.emulator.shape import FRACTION_BITS, LARGEST_NOISE, EmulatorShape

__all__ = ["Converter", "converter_stages", "start_value"]

_DIVISOR = 255
_DIGIT_BITS = 8


def start_value(shape: EmulatorShape) -> int:
    """What a sum begins with: half a code, so that rounding down rounds to the nearest code; 0 where the gain is a
    register, and half a code is added after it.
    """
    return 0 if shape.gain is None else shape.full_scale << (FRACTION_BITS - 1 + shape.gain)


def _folds(shape: EmulatorShape) -> list[tuple[int, int]]:
    """Bounds of a sum of 8-bit rows after each fold, until 255 goes into it once at most."""
    noise = LARGEST_NOISE * shape.noise_unit
    most = (shape.largest_sum + (shape.full_scale << FRACTION_BITS) + noise) >> _low_bits(shape)
    low, high = -most - 1, most
    folds = []
    while low < -_DIVISOR or high >= 2 * _DIVISOR:
        low, high = low >> _DIGIT_BITS, (high >> _DIGIT_BITS) + _DIVISOR
        folds.append((low, high))
    return folds


def _low_bits(shape: EmulatorShape) -> int:
    """Bits below a code (or below 255 codes), without the gain of a register."""
    return FRACTION_BITS + (shape.gain or 0)


def converter_stages(shape: EmulatorShape) -> int:
    """Cycles from a sum to its code: two for a gain that is a register, or else one for noise, and those of the
    division by 255.
    """
    divides = shape.parameters.row_bits == 8
    return (2 if shape.gain is None else int(shape.noise > 0)) + (len(_folds(shape)) + 1 if divides else 0)


class Converter(wiring.Component):
    """The ADCs of all lanes: code = clip(round_half_even(sum 2^-10 / S / 2^gain)), S = 1, or 255 for 8-bit rows.

    Exact: half a code is added (`start_value`), the sum is rounded down, and an odd code with nothing left is a tie,
    which goes to the even one below. With 1 bit, the sense amplifier of `hw.params.readouts`, the same with codes -1 ..
    1. With noise, t A / 2^10 is added to the code before it is rounded.

    Division by 255 has no divider: since 256 h + l = 255 h + (h + l), a number is folded to h + l, and the h of all
    folds add up to the quotient.

    Parameters
    ----------
    shape : EmulatorShape

    Members
    -------
    sums : In(lanes sums of sum_bits, signed), each with `start_value` in it
    gain : In(gain_bits), gain shift; only with a gain that is a register
    noise : In(lanes t, signed), of the sums; only with noise
    codes : Out(lanes signed codes)
    over : Out(lanes), the code was clipped

    Cycles
    ------
    Codes are those of the sums `converter_stages(shape)` cycles before; sums may come in every cycle.
    """

    def __init__(self, *, shape: EmulatorShape) -> None:
        self._shape = shape
        p = shape.parameters
        draws = range(-LARGEST_NOISE, LARGEST_NOISE + 1)
        super().__init__(
            {
                "sums": In(data.ArrayLayout(signed(shape.sum_bits), p.lanes)),
                **({"gain": In(p.gain_bits)} if shape.gain is None else {}),
                **({"noise": In(data.ArrayLayout(draws, p.lanes))} if shape.noise else {}),
                "codes": Out(data.ArrayLayout(signed(p.code_bits), p.lanes)),
                "over": Out(p.lanes),
            }
        )

    @property
    def shape(self) -> EmulatorShape:
        """Structure, as it was given."""
        return self._shape

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        for lane in range(self._shape.parameters.lanes):
            value, below = self._whole(m, self.sums[lane], lane)
            code, over = self._limited(m, value, below, lane)
            m.d.comb += [self.codes[lane].eq(code), self.over[lane].eq(over)]
        return m

    def _whole(self, m: Module, value: Value, lane: int) -> tuple[Value, Value]:
        """Codes, rounded down from half a code above the sum, and whether anything was below."""
        shape = self._shape
        lost: Value = Const(0, 1)
        if shape.gain is None:
            lost = Signal(name=f"lost_{lane}", reset_less=True)
            first_lost = Signal(name=f"first_lost_{lane}", reset_less=True)
            shifted = Signal(value.shape(), name=f"shifted_{lane}", reset_less=True)
            half = shape.full_scale << FRACTION_BITS - 1
            noise = self._noise(m, lane)
            raised = Signal((shifted + half + noise).shape(), name=f"raised_{lane}", reset_less=True)
            out = Cat((self.gain > bit) & value[min(bit, len(value) - 1)] for bit in range((1 << len(self.gain)) - 1))
            m.d.sync += [shifted.eq(value >> self.gain), first_lost.eq(out.any())]
            m.d.sync += [raised.eq(shifted + half + noise), lost.eq(first_lost)]
            value = raised
        elif shape.noise:
            noise = self.noise[lane] * shape.noise_unit
            noisy = Signal((value + noise).shape(), name=f"noisy_{lane}", reset_less=True)
            m.d.sync += noisy.eq(value + noise)
            value = noisy
        low = _low_bits(shape)
        below = value[:low].any() | lost
        value = value[low:].as_signed() if len(value) > low else value[-1:].as_signed()
        if shape.parameters.row_bits == 8:
            value, below = self._divided(m, value, below, lane)
        return value, below

    def _noise(self, m: Module, lane: int) -> Value:
        """Noise of a lane, a cycle late."""
        if not self._shape.noise:
            return Const(0, 1)
        noise = self.noise[lane] * self._shape.noise_unit
        late = Signal(noise.shape(), name=f"noise_{lane}", reset_less=True)
        m.d.sync += late.eq(noise)
        return late

    def _divided(self, m: Module, value: Value, below: Value, lane: int) -> tuple[Value, Value]:
        """A 255th, rounded down, and whether anything was below."""
        total: Value = Const(0, signed(1))
        for fold, (least, most) in enumerate(_folds(self._shape)):
            high = value[_DIGIT_BITS:].as_signed()
            folded = Signal(range(least, most + 1), name=f"folded_{fold}_{lane}", reset_less=True)
            kept = Signal((total + high).shape(), name=f"quotient_{fold}_{lane}", reset_less=True)
            lost = Signal(name=f"below_{fold}_{lane}", reset_less=True)
            m.d.sync += [folded.eq(high + value[:_DIGIT_BITS]), kept.eq(total + high), lost.eq(below)]
            value, total, below = folded, kept, lost
        whole = Signal(signed(len(total) + 1), name=f"whole_{lane}", reset_less=True)
        lost = Signal(name=f"rest_{lane}", reset_less=True)
        m.d.sync += [
            whole.eq(total + Mux(value < 0, Const(-1, signed(2)), value >= _DIVISOR)),
            lost.eq(below | ((value != 0) & (value != _DIVISOR))),
        ]
        return whole, lost

    def _limited(self, m: Module, value: Value, below: Value, lane: int) -> tuple[Value, Value]:
        """The code, a tie to even, and whether it was clipped."""
        p = self._shape.parameters
        rounded = Cat(value[0] & below, value[1:]).as_signed() if len(value) > 1 else value & below
        negative = value[-1]
        if p.adc_bits == 1:
            over = (rounded > 1) | (rounded < -1)
            return Mux(over, Mux(negative, Const(-1, signed(2)), Const(1, signed(2))), rounded), over
        if len(value) <= p.code_bits:
            return rounded, Const(0, 1)
        top = value[p.code_bits - 1 :]  # a tie does not change it: the last bit is none of it
        over = Signal(name=f"over_{lane}")
        m.d.comb += over.eq(top.any() & ~top.all())
        limit = Cat((~negative).replicate(p.code_bits - 1), negative)
        return Mux(over, limit, rounded[: p.code_bits]).as_signed(), over
