"""Kinds of readouts: one for every number of bits, and what each says of its codes and of what is clipped."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.params.readouts import READOUT_BITS, READOUTS, readout_of


def test_every_number_of_bits_has_one_kind() -> None:
    assert READOUT_BITS == range(1, 17)
    assert sorted(bits for kind in READOUTS for bits in kind.bits) == list(READOUT_BITS)
    assert [readout_of(bits).name for bits in (1, 2, 16)] == ["sense amplifier", "ADC", "ADC"]
    for bits in (0, 17):
        with pytest.raises(ValueError, match=f"^Bits of a readout must be in 1 .. 16, not {bits}$"):
            readout_of(bits)
        with pytest.raises(ValueError, match=f"^Layer parameter adc_bits must be in 1 .. 16, not {bits}$"):
            LayerParameters(inputs=4, outputs=4, lanes=4, adc_bits=bits)


@pytest.mark.parametrize("bits", READOUT_BITS)
def test_codes_and_clipping(bits: int) -> None:
    """Against the rounding itself, at halves and beside them."""
    kind, codes = readout_of(bits), readout_of(bits).codes(bits)
    assert codes == ((-1, 1, 2) if bits == 1 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, bits))
    assert codes.low >= -(1 << (codes.width - 1)) and codes.high < 1 << (codes.width - 1)
    above, below = kind.clips_above(bits), kind.clips_below(bits)
    assert np.rint(above) > codes.high >= np.rint(np.nextafter(above, 0.0))
    assert np.rint(np.nextafter(-below, -np.inf)) < codes.low
    assert bits == 1 or np.rint(-below) == codes.low
    layer = LayerParameters(inputs=40, outputs=4, lanes=4, tile_rows=16, adc_bits=bits, max_gain_shift=3)
    assert layer.max_sum == 3 * max(-codes.low, codes.high) << 3
