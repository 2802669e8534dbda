"""The integer grids on which a chip is computed: currents, noise powers, codes of cells."""

from __future__ import annotations

from spikeloom.hw.interfaces.crossbar_port import CELL_CODE_BITS, CELL_FRACTION_BITS

__all__ = ["ADC_SIGMAS", "CODES_PER_LEVEL", "CURRENT_BITS", "MAX_VERIFY_CODE", "NOISE_BITS"]

CURRENT_BITS = 10
"""Fraction bits of the current grid: W = rint((Gp - Gn) / dG * 2^10)."""

NOISE_BITS = (12, 10)
"""Fraction bits of the noise grid: most, and fewest for the sake of 32-bit sums. With 12 the noise of a cell of half a
step is right to 0.05 %."""

CODES_PER_LEVEL = 1 << CELL_FRACTION_BITS
"""Codes of a level: window, amplitudes and targets are whole numbers of 1/8 level in the hardware."""

MAX_VERIFY_CODE = (1 << CELL_CODE_BITS) - 1
"""Largest code of a verify read, 10 bits."""

ADC_SIGMAS = (0.0127, 16.0)
"""Least and largest noise of a conversion, codes rms: it is made in steps of sqrt(170) 2^-10 codes
(`sim.chip.adc_noise`)."""
