"""From a graph of NIR (Neuromorphic Intermediate Representation, Pedersen et al., Nature Communications 2024) to ours.

Supported are the nodes that `sw.nir.nodes.SUPPORTED` names, edges that branch and edges that join (their values add
up). Anything else raises `UnsupportedError` with the node's name.

NIR describes spiking neurons, so nothing is normalised: the weights are taken in units of the thresholds as they are.
What NIR leaves open is said by the file's own metadata (ours has it), or by the caller: seconds per step, whether a
spike takes the membrane to zero, as NIR's equation has it, or the threshold away, whether a neuron fires above its
threshold, as in NIR's equation, or at it, and where membranes start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from spikeloom.sim.common.arguments import is_number
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import SpikeLoomError, UnsupportedError
from spikeloom.sw.common.files import as_path
from spikeloom.sw.ir.graph import Graph, Neurons
from spikeloom.sw.ir.graph_builder import GraphBuilder, Value
from spikeloom.sw.nir.file import read_graph
from spikeloom.sw.nir.nodes import NODES, SUPPORTED

__all__ = ["DT", "OPEN", "UNTIMED", "NirModel", "read_nir"]

DT = 1e-4
"""Seconds per step, which the libraries that write NIR agree on."""
UNTIMED = "whose neurons (LIF that do not leak) add up currents step by step, whatever a step's length"
"""Why seconds per step change nothing, a clause."""
OPEN = ("reset", "threshold", "dt", "start")
"""Keys of a graph's metadata that say what NIR leaves open."""


@dataclass(frozen=True, eq=False)
class NirModel:
    """A network of spiking neurons from NIR, for `spikeloom.compile`.

    Parameters
    ----------
    graph : operations and neurons
    reset : what follows a spike: V is set to 0, or loses the threshold
    threshold : whether V fires "above" or "at" its threshold
    ends : names of the Input and the Output
    start : V at an image's start, thresholds
    notes : metadata of nodes by their names, and of the graph under the name "", which is passed on as it is
    """

    graph: Graph
    reset: Literal["zero", "subtract"]
    threshold: Literal["above", "at"]
    ends: tuple[str, str] = ("input", "output")
    start: float = 0.0
    notes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    __repr__ = short_repr

    @property
    def integrates(self) -> bool:
        """Whether its neurons integrate over seconds: IF do; LIF without a leak add up their input, step by step."""
        return any(isinstance(node, Neurons) and node.form == "IF" for node in self.graph.nodes)


def read_nir(
    source: Any,
    dt: float | None = None,
    reset: Literal["zero", "subtract"] | None = None,
    threshold: Literal["above", "at"] | None = None,
    start: float | None = None,
) -> NirModel:
    """A network from a NIR file or an `nir.NIRGraph`.

    Parameters
    ----------
    source : path of a file (HDF5), or the graph
    dt : seconds per step, which currents are integrated over; the file's, or 1e-4. Only for a graph with IF neurons
    reset, threshold : as in `NirModel`; the file's, or NIR's own equation: "zero" and "above"
    start : V at an image's start, thresholds, 0 .. 1; the file's, or 0

    Raises `FileError` for a file that cannot be read, `UnsupportedError` for what the chip does not have, `WeightError`
    for numbers that are not finite, or thresholds that are not positive, `ValueError` for arguments out of range, and
    for a `dt` that would change nothing.
    """
    import nir

    graph = source if isinstance(source, nir.NIRGraph) else read_graph(as_path(source, "NIR file"))
    notes = {name: _notes(node) for name, node in [("", graph), *graph.nodes.items()]}
    given = {"dt": dt, "reset": reset, "threshold": threshold, "start": start}
    values: dict[str, Any] = {"dt": DT, "reset": "zero", "threshold": "above", "start": 0.0}
    values |= {name: value for name, value in notes[""].items() if name in OPEN}
    values |= {name: value for name, value in given.items() if value is not None}
    for name, allowed in (("reset", ("zero", "subtract")), ("threshold", ("above", "at"))):
        if values[name] not in allowed:
            raise SpikeLoomError(f"{name} must be '{allowed[0]}' or '{allowed[1]}', not {values[name]!r}")
    if not 0.0 < _number(values["dt"]) < float("inf"):
        raise SpikeLoomError(f"dt must be a positive number of seconds, not {values['dt']!r}")
    if not 0.0 <= _number(values["start"]) <= 1.0:
        raise SpikeLoomError(f"start must be 0 .. 1 thresholds, not {values['start']!r}")
    importer = _Importer(graph, _number(values["dt"]))
    found = importer.run()
    model = NirModel(found, values["reset"], values["threshold"], importer.ends, _number(values["start"]), notes)
    if dt is not None and not model.integrates:
        raise SpikeLoomError(f"dt must be left out for this network, {UNTIMED}, not {dt!r}")
    return model


def _notes(node: Any) -> dict[str, Any]:
    """Metadata; h5py has texts as bytes, and numbers as NumPy's."""
    plain = {}
    for name, value in (node.metadata if isinstance(node.metadata, dict) else {}).items():
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        plain[name] = value.item() if isinstance(value, np.generic) else value
    return plain


def _number(value: Any) -> float:
    """NaN for what is no number."""
    return float(value) if is_number(value) else float("nan")


@dataclass(frozen=True)
class _Read:
    """What a node gives: a value, and the layer whose currents it carries if no neurons have made spikes of them."""

    value: Value
    layer: str | None = None


class _Importer:
    """Walks the nodes in an order in which each comes after what it reads."""

    def __init__(self, graph: Any, dt: float) -> None:
        self.graph, self.dt = graph, dt
        edges = [(str(a), str(b)) for a, b in graph.edges]
        for a, b in edges:
            for name in (a, b):
                if name not in graph.nodes:
                    raise UnsupportedError(f"The NIR graph has an edge from '{a}' to '{b}', but no node '{name}'")
            if edges.count((a, b)) > 1:
                raise UnsupportedError(f"The NIR graph has the edge from '{a}' to '{b}' more than once")
        self.sources = {name: [a for a, b in edges if b == name] for name in graph.nodes}
        self.readers = {name: [b for a, b in edges if a == name] for name in graph.nodes}
        self.ends = self._end("Input"), self._end("Output")

    def run(self) -> Graph:
        first, last = self.ends
        shape = tuple(int(n) for n in np.asarray(self.graph.nodes[first].input_type["input"]).reshape(-1))
        if not 1 <= len(shape) <= 3 or min(shape) < 1:
            raise UnsupportedError(
                f"Node '{first}' (Input) has shape {shape}; one to three sizes of at least 1 are supported, such as "
                "(channels, height, width), without a batch"
            )
        build = GraphBuilder(shape)
        given = {first: _Read(Value(0, shape))}
        for name in self._order():
            if name == first:
                continue
            node = self.graph.nodes[name]
            where = f"Node '{name}' ({type(node).__name__})"
            if not self.sources[name]:
                raise UnsupportedError(f"{where} reads nothing; only the one Input does")
            x = self._joined(build, name, [given[source] for source in self.sources[name]])
            if name == last:
                if not self._is_neurons(self.sources[name]):
                    raise UnsupportedError(
                        f"{where} reads {_quoted(self.sources[name])}; it must read one layer of spiking neurons (IF), "
                        "whose spikes are counted"
                    )
                return build.graph(x.value)
            given[name] = self._node(build, name, where, x, node)
            if given[name].layer is not None and len(self.readers[name]) > 1:
                raise UnsupportedError(
                    f"{where} is read by {_quoted(self.readers[name])}; only the spikes of neurons can branch"
                )
        raise AssertionError("the order ends with the Output")

    def _node(self, build: GraphBuilder, name: str, where: str, x: _Read, node: Any) -> _Read:
        kind = type(node).__name__
        handler = NODES.get(kind)
        if handler is None:
            raise UnsupportedError(f"{where} is not supported; supported are {SUPPORTED}")
        weighted = kind in ("Linear", "Affine", "Conv2d")
        if weighted and x.layer is not None:
            raise UnsupportedError(
                f"{where} follows '{x.layer}' without spiking neurons between them; put IF neurons there"
            )
        layer = name if weighted else x.layer
        return _Read(handler(build, name, where, x.value, node, self.dt), None if kind in ("IF", "LIF") else layer)

    def _joined(self, build: GraphBuilder, name: str, reads: list[_Read]) -> _Read:
        """The sum of what edges that end at one node bring."""
        x = reads[0]
        for number, other in enumerate(reads[1:], 1):
            value = build.add(f"{name}+{number}", f"The join before node '{name}'", x.value, other.value)
            x = _Read(value, x.layer or other.layer or f"{name}+{number}")
        return x

    def _is_neurons(self, sources: list[str]) -> bool:
        """Whether these are one layer of spiking neurons, flattened or not."""
        kinds = [type(self.graph.nodes[name]).__name__ for name in sources]
        return kinds in (["IF"], ["LIF"]) or (kinds == ["Flatten"] and self._is_neurons(self.sources[sources[0]]))

    def _end(self, kind: str) -> str:
        names = [name for name, node in self.graph.nodes.items() if type(node).__name__ == kind]
        if len(names) != 1:
            raise UnsupportedError(f"The NIR graph has {len(names)} {kind} nodes; one is supported")
        return str(names[0])

    def _order(self) -> list[str]:
        """Names in an order of work, as near to the file's as it goes; the Output last."""
        left, order = list(self.graph.nodes), []
        while left:
            ready = next((name for name in left if all(s in order for s in self.sources[name])), None)
            if ready is None:
                raise UnsupportedError(f"The NIR graph has a loop at node '{left[0]}'; recurrence is not supported")
            left.remove(ready)
            order.append(ready)
        return sorted(order, key=lambda name: type(self.graph.nodes[name]).__name__ == "Output")


def _quoted(names: list[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
