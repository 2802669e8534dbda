"""The integer reference: whole data sets through the programmed chip, bit for bit what the hardware does.

Images are taken in chunks, a chunk a thread; within a chunk all images go through a step together, layer by layer, and
leave when they are decided. Random draws are addressed by the image's number, so results depend neither on chunks nor
on the company an image is in. Analog inputs drive the same rows in every step: the first layer's sums are made once an
image.

Cells that drift make the stream's order count. Images are then taken in blocks of `drift_every`, counted from
programming on; the rows that a block really drove are added up, and the conductances made anew before the next block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hw.params import Coding, Readout, Rule
from sim.aging import Aging, check_drift
from sim.crossbar import CrossbarArray, build_arrays, check_arrays
from sim.drift_state import DriftState
from sim.encoder import Encoder
from sim.image import ChipImage
from sim.neuron import NeuronLayer
from sim.result import ACTIVITIES, Result, Trace
from sim.threads import in_order, processors

__all__ = ["check_ids", "check_images", "run_reference"]

TraceKind = Literal[False, True, "spikes", "full"]


def check_images(images: Any, inputs: int) -> NDArray[np.uint8]:
    """Images as pixels, uint8 [images, inputs].

    `images` is a NumPy array or PyTorch tensor of shape [images, inputs], or [images, ...] with as many pixels; uint8
    pixels are taken as they are, floating-point ones, 0 .. 1, become round(255 x).

    Raises
    ------
    TypeError : not an array, or numbers of another kind
    ValueError : another shape, no image, or a pixel that is not in 0 .. 1
    """
    if hasattr(images, "detach") and hasattr(images, "cpu"):
        images = images.detach().cpu().numpy()
    if not isinstance(images, np.ndarray):
        raise TypeError(f"Images must be a NumPy array or a PyTorch tensor, not {type(images).__name__}")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise TypeError(f"Images must be uint8 (0 .. 255) or floating point (0 .. 1), not {images.dtype}")
    if images.ndim < 2 or int(np.prod(images.shape[1:])) != inputs:
        raise ValueError(f"Images must have shape [images, {inputs}] or as many pixels an image, not {images.shape}")
    if len(images) == 0:
        raise ValueError("Images must be at least one, but the batch is empty")
    pixels = images.reshape(len(images), inputs)
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    bad = ~((pixels >= 0.0) & (pixels <= 1.0))
    if bad.any():
        image, pixel = (int(v) for v in np.argwhere(bad)[0])
        value = float(pixels[image, pixel])
        raise ValueError(f"Floating-point images must lie in 0 .. 1, but pixel {pixel} of image {image} is {value!r}")
    return np.rint(pixels.astype(np.float64) * 255.0).astype(np.uint8)


def run_reference(
    image: ChipImage,
    images: Any,
    ids: Any = None,
    trace: TraceKind = False,
    arrays: tuple[CrossbarArray, ...] | None = None,
    progress: Callable[[int, int], None] | None = None,
    chunk: int = 100,
    threads: int | None = None,
    drift: DriftState | None = None,
) -> Result:
    """Run images through the chip.

    Parameters
    ----------
    image : the programmed chip
    images : pixels, see `check_images`
    ids : numbers that address the images' random draws, integers 0 .. 2^32 - 1; default 0, 1, 2, ...
    trace : "spikes" records every spike, "full" (or True) every membrane as well
    arrays : programmed crossbars to use again, `build_arrays(image)`; never changed
    progress : called as progress(images done, images in all)
    chunk : images taken together; bounds the memory, never changes the result
    threads : chunks in work at a time; default: the processors this process may use
    drift : where cells that drift are before the first image: the `drift` of the result before; fresh if not given

    Raises
    ------
    TypeError, ValueError : images, ids, trace, arrays, chunk, threads or drift are not as above
    """
    pixels = check_images(images, image.parameters.inputs)
    numbers = check_ids(ids, len(pixels))
    if trace not in (False, True, "spikes", "full"):
        raise ValueError(f'trace must be False, True, "spikes" or "full", not {trace!r}')
    threads = processors() if threads is None else threads
    for name, value in (("chunk", chunk), ("threads", threads)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive integer, not {value!r}")
    if arrays is not None:
        check_arrays(image, arrays)
    programmed = build_arrays(image) if arrays is None else arrays
    out = _Records.empty(image, len(pixels), trace)
    if drift is not None:
        check_drift(image, drift)
    aging = Aging(image, programmed, drift) if image.device.drifts else None
    used = programmed if aging is None else aging.arrays

    def work(part: slice) -> tuple[int, list[NDArray[np.int64]] | None]:
        pulses = None if aging is None else [np.zeros(shape.inputs, np.int64) for shape in image.parameters.layers]
        _run_chunk(image, used, pixels[part], numbers[part], out, part.start, pulses)
        return part.stop - part.start, pulses

    done = 0
    for block in [slice(0, len(pixels))] if aging is None else aging.blocks(len(pixels)):
        # a block of images that fits into one chunk is shared by the threads
        size = min(chunk, -(-(block.stop - block.start) // threads)) if aging is not None else chunk
        parts = [slice(start, min(start + size, block.stop)) for start in range(block.start, block.stop, size)]
        for images_done, pulses in in_order(work, parts, threads):
            done += images_done
            if aging is not None and pulses is not None:
                aging.add(pulses)
            if progress is not None:
                progress(done, len(pixels))
        if aging is not None:
            aging.advance(block.stop - block.start)
    return out.result(numbers, None if aging is None else aging.state())


def check_ids(ids: Any, count: int) -> NDArray[np.int64]:
    """Image numbers, int64 [count]: as given, or 0, 1, 2, ...; TypeError or ValueError where they cannot be used."""
    if ids is None:
        return np.arange(count, dtype=np.int64)
    numbers = np.asarray(ids)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"Image numbers must be integers, not {numbers.dtype}")
    if numbers.shape != (count,):
        raise ValueError(f"Image numbers have shape {numbers.shape}, but there are {count} images")
    if int(numbers.min()) < 0 or int(numbers.max()) >= 1 << 32:
        raise ValueError(f"Image numbers must be in 0 .. 4294967295, not {int(numbers.min())} .. {int(numbers.max())}")
    return numbers.astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Records:
    """Arrays of a result, being filled."""

    classes: NDArray[np.int32]
    steps: NDArray[np.int32]
    margins: NDArray[np.int64]
    reasons: NDArray[np.uint8]
    spikes: NDArray[np.int64]
    activity: dict[str, NDArray[np.int64]]
    trace: Trace | None

    @classmethod
    def empty(cls, image: ChipImage, count: int, trace: TraceKind) -> _Records:
        shapes = image.parameters.layers
        outputs = tuple(shape.outputs for shape in shapes)
        kept = None
        if trace:
            packed = tuple(np.zeros((count, image.t_max, -(-n // 8)), np.uint8) for n in outputs)
            membranes = None
            if trace != "spikes":
                widest = max(shape.membrane_bits for shape in shapes)
                dtype = np.int32 if widest <= 32 else np.int64
                membranes = tuple(np.zeros((count, image.t_max, n), dtype) for n in outputs)
            kept = Trace(packed, membranes, outputs)
        per_layer = (count, len(shapes))
        return cls(
            np.zeros(count, np.int32),
            np.zeros(count, np.int32),
            np.zeros(count, np.int64),
            np.zeros(count, np.uint8),
            np.zeros(per_layer, np.int64),
            {name: np.zeros(per_layer, np.int64) for name in ACTIVITIES},
            kept,
        )

    def result(self, ids: NDArray[np.int64], drift: DriftState | None) -> Result:
        return Result(
            self.classes, self.steps, self.margins, self.reasons, self.spikes, self.activity, ids, trace=self.trace,
            drift=drift,
        )  # fmt: skip


def _run_chunk(
    image: ChipImage,
    arrays: tuple[CrossbarArray, ...],
    pixels: NDArray[np.uint8],
    ids: NDArray[np.int64],
    out: _Records,
    start: int,
    pulses: list[NDArray[np.int64]] | None,
) -> None:
    """Run `pixels` to their decisions; row b of the chunk is row start + b of `out`.

    pulses : a layer each, int64 [inputs], the rows that are driven are added; None counts nothing
    """
    parameters = image.parameters
    count, last = len(pixels), len(arrays) - 1
    encoder = Encoder(image, pixels, ids)
    neurons = [NeuronLayer(layer, shape, count) for layer, shape in zip(image.layers, parameters.layers, strict=True)]
    scores = np.zeros((count, parameters.classes), np.int64)
    fixed = arrays[0].products(pixels) if image.coding == Coding.ANALOG else None
    live = np.arange(count)
    for step in range(1, image.t_max + 1):
        period, phase = divmod(step - 1, parameters.phases)
        shift = parameters.phases - 1 - phase
        rows = encoder.step(live, step) if fixed is None else pixels[:0]
        for index, array in enumerate(arrays):
            if index == last and period < image.skip:
                break
            source = live if index == 0 and fixed is not None else np.arange(len(live))
            products = fixed if index == 0 and fixed is not None else array.products(rows)
            if pulses is not None:
                pulses[index] += np.count_nonzero(rows, axis=0)
            codes, _, overs = array.sample(products, ids[live], step, source)
            rows, fired = neurons[index].step(codes, live, shift)
            where = start + live
            shape = array.parameters
            tiles = products.tiles[source]
            out.activity["row_pulses"][where, index] += products.rows[source] * shape.column_tiles
            out.activity["tile_reads"][where, index] += tiles * shape.column_tiles
            out.activity["adc_conversions"][where, index] += tiles * shape.outputs
            out.activity["saturations"][where, index] += overs
            out.activity["conductance"][where, index] += products.conductance[source]
            out.spikes[where, index] += fired
            if out.trace is not None:
                out.trace.spikes[index][where, step - 1] = np.packbits(rows, axis=1)
                if out.trace.membranes is not None:
                    out.trace.membranes[index][where, step - 1] = neurons[index].membranes[live]
        if period < image.skip:
            continue
        if image.readout == Readout.SPIKES:
            scores[live] += rows.astype(np.int64) << shift
        else:
            scores[live] = neurons[last].membranes[live]
        winners, margins = _top_two(scores[live])
        by_rule = (margins >= image.k) if image.rule == Rule.WINNER_K else np.zeros(len(live), bool)
        stop = by_rule | (step == image.t_max)
        done = start + live[stop]
        out.classes[done] = winners[stop]
        out.steps[done] = step
        out.margins[done] = margins[stop]
        out.reasons[done] = by_rule[stop]
        live = live[~stop]
        if len(live) == 0:
            return


def _top_two(scores: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Arg max (the lowest index of equals) and its lead on the second; int64 [images, classes] -> [images] twice."""
    images = np.arange(len(scores))
    winners = np.argmax(scores, axis=1)
    best = scores[images, winners]
    if scores.shape[1] == 1:
        return winners, best
    others = scores.copy()
    others[images, winners] = np.iinfo(np.int64).min
    return winners, best - others.max(axis=1)
