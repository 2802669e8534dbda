"""Convolutions, pooling and residual additions: the chip's layers compute what the model computes."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import spikeloom
from spikeloom.hw.params.plan import Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage
from spikeloom.sw.analysis.waterfall import ideal_cells, wide_adc
from spikeloom.sw.common.errors import ConfigError, UnsupportedError
from spikeloom.sw.frontend.plain_torch import torch_accuracy
from spikeloom.sw.frontend.torch_modules import import_torch
from spikeloom.sw.ir.graph import Graph
from spikeloom.sw.ir.network import MapUnit, Network
from spikeloom.sw.passes.calibrate import row_codes
from spikeloom.sw.passes.float_snn import spiking_network
from spikeloom.sw.passes.fold import fold
from spikeloom.sw.passes.normalise import activation_scales, normalise
from tests.fixtures.cnn_models import LeNet, PaddedBlock, ResNet, settled, vgg
from tests.fixtures.models import make_config, make_images, random_coding
from tests.fixtures.random_cnn import features, random_cnn
from tests.models.plain_snn import run_plain


def outputs(model: torch.nn.Module, pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The model's own outputs in double precision."""
    x = torch.from_numpy(pixels.astype(np.float64) / 255).view(len(pixels), *shape)
    with torch.no_grad():
        return model.double()(x).numpy()


def fold_in_weights(graph: Graph) -> Network | None:
    """Folded with average pooling in weights, and thus without such units; None where max pooling follows."""
    try:
        network = fold(graph, "weights")
    except UnsupportedError as error:
        assert re.search("pools sums that the weights of the next layer|weights cannot take the pooling in", str(error))
        return None
    assert not any(isinstance(stage, MapUnit) and isinstance(stage.stage, AveragePoolStage) for stage in network.stages)
    return network


NEEDED = {
    *("identity", "identity, stride 1", "convolution, stride 1", "convolution, stride 2", "branch of the image"),
    *("subsample, stride 1", "subsample, stride 2", "stride 1", "stride 2", "padding", "uneven", "batch norm"),
    *(f"kernel {size}" for size in range(1, 6)),
    *("max pooling", "average pooling", "max before pooling", "average before pooling", "global pooling"),
}


@pytest.mark.parametrize("seeds", [range(60), range(500, 530)])
def test_random_networks_have_everything(seeds: range) -> None:
    """Those of the tests below: nothing is left out by chance."""
    found = [features(seed) for seed in seeds]
    assert {name for name in NEEDED if sum(name in has for has in found) < 2} == set()


@pytest.mark.parametrize("seed", range(60))
def test_folded_and_normalised_networks_compute_the_same(seed: int) -> None:
    model, shape = random_cnn(seed)
    pixels = make_images(30, int(np.prod(shape)), seed)
    graph = import_torch(model, shape)
    network = fold(graph)
    expected = outputs(model, pixels, shape)
    limit = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(network.outputs(pixels), expected, atol=limit)
    in_weights = fold_in_weights(graph)
    if in_weights is not None:
        np.testing.assert_allclose(in_weights.outputs(pixels), expected, atol=limit)
    assert network.input_shape == shape
    normalised = normalise(network, activation_scales(network, pixels, [1.0])[0])
    values = [v.max() for v in normalised.activations(pixels)]
    assert all(v == pytest.approx(1.0, rel=1e-4) or v <= 1.0 for v in values)
    found = normalised.outputs(pixels)
    np.testing.assert_allclose(found * (expected.max() / found.max()), expected, atol=10 * limit)


@pytest.mark.parametrize("seed", range(30))
def test_spiking_networks_of_integers_are_the_plain_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, shape = random_cnn(seed + 500)
    pixels = make_images(20, int(np.prod(shape)), seed)
    readout = str(rng.choice(["spikes", "membrane"]))
    config = make_config(
        coding=random_coding(rng),
        neuron={
            "reset": str(rng.choice(["subtract", "zero"])),
            "output_reset": "none" if readout == "membrane" else "subtract",
            "leak": int(rng.choice([0, 0, 3])),
            "v0": float(rng.choice([0.0, 0.5])),
        },
        decision={"t_max": 6, "readout": readout, "skip": int(rng.choice([0, 1])), "k": float(rng.choice([1.0, 3.0]))},
    )
    chip = spikeloom.compile(model, pixels, config, input_shape=shape)
    programmed = wide_adc(ideal_cells(chip.programmed))
    found = spiking_network(programmed).run(len(pixels), row_codes(programmed, pixels))
    codes = row_codes(programmed, pixels)
    steps = {t: codes(np.arange(len(pixels)), t) for t in range(1, programmed.t_max + 1)}
    for b in range(6):
        expected = run_plain(programmed, lambda t, b=b: steps[t][b])
        assert (found.classes[b], found.steps[b]) == expected[:2], b


MODELS = {
    "LeNet": (LeNet, (1, 28, 28)),
    "VGG": (vgg, (3, 32, 32)),
    "ResNet-20": (ResNet, (3, 32, 32)),
    "ResNet-20 with padded shortcuts": (lambda: ResNet(PaddedBlock), (3, 32, 32)),
}


@pytest.mark.parametrize("name", MODELS)
def test_networks_as_users_write_them(name: str) -> None:
    make, shape = MODELS[name]
    model = settled(make, *shape)
    pixels = make_images(6, int(np.prod(shape)))
    network = fold(import_torch(model, shape))
    expected = outputs(model, pixels, shape)
    np.testing.assert_allclose(network.outputs(pixels), expected, atol=1e-5 * np.abs(expected).max())
    if name.startswith("ResNet"):
        joined = [layer for layer in network.layers if len(layer.windows) == 2]
        assert len(joined) == 9 and len(network.layers) == 20
        kernels = [layer.windows[1].kernel for layer in joined]
        assert kernels == [(1, 1)] * 9 and sum(layer.windows[1].stride == (2, 2) for layer in joined) == 2
    if name == "ResNet-20 with padded shortcuts":
        shortcut = network.layers[8].weight[:, 9 * 32 :]
        np.testing.assert_array_equal(shortcut, np.pad(np.eye(16), ((8, 8), (0, 0))))


def test_identity_weights_are_the_ratio_of_the_scales() -> None:
    model = settled(lambda: ResNet(n=1, widths=(4, 4)), 3, 32, 32)
    pixels = make_images(10, 3072)
    network = fold(import_torch(model, (3, 32, 32)))
    (scales,) = activation_scales(network, pixels, [1.0])
    for before, after in zip(network.layers, normalise(network, scales).layers, strict=True):
        if before.name == "layers.0.conv2":
            ratio = scales[0] / scales[2]
            np.testing.assert_allclose(after.weight[:, -4:], np.eye(4) * ratio)
            np.testing.assert_allclose(after.weight[:, :-4], before.weight[:, :-4] * scales[1] / scales[2])


class Functions(nn.Module):
    """Every function and method once."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(4, 2, 3, 3))
        self.bias = nn.Parameter(torch.randn(4))
        self.second = nn.Conv2d(4, 6, (3, 1), padding="same")
        self.third = nn.Conv2d(6, 6, 1, padding="valid")
        self.norm = nn.BatchNorm2d(6)
        self.flat_norm = nn.BatchNorm1d(6)
        self.last = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(F.conv2d(x, self.kernel, self.bias, stride=1, padding=(1, 1)))
        x = F.max_pool2d(x, kernel_size=2, stride=2)
        n = self.norm
        y = F.batch_norm(self.second(x), n.running_mean, n.running_var, n.weight, n.bias, training=self.training)
        y = F.dropout2d(F.relu(y), 0.1, self.training)
        x = torch.add(self.third(y), y).relu()
        x = x.add(y).relu_()
        x = F.avg_pool2d(x, (2, 1)).reshape(x.shape[0], 6, x.shape[2] // 2, -1)
        if self.training:
            x = x + 0.0
        x = F.adaptive_avg_pool2d(x, (1, None)).mean(dim=(-1, 2), keepdim=True)
        x = torch.squeeze(x.squeeze(3), 2)
        return self.last(self.flat_norm(x))


def test_functions_and_methods_compute_the_same() -> None:
    model = settled(Functions, 2, 8, 6)
    pixels = make_images(20, 96)
    expected = outputs(model, pixels, (2, 8, 6))
    network = fold(import_torch(model, (2, 8, 6)))
    np.testing.assert_allclose(network.outputs(pixels), expected, atol=1e-5 * np.abs(expected).max())


def small(*layers: nn.Module) -> nn.Module:
    """Layers behind a 1-4 convolution of 8 x 8 images with a ReLU."""
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), *layers)


def tail(size: int = 256) -> tuple[nn.Module, ...]:
    return nn.Flatten(), nn.Linear(size, 3)


class Calls(nn.Module):
    """A convolution `c`, another `d`, a dense layer `l`, and the given forward."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.c, self.d = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.l = nn.Linear(256, 3)
        self.function = function

    def forward(self, x: torch.Tensor) -> object:
        return self.function(self, x)


class Shaped(nn.Module):
    """A model behind a change of its images' shape."""

    def __init__(self, model: nn.Module, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.model, self.change = model, change

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(self.change(x))


def negative(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    with torch.no_grad():
        norm.weight.fill_(-1.0)
    return norm


SUPPORTED = "is not supported; supported are Linear, Conv2d, ReLU"
BAD = [
    (small(nn.Conv2d(4, 4, 3, dilation=2), *tail()), "Layer '2' (Conv2d) has dilation (2, 2); only 1 is supported"),
    (small(nn.Conv2d(4, 4, 3, groups=4), *tail()), "Layer '2' (Conv2d) has 4 groups; only 1 is supported"),
    (small(nn.Conv2d(4, 4, 3, padding_mode="reflect"), *tail()), "Layer '2' (Conv2d) has padding mode 'reflect'; only"),
    (
        small(nn.Conv2d(4, 4, 2, padding="same"), *tail()),
        "Layer '2' (Conv2d) has padding 'same' with a kernel of (2, 2)",
    ),
    (
        small(nn.Conv2d(4, 4, 1, padding=1), *tail()),
        "Layer '2' (Conv2d) cannot be mapped: Window padding (1, 1) must be",
    ),
    (small(nn.Conv2d(4, 4, 9), *tail()), "Layer '2' (Conv2d) cannot be mapped: A window of (9, 9) does not fit into a"),
    (small(nn.Conv2d(3, 4, 3), *tail()), "Layer '2' (Conv2d) has 3 input channels, but gets 4"),
    (small(nn.ConvTranspose2d(4, 4, 2), *tail()), f"Layer '2' (ConvTranspose2d) {SUPPORTED}"),
    (small(nn.Conv1d(4, 4, 2)), f"Layer '2' (Conv1d) {SUPPORTED}"),
    (small(nn.LeakyReLU(), *tail()), f"Layer '2' (LeakyReLU) {SUPPORTED}"),
    (small(nn.PReLU(), *tail()), f"Layer '2' (PReLU) {SUPPORTED}"),
    (small(nn.GELU(), *tail()), f"Layer '2' (GELU) {SUPPORTED}"),
    (small(nn.GroupNorm(2, 4), *tail()), f"Layer '2' (GroupNorm) {SUPPORTED}"),
    (small(nn.Upsample(scale_factor=2), *tail()), f"Layer '2' (Upsample) {SUPPORTED}"),
    (
        small(nn.Flatten(2), nn.MultiheadAttention(64, 2)),
        "Layer '2' (Flatten) must flatten all but the first dimension",
    ),
    (nn.Sequential(nn.TransformerEncoderLayer(8, 2)), "Layer '0' (TransformerEncoderLayer) "),
    (
        small(nn.MaxPool2d(3, 2), *tail()),
        "Layer '2' (MaxPool2d) has windows of (3, 3) with stride (2, 2); they must be",
    ),
    (small(nn.MaxPool2d(2, padding=1), *tail()), "Layer '2' (MaxPool2d) has padding (1, 1); only 0 is supported"),
    (small(nn.MaxPool2d(2, dilation=2), *tail()), "Layer '2' (MaxPool2d) has dilation (2, 2); only 1 is supported"),
    (
        small(nn.AvgPool2d(3, ceil_mode=True), *tail()),
        "Layer '2' (AvgPool2d) has ceil_mode=True, which is not supported",
    ),
    (small(nn.AvgPool2d(2, divisor_override=3), *tail()), "Layer '2' (AvgPool2d) has divisor_override=3, which is not"),
    (small(nn.AvgPool2d(9), *tail()), "Layer '2' (AvgPool2d) cannot be mapped: A window of (9, 9) does not fit"),
    (small(nn.AdaptiveAvgPool2d(3), *tail()), "Layer '2' (AdaptiveAvgPool2d) makes (3, 3) of (8, 8) positions, which"),
    (small(nn.AdaptiveMaxPool2d(1), *tail()), f"Layer '2' (AdaptiveMaxPool2d) {SUPPORTED}"),
    (
        small(nn.Linear(8, 3)),
        "Layer '2' (Linear) needs flat values, but gets maps of 4 x 8 x 8 from '1'; flatten them first",
    ),
    (small(*tail(200)), "Layer '3' (Linear) has 200 inputs, but gets 256 values"),
    (small(nn.BatchNorm1d(4), *tail()), "Layer '2' (BatchNorm1d) needs flat values, but gets maps of 4 x 8 x 8"),
    (small(nn.BatchNorm2d(5), *tail()), "Layer '2' (BatchNorm2d) has 5 features, but gets 4 channels"),
    (
        small(nn.Flatten(), nn.BatchNorm2d(4)),
        "Layer '3' (BatchNorm2d) needs maps of channels x height x width, but gets",
    ),
    (small(nn.Unflatten(1, (2, 2)), *tail()), "Layer '2' (Unflatten) reshapes 256 values to (2, 2)"),
    (nn.Sequential(nn.Unflatten(2, (2, 4)), *tail(64)), "Layer '0' (Unflatten) must unflatten dimension 1 to channels"),
    (
        small(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), nn.ReLU(), *tail()),
        "Layers '2' and '3' follow one another without",
    ),
    (small(nn.Conv2d(4, 4, 1), *tail()), "Layers '2' and '4' follow one another without a ReLU between them"),
    (small(nn.Conv2d(4, 3, 1)), "The model gives 3 channels at 8 x 8 positions; it must give one number per class"),
    (small(nn.Conv2d(4, 3, 8), nn.MaxPool2d(1)), None),
    (small(nn.Conv2d(4, 3, 7), nn.MaxPool2d(2)), "The model ends with max pooling '3'; it must end with a layer"),
    (
        small(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), *tail()),
        "Batch norm '2' comes before '3', whose zeros around the map it does not shift",
    ),
    (
        small(nn.Conv2d(4, 4, 1), nn.MaxPool2d(2), negative(nn.BatchNorm2d(4)), nn.ReLU(), *tail(64)),
        "Batch norm '4' has negative factors behind max pooling '3'",
    ),
    (small(negative(nn.BatchNorm2d(4)), nn.MaxPool2d(2), *tail(64)), "Batch norm '2' has negative factors before max"),
    (
        nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Flatten(), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 3)),
        "Batch norm '2' scales every position of '0' differently",
    ),
    (
        nn.Sequential(nn.Conv2d(1, 4, 1), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.ReLU(), *tail(16)),
        "Average pooling '2' follows max pooling '1' without a ReLU between them",
    ),
    (
        Calls(lambda m, x: m.l(torch.flatten(F.relu(m.d(F.relu(m.c(x))) + m.c(x)), 1))),
        "Layer 'c' (Conv2d) is used a second time (first as 'c')",
    ),
    (
        Calls(lambda m, x: (lambda y: m.l(torch.flatten(F.relu(F.relu(y) + m.d(F.relu(y))), 1)))(m.c(x))),
        "What 'c' gives goes to 'relu' and 'relu_1' before a ReLU; only what a ReLU has made",
    ),
    (
        Calls(lambda m, x: m.l(torch.flatten(F.relu(F.max_pool2d(m.c(x), 2) + m.c(x)), 1))),
        "Layer 'c' (Conv2d) is used a second time",
    ),
    (
        Calls(lambda m, x: (lambda y: m.l(torch.flatten(F.relu(m.d(y) + F.avg_pool2d(y, 2)), 1)))(F.relu(m.c(x)))),
        "Operation 'add' (node 'add', in the model's forward()) adds maps of 4 x 8 x 8 from 'd' and maps of 4 x 4 x 4",
    ),
    (
        Calls(lambda m, x: m.l(torch.flatten(F.relu(torch.add(m.c(x), m.c(x), alpha=2)), 1))),
        "Layer 'c' (Conv2d) is used a second time",
    ),
    (
        Calls(lambda m, x: (lambda y: m.l(torch.flatten(F.relu(torch.add(m.d(y), y, alpha=2)), 1)))(F.relu(m.c(x)))),
        "Operation 'add' (node 'add', in the model's forward()) has a factor alpha",
    ),
    (
        Calls(lambda m, x: m.l(torch.flatten(F.relu(m.c(x)) + 1, 1))),
        "Operation 'add' (node 'add', in the model's forward()) is supported between two branches of the model alone",
    ),
    (
        Calls(lambda m, x: m.l(F.relu(m.c(x)).mean(1))),
        "Operation 'mean' (node 'mean', in the model's forward()) must be",
    ),
    (
        Calls(lambda m, x: m.l(F.relu(m.c(x)).view(-1, 4, 64))),
        "Operation 'view' (node 'view', in the model's forward())",
    ),
    (Calls(lambda m, x: F.relu(m.c(x))[:, 0]), "Operation 'getitem' (node 'getitem', in the model's forward()) is not"),
    (
        Calls(lambda m, x: F.pad(x, (1, 1, 1, 1))),
        "Operation 'pad' (node 'pad', in the model's forward()) is supported for",
    ),
    (
        Calls(lambda m, x: m.l(F.leaky_relu(m.c(x), 0.1).flatten(1))),
        "Operation 'leaky_relu' (node 'leaky_relu', in the",
    ),
    (
        Calls(lambda m, x: (F.relu_(x), m.l(torch.flatten(F.relu(m.c(x)), 1)))[1]),
        "ReLU 'relu_' comes before the first layer",
    ),
    (
        Calls(lambda m, x: (lambda y: (F.relu_(y), m.l(torch.flatten(y, 1)))[1])(m.c(x))),
        "Operation 'relu_' (node 'relu_', in the model's forward()) computes a result that is not used",
    ),
    (
        Calls(lambda m, x: m.l(x.flatten(1)) if x.sum() > 0 else x),
        "The model Calls cannot be traced by torch.fx, which needs a forward() without decisions",
    ),
    (Calls(lambda m, x: m.l(x.view(1, -1))), "Operation 'view' (node 'view', in the model's forward()) must keep"),
    (
        Calls(lambda m, x: m.l(x.view(-1, x.size(7)))),
        "Operation 'size' (node 'size', in the model's forward()) asks for",
    ),
]


@pytest.mark.parametrize(("model", "sentence"), BAD, ids=[str(s)[:60] for _, s in BAD])
def test_what_the_chip_does_not_have_is_named(model: nn.Module, sentence: str | None) -> None:
    if sentence is None:
        fold(import_torch(model.eval(), (1, 8, 8)))
        return
    for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean.fill_(0.5)
    with pytest.raises(UnsupportedError, match="^" + re.escape(sentence)):
        fold(import_torch(model.eval(), (1, 8, 8)))


def test_a_convolution_needs_the_shape_of_the_images() -> None:
    model = small(nn.MaxPool2d(2), *tail(64))
    with pytest.raises(
        UnsupportedError, match=r"^Layer '0' \(Conv2d\) needs maps .*, but gets flat images; give images"
    ):
        spikeloom.compile(model, make_images(5, 64), "tiny")
    chips = [
        spikeloom.compile(model, make_images(5, 64), "tiny", input_shape=(1, 8, 8)),
        spikeloom.compile(model, make_images(5, 64).reshape(5, 1, 8, 8), "tiny"),
        spikeloom.compile(model, torch.from_numpy(make_images(5, 64).reshape(5, 8, 8)), "tiny"),
        spikeloom.compile(nn.Sequential(nn.Unflatten(1, (1, 8, 8)), model), make_images(5, 64), "tiny"),
        spikeloom.compile(Shaped(model, lambda x: x.view(-1, 1, 8, 8)), make_images(5, 64), "tiny"),
        spikeloom.compile(Shaped(model, lambda x: x.unsqueeze(1)), make_images(5, 64).reshape(5, 8, 8), "tiny"),
    ]
    for chip in chips:
        assert chip.parameters == chips[0].parameters
        np.testing.assert_array_equal(chip.programmed.layers[0].weights, chips[0].programmed.layers[0].weights)
    shapes = [chip.passes.folded.input_shape for chip in chips if chip.passes is not None]
    assert shapes == [(1, 8, 8)] * 3 + [(64,), (64,), (8, 8)]


@pytest.mark.parametrize("shape", [(3, 8), (0, 8, 8), (1, 1, 8, 8)])
def test_shapes_that_images_do_not_have_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        (UnsupportedError, ValueError), match=r"^(input_shape must be one to three|Layer '3' \(Linear\))"
    ):
        spikeloom.compile(small(*tail()), make_images(5, 64), "tiny", input_shape=shape)
    with pytest.raises(TypeError, match=r"^input_shape must be whole numbers"):
        spikeloom.compile(small(*tail()), make_images(5, 64), "tiny", input_shape=8)  # type: ignore[arg-type]


def test_what_the_trace_does_not_see_is_found() -> None:
    """`b += ...` changes `a` as well; the trace takes it for an assignment."""

    def forward(m: Calls, x: torch.Tensor) -> object:
        a = F.relu(m.c(x))
        b = a
        b += m.d(a)
        return m.l(torch.flatten(F.relu(b + a), 1))

    with (
        torch.no_grad(),
        pytest.raises(UnsupportedError, match=r"^The model Calls gives other outputs than its traced"),
    ):
        spikeloom.compile(Calls(forward), make_images(5, 64), "tiny", input_shape=(1, 8, 8))


def test_the_plan_of_a_network_with_everything() -> None:
    config = make_config(neuron={"v0": 0.5}, crossbar={"tile_rows": 16})
    model = settled(lambda: ResNet(n=1, widths=(4, 6)), 3, 32, 32)
    chip = spikeloom.compile(model, make_images(5, 3072).reshape(5, 3, 32, 32), config)
    plan = chip.parameters.plan
    assert [shape.size for shape in plan.maps] == [3072, 4096, 4096, 4096, 1536, 1536, 6, 10]
    assert plan.stages[5] == AveragePoolStage(window=Window(source=5, kernel=(16, 16), stride=(16, 16)), start=128)
    layer = chip.parameters.layers[4]
    assert (layer.inputs, layer.outputs, layer.positions, layer.row_tiles) == (9 * 6 + 4, 6, 256, 4)


def test_dense_networks_have_no_plan() -> None:
    images = make_images(20, 60).reshape(20, 3, 4, 5)
    model = nn.Sequential(nn.Flatten(), nn.Linear(60, 8), nn.ReLU(), nn.Linear(8, 3))
    chip = spikeloom.compile(model, images, "tiny")
    assert (
        chip.parameters.plan.is_dense_chain
        and chip.parameters == spikeloom.compile(model, images.reshape(20, 60), "tiny").parameters
    )


def test_a_layer_with_too_many_neurons_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(1, 5, 1), nn.ReLU(), nn.AvgPool2d(1024), nn.Flatten(), nn.Linear(5, 2))
    images = np.full((1, 1, 1024, 1024), 90, np.uint8)
    images[..., 0] = 255
    with pytest.raises(
        ConfigError, match=r"^tiny: layer '0' has 5 channels at 1048576 positions, 5242880 neurons, and"
    ):
        spikeloom.compile(model, images, "tiny")


def test_analog_images_belong_to_the_first_layer() -> None:
    config = make_config(coding={"input": "analog"})
    images = make_images(5, 64).reshape(5, 1, 8, 8)
    assert spikeloom.compile(small(*tail()), images, config).parameters.layers[0].row_bits == 8
    with pytest.raises(
        ConfigError, match=r"^tiny: \[coding\] input must not be 'analog' for this network, .*: max pooling too"
    ):
        spikeloom.compile(nn.Sequential(nn.MaxPool2d(2), *tail(16)), images, config)
    skip = Calls(lambda m, x: m.l(torch.flatten(F.relu(m.d(F.relu(m.c(x))) + F.pad(x, (0, 0, 0, 0, 0, 3))), 1)))
    with pytest.raises(ConfigError, match=r"the first layer: layer 'd' too; set input 'even', 'phase' or 'rate'$"):
        spikeloom.compile(skip, images, config)


def test_a_waterfall_of_a_network_of_maps_begins_with_the_model() -> None:
    model = small(nn.MaxPool2d(2), *tail(64))
    images = make_images(40, 64).reshape(40, 1, 8, 8)
    chip = spikeloom.compile(model, images, "tiny")
    assert chip.passes is not None
    labels = chip.passes.folded.classes(images.reshape(40, 64))
    assert torch_accuracy(model, images, labels) == 1.0
