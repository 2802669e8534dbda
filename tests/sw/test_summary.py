from __future__ import annotations

import numpy as np
import pytest

from sim.energy import energy
from sw.summary import energy_means, summarise, tiles, versions, widest
from tests.sw.synthetic import make_chip, make_result


def test_nothing_is_invented() -> None:
    summary = summarise(make_chip())
    assert summary["accuracy"] == {"ann": None, "reference": None, "rtl": None}
    assert summary["bit_exact"] == dict.fromkeys(
        ("images", "values_compared", "mismatches", "traced_images", "simulator", "through_bus")
    )
    assert summary["steps"]["mean"] is None and summary["cycles"]["mean"] is None
    assert set(summary["energy_J"].values()) == {None}
    assert summary["programming"] is None and summary["strategy"] is None and summary["tuning"] is None
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
    assert summary["energy_J"] == pytest.approx({**expected, "total": sum(expected.values())})


def test_fewer_images_in_verilog_use_the_first_labels() -> None:
    chip = make_chip()
    rtl = make_result(chip, 20, cycles=True)
    labels = np.concatenate([rtl.classes, (rtl.classes + 1) % 10])
    assert summarise(chip, rtl=rtl, labels=labels)["accuracy"]["rtl"] == 1.0


def test_digital_energy_needs_clock_cycles() -> None:
    chip = make_chip()
    without = energy_means(chip, make_result(chip, 5))
    assert without["digital"] is None and without["total"] is None
    assert without["crossbar"] is not None and without["crossbar"] > 0


def test_tiles_and_their_use() -> None:
    layer = make_chip((64, 40, 10)).parameters.layers[0]
    assert tiles(layer) == {"row_tiles": 2, "column_tiles": 3, "tiles": 6, "utilisation": 64 * 40 / (6 * 32 * 16)}


def test_versions_name_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sw.summary.PACKAGES", ("numpy", "no-such-package-at-all"))
    found = versions()
    assert found["numpy"] == np.__version__ and found["no-such-package-at-all"] is None


def test_steps_and_activity_are_of_the_result_with_more_images() -> None:
    chip = make_chip()
    few, many = make_result(chip, 20, cycles=True), make_result(chip, 60)
    assert summarise(chip, reference=many, rtl=few)["steps"]["mean"] == float(np.mean(many.steps))
    assert summarise(chip, reference=many, rtl=few)["energy_J"]["digital"] is not None
    assert widest(many, None) is many and widest(None, few) is few and widest(None, None) is None
