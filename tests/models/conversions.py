"""Noise of conversions in plain integers, written from its definition (docs/devices.md, "Noise of conversions")."""

from __future__ import annotations

__all__ = ["field_product", "plain_conversion_noise", "plain_threefry"]

MASK = 0xFFFFFFFF
FIELD = 1 << 32 | 1 << 22 | 1 << 2 | 1 << 1 | 1


def plain_threefry(c0: int, c1: int, k0: int, k1: int) -> tuple[int, int]:
    """Threefry-2x32-20 from the paper."""
    keys = [k0, k1, 0x1BD11BDA ^ k0 ^ k1]
    x0, x1 = (c0 + k0) & MASK, (c1 + k1) & MASK
    rotations = [13, 15, 26, 6, 17, 29, 16, 24]
    for number in range(20):
        x0 = (x0 + x1) & MASK
        turned = x1 << rotations[number % 8]
        x1 = (turned & MASK | turned >> 32) ^ x0
        if number % 4 == 3:
            i = number // 4 + 1
            x0, x1 = (x0 + keys[i % 3]) & MASK, (x1 + keys[(i + 1) % 3] + i) & MASK
    return x0, x1


def field_product(e: int, b: int) -> int:
    """e * b: the product of both polynomials, then its remainder."""
    product = 0
    for i in range(32):
        if e >> i & 1:
            product ^= b << i
    for i in range(63, 31, -1):
        if product >> i & 1:
            product ^= FIELD << (i - 32)
    return product


def plain_conversion_noise(
    key_words: tuple[int, int], image: int, read: int, tile: int, column: int, lanes: int
) -> int:
    """t of one conversion."""
    a, b = plain_threefry(image, read, *key_words)
    group, lane = divmod(column, lanes)
    word = a ^ field_product(tile << 20 | group << 10 | lane, b)
    return sum(word >> 4 * digit & 15 for digit in range(8)) - 60
