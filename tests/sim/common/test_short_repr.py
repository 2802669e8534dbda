"""What is printed of objects that hold arrays is short, and says what is in them."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import numpy as np
import pytest

from spikeloom import hw, sim, sw
from spikeloom.sim.common.short_repr import short_repr, short_text
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.frontend.torch_modules import import_torch
from spikeloom.sw.host import LoadReport
from spikeloom.sw.passes.fold import fold
from tests.fixtures.models import make_chip, make_images, make_model

ARRAYS = ("NDArray", "Floats", "Outcome", "CellState", "ProgrammedLayer", "Node, ")


def dataclasses_with_arrays() -> Iterator[type]:
    for package in (hw, sim, sw):
        for entry in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(entry.name)
            for name, value in vars(module).items():
                ours = inspect.isclass(value) and value.__module__ == entry.name and not name.startswith("_")
                if ours and dataclasses.is_dataclass(value):
                    shown = [str(field.type) for field in dataclasses.fields(value) if field.repr]
                    if any(word in text for text in shown for word in ARRAYS):
                        yield value


def test_no_dataclass_that_holds_arrays_prints_them():
    classes = list(dataclasses_with_arrays())
    assert len(classes) > 30
    assert [c.__qualname__ for c in classes if c.__repr__ is not short_repr] == ["ProgrammedChip", "Result", "ByStep"]


def test_short_texts():
    array = np.zeros((3, 4), np.uint8)
    assert short_text(array) == "uint8[3, 4]"
    assert short_text((array, array)) == "(uint8[3, 4], uint8[3, 4])"
    assert short_text((array,) * 9) == "(9 ndarray)"
    assert short_text((1, 2, 3)) == "(1, 2, 3)"
    assert short_text(tuple(range(100))) == "(100 int)"
    assert short_text({"a": array}) == "{a: uint8[3, 4]}"
    assert len(short_text({str(i): array for i in range(100)})) <= 62
    assert short_text("x" * 100) == "str(...)"
    assert short_text(None) == "None"


def test_a_result_says_what_came_of_the_images():
    chip = make_chip()
    result = chip.predict(make_images(30, 20), trace="full")
    text = repr(result)
    for number in np.unique(result.classes):
        assert f"{number}: {np.sum(result.classes == number)}" in text
    assert (
        text.startswith("Result(30 images of the integer reference; classes {")
        and f"{result.steps.mean():.2f} steps on average" in text
    )
    assert f"{result.reasons.mean():.1%} ended by the rule" in text and text.endswith(
        "; with trace; accuracy is not known without labels)"
    )
    many = dataclasses.replace(result, classes=np.arange(30, dtype=np.int32), cycles=np.full(30, 7), trace=None)
    assert "30 different classes" in repr(many) and "; 7 clock cycles on average; accuracy" in repr(many)
    one = run_reference(chip.programmed, make_images(1, 20))
    assert repr(one).startswith("Result(1 image; ")
    empty = {name: getattr(one, name)[:0] for name in ("classes", "steps", "margins", "reasons", "spikes", "ids")}
    assert repr(dataclasses.replace(one, **empty)) == "Result(0 images)"


@pytest.mark.parametrize("sizes", [(20, 12, 7, 5), (784, 300, 100)])
def test_what_users_print_is_a_line_or_two(sizes):
    chip = make_chip(*sizes)
    graph = import_torch(make_model(*sizes))
    network = fold(graph)
    result = chip.predict(make_images(300, sizes[0]), trace="full")
    things = [
        chip,
        chip.programmed,
        chip.programmed.layers[0],
        chip.passes,
        graph,
        *graph.nodes,
        network,
        network.layers[0],
    ]
    things += [result, result.trace, LoadReport("fast", (), 3, 4, None)]
    for thing in things:
        text = repr(thing)
        assert len(text) < 400 and "\n" not in text and "array(" not in text, text
    assert repr(chip.programmed) == (
        f"ProgrammedChip(Sequential: {'-'.join(map(str, sizes))}, 4-bit cells; even coding, winner_k rule with k "
        f"{chip.programmed.k}, at most {chip.programmed.t_max} steps)"
    )
    assert f"weight=float64[{sizes[1]}, {sizes[0]}]" in repr(network.layers[0])
    assert f"positive=uint8[{sizes[0]}, {sizes[1]}]" in repr(chip.programmed.layers[0])
