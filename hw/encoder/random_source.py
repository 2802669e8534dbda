"""Random numbers of the RATE coding: one xorshift128 generator, and a phase shifter that gives every lane its own bits.

The generator is Marsaglia's xorshift128 ("Xorshift RNGs", J. Stat. Soft. 8(14), 2003): four 32-bit words x, y, z, w,
period 2^128 - 1, three XORs and shifts per step. The phase shifter is the one of built-in self test: a random bit is
the XOR of three bits of the present 128-bit state, which is the generator's sequence far away in its period.

From one step to the next the words move down (x, y, z = y, z, w), so a triple of taps moved by 32 bits would repeat
another one's sequence a step later. No two triples of `taps` are equal, also when moved by multiples of 32 (round the
state), and the triples of one lane share no bit, so that its eight bits are independent of each other.
"""

from __future__ import annotations

import functools

from amaranth.hdl import Cat, Value

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError

__all__ = ["MAX_LANES", "RANDOM_BITS", "advance", "random_lanes", "start_state", "taps", "xorshift128"]

RANDOM_BITS = 8
"""Bits of a lane's random number."""

MAX_LANES = 4096

STATE_BITS = 128
WORD_MASK = 0xFFFF_FFFF
SPLITMIX_SEED = 0x5350_494B_454C_4F4F  # "SPIKELOO"

State = tuple[int, int, int, int]
Triple = tuple[int, int, int]


def xorshift128(state: State) -> State:
    """State after one step; `state` and result are (x, y, z, w), 32-bit integers."""
    x, y, z, w = state
    t = x ^ (x << 11) & WORD_MASK
    return y, z, w, w ^ (w >> 19) ^ t ^ (t >> 8)


def start_state(seed: int) -> State:
    """State (x, y, z, w) at an image's start from its 128-bit seed, x lowest; all zero is replaced by x = 1.

    Raises
    ------
    ValueError : the seed is not in 0 .. 2^128 - 1
    """
    if not 0 <= seed < 1 << STATE_BITS:
        raise SpikeLoomError(f"Image seed must be in 0 .. 2^128 - 1, not {seed!r}")
    seed = seed or 1
    return (seed & WORD_MASK, seed >> 32 & WORD_MASK, seed >> 64 & WORD_MASK, seed >> 96)


def _splitmix64(state: int) -> tuple[int, int]:
    """Next state and output of splitmix64 (Steele, Lea, Flood, "Fast splittable PRNGs", OOPSLA 2014)."""
    mask = (1 << 64) - 1
    state = (state + 0x9E37_79B9_7F4A_7C15) & mask
    z = (state ^ state >> 30) * 0xBF58_476D_1CE4_E5B9 & mask
    z = (z ^ z >> 27) * 0x94D0_49BB_1331_11EB & mask
    return state, z ^ z >> 31


def _same_sequence(triple: Triple) -> Triple:
    """The one name of all triples that differ by a move of whole words round the state."""

    def moved(distance: int) -> Triple:
        a, b, c = sorted((tap + distance) % STATE_BITS for tap in triple)
        return a, b, c

    return min(moved(32 * words) for words in range(4))


@functools.cache
def taps(lanes: int) -> tuple[tuple[Triple, ...], ...]:
    """State bits whose XOR is a random bit: `taps(lanes)[lane][bit]` is a triple of indices into w:z:y:x (x lowest).

    The same for every run and machine; the first lanes are the same for any number of lanes.

    Parameters
    ----------
    lanes : lanes with a random number each, 1 .. MAX_LANES

    Raises
    ------
    TypeError, ValueError : lanes is not an integer in 1 .. MAX_LANES
    """
    if isinstance(lanes, bool) or not isinstance(lanes, int):
        raise ArgumentTypeError(f"Phase shifter lanes must be an integer, not {lanes!r}")
    if not 1 <= lanes <= MAX_LANES:
        raise SpikeLoomError(f"Phase shifter lanes must be in 1 .. {MAX_LANES}, not {lanes!r}")
    result: list[tuple[Triple, ...]] = []
    taken: set[Triple] = set()
    state = SPLITMIX_SEED
    while len(result) < lanes:
        lane: list[Triple] = []
        lane_bits: set[int] = set()
        while len(lane) < RANDOM_BITS:
            state, draw = _splitmix64(state)
            triple = (draw & 127, draw >> 7 & 127, draw >> 14 & 127)
            name = _same_sequence(triple)
            if len(set(triple)) < 3 or name in taken or lane_bits & set(triple):
                continue
            taken.add(name)
            lane_bits.update(triple)
            lane.append(triple)
        result.append(tuple(lane))
    return tuple(result)


def advance(state: Value) -> Value:
    """`xorshift128` as logic: the next 128-bit state."""
    x, w = state[0:32], state[96:128]
    t = (x ^ x.shift_left(11))[0:32]
    return Cat(state[32:128], w ^ w[19:] ^ t ^ t[8:])


def random_lanes(state: Value, lanes: int) -> list[Value]:
    """The lanes' random numbers of the present state as logic, unsigned RANDOM_BITS each."""
    return [Cat(state[a] ^ state[b] ^ state[c] for a, b, c in lane) for lane in taps(lanes)]
