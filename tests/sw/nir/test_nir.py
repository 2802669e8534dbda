"""NIR in and out: lossless both ways, and a sentence for what NIR does not have."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from torch import nn

import spikeloom
from spikeloom.sw.common.errors import ConfigError, FileError, UnsupportedError
from spikeloom.sw.nir.writer import chip_to_nir, to_nir
from tests.fixtures.cnn_models import ResNet, settled
from tests.fixtures.models import make_chip, make_config, make_images
from tests.fixtures.nir_graphs import GRAPHS, dense
from tests.fixtures.nir_libraries import LIBRARIES, saved

FILES = [(library, name) for library, (_, names, _) in LIBRARIES.items() for name in names]


def plain(config: dict[str, Any] | None = None, **tables: dict[str, Any]) -> Any:
    """A configuration whose neurons are NIR's."""
    tables = {"neuron": {"reset": "zero", "output_reset": "zero", "v0": 0.0}, **tables}
    return make_config(**{**tables, **(config or {})})


def assert_same_graphs(a: Any, b: Any) -> None:
    """Node for node, with equal arrays and notes; the order of nodes and edges says nothing."""
    assert set(a.nodes) == set(b.nodes) and sorted(a.edges) == sorted(b.edges)
    for name, node in a.nodes.items():
        ours, theirs = node.to_dict(), b.nodes[name].to_dict()
        assert set(ours) == set(theirs) and ours["type"] == theirs["type"], name
        for key, value in ours.items():
            np.testing.assert_array_equal(value, theirs[key], err_msg=f"{name}.{key}")


def assert_lossless(given: Any, folder: Path, **options: Any) -> None:
    """NIR -> ours -> NIR, in memory and through files."""
    model = spikeloom.read_nir(given, **options)
    assert_same_graphs(given, to_nir(model))
    spikeloom.write_nir(model, folder / "ours.nir")
    assert_same_graphs(given, nir.read(folder / "ours.nir"))
    again = spikeloom.read_nir(folder / "ours.nir")
    assert (again.reset, again.threshold, again.start) == (model.reset, model.threshold, model.start)
    spikeloom.write_nir(again, folder / "again.nir")
    assert_same_graphs(given, nir.read(folder / "again.nir"))


@pytest.mark.parametrize("name", GRAPHS)
def test_round_trips_are_lossless(name: str, tmp_path: Path) -> None:
    assert_lossless(GRAPHS[name](), tmp_path, reset="subtract", threshold="at", start=0.25)


@pytest.mark.parametrize(("library", "name"), FILES)
def test_round_trips_of_other_libraries_files_are_lossless(library: str, name: str, tmp_path: Path) -> None:
    assert_lossless(nir.read(saved(library, name)[0]), tmp_path, **LIBRARIES[library][2])


def test_metadata_is_passed_on(tmp_path: Path) -> None:
    given = dense()
    given.nodes["a"].metadata = {"note": "first", "order": 1}
    spikeloom.write_nir(spikeloom.read_nir(given, dt=2e-4), tmp_path / "a.nir")
    model = spikeloom.read_nir(tmp_path / "a.nir")
    assert model.notes["a"] == {"note": "first", "order": 1}
    assert model.notes[""] == {"author": "me", "version": 3, "reset": "zero", "threshold": "above", "dt": 2e-4}


def test_what_is_said_comes_before_the_file_and_the_file_before_nir() -> None:
    given = dense()
    assert (spikeloom.read_nir(given).reset, spikeloom.read_nir(given).threshold, spikeloom.read_nir(given).start) == (
        "zero",
        "above",
        0.0,
    )
    given.metadata = {"reset": "subtract", "threshold": "at", "start": 0.5, "dt": 1e-3}
    model = spikeloom.read_nir(given)
    assert (model.reset, model.threshold, model.start, model.graph.nodes[1].dt) == ("subtract", "at", 0.5, 1e-3)
    model = spikeloom.read_nir(given, 1e-4, "zero", "above", 0.0)
    assert (model.reset, model.threshold, model.start, model.graph.nodes[1].dt) == ("zero", "above", 0.0, 1e-4)


def test_a_step_that_is_twice_as_long_is_twice_the_current() -> None:
    config = plain(decision={"rule": "fixed", "t_max": 20}, crossbar={"adc_bits": 16}, device={"bits": 6})
    images = make_images(20, 12)
    given = dense()
    twice = spikeloom.compile(spikeloom.read_nir(given, dt=2e-4), images, config)
    for node in given.nodes.values():
        if isinstance(node, nir.IF):
            node.r = 2 * node.r
    given.nodes["b_scale"].scale = 2 * given.nodes["b_scale"].scale  # r of b_if is infinite
    doubled = spikeloom.compile(spikeloom.read_nir(given), images, config)
    for a, b in zip(twice.programmed.layers[::2], doubled.programmed.layers[::2], strict=True):
        np.testing.assert_array_equal(a.weights, b.weights)
        assert a.theta == b.theta


def chips() -> dict[str, Callable[[], spikeloom.Chip]]:
    images = make_images(10, 3072).reshape(10, 3, 32, 32)
    fixed = {"decision": {"rule": "fixed", "t_max": 10}, "crossbar": {"adc_bits": 16, "tile_rows": 4096}}
    start = {"neuron": {"v0": 0.5}}
    pooled = nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(100, 5), nn.ReLU()
    )
    return {
        "dense": lambda: make_chip(**fixed, neuron={"v0": 0.0}),
        "dense that starts at half": lambda: make_chip(**fixed, **start),
        "residual": lambda: spikeloom.compile(
            settled(lambda: ResNet(n=1, widths=(4, 6)), 3, 32, 32), images, make_config(**fixed, **start)
        ),
        "pooling": lambda: spikeloom.compile(pooled, images, make_config(**fixed, **start)),
    }


@pytest.mark.parametrize("name", chips())
def test_a_chip_goes_out_and_comes_back_with_the_same_spikes(name: str, tmp_path: Path) -> None:
    chip = chips()[name]()
    images = make_images(12, chip.parameters.inputs, 5)
    model = spikeloom.read_nir(chip.write_nir(tmp_path / "chip.nir"))
    assert (model.reset, model.threshold, model.start) == ("subtract", "at", chip.config.neuron.v0)
    back = spikeloom.compile(model, images, chip.config)
    ours, theirs = back.predict(images), chip.predict(images)
    known = [layer.name for layer in chip.programmed.layers]  # average pooling has become a layer
    same = [number for number, layer in enumerate(back.programmed.layers) if layer.name in known]
    np.testing.assert_array_equal(ours.spikes[:, same], theirs.spikes)
    assert theirs.spikes.any() and (ours.classes == theirs.classes).all()
    if name.startswith("dense"):
        for a, b in zip(back.programmed.layers, chip.programmed.layers, strict=True):
            np.testing.assert_array_equal(a.weights * b.theta, b.weights * a.theta)


def test_a_chip_made_from_nir_goes_out_again_as_it_came(tmp_path: Path) -> None:
    path, pixels, _ = saved("snntorch", "dense")
    for reset in ("subtract", "zero"):
        config = plain({"neuron": {"reset": reset, "output_reset": reset, "v0": 0.0}}, device={"bits": 6})
        config = config.updated({"decision": {"rule": "fixed"}, "crossbar": {"adc_bits": 16}})
        chip = spikeloom.compile(spikeloom.read_nir(path, reset=reset), pixels, config)  # fires above its threshold
        model = spikeloom.read_nir(chip.write_nir(tmp_path / "chip.nir"))
        assert model.threshold == ("above" if reset == "subtract" else "at")  # at one step more
        again = spikeloom.compile(model, pixels, config)
        np.testing.assert_array_equal(again.predict(pixels).spikes, chip.predict(pixels).spikes)


SMALL = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3))


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        (
            {"coding": {"input": "rate", "phases": 2}},
            "The chip has phases, which NIR does not have; compile it with [coding] phases 1",
        ),
        ({"neuron": {"leak": 3}}, "The chip has neurons that leak, which NIR does not have"),
        (
            {"neuron": {"clip": 2.0}},
            "The chip has limits of the membrane, which NIR does not have; compile it with [neuron] clip 0.0",
        ),
        ({"neuron": {"output_reset": "none"}}, "The chip has neurons without a reset, which NIR does not have"),
        ({"neuron": {"output_reset": "zero"}}, "The chip has layers with different resets, which NIR does not have"),
        ({}, "Stage 1 of the chip is max pooling, which NIR does not have; a network with av"),
    ],
)
def test_what_nir_does_not_have_is_named(tables: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    chip = spikeloom.compile(SMALL, make_images(9, 64).reshape(9, 1, 8, 8), make_config(**tables))
    with pytest.raises(UnsupportedError, match="^" + re.escape(sentence)):
        chip.write_nir(tmp_path / "chip.nir")
    assert not (tmp_path / "chip.nir").exists()


def test_average_pooling_beside_neurons_that_reset_to_zero_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 3))
    config = make_config(neuron={"reset": "zero", "output_reset": "zero"})
    chip = spikeloom.compile(model, make_images(9, 64).reshape(9, 1, 8, 8), config)
    with pytest.raises(UnsupportedError, match=r"^Stage 1 of the chip is average pooling, which subtracts, beside"):
        chip_to_nir(chip.programmed, 0.5)


def test_layers_that_start_elsewhere_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"^Layer '1' starts at \d+ conductance steps, which is not 0.25 of its"):
        chip_to_nir(make_chip(neuron={"v0": 0.5}).programmed, 0.25)


def test_only_networks_are_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^A NIR file is written of a chip or a NirModel, not of Sequential$"):
        spikeloom.write_nir(SMALL, tmp_path / "x.nir")  # type: ignore[arg-type]
    with pytest.raises(FileError, match=r"x.nir"):
        spikeloom.write_nir(spikeloom.read_nir(dense()), tmp_path / "none" / "deep" / "x.nir" / "\0")


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none.nir'"):
        spikeloom.read_nir(tmp_path / "none.nir")
    with pytest.raises(FileError, match=re.escape(str(tmp_path))):
        spikeloom.read_nir(tmp_path)
    (tmp_path / "text.nir").write_text("no HDF5")
    with pytest.raises(FileError, match=r"text.nir' is not a NIR file: it is no HDF5 file; write it with nir.write"):
        spikeloom.read_nir(tmp_path / "text.nir")
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["x"] = 3
    with pytest.raises(
        FileError, match=r"other.nir' is not a NIR file: it is an HDF5 file without a graph \(a group 'no"
    ):
        spikeloom.read_nir(tmp_path / "other.nir")
    whole = spikeloom.write_nir(spikeloom.read_nir(dense()), tmp_path / "whole.nir").read_bytes()
    (tmp_path / "half.nir").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        FileError, match=r"half.nir' is not a NIR file: it is an HDF5 file that is truncated or damaged; t"
    ):
        spikeloom.read_nir(tmp_path / "half.nir")
    for name, change, sentence in (
        ("type", lambda node: node.create_dataset("type", data="Izhikevich"), "has the type 'Izhikevich', which NIR d"),
        ("weight", lambda node: None, "(Affine) lacks a value, or has one too many or of another shape; write it with"),
    ):
        (tmp_path / "odd.nir").write_bytes(whole)
        with h5py.File(tmp_path / "odd.nir", "a") as file:
            del file["node/nodes/a"][name]
            change(file["node/nodes/a"])
        with pytest.raises(FileError, match=re.escape(f"odd.nir' is not a NIR file: its node 'a' {sentence}")):
            spikeloom.read_nir(tmp_path / "odd.nir")
    with pytest.raises(FileError, match="NIR file"):
        spikeloom.read_nir("")


def test_neurons_of_the_configuration_must_be_those_of_the_file() -> None:
    config = make_config(
        neuron={"leak": 2, "clip": 3.0},
        coding={"input": "rate", "phases": 2},
        convert={"average_pooling": "weights", "normalisation": "max", "output_offset": "network"},
    )
    with pytest.raises(ConfigError) as caught:
        spikeloom.compile(spikeloom.read_nir(dense()), make_images(9, 12), config)
    for sentence in (
        "[neuron] reset must be 'zero' for this network from NIR, not 'subtract'",
        "[neuron] output_reset must be 'zero' for this network from NIR, not 'subtract'",
        "[neuron] v0 must be 0.0 for this network from NIR, not 0.5; set v0 so",
        "[neuron] leak must be 0 for this network from NIR, not 2",
        "[neuron] clip must be 0.0 for this network from NIR, not 3.0",
        "[coding] phases must be 1 for this network from NIR, not 2; leave phases out",
        "[convert] output_offset must be 'auto' for this network from NIR, not 'network'",
        "[convert] average_pooling must be 'spikes' for this network from NIR, not 'weights'",
    ):
        assert sentence in str(caught.value)
    with pytest.raises(ValueError, match=r"^Calibration images must have shape \[images, 12\] "):
        spikeloom.compile(spikeloom.read_nir(dense()), make_images(9, 13), plain())
