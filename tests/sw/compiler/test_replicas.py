"""[crossbar] replicas from the configuration down to the Verilog: layers of their own that compute one layer."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import spikeloom
from spikeloom.sim.chip.result import ACTIVITIES
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.programming.write_verify import program_chip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.decision import tuning_summary
from spikeloom.sw.chip import Chip
from spikeloom.sw.common.errors import ConfigError, WeightImageError
from spikeloom.sw.passes.tune import Tuning, scale_chip
from spikeloom.sw.passes.tune_loss import ChipLoss, FloatLoss, tune_chip
from spikeloom.sw.verify.bus_run import through_bus
from tests.fixtures.cnn_models import settled
from tests.fixtures.models import make_config, make_images, make_model


def network() -> nn.Module:
    """2 x 8 x 8 -> conv 3x3, 36 positions -> max pooling -> conv 2x2, 4 positions -> dense."""
    layers = [nn.Conv2d(2, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 2), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(20, 4))


IMAGES = make_images(60, 128, 1).reshape(60, 2, 8, 8)
PIXELS = IMAGES.reshape(60, 128)


def chip(replicas: Any = 1, **tables: dict[str, Any]) -> Chip:
    model = settled(network, 2, 8, 8)
    config = make_config(crossbar={"tile_rows": 16, "replicas": replicas}, **tables)
    return spikeloom.compile(model, IMAGES, config)


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [(1, (1, 1, 1)), (3, (3, 3, 1)), (36, (36, 4, 1)), ([5, 1, 1], (5, 1, 1)), ((1, 4, 1), (1, 4, 1))],
)
def test_layers_and_positions(replicas: Any, expected: tuple[int, ...]) -> None:
    programmed = chip(replicas).programmed
    plan = programmed.parameters.plan
    assert tuple(stage.replicas for _, stage in plan.crossbar_stages) == expected
    assert [layer.positions for layer in programmed.parameters.layers] == [
        placement.positions for placement in plan.placements
    ]
    assert programmed.parameters.sizes == (128, 6, 5, 4)
    names = [layer.name for layer in programmed.layers]
    assert len(set(names)) == len(names) and names[0] == "0"
    assert names[1] == ("0 replica 1" if expected[0] > 1 else "3")


def test_copies_are_equal_but_for_their_cells() -> None:
    """Without device effects they answer like one crossbar and share its reads; with them each has cells of its own."""
    one, many = chip(), chip([4, 2, 1])
    for placement, layer in zip(many.programmed.parameters.plan.placements, many.programmed.layers, strict=True):
        first = many.programmed.layers[placement.stage.layer]
        assert (layer.theta, layer.gain_shift, layer.v0) == (first.theta, first.gain_shift, first.v0)
        assert np.array_equal(layer.positive, first.positive) and np.array_equal(layer.bias, first.bias)
    a, b = one.predict(PIXELS), many.predict(PIXELS)
    assert np.array_equal(a.classes, b.classes) and np.array_equal(a.margins, b.margins)
    for name in ACTIVITIES:
        assert np.array_equal(np.add.reduceat(b.activity[name], [0, 4, 6], axis=1), a.activity[name])
    assert all((b.activity["tile_reads"][:, layer] > 0).any() for layer in range(7))
    noisy = {"device_sigma": 0.3}
    a, b = chip(device=noisy).predict(PIXELS), chip([4, 2, 1], device=noisy).predict(PIXELS)
    assert not np.array_equal(a.margins, b.margins)


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, [3, 4, 1]])
def test_fewer_cycles_and_the_same_bits_in_verilog(replicas: Any) -> None:
    """Slow crossbars: with replicas the gathering goes on while they work."""
    slow = {"pulse_cycles": 12, "lanes": 16, "encoder_lanes": 16}
    device = {"device_sigma": 0.05, "read_sigma": 0.05}
    one, many = chip(hardware=slow, device=device), chip(replicas, hardware=slow, device=device)
    cycles = []
    for made in (one, many):
        got = run_cosim(made.programmed, PIXELS[:4], trace="full", stalls=False)
        assert made.predict(PIXELS[:4], trace="full").compare(got) > 0
        assert got.cycles is not None
        cycles.append(float((got.cycles / got.steps).mean()))
    assert cycles[1] < 0.75 * cycles[0]


def test_copies_are_tuned_together() -> None:
    """One factor for all replicas of a crossbar, in the loss as in the chip."""
    made = chip([3, 2, 1])
    scaled = scale_chip(made.programmed, (2.0, 0.5, 1.0))
    ratios = [a.theta / b.theta for a, b in zip(made.programmed.layers, scaled.layers, strict=True)]
    assert ratios == pytest.approx([2.0] * 3 + [0.5] * 2 + [1.0], rel=0.1)
    with pytest.raises(ValueError, match="There are 3 layers, but 6 tuning factors are given"):
        scale_chip(made.programmed, (1.0,) * 6)
    one = chip()
    factors = (1.25, 0.8, 1.0)
    assert ChipLoss(made.programmed, PIXELS)(factors).loss == pytest.approx(
        ChipLoss(one.programmed, PIXELS)(factors).loss
    )
    assert made.passes is not None and one.passes is not None
    losses = [FloatLoss(c.passes.normalised, c.programmed, PIXELS)(factors).loss for c in (made, one) if c.passes]
    assert losses[0] == pytest.approx(losses[1])
    programmed, tuned = tune_chip(made.programmed, PIXELS, settings=Tuning(reductions=1, repeats=1), batch=20)
    summary = tuning_summary(programmed, tuned)
    assert summary is not None and [row["name"] for row in summary["layers"]] == ["0", "3", "6"]


def test_saved_and_loaded(tmp_path: Path) -> None:
    made = chip([4, 2, 1], device={"device_sigma": 0.1})
    made.save(tmp_path / "chip.loom")
    loaded = spikeloom.load(tmp_path / "chip.loom", made.programmed.parameters)
    assert made.predict(PIXELS, trace="full").compare(loaded.predict(PIXELS, trace="full")) > 0
    with pytest.raises(WeightImageError, match=r"stage 0 of the plan is CrossbarStage\(.*replicas=4\), but the design"):
        spikeloom.load(tmp_path / "chip.loom", chip([3, 2, 1]).programmed.parameters)


@pytest.mark.parametrize("method", [pytest.param("pulses", marks=pytest.mark.slow), "fast"])
def test_through_the_buses(method: Any) -> None:
    """The host reads the plan and its replicas from the chip, programs every replica for itself, and gets the same
    bits."""
    tables: dict[str, dict[str, Any]] = {"device": {"read_sigma": 0.05}, "hardware": {"lanes": 6}}
    if method == "pulses":
        tables |= {"programming": {"method": "write-verify"}, "device": {"pulse_sigma": 0.2, "read_sigma": 0.02}}
    programmed = chip([3, 2, 1], **tables).programmed
    result, load = through_bus(programmed, PIXELS[:3], method=method, trace="full", stalls=method == "fast")
    assert run_reference(programmed, PIXELS[:3], trace="full").compare(result) > 0
    if method == "pulses":
        assert len(load.layers) == 6


@pytest.mark.parametrize("seed", [1, 2])
def test_cells_that_drift_each_for_itself(seed: int) -> None:
    """Pulses of the rows of every replica, and the cells that they leave, in reference and Verilog."""
    drift = {"cell": "tantalum", "g_min_S": 1e-4, "g_max_S": 0.025, "acceleration": 1e9, "drift_every": 2}
    programmed = replace(chip([3, 2, 1], device=drift).programmed, seed=seed)
    expected = run_reference(programmed, PIXELS[:5], trace="full")
    assert expected.compare(run_cosim(programmed, PIXELS[:5], trace="full", workers=1)) > 0
    assert expected.drift is not None
    pulses = expected.drift.row_pulses
    one = run_reference(replace(chip(device=drift).programmed, seed=seed), PIXELS[:2]).drift
    many = run_reference(programmed, PIXELS[:2]).drift
    assert one is not None and many is not None
    assert np.array_equal(sum(many.row_pulses[:3]), one.row_pulses[0])
    assert all(layer.any() for layer in pulses) and not np.array_equal(pulses[0], pulses[1])


@pytest.mark.parametrize(
    ("replicas", "sentence"),
    [
        ([2, 2], "replicas must be one number, or 3 for the 3 layers of this network, not 2"),
        ([1, 5, 1], "replicas must be at most 4 for layer '3', its number of positions, not 5"),
        ([1, 1, 2], "replicas must be at most 1 for layer '6', its number of positions, not 2"),
    ],
)
def test_copies_that_do_not_fit(replicas: list[int], sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"[crossbar] {sentence}") + "$"):
        chip(replicas)


def test_dense_layers_have_no_use_for_copies() -> None:
    sentence = (
        r"\[crossbar\] replicas must be 1 for this network, whose layers have one position each, not 2; leave "
        "replicas out$"
    )
    with pytest.raises(ConfigError, match=sentence):
        spikeloom.compile(make_model(20, 7, 5), make_images(50, 20), make_config(crossbar={"replicas": 2}))
    spikeloom.compile(make_model(20, 7, 5), make_images(50, 20), make_config(crossbar={"replicas": [1, 1]}))


def test_more_crossbars_than_addresses() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 324, 2))
    with pytest.raises(
        ConfigError, match=r"the network has 257 crossbars with .* replicas, and at most 255 fit; lower"
    ):
        spikeloom.compile(model, make_images(20, 324).reshape(20, 1, 18, 18), make_config(crossbar={"replicas": 256}))


def test_programmed_by_pulses_each_for_itself() -> None:
    made = chip([2, 1, 1], programming={"method": "write-verify"}, device={"pulse_sigma": 0.2})
    cells = [layer.state.g_S for layer in program_chip(made.programmed).layers]
    assert len(cells) == 4 and not np.array_equal(cells[0], cells[1])
