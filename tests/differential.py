"""What the randomised differential tests draw and compare: the integer reference against the Verilog.

Hypothesis draws depth, sizes, tiles, lanes, widths, phases, codings, resets, rules, neuron features and optional parts,
and the plan of networks with windows, pooling and residual additions; the case's own seed draws the weights,
thresholds, devices and images. Every spike, membrane, counter and decision must agree, devices switched on; of cells
that drift, and may be programmed anew between images, the end of each must as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.optional_parts import ALL_OPTIONAL
from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout, Reset
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.reference.run import run_reference
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.plans import plans

__all__ = ["QUICK", "QUICK_MAPS", "THOROUGH", "cases", "check", "examples"]

QUICK = 3
"""Chains of layers in `make test`."""
QUICK_MAPS = 2
"""Networks with windows there, which take five times as long."""
THOROUGH = 200

size = st.one_of(st.just(1), st.integers(2, 40))


@st.composite
def cases(draw: Any, maps: bool = False) -> dict[str, Any]:
    """Keyword arguments of `random_chip`, with a plan if `maps`, and a seed for all that they leave open."""
    coding = draw(st.sampled_from(list(CODINGS)))
    phases = draw(st.sampled_from([1, 1, 1, 2, 4, 8]))
    readout = draw(st.sampled_from(list(Readout)))
    case = {
        **({} if maps else {"sizes": draw(st.lists(size, min_size=2, max_size=6))}),
        "coding": coding,
        "row_bits": 8 if coding == Coding.ANALOG else draw(st.sampled_from([1, 1, 8])),
        "phases": phases,
        "max_steps": draw(st.integers(phases, 20)),
        "tile_rows": draw(st.integers(1, 24)),
        "tile_columns": draw(st.integers(1, 24)),
        "lanes": draw(st.integers(1, 9)),
        "encoder_lanes": draw(st.integers(1, 17)),
        "encoders": draw(st.integers(1, 2)),
        "adc_bits": draw(st.sampled_from([1, 2, 4, 6, 8, 9])),
        "reset": draw(st.sampled_from(list(Reset))),
        "rule": draw(st.sampled_from([*DECISION_RULES.unit, DecisionRule.WINNER_K, DecisionRule.STABLE])),
        "decision_rules": draw(st.sampled_from(["all", "used"])),
        "readout": readout,
        "input_codings": draw(st.sampled_from(["all", "used"])),
        "neuron_features": draw(st.sampled_from(["all", "used"])),
        "adc_sigma": draw(st.sampled_from([0.0, 0.0127, 0.5, 3.0])),
        **{name: draw(st.booleans()) for name in ALL_OPTIONAL},
    }
    if maps:
        case["plan"] = draw(plans(image_once=case["row_bits"] == 8))
    if draw(st.integers(0, 5)) == 0:
        case["weights"] = "zero"
    if case["row_bits"] == 1 and draw(st.booleans()):
        case |= {
            "cell": "tantalum",
            "g_min_S": 1e-4,
            "g_max_S": 0.025,
            "wire_ohm": draw(st.sampled_from([0.0, 0.0, 0.5])),
            "acceleration": 10.0 ** draw(st.integers(7, 10)),
            "read_polarity": draw(st.sampled_from(["positive", "negative"])),
            "drift_every": draw(st.integers(1, 3)),
            "refresh_every": draw(st.sampled_from([0, 1, 2, 3, 4, 5])),
        }
    return {"seed": draw(st.integers(0, 2**32 - 1)), **case}


def check(case: dict[str, Any], simulators: list[str]) -> None:
    rng = np.random.default_rng(case["seed"])
    chip = random_chip(rng, **{name: value for name, value in case.items() if name != "seed"})
    count = 10 if chip.device.drifts else 5
    pixels = random_pixels(rng, count, chip.parameters.inputs)
    pixels[1] = 255
    ids = rng.integers(0, 2**32, count)
    note(f"case {case}")
    expected = run_reference(chip, pixels, ids=ids, trace="full")
    starts = []
    if chip.device.drifts and rng.integers(2):  # a second simulator begins where the reference is in the middle
        cut = int(rng.integers(1, count))
        middle = run_reference(chip, pixels[:cut], ids=ids[:cut]).drift
        assert middle is not None
        starts = [middle]
    for simulator in simulators:
        stalls = bool(rng.integers(2))
        got = run_cosim(
            chip, pixels, ids=ids, trace="full", simulator=simulator, stalls=stalls, workers=1, starts=starts
        )
        assert expected.compare(got, ("reference", simulator)) > 0


def examples(count: int, seed: bool) -> settings:
    """So many cases, the same every time if `seed`, none of them made smaller."""
    return settings(
        max_examples=count,
        derandomize=seed,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
