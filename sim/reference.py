"""The integer reference: whole data sets through the programmed chip, bit for bit what the hardware does.

Images are taken in chunks, a chunk a thread; within a chunk all images go through a step together, stage by stage, and
leave when they are decided. Random draws are addressed by the image's number, so results depend neither on chunks nor
on the company an image is in. Analog inputs drive the same rows in every step: the first layer's sums are made once an
image.

Cells that drift make the stream's order count. Images are then taken in blocks of `drift_every`, counted from
programming on; the rows that a block really drove are added up, and the conductances made anew before the next block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.params import NpuParameters
from sim.aging import Aging, check_drift
from sim.crossbar import CrossbarArray, build_arrays, check_arrays
from sim.drift_state import DriftState
from sim.image import ChipImage
from sim.layer_run import Observe
from sim.maps import LayerWindows
from sim.reference_chunk import Records, TraceKind, run_chunk
from sim.result import Result
from sim.threads import in_order, processors

__all__ = ["check_ids", "check_images", "chunk_images", "run_reference"]

_MOST_IMAGES = 100
_CHUNK_VALUES = 1 << 22
"""Values of all maps of the images of a chunk; each takes about ten bytes (membrane, spike, pooling sum)."""


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
    chunk: int | None = None,
    threads: int | None = None,
    drift: DriftState | None = None,
    observe: Observe | None = None,
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
    chunk : images taken together, which bounds the memory and never changes the result; if not given, as many as fit
        into a processor's cache, but at most 100
    threads : chunks in work at a time; default: the processors this process may use
    drift : where cells that drift are before the first image: the `drift` of the result before; fresh if not given
    observe : told of every block of reads, from several threads at a time

    Raises
    ------
    TypeError, ValueError : images, ids, trace, arrays, chunk, threads or drift are not as above
    """
    pixels = check_images(images, image.parameters.inputs)
    numbers = check_ids(ids, len(pixels))
    if trace not in (False, True, "spikes", "full"):
        raise ValueError(f'trace must be False, True, "spikes" or "full", not {trace!r}')
    threads = processors() if threads is None else threads
    chunk = chunk_images(image.parameters) if chunk is None else chunk
    for name, value in (("chunk", chunk), ("threads", threads)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive integer, not {value!r}")
    if arrays is not None:
        check_arrays(image, arrays)
    programmed = build_arrays(image) if arrays is None else arrays
    plan = image.parameters.stages
    windows = LayerWindows.of(plan)
    out = Records.empty(image, len(pixels), trace)
    if drift is not None:
        check_drift(image, drift)
    aging = Aging(image, programmed, drift) if image.device.drifts else None
    used = programmed if aging is None else aging.arrays

    def work(part: slice) -> tuple[int, list[NDArray[np.int64]] | None]:
        pulses = None if aging is None else [np.zeros(shape.inputs, np.int64) for shape in image.parameters.layers]
        run_chunk(image, used, windows, pixels[part], numbers[part], out, part.start, pulses, observe)
        return part.stop - part.start, pulses

    done = 0
    for block in [slice(0, len(pixels))] if aging is None else aging.blocks(len(pixels)):
        # a block of images that fits into one chunk is shared by the threads
        size = min(chunk, -(-(block.stop - block.start) // threads))
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


def chunk_images(parameters: NpuParameters) -> int:
    """Images whose membranes, pooling sums and maps take some megabytes, 1 .. 100."""
    values = sum(shape.size for shape in parameters.stages.maps)
    return max(1, min(_MOST_IMAGES, _CHUNK_VALUES // values))


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
