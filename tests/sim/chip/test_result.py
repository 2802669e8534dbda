"""Comparison of results: equal ones pass, any single difference raises and is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.params.parameters import DecisionRule, Reset
from spikeloom.sim.chip.origin import Origin
from spikeloom.sim.chip.result import ACTIVITIES, Mismatch, Result, Trace
from spikeloom.sim.reference.run import run_reference
from tests.fixtures.networks import random_chip, random_pixels


@pytest.fixture(scope="module")
def result() -> Result:
    rng = np.random.default_rng(3)
    chip = random_chip(
        rng, sizes=[30, 20, 11], phases=1, max_steps=8, t_max=8, rule=DecisionRule.FIXED, skip=0, reset=Reset.SUBTRACT
    )
    return run_reference(chip, random_pixels(rng, 5, 30), ids=[40, 41, 42, 43, 44], trace="full")


def changed_trace(result: Result, name: str, layer: int, place: tuple[int, ...], change: int) -> Result:
    assert result.trace is not None
    arrays = [array.copy() for array in getattr(result.trace, name)]
    if name == "spikes":
        arrays[layer][place] ^= change
    else:
        arrays[layer][place] += change
    return replace(result, trace=replace(result.trace, **{name: tuple(arrays)}))


def test_equal_results(result: Result) -> None:
    compared = result.compare(replace(result))
    assert compared == 5 * (1 + 4 + 2 * 7) + 2 * 5 * 8 * (20 + 11)
    assert result.compare(replace(result, trace=None)) == 5 * (1 + 4 + 2 * 7)


def test_spike_is_named(result: Result) -> None:
    # Byte 1, bit 0x20: neuron 10 of layer 1, in step 4 of image 2, whose number is 42.
    other = changed_trace(result, "spikes", 1, (2, 3, 1), 0x20)
    assert result.trace is not None
    value = int(result.trace.unpacked(1)[2, 3, 10])
    message = rf"^Image 42, layer 1, step 4, neuron 10: spike is {value} in left and {1 - value} in right$"
    with pytest.raises(Mismatch, match=message):
        result.compare(other, ("left", "right"))


def test_membrane_is_named(result: Result) -> None:
    other = changed_trace(result, "membranes", 0, (1, 6, 19), 1)
    assert result.trace is not None and result.trace.membranes is not None
    value = int(result.trace.membranes[0][1, 6, 19])
    with pytest.raises(
        Mismatch, match=rf"^Image 41, layer 0, step 7, neuron 19: membrane is {value} in this and {value + 1} in other$"
    ):
        result.compare(other)


def test_earliest_difference_is_named(result: Result) -> None:
    """Image before step before layer before neuron, whatever is found first."""
    other = changed_trace(result, "spikes", 0, (3, 0, 0), 0x80)
    other = changed_trace(other, "membranes", 0, (2, 5, 1), 1)
    other = changed_trace(other, "membranes", 1, (2, 4, 7), 1)
    with pytest.raises(Mismatch, match=r"^Image 42, layer 1, step 5, neuron 7: membrane"):
        result.compare(other)


@pytest.mark.parametrize("name", ["classes", "steps", "margins", "reasons"])
def test_decision_is_named(result: Result, name: str) -> None:
    values = getattr(result, name).copy()
    values[4] += 1
    with pytest.raises(Mismatch, match=rf"^Image 44: {name} is {values[4] - 1} in this and {values[4]} in other$"):
        result.compare(replace(result, trace=None, **{name: values}))


@pytest.mark.parametrize("name", ["spikes", *ACTIVITIES])
def test_count_is_named(result: Result, name: str) -> None:
    values = (result.spikes if name == "spikes" else result.activity[name]).copy()
    values[3, 1] += 1
    change = {"spikes": values} if name == "spikes" else {"activity": {**result.activity, name: values}}
    with pytest.raises(
        Mismatch, match=rf"^Image 43, layer 1: {name} is {values[3, 1] - 1} in this and {values[3, 1]} in other$"
    ):
        result.compare(replace(result, **change))


def test_other_images_and_shapes(result: Result) -> None:
    with pytest.raises(Mismatch, match=r"^Image 40: ids is 40 in this and 41 in other$"):
        result.compare(replace(result, ids=result.ids + 1))
    part = {name: getattr(result, name)[:3] for name in ("classes", "steps", "margins", "reasons", "spikes", "ids")}
    with pytest.raises(Mismatch, match=r"^this has 5 images of 2 layers, other has 3 images of 2 layers$"):
        result.compare(replace(result, **part))
    assert result.trace is not None
    with pytest.raises(Mismatch, match=r"^this has layers of \(20, 11\) neurons, other of \(20, 12\)$"):
        result.compare(replace(result, trace=replace(result.trace, outputs=(20, 12))))


def test_results_of_different_images_are_no_mismatch_of_the_models(result: Result) -> None:
    digests = np.arange(5 * 16, dtype=np.uint8).reshape(5, 16)
    mine = replace(result, origin=Origin("a", digests))
    changed = digests.copy()
    changed[2:4] += 1
    with pytest.raises(
        Mismatch,
        match=r"^left and right are results of different images: 2 of 5 are others, the first of them number 42; "
        r"compare results of the same images$",
    ):
        mine.compare(replace(mine, origin=Origin("a", changed)), ("left", "right"))
    assert mine.compare(replace(mine, origin=Origin("b", digests))) == mine.compare(result) > 0


def test_accuracy(result: Result) -> None:
    labels = result.classes.copy()
    labels[0] += 1
    assert result.accuracy(labels) == 0.8
    with pytest.raises(ValueError, match=r"^Labels must have shape \(5,\), one per image, not \(4,\)$"):
        result.accuracy(labels[:4])


def test_unpacked() -> None:
    trace = Trace((np.array([[[0b10000001, 0b01000000]]], np.uint8),), None, (10,))
    assert np.flatnonzero(trace.unpacked(0)[0, 0]).tolist() == [0, 7, 9]


def test_cycles_and_gaps_are_joined_if_all_have_them(result: Result) -> None:
    timed = replace(result, cycles=np.arange(5), gaps=np.arange(5) + 10)
    joined = Result.concatenate([timed, timed])
    assert joined.gaps is not None and joined.gaps.tolist() == [10, 11, 12, 13, 14] * 2
    assert joined.cycles is not None and joined.cycles.tolist() == [0, 1, 2, 3, 4] * 2
    assert Result.concatenate([timed, replace(timed, gaps=None)]).gaps is None
