"""Import through torch.fx: the same function, and a clear sentence for everything else."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sw.errors import UnsupportedError, WeightError
from sw.graph import Affine, Linear, Rectifier
from sw.import_torch import import_torch
from sw.layers import ClippedReLU
from sw.passes.fold import fold


class Everything(nn.Module):
    """Every supported module, function and method once."""

    def __init__(self):
        super().__init__()
        self.input_norm = nn.BatchNorm1d(12)
        self.first = nn.Linear(12, 9)
        self.block = nn.Sequential(
            nn.ReLU(), nn.BatchNorm1d(9), nn.Sequential(nn.Dropout(0.3), nn.Linear(9, 8, bias=False), nn.Identity())
        )
        self.weight = nn.Parameter(torch.randn(7, 8))
        self.bias = nn.Parameter(torch.randn(7))
        self.clipped = ClippedReLU(2.0, 4)
        self.last = nn.Linear(7, 3)
        self.output_norm = nn.BatchNorm1d(3, affine=False)

    def forward(self, x):
        x = nn.functional.relu(self.first(self.input_norm(torch.flatten(x, 1).flatten(1).view(x.size(0), -1))))
        x = self.block(x.reshape(x.shape[0], 9)).view(-1, 8)
        x = F.dropout(torch.relu(x).relu(), 0.5, self.training)
        return self.output_norm(self.last(self.clipped(F.linear(x, self.weight, self.bias))))


def test_every_supported_operation_computes_the_same():
    torch.manual_seed(3)
    model = Everything()
    for _ in range(20):
        model(torch.rand(64, 3, 4) * 2)
    model.eval()
    graph = import_torch(model)
    assert [type(node) for node in graph.nodes] == [
        *(Affine, Linear, Rectifier, Rectifier, Affine, Linear, Rectifier, Rectifier, Linear, Rectifier, Linear, Affine)
    ]
    assert [node.name for node in graph.nodes if isinstance(node, Linear)] == ["first", "block.2.1", "linear", "last"]
    assert graph.inputs == 12
    pixels = np.random.default_rng(0).integers(0, 256, (200, 12), dtype=np.uint8)
    expected = model(torch.from_numpy(pixels.astype(np.float32) / 255).view(200, 3, 4)).detach().numpy()
    *_, found = fold(graph).activations(pixels)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_model_is_not_changed():
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    before = model[0].weight.clone()
    import_torch(model)
    assert model.training and torch.equal(model[0].weight, before)


def test_a_bare_layer_is_a_model():
    assert [type(node) for node in import_torch(nn.Linear(4, 3)).nodes] == [Linear]


class Forward(nn.Module):
    """A 3-3 layer `l`, and the given forward."""

    def __init__(self, function):
        super().__init__()
        self.l = nn.Linear(3, 3)
        self.frozen = nn.Parameter(torch.zeros(3, 3))
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def branch(m, x):
    return m.l(x) if x.sum() > 0 else x


BAD = [
    (nn.Sequential(nn.Sequential(nn.Conv2d(1, 1, 3))), "Layer '0.0' (Conv2d) is not supported; supported are Linear"),
    (nn.Sequential(nn.Linear(3, 3), nn.Sigmoid()), "Layer '1' (Sigmoid) is not supported"),
    (nn.Sequential(nn.Linear(3, 3), nn.LeakyReLU()), "Layer '1' (LeakyReLU) is not supported"),
    (nn.Sequential(nn.Flatten(0), nn.Linear(3, 3)), "Layer '0' (Flatten) must flatten all but the first dimension"),
    (nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 3)), "Layer '1' (Linear) has 3 inputs, but gets 4 values"),
    (nn.Sequential(nn.ReLU()), "The model has no Linear layer"),
    (
        nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, track_running_stats=False)),
        "Layer '1' (BatchNorm1d) keeps no running statistics",
    ),
    (
        Forward(lambda m, x: torch.sigmoid(m.l(x))),
        "Operation 'sigmoid' (node 'sigmoid', in the model's forward()) is not supported",
    ),
    (
        nn.Sequential(nn.Linear(3, 3), Forward(lambda m, x: m.l(x).tanh())),
        "Operation 'tanh' (node 'tanh', in module '1') is not supported",
    ),
    (Forward(lambda m, x: m.l(x) * 2), "Operation 'mul' (node 'mul', in the model's forward()) is not supported"),
    (Forward(lambda m, x: m.l(x) + x), "Operation 'add' (node 'add', in the model's forward()) joins or branches"),
    (Forward(lambda m, x: (m.l(x), x)), "The model's output must be the one result of its last layer"),
    (Forward(lambda m, x: m.l(F.relu(m.l(x)))), "Layer 'l' (Linear) is used a second time (first as 'l')"),
    (Forward(lambda m, x: F.dropout(m.l(x))), "Operation 'dropout' (node 'dropout', in the model's forward()) drops"),
    (Forward(lambda m, x: torch.flatten(m.l(x))), "Operation 'flatten' (node 'flatten', in the model's forward())"),
    (Forward(lambda m, x: m.l(x.view(-1, 4))), "Layer 'l' (Linear) has 3 inputs, but gets 4 values"),
    (Forward(lambda m, x: m.l(x).view(-1)), "Operation 'view' (node 'view', in the model's forward()) must keep"),
    (Forward(lambda m, x: m.l(x).view(-1, 9)), "Operation 'view' (node 'view', in the model's forward()) reshapes 3"),
    (Forward(lambda m, x: F.linear(x, m.frozen.t())), "Operation 't' (node 't', in the model's forward()) joins"),
    (
        Forward(lambda m, x: F.linear(F.relu(F.linear(x, m.frozen)), m.frozen)),
        "Operation 'linear' (node 'linear_1', in the model's forward()) uses parameter 'frozen' a second time",
    ),
    (Forward(branch), "The model Forward cannot be traced by torch.fx, which needs a forward() without decisions"),
]


@pytest.mark.parametrize(("model", "sentence"), BAD, ids=[sentence[:50] for _, sentence in BAD])
def test_what_is_not_supported_is_named(model, sentence):
    with pytest.raises(UnsupportedError, match="^" + re.escape(sentence)):
        import_torch(model)


def test_a_second_input_is_refused():
    class Two(nn.Module):
        def forward(self, x, y):
            return x

    with pytest.raises(UnsupportedError, match=r"^The model has a second input, 'y'; one is supported$"):
        import_torch(Two())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_must_be_finite(value):
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[2].weight[1, 1] = value
    with pytest.raises(WeightError, match=r"^Parameter '2.weight' of the model has 1 values that are NaN"):
        import_torch(model)


def test_only_modules_are_models():
    with pytest.raises(TypeError, match=r"^The model must be a torch.nn.Module, not str$"):
        import_torch("model")  # type: ignore[arg-type]
