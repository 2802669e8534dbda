"""Folding keeps the function, and refuses what cannot be folded."""

import numpy as np
import pytest

from spikeloom.hw.params.plan import MapShape
from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.ir.graph import Affine, Graph, Linear, Rectifier
from spikeloom.sw.passes.fold import fold

RNG = np.random.default_rng(1)


def linear(name: str, rows: int, columns: int) -> Linear:
    return Linear(name, RNG.normal(size=(columns, rows)), RNG.normal(size=columns))


def affine(name: str, size: int) -> Affine:
    return Affine(name, RNG.normal(size=size), RNG.normal(size=size))


def run(graph: Graph, x: np.ndarray) -> np.ndarray:
    for node in graph.nodes:
        if isinstance(node, Linear):
            x = x @ node.weight.T + node.bias
        elif isinstance(node, Affine):
            x = x * node.scale + node.shift
        else:
            x = np.clip(x, 0, node.clip)
    return x


def test_batch_norms_anywhere_fold_to_the_same_function():
    nodes = (
        *(affine("n0", 6), affine("n1", 6), linear("a", 6, 5), affine("n2", 5), Rectifier("r1")),
        *(affine("n3", 5), linear("b", 5, 4), Rectifier("r2", 0.8), linear("c", 4, 3), affine("n4", 3)),
    )
    graph = Graph.chain(MapShape(channels=6), nodes)
    network = fold(graph)
    assert [layer.name for layer in network.layers] == ["a", "b", "c"]
    pixels = RNG.integers(0, 256, (40, 6), dtype=np.uint8)
    *_, found = network.activations(pixels)
    np.testing.assert_allclose(found, run(graph, pixels / 255), atol=1e-12)
    np.testing.assert_array_equal(network.classes(pixels, batch=7), found.argmax(axis=1))


BAD = [
    ((linear("a", 3, 3), linear("b", 3, 3)), "^Layers 'a' and 'b' follow one another without a ReLU between them"),
    ((linear("a", 3, 3), affine("n", 3), linear("b", 3, 3)), "^Layers 'a' and 'b' follow one another without"),
    ((linear("a", 3, 3), Rectifier("r"), affine("n", 3)), "^Batch norm 'n' has no Linear layer next to it"),
    ((affine("n", 3), Rectifier("r"), linear("a", 3, 3)), r"^Batch norm 'n' is followed by a ReLU \('r'\) without"),
    (
        (Rectifier("r"), linear("a", 3, 3)),
        "^ReLU 'r' comes before the first layer; pixels are never negative, so remove it$",
    ),
    (
        (linear("a", 3, 3), affine("n", 4)),
        "^Batch norm 'n' of 4 features follows 'a' of 3 outputs; it must have as many, one each$",
    ),
    (
        (affine("n", 4), linear("a", 3, 3)),
        "^Batch norm 'n' of 4 features comes before 'a', which takes 3 values; it must have 3 features$",
    ),
    (
        (linear("a", 3, 3), Rectifier("r"), Rectifier("c", 1.0)),
        "^Layer 'a' has two different rectifiers, 'r' and 'c'; one is supported$",
    ),
]


@pytest.mark.parametrize(("nodes", "sentence"), BAD)
def test_what_cannot_be_folded_is_refused(nodes, sentence):
    with pytest.raises(UnsupportedError, match=sentence):
        fold(Graph.chain(MapShape(channels=3), nodes))


def test_a_relu_twice_is_a_relu():
    assert len(fold(Graph.chain(MapShape(channels=3), (linear("a", 3, 3), Rectifier("r"), Rectifier("s")))).layers) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_norm_of_channels_before_a_dense_layer(channels):
    """The image's pixels are flat for the chip, its batch norm has one number per channel."""
    image = MapShape(channels=channels, height=4, width=2)
    nodes = (affine("n", channels), affine("m", 8 * channels), linear("a", 8 * channels, 5))
    network = fold(Graph.chain(image, nodes))
    pixels = RNG.integers(0, 256, (20, 8 * channels), dtype=np.uint8)
    (first, *rest) = nodes
    x = pixels.reshape(20, channels, 8) / 255 * first.scale[:, None] + first.shift[:, None]
    expected = run(Graph.chain(MapShape(channels=8 * channels), tuple(rest)), x.reshape(20, -1))
    *_, found = network.activations(pixels)
    np.testing.assert_allclose(found, expected, atol=1e-12)
