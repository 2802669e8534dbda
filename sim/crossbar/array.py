"""One layer's programmed crossbar: row codes in, ADC codes out.

The array is linear, and its effective conductances are put on integer grids once, after programming:

    W = rint((Gp - Gn) / dG * 2^10)         column current of a driven row, in units of V_read * dG / 1024
    Q = rint((Gp^2 + Gn^2) / dG^2 * 2^B)    noise power of a driven row; cells are independent, so powers add
    R = sum over columns of rint((Gp + Gn) / dG * 2^10)    load of a driven row, for the energy
    C = rint(K / dG * 2^20)                 what wires let go astray between two rows, for the energy
    (`sim.crossbar.stray`)

B is `CrossbarArray.noise_bits`: 12, or 10 or 11 where that leaves the sums of v in 32 bits, and less only where a cell
is more than some 700 steps. Sums of integers are exact in any order; noise and ADC work on them element by element
(`sim.crossbar.adc`). So a read gives the same bits in a batch and alone. Cells that drift stay where
they are until `CrossbarArray.age` moves them; nothing in the reads themselves changes.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.emulator.shape import LARGEST_NOISE
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.adc_noise import amplitude, size_problem
from spikeloom.sim.chip.cell_kinds import Drift
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer
from spikeloom.sim.chip.units import NOISE_BITS
from spikeloom.sim.common.random_numbers import normal_table
from spikeloom.sim.common.random_words import Purpose, key
from spikeloom.sim.crossbar.adc import Converted, Converter, ReadGrids, Sums, convert_single, digitise
from spikeloom.sim.crossbar.grids import Grid, Grids, currents, loads, noise_powers
from spikeloom.sim.crossbar.stray import stray_grid
from spikeloom.sim.crossbar.sums import GridSums, RowSums
from spikeloom.sim.crossbar.windows import Driven, whole_vectors
from spikeloom.sim.devices.conductance import Cells, after_pulses, array_effects, effective_conductance
from spikeloom.sim.devices.effects import EFFECTS
from spikeloom.sim.programming.write_verify import program_chip

__all__ = ["CrossbarArray", "build_arrays", "check_arrays"]


class CrossbarArray:
    """The crossbar of layer `index`, programmed with `layer` on cells of `device`.

    Cells that were programmed by pulses come as `programmed_S`, float64 [2, inputs, outputs], siemens, without IR drop;
    without it the levels are set at once, with the device's variation, programming error and stuck cells. Cells that
    drift need `read_s`, the seconds of a read pulse (`sim.chip.programmed_chip.ProgrammedChip.read_s`).

    Attributes
    ----------
    cells_S : float64 [2, inputs, outputs], conductances of the p and n cells, siemens
    g_S : float64 [2, inputs, outputs], effective conductances: those of the cells, with IR drop
    current_grid, noise_grid : int64 [inputs, outputs], W and Q above
    noise_bits : fraction bits B of the noise grid
    row_conductance : int64 [inputs], R above
    stray_grid : int64 [row tiles, tile rows, tile rows], C above; None without wires
    layer, gain_shift : the layer as it was programmed, and its g
    row_pulses : int64 [inputs], read pulses of every row since programming that the conductances are aged by
    programming : number of the programming that the cells have had last, 0 for the first

    Raises ValueError where the device cannot be used for the layer.
    """

    def __init__(
        self,
        index: int,
        layer: ProgrammedLayer,
        parameters: LayerParameters,
        device: Device,
        seed: int,
        progress: Callable[[int, int], None] | None = None,
        programmed_S: NDArray[np.float64] | None = None,
        read_s: float | None = None,
    ) -> None:
        self.index = index
        self.layer = layer
        self.parameters = parameters
        self.device = device
        self.seed = seed
        self.read_s = read_s
        self.noise_bits = NOISE_BITS[0]
        self.programming = 0
        self.row_pulses = np.zeros(parameters.inputs, np.int64)
        self._redraws = programmed_S is None and device.program_sigma > 0.0
        self._pulsed = programmed_S is not None
        if programmed_S is None:
            self._set_cells(self._programmed(0), 0)
        else:
            self._set_cells(after_pulses(device, programmed_S, parameters, seed, index), 0)
        self.gain_shift = layer.gain_shift
        self.full_scale = 255.0 if parameters.row_bits == 8 else 1.0
        if problem := size_problem(parameters, device.adc_sigma):
            raise SpikeLoomError(f"Layer {index} {problem}")
        self._noise_step = amplitude(device.adc_sigma) * int(self.full_scale) << layer.gain_shift
        self._q: Grid = np.zeros((1, 1), np.int16)
        self.stray_grid: NDArray[np.int64] | None = None
        self._stray_sums = np.zeros((0, 0), np.int64)
        self._use_cells(progress)

    @property
    def cells_noisy(self) -> bool:
        """Whether cells have read noise (read_sigma > 0), for which sums of Q are needed."""
        return self.device.read_sigma > 0.0

    @property
    def current_grid(self) -> NDArray[np.int64]:
        """W, int64 [inputs, outputs]."""
        grid: NDArray[np.int64] = self._w.astype(np.int64)
        return grid

    @property
    def noise_grid(self) -> NDArray[np.int64]:
        """Q, int64 [inputs, outputs]."""
        p, n = self.g_S / self.device.step_S
        return noise_powers(p, n, self.noise_bits).astype(np.int64)

    def copy(self) -> CrossbarArray:
        """The same crossbar, to be aged apart."""
        other = copy.copy(self)
        if self._drift is not None:
            other.cells_S, other._w, other._q = self.cells_S.copy(), self._w.copy(), self._q.copy()
            other.g_S = self.g_S if self.device.wire_ohm > 0.0 else other.cells_S
            other.row_pulses, other.row_conductance = self.row_pulses.copy(), self.row_conductance.copy()
        other._forget_sums()
        return other

    def program(self, number: int) -> None:
        """Program all cells anew, in place, as their programming number `number` (0 is the first); pulses are 0 again.

        Every programming draws its error anew. Cells without one, and those that came as `programmed_S`, go back to the
        same conductances.
        """
        if number != self.programming and self._redraws:
            self._set_cells(self._programmed(number), number)
            self._use_cells()
        else:
            self.age(np.zeros_like(self.row_pulses))
            self.programming = number

    def age(self, row_pulses: NDArray[np.int64]) -> None:
        """Move the cells, in place, to where `row_pulses`, int64 [inputs], pulses of every row since programming take
        them.

        Cells that do not drift stay. The result depends on the counts alone, not on those of earlier calls.
        """
        if self._drift is None:
            return
        rows = np.flatnonzero(row_pulses != self.row_pulses)
        if len(rows) == 0:
            return
        aged_S = self._drift.conductance_S(rows, row_pulses[rows])
        self.row_pulses[:] = row_pulses
        self.cells_S[:, rows] = aged_S
        if self.device.wire_ohm > 0.0:
            self._use_cells()
            return
        p, n = aged_S / self.device.step_S
        self._w[rows] = currents(p, n)
        if self.cells_noisy:
            self._q[rows] = noise_powers(p, n, self.noise_bits)
        self.row_conductance[rows] = loads(p, n)
        self._forget_sums()

    def cells_after(self, row_pulses: NDArray[np.int64]) -> NDArray[np.float64]:
        """Conductances of the cells after `row_pulses`, as `cells_S`; the crossbar stays as it is."""
        if self._drift is None:
            return self.cells_S
        rows = np.flatnonzero(row_pulses != self.row_pulses)
        cells_S = self.cells_S.copy()
        cells_S[:, rows] = self._drift.conductance_S(rows, row_pulses[rows])
        return cells_S

    def products(self, row_codes: NDArray[np.uint8]) -> RowSums:
        """Exact sums of a batch of row vectors, uint8 [reads, inputs]."""
        return self.window_products(whole_vectors(row_codes))

    def window_products(self, driven: Driven, pulses: NDArray[np.int64] | None = None) -> RowSums:
        """Exact sums of every window of a batch of images, position fastest: the reads of image b are b * positions
        .. (b + 1) * positions - 1.

        pulses : int64 [inputs], the times that each row is driven are added; None counts nothing
        """
        return self._sums.products(driven, pulses)

    def sample(
        self,
        products: RowSums,
        image_ids: NDArray[np.integer],
        first: int,
        source: NDArray[np.int64] | None = None,
    ) -> tuple[NDArray[np.int16], NDArray[np.bool_], NDArray[np.int64]]:
        """Noise and ADC in one step of images that are at `source` (default: in order) in `products`.

        image_ids, integers [images], and the number of an image's first read in this step address the noise: step *
        positions, see `sim.common.random_numbers`.

        Returns codes int16 and over flags bool, both [reads, row tiles, outputs], and flags per image, int64 [images].
        """
        if source is None:
            source = np.arange(len(products.rows))
        p = self.parameters
        shape = (len(source) * (len(products.unit) // len(products.rows)), p.row_tiles, p.outputs)
        codes, over, overs = np.empty(shape, np.int16), np.empty(shape, bool), np.empty(len(source), np.int64)
        digitise(
            tuple(Sums(products.unit, products.current, products.noise_variance)), source,
            np.asarray(image_ids).astype(np.uint32), first, self._converter, tuple(Converted(codes, over, overs)),
        )  # fmt: skip
        return codes, over, overs

    def convert(
        self, row_codes: NDArray[np.uint8], image_ids: NDArray[np.integer], read: int
    ) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
        """One read of a batch: row codes uint8 [images, inputs] -> codes and flags [images, row tiles, outputs]."""
        codes, over, _ = self.sample(self.products(row_codes), image_ids, read)
        return codes, over

    def convert_one(
        self, row_codes: NDArray[np.uint8], image_id: int, read: int
    ) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
        """`convert` of one read, to the bit: uint8 [inputs] -> [row tiles, outputs] twice; for the co-simulation.

        Keeps the last row vector's sums, so one array must not be read from two threads.
        """
        kept = self._kept
        if self.stray_grid is not None and not np.array_equal(row_codes, self._last[0]):
            kept.stray[:] = self.products(row_codes[None]).stray
        shape = (1, self.parameters.row_tiles, self.parameters.outputs)
        codes, over = np.empty(shape, np.int16), np.empty(shape, np.bool_)
        convert_single(
            row_codes[None], self._last, self._grids, self._kept_sums, kept.tiles, kept.conductance, image_id, read,
            self._converter, tuple(Converted(codes, over, self._overs)),
        )  # fmt: skip
        return codes[0], over[0]

    @property
    def last_conductance(self) -> int:
        """Sum of x^2 * R of the last `convert_one`."""
        return int(self._kept.conductance[0])

    @property
    def last_stray(self) -> int:
        """Stray (`sim.crossbar.stray`) of the last `convert_one`."""
        return int(self._kept.stray[0])

    def _programmed(self, number: int) -> NDArray[np.float64]:
        """Conductances of the cells after programming number `number`."""
        levels = np.stack([self.layer.positive, self.layer.negative])
        device = _without_wires(self.device)
        return effective_conductance(device, levels, self.parameters, self.seed, self.index, programming=number)

    def _set_cells(self, cells_S: NDArray[np.float64], number: int) -> None:
        """Take freshly programmed cells; grids are as they were."""
        self.cells_S = cells_S
        self.programming = number
        self.row_pulses = np.zeros(self.parameters.inputs, np.int64)
        self._drift = self._drifting() if self.device.drifts else None

    def _drifting(self) -> Drift:
        if self.parameters.row_bits == 8:
            raise SpikeLoomError(
                f"Layer {self.index}: cell '{self.device.cell}' needs 1-bit rows, since analog rows read with many "
                "voltages, and each has a drift of its own"
            )
        if self.read_s is None:
            raise SpikeLoomError(
                f"Layer {self.index}: cell '{self.device.cell}' needs read_s, the length of a read pulse in seconds"
            )
        cells_S = self.cells_S.copy()
        return self.device.kind.drift(self.device, cells_S, self.seed, self.index, self.read_s, self._pulsed)

    def _use_cells(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Make effective conductances, grids and their types anew from `cells_S`."""
        device, cells = self.device, Cells(self.seed, self.index)
        self.g_S, coupling_S = self.cells_S, None
        for effect in array_effects(device, self.parameters, progress):
            self.g_S = effect.apply(self.g_S, cells)
            coupling_S = getattr(effect, "coupling_S", coupling_S)
        p, n = self.g_S / device.step_S
        self.row_conductance = loads(p, n)
        top = 255 if self.parameters.row_bits == 8 else 1
        moved_S = device.reachable_S[1] if self._drift is not None and device.wire_ohm == 0.0 else None
        grids = Grids(self.index, self.parameters, device, moved_S, LARGEST_NOISE * self._noise_step)
        self._w, u_type = grids.narrow(currents(p, n), top, currents)
        v_type = u_type
        if self.cells_noisy:
            self._q, v_type, self.noise_bits = grids.noise(p, n, top * top)
        self._types = (u_type, v_type)
        if coupling_S is not None:
            self.stray_grid = stray_grid(coupling_S, device.step_S, top)
            if self.stray_grid is None:
                raise SpikeLoomError(grids.not_exact("row currents"))
            self._stray_sums = self.stray_grid.sum(axis=2)
        self._converter = tuple(self._converters())
        self._forget_sums()

    def _converters(self) -> Converter:
        """What the compiled functions know of the converters and of the noise of reads."""
        keys = (key(self.seed, purpose, self.index) for purpose in (Purpose.READ, Purpose.CONVERT))
        return Converter(
            words=np.array([*itertools.chain(*keys), self._noise_step, self.parameters.lanes], np.uint64),
            table=normal_table(),
            full_scale=self.full_scale,
            sigma=self.device.read_sigma,
            noise_lsb=2.0**-self.noise_bits,
            inverse_lsb=2.0**-self.gain_shift,
            low=float(self.parameters.code_min),
            high=float(self.parameters.code_max),
        )

    def _forget_sums(self) -> None:
        """Forget what was made of the cells as they were: the last row vector's sums of `convert_one`, sorted grids."""
        self._sums = GridSums(
            self.parameters, self._w, self._q, self.cells_noisy, self._types, self.row_conductance, self.stray_grid,
            self._stray_sums,
        )  # fmt: skip
        self._last = np.zeros((1, self.parameters.inputs), np.uint8)
        self._kept = kept = self._sums.empty(1, 1)
        self._kept_sums = tuple(Sums(kept.unit, kept.current, kept.noise_variance))
        p = self.parameters
        self._grids = tuple(ReadGrids(p.tile_rows, self.row_conductance, self._w, self._q, self.cells_noisy))
        self._overs = np.empty(1, np.int64)


def _without_wires(device: Device) -> Device:
    """The device without the effects that reads see and cells do not have."""
    array = [name for entry in EFFECTS if entry.where == "array" for name in entry.fields]
    return device.model_copy(update={name: device.all_fields()[name].default for name in array})


def build_arrays(chip: ProgrammedChip, progress: Callable[[int, int], None] | None = None) -> tuple[CrossbarArray, ...]:
    """Programmed crossbars of every layer; `progress(done, total)` counts the tiles of a layer with IR drop.

    With programming method "write-verify", fresh cells are programmed by pulses as the hardware does it.
    """
    programmed: list[NDArray[np.float64] | None] = [None] * len(chip.layers)
    if chip.programming.method == "write-verify":
        programmed = [layer.state.g_S for layer in program_chip(chip).layers]
    return tuple(
        CrossbarArray(index, layer, shape, chip.device, chip.seed, progress, g_S, chip.read_s)
        for index, (layer, shape, g_S) in enumerate(zip(chip.layers, chip.parameters.layers, programmed, strict=True))
    )


def check_arrays(chip: ProgrammedChip, arrays: Sequence[CrossbarArray]) -> None:
    """ValueError unless the arrays have the chip's layers, hardware, device, seed and gain shifts.

    Weights are not looked at: they cannot be told from effective conductances.
    """
    if len(arrays) != len(chip.layers):
        raise SpikeLoomError(f"The chip has {len(chip.layers)} layers, but {len(arrays)} arrays are given")
    for index, (array, layer, shape) in enumerate(zip(arrays, chip.layers, chip.parameters.layers, strict=True)):
        for name, given, needed in (
            ("place", array.index, index),
            ("hardware", array.parameters, shape),
            ("device", array.device, chip.device),
            ("length of a read pulse", array.read_s, chip.read_s),
            ("seed", array.seed, chip.seed),
            ("gain shift", array.gain_shift, layer.gain_shift),
        ):
            if given != needed:
                raise SpikeLoomError(
                    f"Array {index} was programmed for another {name}: {given!r}, but the chip has {needed!r}"
                )
