"""Clock cycles per image by the formulas of `hw.params.cycles`, without the Verilog, as its counters report them.

Assumed: pixels and results never wait for the host, and the crossbars answer in the cycles of the programmed chip. Then
the words of image i come from the cycle after the result of image i - 2 on, since the unit stores two images, and with
W words per image, first word in cycle F_i, result in cycle R_i (0 before the first image), V = 1 with two encoders, and
W + 2 with one:

    F_i = max(R_(i-2), F_(i-1) + W - 1) + 1        O_i(1) = max(F_i + 2 W + 1, R_(i-1) + V)
    R_i = E_i(last step) + 1                       cycles = R_i - max(F_i, R_(i-1))

with O and E, the cycles in which a step's vector is offered and in which it ends, as in docs/hardware/npu.md: they
depend on the vectors, or windows, that are silent.

So `cycles` of images back to back are what lies between two results. From its first pixel word, an image that has the
unit for itself takes 2 W + 1 cycles to its first vector: that is its latency, and no throughput.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.cycles import NEURON_CYCLES, VERDICT_CYCLES, image_cycles
from spikeloom.hw.params.decision_rules import verdict_cycles
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.estimates.window_activity import steps_of, window_activity
from spikeloom.sim.reference.encoder import encoder_of

__all__ = ["Reads", "Timing", "timing"]

Reads = Callable[[int, NDArray[np.uint8]], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Of a layer's number, and row codes [n, inputs] of reads, silent ones among them: clock cycles of each drive, int64
[n], and of the conversions of each column group, int64 [n, groups]. What it says of silent reads does not count."""


@dataclass(frozen=True, eq=False)
class Timing:
    """Clock cycles of a row of images.

    Parameters
    ----------
    cycles : int64 [images], from an image's start to its result, as in `Result.cycles`
    results : int64 [images], cycle in which the result is there, counted from the first image's start
    alone : int64 [images], from an image's first pixel word to its result where no other image is under way
    """

    cycles: NDArray[np.int64]
    results: NDArray[np.int64]
    alone: NDArray[np.int64]

    __repr__ = short_repr

    @property
    def per_image(self) -> float:
        """Clock cycles from a result to the next, on average; the first image's start-up is in it."""
        return float(self.results[-1]) / len(self.results)


def timing(chip: ProgrammedChip, pixels: NDArray[np.uint8], result: Result, reads: Reads | None = None) -> Timing:
    """Cycles of images uint8 [images, inputs] that were run one after another, from a result with a trace of spikes.

    reads : what crossbars take of which the time depends on the rows; None for those of the chip. Dense layers only
    """
    if result.trace is None:
        raise SpikeLoomError('The result has no trace, which shows the all-zero vectors: run with trace="spikes"')
    if len(pixels) != len(result):
        raise SpikeLoomError(f"There are {len(pixels)} images, but {len(result)} results")
    words, chain = chip.parameters.pixel_words, chip.parameters.plan.is_dense_chain
    if reads is not None and not chain:
        raise SpikeLoomError("Cycles of crossbars that take longer for more rows are known for dense layers only")
    spans = _spans(chip, pixels, result, reads) if chain else _map_spans(chip, pixels, result)
    cycles, results = np.empty(len(pixels), np.int64), np.empty(len(pixels), np.int64)
    made = 1 if chip.parameters.encoders == 2 else words + 2  # the next image's first vector, after a result
    first, before, before_that = -words, 0, -1
    for index, span in enumerate(spans.tolist()):
        first = max(before_that, first + words - 1) + 1
        offered = max(first + 2 * words + 1, before + made if index else 0)
        cycles[index] = offered + span - max(first, before)
        before, before_that = offered + span, before if index else -1
        results[index] = before
    return Timing(cycles, results, 2 * words + 1 + spans)


def _map_spans(chip: ProgrammedChip, pixels: NDArray[np.uint8], result: Result) -> NDArray[np.int64]:
    """`_spans` of a unit with maps."""
    active = window_activity(chip, pixels, result)
    steps = [steps_of(chip, active, number, taken) for number, taken in enumerate(result.steps.tolist())]
    return np.array([image_cycles(chip.parameters, taken, 0) for taken in steps])


def _spans(chip: ProgrammedChip, pixels: NDArray[np.uint8], result: Result, reads: Reads | None) -> NDArray[np.int64]:
    """Cycles from the first offer of an image's vector to its result, int64 [images]."""
    p, trace = chip.parameters, result.trace
    assert trace is not None
    encoder = encoder_of(chip, pixels, result.ids)
    drive, conversion = chip.read_cycles, chip.adc_cycles
    judging = VERDICT_CYCLES + verdict_cycles(chip.rule, p)
    offered, end = np.zeros(len(pixels), np.int64), np.zeros(len(pixels), np.int64)
    for step in range(1, int(result.steps.max(initial=0)) + 1):
        live = np.flatnonzero(result.steps >= step)
        rows = encoder.step(live, step)
        seen, again = offered[live], np.zeros(len(live), np.int64)
        for index, shape in enumerate(p.layers):
            last = index == len(p.layers) - 1
            if last and (step - 1) // p.phases < chip.skip:
                break
            driven: NDArray[np.bool_] = np.any(rows, axis=1)
            taken, groups = (drive, conversion) if reads is None else reads(index, rows)
            long, ends = np.where(driven, taken, 0), _ends(driven, groups, shape.groups)
            if index == 0:
                again = long
            if last:  # a group's classes are looked at one by one, from the cycle on in which it is there
                left = shape.outputs - shape.lanes * np.arange(shape.groups)
                seen = seen + long + NEURON_CYCLES + judging + (ends + left).max(axis=1)
            else:
                seen = seen + long + ends[:, -1] + 2 + NEURON_CYCLES
            rows = np.unpackbits(trace.spikes[index][live, step - 1], axis=-1, count=shape.outputs)
        end[live] = seen + 1
        offered[live] = np.maximum(seen + 1, offered[live] + again + p.pixel_words + 1)
    return end


def _ends(driven: NDArray[np.bool_], conversions: NDArray[np.int64] | int, groups: int) -> NDArray[np.int64]:
    """Cycles until each group's codes are there, int64 [n, groups], of reads that are driven, and of silent ones."""
    each = np.broadcast_to(conversions, (len(driven), groups))
    return np.cumsum(np.where(driven[:, None], each, 1), axis=1)
