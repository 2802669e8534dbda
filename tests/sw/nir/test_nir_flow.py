"""A network from a NIR file from the command line: through a run, out again, and what does not go together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import spikeloom
from spikeloom.sw.cli.main import app
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import load_data
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.flow.run_folder import load_chip
from spikeloom.sw.flow.steps import make_flow
from spikeloom.sw.nir.writer import write_nir
from spikeloom.sw.verify.result_file import load_result
from tests.fixtures.nir_graphs import convolutional, dense

DIGITS = Path(__file__).parents[3] / "examples" / "digits.nir"
PLAIN: dict[str, Any] = {
    "name": "nir",
    "data": {"test_limit": 40, "calibration_images": 50},
    "nir": {"file": str(DIGITS), "reset": "subtract"},
    "neuron": {"v0": 0.0},
    "decision": {"rule": "fixed", "t_max": 12},
    "cosim": {"images": 2, "trace_images": 1},
}


def settings(**tables: dict[str, Any]) -> Config:
    return Config.load({**PLAIN, **{name: {**PLAIN.get(name, {}), **table} for name, table in tables.items()}})


def toml(path: Path, config: dict[str, Any] = PLAIN) -> str:
    """The configuration as a file."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in config.items() if not isinstance(value, dict)]
    for name, table in config.items():
        if isinstance(table, dict):
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def refused(*arguments: str) -> str:
    """The one sentence of a command that fails."""
    run = command(*arguments)
    assert run.exit_code == 2 and "Traceback" not in run.output, run.output
    return " ".join(run.output.split())


@pytest.mark.slow
def test_a_run_and_out_again(tmp_path: Path) -> None:
    run = command("run", toml(tmp_path / "nir.toml"), "-o", str(tmp_path / "run"))
    assert run.exit_code == 0, run.output
    summary = json.loads((tmp_path / "run" / "report" / "summary.json").read_text())
    assert summary["accuracy"]["ann"] is None and summary["accuracy"]["reference"] > 0.9
    assert summary["bit_exact"]["images"] == 2 and summary["bit_exact"]["mismatches"] == 0
    chip = spikeloom.load(tmp_path / "run" / "convert" / "chip.loom")
    assert chip.config.nir.file == str(DIGITS)
    assert [stage["stage"] for stage in summary["waterfall"]][:2] == ["quantised", "ADC"]
    page = (tmp_path / "run" / "report" / "report.html").read_text()
    assert "not run" in page

    made = command("nir", str(tmp_path / "run" / "convert" / "chip.loom"), "-o", str(tmp_path / "out.nir"))
    assert made.exit_code == 0 and "2 layers in" in made.output
    again = spikeloom.compile(
        spikeloom.read_nir(tmp_path / "out.nir"), load_data("digits").train_images[:50], chip.config
    )
    images = np.random.default_rng(0).integers(0, 256, (20, 64), dtype=np.uint8)
    np.testing.assert_array_equal(again.programmed.layers[0].weights, chip.programmed.layers[0].weights)
    np.testing.assert_array_equal(again.predict(images).classes, chip.predict(images).classes)


def test_a_run_without_a_file_goes_out_too(tmp_path: Path) -> None:
    """A trained network, whose membranes start at half a threshold."""
    made = command("nir", "tiny", "-o", str(tmp_path / "tiny.nir"), "--json")
    assert made.exit_code == 0 and len(json.loads(made.stdout)["layers"]) == 2
    assert spikeloom.read_nir(tmp_path / "tiny.nir").start == 0.5


def test_another_file_under_the_same_name_is_another_network(tmp_path: Path) -> None:
    shutil.copy(DIGITS, tmp_path / "net.nir")
    flow = make_flow(settings(nir={"file": str(tmp_path / "net.nir")}), tmp_path / "run")
    flow.run(stop="reference")
    assert flow.current("convert")
    model = spikeloom.read_nir(tmp_path / "net.nir")
    model.graph.nodes[0].bias[:] += 1.0
    write_nir(model, tmp_path / "net.nir")
    assert not flow.current("train") and not flow.current("convert")
    before = load_result(tmp_path / "run/reference/reference.npz")[0]
    flow.run(stop="reference")
    assert not np.array_equal(load_result(tmp_path / "run/reference/reference.npz")[0].spikes, before.spikes)


@pytest.mark.parametrize(
    ("field", "value", "neuron"),
    [
        ("reset", "zero", {"reset": "zero", "output_reset": "zero"}),
        ("threshold", "at", {}),
        ("file", "other", {}),
    ],
)
def test_every_field_takes_effect(field: str, value: str, neuron: dict[str, Any], tmp_path: Path) -> None:
    if field == "file":
        model = spikeloom.read_nir(DIGITS)
        model.graph.nodes[0].bias[:] += 1.0
        value = str(write_nir(model, tmp_path / "other.nir"))
    found = []
    for number, config in enumerate((settings(), settings(nir={field: value}, neuron=neuron))):
        flow = make_flow(config, tmp_path / str(number))
        flow.run(stop="reference")
        found.append(load_result(flow.folder / "reference/reference.npz")[0])
    assert not np.array_equal(found[0].spikes, found[1].spikes)


def test_the_step_takes_effect(tmp_path: Path) -> None:
    """Neurons that integrate currents over a step need its length; snnTorch's, which do not leak, have none."""
    model = spikeloom.read_nir(DIGITS)
    for node in model.graph.nodes:
        if hasattr(node, "form"):
            object.__setattr__(node, "form", "IF")
    write_nir(model, tmp_path / "if.nir")
    chips = []
    for seconds in (1e-4, 2e-4):
        flow = make_flow(settings(nir={"file": str(tmp_path / "if.nir"), "dt_s": seconds}), tmp_path / str(seconds))
        flow.run(stop="convert")
        chips.append(load_chip(flow))
    assert chips[0].programmed.layers[0].theta == 2 * chips[1].programmed.layers[0].theta


def test_a_step_without_an_effect_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^dt must be left out for this network, whose neurons \(LIF .*, not 0.0002$"):
        spikeloom.read_nir(DIGITS, dt=2e-4)
    with pytest.raises(ConfigError, match=r"\[nir\] dt_s must be 0.0 for '.*', whose neurons .*; leave dt_s out$"):
        make_flow(settings(nir={"dt_s": 2e-4}), tmp_path).run(stop="train")


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"nir": {"file": ""}}, "[nir] reset must be 'file' without [nir] file, from which the network"),
        ({"train": {"epochs": 3}}, "[train] epochs must be 40 with [nir] file, whose network is not trained"),
        ({"train": {"network": "4c3-10"}}, "[train] network must be 'mlp' with [nir] file"),
        ({"convert": {"normalisation": "percentile"}}, "[convert] normalisation must be 'auto' with [nir] file, whose"),
        ({"convert": {"average_pooling": "weights"}}, "[convert] average_pooling must be 'spikes' with [nir] file"),
        ({"nir": {"reset": "none"}}, "[nir] reset must be 'file', 'zero' or 'subtract', not 'none'"),
        ({"nir": {"dt_s": -1.0}}, "[nir] dt_s must be"),
        ({"nir": {"fil": "x"}}, "did you mean 'file'?"),
    ],
)
def test_what_does_not_go_together_is_refused(tables: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**tables)
    assert sentence in str(caught.value)


def test_files_that_do_not_fit_are_refused_in_one_sentence(tmp_path: Path) -> None:
    def run(**tables: dict[str, Any]) -> str:
        config = {**PLAIN, **{name: {**PLAIN.get(name, {}), **table} for name, table in tables.items()}}
        return refused("run", toml(tmp_path / "nir.toml", config), "--to", "train", "-o", str(tmp_path / "run"))

    assert "Cannot read 'none.nir': it is not there" in run(nir={"file": "none.nir"})
    (tmp_path / "text.nir").write_text("no HDF5")
    assert "is not a NIR file: it is no HDF5 file; write it with nir.write" in run(
        nir={"file": str(tmp_path / "text.nir")}
    )
    assert "[neuron] v0 must be 0.0 for this network from NIR, not 0.5" in run(neuron={"v0": 0.5})
    assert "[neuron] reset must be 'zero' for this network from NIR, not 'subtract'" in run(nir={"reset": "file"})
    for make, sentence in (
        (dense, "takes images of shape (12,), but those of 'digits' have (1, 8, 8)"),
        (convolutional, "takes images of shape (2, 9, 8), but those of 'digits' have (1, 8, 8)"),
    ):
        path = write_nir(spikeloom.read_nir(make(), reset="subtract"), tmp_path / "other.nir")
        assert sentence in run(nir={"file": str(path)})
    model = spikeloom.read_nir(DIGITS, reset="subtract")
    few = spikeloom.read_nir(write_nir(model, tmp_path / "few.nir"))
    last, neurons = few.graph.nodes[-2:]
    for node, names in ((last, ("weight", "bias")), (neurons, ("threshold", "resistance"))):
        for name in names:
            object.__setattr__(node, name, getattr(node, name)[:7])
    write_nir(few, tmp_path / "few.nir")
    assert "few.nir' ends with 7 neurons, but 'digits' has 10 classes" in run(nir={"file": str(tmp_path / "few.nir")})


def test_what_cannot_be_written_is_refused_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is trained."""
    monkeypatch.setattr(Flow, "run_one", lambda *_: pytest.fail("the work has begun"))
    config = toml(tmp_path / "leak.toml", {"name": "leak", "train": {"epochs": 1}, "neuron": {"leak": 3}})
    assert "The chip has neurons that leak, which NIR does not have; compile it with [neuron] leak 0" in refused(
        "nir", config, "-o", str(tmp_path / "x")
    )
    assert not (tmp_path / "x").exists()
