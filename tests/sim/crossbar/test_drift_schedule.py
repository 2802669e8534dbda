"""Drift over a stream of images: the reference against plain Python, and where it ends."""

from __future__ import annotations

import functools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import ACTIVITIES, Mismatch, Result
from spikeloom.sim.common.random_numbers import cell_normals, cell_words
from spikeloom.sim.common.random_words import Purpose, key
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.crossbar.drift_schedule import DriftSchedule
from spikeloom.sim.devices.tantalum.age_curve import AgeCurve, ReadPulse
from spikeloom.sim.devices.tantalum.oxide import TantalumOxide
from spikeloom.sim.reference.run import run_reference
from tests.fixtures.drifting import drifting_chip
from tests.fixtures.networks import random_pixels
from tests.models.plain import plain_run

IMAGES = 12


def a_chip(seed: int, every: int = 3, refresh: int = 0, **overrides: object) -> tuple[ProgrammedChip, np.ndarray]:
    rng = np.random.default_rng(seed)
    device = {
        "drift_every": every,
        "refresh_every": refresh,
        "program_sigma": 0.03 if seed % 2 else 0.0,
        "read_polarity": str(rng.choice(["positive", "negative"])),
        "device_sigma": 0.1,
        "stuck_on": 0.05,
        "read_sigma": float(rng.choice([0.0, 0.05])),
    }
    chip = drifting_chip(rng, device, **{"depth": 2, "t_max": 8, "max_steps": 8, "phases": 1, **overrides})
    return chip, random_pixels(rng, IMAGES, chip.parameters.inputs)


@functools.cache
def a_curve(v_V: float, read_s: float) -> AgeCurve:
    return AgeCurve(TantalumOxide(), ReadPulse(v_V, read_s, 1e9))


def plain_programmed(chip: ProgrammedChip, index: int, number: int) -> np.ndarray:
    """Conductances of a layer's cells after programming number `number`, from the draws."""
    device, layer = chip.device, chip.layers[index]
    g_S = device.g_min_S + np.stack([layer.positive, layer.negative]) * device.step_S
    draws = [key(chip.seed, purpose, index) for purpose in (Purpose.DEVICE, Purpose.PROGRAM, Purpose.STUCK)]
    g_S = np.maximum(0.0, g_S * (1.0 + device.device_sigma * cell_normals(draws[0], g_S.shape)))
    width_S = device.program_sigma * (device.g_max_S - device.g_min_S)
    g_S = np.clip(g_S + width_S * cell_normals(draws[1], g_S.shape, number), *device.reachable_S)
    return np.where(cell_words(draws[2], g_S.shape) < device.stuck_on * 2**32, device.g_max_S, g_S)


def plain_cells(chip: ProgrammedChip, index: int, programmed: np.ndarray, counts: list[int]) -> np.ndarray:
    """Conductances of a layer, cell by cell."""
    device, oxide = chip.device, TantalumOxide()
    sign = 1.0 if device.read_polarity == "positive" else -1.0
    curve = a_curve(sign * device.v_read_V, max(chip.parameters.pulse_cycles, chip.settle_cycles) / chip.clock_Hz)
    g_S = programmed.copy()
    words = cell_words(key(chip.seed, Purpose.STUCK, index), g_S.shape)
    for side, row, column in np.ndindex(*g_S.shape):
        if counts[row] and not int(words[side, row, column]) < device.stuck_on * 2**32:
            w = float(oxide.state(programmed[side, row, column], sign * device.v_read_V))
            age = float(curve.locate(w))
            if age < np.inf:
                aged = float(curve.aged(w, age, counts[row]))
                g_S[side, row, column] = float(oxide.conductance_S(aged, device.v_read_V))
    return g_S


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("refresh", [0, 4, 5])  # 5: neither it nor drift_every divides the other; it ends at 12
def test_the_reference_against_plain_python(seed: int, refresh: int) -> None:
    """Every image of a stream, with counts of its own; conductances made anew, cell by cell, after `drift_every`, and
    cells programmed anew after `refresh_every`.
    """
    chip, pixels = a_chip(seed, every=1 + seed % 3, refresh=refresh)
    arrays = build_arrays(chip)
    ids = np.random.default_rng(seed).integers(0, 1 << 32, IMAGES)
    result = run_reference(chip, pixels, ids, trace="full", arrays=arrays)
    programmed = [plain_programmed(chip, index, 0) for index in range(len(arrays))]
    counts = [[0] * shape.inputs for shape in chip.parameters.layers]
    reads = [[0] * shape.inputs for shape in chip.parameters.layers]
    layers = [
        SimpleNamespace(
            parameters=a.parameters, device=a.device, g_S=a.g_S, seed=a.seed, index=a.index, noise_bits=a.noise_bits
        )
        for a in arrays
    ]
    for b in range(IMAGES):
        if refresh and b and b % refresh == 0:
            counts = [[0] * len(total) for total in counts]
            programmed = [plain_programmed(chip, index, b // refresh) for index in range(len(arrays))]
        if b % chip.device.drift_every == 0 or (refresh and b % refresh == 0):
            for index, layer in enumerate(layers):
                layer.g_S = plain_cells(chip, index, programmed[index], counts[index])
        expected = plain_run(chip, tuple(layers), pixels[b], int(ids[b]))  # type: ignore[arg-type]
        decision = (result.classes[b], result.steps[b], result.margins[b], result.reasons[b])
        assert decision == (expected["class"], expected["steps"], expected["margin"], expected["reason"])
        for name in ACTIVITIES:
            assert result.activity[name][b].tolist() == expected["activity"][name], name
        assert result.trace is not None and result.trace.membranes is not None
        for index in range(len(layers)):
            for t, membranes in expected["membranes"][index].items():
                assert result.trace.membranes[index][b, t - 1].tolist() == membranes
        for total, every, new in zip(counts, reads, expected["pulses"], strict=True):
            for j, pulses in enumerate(new):
                total[j] += pulses
                every[j] += pulses
    assert result.drift is not None and result.drift.cells_S is not None and result.drift.images == IMAGES
    assert result.drift.programmings == {0: 1, 4: 3, 5: 3}[refresh]  # one that is due after the last image waits
    for index, total in enumerate(counts):
        assert result.drift.row_pulses[index].tolist() == total
        assert result.drift.total_pulses[index].tolist() == reads[index]
        assert np.array_equal(result.drift.cells_S[index], plain_cells(chip, index, programmed[index], total))


@pytest.mark.parametrize("seed", range(4))
def test_chunks_threads_and_calls_do_not_matter(seed: int) -> None:
    every, refresh = np.random.default_rng(seed).integers((1, 0), (6, 6)).tolist()
    chip, pixels = a_chip(10 + seed, every=every, refresh=refresh)
    whole = run_reference(chip, pixels, trace="full")
    arrays = build_arrays(chip)
    before = [array.g_S.copy() for array in arrays]
    for chunk, threads in ((1, 1), (2, 2), (5, 1)):
        whole.compare(run_reference(chip, pixels, trace="full", arrays=arrays, chunk=chunk, threads=threads))
    assert all(np.array_equal(array.g_S, g_S) for array, g_S in zip(arrays, before, strict=True))
    for cut in (1, 3, 7, 2 * refresh or 8):
        first = run_reference(chip, pixels[:cut], trace="full", arrays=arrays)
        rest = {"ids": np.arange(cut, IMAGES), "trace": "full", "arrays": arrays, "drift": first.drift}
        second = run_reference(chip, pixels[cut:], **rest)  # type: ignore[arg-type]
        whole.compare(Result.concatenate([first, second]))
        second.compare(run_reference(chip, pixels[cut:], **rest))  # type: ignore[arg-type]


def test_blocks_count_from_programming_on() -> None:
    chip, _ = a_chip(0, every=5)
    zeros = tuple(np.zeros(shape.inputs, np.int64) for shape in chip.parameters.layers)
    aging = DriftSchedule(chip, build_arrays(chip), DriftSnapshot(7, zeros, zeros))
    cuts = []
    for block in aging.blocks(12):
        cuts.append((block.start, block.stop))
        aging.advance(block.stop - block.start)
    assert cuts == [(0, 3), (3, 8), (8, 12)] and aging.images == 19


def test_refreshes_cut_blocks_too_and_wait_for_an_image() -> None:
    """Places 8 to 20, conductances renewed at 10, 15 and 20, cells programmed before images 8 (due) and 16."""
    chip, _ = a_chip(1, every=5, refresh=8)
    counts = tuple(np.full(shape.inputs, 3, np.int64) for shape in chip.parameters.layers)
    arrays = build_arrays(chip)
    aging = DriftSchedule(chip, arrays, DriftSnapshot(8, counts, counts))
    assert aging.state().programmings == 1 and (aging.state().row_pulses[0] == 3).all()
    assert not np.array_equal(aging.arrays[0].cells_S, arrays[0].cells_S)
    cuts, fresh = [], []
    for block in aging.blocks(12):
        cuts.append((block.start + 8, block.stop + 8))
        fresh.append(not aging.arrays[0].row_pulses.any())
        aging.add(counts)
        aging.advance(block.stop - block.start)
    assert cuts == [(8, 10), (10, 15), (15, 16), (16, 20)]
    assert fresh == [True, False, False, True]
    end = aging.state()
    assert end.programmings == 3 and (end.row_pulses[0] == 3).all() and (end.earlier[0] == 12).all()
    assert (end.total_pulses[1] == 15).all() and (arrays[0].programming, aging.arrays[0].programming) == (0, 2)
    assert list(DriftSchedule(chip, arrays, end).blocks(1)) == [slice(0, 1)]


def test_a_programming_leaves_an_error_of_its_own() -> None:
    chip, pixels = a_chip(1, refresh=4)
    array = build_arrays(chip)[0]
    first = array.cells_S.copy()
    array.age(np.full_like(array.row_pulses, 50))
    array.program(1)
    second = array.cells_S.copy()
    assert not np.array_equal(first, second) and not array.row_pulses.any() and array.programming == 1
    array.program(0)
    assert np.array_equal(array.cells_S, first)
    exact, _ = a_chip(2, refresh=4)
    array = build_arrays(exact)[0]
    first = array.cells_S.copy()
    array.age(np.full_like(array.row_pulses, 50))
    array.program(1)
    assert np.array_equal(array.cells_S, first) and array.programming == 1
    never = chip.with_device(chip.device.model_copy(update={"refresh_every": 0}))
    with pytest.raises(Mismatch):
        run_reference(chip, pixels).compare(run_reference(never, pixels))


def test_drift_changes_what_the_chip_does_and_early_termination_spares_it() -> None:
    chip, pixels = a_chip(1, every=1, k=1)
    result = run_reference(chip, pixels)
    still = run_reference(chip.with_device(chip.device.model_copy(update={"cell": "linear"})), pixels)
    assert still.drift is None and result.drift is not None
    assert not np.array_equal(result.activity["conductance"], still.activity["conductance"])
    longer = run_reference(replace(chip, k=chip.k + 1000), pixels)
    assert longer.drift is not None and result.steps.mean() < longer.steps.mean()
    assert sum(p.sum() for p in result.drift.row_pulses) < sum(p.sum() for p in longer.drift.row_pulses)
    columns = [shape.column_tiles for shape in chip.parameters.layers]
    for index, pulses in enumerate(result.drift.row_pulses):
        assert pulses.sum() * columns[index] == result.activity["row_pulses"][:, index].sum()


def test_states_are_compared_to_the_bit() -> None:
    chip, pixels = a_chip(2)
    result = run_reference(chip, pixels)
    drift = result.drift
    assert drift is not None and drift.cells_S is not None
    assert drift.difference(drift) is None and drift.values == sum(
        3 * len(p) + g.size for p, g in zip(drift.row_pulses, drift.cells_S, strict=True)
    )
    cells = [g.copy() for g in drift.cells_S]
    cells[1][1, 0, 0] = np.nextafter(cells[1][1, 0, 0], 1.0)
    pulses = [p.copy() for p in drift.row_pulses]
    pulses[0][2] += 1
    for changed, sentence in (
        (
            replace(drift, cells_S=tuple(cells)),
            r"^Layer 1, n cell of row 0 and column 0: .* S in this and .* S in other$",
        ),
        (replace(drift, row_pulses=tuple(pulses)), r"^Layer 0, row 2: row pulses since programming are"),
        (replace(drift, renewed=tuple(pulses)), r"^Layer 0, row 2: renewed row pulses"),
        (replace(drift, images=1), "^Cells have seen 12 images in this and 1 in other$"),
        (replace(drift, programmings=2), "^The number of programmings is 1 in this and 2 in other$"),
        (replace(drift, earlier=tuple(pulses)), "^Layer 0, row 0: row pulses since the first programming are"),
        (None, "^Cells drift in this, and not in other$"),
    ):
        with pytest.raises(Mismatch, match=sentence):
            result.compare(replace(result, drift=changed))
    with pytest.raises(Mismatch, match=r"^Cells drift in other, and not in this$"):
        replace(result, drift=None).compare(result)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"row_pulses": ()}, "The drift's row_pulses must be int64 of shapes"),
        ({"images": -1}, "must not be negative"),
        ({"programmings": 0}, r"programmings must be in 1 .. 2\^32, not 0"),
        ({"earlier": "some"}, "earlier pulses must not be negative, and 0 before a second programming"),
        ({"earlier": (np.zeros(1),)}, "The drift's earlier must be int64 of shapes"),
        ({"renewed": "more"}, "nor the renewed pulses above the row pulses"),
    ],
)
def test_a_foreign_state_is_refused(change: dict, sentence: str) -> None:
    chip, pixels = a_chip(2)
    drift = run_reference(chip, pixels).drift
    assert drift is not None
    if change.get("earlier") == "some":
        change = {"earlier": drift.row_pulses}
    if change.get("renewed") == "more":
        change = {"renewed": tuple(pulses + 1 for pulses in drift.row_pulses)}
    with pytest.raises(ValueError, match=sentence):
        run_reference(chip, pixels, drift=replace(drift, **change))
    with pytest.raises(ValueError, match="Cells of kind 'linear' do not drift: drift must be None"):
        run_reference(chip.with_device(chip.device.model_copy(update={"cell": "linear"})), pixels, drift=drift)
