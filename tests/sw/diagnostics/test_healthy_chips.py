"""No false alarm: chips that do what their networks do, and all presets and examples, have no findings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import spikeloom
from spikeloom.sw.common.errors import DiagnosticWarning
from spikeloom.sw.compiler.images import needs_validation
from spikeloom.sw.config.config import PRESETS, Config
from spikeloom.sw.datasets.datasets import load_data
from spikeloom.sw.training.training import train
from tests.fixtures.healthy import Case, random_chip

EXAMPLES = sorted(path for path in (Path(__file__).parents[3] / "examples").glob("*.toml"))
ROOT = Path(__file__).parents[3]
QUICK = 6
"""Random chips of `make test`; the others run in `make test-all`."""


@pytest.fixture(autouse=True)
def _no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DiagnosticWarning)
        yield


def is_healthy(case: Case) -> bool:
    """By labelled images that neither training nor conversion has seen: the chip is right where the network is."""
    return case.network_accuracy >= 0.9 and case.chip_accuracy >= case.network_accuracy - 0.03


def check(seeds: range) -> int:
    """Random chips without findings, with labels and without; returns how many were healthy."""
    healthy = 0
    for seed in seeds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosticWarning)
            case = random_chip(seed)
        if is_healthy(case):
            healthy += 1
            diagnoses = (
                case.chip.findings, case.chip.diagnose(case.images), case.chip.diagnose(case.images, case.labels)
            )  # fmt: skip
            for found in diagnoses:
                assert found is not None and len(found) == 0, f"seed {seed}: {found}"
    return healthy


def test_random_chips() -> None:
    assert check(range(QUICK)) >= 0.9 * QUICK


@pytest.mark.slow
def test_a_hundred_random_chips() -> None:
    """A hundred healthy ones, of as many more as it takes."""
    healthy, seed = 0, QUICK
    while healthy < 100:
        healthy += check(range(seed, seed + 10))
        seed += 10
    assert seed <= QUICK + 120


def compiled(config: Config, data: Path | None = None) -> spikeloom.Chip:
    """The chip of a run, as its step `convert` makes it."""
    train_set, validation = load_data(config.data.set, data).split(config.data.validation_images)
    if config.nir.file:
        from spikeloom.sw.flow.nir_step import load_nir

        model = load_nir(config, ROOT / config.nir.file)
    else:
        model = train(config.train, train_set, config.seed)
    images = train_set.train_images[: config.data.calibration_images]
    return spikeloom.compile(model, images, config, validation if needs_validation(config) else None)


@pytest.mark.parametrize("name", [name for name in PRESETS if Config.load(name).data.set == "digits"])
def test_presets(name: str) -> None:
    chip = compiled(Config.load(name))
    tests = load_data("digits")
    found = chip.diagnose(tests.test_images, tests.test_labels)
    assert len(chip.findings or ()) == len(found) == 0, f"{chip.findings}\n{found}"


SLOW = [("mnist", Config.load("mnist")), *((path.stem, Config.load(path)) for path in EXAMPLES)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "config"), SLOW, ids=[name for name, _ in SLOW])
def test_presets_and_examples(name: str, config: Config, request: pytest.FixtureRequest) -> None:
    data = None if config.data.set == "digits" else request.getfixturevalue("dataset_folder")
    chip = compiled(config, data)
    tests = load_data(config.data.set, data)
    images = np.random.default_rng(0).permutation(len(tests.test_images))[:1000]
    found = chip.diagnose(tests.test_images[images], tests.test_labels[images])
    assert len(chip.findings or ()) == len(found) == 0, f"{chip.findings}\n{found}"
