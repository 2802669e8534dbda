"""The reference neurons of a layer: column sums in, spikes out, membranes kept from step to step.

In the phase that shifts by s = K - 1 - p, for neuron i with z = (sum over row tiles of code) << g + bias:

    leak         V <- V - (V >> leak)                    arithmetic shift; off if 0
    integrate    V <- sat(V + (z << s))                  at the membrane's width, and a flag where it saturates
    clip         V <- min(max(V, -clip), clip)           off if 0 [BS]
    fire         spike = V >= theta << s
    reset        V - (theta << s) [WS eq. 10], 0 [WK eq. 3], or V [WS eq. 16]

V starts an image at v0. The stored membrane is the one after the reset.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.neuron_features import check_used
from spikeloom.hw.params.parameters import LayerParameters, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedLayer
from spikeloom.sim.common.kernels import kernel

__all__ = ["NeuronLayer"]

_SUBTRACT = int(Reset.SUBTRACT)
_ZERO = int(Reset.ZERO)


class _Settings(NamedTuple):
    """What the neurons of a layer have in common: numbers of the equations above, and range of a membrane."""

    bias: NDArray[np.int64]
    gain: int
    theta: int
    leak: int
    clip: int
    reset: int
    low: int
    high: int


@kernel(nogil=True)
def _update(
    codes: NDArray[np.int16],
    live: NDArray[np.int64],
    membranes: NDArray[np.int64],
    settings: _Settings,
    shift: int,
    spikes: NDArray[np.uint8],
    counts: NDArray[np.int64],
    overflows: NDArray[np.int64],
) -> None:
    """One step; codes int16 [live * positions, row tiles, outputs], membranes int64 [images, positions * outputs],
    spikes uint8 [live, positions * outputs], counts and overflows int64 [live]; `settings` are those of a `_Settings`.
    """
    bias, gain, theta, leak, clip, reset, low, high = settings
    tiles, outputs = codes.shape[1], codes.shape[2]
    positions = membranes.shape[1] // outputs
    threshold = theta << shift
    sums = np.empty(outputs, np.int64)
    for b in range(live.shape[0]):
        at = live[b]
        count = 0
        overflow = 0
        for position in range(positions):
            read, first = b * positions + position, position * outputs
            sums[:] = 0
            for tile in range(tiles):
                for i in range(outputs):
                    sums[i] += np.int64(codes[read, tile, i])
            for i in range(outputs):
                v = membranes[at, first + i]
                if leak > 0:
                    v -= v >> leak
                v += ((sums[i] << gain) + bias[i]) << shift
                overflow += int((v < low) | (v > high))
                v = min(max(v, low), high)
                if clip > 0:
                    v = min(max(v, -clip), clip)
                fires = v >= threshold
                if fires:
                    if reset == _SUBTRACT:
                        v -= threshold
                    elif reset == _ZERO:
                        v = np.int64(0)
                membranes[at, first + i] = v
                spikes[b, first + i] = np.uint8(fires)
                count += int(fires)
        counts[b] = count
        overflows[b] = overflow


class NeuronLayer:
    """Neurons of one layer for a batch of images.

    Attributes
    ----------
    membranes : int64 [images, positions * outputs], values after the latest step

    Raises
    ------
    ValueError : a leak, a clip or a reset that `parameters` do not have, or membranes of more than 62 bits
    """

    def __init__(self, layer: ProgrammedLayer, parameters: LayerParameters, images: int) -> None:
        check_used(f"Layer {layer.name}", parameters, clip=layer.clip, leak=layer.leak, reset=layer.reset)
        self.membranes = np.full((images, parameters.neurons), layer.v0, np.int64)
        high = (1 << (parameters.membrane_bits - 1)) - 1
        self._settings = _Settings(
            bias=layer.bias.astype(np.int64),
            gain=layer.gain_shift,
            theta=layer.theta,
            leak=layer.leak,
            clip=layer.clip,
            reset=int(layer.reset),
            low=-high - 1,
            high=high,
        )
        self._packed = tuple(self._settings)
        if parameters.membrane_bits > 62:
            raise SpikeLoomError(f"Layer {layer.name}: membranes of {parameters.membrane_bits} bits are more than 62")

    def step(
        self, codes: NDArray[np.int16], live: NDArray[np.int64], shift: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Update the images numbered `live` with their ADC codes [live * positions, row tiles, outputs].

        Returns spikes uint8 [live, positions * outputs] of 0 and 1, and their number, int64 [live].

        Raises
        ------
        AssertionError : a membrane left the width that is derived to hold it (a mistake of ours)
        """
        spikes = np.empty((len(live), self.membranes.shape[1]), np.uint8)
        counts, overflows = np.empty(len(live), np.int64), np.empty(len(live), np.int64)
        _update(codes, live, self.membranes, self._packed, shift, spikes, counts, overflows)
        if overflows.any():
            raise AssertionError(f"{int(overflows.sum())} membranes left {self._settings.low} .. {self._settings.high}")
        return spikes, counts
