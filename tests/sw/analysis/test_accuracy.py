from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.params.parameters import DecisionRule, Readout, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis import accuracy as evidence
from spikeloom.sw.analysis.accuracy import accuracy_by_steps, conductance_maps, trace_example
from spikeloom.sw.common.labels import layer_label
from tests.fixtures.synthetic import make_chip


def membrane_chip() -> ProgrammedChip:
    chip = make_chip()
    layers = (*chip.layers[:-1], replace(chip.layers[-1], reset=Reset.NONE))
    return replace(chip, layers=layers, readout=Readout.MEMBRANE, skip=2)


@pytest.mark.parametrize("chip", [make_chip(), replace(make_chip(), skip=1), membrane_chip()])
def test_the_curve_is_a_fixed_run_at_every_number_of_steps(
    chip: ProgrammedChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "_CHUNK_BYTES", 3000)  # several chunks
    images = np.random.default_rng(3).integers(0, 256, (25, 64)).astype(np.uint8)
    labels = run_reference(chip, images).classes
    seen: list[tuple[int, int]] = []
    curve = accuracy_by_steps(chip, images, labels, progress=lambda done, total: seen.append((done, total)))
    expected: list[float | None] = []
    for steps in range(1, chip.t_max + 1):
        if steps <= chip.skip:
            expected.append(None)
            continue
        expected.append(run_reference(replace(chip, rule=DecisionRule.FIXED, t_max=steps), images).accuracy(labels))
    assert curve == expected
    assert len(seen) > 1 and seen[-1] == (25, 25)


def test_the_example_is_the_image_of_the_run() -> None:
    chip = make_chip()
    images = np.random.default_rng(3).integers(0, 256, (5, 64)).astype(np.uint8)
    whole = run_reference(chip, images)
    example = trace_example(chip, images, np.arange(5), index=3)
    assert example.label == 3 and example.result.ids[0] == 3
    assert example.result.classes[0] == whole.classes[3] and example.result.steps[0] == whole.steps[3]
    assert example.result.trace is not None and example.result.trace.membranes is not None


def test_maps_show_the_tile_with_most_weights_and_its_errors() -> None:
    chip = make_chip()
    layer = chip.layers[0]
    keep = np.zeros_like(layer.positive)
    keep[40, 35] = 7  # row tile 1, column tile 2
    chip = replace(chip, layers=(replace(layer, positive=keep, negative=keep * 0), *chip.layers[1:]))
    first, second = conductance_maps(chip)
    assert first.title == "layer0: row tile 2 of 2, column tile 3 of 3"
    assert first.target_S.shape == (32, 8) and second.target_S.shape == (32, 10)
    assert first.target_S[8, 3] == pytest.approx(7 * chip.device.step_S)
    assert 0 < np.abs(first.programmed_S - first.target_S).max() < 5e-6
    ideal = chip.with_device(chip.device.model_copy(update={"device_sigma": 0.0}))
    assert np.allclose(conductance_maps(ideal)[0].programmed_S, first.target_S, atol=1e-12)


def test_modules_with_a_number_for_a_name_are_called_modules() -> None:
    assert [layer_label(name) for name in ("1", "2.0", "fc1", "block.3")] == [
        "module 1",
        "module 2.0",
        "fc1",
        "block.3",
    ]
