"""A network as a NIR graph: one that came from NIR, as it was, or a chip's, with its integer weights.

What NIR leaves open (reset, threshold, seconds per step) is written as metadata of the graph, which `sw.nir.reader`
reads; where membranes start is written there too, which other programs do not read. What NIR does not have raises
`UnsupportedError`: max pooling, phases, leaks by shifts, limits of the membrane.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import Reset
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer
from spikeloom.sw.common.errors import ArgumentTypeError, UnsupportedError
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.ir.graph import Add, AveragePool, Convolution, Graph, Neurons
from spikeloom.sw.ir.graph_builder import GraphBuilder, Value
from spikeloom.sw.nir.file import writable_nir
from spikeloom.sw.nir.nodes import nir_node
from spikeloom.sw.nir.reader import DT, OPEN, NirModel

if TYPE_CHECKING:
    from spikeloom.sw.config.config import Config

__all__ = ["check_expressible", "chip_to_nir", "to_nir", "write_nir"]

Shape = tuple[int, ...]

_ABSENT = {
    "phases": ("phases", "[coding] phases 1"),
    "leak": ("neurons that leak", "[neuron] leak 0"),
    "clip": ("limits of the membrane", "[neuron] clip 0.0"),
    "no_reset": ("neurons without a reset", "[neuron] reset and output_reset 'subtract', or both 'zero'"),
    "resets": ("layers with different resets", "[neuron] reset and output_reset 'subtract', or both 'zero'"),
    "replicas": ("replicas of a crossbar whose neurons differ", "[crossbar] replicas 1"),
}
"""What a chip may have and NIR does not, and how to make a chip without."""


def to_nir(model: NirModel) -> Any:
    """The `nir.NIRGraph` of a network of spiking neurons; node for node the one it was read from.

    Numbers are float32 where that holds them exactly, else float64.
    """
    import nir

    graph = model.graph
    first, last = model.ends
    names: dict[int, tuple[str, ...]] = {0: (first,)}
    nodes: dict[str, Any] = {first: nir.Input(input_type=np.array(graph.input_shape))}
    edges: list[tuple[str, str]] = []
    shapes: list[Shape] = [graph.input_shape]
    for number, (node, sources) in enumerate(zip(graph.nodes, graph.sources, strict=True), 1):
        read = tuple(name for source in sources for name in names[source])
        shapes.append(node.makes(shapes[sources[0]]))
        if isinstance(node, Add):  # no node of its own: who reads the sum reads both
            names[number] = read
            continue
        nodes[node.name] = nir_node(node, shapes[sources[0]])
        edges += [(name, node.name) for name in read]
        names[number] = (node.name,)
    nodes[last] = nir.Output(output_type=np.array(shapes[-1]))
    edges += [(name, last) for name in names[len(graph.nodes)]]
    seconds = {node.dt for node in graph.nodes if isinstance(node, Neurons)}
    for name, node in nodes.items():
        node.metadata = dict(model.notes.get(name, {}))
    metadata = {name: value for name, value in model.notes.get("", {}).items() if name not in OPEN}
    metadata |= {"reset": model.reset, "threshold": model.threshold, "dt": seconds.pop() if seconds else DT}
    if model.start:
        metadata["start"] = model.start
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata, type_check=_checkable(graph))


def _checkable(graph: Graph) -> bool:
    """Whether nir's own check of types understands it: it takes every kernel for a square, and wants a threshold for
    every neuron.
    """
    square = all(len(set(node.weight.shape[2:])) == 1 for node in graph.nodes if isinstance(node, Convolution))
    return square and all(node.threshold.ndim in (1, 3) for node in graph.nodes if isinstance(node, Neurons))


def write_nir(network: NirModel | ProgrammedChip, path: str | os.PathLike[str], start: float = 0.0) -> Path:
    """Write a network as a NIR file, whole or not at all; `spikeloom.write_nir` takes a `Chip`.

    network : one from `read_nir`, as it was; or a chip, as integers without what cells and converters do to them
    start : of a chip, see `chip_to_nir`

    Raises `UnsupportedError` for what NIR cannot express, `FileError` if the file cannot be written, or one of
    another kind would be lost.
    """
    import nir

    place = writable_nir(path)
    if isinstance(network, NirModel):
        graph = to_nir(network)
    elif isinstance(network, ProgrammedChip):
        graph = chip_to_nir(network, start)
    else:
        raise ArgumentTypeError(f"A NIR file is written of a chip or a NirModel, not of {type(network).__name__}")
    buffer = io.BytesIO()
    nir.write(buffer, graph)
    write_atomic(place, buffer.getvalue())
    return place


def chip_to_nir(chip: ProgrammedChip, start: float = 0.0) -> Any:
    """The `nir.NIRGraph` of a chip with ideal cells and converters: integer weights, thresholds in conductance steps.

    start : where the configuration has membranes start, thresholds

    Raises `UnsupportedError`, with the field or stage, for what NIR does not have.
    """
    plan, first = chip.parameters.plan, chip.layers[0]
    _check(
        phases=chip.parameters.phases != 1,
        leak=any(layer.leak for layer in chip.layers),
        clip=any(layer.clip for layer in chip.layers),
        no_reset=any(layer.reset == Reset.NONE for layer in chip.layers),
        resets=any(layer.reset != first.reset for layer in chip.layers),
        replicas=_replicas_differ(chip),
    )
    threshold = _threshold(chip, start)
    shape = (plan.input.channels, plan.input.height, plan.input.width)
    build = GraphBuilder(shape)
    maps = [Value(0, shape if plan.input.positions > 1 else (plan.input.channels,))]
    for number, stage in enumerate(plan.stages):
        if isinstance(stage, CrossbarStage):
            maps.append(_layer(build, stage, chip.layers[stage.layer], maps, plan.maps))
        elif isinstance(stage, AveragePoolStage):
            maps.append(_pool(build, stage, number, first.reset, maps, start, threshold))
        else:
            raise UnsupportedError(
                f"Stage {number} of the chip is {stage.title}, which NIR does not have; a network with average "
                "pooling, or with strides, can be written"
            )
    reset: Literal["zero", "subtract"] = "subtract" if first.reset == Reset.SUBTRACT else "zero"
    return to_nir(NirModel(build.graph(maps[-1]), reset, threshold, start=start))


def check_expressible(config: Config) -> None:
    """Raise `UnsupportedError` as `write_nir` would for a chip of this configuration, as far as its fields alone say
    it: whether `neuron.reset` is in use depends on the network.
    """
    _check(
        phases=config.coding.phases != 1,
        leak=config.neuron.leak > 0,
        clip=config.neuron.clip > 0.0,
        no_reset=config.neuron.output_reset == "none",
    )


def _check(**found: bool) -> None:
    """Raise `UnsupportedError` for any of `_ABSENT` that is found."""
    for name, (what, remedy) in _ABSENT.items():
        if found.get(name):
            raise UnsupportedError(f"The chip has {what}, which NIR does not have; compile it with {remedy}")


def _replicas_differ(chip: ProgrammedChip) -> bool:
    """Whether replicas have biases, thresholds or starts of their own, so that they are not one layer of NIR."""
    firsts = (chip.layers[placement.stage.layer] for placement in chip.parameters.plan.placements)
    return any(
        (layer.theta, layer.v0) != (first.theta, first.v0) or bool(np.any(layer.bias != first.bias))
        for layer, first in zip(chip.layers, firsts, strict=True)
    )


def _threshold(chip: ProgrammedChip, start: float) -> Literal["above", "at"]:
    """Whether neurons fire at their threshold, or above it, which they do if all membranes start one step lower.

    Raises `UnsupportedError` for layers that start anywhere else, as after the tuning of thresholds.
    """
    late = {round(start * layer.theta) - layer.v0 for layer in chip.layers}
    if late == {0}:
        return "at"
    if late == {1} and all(layer.reset == Reset.SUBTRACT for layer in chip.layers):
        return "above"
    odd = next(layer for layer in chip.layers if layer.v0 != round(start * layer.theta))
    raise UnsupportedError(
        f"Layer '{odd.name}' starts at {odd.v0} conductance steps, which is not {start!r} of its threshold of "
        f"{odd.theta} like the other layers' starts; NIR has no membranes that start elsewhere, so compile the chip "
        "with [convert] tune false"
    )


def _layer(
    build: GraphBuilder, stage: CrossbarStage, layer: ProgrammedLayer, maps: list[Value], shapes: tuple[MapShape, ...]
) -> Value:
    """The windows of a crossbar as layers that are added up, and its neurons."""
    rows, total = 0, None
    for index, window in enumerate(stage.windows):
        shape = shapes[window.source]
        name = layer.name if index == 0 else f"{layer.name}:{index}"
        weight = layer.weights[rows : rows + window.rows(shape)].astype(np.float64)
        rows += window.rows(shape)
        bias = layer.bias.astype(np.float64) if index == 0 else np.zeros(len(layer.bias))
        x = _window(build, name, window, weight, bias, maps[window.source], shape)
        total = x if total is None else build.add(f"{layer.name}+{index}", f"Layer '{layer.name}'", total, x)
    assert total is not None
    return build.neurons(total, _neurons(f"{layer.name}.neurons", layer.theta, total))


def _window(
    build: GraphBuilder, name: str, window: Window, weight: NDArray[np.float64], bias: NDArray[np.float64], x: Value,
    shape: MapShape,
) -> Value:  # fmt: skip
    kernel = weight.reshape(*window.kernel, shape.channels, len(bias)).transpose(3, 2, 0, 1)
    whole = window.kernel == (shape.height, shape.width) and window.padding == (0, 0)
    if not whole:
        return build.convolution(name, f"Layer '{name}'", x, kernel, bias, window.stride, window.padding)
    if x.shape is not None and len(x.shape) > 1:
        x = build.flatten(x, f"{name}.flatten")
    flat = np.ascontiguousarray(kernel.reshape(len(bias), -1))
    return build.linear(name, f"Layer '{name}'", x, flat, bias if bias.any() else None)


def _pool(
    build: GraphBuilder,
    stage: AveragePoolStage,
    number: int,
    reset: Reset,
    maps: list[Value],
    start: float,
    threshold: str,
) -> Value:
    """Average pooling on spikes is a sum, and a neuron whose threshold is the number of values."""
    size = stage.window.size
    for what, found, remedy in (
        (
            f"average pooling whose sums start at {stage.start} of {size}",
            stage.start != round(start * size),
            "compile it with [neuron] v0 0.5",
        ),
        (
            "average pooling, which fires at its threshold, beside neurons that fire above theirs",
            threshold != "at",
            'read the network with spikeloom.read_nir(..., threshold="at")',
        ),
        (
            "average pooling, which subtracts, beside neurons that reset to 0",
            reset != Reset.SUBTRACT,
            "compile it with [neuron] reset and output_reset 'subtract'",
        ),
    ):
        if found:
            raise UnsupportedError(f"Stage {number} of the chip is {what}, which NIR does not have; {remedy}")
    name = f"pool{number}"
    x = build.pool(f"Stage {number}", maps[stage.window.source], AveragePool(name, stage.window.kernel, total=True))
    return build.neurons(x, _neurons(f"{name}.neurons", size, x))


def _neurons(name: str, threshold: float, x: Value) -> Neurons:
    """Neurons that are all alike, one for every value."""
    assert x.shape is not None
    return Neurons(name, np.full(x.shape, 1.0 / DT), np.full(x.shape, float(threshold)), DT)
