"""The MNIST network with every input coding, every reset, and 4 and 8 phases (`even`: 1): Verilog and reference."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import pytest

import spikeloom
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.training.training import train
from tests.conftest import SIMULATORS

IMAGES = {"verilator": 200, "icarus": 20}
PERIODS = 3


@functools.lru_cache(maxsize=1)
def _data(folder: Path) -> Dataset:
    return load_data("mnist", folder)


def _chip(folder: Path, coding: str, reset: str, phases: int) -> ProgrammedChip:
    values = Config.load("mnist").model_dump(mode="json")
    phases = 1 if coding == "even" else phases
    values["coding"] |= {"input": coding, "phases": phases}
    values["neuron"] |= {"reset": reset, "output_reset": reset}
    values["decision"] |= {"t_max": PERIODS * phases, "k": 1 << phases, "skip": 1}
    config = Config.load(values)
    data = _data(folder)
    model = train(config.train, data, config.seed)
    return spikeloom.compile(model, data.train_images[:200], config).programmed


@pytest.mark.slow
@pytest.mark.parametrize("phases", [4, 8])
@pytest.mark.parametrize("coding", ["phase", "rate", "even", "analog"])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_bit_identical(dataset_folder: Path, coding: str, reset: str, phases: int) -> None:
    chip = _chip(dataset_folder, coding, reset, phases)
    assert chip.device.read_sigma > 0 and chip.device.device_sigma > 0
    pixels = _data(dataset_folder).test_images[: IMAGES["verilator"]].reshape(-1, 784)
    expected = run_reference(chip, pixels, trace="spikes")
    got = run_cosim(chip, pixels, trace="spikes", simulator="verilator")
    assert expected.compare(got, ("reference", "verilator")) > int(expected.steps.sum()) * 1030


@pytest.mark.slow
@pytest.mark.skipif("icarus" not in SIMULATORS, reason="Icarus Verilog (iverilog) is not installed")
@pytest.mark.parametrize("phases", [4, 8])
@pytest.mark.parametrize("coding", ["phase", "rate", "even", "analog"])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_bit_identical_under_icarus(dataset_folder: Path, coding: str, reset: str, phases: int) -> None:
    chip = _chip(dataset_folder, coding, reset, phases)
    chip = dataclasses.replace(chip, seed=chip.seed + 1)
    pixels = _data(dataset_folder).test_images[200 : 200 + IMAGES["icarus"]].reshape(-1, 784)
    expected = run_reference(chip, pixels, trace="full")
    got = run_cosim(chip, pixels, trace="full", simulator="icarus")
    assert expected.compare(got, ("reference", "icarus")) > int(expected.steps.sum()) * 1030
