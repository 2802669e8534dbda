"""The analog array of one layer as the co-simulation sees it: packed row vector or programming operation in, packed
answer out.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.interfaces.crossbar_port import AMPLITUDE_BITS, CELL_CODE_BITS, answer_layout, operation_layout
from spikeloom.hw.interfaces.layouts import layout_fields, unpack
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.cosim.tools import SimulationError
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.crossbar.drift_schedule import DriftSchedule
from spikeloom.sim.devices.effects import EFFECTS
from spikeloom.sim.programming.cells import CellModel, CellState
from spikeloom.sim.programming.write_verify import model_of

__all__ = [
    "LayerCells",
    "MacroModel",
    "drift_file",
    "fresh_models",
    "load_models",
    "programmed_models",
    "read_drift",
    "save_models",
]


@kernel()
def _put(packed: NDArray[np.uint8], position: int, value: int, bits: int) -> None:
    """OR `bits` bits of value into a little-endian bit stream at a bit position."""
    byte, shift = position >> 3, position & 7
    word = np.uint32((value & ((1 << bits) - 1)) << shift)
    while word:
        packed[byte] |= np.uint8(word & np.uint32(0xFF))
        word >>= np.uint32(8)
        byte += 1


@kernel()
def _pack(
    codes: NDArray[np.int16],
    over: NDArray[np.bool_],
    lanes: int,
    code_bits: int,
    over_at: int,
    word: int,
    packed: NDArray[np.uint8],
) -> None:
    """Lay out codes int16 [tiles, columns] and flags bool [tiles, columns] as the shell's `answer` register: a word
    per column group, in it codes of `code_bits`, and flags from bit `over_at` on.
    """
    tiles, columns = codes.shape
    packed[:] = 0
    for tile in range(tiles):
        for column in range(columns):
            group, lane = column // lanes, column % lanes
            index = tile * lanes + lane
            code = np.int64(codes[tile, column])
            if code != 0:
                _put(packed, group * word + index * code_bits, code, code_bits)
            if over[tile, column]:
                _put(packed, group * word + over_at + index, 1, 1)


def _numbers(word: int, bits: int, count: int) -> NDArray[np.int64]:
    """The first `count` numbers of `bits` each in a word, lowest first, int64 [count]."""
    return np.array([word >> bits * index & (1 << bits) - 1 for index in range(count)], np.int64)


@dataclass(frozen=True, eq=False)
class LayerCells:
    """A layer's cells behind its crossbar.

    Parameters
    ----------
    layer, parameters : programming of the layer (its gain shift counts) and its hardware
    model, state : the cells; state changes in place
    read_s : length of a read pulse, seconds; as for `CrossbarArray`
    """

    layer: ProgrammedLayer
    parameters: LayerParameters
    model: CellModel
    state: CellState
    read_s: float | None

    __repr__ = short_repr

    @classmethod
    def of(cls, array: CrossbarArray, pulse_s: float) -> LayerCells:
        """The cells of an array, without a history of pulses and reads; pulse_s as for `CellModel`."""
        p = array.parameters
        model = CellModel(array.device, p.inputs, p.outputs, array.seed, array.index, pulse_s)
        return cls(array.layer, p, model, CellState.at(array.cells_S.copy()), array.read_s)

    def array(self) -> CrossbarArray:
        """The crossbar as the cells are now."""
        return CrossbarArray(
            self.model.layer, self.layer, self.parameters, self.model.device, self.model.seed,
            programmed_S=self.state.g_S.copy(), read_s=self.read_s,
        )  # fmt: skip


class MacroModel:
    """One layer's array behind the Verilog shell `crossbar_macro`.

    Cells that drift count the pulses of their rows. They age when the position in the stream enters another block of
    `drift_every` images, and are reprogrammed when it enters another of `refresh_every`. Programming by pulses finds
    them where their drift has brought them, and a new stream begins there.

    Parameters
    ----------
    source : the programmed crossbar, which is not changed, or cells to be programmed
    images, position : images since the first programming, and the position in the stream of the image that comes next
    row_pulses : int64 [inputs], pulses of every row since the last programming; `source` is aged by those that were
        renewed
    earlier : int64 [inputs], pulses of every row before
    pulse_s : length of a programming pulse, seconds; for a programmed crossbar that is programmed again

    Attributes
    ----------
    cells : the cells; None for a programmed crossbar that has had no operation yet
    parameters : the layer's hardware
    """

    def __init__(
        self,
        source: CrossbarArray | LayerCells,
        images: int = 0,
        position: int = 0,
        row_pulses: NDArray[np.int64] | None = None,
        earlier: NDArray[np.int64] | None = None,
        pulse_s: float = 1e-7,
    ) -> None:
        self.cells = source if isinstance(source, LayerCells) else None
        self._array = source.copy() if isinstance(source, CrossbarArray) else None
        self._index = source.model.layer if isinstance(source, LayerCells) else source.index
        p = self.parameters = source.parameters
        answer = answer_layout(p)
        self._over_at, self._word_bits = layout_fields(answer)["over"].low, answer.size
        self._packed = np.zeros(-(-p.groups * answer.size // 8), np.uint8)
        self._operation = layout_fields(operation_layout(p))
        self._conductance: defaultdict[int, int] = defaultdict(int)
        self._stray: defaultdict[int, int] = defaultdict(int)
        device = source.model.device if isinstance(source, LayerCells) else source.device
        self._every = device.drift_every if device.drifts else 0
        self._refresh = device.refresh_every
        self._start = images - position
        self._block = images // self._every if self._every else 0
        self._refreshes = max(images - 1, 0) // self._refresh if self._refresh else 0
        self._pulses = np.zeros(p.inputs, np.int64) if row_pulses is None else row_pulses.copy()
        self._earlier = np.zeros(p.inputs, np.int64) if earlier is None else earlier.copy()
        self._pulse_s = pulse_s

    @property
    def array(self) -> CrossbarArray:
        """The crossbar; rebuilt at the first read after a programming pulse."""
        if self._array is None:
            assert self.cells is not None
            self._array = self.cells.array()
        return self._array

    def row_codes(self, text: str) -> NDArray[np.uint8]:
        """Row codes, uint8 [inputs], of a latched row vector as the simulator prints it (highest bit first)."""
        bits = np.frombuffer(text.encode("ascii"), np.uint8) - np.uint8(ord("0"))
        if bits.max(initial=0) > 1:
            raise AssertionError(f"Layer {self._index}: the latched rows have undefined bits")
        if self.parameters.row_bits == 8:
            bits = np.packbits(bits)
        return np.ascontiguousarray(bits[::-1])

    def answer(self, text: str, image: int, read: int, position: int) -> int:
        """The shell's `answer` for a read: codes and over-range flags of all tiles, as one number.

        image and read address the noise (`sim.common.random_numbers`); position is the image's place in the stream,
        which the load is booked on.
        """
        p = self.parameters
        rows = self.row_codes(text)
        if self._every:
            self._enter(self._start + position)
            self._pulses += rows != 0
        codes, over = self.array.convert_one(rows, image, read)
        self._conductance[position] += self.array.last_conductance
        self._stray[position] += self.array.last_stray
        _pack(codes, over, p.lanes, p.code_bits, self._over_at, self._word_bits, self._packed)
        return int.from_bytes(self._packed.tobytes(), "little")

    def program(self, text: str, position: int = 0) -> int | None:
        """Carry out an operation, the shell's `program_word` as the simulator prints it (highest bit first).

        position is the place in the stream of the image that comes next, from which drift counts images.
        Returns the shell's `program_answer` of a verify read, and None for a pulse.
        """
        p = self.parameters
        if self.cells is None:
            self.cells = LayerCells.of(self.array, self._pulse_s)
        if self._every:
            self._begin_programming(self.cells, position)
        if text.strip("01"):
            raise AssertionError(f"Layer {self._index}: a programming operation has undefined bits")
        asked = unpack(self._operation, int(text, 2))
        pulse, row, column, side = bool(asked["pulse"]), asked["row"], asked["column"], asked["side"]
        tiles, up = (_numbers(asked[name], 1, p.row_tiles).astype(np.bool_) for name in ("tiles", "up"))
        amplitudes = _numbers(asked["amplitudes"], AMPLITUDE_BITS, p.row_tiles)
        there = (p.inputs - row + p.tile_rows - 1) // p.tile_rows  # row tiles that have the row
        if row >= p.tile_rows or column >= p.outputs or not tiles.any() or tiles[there:].any():
            raise AssertionError(
                f"Layer {self._index}: a programming operation asks for row {row}, column {column} of row tiles "
                f"{np.flatnonzero(tiles).tolist()}, where there is no cell"
            )
        codes = self.cells.model.operate(self.cells.state, pulse, row, column, side, p.tile_rows, tiles, up, amplitudes)
        if pulse:
            self._array = None
            return None
        return int(sum(code << CELL_CODE_BITS * tile for tile, code in enumerate(codes.tolist())))

    def _begin_programming(self, cells: LayerCells, position: int) -> None:
        """Leave the cells where drift has brought them; from here on, drift counts from zero."""
        self._start, self._block, self._refreshes = -position, 0, 0
        self._earlier[:] = 0
        if self._pulses.any():
            cells.state.g_S[:] = self.array.cells_after(self._pulses)
            self._pulses[:] = 0
            self._array = None

    def cells_now(self) -> CellState | None:
        """What the cells remember, with the conductances that drift has brought them to; None as for `cells`."""
        if self.cells is None or not self._pulses.any():
            return None if self.cells is None else self.cells.state
        return replace(self.cells.state, g_S=self.array.cells_after(self._pulses))

    def images_since(self, position: int) -> int:
        """Images since the first programming before the image at `position` of the stream."""
        return self._start + position

    def _enter(self, images: int) -> None:
        """Do what is due before the image that `images` came before: programming, or else renewing conductances."""
        due = images // self._refresh - self._refreshes if self._refresh else 0
        if due > 0:
            self._refreshes += due
            self.array.program(self.array.programming + due)
            self._earlier += self._pulses
            self._pulses[:] = 0
        self._renew(images)

    def _renew(self, images: int) -> None:
        """Renew the conductances if a block has ended before the image that `images` came before."""
        block = images // self._every
        if block > self._block:
            self._block = block
            self.array.age(self._pulses)

    def drift(self, position: int) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
        """Before the image at `position` of the stream: fields of a layer of `sim.chip.drift_snapshot.DriftSnapshot`;
        nothing if the cells do not drift.
        """
        if not self._every:
            return {}
        images = self._start + position
        self._enter(max(images - 1, 0))  # a programming that is due now waits for its image
        self._renew(images)
        array = self.array
        return {
            "row_pulses": self._pulses.copy(),
            "renewed": array.row_pulses.copy(),
            "cells_S": array.cells_after(self._pulses),
            "programmings": np.array(array.programming + 1),
            "earlier": self._earlier.copy(),
        }

    def totals(self) -> NDArray[np.int64]:
        """Sums for the energy, int64 [places, 3]: place in the stream, conductance-weighted row pulses, and stray
        (`sim.crossbar.stray`); silent places are left out.
        """
        sums = [[place, load, self._stray[place]] for place, load in sorted(self._conductance.items())]
        return np.array(sums, np.int64).reshape(-1, 3)

    def forget_totals(self) -> None:
        """Restart the sums of `totals`."""
        self._conductance.clear()
        self._stray.clear()


def programmed_models(
    chip: ProgrammedChip,
    arrays: Sequence[CrossbarArray] | None = None,
    drift: DriftSnapshot | None = None,
    position: int = 0,
) -> list[MacroModel]:
    """Program the crossbars of every layer: the same devices as the reference's.

    Parameters
    ----------
    arrays : the chip's crossbars, if they are programmed already
    drift : where cells that drift are; None for freshly programmed ones
    position : the position in the stream of the image that comes next
    """
    arrays = build_arrays(chip) if arrays is None else arrays
    if not chip.device.drifts:
        return [MacroModel(array, pulse_s=chip.pulse_s) for array in arrays]
    state = DriftSchedule(chip, arrays, drift)
    layers = zip(state.arrays, state.row_pulses, state.earlier, strict=True)
    return [
        MacroModel(array, state.images, position, pulses, earlier, chip.pulse_s) for array, pulses, earlier in layers
    ]


def drift_file(models: Sequence[MacroModel], position: int) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
    """Arrays of `drift.npz`, which `read_drift` reads: where the cells are before the image at `position`."""
    parts = [model.drift(position) for model in models]
    arrays = {f"{name}_{index}": array for index, part in enumerate(parts) for name, array in part.items()}
    return {"images": np.array(models[0].images_since(position)), **arrays}


def read_drift(path: Path, layers: int) -> DriftSnapshot:
    """What the models of a simulator wrote as `drift_file`."""
    with np.load(path) as file:
        parts = {
            name: tuple(file[f"{name}_{index}"] for index in range(layers))
            for name in ("row_pulses", "renewed", "cells_S", "earlier")
        }
        programmings = {int(file[f"programmings_{index}"]) for index in range(layers)}
        images = int(file["images"])
    if len(programmings) != 1:
        raise SimulationError(f"Layers were programmed {sorted(programmings)} times in one chip; see {path}")
    return DriftSnapshot(images, **parts, programmings=programmings.pop())


def fresh_models(chip: ProgrammedChip) -> list[MacroModel]:
    """Crossbars of every layer with fresh cells, to be programmed over their programming ports."""
    models = []
    for index, (layer, shape) in enumerate(zip(chip.layers, chip.parameters.layers, strict=True)):
        model = model_of(chip, index)
        models.append(MacroModel(LayerCells(layer, shape, model, model.fresh(), chip.read_s)))
    return models


def save_models(folder: Path, models: list[MacroModel]) -> None:
    """Hand the programmed arrays to a simulator process (a temporary file of this program, not a format), and before
    them what is registered from outside of the source tree.
    """
    with open(folder / "models.pickle", "wb") as file:
        try:
            pickle.dump((CELLS.registered(), EFFECTS.registrations()), file)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"A registered effect or cell kind cannot be handed to a simulator's process ({error}): its class, its "
                "parameters and its make must have names in a module that can be imported; no lambda"
            ) from error
        pickle.dump(models, file)


def load_models(folder: Path) -> list[MacroModel]:
    """What `save_models` wrote."""
    with open(folder / "models.pickle", "rb") as file:
        kinds, effects = pickle.load(file)
        for kind in kinds:
            CELLS.register(kind)
        for registration in effects:
            EFFECTS.register(*registration)
        models: list[MacroModel] = pickle.load(file)
    return models
