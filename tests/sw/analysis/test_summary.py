from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from spikeloom.sim.common.energy_sums import ENDS
from spikeloom.sim.crossbar.array_limits import array_loads
from spikeloom.sim.estimates.energy import energy, mean_energy
from spikeloom.sw.analysis.summary import summarise, tiles, versions, widest
from spikeloom.sw.datasets.image_set import ImageSet
from tests.checks.energy_check import check_energy
from tests.fixtures.synthetic import make_chip, make_result


def test_nothing_is_invented() -> None:
    summary = summarise(make_chip())
    levels = dict.fromkeys(("ann", "reference", "rtl"))
    assert summary["accuracy"] == {**levels, "measured_on": levels}
    assert summary["bit_exact"] == dict.fromkeys(
        (
            *("images", "values_compared", "mismatches", "traced_images", "simulator", "through_bus", "measured_on"),
            "counts_compared",
        )
    )
    assert summary["steps"]["mean"] is None and summary["cycles"]["mean"] is None
    assert summary["energy_J"].pop("events") == [] and summary["energy_J"].pop("left_out")
    assert set(summary["energy_J"].values()) == {None} and summary["efficiency"] is None
    assert summary["programming"] is None and summary["decision"] is None and summary["tuning"] is None
    assert summary["waterfall"] == [] and summary["config"] is None and summary["cells"] is None


def test_numbers_are_those_of_the_results() -> None:
    chip = make_chip()
    reference, rtl = make_result(chip, 50), make_result(chip, 50, cycles=True)
    assert rtl.cycles is not None
    summary = summarise(chip, reference=reference, rtl=rtl, labels=reference.classes, accuracy_ann=0.5)
    assert summary["accuracy"]["reference"] == 1.0
    assert summary["accuracy"]["rtl"] == rtl.accuracy(reference.classes)
    assert summary["steps"]["mean"] == pytest.approx(float(np.mean(rtl.steps)))
    assert summary["latency_s"]["mean"] == pytest.approx(float(np.mean(rtl.cycles)) / chip.clock_Hz)
    expected = {name: float(np.mean(values)) for name, values in energy(chip, rtl).items()}
    expected["total"] = sum(expected.values())
    assert {name: summary["energy_J"][name]["typical"] for name in expected} == pytest.approx(expected)


def test_fewer_images_in_verilog_use_the_first_labels() -> None:
    chip = make_chip()
    rtl = make_result(chip, 20, cycles=True)
    labels = np.concatenate([rtl.classes, (rtl.classes + 1) % 10])
    assert summarise(chip, rtl=rtl, labels=labels)["accuracy"]["rtl"] == 1.0


def test_the_clocks_energy_needs_clock_cycles() -> None:
    chip = make_chip()
    without = summarise(chip, reference=make_result(chip, 5))["energy_J"]
    assert without["control"] is None and without["total"] is None
    assert without["crossbar"]["low"] == without["crossbar"]["high"] > 0
    assert 0 < without["memory"]["low"] < without["memory"]["typical"] < without["memory"]["high"]


def test_activity_times_coefficients_is_the_energy_shown() -> None:
    """To the last digit, and from one set of images; so are latency and clock cycles."""
    chip = make_chip((64, 40, 30, 10))
    shapes = list(chip.parameters.layers)
    shapes[0] = replace(shapes[0], row_bits=8)
    shapes[1] = replace(shapes[1], adc_bits=5)
    chip = replace(chip, parameters=replace(chip.parameters, layers=tuple(shapes)))
    many, few = make_result(chip, 61), make_result(chip, 7, cycles=True)
    for reference, rtl in ((many, None), (many, few), (None, few)):
        summary = summarise(chip, reference=reference, rtl=rtl, measured_on=ImageSet("images of a test", 61))
        check_energy(summary, chip.parameters)
        found = summary["energy_J"]
        kinds = [row["activity"] for row in found["events"]]
        assert [kinds.count(kind) for kind in ("conductance", "conversions", "row_pulses")] == [2, 2, 2]
        assert "stray current" not in {row["part"] for row in found["events"]}
        assert found["measured_on"]["count"] == (61 if rtl is None else 7)
        means = mean_energy(chip, many if rtl is None else few)
        assert {name: found[name] for name in means} == means
        for end in ENDS:
            exact = {name: float(np.mean(v)) for name, v in energy(chip, many if rtl is None else few, end).items()}
            assert ("control" in exact) == (rtl is not None)
            assert {name: found[name][end] for name in exact} == pytest.approx(exact)
        if rtl is not None:
            assert rtl.cycles is not None and summary["cycles"]["mean"] == float(np.mean(rtl.cycles))
            assert summary["cycles"]["steps_mean"] == float(np.mean(few.steps))


def test_every_figure_says_what_it_was_measured_on() -> None:
    chip = make_chip()
    many, few = make_result(chip, 60), make_result(chip, 4, cycles=True)
    summary = summarise(
        chip, reference=many, rtl=few, labels=many.classes, accuracy_ann=0.5, waterfall=[("ANN", 0.5)], by_steps=[0.5],
        measured_on=ImageSet.tests("digits", 500), comparison={"images": 4, "mismatches": 0}, count=60,
    )  # fmt: skip
    sixty, four = ({"set": "test images of 'digits'", "count": n, "of": 500} for n in (60, 4))
    assert summary["measured_on"] == sixty
    assert summary["accuracy"]["measured_on"] == {"ann": sixty, "reference": sixty, "rtl": four}
    for group in ("steps", "mapping"):
        assert summary[group]["measured_on"] == sixty, group
    for group in ("bit_exact", "cycles", "latency_s", "energy_J"):
        assert summary[group]["measured_on"] == four, group
    assert summary["layers_measured_on"] == four
    assert summary["waterfall_measured_on"] == summary["accuracy_by_steps_measured_on"] == sixty


def test_labels_are_those_of_the_numbers_of_the_images() -> None:
    chip = make_chip()
    reference = make_result(chip, 60)
    rtl = replace(make_result(chip, 5, cycles=True), ids=np.array([41, 3, 59, 0, 7]))
    labels = reference.classes.copy()
    labels[rtl.ids] = rtl.classes
    assert summarise(chip, reference=reference, rtl=rtl, labels=labels)["accuracy"]["rtl"] == 1.0


def test_tiles_and_their_use() -> None:
    layer = make_chip((64, 40, 10)).parameters.layers[0]
    assert tiles(layer) == {"row_tiles": 2, "column_tiles": 3, "tiles": 6, "utilisation": 64 * 40 / (6 * 32 * 16)}


def test_demands_on_wires_are_those_that_are_checked() -> None:
    chip = make_chip()
    found = [row["array"] for row in summarise(chip)["layers"]]
    assert found == [{k: v for k, v in asdict(load).items() if k != "layer"} for load in array_loads(chip)]
    assert {"row_A", "column_A", "tile_A", "row_loss", "column_loss", "loss", "ohm"} == set(found[0])


def test_versions_name_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeloom.sw.analysis.summary.PACKAGES", ("numpy", "no-such-package-at-all"))
    found = versions()
    assert found["numpy"] == np.__version__ and found["no-such-package-at-all"] is None


def test_steps_and_activity_are_of_the_result_with_more_images() -> None:
    chip = make_chip()
    few, many = make_result(chip, 20, cycles=True), make_result(chip, 60)
    assert summarise(chip, reference=many, rtl=few)["steps"]["mean"] == float(np.mean(many.steps))
    assert summarise(chip, reference=many, rtl=few)["energy_J"]["control"] is not None
    assert widest(many, None) is many and widest(None, few) is few and widest(None, None) is None
