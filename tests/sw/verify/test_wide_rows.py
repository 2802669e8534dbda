"""Layers whose rows are wider than 65,536 bits, from the model to the Verilog's spikes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import nn

import spikeloom
from tests.conftest import SIMULATORS
from tests.fixtures.models import make_config, make_model

WIDE = {"crossbar": {"tile_rows": 1024}, "coding": {"input": "analog"}, "decision": {"t_max": 2, "rule": "fixed"}}


@pytest.mark.slow
def test_a_dense_layer_on_64_x_64_x_3_pixels_through_dacs(tmp_path: Path) -> None:
    """98,304 bits of rows: compiled, written, and one image in both simulators, every membrane compared."""
    images = np.random.default_rng(1).integers(0, 256, (20, 3, 64, 64), dtype=np.uint8)
    chip = spikeloom.compile(make_model(3 * 64 * 64, 10), images, make_config(**WIDE))
    chip.write_verilog(tmp_path)
    assert f"[{8 * 12288 - 1}:0]" in (tmp_path / "chip.sv").read_text()
    expected = chip.predict(images[:1], trace="full")
    for simulator in SIMULATORS:
        assert expected.compare(chip.cosim(images[:1], trace="full", simulator=simulator)) > 0


@pytest.mark.slow
def test_a_dense_layer_on_65537_spikes(tmp_path: Path) -> None:
    """One more than Amaranth packs into a net."""
    images = np.random.default_rng(1).integers(0, 256, (20, 65537), dtype=np.uint8)
    tables = {"crossbar": {"tile_rows": 8192}, "decision": {"t_max": 2, "rule": "fixed"}}
    chip = spikeloom.compile(nn.Sequential(nn.Linear(65537, 2)).eval(), images, make_config(**tables))
    chip.write_verilog(tmp_path)
    assert "[65536:0]" in (tmp_path / "chip.sv").read_text()
    assert chip.predict(images[:1], trace="full").compare(chip.cosim(images[:1], trace="full")) > 0


@pytest.mark.slow
def test_a_convolution_on_64_x_64_x_3_pixels_through_dacs() -> None:
    """The encoder's vector is the whole image here too."""
    model = nn.Sequential(nn.Conv2d(3, 2, 8, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3)).eval()
    images = np.random.default_rng(1).integers(0, 256, (20, 3, 64, 64), dtype=np.uint8)
    chip = spikeloom.compile(model, images, make_config(**WIDE))
    assert chip.predict(images[:1], trace="full").compare(chip.cosim(images[:1], trace="full")) > 0
