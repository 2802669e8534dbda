"""The Python API's object."""

import json

import numpy as np
import pytest
import torch

import sim.cosim
from sim.reference import run_reference
from sw.chip import Chip
from tests.sw.models import make_chip, make_images

CHIP = make_chip(device={"device_sigma": 0.05, "read_sigma": 0.02})
IMAGES = make_images(30, 20, seed=5)
LABELS = np.arange(30) % 5


def test_predict_takes_images_of_every_kind():
    expected = CHIP.predict(IMAGES)
    for images in (
        torch.from_numpy(IMAGES),
        IMAGES / 255.0,
        torch.from_numpy(IMAGES / 255.0).float(),
        IMAGES.reshape(-1, 4, 5),
    ):
        expected.compare(CHIP.predict(images))
    assert expected.trace is None


def test_predict_traces_and_ids():
    result = CHIP.predict(IMAGES[:3], trace="spikes", ids=np.array([7, 8, 9]))
    assert result.trace is not None and result.trace.membranes is None
    assert result.ids.tolist() == [7, 8, 9]
    full = CHIP.predict(IMAGES[:3], trace=True).trace
    assert full is not None and full.membranes is not None


BAD = [
    (IMAGES[:, :19], ValueError, r"^Images must have shape \[images, 20\]"),
    (IMAGES.astype(np.int64), TypeError, "^Images must be uint8"),
    (IMAGES.astype(np.float32), ValueError, "^Floating-point images must lie in 0 .. 1"),
    (IMAGES[:0], ValueError, "^Images must be at least one"),
    ("images", TypeError, "^Images must be a NumPy array or a PyTorch tensor, not str"),
]


@pytest.mark.parametrize(("images", "error", "sentence"), BAD)
def test_bad_images_are_refused(images, error, sentence):
    with pytest.raises(error, match=sentence):
        CHIP.predict(images)


def test_cosim_passes_everything_on(monkeypatch, tmp_path):
    seen = {}

    def fake(image, images, **options):
        seen.update(options, image=image)
        return run_reference(image, images)

    monkeypatch.setattr(sim.cosim, "run_cosim", fake)
    CHIP.cosim(IMAGES)
    assert seen == {
        **{"image": CHIP.image, "ids": None, "trace": False, "simulator": "verilator", "waves": False},
        **{"folder": None, "progress": None},
    }
    CHIP.cosim(IMAGES, trace=True, simulator="icarus", waves=True, folder=str(tmp_path))
    assert (seen["trace"], seen["simulator"], seen["waves"], seen["folder"]) == (True, "icarus", True, tmp_path)
    changed = Chip(CHIP.image, CHIP.config.updated({"cosim": {"simulator": "icarus", "waves": True}}))
    changed.cosim(IMAGES)
    assert (seen["simulator"], seen["waves"]) == ("icarus", True)


def test_report_uses_what_was_run(tmp_path, monkeypatch):
    monkeypatch.setattr(sim.cosim, "run_cosim", lambda image, images, **_: run_reference(image, images))
    chip = make_chip()
    chip.predict(IMAGES)
    chip.cosim(IMAGES)
    page = chip.report(tmp_path, labels=LABELS)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert page == tmp_path / "report.html" and page.exists()
    assert summary["accuracy"]["reference"] == chip.predict(IMAGES).accuracy(LABELS)
    assert summary["bit_exact"]["images"] == 30 and summary["bit_exact"]["mismatches"] == 0
    assert summary["waterfall"][0]["stage"] == "ANN"


def test_report_without_a_run(tmp_path):
    chip = make_chip()
    chip.report(tmp_path / "a")
    chip.report(tmp_path / "b", IMAGES, LABELS)
    assert json.loads((tmp_path / "a" / "summary.json").read_text())["accuracy"]["reference"] is None
    assert json.loads((tmp_path / "b" / "summary.json").read_text())["accuracy"]["reference"] is not None


def test_repr_names_the_network():
    assert repr(CHIP) == "Chip(tiny: 20-12-7-5, 4-bit cells)"
