"""Training: reproducible, cached by what determines it, and onto the cells' own grid."""

import os

import numpy as np
import pytest
import torch
from torch import nn

import spikeloom
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.frontend.clipped_relu import ClippedReLU
from spikeloom.sw.frontend.plain_torch import torch_accuracy
from spikeloom.sw.training.augmentation import affine
from spikeloom.sw.training.quantised_weights import CellWeights
from spikeloom.sw.training.training import build, train

CONFIG = Config.load("tiny")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_data("digits")


def weights(model: nn.Module) -> np.ndarray:
    return np.concatenate([value.detach().numpy().ravel() for value in model.state_dict().values()])


def test_the_same_seed_gives_the_same_network_and_no_global_state_changes(data, tmp_path):
    torch.manual_seed(1)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    section = CONFIG.train.model_copy(update={"epochs": 2, "weight_noise": 0.1, "dropout": 0.2})
    a = train(section, data, 3, cache=tmp_path / "a")
    b = train(section, data, 3, cache=tmp_path / "b")
    c = train(section, data, 4, cache=tmp_path / "c")
    np.testing.assert_array_equal(weights(a), weights(b))
    assert not np.array_equal(weights(a), weights(c))
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads
    assert not a.training


def test_a_cached_network_is_used_again_unless_something_changes(data, tmp_path):
    section = CONFIG.train.model_copy(update={"epochs": 1})
    calls = []

    def run(section=section, seed=1):
        calls.clear()
        return train(section, data, seed, lambda *args: calls.append(args), tmp_path)

    first = run()
    assert [call[:2] for call in calls] == [(1, 1)]
    np.testing.assert_array_equal(weights(run()), weights(first))
    assert calls == []
    run(seed=2)
    assert calls
    run(section.model_copy(update={"label_smoothing": 0.1}))
    assert calls
    for file in os.listdir(tmp_path):
        (tmp_path / file).write_bytes(b"damaged")
    np.testing.assert_array_equal(weights(run()), weights(first))
    assert calls


def test_the_cache_folder_comes_from_the_environment(data, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    train(CONFIG.train.model_copy(update={"epochs": 1}), data, 1)
    assert len(os.listdir(tmp_path / "networks")) == 1


def test_trained_weights_are_the_cells_levels(data, tmp_path):
    """Conversion with the same bits finds every weight on its grid."""
    model = train(CONFIG.train, data, 1, cache=tmp_path)
    chip = spikeloom.compile(model, data.train_images[:200], CONFIG)
    assert chip.passes is not None
    for layer, dense in zip(chip.programmed.layers, chip.passes.normalised.layers, strict=True):
        worst = np.abs(layer.weights.T * layer.scale - dense.weight).max()
        assert worst < (0.3 if layer.name == "layer1" else 1e-3) * layer.scale, layer.name


def test_every_option_changes_the_network(data, tmp_path):
    base = CONFIG.train.model_copy(update={"epochs": 1})
    seen = {weights(train(base, data, 1, cache=tmp_path))[:100].tobytes()}
    changes: list[dict] = [
        {"batch": 32},
        {"learning_rate": 0.02},
        {"weight_decay": 0.5},
        {"dropout": 0.3},
        {"activation": "relu", "activation_levels": 0},
        {"activation_levels": 2},
        {"weight_bits": 0},
        {"weight_noise": 0.2},
        {"augment": "affine"},
        {"label_smoothing": 0.2},
        {"hidden": (16,)},
    ]
    for change in changes:
        seen.add(weights(train(base.model_copy(update=change), data, 1, cache=tmp_path))[:100].tobytes())
    assert len(seen) == 1 + len(changes)


def test_build():
    model = build(TrainSection(hidden=(7, 5), dropout=0.5), 9, 3)
    kinds = [type(module) for module in model]
    assert kinds == [nn.Linear, ClippedReLU, nn.Dropout, nn.Linear, ClippedReLU, nn.Dropout, nn.Linear]
    assert build(TrainSection(hidden=(), activation="relu"), 9, 3)[0].weight.shape == (3, 9)


@pytest.mark.parametrize("shape", [(28, 28), (3, 32, 32)])
def test_augmentation_moves_images_a_little(shape):
    images = torch.zeros((50, *shape))
    images[..., 10:18, 10:18] = 1.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        moved = affine(images.flatten(1), shape).view(50, *shape)
    assert 0.0 <= moved.min() and moved.max() <= 1.0 + 1e-6
    assert not torch.equal(moved, images)
    assert ((moved.flatten(1).sum(1) / images.flatten(1).sum(1) - 1).abs() < 0.5).all()


def test_accuracy_leaves_the_model_in_its_mode(data):
    model = build(CONFIG.train, 64, 10).train()
    assert 0.0 <= torch_accuracy(model, data.test_images, data.test_labels) < 0.5
    assert model.training


def test_the_digits_preset_reaches_its_accuracy(data, tmp_path):
    """Noisy devices cost at most one point, in at most four steps."""
    config = Config.load("digits")
    model = train(config.train, data, config.seed, cache=tmp_path)
    ann = torch_accuracy(model, data.test_images, data.test_labels)
    chip = spikeloom.compile(model, data.train_images[: config.data.calibration_images], config)
    assert all(layer.row_tiles * layer.column_tiles > 1 for layer in chip.parameters.layers)
    result = chip.predict(data.test_images)
    assert ann >= 0.975
    assert result.accuracy(data.test_labels) >= ann - 0.01
    assert result.steps.mean() <= 4.0


@pytest.mark.parametrize("levels", [0, 4])
def test_average_pooling_learns_with_whole_spikes(levels: int) -> None:
    """The last layer shows the averages: rounded to levels in training, with the gradient of those that are not."""
    section = TrainSection(network="3c3-2s-27", pooling="average", activation_levels=levels, weight_bits=0)
    torch.manual_seed(1)
    model = build(section, (8, 8), 27)
    with torch.no_grad():
        model[-1].weight.copy_(torch.eye(27))
        model[-1].bias.zero_()
    x = torch.rand(20, 64)
    exact, rounded = model(x), CellWeights(model, section).forward(x)
    if not levels:
        torch.testing.assert_close(rounded, exact)
        return
    whole = rounded.detach() * levels
    torch.testing.assert_close(whole, whole.round())
    assert 0.4 / levels < (rounded - exact).abs().max() <= 0.5 / levels + 1e-6
    (kernel,) = (layer.weight for layer in model if isinstance(layer, nn.Conv2d))
    torch.testing.assert_close(*(torch.autograd.grad(y.sum(), kernel)[0] for y in (rounded, exact)))
