"""Conductances that a tantalum-oxide cell can have, which a configuration is checked against
(`sim.devices.tantalum.kind`); the model is in `sim.devices.tantalum.oxide`, with its source.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["A_S", "B_PER_SQRT_V", "GM_S", "off_conductance_S"]

GM_S = 0.025
"""Gm, conductance of a channel that conducts all over, siemens."""
A_S = 7.2e-6
"""a, conductance of the insulating share near 0 V, siemens."""
B_PER_SQRT_V = 4.7
"""b, Poole-Frenkel slope of the insulating share, V^-1/2."""


def off_conductance_S(v_V: ArrayLike, a_S: float = A_S, b_per_sqrt_V: float = B_PER_SQRT_V) -> NDArray[np.float64]:
    """a * exp(b * sqrt|v|), the conductance at w = 0, siemens. The exponent ends at 300 (4,000 V)."""
    exponent = b_per_sqrt_V * np.sqrt(np.abs(np.asarray(v_V, np.float64)))
    return np.asarray(a_S * np.exp(np.minimum(exponent, 300.0)))
