"""A report takes results, says what each figure was measured on, and refuses results of something else."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikeloom.sim.cosim.run
from spikeloom.sim.chip.result import Mismatch, Result
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.verify.measured import check_measured, compared
from tests.fixtures.drifting import DRIFT
from tests.fixtures.models import make_chip, make_images

IMAGES = make_images(30, 20, seed=5)
LABELS = np.arange(30) % 5
CHIP = make_chip(device={"device_sigma": 0.05, "read_sigma": 0.02})


@pytest.fixture(autouse=True)
def no_simulator(monkeypatch):
    """The reference, with clock cycles, in the place of the Verilog."""

    def run(programmed, images, ids=None, **_):
        result = run_reference(programmed, images, ids=ids)
        return replace(result, cycles=120 * result.steps.astype(np.int64) + 40)

    monkeypatch.setattr(spikeloom.sim.cosim.run, "run_cosim", run)


def summary_of(folder, *arguments, chip=CHIP, **options):
    page = chip.report(folder, *arguments, **options)
    return json.loads((folder / "summary.json").read_text()), page.read_text()


@pytest.mark.parametrize("part", [range(10), range(12, 22), [29, 3, 17]])
def test_a_co_simulation_of_some_images_is_used_for_these(tmp_path, part):
    result = CHIP.predict(IMAGES)
    rtl = CHIP.cosim(IMAGES[list(part)], ids=part)
    summary, page = summary_of(tmp_path, IMAGES, LABELS, reference=result, rtl=rtl)
    count = len(part)
    every = {"set": "images given to the report", "count": 30, "of": 30}
    some = {**every, "count": count}
    assert summary["bit_exact"]["images"] == count and summary["bit_exact"]["mismatches"] == 0
    assert summary["accuracy"]["reference"] == result.accuracy(LABELS)
    assert summary["accuracy"]["rtl"] == float(np.mean(result.classes[list(part)] == LABELS[list(part)]))
    assert summary["accuracy"]["measured_on"] == {"ann": every, "reference": every, "rtl": some}
    assert summary["steps"]["measured_on"] == every and summary["steps"]["mean"] == float(np.mean(result.steps))
    for group in ("bit_exact", "cycles", "latency_s", "energy_J"):
        assert summary[group]["measured_on"] == some, group
    assert summary["cycles"]["steps_mean"] == float(np.mean(result.steps[list(part)]))
    words = f"{count} of 30 images given to the report"
    assert page.count(words) >= 8 and "30 images given to the report" in page
    assert f"{words}, of {summary['cycles']['steps_mean']:.2f} steps on average" in page


def test_what_is_left_out_is_run_or_said_to_be_missing(tmp_path):
    summary, _ = summary_of(tmp_path / "a", IMAGES, LABELS)
    assert summary["accuracy"]["reference"] == CHIP.predict(IMAGES).accuracy(LABELS)
    assert summary["bit_exact"]["images"] is None and summary["bit_exact"]["measured_on"] is None
    summary, _ = summary_of(tmp_path / "b", IMAGES, rtl=CHIP.cosim(IMAGES[:10]))
    assert (summary["images"], summary["bit_exact"]["images"]) == (30, 10)


def test_nothing_is_kept_between_calls(tmp_path):
    """What was run before, and not given, is not in the report."""
    chip = make_chip()
    chip.cosim(IMAGES)
    summary, _ = summary_of(tmp_path, chip=chip)
    assert summary["images"] is None and summary["measured_on"] is None and summary["bit_exact"]["images"] is None


def concatenated():
    """Two runs as one result."""
    return Result.concatenate([CHIP.cosim(IMAGES[:4]), CHIP.cosim(IMAGES[4:9], ids=range(4, 9))])


def test_results_that_were_put_together_belong_to_their_images(tmp_path):
    summary, _ = summary_of(tmp_path, IMAGES, rtl=concatenated())
    assert summary["bit_exact"]["images"] == 9
    mixed = Result.concatenate([CHIP.cosim(IMAGES[:4]), CHIP.predict(IMAGES[4:9], ids=range(4, 9))])
    assert mixed.origin is None


WHOLE = CHIP.predict(IMAGES, trace="spikes")


@settings(max_examples=60)
@given(st.data())
def test_any_part_of_the_images_is_known_by_its_numbers(data):
    """Rows of a result stand for the images of their numbers, and for no others."""
    rows = np.array(data.draw(st.lists(st.integers(0, 29), min_size=1, max_size=30, unique=True)))
    part = WHOLE.part(rows)
    rtl = replace(part, origin=replace(part.origin, simulator="icarus"))
    check_measured(CHIP.programmed, IMAGES, WHOLE, rtl)
    assert compared(WHOLE, rtl)[0] > 0 and WHOLE.part(rows).compare(part) > 0
    at = data.draw(st.integers(0, len(rows) - 1))
    other = data.draw(st.integers(0, 29).filter(lambda number: number != rows[at]))
    with pytest.raises(ValueError, match=r"^The result given as rtl (is of other images|has an image number twice)"):
        check_measured(
            CHIP.programmed, IMAGES, WHOLE, replace(rtl, ids=np.where(np.arange(len(rows)) == at, other, rows))
        )


def test_parts_put_together_are_the_whole():
    parts = [WHOLE.part(np.arange(12)), WHOLE.part(np.arange(12, 30))]
    joined = Result.concatenate(parts)
    assert joined.compare(WHOLE) == WHOLE.compare(WHOLE)
    check_measured(CHIP.programmed, IMAGES, joined, None)


OTHER = make_chip(seed=3)
REFUSED = {
    "another chip": ({"rtl": lambda: OTHER.cosim(IMAGES)}, r"rtl is of another chip, or of this one before it was cha"),
    "other images": (
        {"rtl": lambda: CHIP.cosim(IMAGES[5:10])},
        r"rtl is of other images: its image number 0 is not image 0 of the report; .*ids=range\(first, last \+ 1\)$",
    ),
    "one pixel": (
        {"reference": lambda: CHIP.predict(np.where(np.arange(600).reshape(30, 20) == 417, 9, IMAGES).astype("u1"))},
        r"reference is of other images: its image number 20 is not image 20 of the report",
    ),
    "a number past the end": (
        {"rtl": lambda: CHIP.cosim(IMAGES[:3], ids=[0, 1, 30])},
        r"rtl has an image number 30, but the report has 30 images",
    ),
    "a number twice": (
        {"rtl": lambda: CHIP.cosim(IMAGES[[1, 1]], ids=[1, 1])},
        r"rtl has an image number twice",
    ),
    "too few": (
        {"reference": lambda: CHIP.predict(IMAGES[:10])},
        r"reference has 10 images, but the report is about 30; run chip.predict on all of them, or leave it out$",
    ),
    "another order": (
        {"reference": lambda: CHIP.predict(IMAGES[::-1], ids=range(29, -1, -1))},
        r"reference must have the images in order",
    ),
    "exchanged": ({"reference": lambda: CHIP.cosim(IMAGES)}, r"reference is of the Verilog; give it as rtl$"),
    "exchanged too": ({"rtl": lambda: CHIP.predict(IMAGES)}, r"rtl is of the integer reference; give it as reference$"),
    "unknown": (
        {"rtl": lambda: run_reference(CHIP.programmed, IMAGES)},
        r"rtl does not say which images and chip it is of; give what chip.cosim returned$",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore:.* images have the numbers")
def test_results_of_something_else_are_refused(tmp_path, case):
    options, sentence = REFUSED[case]
    with pytest.raises(ValueError, match=f"^The result given as {sentence}"):
        CHIP.report(tmp_path / "out", IMAGES, LABELS, **{name: make() for name, make in options.items()})
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"^rtl must be a result of chip.cosim, not tuple$"):
        CHIP.report(tmp_path, IMAGES, rtl=(1, 2))
    with pytest.raises(ValueError, match=r"^Results need the images they belong to: give chip.report the images too$"):
        CHIP.report(tmp_path, reference=CHIP.predict(IMAGES))


def test_a_chip_that_was_changed_since_is_another_one():
    chip = make_chip()
    result = chip.predict(IMAGES)
    check_measured(chip.programmed, IMAGES, result, None)
    check_measured(replace(chip.programmed, name="renamed"), IMAGES, result, None)
    noisier = chip.programmed.device.model_copy(update={"read_sigma": 0.5})
    for change in ({"t_max": chip.programmed.t_max - 1}, {"seed": 9}, {"device": noisier}):
        with pytest.raises(ValueError, match="before it was changed"):
            check_measured(replace(chip.programmed, **change), IMAGES, result, None)


def test_verilog_that_differs_is_not_reported(tmp_path):
    rtl = CHIP.cosim(IMAGES[:10])
    classes = rtl.classes.copy()
    classes[7] = (classes[7] + 1) % 5
    with pytest.raises(Mismatch, match=r"^Image 7: classes is \d in the reference and \d in the Verilog$"):
        CHIP.report(tmp_path / "out", IMAGES, rtl=replace(rtl, classes=classes))
    assert list(tmp_path.iterdir()) == []


def test_cells_that_drift_are_reported_from_their_first_image_on(tmp_path):
    chip = make_chip(device=DRIFT)
    summary, page = summary_of(tmp_path, IMAGES, LABELS, chip=chip, rtl=chip.cosim(IMAGES[:10]))
    assert summary["bit_exact"]["images"] == 10 and summary["drift"]["images"] == 30
    assert summary["drift"]["measured_on"]["count"] == 30 and "After 30 images given to the report" in page
    with pytest.raises(ValueError, match="must be one run of the report's first images: cells drift"):
        chip.report(tmp_path, IMAGES, rtl=chip.cosim(IMAGES[5:10], ids=range(5, 10)))
