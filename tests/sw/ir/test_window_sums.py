"""Sums over windows are right for every shape, and the same however images are cut up, and on every compile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import spikeloom
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.frontend.equivalence import check_same
from spikeloom.sw.frontend.plain_torch import double_outputs, plain_kernels, torch_accuracy
from spikeloom.sw.ir import window_reader as windows
from spikeloom.sw.ir.graph import Rectifier
from spikeloom.sw.ir.network import Network, SpikingLayer
from spikeloom.sw.ir.window_reader import WindowReader

RELU = Rectifier("relu", np.inf, 0)
IDEAL = {"decision": {"rule": "fixed", "t_max": 40}, "device": {"bits": 6}}


def direct(x: np.ndarray, shape: MapShape, window: Window, weight: np.ndarray) -> np.ndarray:
    """Sums [images, positions * columns] in double precision, one position after another."""
    down, right = window.padding
    maps = x.reshape(len(x), shape.height, shape.width, shape.channels)
    maps = np.pad(maps, ((0, 0), (down, down), (right, right), (0, 0)))
    height, width = window.outputs(shape)
    parts = []
    for y in range(height):
        for z in range(width):
            top, left = y * window.stride[0], z * window.stride[1]
            seen = maps[:, top : top + window.kernel[0], left : left + window.kernel[1]]
            parts.append(seen.reshape(len(x), -1) @ weight)
    return np.concatenate(parts, axis=1)


class Case:
    """A random window on a random map; one-column maps, maps of one channel and maps of zeros are frequent."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        kernel = tuple(int(rng.integers(1, 6)) for _ in range(2))
        padding = tuple(int(rng.integers(0, size)) for size in kernel)
        stride = tuple(int(rng.integers(1, 5)) for _ in range(2))
        size = [int(rng.integers(max(1, k - 2 * p), 10)) for k, p in zip(kernel, padding, strict=True)]
        if rng.random() < 0.5:  # one column of outputs
            size[1] = max(1, kernel[1] - 2 * padding[1])
        self.shape = MapShape(channels=int(rng.integers(1, 4)), height=size[0], width=size[1])
        self.window = Window(source=0, kernel=kernel, stride=stride, padding=padding)  # type: ignore[arg-type]
        columns = int(rng.integers(1, 20))
        self.images = int(rng.integers(1, 9))
        self.weight = rng.standard_normal((self.window.rows(self.shape), columns)) * 10.0 ** rng.integers(-3, 4)
        self.x = rng.standard_normal((self.images, self.shape.size)) * (rng.random(self.shape.size) < rng.random())
        self.split = int(rng.integers(0, self.images + 1))
        self.tile = int(rng.integers(1, len(self.weight) + 1))
        stage = CrossbarStage(layer=0, windows=(self.window,))
        last = CrossbarStage(layer=1, windows=(Window(source=1, kernel=self.window.outputs(self.shape)),))
        self.reader = WindowReader(Plan(input=self.shape, stages=(stage, last), channels=(columns, 1)), stage)

    def check(self) -> None:
        x = self.x.astype(np.float32)
        expected = direct(x.astype(np.float64), self.shape, self.window, self.weight)
        size = direct(np.abs(x.astype(np.float64)), self.shape, self.window, np.abs(self.weight)) + 1e-300
        found, driven = self.reader.read([x], self.weight, dtype=np.float64)
        assert np.abs((found - expected) / size).max(initial=0.0) < 1e-13
        single = self.reader.sums([x], self.weight)
        np.testing.assert_array_equal(single, found.astype(np.float32))
        ones = np.ones((len(self.weight), 1))
        np.testing.assert_array_equal(driven, direct((x != 0.0) * 1.0, self.shape, self.window, ones))
        parts = [
            self.reader.read([x[part]], self.weight, dtype=np.float64)[0] for part in self._parts() if len(x[part])
        ]
        assert np.concatenate(parts).tobytes() == found.tobytes()
        low = self.reader.read([x], self.weight, slice(0, self.tile), np.float64)[0]
        high = self.reader.read([x], self.weight, slice(self.tile, len(self.weight)), np.float64)[0]
        assert np.abs((low + high - expected) / size).max(initial=0.0) < 1e-13

    def _parts(self) -> list[slice]:
        return [slice(0, self.split), slice(self.split, None)]

    def check_torch(self) -> None:
        """PyTorch's convolution in double precision, as the user's own models are run."""
        shape, window = self.shape, self.window
        kernel = self.weight.reshape(*window.kernel, shape.channels, -1).transpose(3, 2, 0, 1)
        maps = self.x.reshape(-1, shape.height, shape.width, shape.channels).transpose(0, 3, 1, 2)
        with plain_kernels():
            sums = F.conv2d(
                torch.from_numpy(np.ascontiguousarray(maps)),
                torch.from_numpy(np.ascontiguousarray(kernel)),
                stride=window.stride,
                padding=window.padding,
            )
        found = sums.permute(0, 2, 3, 1).reshape(self.images, -1).numpy()
        size = direct(np.abs(self.x), shape, window, np.abs(self.weight)) + 1e-300
        expected = direct(self.x, shape, window, self.weight)
        assert np.abs((found - expected) / size).max(initial=0.0) < 1e-13


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_odd_shapes(seed: int) -> None:
    case = Case(seed)
    case.check()
    case.check_torch()


@pytest.mark.slow
def test_ten_thousand_odd_shapes() -> None:
    for seed in range(10_000):
        case = Case(seed)
        case.check()
        case.check_torch()


def test_whole_numbers_are_exact_beyond_single_precision() -> None:
    """A dense layer of many rows, whose weights fit into several blocks, and whose sums do not fit into 24 bits."""
    rng = np.random.default_rng(0)
    stage = CrossbarStage(layer=0, windows=(Window(source=0),))
    reader = WindowReader(Plan(input=MapShape(channels=70_000), stages=(stage,), channels=(3,)), stage)
    x = rng.integers(0, 256, (5, 70_000))
    weight = rng.integers(-63, 64, (70_000, 3)) + 40
    expected = x @ weight
    assert np.abs(expected).max() > 1 << 24
    found = reader.sums([x.astype(np.float32)], weight.astype(np.float64), np.float64)
    np.testing.assert_array_equal(found, expected)


def test_threads_and_blocks_of_images_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    case = Case(3)
    x = rng.standard_normal((101, case.shape.size)).astype(np.float32)
    expected = case.reader.sums([x], case.weight).tobytes()
    for threads in (1, 2, 3, 7):
        monkeypatch.setattr(windows, "_SHARED_FROM", 0)
        monkeypatch.setattr(windows, "processors", lambda threads=threads: threads)
        for listed in (1, 5 * case.shape.size, 1 << 20):
            monkeypatch.setattr(windows, "_LISTED", listed)
            assert case.reader.sums([x], case.weight).tobytes() == expected


def test_products_and_sums_are_not_contracted() -> None:
    """A product that is rounded before it is added: with a fused multiply-add this sum would be 2^-60."""
    stage = CrossbarStage(layer=0, windows=(Window(source=0),))
    reader = WindowReader(Plan(input=MapShape(channels=2), stages=(stage,), channels=(9,)), stage)
    x = np.array([[1.0, 1.0 + 2.0**-30]])
    weight = np.array([[-(1.0 + 2.0**-29)], [1.0 + 2.0**-30]]).repeat(9, axis=1)
    np.testing.assert_array_equal(reader.sums([x], weight, np.float64), 0.0)
    wide = WindowReader(Plan(input=MapShape(channels=4), stages=(stage,), channels=(9,)), stage)
    np.testing.assert_array_equal(wide.sums([np.tile(x, 2)], np.tile(weight, (2, 1)), np.float64), 0.0)


def one_column(seed: int) -> tuple[nn.Sequential, np.ndarray]:
    """A model whose convolution's outputs are one column wide, and images."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    conv = nn.Conv2d(1, 2, (1, 5), stride=(1, 3), padding=(0, 2))
    model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(14, 4))
    return model.eval(), rng.random((300, 1, 7, 1)).astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_map_one_column_wide(seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        model, images = one_column(seed)
    settings = {**IDEAL, "convert": {"normalisation": "max"}}
    chips = [spikeloom.compile(model, images, settings) for _ in range(4)]
    pixels = np.rint(images.astype(np.float64) * 255.0) / 255.0
    weight, bias = (value.detach().numpy().astype(np.float64) for value in model[0].parameters())
    # of the kernel's five columns one is on the map
    hidden = np.maximum(pixels[:, :, :, :1] * weight[None, :, 0, 0, 2][:, :, None, None] + bias[:, None, None], 0.0)
    for chip in chips:
        assert chip.passes is not None
        normalised = chip.passes.normalised.layers[0]
        np.testing.assert_allclose(normalised.bias, bias / hidden.max(), rtol=1e-6)
        for layer, other in zip(chip.programmed.layers, chips[0].programmed.layers, strict=True):
            np.testing.assert_array_equal(layer.weights, other.weights)
            assert (layer.theta, layer.gain_shift) == (other.theta, other.gain_shift)
    expected = double_outputs(model, np.rint(images * 255.0).astype(np.uint8)).argmax(1)
    assert np.mean(chips[0].predict(images).classes == expected) >= 0.97


def test_a_model_that_torch_fx_sees_whole_is_not_refused() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 4, (2, 3), stride=(1, 2)), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4)).eval()
    images = np.random.default_rng(0).random((4, 1, 4, 3)).astype(np.float32)
    chip = spikeloom.compile(model, images, IDEAL)
    pixels = np.rint(images * 255.0).astype(np.uint8)
    assert chip.passes is not None
    np.testing.assert_allclose(
        chip.passes.folded.outputs(pixels.reshape(4, -1)), double_outputs(model, pixels), rtol=1e-5, atol=1e-6
    )


def test_activations_do_not_depend_on_the_images_beside() -> None:
    """Two branches, pooling, maps of one column: every image alone gives what it gives in company."""
    rng = np.random.default_rng(5)
    shape = MapShape(channels=2, height=7, width=5)
    wide = Window(source=0, kernel=(3, 5), stride=(1, 1), padding=(1, 0))
    layers = (
        SpikingLayer("a", rng.standard_normal((3, 30)), rng.standard_normal(3), RELU, (wide,)),
        SpikingLayer("b", rng.standard_normal((3, 33)), rng.standard_normal(3), RELU, (wide, Window(source=1))),
        SpikingLayer(
            "c", rng.standard_normal((4, 21)), rng.standard_normal(4), None, (Window(source=2, kernel=(7, 1)),)
        ),
    )
    network = Network(shape, layers)
    images = rng.integers(0, 256, (23, 70)).astype(np.uint8)
    together = [values.copy() for values in network.activations(images)]
    for number in range(23):
        for values, alone in zip(together, network.activations(images[number : number + 1]), strict=True):
            assert values[number].tobytes() == alone.tobytes()
    assert network.outputs(images, batch=4).tobytes() == together[-1].tobytes()


def test_a_wrong_kernel_of_single_precision_refuses_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is run in double precision, without oneDNN, wherever its answers are used."""
    seen: list[tuple[torch.dtype, bool]] = []

    class Watched(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((x.dtype, torch.backends.mkldnn.enabled))
            return super().forward(x)

    model = nn.Sequential(Watched(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).eval()
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 4)).astype(np.uint8)
    network = spikeloom.compile(model, images, IDEAL).passes.folded  # type: ignore[union-attr]
    seen.clear()
    before = torch.backends.mkldnn.enabled
    check_same(model, network, images.reshape(6, -1))
    torch_accuracy(model, images, np.zeros(6, np.int64))
    assert seen and all(entry == (torch.float64, False) for entry in seen)
    assert torch.backends.mkldnn.enabled == before and model[0].weight.dtype == torch.float32
    model[0].weight.data += 1.0
    with pytest.raises(UnsupportedError, match="other outputs"):
        check_same(model, network, images.reshape(6, -1))


SCRIPT = """
import os, sys
threads, folder = int(sys.argv[1]), sys.argv[2]
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
import numpy as np, torch
from torch import nn
torch.set_num_threads(threads)
import spikeloom
from spikeloom.sw.ir import window_reader as windows
windows._SHARED_FROM = 0
from spikeloom.sw.training.example_networks import build
from spikeloom.sw.config.train_section import TrainSection
rng = np.random.default_rng(0)
steps = {"decision": {"rule": "fixed", "t_max": 5}}
for name, layers, shape, more in (
    ("dense", "mlp", (12, 12), {}),
    ("analog", "mlp", (12, 12), {"coding": {"input": "analog"}}),
    ("max", "6c3-2s-8c3p-10", (1, 14, 14), {"convert": {"normalisation": "percentile", "percentile": 0.99}}),
    ("average", "5c3p-2s-6c2-10", (3, 9, 7), {"convert": {"average_pooling": "weights"}}),
    ("residual", "6c3p-6r3-8r3s2-g-10", (2, 8, 8), {"crossbar": {"tile_rows": 20}}),
    ("column", "4c3-10", (1, 9, 3), {}),
):
    torch.manual_seed(1)
    section = TrainSection(network=layers, hidden=(40, 20), batch_norm=name == "residual", activation="relu",
                           activation_levels=0, pooling="average" if name == "average" else "max")
    model = build(section, shape, 10)
    images = rng.integers(0, 256, (70, int(np.prod(shape)))).astype(np.uint8)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 2.0)
    spikeloom.compile(model.eval(), images, {**steps, **more}).save(os.path.join(folder, name + ".loom"))
"""


def test_two_processes_with_one_and_two_threads_write_the_same_bytes(tmp_path: Path) -> None:
    images: list[dict[str, bytes]] = []
    for run, threads in enumerate((1, 2)):
        folder = tmp_path / str(run)
        folder.mkdir()
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, str(threads))}
        subprocess.run([sys.executable, "-c", SCRIPT, str(threads), str(folder)], check=True, env=environment)
        images.append({file.name: file.read_bytes() for file in sorted(folder.iterdir())})
    assert len(images[0]) == 6
    assert images[0] == images[1]
