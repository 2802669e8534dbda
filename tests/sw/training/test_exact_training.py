"""Training with exact sums: what PyTorch would learn, and the same bytes whatever the processor can do."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import spikeloom
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.waterfall import ideal_cells
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.frontend.plain_torch import torch_accuracy
from spikeloom.sw.training.exact_training import _Perceptron, _Random, cosine, decay, exact_product, rate
from spikeloom.sw.training.example_networks import build
from spikeloom.sw.training.quantised_weights import CellWeights
from spikeloom.sw.training.training import train


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_data("digits")


def checksum(model: nn.Module) -> str:
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in model.state_dict().values())).hexdigest()


def test_the_digits_of_the_readme(data, tmp_path):
    """The figures of README.md, to the last digit, on any machine."""
    config = Config.load("digits")
    model = train(config.train, data, config.seed, cache=tmp_path)
    assert checksum(model).startswith("f890c3a3ab2f6534")
    chip = spikeloom.compile(model, data.train_images[: config.data.calibration_images], config)
    ideal = run_reference(ideal_cells(chip.programmed), data.test_images)
    noisy = chip.predict(data.test_images)
    assert torch_accuracy(model, data.test_images, data.test_labels) == 0.986
    assert ideal.accuracy(data.test_labels) == 0.986
    assert noisy.accuracy(data.test_labels) == 0.982
    assert noisy.steps.mean() == 2.724


FEW = {"epochs": 4, "label_smoothing": 0.1, "weight_decay": 0.01}
SCRIPT = f"""
import hashlib, sys
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import load_data
from spikeloom.sw.training.training import train
section = Config.load("digits").train.model_copy(update={FEW})
model = train(section, load_data("digits"), 5, cache=sys.argv[1])
print(hashlib.sha256(b"".join(value.numpy().tobytes() for value in model.state_dict().values())).hexdigest())
"""


def test_other_processors_give_the_same_bytes(data, tmp_path):
    """As far as one processor can be told to do without its newer instructions, in each library by itself."""
    processors = (
        {
            "OPENBLAS_CORETYPE": "Nehalem",
            "ATEN_CPU_CAPABILITY": "default",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "MKL_CBWR": "COMPATIBLE",
            "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
            "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-AVX512VL",
            "OMP_NUM_THREADS": "1",
        },
        {"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2", "OMP_NUM_THREADS": "2"},
    )
    section = Config.load("digits").train.model_copy(update=FEW)
    sums = {checksum(train(section, data, 5, cache=tmp_path))}
    for number, variables in enumerate(processors):
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path / str(number))]
        run = subprocess.run(command, env={**os.environ, **variables}, check=True, capture_output=True, text=True)
        sums.add(run.stdout.strip())
    assert len(sums) == 1


@pytest.mark.parametrize("shape", [(3, 1, 2), (64, 64, 128), (128, 64, 10), (5, 3000, 4)])
def test_products_are_exact_in_any_order(shape):
    rows, terms, columns = shape
    rng = np.random.default_rng(terms)
    a = rng.standard_normal((rows, terms)) * 10.0 ** rng.integers(-6, 7)
    b = rng.standard_normal((terms, columns)) * 10.0 ** rng.integers(-6, 7)
    product = exact_product(a, b)
    for _ in range(3):
        order = rng.permutation(terms)
        assert exact_product(a[:, order], b[order]).tobytes() == product.tobytes()
    error = np.abs(product - a @ b).max() / (np.abs(a).max() * np.abs(b).max() * math.sqrt(terms))
    assert error < 2.0**-19
    assert not exact_product(np.zeros((2, terms)), b).any()


def test_functions():
    x = np.concatenate([np.linspace(0.0, 40.0, 10_001), [690.0, 1e9]])
    np.testing.assert_allclose(decay(x), np.exp(-np.minimum(x, 700.0)), rtol=1e-15)
    for angle in np.linspace(0.0, math.pi, 101):
        assert cosine(angle) == pytest.approx(math.cos(angle), abs=2e-15)
    assert [rate(step, 40) for step in (0, 1, 2, 21, 39)] == pytest.approx(
        [0.5, 1.0, 1.0, 0.5, 0.5 + 0.5 * math.cos(math.pi * 37 / 38)], abs=1e-15
    )


def test_random_numbers():
    random = _Random(7)
    assert np.array_equal(np.sort(random.order(100)), np.arange(100))
    uniform, normal = random.uniform(100_000), random.normal(100_000)
    assert 0.0 <= uniform.min() < 1e-3 and 1.0 - 1e-3 < uniform.max() < 1.0
    assert abs(uniform.mean() - 0.5) < 0.005
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1.0) < 0.01
    assert _Random(7).uniform(3).tolist() == _Random(7).uniform(3).tolist() != _Random(8).uniform(3).tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "relu", "activation_levels": 0, "weight_bits": 0},
        {"activation_levels": 0, "weight_bits": 0, "weight_decay": 0.1},
        {"activation_levels": 4, "weight_bits": 4, "label_smoothing": 0.1},
    ],
    ids=["relu", "clipped", "rounded"],
)
def test_steps_are_those_of_pytorch(options):
    """The same first weights, images and steps: PyTorch's gradients and its AdamW come to the same weights."""
    rng = np.random.default_rng(0)
    section = TrainSection(hidden=(11, 7), dropout=0.0, weight_noise=0.0, **options)
    network = _Perceptron(section, [9, 11, 7, 3], _Random(1))
    model = build(section, 9, 3).double()
    linears = [module for module in model if isinstance(module, nn.Linear)]
    for linear, layer in zip(linears, network.layers, strict=True):
        linear.weight.data = torch.from_numpy(layer.weight.value.copy())
        linear.bias.data = torch.from_numpy(layer.bias.value.copy())
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=section.weight_decay)
    cells = CellWeights(model, section)
    for number in range(5):
        x, labels = rng.random((20, 9)), rng.integers(0, 3, 20)
        optimiser.param_groups[0]["lr"] = 0.01 * (number + 1)
        loss = F.cross_entropy(
            cells.forward(torch.from_numpy(x)), torch.from_numpy(labels), label_smoothing=section.label_smoothing
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert network.step(x, labels, 0.01 * (number + 1)) == pytest.approx(float(loss.detach()), abs=1e-5)
    for index, (linear, layer) in enumerate(zip(linears, network.layers, strict=True)):
        np.testing.assert_allclose(layer.weight.value, linear.weight.detach().numpy(), atol=2e-4)
        np.testing.assert_allclose(layer.bias.value, linear.bias.detach().numpy(), atol=2e-4)
        if section.weight_bits:
            np.testing.assert_allclose(network.rounded(index), cells._rounded(linear).numpy(), atol=2e-4)


def test_every_option_changes_the_network(data, tmp_path):
    base = TrainSection(hidden=(20,), epochs=1, exact_sums=True)
    changes: list[dict] = [
        {},
        {"batch": 32},
        {"learning_rate": 0.02},
        {"weight_decay": 0.5},
        {"dropout": 0.3},
        {"activation": "relu", "activation_levels": 0},
        {"activation_levels": 2},
        {"activation_levels": 0},
        {"weight_bits": 0},
        {"weight_noise": 0.2},
        {"label_smoothing": 0.2},
        {"hidden": (16,)},
        {"hidden": ()},
        {"epochs": 2},
        {"exact_sums": False},
    ]
    seen = {checksum(train(base.model_copy(update=change), data, 1, cache=tmp_path)) for change in changes}
    seen.add(checksum(train(base, data, 2, cache=tmp_path)))
    assert len(seen) == len(changes) + 1


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"train": {"network": "2c3-10", "exact_sums": True}}, "exact_sums must be false with network '2c3-10'"),
        ({"data": {"set": "mnist"}, "train": {"augment": "affine", "exact_sums": True}}, "must be false with augment"),
        ({"train": {"optimiser": "sgd", "exact_sums": True}}, "exact_sums must be false with optimiser 'sgd'"),
        (
            {"train": {"precision": "bfloat16", "exact_sums": True}},
            "exact_sums must be false with precision 'bfloat16'",
        ),
    ],
)
def test_what_is_not_trained_so_is_refused(tables, message):
    with pytest.raises(ConfigError, match=message):
        Config.load(tables)
