"""Size of the noise of conversions, in whole numbers; a host without a compiler needs it, too.

The noise itself, and the sources of all numbers, are in `sim.crossbar.conversion_noise`.
"""

from __future__ import annotations

import math

from spikeloom.hw.emulator.shape import NOISY_LIMITS
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.units import ADC_SIGMAS, CURRENT_BITS

__all__ = ["VARIANCE", "amplitude", "realised_sigma", "size_problem"]

VARIANCE = 170
"""Of t: eight times that of a digit, (16^2 - 1) / 12."""


def amplitude(adc_sigma: float) -> int:
    """A of a noise of `adc_sigma` codes rms; 0 of none. Raises ValueError for a noise that cannot be made."""
    low, high = ADC_SIGMAS
    if not (adc_sigma == 0.0 or low <= adc_sigma <= high):
        raise SpikeLoomError(f"adc_sigma must be 0 (no noise) or in {low:g} .. {high:g} codes, not {adc_sigma!r}")
    return round(adc_sigma * (1 << CURRENT_BITS) / math.sqrt(VARIANCE))


def realised_sigma(noise: int) -> float:
    """Noise of amplitude `noise`, codes rms."""
    return noise * math.sqrt(VARIANCE) / (1 << CURRENT_BITS)


def size_problem(parameters: LayerParameters, adc_sigma: float) -> str:
    """What is wrong with a layer's sizes where its conversions have noise, the rest of a sentence; "" is nothing."""
    most = NOISY_LIMITS
    sizes = {name: getattr(parameters, name) for name in most}
    if adc_sigma == 0.0 or all(sizes[name] <= most[name] for name in most):
        return ""
    return (
        f"has {sizes['row_tiles']} row tiles, {sizes['groups']} column groups and {sizes['lanes']} lanes, and with "
        f"[device] adc_sigma above 0 at most {most['row_tiles']}, {most['groups']} and {most['lanes']} are supported; "
        "change [crossbar] tile_rows or [hardware] lanes, or set adc_sigma to 0"
    )
