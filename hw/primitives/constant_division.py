"""Division by a constant with wires and adders, without a divider."""

from __future__ import annotations

from amaranth.hdl import Value

__all__ = ["divided", "reciprocal"]


def reciprocal(divisor: int, largest: int) -> tuple[int, int]:
    """(factor, shift) with value // divisor == (value * factor) >> shift for every value 0 .. largest.

    With factor = ceil(2^shift / divisor) and e = factor * divisor - 2^shift, value * factor / 2^shift is value /
    divisor + value * e / (divisor * 2^shift), which has the same whole part as long as value * e < 2^shift.
    """
    shift = 0
    while True:
        factor = -(-(1 << shift) // divisor)
        if largest * (factor * divisor - (1 << shift)) < 1 << shift:
            return factor, shift
        shift += 1


def divided(value: Value, divisor: int, largest: int) -> tuple[Value, Value]:
    """Quotient and remainder of an unsigned value 0 .. largest by a constant; of two powers of two, wires."""
    quotient_bits = max(1, (largest // divisor).bit_length())
    remainder_bits = max(1, (divisor - 1).bit_length())
    if divisor & (divisor - 1) == 0:
        bits = divisor.bit_length() - 1
        return (value >> bits)[:quotient_bits], value[:bits] if bits else value[:0]
    factor, shift = reciprocal(divisor, largest)
    quotient = ((value * factor) >> shift)[:quotient_bits]
    return quotient, (value - quotient * divisor)[:remainder_bits]
