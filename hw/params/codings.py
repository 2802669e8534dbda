"""Input codings: how a pixel becomes row codes, step by step. One class per kind; all of them are in `CODINGS`.

The hardware is `hw.encoder.spike_encoder`, the reference `sim.reference.encoder`. docs/extending.md says how to add
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.params.kinds import Kind, KindRegister, Kinds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CODINGS", "Coding", "built_codings", "check_coding_built", "check_codings", "listed"]

_PIXEL_BITS = 8


class Coding(Kind):
    """An input coding.

    row_bits : of the first layer's row codes: 1, spikes, or 8, levels of its DACs
    draws_seeds : whether it draws at random, so that every image comes with a seed
    steady : whether the row codes of an image are the same in every step
    """

    row_bits: ClassVar[int] = 1
    draws_seeds: ClassVar[bool] = False
    steady: ClassVar[bool] = False

    PHASE: ClassVar[Coding]
    RATE: ClassVar[Coding]
    EVEN: ClassVar[Coding]
    ANALOG: ClassVar[Coding]

    def sent(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What the host sends of an image's pixels, uint8 [images, inputs] both; the encoder gets this."""
        return pixels

    def full_rate(self, phases: int) -> float:
        """What pixel 255 is, averaged over a period with the weights of its phases: 1 if it spikes in every phase."""
        return 1.0


CODINGS = Kinds(Coding, "input coding", "spikeloom.codings")


class Phase(Coding):
    """Phase p carries bit 7 - p of the pixel [WS 4.1]."""

    name = "phase"
    code = 0
    sentence = "bits of the pixel MSB first"

    def full_rate(self, phases: int) -> float:
        """The first 8 phases of 255 spike; with more than a pixel has bits, the last ones are silent."""
        if phases <= _PIXEL_BITS:
            return 1.0
        return ((1 << _PIXEL_BITS) - 1 << phases - _PIXEL_BITS) / ((1 << phases) - 1)


class Rate(Coding):
    """A spike with the probability that the pixel is of 255 [WS eq. 5]."""

    name = "rate"
    code = 1
    sentence = "Bernoulli spikes"
    draws_seeds = True


class Even(Coding):
    """Error diffusion in time: spikes as evenly spaced as whole steps allow."""

    name = "even"
    code = 2
    sentence = "error diffusion"
    fields = ("coding.even_start",)
    without = "which has no error diffusion"
    registers = (
        KindRegister("even_start", 5, lambda p: 8, "start of the even coding's accumulators, 0 .. 254", "1/255"),
    )
    needs = (
        '`coding.phases` is 1 with `coding.input = "even"`: evenly spaced spikes may all fall on one phase, whose '
        "weight is not the mean weight"
    )

    def problems(self, config: Any) -> Iterator[str]:
        if config.coding.phases > 1:
            yield (
                "[coding] phases must be 1 with input 'even', which spaces spikes evenly whatever the weight of their "
                "phase, so that a pixel's spikes may all have one phase; set input 'phase' or 'rate', not phases "
                f"{config.coding.phases}"
            )


class Analog(Coding):
    """The row code is the pixel: the first layer's DACs drive it."""

    name = "analog"
    code = 3
    sentence = "the first layer's DAC drives the pixel itself"
    row_bits = 8
    steady = True


Coding.PHASE = CODINGS.built_in(Phase)
Coding.RATE = CODINGS.built_in(Rate)
Coding.EVEN = CODINGS.built_in(Even)
Coding.ANALOG = CODINGS.built_in(Analog)


def built_codings(coding: Coding) -> tuple[Coding, ...]:
    """What an encoder for this coding alone is built for; everything for one that runs in the reference only."""
    return CODINGS.unit if coding.code is None else (CODINGS[coding.code],)


def check_codings(codings: tuple[Coding, ...]) -> None:
    """Check codings that an encoder is to be built for.

    Raises
    ------
    TypeError : no tuple of codings
    ValueError : none, one that the unit does not have, or one twice or in another order than that of their codes
    """
    if not isinstance(codings, tuple) or not all(isinstance(kind, Coding) for kind in codings):
        raise ArgumentTypeError(f"NPU parameter codings must be a tuple of codings, not {codings!r}")
    if not codings or codings != tuple(kind for kind in CODINGS.unit if kind in codings):
        raise SpikeLoomError(
            f"NPU parameter codings must name at least one of {listed(CODINGS.unit)}, each once and in this order, not "
            f"{listed(codings) or 'none'}"
        )


def check_coding_built(coding: Coding, codings: tuple[Coding, ...]) -> None:
    """Raise `ValueError` for a chip whose coding its encoder is built without; one of the reference only is not."""
    if coding.code is not None and CODINGS[coding.code] not in codings:
        raise SpikeLoomError(
            f"Programmed chip: coding must be {listed(codings, ' or ')}, not {coding.name}, since its encoder is built "
            'without it; build it with it, by [hardware] input_codings = "all" or by the parameters of the unit'
        )


def listed(codings: tuple[Coding, ...], between: str = ", ") -> str:
    """Names of codings."""
    return between.join(kind.name for kind in codings)
