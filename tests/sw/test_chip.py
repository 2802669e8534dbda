"""The Python API's object."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import spikeloom
import spikeloom.sim.cosim.run
import spikeloom.sim.cosim.simulator
from spikeloom.sim.chip.result import Mismatch
from spikeloom.sim.cosim.options import CosimOptions
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.chip_summary import CHIP_KEYS
from spikeloom.sw.chip import Chip
from spikeloom.sw.common.errors import ConfigError, FileError
from spikeloom.sw.common.readable import span
from spikeloom.sw.host.load import LoadReport
from spikeloom.sw.verify.measured import measured
from tests.conftest import SIMULATORS
from tests.fixtures.models import make_chip, make_images, make_model

CHIP = make_chip(device={"device_sigma": 0.05, "read_sigma": 0.02})
IMAGES = make_images(30, 20, seed=5)
LABELS = np.arange(30) % 5


def test_predict_takes_images_of_every_kind():
    expected = CHIP.predict(IMAGES)
    for images in (
        torch.from_numpy(IMAGES),
        IMAGES / 255.0,
        torch.from_numpy(IMAGES / 255.0).float(),
        IMAGES.reshape(-1, 4, 5),
    ):
        expected.compare(CHIP.predict(images))
    assert expected.trace is None


def test_predict_traces_and_ids():
    result = CHIP.predict(IMAGES[:3], trace="spikes", ids=np.array([7, 8, 9]))
    assert result.trace is not None and result.trace.membranes is None
    assert result.ids.tolist() == [7, 8, 9]
    full = CHIP.predict(IMAGES[:3], trace="full").trace
    assert full is not None and full.membranes is not None


BAD = [
    (IMAGES[:, :19], ValueError, r"^Images must have shape \[images, 20\]"),
    (IMAGES.astype(np.int64), TypeError, "^Images must be uint8"),
    (IMAGES.astype(np.float32), ValueError, "^Floating-point images must lie in 0 .. 1"),
    (IMAGES[:0], ValueError, "^Images must be at least one"),
    ("images", TypeError, "^Images must be a NumPy array or a PyTorch tensor, not str"),
]


@pytest.mark.parametrize(("images", "error", "sentence"), BAD)
def test_bad_images_are_refused(images, error, sentence):
    with pytest.raises(error, match=sentence):
        CHIP.predict(images)


def test_cosim_passes_everything_on(monkeypatch, tmp_path):
    seen = {}

    def fake(programmed, images, **options):
        seen.update(options, programmed=programmed)
        return run_reference(programmed, images)

    monkeypatch.setattr(spikeloom.sim.cosim.run, "run_cosim", fake)
    CHIP.cosim(IMAGES)
    assert seen == {"programmed": CHIP.programmed, "ids": None, "options": CosimOptions()}
    CHIP.cosim(IMAGES, trace="full", simulator="icarus", waves=True, folder=str(tmp_path), progress=print)
    assert seen["options"] == CosimOptions("full", "icarus", True, tmp_path, print)
    changed = Chip(CHIP.programmed, CHIP.config.updated({"cosim": {"simulator": "icarus", "waves": True}}))
    changed.cosim(IMAGES, folder=tmp_path)
    assert (seen["options"].simulator, seen["options"].waves) == ("icarus", True)
    changed.cosim(IMAGES, waves=False)
    assert seen["options"].waves is False


@pytest.mark.parametrize("through_bus", [False, True])
def test_waves_without_a_folder_are_refused_before_any_work(through_bus):
    with pytest.raises(ValueError, match=r"^waves=True needs a folder for the waveforms: give cosim folder=\.\.\."):
        CHIP.cosim(IMAGES, waves=True, through_bus=through_bus)
    by_config = Chip(CHIP.programmed, CHIP.config.updated({"cosim": {"waves": True, "through_bus": through_bus}}))
    with pytest.raises(ValueError, match=r"^\[cosim\] waves = true of the configuration needs a folder"):
        by_config.cosim(IMAGES)


@pytest.mark.parametrize("by_config", [False, True])
def test_cosim_through_the_bus_is_what_the_report_tells_of(monkeypatch, tmp_path, by_config):
    seen = []

    def fake(programmed, images, **options):
        seen.append(options)
        result = run_reference(programmed, images)
        return replace(result, gaps=np.full(len(images), 2)), LoadReport("fast", (), 70, 1, 900)

    monkeypatch.setattr("spikeloom.sw.verify.bus_run.through_bus", fake)
    monkeypatch.setattr(
        spikeloom.sim.cosim.run, "run_cosim", lambda programmed, images, **_: run_reference(programmed, images)
    )
    chip = make_chip(cosim={"through_bus": by_config})
    rtl = chip.cosim(IMAGES, through_bus=None if by_config else True, folder=tmp_path / "files")
    assert seen[0]["options"].folder == tmp_path / "files" and seen[0]["options"].simulator == "verilator"
    chip.report(tmp_path / "bus", IMAGES, rtl=rtl)
    found = json.loads((tmp_path / "bus" / "summary.json").read_text())["bit_exact"]["through_bus"]
    assert (found["method"], found["writes"], found["load_cycles"], found["gap_max"]) == ("fast", 70, 900, 2)
    chip.report(tmp_path / "ports", IMAGES, rtl=chip.cosim(IMAGES, through_bus=False))
    assert len(seen) == 1
    assert json.loads((tmp_path / "ports" / "summary.json").read_text())["bit_exact"]["through_bus"] is None
    with pytest.raises(TypeError, match=r"^through_bus must be True, False or None, not 1$"):
        chip.cosim(IMAGES, through_bus=1)


def test_report_uses_what_was_run(tmp_path, monkeypatch):
    monkeypatch.setattr(
        spikeloom.sim.cosim.run, "run_cosim", lambda programmed, images, **_: run_reference(programmed, images)
    )
    chip = make_chip()
    monkeypatch.setattr("spikeloom.sw.chip.run_reference", lambda *_, **__: pytest.fail("run again"))
    result = measured(run_reference(chip.programmed, IMAGES), chip.programmed, IMAGES)
    page = chip.report(tmp_path, IMAGES, LABELS, reference=result, rtl=chip.cosim(IMAGES))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert page == tmp_path / "report.html" and page.exists()
    assert summary["accuracy"]["reference"] == result.accuracy(LABELS)
    assert summary["bit_exact"]["images"] == 30 and summary["bit_exact"]["mismatches"] == 0
    assert summary["waterfall"][0]["stage"] == "ANN"
    assert (summary["bit_exact"]["simulator"], summary["bit_exact"]["traced_images"]) == ("verilator", 0)


def test_report_names_the_simulator_and_the_traced_images(tmp_path, monkeypatch):
    """Those of the co-simulation, whatever the configuration would have."""

    def fake(programmed, images, options, **_):
        return run_reference(programmed, images, trace=options.trace)

    monkeypatch.setattr(spikeloom.sim.cosim.run, "run_cosim", fake)
    chip = make_chip()
    result, rtl = chip.predict(IMAGES, trace="full"), chip.cosim(IMAGES, trace="full", simulator="icarus")
    chip.report(tmp_path, IMAGES, reference=result, rtl=rtl)
    found = json.loads((tmp_path / "summary.json").read_text())["bit_exact"]
    assert (found["simulator"], found["traced_images"]) == ("icarus", 30)


def test_report_without_a_run(tmp_path):
    chip = make_chip()
    chip.report(tmp_path / "a")
    chip.report(tmp_path / "b", IMAGES, LABELS)
    assert json.loads((tmp_path / "a" / "summary.json").read_text())["accuracy"]["reference"] is None
    assert json.loads((tmp_path / "b" / "summary.json").read_text())["accuracy"]["reference"] is not None


def test_repr_names_the_network():
    assert repr(CHIP) == (
        f"Chip(Sequential: 20-12-7-5, 4-bit cells; even coding, winner_k rule with k {CHIP.programmed.k}, "
        f"at most {CHIP.programmed.t_max} steps)"
    )


def test_notebooks_show_a_chip_as_a_table():
    named = Chip(replace(CHIP.programmed, name="<i>"), CHIP.config, provenance=CHIP.provenance)
    text = named._repr_html_()
    assert text.startswith("<table") and "Chip &lt;i&gt;" in text and "<i>" not in text
    assert "<td" in text and "20-12-7-5" in text and "device_sigma 5 %" in text and "class Sequential" in text


def test_the_summary_is_that_of_a_report_without_images(tmp_path):
    found = CHIP.summary()
    CHIP.report(tmp_path)
    known = json.loads((tmp_path / "summary.json").read_text())
    assert tuple(found) == CHIP_KEYS and json.loads(json.dumps(found)) == {key: known[key] for key in CHIP_KEYS}
    assert found["chip"]["sizes"] == [20, 12, 7, 5] and found["layers"][1]["outputs"] == 7
    lines = repr(found).splitlines()
    assert lines[0] == "Chip Sequential" and any(line.split() == ["network", "20-12-7-5"] for line in lines)
    assert len(lines) < 30 and found._repr_html_().startswith("<table")


@pytest.fixture(scope="module")
def verilog():
    """Some images through the generated Verilog."""
    return CHIP.cosim(IMAGES[:6], simulator=SIMULATORS[-1])


def test_energy_and_latency_are_those_of_the_report(verilog, tmp_path):
    CHIP.report(tmp_path, IMAGES[:6], rtl=verilog)
    known = json.loads((tmp_path / "summary.json").read_text())
    energy, latency = CHIP.energy(verilog), CHIP.latency(verilog)
    for group in (known["energy_J"], known["cycles"], known["latency_s"]):
        assert group.pop("measured_on")["count"] == 6
    assert known["energy_J"].pop("counts_from") == "itself"
    extra = {"images": 6, "cycles_from": "measured in the Verilog"}
    assert json.loads(json.dumps(energy)) == {**known["energy_J"], **extra}
    assert latency == {"cycles": known["cycles"], "latency_s": known["latency_s"], **extra}
    assert energy["total"]["low"] < energy["total"]["typical"] < energy["total"]["high"]
    assert span(energy["total"], "J") in repr(energy) and "measured in the Verilog" in repr(latency)


def test_the_formula_gives_what_the_verilog_counts(verilog):
    for options in ({}, {"trace": "spikes"}):
        result = CHIP.predict(IMAGES[:6], **options)
        latency, energy = CHIP.latency(result, IMAGES[:6]), CHIP.energy(result, IMAGES[:6])
        assert latency["cycles_from"] == energy["cycles_from"] == "from the formula" and "from the formula" in repr(
            latency
        )
        assert latency["cycles"] == CHIP.latency(verilog)["cycles"]
        assert latency["latency_s"]["mean"] == verilog.cycles.mean() / CHIP.programmed.clock_Hz
        assert energy["total"] == CHIP.energy(verilog)["total"]
    alone = CHIP.energy(result)
    assert alone["total"] is None and alone["control"] is None and alone["cycles_from"] is None
    assert alone["crossbar"] == energy["crossbar"] and "needs clock cycles: give the images" in repr(alone)


RESULT = CHIP.predict(IMAGES)
WRONG = [
    (lambda: CHIP.latency(RESULT), ValueError, r"^This result has no clock cycles.* chip\.latency\(result, images\)"),
    (lambda: CHIP.latency(RESULT, IMAGES[:4]), ValueError, "^There are 4 images, but the result has 30"),
    (lambda: CHIP.energy(RESULT, IMAGES[::-1]), ValueError, "^The result is of other images: its row 0 is not image 0"),
    (lambda: CHIP.energy(make_chip(seed=3).predict(IMAGES)), ValueError, "^The result is of another chip"),
    (
        lambda: CHIP.energy(run_reference(make_chip(20, 5).programmed, IMAGES)),
        ValueError,
        "^The result is of another chip",
    ),
    (lambda: CHIP.energy(IMAGES), TypeError, "^result must be a result of chip.predict or chip.cosim, not ndarray$"),
]


@pytest.mark.parametrize(("call", "error", "sentence"), WRONG)
def test_energy_and_latency_are_of_results_of_this_chip(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


def test_a_tiny_chip_reports_end_to_end(tmp_path):
    """Square images, float tensors with a channel, labels as a tensor: the page has its pictures and its numbers."""
    chip = spikeloom.compile(make_model(784, 8, 5), make_images(20, 784).reshape(20, 28, 28), "tiny")
    images = torch.from_numpy(make_images(6, 784, seed=3) / 255.0).float().reshape(6, 1, 28, 28)
    result = chip.predict(images)
    assert result.compare(chip.predict((images.numpy() * 255).round().astype(np.uint8).reshape(6, 28, 28))) > 0
    page = chip.report(tmp_path / "out", images, torch.arange(6) % 5)
    assert page.stat().st_size > 50_000 and "data:image/svg+xml" in page.read_text(encoding="utf-8")
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["images"] == 6 and summary["accuracy"]["rtl"] is None and len(summary["waterfall"]) >= 5
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "summary.json"]


@pytest.mark.parametrize(
    ("images", "labels", "kind", "sentence"),
    [
        (IMAGES, [1, 2], ValueError, r"^Labels must have shape \(30,\), one per image, not \(2,\)$"),
        (
            IMAGES,
            LABELS + 1,
            ValueError,
            r"^Labels must lie in 0 .. 4, the chip's classes, but that of image 4 is 5: .* start at 0",
        ),
        (IMAGES, LABELS / 1.0, TypeError, r"^Labels must be integers, one per image, not float64"),
        (None, LABELS, ValueError, r"^Labels need the images they belong to: give chip.report the images too$"),
        (IMAGES[:, :3], LABELS, ValueError, r"^Images must have shape"),
    ],
)
def test_a_report_on_what_does_not_fit_is_refused_and_writes_nothing(images, labels, kind, sentence, tmp_path):
    with pytest.raises(kind, match=sentence):
        make_chip().report(tmp_path / "out", images, labels)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [3, "", "a\0b", ["x"]])
def test_what_is_no_path_is_refused(path):
    for write in (CHIP.save, CHIP.write_verilog, CHIP.report, lambda path: CHIP.cosim(IMAGES, folder=path)):
        with pytest.raises((TypeError, FileError), match=r"^The (weight image|[a-zA-Z]+ folder) must be a path"):
            write(path)


def test_cosim_refuses_what_does_not_fit_before_it_builds(monkeypatch):
    monkeypatch.setattr(spikeloom.sim.cosim.simulator, "export_verilog", lambda *_: pytest.fail("built"))
    for options, sentence in (
        ({"simulator": "vcs"}, r"^The simulator must be 'verilator' or 'icarus', not 'vcs'$"),
        ({"simulator": ""}, r"^The simulator must be 'verilator' or 'icarus', not ''$"),
        ({"waves": "yes"}, r"^waves must be True, False or None, not 'yes'$"),
        ({"trace": "all"}, r"^trace must be 'none', 'spikes' or 'full', not 'all'$"),
        ({"ids": [1]}, r"^Image numbers have shape \(1,\), but there are 30 images$"),
    ):
        with pytest.raises((ValueError, TypeError), match=sentence):
            CHIP.cosim(IMAGES, **options)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_cosim_without_space_is_one_sentence(monkeypatch, code, tmp_path):
    def full(*_, **__):
        raise OSError(code, "refused", str(tmp_path / "x"))

    monkeypatch.setattr(spikeloom.sim.cosim.run, "run_cosim", full)
    with pytest.raises(
        FileError, match=r"^Cannot write '.*x': (there is no space left on the device|permission is denied)$"
    ):
        CHIP.cosim(IMAGES)


def test_results_of_other_kinds_are_not_compared():
    result = CHIP.predict(IMAGES)
    for other in (None, result.classes, "result"):
        with pytest.raises(
            TypeError, match=r"^A result can only be compared with a Result, not (NoneType|ndarray|str)$"
        ):
            result.compare(other)
    with pytest.raises(Mismatch, match=r"^this has 30 images of 3 layers, other has 10 images of 3 layers$"):
        result.compare(CHIP.predict(IMAGES[:10]))
    with pytest.raises(TypeError, match=r"^Labels must be integers, one per image, not float64"):
        result.accuracy(LABELS / 1.0)


def test_the_configuration_of_a_finished_chip_is_checked_and_changes_only_what_is_done_with_it():
    chip = make_chip()
    config = chip.config
    chip.config = config.updated({"cosim": {"simulator": "icarus"}, "data": {"test_limit": 3}})
    assert chip.config.cosim.simulator == "icarus" and chip.config.data.test_limit == 3
    with pytest.raises(ConfigError, match=r"chip\.config: .*device\.bits would have no effect: a chip is finished"):
        chip.config = chip.config.updated({"device": {"bits": 3}, "seed": 5})
    with pytest.raises(ConfigError, match="seed would have no effect"):
        chip.config = chip.config.updated({"seed": 5})
    for bad in ({"device": config.device.model_copy(update={"bits": 99})}, {"seed": -1}):
        with pytest.raises(ConfigError, match="must be at"):
            chip.config = config.model_copy(update=bad)
    assert chip.config.cosim.simulator == "icarus" and chip.config.device.bits == config.device.bits
