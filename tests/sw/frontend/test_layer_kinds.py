"""Kinds of layers: docs/extending.md, "A layer that folds away", as it stands, and what the registry takes."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

import spikeloom
from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.frontend.layer_kind import LayerKind
from spikeloom.sw.frontend.layer_kinds import LAYERS, register_layer
from spikeloom.sw.frontend.torch_modules import import_torch
from spikeloom.sw.ir.graph import GraphNode, MaxPool
from spikeloom.sw.passes.fold import FOLDS, fold
from tests.fixtures.guide import guide_blocks, module_in
from tests.fixtures.models import make_images

CODE, ENTRY_POINT = guide_blocks("A layer that folds away")


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The guide's module, which can be imported."""
    with module_in(tmp_path_factory.mktemp("outside"), "my_layers", CODE) as module:
        yield module


@pytest.fixture
def registered(layers: ModuleType) -> Iterator[ModuleType]:
    before = list(LAYERS)
    layers.register()
    try:
        yield layers
    finally:
        for kind in list(LAYERS):
            if kind not in before:
                LAYERS.unregister(kind)


def model(layers: ModuleType) -> nn.Sequential:
    torch.manual_seed(1)
    gain = layers.Gain(6)
    with torch.no_grad():
        gain.factor.copy_(torch.linspace(0.5, 2.0, 6))
    return nn.Sequential(nn.Linear(12, 6), gain, nn.ReLU(), nn.Linear(6, 4)).double()


def test_a_module_of_a_users_own_folds_away(registered: ModuleType) -> None:
    given, images = model(registered), make_images(20, 12)
    network = fold(import_torch(given))
    assert [stage.name for stage in network.stages] == ["0", "3"]
    expected = given(torch.from_numpy(images).double() / 255.0).detach().numpy()
    np.testing.assert_allclose(network.outputs(images), expected, rtol=1e-12)
    chip = spikeloom.compile(given.float(), images, "tiny")
    assert len(chip.parameters.layers) == 2
    assert LAYERS.supported.startswith("Linear, Conv2d, ReLU, ") and ", Gain, and their" in LAYERS.supported
    registered.register()  # once more is no second one
    assert [type(kind).__name__ for kind in LAYERS].count("GainLayer") == 1


def test_without_the_kind_its_module_is_an_error(layers: ModuleType) -> None:
    with pytest.raises(UnsupportedError, match=r"Operation 'mul' \(node 'mul', in module '1'\) is not supported"):
        import_torch(model(layers))


def test_what_cannot_be_registered() -> None:
    class Other(LayerKind):
        modules = (nn.ReLU,)

    with pytest.raises(ValueError, match="The layer kind Other is for 'ReLU', as PlainRectifier is; give it others"):
        register_layer(Other())


def test_the_list_for_users() -> None:
    assert LAYERS.supported == (
        "Linear, Conv2d, ReLU, ClippedReLU, BatchNorm1d, BatchNorm2d, AvgPool2d, MaxPool2d, AdaptiveAvgPool2d, "
        "Flatten, Unflatten, Dropout, Dropout2d, Identity, additions, and their functional forms"
    )


def kinds_of(node: type[GraphNode]) -> set[type[GraphNode]]:
    """The kinds of nodes: classes of the graph that nothing is derived from."""
    derived = node.__subclasses__()
    return set().union(*map(kinds_of, derived)) if derived else {node}


def test_every_kind_of_node_has_a_rule_of_folding(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kinds_of(GraphNode) == set(FOLDS)
    monkeypatch.delitem(FOLDS, MaxPool)
    graph = import_torch(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2)), (1, 8, 8))
    with pytest.raises(UnsupportedError, match=r"^'2' is a MaxPool, which has no rule of folding; add one to sw\.pass"):
        fold(graph)


def test_an_installed_package_registers_by_its_entry_point() -> None:
    assert ENTRY_POINT == '[project.entry-points."spikeloom.layers"]\ngain = "my_layers:register"\n'
    assert LAYERS.group == "spikeloom.layers"
