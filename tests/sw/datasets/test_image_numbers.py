"""Images that get the random draws of others, since nobody gave them numbers, are told."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from spikeloom.sw.chip import Chip
from spikeloom.sw.common.errors import DiagnosticWarning, SpikeLoomWarning
from tests.fixtures.models import make_chip, make_images

IMAGES = make_images(30, 20)
NOISY = {"device": {"read_sigma": 0.3}}


def chip(**config: dict) -> Chip:
    return make_chip(seed=3, **config)


@pytest.mark.parametrize("config", [NOISY, {"device": {"adc_sigma": 2.0}}, {"coding": {"input": "rate"}}])
def test_batches_that_get_the_same_draws_are_warned_of_and_told_their_numbers(config: dict) -> None:
    one = chip(**config)
    one.predict(IMAGES[:10])
    with pytest.warns(SpikeLoomWarning) as seen:
        again = one.predict(IMAGES[10:30])
    assert [str(item.message) for item in seen] == [
        "10 of these 20 images have the numbers, and so the random draws, of other ones that this chip has run: "
        "numbers begin with 0 in every call. For draws of their own give ids, here ids=range(10, 30); to begin with 0 "
        "on purpose, as a report does, give ids=range(20)"
    ]
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = one.predict(IMAGES, ids=range(30))
        parts = [one.predict(IMAGES[start : start + 10], ids=range(start, start + 10)) for start in (0, 10, 20)]
    assert np.concatenate([part.spikes for part in parts]).tolist() == whole.spikes.tolist()
    assert again.spikes.tolist() != whole.spikes[10:].tolist()


def test_the_same_images_again_and_chips_without_draws_are_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpikeLoomWarning)
        warnings.simplefilter("ignore", DiagnosticWarning)
        noisy = chip(**NOISY)
        noisy.predict(IMAGES).compare(noisy.predict(IMAGES))
        noisy.predict(IMAGES[:4])
        quiet = chip()
        quiet.predict(IMAGES[:10])
        quiet.predict(IMAGES[10:])


def test_the_verilog_and_the_reference_count_together() -> None:
    one = chip(**NOISY)
    expected = one.predict(IMAGES[:3])
    expected.compare(one.cosim(IMAGES[:3]))
    with pytest.warns(SpikeLoomWarning, match=r"^All of these 2 images have the numbers"):
        one.cosim(IMAGES[5:7])


def test_numbers_that_were_given_are_known_and_not_offered_again() -> None:
    one = chip(**NOISY)
    one.predict(IMAGES[:10], ids=range(10))
    one.predict(IMAGES[10:20], ids=range(40, 50))
    with pytest.warns(SpikeLoomWarning, match=r"ids=range\(50, 60\); to begin with 0 on purpose.* ids=range\(10\)$"):
        one.predict(IMAGES[20:])
    with pytest.warns(SpikeLoomWarning, match=r"^This image has the number, .* of another one that this chip has run"):
        one.predict(IMAGES[29:])


def test_a_report_can_be_made_of_what_the_warning_says(tmp_path: Path) -> None:
    one = chip(**NOISY)
    one.predict(IMAGES[:10])
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpikeLoomWarning)
        warnings.simplefilter("ignore", DiagnosticWarning)
        result = one.predict(IMAGES[10:], ids=range(20))
        assert one.report(tmp_path, IMAGES[10:], reference=result).is_file()
