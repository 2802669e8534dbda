"""Import through torch.fx: the same function, and a clear sentence for everything else."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import spikeloom
from spikeloom.sw.common.errors import UnsupportedError, WeightError
from spikeloom.sw.frontend.clipped_relu import ClippedReLU
from spikeloom.sw.frontend.plain_torch import double_outputs
from spikeloom.sw.frontend.torch_modules import import_torch
from spikeloom.sw.ir.graph import Affine, Linear, Rectifier
from spikeloom.sw.passes.fold import fold


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


class Functional(nn.Module):
    """Batch norms as functions, with all of their numbers and with as few as can be."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 5), nn.Linear(5, 3)
        self.norm = nn.BatchNorm1d(5, eps=0.01)
        self.register_buffer("mean", torch.rand(6))
        self.register_buffer("variance", torch.rand(6) + 0.5)

    def forward(self, x):
        x = self.first(F.batch_norm(x, self.mean, self.variance))
        n = self.norm
        x = F.batch_norm(x, n.running_mean, n.running_var, n.weight, bias=n.bias, training=self.training, eps=n.eps)
        return self.last(F.relu(x))


def test_functional_batch_norms_compute_the_same():
    torch.manual_seed(4)
    model = Functional()
    nn.init.normal_(model.norm.weight)
    nn.init.normal_(model.norm.bias)
    for _ in range(20):
        model(torch.rand(64, 6))
    model.eval()
    graph = import_torch(model)
    assert [type(node) for node in graph.nodes] == [Affine, Linear, Affine, Rectifier, Linear]
    pixels = np.random.default_rng(0).integers(0, 256, (100, 6), dtype=np.uint8)
    expected = model(torch.from_numpy(pixels.astype(np.float32) / 255)).detach().numpy()
    *_, found = fold(graph).activations(pixels)
    np.testing.assert_allclose(found, expected, atol=1e-5)


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


def loop(m, x):
    for _ in range(x.shape[0]):
        x = m.l(x)
    return x


def shout(m, x):
    raise RuntimeError("one\n   two")


SHARED = nn.Linear(3, 3)
BAD = [
    (
        nn.Sequential(nn.Sequential(nn.Conv2d(1, 1, 3))),
        "Layer '0.0' (Conv2d) needs maps of channels x height x width, but gets flat images; give images of shape",
    ),
    (nn.Sequential(nn.Linear(3, 3), nn.Sigmoid()), "Layer '1' (Sigmoid) is not supported"),
    (nn.Sequential(nn.Linear(3, 3), nn.LeakyReLU()), "Layer '1' (LeakyReLU) is not supported"),
    (nn.Sequential(nn.Flatten(0), nn.Linear(3, 3)), "Layer '0' (Flatten) must flatten all but the first dimension"),
    (nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 3)), "Layer '1' (Linear) has 3 inputs, but gets 4 values"),
    (nn.Sequential(nn.ReLU()), "ReLU '0' comes before the first layer"),
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
    (
        Forward(lambda m, x: m.l(x) + m.frozen),
        "Operation 'add' (node 'add', in the model's forward()) is supported between two branches of the model alone",
    ),
    (Forward(lambda m, x: (m.l(x), x)), "The model's output must be the one result of its last layer"),
    (Forward(lambda m, x: m.l(F.relu(m.l(x)))), "Layer 'l' (Linear) is used a second time (first as 'l')"),
    (Forward(lambda m, x: F.dropout(m.l(x))), "Operation 'dropout' (node 'dropout', in the model's forward()) drops"),
    (Forward(lambda m, x: torch.flatten(m.l(x))), "Operation 'flatten' (node 'flatten', in the model's forward())"),
    (Forward(lambda m, x: m.l(x.view(-1, 4))), "Layer 'l' (Linear) has 3 inputs, but gets 4 values"),
    (Forward(lambda m, x: m.l(x).view(-1)), "Operation 'view' (node 'view', in the model's forward()) must keep"),
    (Forward(lambda m, x: m.l(x).view(-1, 9)), "Operation 'view' (node 'view', in the model's forward()) reshapes 3"),
    (Forward(lambda m, x: F.linear(x, m.frozen.t())), "Operation 't' (node 't', in the model's forward()) is not"),
    (
        Forward(lambda m, x: F.linear(F.relu(F.linear(x, m.frozen)), m.frozen)),
        "Operation 'linear' (node 'linear_1', in the model's forward()) uses parameter 'frozen' a second time",
    ),
    (
        Forward(lambda m, x: F.batch_norm(m.l(x), m.frozen[0], m.frozen[1])),
        "Operation 'getitem' (node 'getitem', in the model's forward()) is not supported but for sizes",
    ),
    (
        Forward(lambda m, x: F.batch_norm(m.l(x), m.frozen, m.frozen, training=True)),
        "Operation 'batch_norm' (node 'batch_norm', in the model's forward()) uses the batch's own statistics",
    ),
    (
        Forward(lambda m, x: F.batch_norm(m.l(x), None, None)),
        "Operation 'batch_norm' (node 'batch_norm', in the model's forward()) keeps no running statistics",
    ),
    (nn.Sequential(nn.LSTM(3, 3)), "Layer '0' (LSTM) is not supported"),
    (nn.Sequential(nn.Linear(3, 3), nn.Softmax(1)), "Layer '1' (Softmax) is not supported"),
    (nn.Sequential(nn.Linear(3, 3), nn.ReLU6()), "Layer '1' (ReLU6) is not supported"),
    (nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 3)), "Layer '0' (LayerNorm) is not supported"),
    (nn.Sequential(nn.BatchNorm2d(3), nn.Linear(3, 3)), "Layer '0' (BatchNorm2d) needs maps"),
    (nn.Sequential(nn.Flatten(1, 2), nn.Linear(3, 3)), "Layer '0' (Flatten) must flatten all but the first dimension"),
    (nn.Sequential(SHARED, nn.ReLU(), SHARED), "Layer '0' (Linear) is used a second time (first as '0')"),
    (nn.Sequential(), "The model has no Linear or Conv2d layer"),
    (Forward(lambda m, x: torch.cat([m.l(x), x], 1)), "Operation 'cat' (node 'cat', in the model's forward()) is not"),
    (Forward(lambda m, x: m.l((x - 0.13) / 0.31)), "Operation 'sub' (node 'sub', in the model's forward()) is not"),
    (Forward(lambda m, x: m.l(x[:, :3])), "Operation 'getitem' (node 'getitem', in the model's forward()) is not"),
    (Forward(lambda m, x: {"y": m.l(x)}), "The model's output must be the one result of its last layer"),
    (Forward(lambda m, x: F.log_softmax(m.l(x), 1)), "Operation 'log_softmax' (node 'log_softmax', in the model's"),
    (Forward(loop), "The model Forward cannot be traced by torch.fx, which needs a forward() without decisions"),
    (
        Forward(shout),
        "The model Forward cannot be traced by torch.fx, which needs a forward() without decisions on values "
        "(RuntimeError: one two)",
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

    with pytest.raises(
        UnsupportedError, match=r"^The model has a second input, 'y'; only one, the images, is supported$"
    ):
        import_torch(Two())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_must_be_finite(value):
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[2].weight[1, 1] = value
    with pytest.raises(
        WeightError,
        match=r"^Parameter '2.weight' of the model has 1 values that are NaN or infinite; train it again, w",
    ):
        import_torch(model)


def test_only_modules_are_models():
    with pytest.raises(TypeError, match=r"^The model must be a torch.nn.Module, not str$"):
        import_torch("model")  # type: ignore[arg-type]


def test_a_model_without_input_is_refused():
    class Without(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.Linear(3, 3)

        def forward(self):
            return self.l(torch.zeros(1, 3))

    with pytest.raises(UnsupportedError, match=r"^The model's forward\(\) takes no input; it must take the images$"):
        import_torch(Without())


@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_are_refused(register):
    """torch.fx does not see them: a model would be converted without what they do."""
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    getattr(model[0], register)(lambda module, *values: None)
    with pytest.raises(UnsupportedError, match=r"^Module '0' \(Linear\) has a forward hook .* remove it$"):
        import_torch(model)


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature", "ignore:Initializing zero-element tensors")
def test_parameters_without_real_values_are_refused():
    for layer, sentence in (
        (lambda: nn.LazyLinear(3), r"^Parameter '0.weight' of the model has no values yet \(a lazy module\); run"),
        (
            lambda: nn.Linear(3, 3, device="meta"),
            r"^Parameter '0.weight' of the model has no values \(it is on the meta device\); load its weights$",
        ),
        (
            lambda: nn.Linear(3, 3, dtype=torch.complex64),
            r"^Parameter '0.weight' of the model must be real numbers, not torch.complex64; convert it$",
        ),
    ):
        with pytest.raises(WeightError, match=sentence):
            import_torch(nn.Sequential(layer()))
    with pytest.raises(
        UnsupportedError, match=r"^Layer '0' \(Linear\) must have at least one input and one output, not 3"
    ):
        import_torch(nn.Sequential(nn.Linear(3, 0)))


def test_a_batch_norm_without_variance_is_refused():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    model[1].running_var.fill_(-1.0)
    with pytest.raises(
        WeightError, match=r"^Layer '1' \(BatchNorm1d\) must have a running variance above 0, not -0.99"
    ):
        import_torch(model)


HELD = torch.linspace(-1.0, 1.0, 24).reshape(6, 4)


class Holds(nn.Module):
    """A model whose code holds tensors that are neither parameters nor buffers, which `double()` does not reach."""

    def __init__(self):
        super().__init__()
        self.shift = torch.tensor([0.5, -0.25, 0.125, 0.0, -0.5, 0.25])
        self.listed = [torch.linspace(-0.5, 1.0, 18).reshape(3, 6)]

    def forward(self, x):
        return F.linear(torch.relu(F.linear(x.flatten(1), HELD, bias=self.shift)), self.listed[0])


def test_tensors_in_single_precision_that_a_model_holds_itself_are_its_weights():
    images = np.random.default_rng(4).integers(0, 256, (50, 4), dtype=np.uint8)
    model = Holds()
    x = images.astype(np.float64) / 255.0
    hidden = np.maximum(x @ HELD.double().numpy().T + model.shift.double().numpy(), 0.0)
    expected = hidden @ model.listed[0].double().numpy().T
    np.testing.assert_allclose(double_outputs(model, images), expected, rtol=1e-12, atol=1e-12)
    chip = spikeloom.compile(model, images)
    assert chip.predict(images).accuracy(expected.argmax(1)) > 0.9


def test_parameters_made_in_inference_mode_are_weights():
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    assert [node.name for node in import_torch(model).nodes if isinstance(node, Linear)] == ["0", "2"]
