"""The cycle formula on a reference run's windows is what the Verilog counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from hw.cycles import Macro, image_cycles, step_cycles
from hw.geometry import Plan
from hw.params import Coding
from sim.cosim import run_cosim
from sim.image import ChipImage
from sim.reference import run_reference
from sim.window_activity import window_activity
from tests.sim.networks import random_chip, random_pixels
from tests.sim.plans import plans


def predicted(chip: ChipImage, pixels: np.ndarray, ids: np.ndarray) -> list[int]:
    """Clock cycles of each image in a row of images, the first one alone."""
    result = run_reference(chip, pixels, ids=ids, trace="spikes")
    found = window_activity(chip, pixels, result)
    macro = Macro(max(chip.parameters.pulse_cycles, chip.settle_cycles), chip.adc_cycles)
    cycles = []
    for number, steps in enumerate(result.steps):
        taken = []
        for step in range(steps):
            active = [
                windows[number, step, copy :: stage.copies]
                for windows, (_, stage) in zip(found, chip.parameters.stages.crossbars, strict=True)
                for copy in range(stage.copies)
            ]
            skipped = step // chip.parameters.phases < chip.skip
            taken.append(step_cycles(chip.parameters, active, macro, skipped=skipped))
        vector = 2 * chip.parameters.pixel_words + 1 if number == 0 else 1
        cycles.append(image_cycles(chip.parameters, taken, vector))
    return cycles


@settings(
    max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(plans(), st.sampled_from([Coding.EVEN, Coding.RATE, Coding.PHASE]), st.integers(1, 3), st.integers(0, 99))
def test_formula_and_verilog(plan: Plan, coding: Coding, phases: int, seed: int) -> None:
    note(f"{plan}")
    rng = np.random.default_rng(seed)
    chip = random_chip(
        rng, plan=plan, coding=coding, phases=phases, row_bits=1, max_steps=6, cell="linear", encoder_lanes=9
    )
    chip = dataclasses.replace(chip, settle_cycles=int(rng.integers(1, 7)), adc_cycles=int(rng.integers(1, 4)))
    if chip.parameters.stages.plain:
        return
    pixels, ids = random_pixels(rng, 4, chip.parameters.inputs), np.arange(4)
    expected = predicted(chip, pixels, ids)
    found = run_cosim(chip, pixels, ids=ids, workers=1).cycles
    assert found is not None
    for image, (formula, counted) in enumerate(zip(expected, found.tolist(), strict=True)):
        # an image that takes less than the next but one's pixels leaves that one waiting for them
        late = counted - formula
        assert late == 0 or (0 < late <= 2 * chip.parameters.pixel_words + 4 and image > 1), image


def test_a_trace_is_needed() -> None:
    chip = random_chip(np.random.default_rng(1))
    pixels = random_pixels(np.random.default_rng(1), 2, chip.parameters.inputs)
    with pytest.raises(ValueError, match=r"^Windows that had spikes are known of a traced result only"):
        window_activity(chip, pixels, run_reference(chip, pixels))
