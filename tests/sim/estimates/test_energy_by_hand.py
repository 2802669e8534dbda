"""Events of arithmetic, maps and pooling sums against numbers that are counted by hand in the docstrings."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.parameters import DecisionRule, LayerParameters, NpuParameters, Reset
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage
from spikeloom.sim.chip.device_config import Device, Energy
from spikeloom.sim.estimates.energy_events import Events
from spikeloom.sim.estimates.energy_parts import PARTS


def counted(
    part: str,
    parameters: NpuParameters,
    steps: int,
    skip: int = 0,
    rule: DecisionRule = DecisionRule.WINNER_K,
    **activity: list[int],
) -> dict[str, int]:
    """Events of a part for one image of so many steps, by place."""
    layers = [SimpleNamespace(name=f"layer {n}") for n in range(len(parameters.layers))]
    chip = SimpleNamespace(parameters=parameters, layers=layers, skip=skip, device=Device(), energy=Energy(), rule=rule)
    result = SimpleNamespace(
        check_counted=lambda: None,
        check_loads=lambda: None,
        spikes=np.zeros((1, len(layers))),
        steps=np.array([steps]),
        activity={name: np.array([values]) for name, values in activity.items()},
    )
    (count,) = (each.count for each in PARTS if each.name == part)
    found = count(Events(chip, result))  # type: ignore[arg-type]
    return {each.place: int(each.events[0]) for each in found if each.events is not None}


def dense(**features: Any) -> NpuParameters:
    """6 - 4 - 3 with 2 lanes each, 2 phases, at most 4 steps, 4 pixels in a cycle; neurons have all if not said."""
    shape: dict[str, Any] = {
        "tile_rows": 4,
        "lanes": 2,
        "adc_bits": 4,
        "max_gain_shift": 1,
        "max_theta": 7,
        "max_bias": 3,
    }
    layers = tuple(
        LayerParameters(inputs=inputs, outputs=outputs, phases=2, max_steps=4, **shape, **features)
        for inputs, outputs in ((6, 4), (4, 3))
    )
    return NpuParameters(layers=layers, phases=2, max_steps=4, encoder_lanes=4)


ARITHMETIC = {
    "partial sums": {"layer 0": 80, "layer 1": 0},
    "neurons": {"layer 0": 992, "layer 1": 448},
    "encoding": {"encoder": 1150},
    "decision": {"classes": 172},
    "activity counters": {"layer 0": 1056, "layer 1": 528},
    "pooling": {},
}


@pytest.mark.parametrize("part", ARITHMETIC)
def test_additions_and_comparisons_of_a_dense_network(part: str) -> None:
    """An image of 4 steps in 2 periods, of which the first is skipped: layer 0 runs 4 steps, layer 1 runs 2. Each has 2
    groups of 2 lanes (layer 1 with a lane to spare), so 8 and 4 words pass.

    Widths. A code has 4 bits, -8 .. 7. Layer 0, 2 row tiles: a sum is at most 2 * 8 * 2 = 32, 7 bits with its sign; a
    bias is at most 3, 3 bits; the membrane is at most 7 * 2 + 4 * (32 + 3) * 2 = 294, 10 bits. Layer 1, 1 row tile: at
    most 16, 6 bits; 3 bits; 7 * 2 + 4 * (16 + 3) * 2 = 166, 9 bits.

    - partial sums: layer 0 has one adder for its 2 row tiles, of 4 + 1 bits in 2 lanes: 10 bits per word, 80
    - neurons: sum + bias 7 + 1 = 8 bits; leak 10; sum, shifted by a phase to 9 bits, onto the membrane of 10, 11 bits;
      two comparisons of these with the bounds, and the threshold subtracted, 3 * 11: 62 bits in a lane, 124 per word,
      992. Layer 1: 7 + 9 + 4 * 10 = 56, 112 per word, 448
    - encoding: 6 pixels are 2 words of 4. Of a pixel, two additions and the rate's comparison, of 9 bits,
      and 1 bit into the count of active rows; the count has 3 bits: 4 * 28 + 3 = 115 per word. 4 vectors and one that
      has begun: 5 * 2 * 115 = 1,150
    - decision, in 2 steps: a weighted count is at most 4 * 2 = 8, 4 bits; a score has the membrane's 9; of each of 3
      classes the count and two comparisons, 22 bits; margin and comparison with k, 10 each: 3 * 22 + 20 = 86, 172
    - counters of 32 bits: two for a vector, three for a word, and each lane's spike twice: 4 * 64 + 8 * (96 + 4) =
      1,056; 2 * 64 + 4 * 100 = 528
    """
    assert counted(part, dense(), steps=4, skip=1) == ARITHMETIC[part]


def test_a_stable_decision() -> None:
    """In 2 steps: an average of the margin's 10 bits and 4 of fractions, 14; two additions for the two bits of 3 steps,
    and a comparison, of 14 + 2 bits: 14 + 3 * 16 = 62, 124 beside the 172.
    """
    whole = replace(dense(), rules=DECISION_RULES.unit)
    assert counted("decision", whole, 4, 1, DecisionRule.STABLE) == {"classes": 172 + 124}
    assert counted("decision", whole, 4, 1) == {"classes": 172}


@pytest.mark.parametrize(
    ("features", "layer_0", "layer_1"),
    [
        ({"leak": False}, 992 - 160, 448 - 72),
        ({"clip": False}, 992 - 352, 448 - 160),
        ({"resets": (Reset.ZERO, Reset.NONE)}, 992, 448),
        ({"resets": (Reset.SUBTRACT,)}, 992, 448),
        ({"leak": False, "clip": False, "resets": (Reset.NONE,)}, 480, 216),
    ],
)
def test_what_is_not_built_does_not_count(features: dict[str, Any], layer_0: int, layer_1: int) -> None:
    """8 words of 2 lanes and membranes of 10 bits, and 4 words of 2 lanes and 9 bits: an adder as wide as the membrane,
    which a leak is, has 160 and 72 bits; the clip is two comparisons of one bit more, 352 and 160. The subtraction of
    theta is there without a reset, too: it is the comparison.
    """
    found = counted("neurons", dense(**features), steps=4, skip=1)
    assert found == {"layer 0": layer_0, "layer 1": layer_1}


def maps() -> NpuParameters:
    """A 3 x 3 convolution of 2 x 6 x 6 into 3 x 4 x 4, max pooling into 3 x 2 x 2, average pooling into 3 x 1 x 1, and
    a dense layer of 5; at most 4 steps.
    """
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3)),)),
        MaxPoolStage(window=Window(source=1, kernel=(2, 2), stride=(2, 2))),
        AveragePoolStage(window=Window(source=2, kernel=(2, 2), stride=(2, 2))),
        CrossbarStage(layer=1, windows=(Window(source=3, kernel=(1, 1)),)),
    )
    plan = Plan(input=MapShape(channels=2, height=6, width=6), stages=stages, channels=(3, 5))
    layers = tuple(
        LayerParameters(inputs=rows, outputs=channels, positions=positions, lanes=1, max_steps=4)
        for rows, channels, positions in ((18, 3, 16), (3, 5, 1))
    )
    return NpuParameters(layers=layers, plan=plan, max_steps=4, encoder_lanes=4)


MAPS = {
    "maps": {"map 0": 720, "map 1": 288, "map 2": 72, "map 3": 18},
    "pooling sums": {"stage 1": 864, "stage 2": 54},
    "pooling": {"stage 1": 864, "stage 2": 324},
    "map words": {"map 0": 720, "map 1": 288, "map 2": 72, "map 3": 18},
    "encoding": {"encoder": 10710},
}


@pytest.mark.parametrize("part", MAPS)
def test_accesses_and_arithmetic_of_maps_and_poolings(part: str) -> None:
    """An image of 3 steps.

    - maps: a word is a position, with a bit for each channel. Map 0, 36 words of 2 bits: written 4 times (once for the
      step after the last); a row of 4 windows reads 9 words, then 3 new ones for each of 3: 18, 72 in a step:
      (4 * 36 + 3 * 72) * 2 = 720. Map 1, 16 words of 3 bits, written and read once in a step: 3 * 32 * 3 = 288. Map 2,
      4 words: 3 * 8 * 3 = 72. Map 3, 1 word: 3 * 2 * 3 = 18. The last map is the classes' and is not kept. As many bits
      are moved
    - max pooling keeps a sum of at most 4, 3 bits, for each of its 16 inputs and 3 channels, 9 bits per word, which it
      reads and writes in a step: 3 * 16 * 2 * 9 = 864; an addition and a comparison of each: 864
    - average pooling keeps a sum of at most 4, 3 bits, for its one output and 3 channels: 3 * 2 * 9 = 54; of each of 4
      inputs an addition, a comparison and a subtraction: 3 * 4 * 9 * 3 = 324
    - encoding: 72 pixels are 18 words of 4; the count of active rows has 7 bits: 4 * 28 + 7 = 119 per word. 3 vectors
      and two ahead: 5 * 18 * 119 = 10,710
    """
    assert counted(part, maps(), steps=3) == MAPS[part]


def test_wires_by_hand() -> None:
    """Layer 0 of 6 x 4 in row tiles of 4 and 2 rows: 5 pulses along 8 cells each, and 3 tile reads of 8 columns of 4
    rows: the lower tile is counted as if it were full. Layer 1 of 4 x 3: 2 pulses along 6 cells, 2 reads of 6 columns.
    """
    found = {
        part: counted(part, dense(), steps=2, row_pulses=[5, 2], tile_reads=[3, 2])
        for part in ("row wires", "column wires")
    }
    assert found["row wires"] == {"layer 0": 40, "layer 1": 12}
    assert found["column wires"] == {"layer 0": 96, "layer 1": 48}
