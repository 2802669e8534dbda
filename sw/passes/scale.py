"""The step of a layer's cells, the real weight of one conductance level, chosen by the error of the layer's output.

Rounding and clipping change W to W + E. What counts is not E but what it does to what the neurons get on typical
inputs x: E x, where the rectifier lets it pass (for the last layer: where it differs between classes). Its mean goes
into the bias, exactly up to a conductance step (bias correction: Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", ICCV 2019, section 3.2), so that what is left to choose the step by is the variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.short_repr import short_repr
from sw.graph import Floats, Rectifier
from sw.passes.quantise import round_weights
from sw.windows import WindowReader

__all__ = ["LayerInputs"]

_PER_OCTAVE = 4
_OCTAVES = 5


@dataclass(frozen=True, eq=False)
class LayerInputs:
    """What a layer reads on some images, and what it makes of it.

    Parameters
    ----------
    reader : of the layer's windows
    maps : float [images, values] of every map that the windows read, None for the others
    rectifier : None on a last layer without one
    weight, bias : float64 [outputs, rows] and [outputs]
    """

    __repr__ = short_repr

    reader: WindowReader
    maps: Sequence[NDArray[np.floating] | None]
    weight: Floats
    bias: Floats
    rectifier: Rectifier | None

    def step(self, top: int) -> float:
        """The step with the least error of the output."""
        largest = float(np.abs(self.weight).max(initial=0.0))
        exact = self._sums(self.weight.T) + self.reader.spread(self.bias)
        target = self._passed(exact)
        best, error = largest / top, np.inf
        steps = largest / top * 2.0 ** (-np.arange(_OCTAVES * _PER_OCTAVE) / _PER_OCTAVE)
        worse = 0
        for step in steps:
            found = self._error(float(step), top, exact, target)
            if found < error:
                best, error, worse = float(step), found, 0
            else:
                worse += 1
                if worse == _PER_OCTAVE:
                    break
        for factor in (2.0 ** (-0.5 / _PER_OCTAVE), 2.0 ** (0.5 / _PER_OCTAVE)):
            found = self._error(best * factor, top, exact, target)
            if found < error:
                return best * factor
        return best

    def correction(self, levels: NDArray[np.integer], step: float | Floats) -> Floats:
        """What to add to the bias, float64 [outputs], so that the mean of the output's error is 0; `step` of all rows,
        or float64 [rows].
        """
        mean = [None if values is None else values.mean(axis=0, keepdims=True) for values in self.maps]
        error = self.reader.sums(mean, (self.weight - levels * step).T, np.float64)
        return error.reshape(-1, len(self.bias)).mean(axis=0)

    def _sums(self, weight: Floats) -> Floats:
        return self.reader.sums(self.maps, weight, np.float64).astype(np.float64, copy=False)

    def _passed(self, x: Floats) -> Floats:
        if self.rectifier is None:
            x = x.reshape(-1, len(self.bias))
            return x - x.mean(axis=1, keepdims=True)
        return np.clip(x, 0.0, self.rectifier.clip)

    def _error(self, step: float, top: int, exact: Floats, target: Floats) -> float:
        difference = self._sums(round_weights(self.weight, step, top).T * step - self.weight.T)
        columns = difference.reshape(-1, len(self.bias))
        columns = columns - columns.mean(axis=0)
        return float(np.mean((self._passed(exact + columns.reshape(exact.shape)) - target) ** 2))
