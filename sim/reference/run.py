"""The integer reference: whole data sets through the programmed chip, bit for bit what the hardware does.

Images are taken in chunks, one chunk per thread; within a chunk all images go through a step together, stage by stage,
and leave when they are decided. Random draws are addressed by the image's number, so results depend neither on chunks
nor on which images are processed together. Analog inputs drive the same rows in every step: the first layer's sums are
made once per image.

Cells that drift make the stream's order count. Images are then taken in blocks of `drift_every`, counted from
programming on; the rows that a block really drove are added up, and the conductances made anew before the next block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.arguments import TraceKind, check_ids, check_progress, check_trace, check_whole
from spikeloom.sim.common.threads import in_order, processors
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays, check_arrays
from spikeloom.sim.crossbar.drift_schedule import DriftSchedule, check_drift
from spikeloom.sim.crossbar.windows import LayerWindows
from spikeloom.sim.images.layout import image_shape
from spikeloom.sim.images.pixels import check_images
from spikeloom.sim.reference.chunk import ChunkResult, run_chunk
from spikeloom.sim.reference.layer import Observe
from spikeloom.sim.reference.step_observer import ObserveSteps

__all__ = ["chunk_images", "run_reference"]

_MOST_IMAGES = 100
_CHUNK_VALUES = 1 << 22
"""Values of all maps of the images of a chunk; each takes about ten bytes (membrane, spike, pooling sum)."""


def run_reference(
    chip: ProgrammedChip,
    images: Any,
    ids: Any = None,
    trace: TraceKind = "none",
    arrays: tuple[CrossbarArray, ...] | None = None,
    progress: Callable[[int, int], None] | None = None,
    chunk: int | None = None,
    threads: int | None = None,
    drift: DriftSnapshot | None = None,
    observe: Observe | None = None,
    observe_steps: ObserveSteps | None = None,
) -> Result:
    """Run images through the chip.

    Parameters
    ----------
    chip : the programmed chip
    images : pixels, see `sim.images.pixels.check_images`; no warning about doubtful ones, which
        `sim.images.pixels.take_images` gives
    ids : numbers that address the images' random draws, integers 0 .. 2^32 - 1; default 0, 1, 2, ...
    trace : "spikes" records every spike, "full" every membrane as well
    arrays : programmed crossbars to use again, `build_arrays(chip)`; never changed
    progress : called as progress(images done, images in all)
    chunk : images taken together, which bounds the memory and never changes the result; if not given, as many as fit
        into a processor's cache, but at most 100
    threads : chunks processed at a time; default: the processors this process may use
    drift : where cells that drift are before the first image: the `drift` of the result before; fresh if not given
    observe : called with every block of reads, from several threads at a time
    observe_steps : makes what looks on at each chunk, step by step; never changes the result

    Raises
    ------
    TypeError, ValueError : images, ids, trace, arrays, chunk, threads or drift are not as above
    """
    pixels = check_images(images, image_shape(chip.parameters))
    numbers = check_ids(ids, len(pixels))
    trace = check_trace(trace)
    check_progress(progress)
    threads = processors() if threads is None else threads
    chunk = chunk_images(chip.parameters) if chunk is None else chunk
    for name, value in (("chunk", chunk), ("threads", threads)):
        check_whole(name, value)
    if arrays is not None:
        check_arrays(chip, arrays)
    programmed = build_arrays(chip) if arrays is None else arrays
    plan = chip.parameters.plan
    windows = LayerWindows.of(plan)
    out = ChunkResult.empty(chip, len(pixels), trace)
    if drift is not None:
        check_drift(chip, drift)
    aging = DriftSchedule(chip, programmed, drift) if chip.device.drifts else None
    used = programmed if aging is None else aging.arrays

    def work(part: slice) -> tuple[int, list[NDArray[np.int64]] | None]:
        pulses = None if aging is None else [np.zeros(shape.inputs, np.int64) for shape in chip.parameters.layers]
        looks_on = None if observe_steps is None else observe_steps(part)
        run_chunk(chip, used, windows, pixels[part], numbers[part], out, part.start, pulses, observe, looks_on)
        if looks_on is not None:
            looks_on.end()
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
    values = sum(shape.size for shape in parameters.plan.maps)
    return max(1, min(_MOST_IMAGES, _CHUNK_VALUES // values))
