"""The cycle formula on a reference run's windows is what the Verilog counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from spikeloom.hw.params.parameters import Coding
from spikeloom.hw.params.plan import Plan
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.estimates.timing import timing
from spikeloom.sim.estimates.window_activity import window_activity
from spikeloom.sim.reference.run import run_reference
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.plans import plans


@settings(
    max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@pytest.mark.slow
@given(plans(), st.sampled_from([Coding.EVEN, Coding.RATE, Coding.PHASE]), st.integers(1, 3), st.integers(0, 99))
def test_formula_and_verilog(plan: Plan, coding: Coding, phases: int, seed: int) -> None:
    note(f"{plan}")
    rng = np.random.default_rng(seed)
    chip = random_chip(
        rng, plan=plan, coding=coding, phases=phases, row_bits=1, max_steps=6, cell="linear", encoder_lanes=9
    )
    chip = dataclasses.replace(chip, settle_cycles=int(rng.integers(1, 7)), adc_cycles=int(rng.integers(1, 4)))
    if chip.parameters.plan.is_dense_chain:
        return
    pixels, ids = random_pixels(rng, 4, chip.parameters.inputs), np.arange(4)
    expected = timing(chip, pixels, run_reference(chip, pixels, ids=ids, trace="spikes")).cycles
    found = run_cosim(chip, pixels, ids=ids, workers=1).cycles
    assert found is not None and found.tolist() == expected.tolist()


def test_a_trace_is_needed() -> None:
    chip = random_chip(np.random.default_rng(1))
    pixels = random_pixels(np.random.default_rng(1), 2, chip.parameters.inputs)
    with pytest.raises(ValueError, match=r"^Windows with spikes are known only for a traced result"):
        window_activity(chip, pixels, run_reference(chip, pixels))
