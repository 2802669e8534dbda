"""Golden model of one neuron in plain integers, as the number format has it; every other golden model asks it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from spikeloom.hw.params.parameters import Reset

__all__ = ["Neuron", "Updated", "update"]


class Neuron(Protocol):
    """A neuron's registers; theta and clip of the last phase and of the membrane, leak a shift, 0 off."""

    @property
    def theta(self) -> int: ...
    @property
    def clip(self) -> int: ...
    @property
    def leak(self) -> int: ...
    @property
    def reset(self) -> int: ...


class Updated(NamedTuple):
    """A neuron after a step: membrane, whether it spiked, and whether the membrane left its width."""

    v: int
    spike: bool
    overflow: bool


def update(neuron: Neuron, v: int, z: int, weight: int, bits: int) -> Updated:
    """Leak, integrate, saturate, clip, fire, reset.

    z : column sum and bias
    weight : of the step's phase, 2^(K-1-p)
    bits : of the membrane, two's complement
    """
    if neuron.leak:
        v -= v // 2**neuron.leak
    v += z * weight
    lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    overflow = not lowest <= v <= highest
    v = min(max(v, lowest), highest)
    if neuron.clip:
        v = min(max(v, -neuron.clip), neuron.clip)
    spike = v >= neuron.theta * weight
    if spike and neuron.reset == Reset.SUBTRACT:
        v -= neuron.theta * weight
    if spike and neuron.reset == Reset.ZERO:
        v = 0
    return Updated(v, spike, overflow)
