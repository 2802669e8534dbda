"""The cells of a chip as a board's emulators hold them, whole numbers, and a file of them.

A host that has the file needs neither the model of devices nor a compiler. It is a safetensors file: for layer l
`layer_l_w` (int32 [inputs, outputs]), or, of a unit with programmers, `layer_l_g` (int32 [2, inputs, outputs]) and
`layer_l_d` (uint8, same shape). Metadata: `format`, `version`, `state`, `build` (hexadecimal), `seed`, `gains`
(separated by blanks), `chip` and `sha256`, of all the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.host.register_map import build_id
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.units import CURRENT_BITS
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import FileError
from spikeloom.sw.common.files import as_path, readable_error, write_atomic
from spikeloom.sw.host.errors import HostError
from spikeloom.sw.weight_image.file import chip_digest, safetensors_bytes

if TYPE_CHECKING:
    from spikeloom.sim.crossbar.array import CrossbarArray

__all__ = ["BoardCells", "check_device", "digest"]

FORMAT = "spikeloom emulated cells"
VERSION = "1"
_REMEDY = "make it again by `spikeloom board`"


@dataclass(frozen=True, eq=False)
class BoardCells:
    """Cells of all layers.

    Parameters
    ----------
    state : "programmed", with the chip's weights, or "fresh", as they leave the fab
    build, seed : of the chip
    gains : gain shift of every layer
    chip : SHA-256 of what the numbers depend on: the whole chip, or build, seed and device of fresh cells
    weights : W of every pair, int32 [inputs, outputs], of each layer; none where there are programmers
    conductances : with programmers, steps of 2^-10 level above the lowest conductance, int32 [2, inputs, outputs]
    factors : with programmers, D of every cell in 1/128, uint8 [2, inputs, outputs]
    """

    state: str
    build: int
    seed: int
    gains: tuple[int, ...]
    chip: str
    weights: tuple[NDArray[np.int32], ...] = ()
    conductances: tuple[NDArray[np.int32], ...] = ()
    factors: tuple[NDArray[np.uint8], ...] = ()

    __repr__ = short_repr

    @classmethod
    def programmed(cls, chip: ProgrammedChip, arrays: Sequence[CrossbarArray] | None = None) -> BoardCells:
        """Cells with the chip's weights, those of its reference; `arrays` if they are programmed already.

        Raises `HostError` where emulators cannot have such cells.
        """
        check_device(chip.device)
        model = _model()
        arrays = model.build_arrays(chip) if arrays is None else arrays
        grids = tuple(grid.astype(np.int32) for grid in model.emulated_weights(chip, arrays))
        facts = _facts(chip, "programmed")
        if not chip.parameters.programmer:
            return cls(**facts, weights=grids)
        cells = model.emulated_cells(chip, [model.CellState.at(array.cells_S) for array in arrays])
        pairs = tuple(_pairs(index, chip, layer.numbers, grids[index]) for index, layer in enumerate(cells))
        return cls(**facts, conductances=pairs, factors=tuple(layer.factors for layer in cells))

    @classmethod
    def fresh(cls, chip: ProgrammedChip) -> BoardCells:
        """Cells of the chip as they leave the fab, to be programmed by pulses; errors as `programmed`."""
        check_device(chip.device)
        cells = _model().emulated_cells(chip)
        numbers, factors = tuple(layer.numbers for layer in cells), tuple(layer.factors for layer in cells)
        return cls(**_facts(chip, "fresh"), conductances=numbers, factors=factors)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, whole or not at all; the same bytes for the same cells."""
        place = as_path(path, "file of cells")
        tensors: dict[str, NDArray[Any]] = {}
        kinds: dict[str, Sequence[NDArray[Any]]] = {"w": self.weights, "g": self.conductances, "d": self.factors}
        for name, arrays in kinds.items():
            tensors |= {f"layer_{index}_{name}": array for index, array in enumerate(arrays)}
        gains = " ".join(map(str, self.gains))
        facts = {
            "format": FORMAT, "version": VERSION, "state": self.state, "build": f"{self.build:08X}",
            "seed": str(self.seed), "gains": gains, "chip": self.chip,
        }  # fmt: skip
        write_atomic(place, safetensors_bytes(tensors, {**facts, "sha256": _checksum(facts, tensors)}))
        return place

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> BoardCells:
        """What is in a file; `FileError` if there is none, or if it is another one, or damaged."""
        place = as_path(path, "file of cells")
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(place, framework="numpy") as file:
                facts = dict(file.metadata() or {})
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except OSError as error:
            raise FileError(readable_error(place, error, "read")) from error
        except SafetensorError:
            facts, tensors = {}, {}
        if facts.get("format") != FORMAT:
            raise FileError(f"'{place}' is not a file of emulated cells, or is damaged; {_REMEDY}")
        if facts.get("version") != VERSION:
            raise FileError(f"'{place}' has version {facts.get('version')} of the format, not {VERSION}; {_REMEDY}")
        if facts.pop("sha256", None) != _checksum(facts, tensors):
            raise FileError(f"The file of cells '{place}' is damaged: its checksum is another one; {_REMEDY}")
        layers = range(len(facts["gains"].split()))
        found = [tuple(tensors[f"layer_{n}_{k}"] for n in layers if f"layer_{n}_{k}" in tensors) for k in "wgd"]
        gains = tuple(map(int, facts["gains"].split()))
        return cls(facts["state"], int(facts["build"], 16), int(facts["seed"]), gains, facts["chip"], *found)


def check_device(device: Device) -> None:
    """Raise `HostError` for devices that emulators do not have: drift, and noise of reads relative to the cells."""
    if device.drifts:
        raise HostError(
            f"The chip's cells ('{device.cell}') drift, and those of a board's emulators stay where they are: compile "
            'it with [device] cell = "linear", or use the simulated chip, CosimTransport'
        )
    if device.read_sigma > 0.0:
        raise HostError(
            f"The chip's reads have noise relative to its cells ([device] read_sigma = {device.read_sigma:g}), and a "
            "board's emulators have noise of the conversions only: compile the chip with [device] read_sigma = 0 and "
            "the noise as adc_sigma, in codes of its converters, or use the simulated chip, CosimTransport"
        )


def digest(chip: ProgrammedChip, state: str) -> str:
    """SHA-256 of what the chip's cells depend on in this state, "programmed" or "fresh"."""
    if state == "programmed":
        return chip_digest(chip)
    facts = [build_id(chip.parameters), chip.seed, chip.device.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _facts(chip: ProgrammedChip, state: str) -> dict[str, Any]:
    gains = tuple(int(layer.gain_shift) for layer in chip.layers)
    return {
        "state": state, "build": build_id(chip.parameters), "seed": chip.seed, "gains": gains,
        "chip": digest(chip, state),
    }  # fmt: skip


def _checksum(facts: dict[str, str], tensors: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, array in sorted(tensors.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _model() -> Any:
    """The model of devices; a host can do without, if it has the file."""
    try:
        import spikeloom.sim.crossbar.emulated_cells as module
    except ImportError as error:
        raise HostError(
            f"The cells of a board's emulators come from the model of devices, which needs '{error.name}': install it, "
            "or give the file of cells that `spikeloom board` wrote, Host.connect(port, cells=file)"
        ) from None
    return module


def _pairs(index: int, chip: ProgrammedChip, numbers: NDArray[np.int32], grid: NDArray[np.int32]) -> NDArray[np.int32]:
    """Both cells of every pair, int32 [2, inputs, outputs], of which the difference is W.

    Those of a chip that was programmed by pulses are `numbers`. Levels that were set at once lie between two numbers,
    or beyond the range of a cell: then cells are moved as far as their pair's W needs.
    """
    top = (chip.device.levels - 1) << CURRENT_BITS
    wrong = np.argwhere(np.abs(grid) > top)
    if len(wrong):
        row, column = wrong[0].tolist()
        raise HostError(
            f"Layer {index}: the weight at row {row}, column {column} is {grid[row, column] / 1024:.3f} steps of "
            f"conductance, and cells of {chip.device.levels} levels in an emulator with programmers hold at most "
            f'{chip.device.levels - 1}: compile the chip with [programming] method = "write-verify", or build the '
            "board with [hardware] programmer = false"
        )
    n = np.clip(numbers[0] - grid, 0, top)
    n += np.maximum(0, -grid - n) - np.maximum(0, grid + n - top)
    return np.stack([n + grid, n]).astype(np.int32)
