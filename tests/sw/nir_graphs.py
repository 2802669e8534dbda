"""NIR graphs made by hand, of every kind of node that both sides have."""

from __future__ import annotations

import itertools
from typing import Any

import nir
import numpy as np


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    """Multiples of 1/8, float32."""
    return (np.random.default_rng(seed).integers(-15, 16, shape) / 8).astype(np.float32)


def neurons(*shape: int, threshold: float = 1.0, r: float = 1e4) -> nir.IF:
    return nir.IF(r=np.full(shape, r), v_threshold=np.full(shape, threshold), v_reset=np.zeros(shape))


def leaky(size: int, tau: float) -> nir.LIF:
    zeros = np.zeros(size)
    return nir.LIF(tau=zeros + tau, r=zeros + tau, v_leak=zeros, v_threshold=zeros + 1, v_reset=zeros)


def pool(kind: type, kernel: tuple[int, int], stride: tuple[int, int] | None = None, padding: int = 0) -> Any:
    return kind(kernel_size=np.array(kernel), stride=np.array(stride or kernel), padding=np.array([padding] * 2))


def flat(*shape: int, start: int = 0) -> nir.Flatten:
    return nir.Flatten(input_type={"input": np.array(shape)}, start_dim=start, end_dim=-1)


def conv(size: tuple[int, int], *shape: int, **options: Any) -> nir.Conv2d:
    given = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, "bias": weights(shape[0], seed=9)}
    return nir.Conv2d(input_shape=size, weight=weights(*shape), **{**given, **options})


def graph(nodes: dict[str, Any], *edges: tuple[str, str], chain: bool = True, **options: Any) -> nir.NIRGraph:
    """Nodes in a row, and more edges."""
    names = list(nodes)
    pairs = list(itertools.pairwise(names)) if chain else []
    return nir.NIRGraph(nodes=nodes, edges=[*pairs, *edges], **options)


def ends(image: tuple[int, ...], classes: int, **nodes: Any) -> dict[str, Any]:
    """Nodes between an input and an output."""
    return {
        "input": nir.Input(input_type=np.array(image)),
        **nodes,
        "output": nir.Output(output_type=np.array([classes])),
    }


def dense() -> nir.NIRGraph:
    nodes = ends(
        (12,),
        4,
        a=nir.Affine(weight=weights(9, 12), bias=weights(9)),
        a_if=nir.IF(r=np.full(9, 1e4), v_threshold=np.arange(1.0, 10.0) / 4, v_reset=np.zeros(9)),
        b=nir.Linear(weight=weights(6, 9)),
        b_scale=nir.Scale(scale=np.array([1.0, 0.5, 2.0, 1.0, 0.25, 4.0])),
        b_if=leaky(6, np.inf),
        c=nir.Affine(weight=weights(4, 6) / 3, bias=np.zeros(4, np.float32)),
        c_if=neurons(4, threshold=0.7, r=5e3),
    )
    return graph(nodes, metadata={"author": "me", "version": 3})


def convolutional() -> nir.NIRGraph:
    nodes = ends(
        (2, 9, 8),
        3,
        c1=conv((9, 8), 4, 2, 3, 3, stride=(2, 1), padding=(1, 1)),
        c1_scale=nir.Scale(scale=np.broadcast_to(np.array([1.0, 2.0, 0.5, 1.0])[:, None, None], (4, 5, 8)).copy()),
        c1_if=neurons(4, 5, 8),
        mean=pool(nir.AvgPool2d, (1, 2)),
        c2=conv((5, 4), 5, 4, 2, 2, padding=(0, 0)),
        c2_if=neurons(5, 4, 3, threshold=2.0),
        sums=pool(nir.SumPool2d, (2, 3)),
        flatten=flat(5, 2, 1),
        d=nir.Linear(weight=weights(3, 10)),
        d_if=neurons(3),
    )
    return graph(nodes)


def residual() -> nir.NIRGraph:
    nodes = ends(
        (1, 6, 6),
        3,
        c1=conv((6, 6), 3, 1, 3, 3, padding=(1, 1)),
        n1=neurons(3, 6, 6),
        c2=conv((6, 6), 3, 3, 3, 3, padding=(1, 1)),
        n2=neurons(3, 6, 6),
        c3=conv((6, 6), 4, 3, 3, 3, stride=(2, 2), padding=(1, 1)),
        n3=neurons(4, 3, 3),
        flatten=flat(4, 3, 3),
        d=nir.Affine(weight=weights(3, 36), bias=weights(3)),
        d_if=neurons(3),
        short=conv((6, 6), 4, 3, 1, 1, stride=(2, 2)),
    )
    names = ["input", "c1", "n1", "c2", "n2", "c3", "n3", "flatten", "d", "d_if", "output"]
    chain = list(itertools.pairwise(names))
    return graph(nodes, *chain, ("n1", "n2"), ("n2", "short"), ("short", "n3"), chain=False)


GRAPHS = {"dense": dense, "convolutional": convolutional, "residual": residual}
