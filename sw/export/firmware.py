"""A network as a C header for `examples/firmware`: the writes of a load session, their checksum, example images.

The list is what a host writes between `load_begin` and `load_end`, in order: run-time registers and biases, then, where
cells are to be programmed, for every column group and row the target codes of its cells and a start of the layer's
programmer. After a start the host has to wait until the programmer has finished.
"""

from __future__ import annotations

import textwrap
import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.host.register_map import build_id, layer_byte_address, program_target_byte_address, unit_byte_address
from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.interfaces.layouts import pack
from spikeloom.hw.interfaces.programming_port import START_WORD, TARGET_WORD
from spikeloom.sim.chip.image_seeds import image_seeds
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.register_writes import register_writes
from spikeloom.sim.chip.result import Result
from spikeloom.sim.chip.units import CODES_PER_LEVEL
from spikeloom.sim.images.layout import image_shape
from spikeloom.sim.images.pixels import check_images
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = [
    "FIRMWARE_FILES", "Write", "firmware_files", "load_checksum", "load_writes", "network_header", "programming_writes",
]  # fmt: skip

FIRMWARE_FILES = "network.h", "spikeloom_registers.h"
"""Files of a chip."""

Write = tuple[int, int]
"""Byte address, and data as 32 bits."""

_WORD = 0xFFFFFFFF
_MOST_TAGS = 1 << 16
_PER_LINE = 4

_HEAD = """\
/* {name}: {sizes}, written by SpikeLoom for build {build:#010x}.
 * The list is that of a load session: registers and biases{kind}.{comment} */
#ifndef NETWORK_H
#define NETWORK_H

#include "spikeloom.h"

#define NETWORK_LAYERS {layers}
#define NETWORK_INPUTS {inputs}
#define NETWORK_FRAME_BYTES {frame_bytes}
#define NETWORK_IMAGES {images}
#define NETWORK_COUNTERS {counted} /* 1: the chip has activity counters */
"""


def programming_writes(chip: ProgrammedChip) -> list[Write]:
    """Settings of the programmers, then the targets and starts of every column group and row, layer by layer."""
    writes = [(unit_byte_address(name), value) for name, value in chip.programming.registers.items()]
    for layer in range(len(chip.layers)):
        writes += _layer_programming(chip, layer)
    return writes


def _layer_programming(chip: ProgrammedChip, index: int) -> Iterator[Write]:
    p, layer = chip.parameters.layers[index], chip.layers[index]
    targets = pack(
        TARGET_WORD,
        {
            "p": layer.positive.astype(np.int64) * CODES_PER_LEVEL,
            "n": layer.negative.astype(np.int64) * CODES_PER_LEVEL,
        },
    )
    start = layer_byte_address(index, "program_start")
    for group in range(p.groups):
        columns = range(group * p.lanes, min((group + 1) * p.lanes, p.outputs))
        for row in range(min(p.tile_rows, p.inputs)):
            for lane, column in enumerate(columns):
                for tile, place in enumerate(range(row, p.inputs, p.tile_rows)):
                    address = program_target_byte_address(index, lane * p.row_tiles + tile)
                    yield address, int(targets[place, column])
            yield start, pack(START_WORD, {"row": row, "group": group})


def load_writes(chip: ProgrammedChip, programming: bool = False) -> list[Write]:
    """Every write between `load_begin` and `load_end`, in order; with those that program the cells if asked for."""
    registers = [(4 * address, value & _WORD) for address, value in register_writes(chip)]
    return registers + (programming_writes(chip) if programming else [])


def load_checksum(writes: Iterable[Write]) -> int:
    """What `load_end` wants: zlib's CRC-32 over address and data of every write, four bytes each, lowest first."""
    return zlib.crc32(np.array(list(writes), dtype="<u4").tobytes())


def firmware_files(
    chip: ProgrammedChip, pixels: NDArray[np.uint8], programming: bool | None = None, comment: str = ""
) -> dict[str, str]:
    """File name -> text, of `FIRMWARE_FILES`: `network.h` (see `network_header`) and the registers."""
    from spikeloom.hw.export.c_header import c_header

    header = network_header(chip, pixels, programming=programming, comment=comment)
    return dict(zip(FIRMWARE_FILES, (header, c_header()), strict=True))


def _programs(chip: ProgrammedChip) -> bool:
    return chip.programming.method == "write-verify"


def _check_programming(chip: ProgrammedChip) -> None:
    """Raise `ValueError` for a chip whose cells a list cannot program."""
    if not chip.parameters.programmer:
        raise SpikeLoomError(
            "A list that programs the cells needs a unit with programmers; leave programming out, or build them, by "
            "[hardware] programmer = true"
        )
    if not _programs(chip):
        raise SpikeLoomError(
            'A list that programs the cells needs [programming] method = "write-verify", not "direct"; leave '
            "programming out"
        )


def network_header(
    chip: ProgrammedChip,
    pixels: NDArray[np.uint8],
    *,
    programming: bool | None = None,
    expected: Result | None = None,
    comment: str = "",
) -> str:
    """Text of `network.h`.

    Parameters
    ----------
    chip : the chip
    pixels : images to try, see `sim.images.pixels.check_images`, 1 .. 65,536; image i has the tag i, and the draws of
        number i
    programming : whether the list programs the cells; default: if [programming] has the method "write-verify"
    expected : what the images give; default: what the reference says
    comment : where the chip and the images come from, a sentence or two

    Raises
    ------
    ValueError : images that do not fit, or too many, another result's length, or programming of a chip whose method is
        "direct", or that has no programmers
    TypeError : images of another type
    """
    programming = _programs(chip) if programming is None else programming
    if programming:
        _check_programming(chip)
    pixels = check_images(pixels, image_shape(chip.parameters))
    if len(pixels) > _MOST_TAGS:
        raise SpikeLoomError(f"A C header holds 1 .. {_MOST_TAGS} images, not {len(pixels)}; give as many")
    result = run_reference(chip, pixels) if expected is None else expected
    if len(result) != len(pixels):
        raise SpikeLoomError(f"The expected result has {len(result)} images, but there are {len(pixels)}")
    p = chip.parameters
    writes = load_writes(chip, programming)
    rate = chip.coding.draws_seeds
    lanes = p.encoder_lanes
    head = _HEAD.format(
        name=_plain(chip.name),
        sizes="-".join(str(n) for n in p.sizes),
        build=build_id(p),
        kind=", then the programming of every cell" if programming else "; cells are taken as programmed",
        comment="".join(f"\n * {line}" for line in textwrap.wrap(_plain(comment, " -_.,':"), 100)),
        layers=len(p.layers),
        inputs=p.inputs,
        frame_bytes=lanes * (p.pixel_words + (-(-16 // lanes) if rate else 0)),
        images=len(pixels),
        counted=int(p.activity_counters),
    )
    network = [
        "static const struct spikeloom_network network = {",
        f'    "{_plain(chip.name)}",',
        f"    UINT32_C({build_id(p):#x}), /* build */",
        f"    UINT32_C({load_checksum(writes):#x}), /* checksum */",
        "    network_writes,",
        f"    {len(writes)}, /* writes */",
        f"    {CODES_PER_LEVEL * (chip.device.levels - 1)}, /* code of the highest level */",
        f"    {int(rate)}, /* seeds */",
        f"    {int(programming and chip.programming.fault_aware)}, /* fault aware */",
        "};",
    ]
    blocks = [
        _array("struct spikeloom_write network_writes[]", [f"{{{a:#x}u, {d:#x}u}}" for a, d in writes]),
        *(["/* Seed of each image. */", _seeds(chip, len(pixels))] if rate else [_NO_SEEDS]),
        _array("uint8_t network_pixels[NETWORK_IMAGES][NETWORK_INPUTS]", [_bytes(row) for row in pixels], 1),
        "/* What the reference computed: tag, class, steps, margin, whether the rule ended it, and 0, 0. */",
        _array("struct spikeloom_answer network_answers[NETWORK_IMAGES]", _answers(result)),
        f"/* And the counters of every layer: {', '.join(COUNTERS)}. */",
        _array("struct spikeloom_counters network_counters[NETWORK_IMAGES][NETWORK_LAYERS]", _counters(result), 1),
        "\n".join(network),
    ]
    return "\n".join([head, *blocks, "", "#endif", ""])


_NO_SEEDS = "static const uint8_t (*const network_seeds)[16] = NULL; /* this coding draws nothing */"


def _plain(name: str, marks: str = " -_.") -> str:
    """The name without what could end a comment or a string."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in marks) else "_" for letter in name)


def _array(what: str, values: Sequence[str], per_line: int = _PER_LINE) -> str:
    lines = [", ".join(values[at : at + per_line]) for at in range(0, len(values), per_line)]
    return f"static const {what} = {{\n" + "".join(f"    {line},\n" for line in lines) + "};"


def _bytes(row: NDArray[np.uint8]) -> str:
    return "{" + ", ".join(map(str, row.tolist())) + "}"


def _seeds(chip: ProgrammedChip, count: int) -> str:
    words = image_seeds(chip.seed, np.arange(count)).astype("<u4")
    return _array("uint8_t network_seeds[NETWORK_IMAGES][16]", [_bytes(row) for row in words.view(np.uint8)], 1)


def _answers(result: Result) -> list[str]:
    fields = zip(result.classes, result.steps, result.margins, result.reasons, strict=True)
    return [f"{{{tag}, {winner}, {steps}, {margin}, {rule}, 0, 0}}"
            for tag, (winner, steps, margin, rule) in enumerate(fields)]  # fmt: skip


def _counters(result: Result) -> list[str]:
    return [
        "{" + ", ".join("{" + ", ".join(map(str, layer)) + "}" for layer in image) + "}"
        for image in result.counters.tolist()
    ]
