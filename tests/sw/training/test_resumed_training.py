"""Training that was interrupted, and training in bfloat16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.frontend.clipped_relu import ClippedReLU
from spikeloom.sw.frontend.plain_torch import torch_accuracy
from spikeloom.sw.training import fit as fit_module
from spikeloom.sw.training.training import train

SECTION = TrainSection(network="4c3-2s-20-10", batch_norm=True, epochs=3, batch=128, dropout=0.2)
KINDS: list[dict[str, Any]] = [
    {},
    {"optimiser": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4},
    {"precision": "bfloat16", "activation_levels": 8},
]


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_data("digits")


def weights(model: nn.Module) -> np.ndarray[Any, Any]:
    return np.concatenate([value.detach().float().numpy().ravel() for value in model.state_dict().values()])


@pytest.mark.parametrize("changes", KINDS)
def test_a_resumed_training_gives_the_same_network(
    changes: dict[str, Any], data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = SECTION.model_copy(update=changes)
    whole = train(section, data, 1, cache=tmp_path / "whole")
    assert not list((tmp_path / "whole").glob("*.checkpoint"))
    monkeypatch.setattr(fit_module, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(fit_module.fit, "__defaults__", (0.0,))
    seen: list[int] = []

    def stop(done: int, total: int, text: str) -> None:
        seen.append(done)
        if done == 2:
            raise Interrupted

    cache = tmp_path / "parts"
    with pytest.raises(Interrupted):
        train(section, data, 1, stop, cache)
    assert seen == [1, 2] and len(list(cache.glob("*.checkpoint"))) == 1
    seen.clear()
    resumed = train(section, data, 1, lambda done, total, text: seen.append(done), cache)
    assert seen == [3] and not list(cache.glob("*.checkpoint"))
    np.testing.assert_array_equal(weights(resumed), weights(whole))


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_not_used(content: bytes, data: Dataset, tmp_path: Path) -> None:
    section = SECTION.model_copy(update={"epochs": 1})
    whole = train(section, data, 1, cache=tmp_path)
    (file,) = tmp_path.glob("*.safetensors")
    file.unlink()
    file.with_suffix(".checkpoint").write_bytes(content)
    seen: list[int] = []
    anew = train(section, data, 1, lambda done, total, text: seen.append(done), tmp_path)
    assert seen == [1]
    np.testing.assert_array_equal(weights(anew), weights(whole))


def test_bfloat16_and_gradient_descent_learn(data: Dataset, tmp_path: Path) -> None:
    changes = {"precision": "bfloat16", "optimiser": "sgd", "learning_rate": 0.1, "epochs": 12, "dropout": 0.0}
    model = train(SECTION.model_copy(update=changes), data, 1, cache=tmp_path)
    assert all(value.dtype in (torch.float32, torch.int64) for value in model.state_dict().values())
    assert torch_accuracy(model, data.test_images, data.test_labels) > 0.9


@pytest.mark.parametrize("levels", [1, 3, 4, 7, 16])
def test_levels_in_bfloat16_are_those_of_float32(levels: int) -> None:
    """Of inputs at which bfloat16 does not round to another level; gradients pass inside of the range only."""
    layer = ClippedReLU(1.0, levels)
    values = (torch.arange(-3, 3 * levels + 4) / (3 * levels)).repeat_interleave(2)
    x = values.to(torch.bfloat16).requires_grad_()
    y = layer(x)
    y.sum().backward()
    assert y.dtype == torch.bfloat16 and x.grad is not None
    kept = ((values * levels - 0.5) % 1.0 - 0.5).abs() < 0.4  # away from the middle between two levels
    expected = ClippedReLU(1.0, levels)(values).to(torch.bfloat16)
    torch.testing.assert_close(y[kept], expected[kept], rtol=2**-7, atol=0.0)
    inside = (values > 0.02) & (values < 0.98)
    assert (x.grad[inside] == 1.0).all() and (x.grad[(values < -0.01) | (values > 1.01)] == 0.0).all()
    assert kept.sum() > 3
