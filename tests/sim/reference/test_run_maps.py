"""The reference on networks of windows, pooling and residual additions, against the contract in plain integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.parameters import Coding, DecisionRule, LayerParameters, NpuParameters, Readout, Reset
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.result import ACTIVITIES
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.crossbar.windows import map_of_replicas
from spikeloom.sim.reference.run import chunk_images, run_reference
from tests.fixtures.drifting import drifting_device
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.plans import plans
from tests.models.plain import plain_run
from tests.sim.reference.test_run import assert_plain


@st.composite
def cases(draw: st.DrawFn) -> tuple[Plan, dict[str, object], int]:
    coding = draw(st.sampled_from(list(CODINGS)))
    row_bits = 8 if coding == Coding.ANALOG else draw(st.sampled_from([1, 1, 1, 8]))
    plan = draw(plans(image_once=row_bits == 8))
    options = {"coding": coding, "row_bits": row_bits, "max_steps": draw(st.integers(2, 6)), "phases": 1}
    if draw(st.booleans()):
        options["phases"] = draw(st.integers(2, options["max_steps"]))
    return plan, options, draw(st.integers(0, 2**32 - 1))


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
@given(cases())
def test_random_plans_against_plain_integers(case: tuple[Plan, dict[str, object], int]) -> None:
    plan, options, seed = case
    note(f"{plan} {options} seed {seed}")
    rng = np.random.default_rng(seed)
    chip = random_chip(rng, plan=plan, **options)
    assert_plain(chip, random_pixels(rng, 2, chip.parameters.inputs), rng.integers(0, 1 << 32, 2))


def small(seed: int = 1, **overrides: object) -> tuple[Plan, dict[str, object]]:
    """3 x 8 x 6 -> conv 3x3 -> conv joined with the strided image -> max pool -> average pool -> dense."""
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
        CrossbarStage(
            layer=1,
            windows=(
                Window(source=1, kernel=(3, 3), stride=(2, 2), padding=(1, 1)),
                Window(source=0, stride=(2, 2)),
            ),
        ),
        MaxPoolStage(window=Window(source=2, kernel=(2, 1), stride=(2, 1))),
        AveragePoolStage(window=Window(source=3, kernel=(1, 3), stride=(1, 3)), start=1),
        CrossbarStage(layer=2, windows=(Window(source=4, kernel=(2, 1)),)),
    )
    plan = Plan(input=MapShape(channels=3, height=8, width=6), stages=stages, channels=(4, 5, 4))
    device = Device(device_sigma=0.1, read_sigma=0.1, stuck_on=0.01, wire_ohm=3.0)
    options = {
        "plan": plan, "device": device, "coding": Coding.RATE, "row_bits": 1, "rule": DecisionRule.WINNER_K, "k": 2,
        "phases": 2, "readout": Readout.SPIKES, "max_steps": 16, "t_max": 16, "skip": 1, "adc_bits": 8, "theta": 30,
        "v0": 0, "leak": 0, "clip": 0, "reset": Reset.SUBTRACT, "gain_shift": 0, "tile_rows": 10, "seed": seed,
    }  # fmt: skip
    return plan, {**options, **overrides}


@pytest.mark.parametrize("coding", [Coding.RATE, Coding.ANALOG])
def test_any_batch_gives_the_same_bits(coding: Coding) -> None:
    """One by one, any order, any part, any chunk and thread number: the same images see the same draws."""
    plan, options = small(coding=coding, row_bits=8 if coding == Coding.ANALOG else 1)
    if coding == Coding.ANALOG:
        single = CrossbarStage(layer=1, windows=plan.stages[1].windows[:1])  # type: ignore[union-attr]
        options["plan"] = Plan(
            input=plan.input, stages=(plan.stages[0], single, *plan.stages[2:]), channels=plan.channels
        )
    rng = np.random.default_rng(3)
    chip = random_chip(rng, **options)
    pixels, ids = random_pixels(rng, 13, chip.parameters.inputs), rng.permutation(1000)[:13]
    arrays = build_arrays(chip)
    whole = run_reference(chip, pixels, ids, trace="full", arrays=arrays)
    assert len(set(whole.steps.tolist())) > 1, "images should leave the batch at different steps"
    assert (whole.spikes.sum(axis=0) > 0).all(), "every layer should spike"
    for chunk, threads in ((1, 2), (7, 1), (100, 1)):
        run_reference(chip, pixels, ids, "full", arrays, chunk=chunk, threads=threads).compare(whole)
    part = rng.permutation(13)[:6]
    some = run_reference(chip, pixels[part], ids[part], arrays=arrays)
    assert np.array_equal(some.spikes, whole.spikes[part]) and np.array_equal(some.margins, whole.margins[part])
    for name in ACTIVITIES:
        assert np.array_equal(some.activity[name], whole.activity[name][part])


def test_blocks_do_not_change_the_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = random_chip(np.random.default_rng(3), **small()[1])
    pixels = random_pixels(np.random.default_rng(4), 7, chip.parameters.inputs)
    whole = run_reference(chip, pixels, trace="full")
    for sums in (1, 600):
        monkeypatch.setattr("spikeloom.sim.reference.layer._BLOCK", sums)
        run_reference(chip, pixels, trace="full", threads=1).compare(whole)


@pytest.mark.parametrize("replicas", [(1, 4, 1), (5, 12, 1), (48, 1, 1)])
def test_copies_without_device_effects_change_nothing(replicas: tuple[int, ...]) -> None:
    """Perfect cells and equal registers: the answers are those of one crossbar; reads are shared out."""
    plan, options = small(device=Device())
    one = random_chip(np.random.default_rng(3), **options)
    shared = plan.with_replicas(replicas)
    many = replace(
        one,
        layers=tuple(layer for layer, n in zip(one.layers, replicas, strict=True) for _ in range(n)),
        parameters=replace(
            one.parameters,
            plan=shared,
            layers=tuple(
                replace(one.parameters.layers[layer], positions=placement.positions)
                for layer, placement in zip(np.repeat(range(3), replicas), shared.placements, strict=True)
            ),
        ),
    )
    pixels = random_pixels(np.random.default_rng(4), 5, one.parameters.inputs)
    expected, found = run_reference(one, pixels, trace="full"), run_reference(many, pixels, trace="full")
    assert np.array_equal(found.classes, expected.classes) and np.array_equal(found.margins, expected.margins)
    starts = np.cumsum([0, *replicas[:-1]])
    for name in ACTIVITIES:
        assert np.array_equal(np.add.reduceat(found.activity[name], starts, axis=1), expected.activity[name])
    assert found.trace is not None and found.trace.membranes is not None
    assert expected.trace is not None and expected.trace.membranes is not None
    for layer, (start, count) in enumerate(zip(starts.tolist(), replicas, strict=True)):
        parts = found.trace.membranes[start : start + count]
        assert np.array_equal(map_of_replicas(parts, plan.channels[layer]), expected.trace.membranes[layer])


def test_copies_have_weights_of_one_layer() -> None:
    plan, options = small()
    chip = random_chip(np.random.default_rng(3), **{**options, "plan": plan.with_replicas((1, 2, 1))})
    other = replace(chip.layers[2], positive=chip.layers[2].positive[::-1], negative=chip.layers[2].negative[::-1])
    with pytest.raises(
        ValueError, match=r"^Layer 2 \(dense2\) is a replica of layer 1 \(dense1\), and has other weights$"
    ):
        replace(chip, layers=(*chip.layers[:2], other, chip.layers[3]))


def test_a_dense_network_is_a_plan_of_single_positions() -> None:
    rng = np.random.default_rng(5)
    settings = {"sizes": [30, 12, 4], "coding": Coding.EVEN, "row_bits": 1, "read_sigma": 0.1, "lanes": 3}
    chain = random_chip(np.random.default_rng(7), **settings)
    pixels = random_pixels(rng, 6, 30)
    expected = run_reference(chain, pixels, trace="full")
    plan = Plan.dense((30, 12, 4))
    run_reference(random_chip(np.random.default_rng(7), plan=plan, **settings), pixels, trace="full").compare(expected)
    image = MapShape(channels=1, height=5, width=6)
    stages = (CrossbarStage(layer=0, windows=(Window.whole(0, image),)), plan.stages[1])
    plan = Plan(input=image, stages=stages, channels=(12, 4))
    run_reference(random_chip(np.random.default_rng(7), plan=plan, **settings), pixels, trace="full").compare(expected)


def test_silent_windows_are_not_read() -> None:
    """A single spot: only the windows that have it are read; all neurons work."""
    plan = Plan(
        input=MapShape(channels=1, height=6, width=6),
        stages=(
            CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3)),)),
            CrossbarStage(layer=1, windows=(Window(source=1, kernel=(4, 4)),)),
        ),
        channels=(2, 3),
    )
    chip = random_chip(
        np.random.default_rng(0), plan=plan, device=Device(), coding=Coding.EVEN, even_start=254, row_bits=1, t_max=1,
        max_steps=1, phases=1, skip=0, tile_rows=6, tile_columns=2, gain_shift=0, adc_bits=9, leak=0, clip=0, v0=0,
        reset=Reset.NONE,
    )  # fmt: skip
    pixels = np.zeros((1, 36), np.uint8)
    pixels[0, 6 * 4 + 1] = 255  # seen by windows (2 .. 3, 0 .. 1), in their second and third line
    result = run_reference(chip, pixels, trace="full")
    assert result.trace is not None and result.trace.membranes is not None
    values = result.trace.membranes[0][0, 0].reshape(4, 4, 2)
    kernel = chip.layers[0].weights.reshape(3, 3, 2)
    for y in range(4):
        for x in range(4):
            dy, dx = 4 - y, 1 - x
            z = kernel[dy, dx] if 0 <= dy < 3 and 0 <= dx < 3 else np.zeros(2, int)
            assert np.array_equal(values[y, x], z + chip.layers[0].bias)
    assert result.activity["row_pulses"][0, 0] == 4
    assert result.activity["tile_reads"][0, 0] == 4
    assert result.activity["conversions"][0, 0] == 4 * 2


def test_row_pulses_count_every_window() -> None:
    """Cells that drift: the pulses of every row, and from the second image on the bits that drifted cells give."""
    _, options = small(coding=Coding.EVEN, device=drifting_device(read_sigma=0.02))
    chip = random_chip(np.random.default_rng(2), **options)
    arrays = build_arrays(chip)
    pixels = random_pixels(np.random.default_rng(4), 4, chip.parameters.inputs)
    result = run_reference(chip, pixels, trace="full", arrays=arrays)
    aged = tuple(array.copy() for array in arrays)
    counts = [np.zeros(shape.inputs, np.int64) for shape in chip.parameters.layers]
    for b, row in enumerate(pixels):
        expected = plain_run(chip, aged, row, b)
        assert (result.classes[b], result.steps[b]) == (expected["class"], expected["steps"])
        for array, total, pulses in zip(aged, counts, expected["pulses"], strict=True):
            total += pulses
            array.age(total)
    assert result.drift is not None
    for total, found in zip(counts, result.drift.row_pulses, strict=True):
        assert np.array_equal(total, found) and total.any()


def test_large_maps_are_taken_in_smaller_chunks() -> None:
    dense = random_chip(np.random.default_rng(0), sizes=[784, 1000, 10], lanes=4, t_max=1).parameters
    large = Plan(
        input=MapShape(channels=3, height=64, width=64),
        stages=(
            CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
            CrossbarStage(layer=1, windows=(Window(source=1, kernel=(64, 64)),)),
        ),
        channels=(128, 2),
    )
    layers = tuple(
        LayerParameters(inputs=rows, outputs=outputs, positions=positions, lanes=1)
        for rows, outputs, positions in ((27, 128, 4096), (128 * 4096, 2, 1))
    )
    assert chunk_images(dense) == 100
    assert chunk_images(NpuParameters(layers=layers, plan=large)) == 7
