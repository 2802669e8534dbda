"""What a NIR graph has and the chip does not: a sentence with the node's name, before anything else happens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import pytest

import spikeloom
from spikeloom.sw.common.errors import UnsupportedError, WeightError
from tests.fixtures.nir_graphs import conv, dense, ends, flat, graph, leaky, neurons, pool, weights

Make = Callable[[], nir.NIRGraph]


def changed(node: str, **values: Any) -> nir.NIRGraph:
    """The dense graph with other values in a node."""
    given = dense()
    for name, value in values.items():
        setattr(given.nodes[node], name, value)
    return given


def one(image: tuple[int, ...], node: Any, *after: Any) -> nir.NIRGraph:
    """A graph with this node `x`, and others behind it, between input and output, unchecked."""
    rest = {f"x{number}": other for number, other in enumerate(after)}
    return graph(ends(image, 3, x=node, **rest), type_check=False)


def of(chains: str, **nodes: Any) -> nir.NIRGraph:
    """A graph with edges such as "input a n output, a m", unchecked; a and b are layers, m and n neurons."""
    nodes = {"a": layer(), "b": layer(), "m": neurons(4), "n": neurons(4), **nodes}
    pairs = [pair for chain in chains.split(",") for pair in zip(chain.split(), chain.split()[1:], strict=False)]
    used = {name: node for name, node in nodes.items() if any(name in pair for pair in pairs)}
    return graph(ends((12,), 4, **used), *pairs, chain=False, type_check=False)


def layer(outputs: int = 4) -> nir.Affine:
    return nir.Affine(weight=weights(outputs, 12), bias=weights(outputs))


def map8(*shape: int, **options: Any) -> nir.NIRGraph:
    """A convolution of maps of 4 x 8 x 8."""
    return one((4, 8, 8), conv((8, 8), *shape, **options), neurons(4, 6, 6))


def conv1() -> nir.Conv1d:
    return nir.Conv1d(
        input_shape=8, weight=weights(3, 4, 3), stride=1, padding=0, dilation=1, groups=1, bias=weights(3)
    )


def cuba() -> nir.CubaLIF:
    ones, zeros = np.ones(3), np.zeros(3)
    return nir.CubaLIF(tau_mem=ones, tau_syn=ones, r=ones, v_leak=zeros, v_threshold=ones, v_reset=zeros, w_in=ones)


def uneven() -> nir.IF:
    shape = (1, 3, 3)
    return nir.IF(r=np.ones(shape), v_threshold=1 + np.arange(9.0).reshape(shape), v_reset=np.zeros(shape))


def no_output() -> nir.NIRGraph:
    nodes = {"input": nir.Input(input_type=np.array([3])), "n": neurons(3)}
    return nir.NIRGraph(nodes=nodes, edges=[("input", "n")], type_check=False)


IMAGE = (1, 8, 8)
BAD: dict[str, Make] = {
    "Node 'x' (Conv2d) has 4 groups and dilation (1, 1); only 1 is": lambda: map8(4, 1, 3, 3, groups=4),
    "Node 'x' (Conv2d) has 1 groups and dilation (2, 2); only 1 is": lambda: map8(4, 4, 3, 3, dilation=(2, 2)),
    "Node 'x' (Conv2d) has padding 'same' with a kernel of (2, 2)": lambda: map8(4, 4, 2, 2, padding="same"),
    "Node 'x' (Conv2d) has 3 input channels, but gets 4": lambda: map8(4, 3, 3, 3),
    "Node 'x' (Conv2d) cannot be mapped: A window of (9, 9) does not": lambda: map8(4, 4, 9, 9),
    "Node 'x' (Conv2d) needs maps of channels x height x width, but gets 12": lambda: one(
        (12,), conv((8, 8), 4, 4, 3, 3)
    ),
    "Node 'x' (Conv1d) is not supported; supported are Input, Output, Linear, Aff": lambda: one((4, 8), conv1()),
    "Node 'x' (LIF) leaks; only IF, and LIF with an infinite tau and r": lambda: one((3,), leaky(3, 0.1)),
    "Node 'x' (LI) is not supported; supported are": lambda: one(
        (3,), nir.LI(tau=np.ones(3), r=np.ones(3), v_leak=np.zeros(3))
    ),
    "Node 'x' (CubaLIF) is not supported; supported are": lambda: one((3,), cuba()),
    "Node 'x' (Threshold) is not supported; supported are": lambda: one((3,), nir.Threshold(threshold=np.ones(3))),
    "Node 'x' (Delay) is not supported; supported are": lambda: one((3,), nir.Delay(delay=np.ones(3))),
    "Node 'x' (NIRGraph) is not supported; supported are": lambda: one((3,), graph(ends((3,), 3, n=neurons(3)))),
    "Node 'a' (Affine) has 12 inputs, but gets 13 values": lambda: changed(
        "input", input_type={"input": np.array([13])}
    ),
    "Node 'a' (Affine) has a weight of shape (2, 3, 12); it must": lambda: changed("a", weight=weights(2, 3, 12)),
    "Node 'a' (Affine) has a bias of shape (8,), but 9 outputs": lambda: changed("a", bias=weights(8)),
    "Node 'b_scale' (Scale) has 5 features, but gets 6 values": lambda: changed("b_scale", scale=np.ones(5)),
    "Node 'x' (Scale) scales positions of a map differently; only channels": lambda: one(
        (1, 2, 2), nir.Scale(scale=weights(1, 2, 2))
    ),
    "Node 'c_if' (IF) resets to [0.5]; only 0 is supported": lambda: changed("c_if", v_reset=np.full(4, 0.5)),
    "Node 'c_if' (IF) has 3 resistances, but 4 thresholds": lambda: changed("c_if", r=np.ones(3)),
    "'c_if' has 5 neurons, but gets 4 values": lambda: changed("c_if", r=np.ones(5), v_threshold=np.ones(5)),
    "Neurons 'x0' differ within a channel; where a kernel is used at every": lambda: one(
        (1, 3, 3), conv((3, 3), 1, 1, 1, 1), uneven()
    ),
    "Node 'x' (AvgPool2d) has windows of (3, 3) with stride (2, 2) and padding (0, 0); the": lambda: one(
        IMAGE, pool(nir.AvgPool2d, (3, 3), (2, 2))
    ),
    "Node 'x' (SumPool2d) has windows of (2, 2) with stride (2, 2) and padding (1, 1); the": lambda: one(
        IMAGE, pool(nir.SumPool2d, (2, 2), padding=1)
    ),
    "Node 'x' (SumPool2d) cannot be mapped: A window of (9, 9) does not fit": lambda: one(
        IMAGE, pool(nir.SumPool2d, (9, 9))
    ),
    "Node 'x' (Flatten) must flatten all dimensions (start_dim 0, end_dim -1), not 1 to -1": lambda: one(
        IMAGE, flat(*IMAGE, start=1)
    ),
    "Node 'input' (Input) has shape (1, 4, 8, 8); one to three sizes": lambda: one((1, 4, 8, 8), neurons(4)),
    "Node 'b' (Affine) follows 'a' without spiking neurons between them": lambda: of("input a b output", a=layer(12)),
    "Node 'output' (Output) reads 'a'; it must read one layer of spiking": lambda: of("input a output"),
    "Node 'output' (Output) reads 'm' and 'n'; it must read one": lambda: of("input a m output, input b n output"),
    "Node 'a' (Affine) is read by 'm' and 'n'; only the spikes of neurons": lambda: of("input a m, a n output"),
    "The join before node 'n' adds 4 flat values from 'a' and 12 flat values (the images); both": lambda: of(
        "input a n output, input n"
    ),
    "The NIR graph has a loop at node 'a'; recurrence is not supported": lambda: of("input a n output, n a"),
    "The NIR graph has the edge from 'input' to 'a' more than once": lambda: of("input a n output, input a"),
    "The NIR graph has an edge from 'a' to 'z', but no node 'z'": lambda: of("input a z, a n output"),
    "Node 'b' (Affine) reads nothing; only the one Input does": lambda: of("input a n output, b n"),
    "What 'm' computes is not used; take it out of the model": lambda: of("input a n output, n m"),
    "The NIR graph has 2 Input nodes; one is": lambda: of("input a n output, b m", b=nir.Input(np.array([4]))),
    "The NIR graph has 0 Output nodes; one is supported": no_output,
    "The model has no Linear or Conv2d layer": lambda: one((3,), neurons(3)),
}  # fmt: skip


@pytest.mark.parametrize("sentence", BAD)
def test_what_the_chip_does_not_have_is_named(sentence: str) -> None:
    with pytest.raises(UnsupportedError, match="^" + re.escape(sentence)):
        spikeloom.read_nir(BAD[sentence]())


@pytest.mark.parametrize(
    ("node", "values", "sentence"),
    [
        ("a", {"weight": np.full((9, 12), np.nan)}, "Node 'a' (Affine) has numbers in its weight that are NaN or inf"),
        ("a", {"bias": np.full(9, np.inf)}, "Node 'a' (Affine) has numbers in its bias that are NaN or infinite"),
        ("c_if", {"r": np.full(4, np.inf)}, "Node 'c_if' (IF) has numbers in its r that are NaN or infinite"),
        ("c_if", {"v_threshold": np.zeros(4)}, "Node 'c_if' (IF) must have thresholds and resistances above 0"),
        ("c_if", {"r": -np.ones(4)}, "Node 'c_if' (IF) must have thresholds and resistances above 0"),
    ],
)
def test_numbers_that_are_none_are_named(node: str, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WeightError, match="^" + re.escape(sentence)):
        spikeloom.read_nir(changed(node, **values))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"reset": "half"}, "reset must be 'zero' or 'subtract', not 'half'"),
        ({"threshold": "over"}, "threshold must be 'above' or 'at', not 'over'"),
        ({"dt": 0.0}, "dt must be a positive number of seconds, not 0.0"),
        ({"dt": "fast"}, "dt must be a positive number of seconds, not 'fast'"),
        ({"start": 1.5}, "start must be 0 .. 1 thresholds, not 1.5"),
    ],
)
def test_options_that_are_none_are_named(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(sentence) + "$"):
        spikeloom.read_nir(dense(), **options)
    given = dense()
    given.metadata = options
    with pytest.raises(ValueError, match="^" + re.escape(sentence) + "$"):
        spikeloom.read_nir(given)
