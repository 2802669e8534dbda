"""NIR files of snnTorch and SpikingJelly predict those libraries' spikes, spike for spike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from numpy.typing import NDArray

import spikeloom
from spikeloom.sw.chip import Chip
from spikeloom.sw.nir.reader import NirModel
from spikeloom.sw.passes.calibrate import row_codes
from tests.fixtures.models import make_config
from tests.fixtures.nir_libraries import LIBRARIES, STEPS, Written, even_spikes, saved, snntorch_network

FILES = [(library, name) for library, (_, names, _) in LIBRARIES.items() for name in names]


def chip_of(model: NirModel, pixels: NDArray[np.uint8]) -> Chip:
    """The chip with converters and cells that change nothing."""
    config = make_config(
        neuron={"reset": model.reset, "output_reset": model.reset, "v0": model.start},
        decision={"rule": "fixed", "t_max": STEPS},
        device={"bits": 6},
        crossbar={"tile_rows": 256, "adc_bits": 16},
    )
    return spikeloom.compile(model, pixels, config)


def our_spikes(chip: Chip, pixels: NDArray[np.uint8], like: tuple[NDArray[Any], ...]) -> list[NDArray[np.bool_]]:
    """Spikes of every layer in the library's order, bool [images, steps, ...]."""
    trace = chip.predict(pixels, trace="spikes").trace
    assert trace is not None and len(trace.spikes) == len(like)
    found = []
    for bits, expected in zip(trace.spikes, like, strict=True):
        channels, *positions = expected.shape[2:]
        spikes = np.unpackbits(bits, axis=2, count=int(np.prod(expected.shape[2:])))
        spikes = spikes.reshape(len(pixels), STEPS, *positions, channels)
        found.append(np.moveaxis(spikes, -1, 2).astype(bool))
    return found


def assert_same_spikes(model: NirModel, pixels: NDArray[np.uint8], expected: tuple[NDArray[np.bool_], ...]) -> None:
    chip = chip_of(model, pixels)
    assert all(0.02 < spikes.mean() < 0.9 for spikes in expected), "a test that tells neurons apart needs both"
    for number, (ours, theirs) in enumerate(zip(our_spikes(chip, pixels, expected), expected, strict=True)):
        np.testing.assert_array_equal(ours, theirs, err_msg=f"layer {number}")


@pytest.mark.parametrize(("library", "name"), FILES)
def test_a_file_predicts_the_spikes_of_the_library_that_wrote_it(library: str, name: str) -> None:
    path, pixels, expected = saved(library, name)
    assert_same_spikes(spikeloom.read_nir(path, **LIBRARIES[library][2]), pixels, expected)


@pytest.mark.parametrize(("library", "name"), FILES)
def test_the_spikes_depend_on_what_is_said_of_the_neurons(library: str, name: str) -> None:
    """The other reset, and the other side of the threshold, give other spikes."""
    path, pixels, expected = saved(library, name)
    options = LIBRARIES[library][2]
    for changed in (
        {"reset": "zero" if options["reset"] == "subtract" else "subtract"},
        {"threshold": "above" if options["threshold"] == "at" else "at"},
    ):
        with pytest.raises(AssertionError):
            assert_same_spikes(spikeloom.read_nir(path, **{**options, **changed}), pixels, expected)


def same_nodes(a: Any, b: Any) -> None:
    """Node for node, with equal arrays; the order of nodes and edges says nothing."""
    assert set(a.nodes) == set(b.nodes) and set(a.edges) == set(b.edges) and len(a.edges) == len(b.edges)
    for name, node in a.nodes.items():
        ours, theirs = node.to_dict(), b.nodes[name].to_dict()
        assert set(ours) == set(theirs) and ours["type"] == theirs["type"]
        for key, value in ours.items():
            np.testing.assert_array_equal(value, theirs[key], err_msg=f"{name}.{key}")


@pytest.mark.parametrize("name", LIBRARIES["snntorch"][1])
def test_snntorch_as_installed_predicts_the_same(name: str, tmp_path: Path) -> None:
    """The library itself, which is a test dependency, and not only what it once wrote."""
    _live(snntorch_network(name), "snntorch", name, tmp_path)


@pytest.mark.parametrize("name", LIBRARIES["spikingjelly"][1])
def test_spikingjelly_where_installed_predicts_the_same(name: str, tmp_path: Path) -> None:
    pytest.importorskip("spikingjelly", reason="its dependencies are too many; its files are tested above")
    _live(LIBRARIES["spikingjelly"][0](name), "spikingjelly", name, tmp_path)


def _live(written: Written, library: str, name: str, folder: Path) -> None:
    nir.write(folder / "written.nir", written.graph)
    same_nodes(nir.read(folder / "written.nir"), nir.read(saved(library, name)[0]))
    model = spikeloom.read_nir(folder / "written.nir", **LIBRARIES[library][2])
    assert_same_spikes(model, written.pixels, written.spikes)


def test_input_spikes_are_those_of_the_chip() -> None:
    path, pixels, _ = saved("snntorch", "dense")
    codes = row_codes(chip_of(spikeloom.read_nir(path, reset="subtract"), pixels).programmed, pixels)
    for t, expected in enumerate(even_spikes(pixels), 1):
        np.testing.assert_array_equal(codes(np.arange(len(pixels)), t), expected)


@pytest.mark.parametrize(
    ("library", "name"), [pytest.param("snntorch", "conv", marks=pytest.mark.slow), ("spikingjelly", "residual")]
)
def test_the_verilog_has_the_same_spikes(library: str, name: str) -> None:
    path, pixels, _ = saved(library, name)
    chip = chip_of(spikeloom.read_nir(path, **LIBRARIES[library][2]), pixels)
    assert chip.predict(pixels[:2], trace="full").compare(chip.cosim(pixels[:2], trace="full")) > 1000
