"""The reference against the contract in plain integers, and its independence of batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout, Reset
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import ACTIVITIES, Result
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.reference.run import check_images, run_reference
from tests.fixtures.networks import random_chip, random_pixels
from tests.models.plain import plain_run


def assert_plain(programmed: ProgrammedChip, pixels: np.ndarray, ids: np.ndarray) -> Result:
    arrays = build_arrays(programmed)
    result = run_reference(programmed, pixels, ids, trace="full", arrays=arrays)
    for b in range(len(pixels)):
        expected = plain_run(programmed, arrays, pixels[b], int(ids[b]))
        decision = (result.classes[b], result.steps[b], result.margins[b], result.reasons[b])
        assert decision == (expected["class"], expected["steps"], expected["margin"], expected["reason"])
        for name in ACTIVITIES:
            assert result.activity[name][b].tolist() == expected["activity"][name], name
        assert result.trace is not None and result.trace.membranes is not None
        for layer, shape in enumerate(programmed.parameters.layers):
            silent = [0] * shape.neurons
            steps = range(1, programmed.t_max + 1)
            spikes = [expected["spikes"][layer].get(t, silent) for t in steps]
            assert result.trace.unpacked(layer)[b].astype(int).tolist() == spikes
            membranes = [expected["membranes"][layer].get(t, silent) for t in steps]
            assert result.trace.membranes[layer][b].tolist() == membranes
            assert result.spikes[b, layer] == np.sum(spikes)
    return result


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_against_plain_integers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    programmed = random_chip(rng)
    pixels = random_pixels(rng, 4, programmed.parameters.inputs)
    assert_plain(programmed, pixels, rng.integers(0, 1 << 32, 4))


@pytest.mark.parametrize("seed", range(40, 60))
def test_stable_decisions_against_plain_integers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    programmed = random_chip(rng, rule=DecisionRule.STABLE)
    pixels = random_pixels(rng, 4, programmed.parameters.inputs)
    assert_plain(programmed, pixels, rng.integers(0, 1 << 32, 4))


def test_random_networks_cover_the_contract() -> None:
    """The generator reaches every option, both reasons, saturation, and networks that do spike."""
    seen: set[object] = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rule = {"rule": DecisionRule.STABLE} if seed % 8 == 7 else {}
        programmed = random_chip(rng, wire_ohm=0.0, **rule)
        result = run_reference(programmed, random_pixels(rng, 10, programmed.parameters.inputs))
        seen |= {
            programmed.coding,
            programmed.rule,
            programmed.readout,
            ("layers", len(programmed.layers)),
            ("skip", programmed.skip > 0),
        }
        seen |= {layer.reset for layer in programmed.layers} | {("reason", int(r)) for r in result.reasons}
        seen |= {("clip", layer.clip > 0) for layer in programmed.layers} | {
            ("leak", layer.leak > 0) for layer in programmed.layers
        }
        seen |= {
            ("saturated", bool(result.activity["saturations"].any())),
            ("spiking", bool(result.spikes[:, -1].any())),
        }
        seen |= {("classes", programmed.parameters.classes == 1)}
    expected = {*CODINGS, *DECISION_RULES, *Readout, *Reset} | {
        (name, flag) for name in ("skip", "clip", "leak") for flag in (0, 1)
    }
    expected |= {("reason", 0), ("reason", 1), ("saturated", True), ("spiking", True), ("classes", True)}
    expected |= {("layers", n) for n in range(1, 6)}
    assert expected <= seen, expected - seen


def test_ideal_cells_without_clipping_sum_exactly() -> None:
    """z is exactly sum w s + b: accumulate-only neurons, membranes read off."""
    rng = np.random.default_rng(0)
    programmed = random_chip(
        rng, sizes=[70, 20], device=Device(), adc_bits=9, tile_rows=16, gain_shift=0, leak=0, clip=0, v0=0,
        coding=Coding.PHASE, row_bits=1, reset=Reset.NONE, rule=DecisionRule.FIXED, phases=1, t_max=1, skip=0,
        max_steps=3,
    )  # fmt: skip
    pixels = random_pixels(rng, 30, 70)
    result = run_reference(programmed, pixels, trace="full")
    assert result.trace is not None and result.trace.membranes is not None
    expected = (pixels >> 7).astype(int) @ programmed.layers[0].weights + programmed.layers[0].bias
    assert np.array_equal(result.trace.membranes[0][:, 0], expected)
    assert not result.activity["saturations"].any()


@pytest.mark.parametrize("coding", list(CODINGS))
def test_any_batch_gives_the_same_bits(coding: Coding) -> None:
    """One by one, any order, any part, any chunk and thread number: the same images see the same draws."""
    rng = np.random.default_rng(int(coding) + 10)
    device = Device(device_sigma=0.1, program_sigma=0.02, read_sigma=0.1, stuck_on=0.01, stuck_off=0.01, wire_ohm=3.0)
    programmed = random_chip(
        rng, sizes=[45, 33, 17, 10], coding=coding, device=device, rule=DecisionRule.WINNER_K, readout=Readout.SPIKES,
        k=1, max_steps=20, t_max=20, skip=0, phases=2, adc_bits=8, theta=40, v0=0, leak=0, clip=0, reset=Reset.SUBTRACT,
    )  # fmt: skip
    pixels = random_pixels(rng, 23, 45)
    ids = rng.permutation(1000)[:23]
    arrays = build_arrays(programmed)
    whole = run_reference(programmed, pixels, ids, trace="full", arrays=arrays)
    assert len(set(whole.steps.tolist())) > 1, "images should leave the batch at different steps"
    for chunk, threads in ((1, 2), (7, 1), (100, 1)):
        run_reference(programmed, pixels, ids, "full", arrays, chunk=chunk, threads=threads).compare(whole)
    part = rng.permutation(23)[:11]
    some = run_reference(programmed, pixels[part], ids[part], arrays=arrays)
    for name in ("classes", "steps", "margins", "reasons", "spikes"):
        assert np.array_equal(getattr(some, name), getattr(whole, name)[part])
    for name in ACTIVITIES:
        assert np.array_equal(some.activity[name], whole.activity[name][part])
    run_reference(programmed, pixels, ids, "full").compare(whole)
    other = run_reference(programmed, pixels, ids + 1000, "spikes", arrays)
    assert other.trace is not None and whole.trace is not None
    assert any(not np.array_equal(a, b) for a, b in zip(other.trace.spikes, whole.trace.spikes, strict=True))


def test_zero_weights() -> None:
    """Nothing but biases: silent images still run the neurons, and read nothing behind the first layer."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        programmed = random_chip(rng, weights="zero", depth=3)
        pixels = random_pixels(rng, 3, programmed.parameters.inputs)
        assert_plain(programmed, pixels, np.arange(3))
        black = run_reference(programmed, np.zeros_like(pixels))
        assert not black.activity["conversions"][:, 0].any()


def test_lowest_index_wins_a_tie_and_one_class_has_no_second() -> None:
    programmed = random_chip(
        np.random.default_rng(1),
        sizes=[5, 4],
        weights="zero",
        bias=0,
        v0=0,
        leak=0,
        clip=0,
        rule=DecisionRule.FIXED,
        device=Device(),
    )
    result = run_reference(programmed, np.zeros((2, 5), np.uint8))
    assert result.classes.tolist() == [0, 0] and result.margins.tolist() == [0, 0]
    programmed = random_chip(
        np.random.default_rng(1), sizes=[5, 1], weights="zero", v0=7, theta=9, bias=0, leak=0, clip=0,
        rule=DecisionRule.FIXED, readout=Readout.MEMBRANE, device=Device(), phases=1,
    )  # fmt: skip
    assert run_reference(programmed, np.zeros((2, 5), np.uint8)).margins.tolist() == [7, 7]


def test_winner_k_stops_at_the_first_step_with_the_margin() -> None:
    """A neuron that fires at every step against one that never does: the margin is the step's number."""
    programmed = random_chip(
        np.random.default_rng(0), sizes=[1, 2], device=Device(), weights=[np.array([[15, 0]])], bias=0, theta=8, v0=0,
        leak=0, clip=0, reset=Reset.ZERO, coding=Coding.EVEN, row_bits=1, rule=DecisionRule.WINNER_K,
        readout=Readout.SPIKES, k=3, t_max=9, max_steps=9, phases=1, skip=0, gain_shift=0, adc_bits=8,
    )  # fmt: skip
    result = run_reference(programmed, np.full((1, 1), 255, np.uint8))
    assert (result.steps[0], result.margins[0], result.reasons[0], result.classes[0]) == (3, 3, 1, 0)
    skipped = run_reference(replace(programmed, skip=4), np.full((1, 1), 255, np.uint8))
    assert (skipped.steps[0], skipped.margins[0]) == (7, 3)
    assert skipped.activity["row_pulses"][0, 0] == 3, "the last layer is not read in skipped periods"
    never = run_reference(replace(programmed, k=10), np.full((1, 1), 255, np.uint8))
    assert (never.steps[0], never.margins[0], never.reasons[0]) == (9, 9, 0)


def test_trace_kinds_and_progress() -> None:
    rng = np.random.default_rng(0)
    programmed = random_chip(rng, sizes=[9, 5])
    pixels = random_pixels(rng, 10, 9)
    calls: list[tuple[int, int]] = []
    result = run_reference(programmed, pixels, trace="spikes", progress=lambda *call: calls.append(call), chunk=4)
    assert calls == [(4, 10), (8, 10), (10, 10)]
    assert result.trace is not None and result.trace.membranes is None
    assert run_reference(programmed, pixels).trace is None
    full = run_reference(programmed, pixels, trace="full")
    assert full.trace is not None and full.trace.membranes is not None and full.trace.membranes[0].dtype == np.int32
    assert result.compare(full) > 0


def test_failure_in_a_thread_reaches_the_caller() -> None:
    programmed = random_chip(np.random.default_rng(0), sizes=[9, 5])

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_reference(programmed, np.zeros((50, 9), np.uint8), progress=stop, chunk=1)


def test_check_images_accepts_pixels_and_fractions() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 6)
    assert np.array_equal(check_images(pixels, 6), pixels)
    assert np.array_equal(check_images(pixels.reshape(2, 1, 3, 2), 6), pixels)
    assert np.array_equal(check_images(torch.from_numpy(pixels), 6), pixels)
    for dtype in (torch.float32, torch.float64):
        assert np.array_equal(check_images(torch.from_numpy(pixels).to(dtype) / 255, 6), pixels)
    assert check_images(np.array([[0.0, 0.5, 1.0]]), 3).tolist() == [[0, 128, 255]]
    assert check_images(np.asfortranarray(pixels), 6).flags.c_contiguous


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (
            [[0, 1]],
            TypeError,
            r"^Images must be a NumPy array or a PyTorch tensor, not list: numpy\.asarray\(images\) makes one$",
        ),
        (
            np.zeros((1, 2), np.int64),
            TypeError,
            r"^Images must be uint8 .* or floating point .*, not int64: images / 1 in floating point, if ",
        ),
        (
            np.zeros((1, 2), bool),
            TypeError,
            r"^Images must be uint8 .* or floating point .*, not bool: images \* 1.0 makes 0 and 1 in floating point$",
        ),
        (np.zeros((0, 2)), ValueError, r"^Images must be at least one, but the batch is empty$"),
        (
            np.zeros(2),
            ValueError,
            r"^Images must have shape \[images, 2\] .*, not \(2,\): a single image .* images\[None\]$",
        ),
        (
            np.zeros((2, 3)),
            ValueError,
            r"^Images must have shape \[images, 2\] .*, not \(2, 3\): images.permute\(1, 0\), .*$",
        ),
        (
            np.array([[0, 1.5]]),
            ValueError,
            r"^Floating-point images .*, but pixel 1 of image 0 is 1\.5: divide by the largest value .* \(1\.5 here\)$",
        ),
        (
            np.array([[0, 0], [-0.1, 0]]),
            ValueError,
            r"pixel 0 of image 1 is -0\.1: they seem to be normalised: .* into the model's first layer$",
        ),
        (np.array([[np.nan, 0]]), ValueError, r"pixel 0 of image 0 is nan: replace values that are NaN or infinite$"),
        (
            torch.tensor([[0, torch.inf]]),
            ValueError,
            r"pixel 1 of image 0 is inf: replace values that are NaN or infinite$",
        ),
    ],
)
def test_check_images_refuses(images: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_images(images, 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ids": [0.5, 1.0]}, TypeError, r"^Image numbers must be integers, not float64$"),
        ({"ids": [0]}, ValueError, r"^Image numbers have shape \(1,\), but there are 2 images$"),
        ({"ids": [0, 1 << 32]}, ValueError, r"^Image numbers must be in 0 \.\. 4294967295, not 0 \.\. 4294967296$"),
        ({"trace": "all"}, ValueError, r"^trace must be 'none', 'spikes' or 'full', not 'all'$"),
        ({"chunk": 0}, ValueError, r"^chunk must be a positive integer, not 0$"),
        ({"threads": 0}, ValueError, r"^threads must be a positive integer, not 0$"),
    ],
)
def test_run_refuses(arguments: dict, error: type[Exception], message: str) -> None:
    programmed = random_chip(np.random.default_rng(0), sizes=[9, 5])
    with pytest.raises(error, match=message):
        run_reference(programmed, np.zeros((2, 9), np.uint8), **arguments)


def test_arrays_of_another_chip_are_refused() -> None:
    chip = random_chip(np.random.default_rng(3), sizes=[7, 5, 3])
    pixels = np.zeros((1, 7), np.uint8)
    arrays = build_arrays(chip)
    layer = replace(chip.layers[0], gain_shift=(chip.layers[0].gain_shift + 1) % 4)
    others = {
        "seed": replace(chip, seed=chip.seed ^ 1),
        "device": chip.with_device(Device(bits=chip.device.bits, wire_ohm=7.0)),
        "gain shift": replace(chip, layers=(layer, *chip.layers[1:])),
    }
    for run in (run_reference, run_cosim):
        for name, other in others.items():
            with pytest.raises(ValueError, match=rf"^Array 0 was programmed for another {name}: "):
                run(other, pixels, arrays=arrays)
        with pytest.raises(ValueError, match=r"^The chip has 2 layers, but 1 arrays are given$"):
            run(chip, pixels, arrays=arrays[:1])
        with pytest.raises(ValueError, match=r"^Array 0 was programmed for another place: 1, "):
            run(chip, pixels, arrays=arrays[::-1])
