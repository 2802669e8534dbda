"""The fit of energies to events: what is known comes back, and the report multiplies to what was simulated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding, DecisionRule
from spikeloom.hw.standard_cells.cell_mapping import Mapped
from spikeloom.hw.standard_cells.gates import Gates
from spikeloom.hw.standard_cells.liberty import Corner, Library
from spikeloom.hw.standard_cells.probes import Probes
from spikeloom.hw.standard_cells.switching import SwitchingEnergy
from spikeloom.sim.chip.energy_calibration import CALIBRATED, Calibration, design_of
from spikeloom.sim.chip.energy_margins import CARRIED, CLOCKS, MARGINS, MEMORIES, factors, group
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.cosim.gate_run import GateRun
from spikeloom.sim.estimates.energy import energy_rows, mean_energy
from spikeloom.sim.estimates.energy_parts import CALIBRATED_ONLY, PARTS
from spikeloom.sim.estimates.timing import timing
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.calibration import Fit, calibrate
from spikeloom.sw.analysis.calibration_images import activity_of, chosen_images, held_out
from spikeloom.sw.analysis.calibration_words import calibration_words
from spikeloom.sw.analysis.energy_counts import energy_table
from spikeloom.sw.analysis.switching_parts import book, logic_part
from spikeloom.sw.common.errors import SpikeLoomError
from tests.fixtures.networks import random_chip, random_pixels

PATHS = (
    "", "controller", "encoder", "encoder/even/sums", "encoder/odd/image", "layer_0/neuron_array",
    "layer_0/neuron_array/membranes/words", "layer_0/neuron_array/biases.lanes[1]", "layer_0/column_readout",
    "layer_0/programmer/target_memory", "layer_1/neuron_array", "layer_1/neuron_array/membranes", "collector_0",
    "counter", "counter/counts",
)  # fmt: skip


@pytest.fixture(scope="module")
def chip() -> ProgrammedChip:
    return random_chip(
        np.random.default_rng(1), sizes=[30, 12, 5], coding=Coding.EVEN, t_max=8, max_steps=8, phases=1,
        rule=DecisionRule.WINNER_K, skip=0, lanes=4,
    )  # fmt: skip


@pytest.fixture(scope="module")
def result(chip: ProgrammedChip) -> Result:
    pixels = random_pixels(np.random.default_rng(2), 34, 30)
    found = run_reference(chip, pixels, trace="spikes")
    return replace(found, cycles=timing(chip, pixels, found).cycles)


def made(chip: ProgrammedChip, result: Result, joules: dict[str, float], memory_bits: int = 10**6) -> Fit:
    """The fit to a netlist of one net per component, each with so many transitions of 1 pJ as the events of its part
    times `joules` give, and one flip-flop, 2 pJ per cycle, with 1 mW of leakage.
    """
    empty = replace(chip, energy=chip.energy.model_copy(update={"calibration": some(dict.fromkeys(CALIBRATED, 1.0))}))
    rows = {row.part.name: row for row in energy_rows(empty, result)[0]}
    probes = Probes("", {path: () for path in PATHS}, dict.fromkeys(PATHS, 1), {path: path for path in PATHS})
    transitions = np.zeros((len(result), probes.size), np.int64)
    for path, part in joules_of(PATHS).items():
        if part in joules and part in rows:
            events = sum(count.events for count in rows[part].counts if count.events is not None)
            transitions[:, probes.starts[path]] = np.round(events * joules[part] * 1e12)
    of_all: Any = dict.fromkeys(PATHS, 2e-12), dict.fromkeys(PATHS, 1e-3), dict.fromkeys(PATHS, 1)
    energy = SwitchingEnergy(probes, np.full(probes.size, 1e-12), *of_all)
    gates = Gates(Mapped("", (), (), ""), probes, {}, energy, Corner("slow", 1.0, 1.1, 125.0), 1.1)
    library = Library("cells", "", {}, {}, gates.corner, "", 1.0)
    assert result.cycles is not None
    run = GateRun(result, transitions, result.cycles.astype(np.int64))
    return calibrate(chip, run, gates, [library], memory_bits, design_of(chip.parameters))


def joules_of(paths: tuple[str, ...]) -> dict[str, str]:
    """One component for each part."""
    first: dict[str, str] = {}
    for path in paths:
        memory = {"sums": "error diffusion", "image": "pixels", "words": "membranes", "biases": "biases"}
        last = path.rpartition("/")[2].partition(".")[0]
        part = memory.get(last, "spike counts" if path == "counter/counts" else logic_part(path))
        if part not in first.values() and not path.endswith(("membranes", "target_memory")):
            first[path] = part
    return first


def some(parts: dict[str, Any], **changes: Any) -> Calibration:
    values = {
        "format": 2, "library": "cells", "corner": "slow, 1 V", "voltage_V": 1.0, "clock_Hz": 1e8,
        "memory_bits": 10**6, "chip": "mine", "design": "0", "images": 20, "images_checked": 10, "images_beyond": 4,
        "error": 0.012, "error_of_data": 0.05, "parts": parts, **changes,
    }  # fmt: skip
    found = Calibration.of(values)
    assert found is not None
    return found


def test_known_joules_come_back(chip: ProgrammedChip, result: Result) -> None:
    """Whole transitions round, so that an event takes a little more or less."""
    known = {"neurons": 3e-13, "encoding": 2e-13, "membranes": 5e-13, "pixels": 4e-13, "decision": 6e-13}
    fit = made(chip, result, known)
    calibration = fit.calibration
    for part, joules in known.items():
        low, typical, high = calibration.parts[part]
        assert typical == pytest.approx(joules, rel=0.02) and low <= typical <= high, part
    assert calibration.parts["biases"] == (0.0, 0.0, 0.0) and calibration.parts["other logic"] == (0.0, 0.0, 0.0)
    assert calibration.error < 0.02 and calibration.error_of_data < 0.02
    assert (calibration.library, calibration.corner) == ("cells", "slow, 1.1 V, 125 degrees Celsius")
    assert (calibration.images, calibration.images_checked, fit.held_out.checked.sum()) == (18, 14, 14)
    assert calibration.images_beyond == 6 and fit.images.tolist() == list(range(1, 33))
    assert calibration.design == design_of(chip.parameters) and calibration.memory_bits == 10**6


def test_the_report_s_rows_add_up_to_what_was_simulated(chip: ProgrammedChip, result: Result) -> None:
    fit = made(chip, result, {"neurons": 3e-13, "membranes": 5e-13, "column readout": 1e-12, "spike counts": 2e-12})
    calibrated = replace(chip, energy=chip.energy.model_copy(update={"calibration": fit.calibration}))
    part = result.part(np.arange(1, 33))
    rows, unknown = energy_rows(calibrated, part)
    assert not unknown
    digital = sum(row.energy_J["typical"] for row in rows if row.part.name in fit.calibration.parts)
    assert digital == pytest.approx(fit.simulated_J.mean(), rel=1e-3)
    clocked = {row.part.name: row.energy_J["typical"] for row in rows if row.part.name.startswith("clock")}
    assert part.cycles is not None
    cycle_J = 2e-12 + 1e-3 / 1e8
    memories = 6  # even/sums, odd/image, membranes/words, biases, target_memory and counts, and membranes of layer 1
    assert clocked["clock of memories"] == pytest.approx((memories + 1) * cycle_J * part.cycles.mean())
    assert clocked["clock"] == pytest.approx((len(PATHS) - memories - 1) * cycle_J * part.cycles.mean())
    assert sum(fit.components_J.values()) == pytest.approx(fit.simulated_J.mean(), rel=1e-9)
    table = energy_table(calibrated, part)
    assert table["calibration"]["same_design"] and "leakage" not in {item["what"] for item in table["left_out"]}
    assert "partial sums" not in {row["part"] for row in table["events"]}


def test_without_a_calibration_nothing_is_added(chip: ProgrammedChip, result: Result) -> None:
    rows = [row.part for row in energy_rows(chip, result)[0]]
    assert not [part.name for part in rows if part.field == CALIBRATED_ONLY]
    assert energy_table(chip, result)["calibration"] is None
    assert {part.name for part in PARTS if part.field == CALIBRATED_ONLY} < set(CALIBRATED) < {p.name for p in PARTS}


def test_larger_memories_keep_their_coefficient(chip: ProgrammedChip, result: Result) -> None:
    parts = dict.fromkeys(CALIBRATED, 1e-12)
    all_in, none_in = (some(parts, memory_bits=bits) for bits in (10**6, 0))
    found = {}
    for name, calibration in (("in", all_in), ("out", none_in), ("none", None)):
        energy = chip.energy.model_copy(update={"calibration": calibration, "memory_J_per_bit": (7e-13,) * 3})
        memory = mean_energy(replace(chip, energy=energy), result)["memory"]
        assert memory is not None
        found[name] = memory["typical"]
    assert found["out"] == found["none"] == pytest.approx(0.7 * found["in"])


def test_a_calibration_of_another_design_is_told(chip: ProgrammedChip, result: Result) -> None:
    energy = chip.energy.model_copy(update={"calibration": some({"neurons": 1e-13})})
    facts = energy_table(replace(chip, energy=energy), result)["calibration"]
    assert not facts["same_design"] and facts["missing"][:2] == ["encoding", "decision"]
    assert calibration_words(facts).startswith(
        "Digital parts are calibrated with cells at slow, 1 V and 100 MHz, on another design, 'mine', and carried "
        "over: its error here is not known, so that lows and highs are wider (logic by 0.25 and 4, memories by "
        "0.14 and 7, clock and leakage by 0.92 and 1.08); there, the fit missed an image by 5.0 % at most, clock and "
        "leakage left out, or by 1.2 % of all, among 10 that were not in it, 4 of which are less or more active "
        "than all that were. Typical values are the netlist's;"
    )
    assert "The calibration does not have encoding, decision" in calibration_words(facts)


def test_what_a_total_mixes_is_told(chip: ProgrammedChip, result: Result) -> None:
    """Converters, wires and transport, and memories outside, have the coefficients of the table; another clock too."""
    calibration = some(dict.fromkeys(CALIBRATED, 1e-13), design=design_of(chip.parameters), memory_bits=60)
    calibrated = replace(chip, energy=chip.energy.model_copy(update={"calibration": calibration}), clock_Hz=3e8)
    facts = energy_table(calibrated, result)["calibration"]
    assert facts["kept"] == [
        "wires", "sampling", "ADC", "DAC", "memories of more than 60 bits", "transport",
    ] and facts["missing"] == [] and facts["same_design"]  # fmt: skip
    words = calibration_words(facts)
    assert "and 100 MHz, on this design; the fit missed an image by 5.0 % at most, clock and leakage left out" in words
    assert "lows and highs allow for what it does not show: supply, wires between cells, glitches, clock tree." in words
    assert (
        "The total mixes processes: wires, sampling, ADC, DAC, memories of more than 60 bits, transport have" in words
    )
    assert words.endswith("This chip's clock is 300 MHz, and the leakage of a cycle that of 100 MHz.")
    same = energy_table(replace(calibrated, clock_Hz=1e8), result)["calibration"]
    assert "This chip's clock" not in calibration_words(same)


def test_an_interval_is_wider_than_the_spread_between_images(chip: ProgrammedChip, result: Result) -> None:
    """By what a netlist does not show, and more for another design; typical values stay what was fitted."""
    parts = {"neurons": (1e-13, 2e-13, 3e-13), "membranes": (5e-13, 6e-13, 8e-13), "clock": (4e-13,) * 3}
    calibration = some(parts, design=design_of(chip.parameters))
    assert [group(part) for part in parts] == ["logic", "memories", "clock and leakage"]
    assert {part.name for part in PARTS if part.component == "memory"} == set(MEMORIES)
    supply, wires, glitches, tree = ((each.low, each.high) for each in MARGINS)
    assert factors("neurons", True) == pytest.approx((supply[0], supply[1] * wires[1] * glitches[1]))
    assert factors("clock", True) == pytest.approx((supply[0], supply[1] * tree[1])) and "clock" in CLOCKS
    for part in parts:
        low, high = factors(part, True)
        (more,) = (each for each in CARRIED if group(part) in each.of)
        assert low < 1.0 < high and factors(part, False) == pytest.approx((low * more.low, high * more.high))
        lowest, typical, highest = parts[part]
        for design, own in ((calibration.design, True), ("0", False)):
            found = calibration.model_copy(update={"design": design})
            assert found.is_of(chip.parameters) is own
            low, high = factors(part, own)
            energy = chip.energy.model_copy(update={"calibration": found})
            rows = {row.part.name: row for row in energy_rows(replace(chip, energy=energy), result)[0]}
            expected = {"low": lowest * low, "typical": typical, "high": highest * high}
            assert rows[part].costs_J == pytest.approx(expected)


def test_clock_and_leakage_hide_no_error_of_the_fit(chip: ProgrammedChip, result: Result) -> None:
    """Energies that do not follow the events at all: the error of the whole is small, that of the data is not."""
    fit = made(chip, result, {"neurons": 3e-15})
    wrong = replace(fit, predicted_data_J=0.0 * fit.data_J)
    assert fit.data_J.max() < 0.1 * fit.simulated_J.min()
    assert (abs(wrong.predicted_data_J / wrong.data_J - 1.0)).max() == 1.0
    assert fit.calibration.error < fit.calibration.error_of_data


def test_too_few_images_are_refused(chip: ProgrammedChip, result: Result) -> None:
    with pytest.raises(SpikeLoomError, match="A calibration needs at least 32 images, not 31"):
        made(chip, result.part(np.arange(31)), {})


def test_the_least_and_the_most_active_are_not_in_the_fit(result: Result) -> None:
    """And every third of those between."""
    activity = np.array([30, 2, 9, 8, 7, 6, 5, 4, 3, 10, 1])
    found = held_out(activity)
    assert np.flatnonzero(found.least).tolist() == [10] and np.flatnonzero(found.most).tolist() == [0]
    assert sorted(activity[found.checked]) == [1, 4, 7, 10, 30]
    assert activity[found.checked].max() > activity[~found.checked].max()
    assert activity[found.checked].min() < activity[~found.checked].min()
    assert sorted(set(found.words)) == ["between", "in the fit", "least active", "most active"]
    order = np.lexsort((result.activity["row_pulses"].sum(axis=1), result.steps))
    assert (np.diff(activity_of(result)[order]) >= 0).all(), "steps, then row pulses"
    some_out = held_out(activity_of(result))
    assert (some_out.least.sum(), some_out.most.sum()) == (3, 3)


def test_images_of_different_activity_are_chosen() -> None:
    activity = np.array([5, 1, 3, 3, 9, 7, 2])
    assert chosen_images(activity, 3).tolist() == [1, 3, 4], "least, middle, most"
    assert chosen_images(activity, 7).tolist() == list(range(7))
    with pytest.raises(SpikeLoomError, match="A calibration of 8 images needs as many, and there are 7"):
        chosen_images(activity, 8)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("encoder/even", "encoding"),
        ("layer_12/neuron_array", "neurons"),
        ("layer_0/column_readout", "column readout"),
        ("layer_0/dac_driver", "row drivers' logic"),
        ("layer_0/programmer/pulses", "other logic"),
        ("layer_0/row_pulses", "activity counters"),
        ("layer_0", "activity counters"),
        ("collector_1", "spike collectors"),
        ("terminator", "decision"),
        ("map_1", "map logic"),
        ("windows_0/walk", "map logic"),
        ("pool_1", "pooling"),
        ("registers_0", "other logic"),
        ("", "other logic"),
    ],
)
def test_components_belong_to_parts(path: str, part: str) -> None:
    assert logic_part(path) == part and part in CALIBRATED


def test_what_is_inside_a_memory_belongs_to_it() -> None:
    memories = [("layer_0.neuron_array.membranes", "membranes"), ("layer_0.programmer.target_memory", "")]
    assert book("layer_0/neuron_array/membranes/words", memories) == ("membranes", True)
    assert book("layer_0/neuron_array/membranes.lanes[1]", memories) == ("membranes", True)
    assert book("layer_0/programmer/target_memory", memories) == ("other logic", True)
    assert book("layer_0/neuron_array/membranes_2", memories) == ("neurons", False)
