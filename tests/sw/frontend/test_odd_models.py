"""Models that the chip does not have, as users write them: each is refused in one sentence, through the front door."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

import spikeloom
from spikeloom.sw.common.errors import UnsupportedError
from tests.fixtures.models import make_images

IMAGES = make_images(8, 64).reshape(8, 1, 8, 8)
TRACE = "The model Forward cannot be traced by torch.fx, which needs a forward() without decisions on values"
SUPPORTED = "is not supported; supported are Linear, Conv2d, ReLU"


class Forward(nn.Module):
    """Two convolutions `c` and `d` of the image, one `e` behind them, dense layers `l` and `q`, and a forward."""

    def __init__(self, function: Callable[[Any, torch.Tensor], Any], **modules: nn.Module) -> None:
        super().__init__()
        self.c, self.d = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(1, 4, 3, padding=1)
        self.e = nn.Conv2d(4, 4, 3, padding=1)
        self.l, self.q = nn.Linear(256, 3), nn.Linear(64, 3)
        self.w = nn.Parameter(torch.randn(4, 1, 3, 3))
        self.p = nn.Parameter(torch.ones(1, 4, 1, 1))
        for name, module in modules.items():
            self.add_module(name, module)
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)

    def out(self, x: torch.Tensor) -> torch.Tensor:
        return self.l(torch.flatten(x, 1))


def behind(*layers: nn.Module, size: int = 256) -> nn.Module:
    """Layers behind a convolution and a ReLU."""
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), *layers, nn.Flatten(), nn.Linear(size, 3))


def twice(m: Any, x: torch.Tensor) -> torch.Tensor:
    y = m.c(x)
    return m.out(F.relu(y + y))


def operation(name: str, node: str = "") -> str:
    return f"Operation '{name}' (node '{node or name}', in the model's forward())"


BAD: list[tuple[str, Callable[[], nn.Module]]] = [
    # windows that the scheduler does not have
    (
        f"{operation('conv2d')} has dilation (2, 2); only 1 is supported",
        lambda: Forward(lambda m, x: m.out(F.relu(F.conv2d(x, m.w, padding=2, dilation=2)))),
    ),
    (
        f"{operation('conv2d')} has 4 groups; only 1 is supported",
        lambda: Forward(lambda m, x: m.out(F.relu(F.conv2d(F.relu(m.c(x)), m.w, padding=1, groups=4)))),
    ),
    (
        f"{operation('conv_transpose2d')} {SUPPORTED}",
        lambda: Forward(lambda m, x: m.out(F.conv_transpose2d(x, m.p, padding=1))),
    ),
    ("Layer '2' (MaxPool2d) has windows of (3, 3) with stride (2, 2)", lambda: behind(nn.MaxPool2d(3, 2, 1), size=64)),
    ("Layer '2' (AvgPool2d) has padding (1, 1); only 0 is", lambda: behind(nn.AvgPool2d(2, 2, 1), size=100)),
    (f"{operation('pad')} is supported for channels", lambda: Forward(lambda m, x: m.out(m.c(F.pad(x, (0, 1, 0, 1)))))),
    # attention, recurrence
    (
        f"Layer 'a' (MultiheadAttention) {SUPPORTED}",
        lambda: Forward(
            lambda m, x: m.l(m.a(x.squeeze(1), x.squeeze(1), x.squeeze(1))[0]), a=nn.MultiheadAttention(8, 2)
        ),
    ),
    (
        f"{operation('scaled_dot_product_attention')} {SUPPORTED}",
        lambda: Forward(lambda m, x: m.out(F.scaled_dot_product_attention(x, x, x))),
    ),
    (f"Layer 'r' (LSTM) {SUPPORTED}", lambda: Forward(lambda m, x: m.out(m.r(x.squeeze(1))[0]), r=nn.LSTM(8, 8))),
    (f"Layer 'r' (GRU) {SUPPORTED}", lambda: Forward(lambda m, x: m.out(m.r(x.squeeze(1))[0]), r=nn.GRU(8, 8))),
    (f"Layer 'r' (RNN) {SUPPORTED}", lambda: Forward(lambda m, x: m.out(m.r(x.squeeze(1))[0]), r=nn.RNN(8, 8))),
    # activations other than max(x, 0)
    *(
        (f"Layer '2' ({type(layer).__name__}) {SUPPORTED}", lambda layer=layer: behind(layer))
        for layer in (nn.LeakyReLU(), nn.PReLU(), nn.RReLU(), nn.ELU(), nn.SiLU(), nn.ReLU6(), nn.Hardtanh(0, 1))
    ),
    (f"{operation('leaky_relu')} {SUPPORTED}", lambda: Forward(lambda m, x: m.out(F.leaky_relu(m.c(x))))),
    (f"{operation('clamp')} {SUPPORTED}", lambda: Forward(lambda m, x: m.out(m.c(x).clamp(0, 1)))),
    # normalisations that depend on the image
    *(
        (f"Layer '2' ({type(layer).__name__}) {SUPPORTED}", lambda layer=layer: behind(layer))
        for layer in (nn.LayerNorm([4, 8, 8]), nn.InstanceNorm2d(4), nn.GroupNorm(2, 4), nn.LocalResponseNorm(2))
    ),
    # data-dependent control flow
    (
        f"{TRACE} (TraceError",
        lambda: Forward(lambda m, x: m.out(F.relu(m.c(x))) if x.sum() > 0 else x),
    ),
    (
        f"{TRACE} (TypeError",
        lambda: Forward(lambda m, x: max(m.out(F.relu(m.c(x))) for _ in range(x.shape[2]))),
    ),
    # layers that are shared
    (
        "Layer 'e' (Conv2d) is used a second time (first as 'e')",
        lambda: Forward(lambda m, x: m.out(F.relu(m.e(F.relu(m.e(F.relu(m.c(x)))))))),
    ),
    (
        "Layer 'b' (BatchNorm2d) is used a second time (first as 'b')",
        lambda: Forward(lambda m, x: m.out(F.relu(m.b(m.e(F.relu(m.b(m.c(x))))))), b=nn.BatchNorm2d(4)),
    ),
    # fan-out and fusions
    ("What 'c' gives goes to 'add' and 'add' before a ReLU; only what a ReLU", lambda: Forward(twice)),
    (
        "Layers 'add' and 'l' follow one another without a ReLU between them",
        lambda: Forward(lambda m, x: m.out(F.relu(m.c(x)) + F.relu(m.d(x)))),
    ),
    (
        "Layers 'c' and 'e' follow one another without a ReLU between them",
        lambda: Forward(lambda m, x: m.out(F.relu(m.e(m.c(x) + m.d(x))))),
    ),
    (
        "'add' adds max pooling 'max_pool2d', which has no ReLU between itself and its layer",
        lambda: Forward(lambda m, x: m.q(F.relu(F.max_pool2d(m.c(x), 2) + F.max_pool2d(m.d(x), 2)).flatten(1))),
    ),
    (
        f"{operation('add')} adds maps of 4 x 8 x 8 from 'c' and maps of 1 x 8 x 8 (the images); both must be alike",
        lambda: Forward(lambda m, x: m.out(F.relu(m.c(x) + x))),
    ),
    (
        f"{operation('add')} is supported between two branches of the model alone",
        lambda: Forward(lambda m, x: m.out(F.relu(m.c(x) + m.p))),
    ),
    (f"{operation('cat')} {SUPPORTED}", lambda: Forward(lambda m, x: torch.cat([F.relu(m.c(x)), F.relu(m.d(x))], 1))),
    (f"{operation('sub')} {SUPPORTED}", lambda: Forward(lambda m, x: m.out(F.relu(m.c(x) - m.d(x))))),
    (
        f"{operation('mul')} is not supported but between sizes",
        lambda: Forward(lambda m, x: m.out(F.relu(m.c(x)) * F.relu(m.d(x)))),
    ),
    (f"{operation('permute')} {SUPPORTED}", lambda: Forward(lambda m, x: m.out(F.relu(m.c(x)).permute(0, 2, 3, 1)))),
    ("Layer 'e' (Conv2d) computes a result", lambda: Forward(lambda m, x: (m.e(F.relu(m.d(x))), m.out(x))[1])),
    # shapes that do not fit
    ("Layer '0' (Conv2d) has 3 input channels, but gets 1", lambda: nn.Sequential(nn.Conv2d(3, 4, 3))),
    (
        "Layer '0' (Conv2d) cannot be mapped: A window of (9, 9) does not fit into a map of (8, 8) with padding (0, 0)",
        lambda: nn.Sequential(nn.Conv2d(1, 4, 9), nn.ReLU(), nn.Flatten(), nn.Linear(4, 3)),
    ),
    (
        "Layer '0' (Conv2d) cannot be mapped: Window padding (3, 3) must be below the kernel (3, 3)",
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3, padding=3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 3)),
    ),
    ("Layer '0' (Linear) needs flat values, but gets maps of 1 x 8 x 8", lambda: nn.Sequential(nn.Linear(8, 3))),
    ("Layer '3' (Linear) has 99 inputs, but gets 256", lambda: behind(nn.Flatten())[:3].append(nn.Linear(99, 3))),
    ("The model gives 4 channels at 8 x 8 positions; it must give", lambda: behind()[:2]),
    # modules that are not ours
    (f"Layer '0' (ParametrizedConv2d) {SUPPORTED}", lambda: nn.Sequential(weight_norm(nn.Conv2d(1, 4, 3)))),
    ("The model DataParallel runs a model on several devices", lambda: nn.DataParallel(behind())),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "make"), BAD, ids=[f"{n} {s[:50]}" for n, (s, _) in enumerate(BAD)])
def test_is_refused_in_one_sentence(sentence: str, make: Callable[[], nn.Module]) -> None:
    with pytest.raises(UnsupportedError, match="^" + re.escape(sentence)) as caught:
        spikeloom.compile(make().eval(), IMAGES, "tiny")
    assert "\n" not in str(caught.value)


CLASSES = "; behind the last layer it changes no class: leave it out"
TYPES = "; images are given in floating point, and kinds of numbers do not matter: leave it out"
SCALE = "; mean and deviation of the images go into a BatchNorm in front, or into the first layer's weights and bias"
ORDER = "; the order of pixels and channels is that of the images: give them in it, or move the first layer's weights"
CLIP = "; max(x, 0) is a ReLU, and min(max(x, 0), c) is spikeloom.ClippedReLU(c)"
REMEDIES: list[tuple[str, Callable[[], nn.Module]]] = [
    (CLASSES, lambda: Forward(lambda m, x: F.log_softmax(m.out(F.relu(m.c(x))), 1))),
    (CLASSES, lambda: Forward(lambda m, x: m.out(F.relu(m.c(x))).softmax(1))),
    (CLASSES, lambda: Forward(lambda m, x: torch.sigmoid(m.out(F.relu(m.c(x)))))),
    (CLASSES, lambda: behind().append(nn.Softmax(1))),
    (TYPES, lambda: Forward(lambda m, x: m.out(F.relu(m.c(x.float()))))),
    (TYPES, lambda: Forward(lambda m, x: m.out(F.relu(m.c(x.to(torch.float32)))))),
    (SCALE, lambda: Forward(lambda m, x: m.out(F.relu(m.c((x - 0.5) / 0.5))))),
    (SCALE, lambda: Forward(lambda m, x: m.out(F.relu(m.c(x / 0.5))))),
    (SCALE, lambda: Forward(lambda m, x: m.out(F.relu(m.c(x * 2 - 1))))),
    (ORDER, lambda: Forward(lambda m, x: m.out(F.relu(m.c(x.permute(0, 1, 3, 2)))))),
    (CLIP, lambda: Forward(lambda m, x: m.out(m.c(x).clamp(min=0)))),
    (CLIP, lambda: behind(nn.ReLU6())),
    (
        "; torch.nn.utils.parametrize.remove_parametrizations makes it a plain layer",
        lambda: behind().append(weight_norm(nn.Linear(3, 3))),
    ),
    ("; give that model, model.module", lambda: nn.DataParallel(behind())),
    ("; give the model that was compiled, model._orig_mod", lambda: torch.compile(behind())),  # type: ignore[list-item]
]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(("remedy", "make"), REMEDIES, ids=[f"{n} {s[2:40]}" for n, (s, _) in enumerate(REMEDIES)])
def test_the_remedy_is_in_the_sentence(remedy: str, make: Callable[[], nn.Module]) -> None:
    with pytest.raises(UnsupportedError, match=re.escape(remedy) + "$"):
        spikeloom.compile(make().eval(), IMAGES, "tiny")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_the_remedies_say_is_true() -> None:
    model = behind().eval()
    wanted = spikeloom.compile(model, IMAGES, "tiny").predict(IMAGES).classes
    normed = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), weight_norm(nn.Linear(256, 3)))
    nn.utils.parametrize.remove_parametrizations(normed[3], "weight")
    spikeloom.compile(normed.eval(), IMAGES, "tiny")
    for given in (nn.DataParallel(model).module, torch.compile(model)._orig_mod):  # type: ignore[attr-defined]
        assert np.array_equal(spikeloom.compile(given, IMAGES, "tiny").predict(IMAGES).classes, wanted)
    front = nn.BatchNorm2d(1, affine=False)
    front.running_mean.fill_(0.5)  # type: ignore[union-attr]
    front.running_var.fill_(0.25)  # type: ignore[union-attr]
    spikeloom.compile(
        nn.Sequential(front, nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval(), IMAGES
    )


def tied() -> nn.Module:
    model = nn.Sequential(*(p for _ in range(3) for p in (nn.Conv2d(1, 1, 3, padding=1), nn.ReLU())), nn.Flatten())
    model[2].weight = model[0].weight
    return model.append(nn.Linear(64, 3))


GOOD: list[Callable[[], nn.Module]] = [
    tied,  # weights that are shared are programmed twice
    lambda: behind().half(),
    lambda: behind().to(memory_format=torch.channels_last),
    lambda: nn.Sequential(nn.Conv2d(1, 4, 11, padding=5), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3)),
    lambda: nn.Sequential(nn.Conv2d(1, 4, 3, stride=9), nn.ReLU(), nn.Flatten(), nn.Linear(4, 3)),
    lambda: behind(nn.MaxPool2d(2), nn.MaxPool2d(2), size=16),
    lambda: Forward(lambda m, x: (lambda y: m.out(F.relu(y + y)))(F.relu(m.c(x)))),
    lambda: Forward(lambda m, x: m.out(F.relu(m.c(x) + m.d(x) + m.e(F.relu(m.c2(x))))), c2=nn.Conv2d(1, 4, 1)),
    lambda: Forward(lambda m, x: m.out(F.relu(m.e(F.relu(m.c(x))) + m.d(x)))),
]


@pytest.mark.parametrize("number", range(len(GOOD)))
def test_odd_but_sound_models_are_compiled(number: int) -> None:
    """`compile` itself compares what was imported with the model's own outputs."""
    chip = spikeloom.compile(GOOD[number]().eval(), IMAGES, "tiny")
    assert np.isin(chip.predict(IMAGES).classes, (0, 1, 2)).all()
