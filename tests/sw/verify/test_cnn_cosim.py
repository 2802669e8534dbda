"""Convolutional networks from a PyTorch module or a configuration to the Verilog, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

import spikeloom
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage, PoolStage
from spikeloom.sw.chip import Chip
from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.run_folder import load_chip
from spikeloom.sw.flow.steps import make_flow
from tests.fixtures.cnn_models import PaddedBlock, ResNet, settled, vgg

EXAMPLES = Path(__file__).parents[3] / "examples"


def pictures(count: int, seed: int) -> NDArray[np.uint8]:
    """Smooth random colours, uint8 [images, 3, 32, 32]: neighbours are alike, as in photographs."""
    coarse = torch.from_numpy(np.random.default_rng(seed).random((count, 3, 8, 8), np.float32))
    fine = F.interpolate(coarse, size=(32, 32), mode="bilinear", align_corners=False)
    return (fine * 255.0).round().to(torch.uint8).numpy()


def colour_chip(model: nn.Module, t_max: int) -> Chip:
    """Compiled with noisy devices, for a fixed number of steps."""
    changes: dict[str, dict[str, Any]] = {
        "convert": {"normalisation": "percentile", "percentile": 0.99},
        "decision": {"rule": "fixed", "t_max": t_max},
        "crossbar": {"tile_rows": 128, "tile_columns": 32},
        "hardware": {"lanes": 16, "encoder_lanes": 32},
    }
    return spikeloom.compile(model, pictures(12, seed=1), Config.load("digits").updated(changes))


def assert_one_image(chip: Chip) -> None:
    """One image through the Verilog: every spike is the reference's, and every layer has some in every step but the
    first ones.
    """
    image = pictures(1, seed=2)
    expected = chip.predict(image, trace="spikes")
    assert (
        expected.spikes > 0.02 * chip.programmed.t_max * np.array([s.neurons for s in chip.parameters.layers])
    ).all()
    assert expected.compare(chip.cosim(image, trace="spikes")) > sum(s.neurons for s in chip.parameters.layers)


@pytest.mark.slow
def test_vgg() -> None:
    """Convolutions with batch norm, both kinds of pooling, two dense layers: narrow, as the build takes the time."""
    chip = colour_chip(settled(lambda: vgg((8, "M", 12, 12, "M", 16, "A")), 3, 32, 32), t_max=4)
    kinds = [type(stage) for stage in chip.parameters.plan.stages if isinstance(stage, PoolStage)]
    assert kinds == [MaxPoolStage, MaxPoolStage, AveragePoolStage]
    assert_one_image(chip)


@pytest.mark.slow
def test_vgg_of_full_width() -> None:
    assert_one_image(colour_chip(settled(vgg, 3, 32, 32), t_max=6))


@pytest.mark.slow
@pytest.mark.parametrize("padded", [False, True])
def test_resnet_20(padded: bool) -> None:
    """20 layers, 9 of them joins, 9,089 reads per step."""
    chip = colour_chip(settled(lambda: ResNet(PaddedBlock) if padded else ResNet(), 3, 32, 32), t_max=4)
    joins = [stage for _, stage in chip.parameters.plan.crossbar_stages if len(stage.windows) == 2]
    assert len(chip.parameters.layers) == 20 and len(joins) == 9
    assert sum(shape.positions for shape in chip.parameters.layers) == 9089
    assert_one_image(chip)


def run_example(name: str, folder: Path, source: Path | None = None, **changes: dict[str, Any]) -> tuple[dict, Chip]:
    """The example's flow with changes; its summary, and the chip."""
    flow = make_flow(Config.load(EXAMPLES / f"{name}.toml").updated(changes), folder, source)
    flow.run()
    summary = json.loads((folder / "report" / "summary.json").read_text())
    assert summary["bit_exact"]["mismatches"] == 0
    return summary, load_chip(flow)


def test_residual_digits(tmp_path: Path) -> None:
    """Half as many channels, trained for a fifth of the epochs, and six images through the Verilog."""
    summary, chip = run_example(
        "residual_digits",
        tmp_path,
        data={"test_limit": 200},
        train={"network": "6c3p-6r3-12r3s2-10", "epochs": 8},
        hardware={"lanes": 4},
        cosim={"images": 6, "trace_images": 2},
    )
    windows = [len(stage.windows) for _, stage in chip.parameters.plan.crossbar_stages]
    assert windows == [1, 1, 2, 1, 2, 1] and summary["bit_exact"]["images"] == 6
    assert summary["accuracy"]["ann"] > 0.92 and summary["accuracy"]["reference"] > summary["accuracy"]["ann"] - 0.02
    assert all(layer["spikes"] > 0 for layer in summary["layers"]) and summary["steps"]["mean"] < 6


@pytest.mark.slow
def test_residual_digits_all_images(tmp_path: Path) -> None:
    """As it is."""
    summary, _ = run_example("residual_digits", tmp_path)
    assert summary["accuracy"]["ann"] > 0.97 and summary["accuracy"]["reference"] > summary["accuracy"]["ann"] - 0.01
    assert summary["bit_exact"]["images"] == 500 and summary["bit_exact"]["values_compared"] > 5_000_000
    assert summary["accuracy"]["rtl"] == summary["accuracy"]["reference"]


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_net2(pooling: str, tmp_path: Path, dataset_folder: Path) -> None:
    """12c5-2s-64c5-2s-10 on MNIST, as it is: all test images through the reference, 500 through the Verilog."""
    summary, chip = run_example(f"net2_{pooling}", tmp_path, dataset_folder)
    pools = [stage.name for stage in chip.parameters.plan.stages if isinstance(stage, PoolStage)]
    assert pools == [pooling] * 2
    assert [shape.inputs for shape in chip.parameters.layers] == [25, 300, 1024]
    assert summary["images"] == 10_000 and summary["bit_exact"]["images"] == 500
    assert summary["accuracy"]["ann"] >= 0.991
    assert round(abs(summary["accuracy"]["reference"] - summary["accuracy"]["ann"]), 6) <= 0.002
