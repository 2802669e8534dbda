"""Every function that a user hands images, labels and the like: the same check, and the same sentence, everywhere."""

from __future__ import annotations

import errno
import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from typer.testing import CliRunner

import spikeloom
from spikeloom.sim.chip.result import Result
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.lifetime.refresh import refresh_interval
from spikeloom.sim.lifetime.search import lifetime, stream_lifetime
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.chip import Chip
from spikeloom.sw.cli.main import app
from spikeloom.sw.common.errors import ArgumentTypeError, FileError, SpikeLoomError, SpikeLoomWarning
from spikeloom.sw.common.files import writable_file, writable_folder
from spikeloom.sw.config.config import Config
from spikeloom.sw.decision.q_learning import learn_q_values
from spikeloom.sw.decision.trajectories import Trajectories, record_trajectories
from spikeloom.sw.export.firmware import firmware_files
from spikeloom.sw.host import CosimTransport, Host
from spikeloom.sw.passes.tune_loss import tune_chip
from spikeloom.sw.verify.bus_run import through_bus
from tests.fixtures.drifting import drifting_device

SHAPE = (3, 5, 6)
CLASSES = 4
COUNT = 7
RNG = np.random.default_rng(3)
IMAGES = RNG.integers(0, 256, (COUNT, *SHAPE), np.uint8)
LABELS = np.arange(COUNT) % CLASSES


def _model() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, CLASSES)).eval()


MODEL = _model()
CHIP = spikeloom.compile(MODEL, IMAGES, "tiny")
AGING = CHIP.programmed.with_device(drifting_device())
LEARNING = Config.load("tiny").updated({"decision": {"strategy": "learned"}})


class _Closed:
    """No transport: what is refused never comes so far."""

    devices = None


def _host(chip: Chip = CHIP) -> Host:
    host = Host(_Closed())  # type: ignore[arg-type]
    host._programmed, host._calibration = chip.programmed, chip.calibration
    return host


def _compile(images: Any = IMAGES, **options: Any) -> Chip:
    return spikeloom.compile(MODEL, images, options.pop("config", "tiny"), input_shape=SHAPE, **options)


Door = Callable[[Any], Any]
FUNCTIONS: dict[str, dict[str, Door]] = {
    "images": {
        "compile": _compile,
        "compile, validation": lambda x: _compile(config=LEARNING, validation=(x, LABELS)),
        "run_reference": lambda x: run_reference(CHIP.programmed, x),
        "run_cosim": lambda x: run_cosim(CHIP.programmed, x),
        "through_bus": lambda x: through_bus(CHIP.programmed, x),
        "record_trajectories": lambda x: record_trajectories(CHIP.programmed, x, LABELS),
        "lifetime": lambda x: lifetime(AGING, x, LABELS),
        "stream_lifetime": lambda x: stream_lifetime(AGING, IMAGES, x, LABELS),
        "stream_lifetime, stream": lambda x: stream_lifetime(AGING, x, IMAGES, LABELS),
        "refresh_interval": lambda x: refresh_interval(AGING, x, LABELS),
        "tune_chip": lambda x: tune_chip(CHIP.programmed, x),
        "firmware_files": lambda x: firmware_files(CHIP.programmed, x),
    },
    "labels": {
        "compile, validation": lambda x: _compile(config=LEARNING, validation=(IMAGES, x)),
        "record_trajectories": lambda x: record_trajectories(CHIP.programmed, IMAGES, x),
        "lifetime": lambda x: lifetime(AGING, IMAGES, x),
        "stream_lifetime": lambda x: stream_lifetime(AGING, IMAGES, IMAGES, x),
        "refresh_interval": lambda x: refresh_interval(AGING, IMAGES, x),
        "tune_chip": lambda x: tune_chip(CHIP.programmed, IMAGES, x),
    },
    "ids": {
        "run_reference": lambda x: run_reference(CHIP.programmed, IMAGES, ids=x),
        "run_cosim": lambda x: run_cosim(CHIP.programmed, IMAGES, ids=x),
        "through_bus": lambda x: through_bus(CHIP.programmed, IMAGES, ids=x),
        "record_trajectories": lambda x: record_trajectories(CHIP.programmed, IMAGES, LABELS, ids=x),
    },
    "trace": {
        "run_reference": lambda x: run_reference(CHIP.programmed, IMAGES, trace=x),
        "run_cosim": lambda x: run_cosim(CHIP.programmed, IMAGES, trace=x),
        "through_bus": lambda x: through_bus(CHIP.programmed, IMAGES, trace=x),
        "CosimTransport": lambda x: CosimTransport(CHIP.programmed, trace=x),
    },
    "progress": {
        "compile": lambda x: _compile(progress=x),
        "run_reference": lambda x: run_reference(CHIP.programmed, IMAGES, progress=x),
        "run_cosim": lambda x: run_cosim(CHIP.programmed, IMAGES, progress=x),
        "through_bus": lambda x: through_bus(CHIP.programmed, IMAGES, progress=x),
        "record_trajectories": lambda x: record_trajectories(CHIP.programmed, IMAGES, LABELS, progress=x),
        "lifetime": lambda x: lifetime(AGING, IMAGES, LABELS, progress=x),
        "stream_lifetime": lambda x: stream_lifetime(AGING, IMAGES, IMAGES, LABELS, progress=x),
        "refresh_interval": lambda x: refresh_interval(AGING, IMAGES, LABELS, progress=x),
        "tune_chip": lambda x: tune_chip(CHIP.programmed, IMAGES, progress=x),
        "learn_q_values": lambda x: learn_q_values(
            Trajectories(np.ones((3, 2), int), np.ones((3, 2), bool)), progress=x
        ),
    },
}
"""Functions; methods of the objects below are looked up by the names of their parameters."""

FILL: dict[str, Any] = {"images": IMAGES, "labels": LABELS, "chip": CHIP}


def _methods(parameter: str, folder: Path) -> dict[str, Door]:
    """Public methods of chip, result and host that have the parameter, with what else they need."""
    doors: dict[str, Door] = {}
    for owner in (CHIP, RESULT, _host()):
        for name, function in inspect.getmembers(type(owner), inspect.isfunction):
            known = inspect.signature(function).parameters
            if name.startswith("_") or parameter not in known:
                continue
            method = getattr(owner, name)
            fill = {key: value for key, value in FILL.items() if key in known and key != parameter}
            fill |= {key: folder / name for key in ("folder", "path") if key in known and key != parameter}

            def door(value: Any, method: Any = method, fill: dict[str, Any] = fill) -> Any:
                return method(**fill, **{parameter: value})

            doors[f"{type(owner).__name__}.{name}"] = door
    return doors


RESULT = CHIP.predict(IMAGES)
FILL["result"] = RESULT
FUNCTIONS["images"] |= {
    "plots.energy": lambda x: spikeloom.plots.energy(CHIP, RESULT, x),
    "plots.accuracy_over_steps": lambda x: spikeloom.plots.accuracy_over_steps(CHIP, x, LABELS),
}
FUNCTIONS["labels"] |= {
    "plots.confusion_matrix": lambda x: spikeloom.plots.confusion_matrix(CHIP, RESULT, x),
    "plots.accuracy_over_steps": lambda x: spikeloom.plots.accuracy_over_steps(CHIP, IMAGES, x),
}


def _doors(parameter: str, folder: Path) -> dict[str, Door]:
    return {**FUNCTIONS.get(parameter, {}), **_methods(parameter, folder)}


def _plain(sentence: str) -> str:
    """The sentence without what the images or labels are for."""
    text = re.sub(r"^(Calibration|Validation) (images|labels)", lambda m: m[2].capitalize(), sentence)
    text = re.sub(r"^Floating-point (calibration|validation) images", "Floating-point images", text)
    text = text.replace("Floating-point images of the stream", "Floating-point images")
    return text.replace("Images of the stream", "Images")


FLAT = IMAGES.reshape(COUNT, -1)
WIDE = "[images, 3, 5, 6], or flat [images, 90]"
LAST = "images.permute(0, 3, 1, 2), or images.transpose(0, 3, 1, 2) in NumPy, puts the axes in this order"
SIZED = f"Images must have shape {WIDE}, not"
KIND = "Images must be uint8 (0 .. 255) or floating point (0 .. 1), not"
RANGE = "Floating-point images must lie in 0 .. 1, but pixel 0 of image 0 is"
COUNTED = "Labels must have shape (7,), one per image, not"
LISTED = "Labels must lie in 0 .. 3, the chip's classes, but that of image"
WHOLE = "Labels must be integers, one per image, not"
BAD: dict[str, list[tuple[Any, type[Exception], str]]] = {
    "images": [
        (IMAGES.transpose(0, 2, 3, 1), ValueError, f"{SIZED} (7, 5, 6, 3): {LAST}"),
        (torch.from_numpy(IMAGES).permute(0, 2, 3, 1), ValueError, f"{SIZED} (7, 5, 6, 3)"),
        (IMAGES.transpose(2, 3, 1, 0), ValueError, f"{SIZED} (5, 6, 3, 7): images.permute(3"),
        (IMAGES.transpose(0, 1, 3, 2), ValueError, f"{SIZED} (7, 3, 6, 5): images.permute(0"),
        (IMAGES[0], ValueError, f"{SIZED} (3, 5, 6): a single image needs an axis"),
        (IMAGES[:, 0], ValueError, f"{SIZED} (7, 5, 6): the chip's images have 3 channels"),
        (IMAGES[0].reshape(-1), ValueError, f"{SIZED} (90,): a single image needs an axis"),
        (FLAT.reshape(COUNT, 9, 10), ValueError, f"{SIZED} (7, 9, 10)"),
        (FLAT[:, :89], ValueError, f"{SIZED} (7, 89)"),
        (IMAGES.tolist(), TypeError, "Images must be a NumPy array or a PyTorch tensor, not list: numpy"),
        ("images", TypeError, "Images must be a NumPy array or a PyTorch tensor, not str"),
        (IMAGES > 99, TypeError, f"{KIND} bool: images * 1.0"),
        (IMAGES.astype(np.int64), TypeError, f"{KIND} int64: imag"),
        (IMAGES // 16 + np.uint16(0), TypeError, f"{KIND} uint16: images / 15 in floating point, if 0 .. 15 is"),
        (IMAGES * np.uint16(257), TypeError, f"{KIND} uint16: images / 65535 in floating point"),
        (IMAGES * 1j, TypeError, f"{KIND} complex128"),
        (np.full(IMAGES.shape, 255.0), ValueError, f"{RANGE} 255.0: divide by 255"),
        (np.full(IMAGES.shape, 16, np.float16), ValueError, f"{RANGE} 16.0: divide by the largest value that"),
        (np.full(IMAGES.shape, -0.5), ValueError, f"{RANGE} -0.5: they seem to be normalised"),
        (np.full(IMAGES.shape, np.nan), ValueError, f"{RANGE} nan: replace values that are NaN"),
        (np.full(IMAGES.shape, 1.0000001), ValueError, f"{RANGE} 1.0000001: use .clip(0, 1)"),
        (torch.ones(COUNT, *SHAPE).to_sparse(), TypeError, "Images must be an ordinary tensor with values"),
        (np.ma.masked_array(IMAGES, IMAGES > 9), TypeError, "Images must be an array in which every pixel counts"),
    ],
    "labels": [
        (LABELS + 1, ValueError, f"{LISTED} 3 is 4: labels start at 0, so give labels - 1"),
        (LABELS - 1, ValueError, f"{LISTED} 0 is -1: leave images without a class out"),
        (LABELS + 9, ValueError, f"{LISTED} 0 is 9"),
        (np.eye(CLASSES)[LABELS], ValueError, f"{COUNTED} (7, 4): use labels.argmax"),
        (torch.eye(CLASSES)[LABELS], ValueError, f"{COUNTED} (7, 4): use labels.arg"),
        (LABELS[:, None], ValueError, f"{COUNTED} (7, 1): use labels.reshape(-1)"),
        (LABELS[:6], ValueError, f"{COUNTED} (6,)"),
        (3, ValueError, f"{COUNTED} ()"),
        (LABELS / 1.0, TypeError, f"{WHOLE} float64: use labels.astype(int), or .long"),
        (LABELS / 1.5, TypeError, f"{WHOLE} float64"),
        (torch.from_numpy(LABELS).float(), TypeError, f"{WHOLE} float32: use labels."),
        (LABELS > 1, TypeError, f"{WHOLE} bool: use labels.astype(int)"),
        ([str(label) for label in LABELS], TypeError, f"{WHOLE} <U1"),
        ("0123012", TypeError, f"{WHOLE} <U7"),
        ([[0], [1, 2]], TypeError, "Labels must be a list or array of integers, one per image, not [[0], [1, 2]]"),
    ],
    "ids": [
        (LABELS[:6], ValueError, "Image numbers have shape (6,), but there are 7 images"),
        (LABELS - 1, ValueError, "Image numbers must be in 0 .. 4294967295, not -1 .. 2"),
        (torch.arange(7.0), TypeError, "Image numbers must be integers, not float32"),
        ([[0], [1, 2]], TypeError, "Image numbers must be a list or array of integers, one per image, not [[0]"),
        ("0123012", TypeError, "Image numbers must be integers, not <U7"),
    ],
    "trace": [
        (True, ValueError, "trace must be 'none', 'spikes' or 'full', not True"),
        (None, ValueError, "trace must be 'none', 'spikes' or 'full', not None"),
        ("all", ValueError, "trace must be 'none', 'spikes' or 'full', not 'all'"),
        (np.zeros(3), ValueError, "trace must be 'none', 'spikes' or 'full', not array([0., 0., 0.])"),
    ],
    "progress": [
        (True, TypeError, "progress must be a function or None, not True"),
        ("bar", TypeError, "progress must be a function or None, not 'bar'"),
    ],
}  # fmt: skip
KNOWN = {
    "images": {
        "Chip.predict",
        "Chip.cosim",
        "Chip.report",
        "Chip.pixels",
        "Chip.diagnose",
        "Chip.energy",
        "Chip.latency",
        "Host.infer",
    },
    "labels": {"Chip.report", "Result.accuracy"},
    "ids": {"Chip.predict", "Chip.cosim", "Host.infer"},
    "trace": {"Chip.predict", "Chip.cosim"},
    "progress": {"Chip.predict", "Chip.cosim", "Host.infer", "Host.load"},
}
CASES = [(parameter, number) for parameter, rows in BAD.items() for number in range(len(rows))]


@pytest.mark.parametrize(("parameter", "number"), CASES)
def test_a_bad_value_is_refused_alike_everywhere(parameter: str, number: int, tmp_path: Path) -> None:
    value, kind, sentence = BAD[parameter][number]
    doors = _doors(parameter, tmp_path)
    assert set(doors) >= KNOWN[parameter]
    found = {}
    for name, door in doors.items():
        with pytest.raises(kind) as raised:
            door(value)
        assert isinstance(raised.value, SpikeLoomError), name
        found[name] = _plain(str(raised.value))
    assert set(found.values()) == {next(iter(found.values()))}
    assert next(iter(found.values())).startswith(sentence)
    assert not list(tmp_path.iterdir())


SWITCHES: dict[str, Door] = {
    "waves": lambda x: CHIP.cosim(IMAGES, waves=x),
    "through_bus": lambda x: CHIP.cosim(IMAGES, through_bus=x),
    "bus": lambda x: CHIP.write_verilog("never", bus=x),
    "fault_aware": lambda x: _host().load(CHIP, fault_aware=x),
    "stalls": lambda x: run_cosim(CHIP.programmed, IMAGES, stalls=x),
    "netlist": lambda x: run_cosim(CHIP.programmed, IMAGES, netlist=x),
    "quick": lambda x: run_cosim(CHIP.programmed, IMAGES, quick=x),
}


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", [1, 0, "yes", "False", np.ones(2)])
def test_switches_are_true_or_false_and_nothing_else(name: str, value: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=rf"^{name} must be True(, False or None| or False), not "):
        SWITCHES[name](value)


PATHS: dict[str, Door] = {
    "weight image": CHIP.save,
    "weight image, read": spikeloom.load,
    "weight image, by the host": lambda x: _host().load(x),
    "Verilog folder": CHIP.write_verilog,
    "report folder": CHIP.report,
    "NIR file": CHIP.write_nir,
    "NIR file, read": spikeloom.read_nir,
    "data folder": lambda x: spikeloom.load_data("mnist", x),
    "simulation folder": lambda x: CHIP.cosim(IMAGES, folder=x),
    "simulation folder of a transport": lambda x: CosimTransport(CHIP.programmed, folder=x),
}


@pytest.mark.parametrize("name", PATHS)
def test_paths_are_paths(name: str) -> None:
    what = re.split(", | of a ", name)[0]
    with pytest.raises(ArgumentTypeError, match=rf"^The {what} must be a path \(text or pathlib.Path\), not int$"):
        PATHS[name](5)
    for text in ("", "a\0b"):
        with pytest.raises(SpikeLoomError, match=rf"^The {what} must be a path that is not empty and has no NUL char"):
            PATHS[name](text)


WRITERS: dict[str, tuple[str, Door]] = {
    "save": ("spikeloom.sw.weight_image.file.pack", CHIP.save),
    "write_nir": ("spikeloom.sw.nir.writer.chip_to_nir", CHIP.write_nir),
    "write_verilog": ("spikeloom.sw.export.verilog_folder.export_files", CHIP.write_verilog),
    "report": ("spikeloom.sw.report.chip_report.report", lambda x: CHIP.report(x, IMAGES)),
    "cosim": ("spikeloom.sim.cosim.run.run_cosim", lambda x: CHIP.cosim(IMAGES, folder=x)),
}
FILES = ("save", "write_nir")


@pytest.mark.parametrize("name", WRITERS)
def test_a_path_that_cannot_be_is_told_before_the_work(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, door = WRITERS[name]
    monkeypatch.setattr(work, lambda *_, **__: pytest.fail("the work has begun"))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    if name in FILES:
        with pytest.raises(
            FileError, match=r"^Cannot write '.*/folder': it is a folder; give the path of a file, such"
        ):
            door(tmp_path / "folder")
    else:
        with pytest.raises(
            FileError, match=r"/file': a part of the path is a file, not a folder; choose another path$"
        ):
            door(tmp_path / "file")
    for inside in ("file/x", "file/x/y"):
        with pytest.raises(FileError, match=r"': a part of the path is a file, not a folder; choose another path$"):
            door(tmp_path / inside)
    with pytest.raises(FileError, match=r"': the name is too long; choose another path$"):
        door(tmp_path / ("a" * 300) / "x")

    def refuse(dir: Path) -> Any:
        raise PermissionError(errno.EACCES, "no", str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(FileError, match=r"/new/x': permission is denied; choose another path$"):
        door(tmp_path / "new/x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_that_leads_nowhere_or_makes_no_files_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("gone")
    told = re.escape(f"'{tmp_path / 'link'}' is a link to 'gone', which does not exist; choose another path") + "$"
    for check, inside in (
        (writable_folder, "."),
        (writable_folder, "a/b"),
        (writable_file, "a"),
        (writable_file, "a/b"),
    ):
        place = tmp_path / "link" / inside
        with pytest.raises(FileError, match=re.escape(f"Cannot write '{place}': ") + told):
            check(place, "place")
    said = CliRunner().invoke(app, ["run", "tiny", "-o", str(tmp_path / "link")])
    assert said.exit_code == 2 and "is a link to 'gone', which does not exist" in " ".join(said.stderr.split())
    assert writable_file(tmp_path / "link", "file") == tmp_path / "link"  # the link is replaced

    def refuse(dir: Path) -> Any:  # as /proc does
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    told = re.escape(
        f"Cannot write '{tmp_path}/x/y': its file system makes no files in '{tmp_path}'; choose another path"
    )
    for check in (writable_file, writable_folder):
        with pytest.raises(FileError, match=f"^{told}$"):
            check(tmp_path / "x/y", "place")


def test_a_nir_file_is_written_over_no_file_of_another_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeloom.sw.flow.steps.make_flow", lambda *_, **__: pytest.fail("the work has begun"))
    network = spikeloom.read_nir(Path(__file__).parents[2] / "examples" / "digits.nir")
    CHIP.save(tmp_path / "mine.loom")
    for name in ("notes.nir", "notes"):
        (tmp_path / name).write_text("mine")
    lost = "a file that is no NIR file (HDF5) exists and would be overwritten; choose another name, or remove it"
    for name, sentence in (
        ("notes.nir", lost),
        ("notes", lost),
        ("mine.loom", "names that end in .loom are those of weight images; give a name that ends in .nir"),
        ("new.LOOM", "names that end in .LOOM are those of weight images; give"),
        ("new.toml", "names that end in .toml are those of configurations; give"),
        ("new.npz", "names that end in .npz are those of arrays; give"),
    ):
        place = tmp_path / name
        before = place.read_bytes() if place.exists() else None
        for write in (CHIP.write_nir, lambda path: spikeloom.write_nir(network, path)):
            with pytest.raises(FileError, match="^" + re.escape(f"Cannot write a NIR file '{place}': {sentence}")):
                write(place)
        told = CliRunner().invoke(app, ["nir", "tiny", "-o", str(place)])
        assert told.exit_code == 2 and sentence in " ".join(told.stderr.split())
        assert (place.read_bytes() if place.exists() else None) == before
    (tmp_path / "empty.nir").touch()
    for name in ("empty.nir", "new.nir", "new.nir"):  # nothing is lost, or a NIR file made anew
        assert (
            spikeloom.read_nir(spikeloom.write_nir(network, tmp_path / name)).graph.input_shape
            == network.graph.input_shape
        )


def test_a_path_that_can_be_is_left_as_it_is_by_the_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert writable_file(tmp_path / "file", "file") == tmp_path / "file"
    assert writable_file(tmp_path / "a/b/c", "file") == tmp_path / "a/b/c"
    assert writable_folder(tmp_path, "folder") == tmp_path
    assert writable_folder(str(tmp_path / "a/b"), "folder") == tmp_path / "a/b"
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("size", [np.int64, np.int32, int])
def test_numbers_of_numpy_are_taken_wherever_pythons_are(size: Callable[[int], Any]) -> None:
    shape = tuple(size(n) for n in SHAPE)
    spikeloom.compile(MODEL, FLAT, {"preset": "tiny", "decision": {"t_max": size(20)}}, input_shape=shape)
    learning = {"preset": "tiny", "decision": {"strategy": "learned"}, "learning": {"max_images": size(1000)}}
    assert _compile(config=learning, validation=(IMAGES, [size(n) for n in LABELS])).learnt_rule is not None
    assert repr(spikeloom.ClippedReLU(np.float64(1.0), size(4))) == repr(spikeloom.ClippedReLU(1.0, 4))
    assert CHIP.predict(IMAGES, ids=[size(n) for n in range(COUNT)]).ids.tolist() == list(range(COUNT))
    digits = Path(__file__).parents[2] / "examples" / "digits.nir"
    assert spikeloom.read_nir(digits, start=np.float32(0.5)).start == 0.5


WARNING = {
    "multiply by 255 / 15, or give images / 15 in floating point": IMAGES // 17,
    "multiply by 255 / 1, or give images / 1 in floating point": (IMAGES > 99).astype(np.uint8),
    "multiply by 255, since they seem to have been divided by 255 twice": IMAGES / 255 / 255,
    "every pixel of 7 is 0; give images with content": IMAGES * np.uint8(0),
    "the largest pixel of 7 is 51 of 255, and that of the calibration images 255; scale both alike": IMAGES // 5,
}
ONE = {"compile", "compile, validation", "Chip.predict", "Chip.cosim", "Chip.report", "Chip.pixels", "Host.infer"}
ONE |= {"Chip.diagnose", "Chip.by_step", "Chip.energy", "Chip.latency", "plots.energy", "plots.accuracy_over_steps"}
ONE |= {"lifetime", "stream_lifetime", "stream_lifetime, stream", "refresh_interval"}


@pytest.mark.parametrize("sentence", WARNING)
def test_images_that_are_surely_a_slip_are_told_of_everywhere(sentence: str, tmp_path: Path) -> None:
    """pytest makes the warning an error, so that nothing is run."""
    for name, door in _doors("images", tmp_path).items():
        if name not in ONE:  # levels below, which take what they are given
            assert name in (
                "run_reference",
                "run_cosim",
                "through_bus",
                "record_trajectories",
                "tune_chip",
                "firmware_files",
            )
            continue
        alone = name in ("compile", "lifetime", "stream_lifetime", "stream_lifetime, stream", "refresh_interval")
        if "calibration" in sentence and alone:
            continue  # these know no other images
        if name == "compile" and "every pixel" in sentence:
            with pytest.raises(ValueError, match="calibration images are all black"):
                door(WARNING[sentence])
            continue
        with pytest.raises(SpikeLoomWarning, match=re.escape(sentence) + "$"):
            door(WARNING[sentence])


ALIKE = {
    "All 7 calibration images are the same image": np.repeat(IMAGES[:1], 7, 0),
    "All 7 calibration images have no contrast: all 90 pixels of an image are the same": np.broadcast_to(
        np.arange(200, 207, dtype=np.uint8)[:, None, None, None], IMAGES.shape
    ),
    "The only one of the calibration images has no contrast: all 90 pixels of an image are the same": np.full(
        (1, *SHAPE), 0.5
    ),
}


@pytest.mark.parametrize("sentence", ALIKE)
def test_images_that_say_nothing_of_others_are_told_of_where_they_are_measured(sentence: str) -> None:
    end = "; what is measured on them fits no others, so give images such as the chip will see"
    with pytest.warns(SpikeLoomWarning, match="^" + re.escape(sentence + end) + "$") as seen:
        _compile(ALIKE[sentence])
    assert len(seen) == 1 and seen[0].filename == __file__
    with pytest.warns(
        SpikeLoomWarning, match="^" + re.escape(sentence.replace("calibration", "validation") + end) + "$"
    ) as seen:
        _compile(config=LEARNING, validation=(ALIKE[sentence], LABELS[: len(ALIKE[sentence])]))
    assert len(seen) == 1


def test_a_few_images_that_differ_are_no_slip() -> None:
    """One image, two that differ in a pixel, images of one pixel, a set in which some are alike or flat."""
    twice = np.repeat(IMAGES[:1], 2, 0)
    twice[1, 0, 0, 0] ^= 1
    mixed = IMAGES.copy()
    mixed[:3], mixed[3] = IMAGES[:1], 90
    for images in (IMAGES[:1], twice, mixed):
        _compile(images)
    spikeloom.compile(nn.Sequential(nn.Linear(1, 3)), np.array([[9], [200]], np.uint8))


def test_the_right_images_give_the_same_everywhere() -> None:
    """The remedies make the same pixels; axes of length 1 and flat images change nothing."""
    expected = CHIP.predict(IMAGES)
    last = np.ascontiguousarray(IMAGES.transpose(0, 2, 3, 1))
    turned = last.transpose(0, 3, 1, 2), torch.from_numpy(last).permute(0, 3, 1, 2)
    floats = IMAGES / 255, (IMAGES / 255).astype(np.float32)
    for images in (*turned, *floats, torch.from_numpy(IMAGES), FLAT, FLAT[:, None], IMAGES[:, None]):
        expected.compare(CHIP.predict(images))
    assert CHIP.image_shape == SHAPE
    assert CHIP.calibration is not None and CHIP.calibration.maximum == IMAGES.max()
    few = IMAGES // 17
    with pytest.warns(SpikeLoomWarning, match="multiply by 255 / 15") as seen:
        wrong = CHIP.predict(few)
    assert seen[0].filename == __file__
    right = CHIP.predict(few / 15)
    assert wrong.spikes[:, 0].sum() != right.spikes[:, 0].sum()
    right.compare(CHIP.predict(np.rint(few * 17.0).astype(np.uint8)))
    CHIP.predict(few[:1])  # one image may be dark


def test_a_loaded_chip_knows_the_shape_of_its_images(tmp_path: Path) -> None:
    chip = spikeloom.load(CHIP.save(tmp_path / "a.loom"))
    assert chip.image_shape == SHAPE
    with pytest.raises(ValueError, match=re.escape(f"Images must have shape {WIDE}, not (7, 5, 6, 3): {LAST}")):
        chip.predict(IMAGES.transpose(0, 2, 3, 1))
    host = _host(chip)
    with pytest.raises(ValueError, match=re.escape(f"Images must have shape {WIDE}, not (7, 5, 6, 3): {LAST}")):
        host.infer(IMAGES.transpose(0, 2, 3, 1))


def test_a_dense_chip_takes_images_as_it_was_calibrated() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(90, CLASSES))
    last = IMAGES.transpose(0, 2, 3, 1)
    chip, flat = (spikeloom.compile(model, images, "tiny") for images in (IMAGES, FLAT))
    assert chip.image_shape == SHAPE and flat.image_shape == (90,)
    with pytest.raises(ValueError, match=r"not \(7, 5, 6, 3\): images\.permute\(0, 3, 1, 2\)"):
        chip.predict(last)
    chip.predict(IMAGES).compare(chip.predict(FLAT))
    flat.predict(IMAGES).compare(flat.predict(FLAT))
    flat.predict(FLAT.reshape(COUNT, 9, 10)).compare(flat.predict(FLAT))
    sizes = spikeloom.compile(model, FLAT, "tiny", input_shape=SHAPE)
    assert sizes.image_shape == SHAPE
    with pytest.raises(ValueError, match=r"^Calibration images must have .* \(7, 5, 6, 3\): images\.permute\(0, 3, 1"):
        spikeloom.compile(model, last, "tiny", input_shape=SHAPE)


@pytest.mark.parametrize("images", [IMAGES.transpose(0, 2, 3, 1), torch.from_numpy(IMAGES).permute(0, 2, 3, 1)])
def test_compile_names_the_remedy_for_channels_that_come_last(images: Any) -> None:
    remedy = (
        "since the images have shape [images, 5, 6, 3]: the channels seem to come last, and images.permute(0, 3, 1, "
        "2), or images.transpose(0, 3, 1, 2) in NumPy, puts them first"
    )
    with pytest.raises(
        ValueError,
        match=re.escape("Layer '0' (Conv2d) has 3 input channels, but gets 5") + ".*, " + re.escape(remedy) + "; both",
    ):
        spikeloom.compile(MODEL, images, "tiny")
    norm = nn.Sequential(nn.BatchNorm2d(3), *MODEL).eval()
    with pytest.raises(ValueError, match="has 3 features, but gets 5 channels .*, " + re.escape(remedy) + "; both"):
        spikeloom.compile(norm, images, "tiny")


def test_compile_says_what_the_images_lack() -> None:
    with pytest.raises(
        ValueError, match=r"gets 1: .*, since the images have shape \[images, 5, 6\], without an axis of ch"
    ):
        spikeloom.compile(MODEL, IMAGES[:, 0], "tiny")
    with pytest.raises(TypeError, match=r"^Calibration images must be a NumPy array .*, not list: numpy\.asarray"):
        spikeloom.compile(MODEL, IMAGES.tolist(), "tiny")


def test_results_know_their_classes_wherever_they_come_from(tmp_path: Path) -> None:
    from spikeloom.sw.verify.result_file import load_result, save_result

    save_result(tmp_path / "a.npz", RESULT)
    for result in (RESULT, Result.concatenate([RESULT, RESULT]), load_result(tmp_path / "a.npz")[0]):
        assert result.class_count == CLASSES
        with pytest.raises(ValueError, match=r"labels start at 0, so give labels - 1$"):
            result.accuracy(result.classes * 0 + 1 + np.arange(len(result)) % CLASSES)
    assert RESULT.accuracy(RESULT.classes) == RESULT.accuracy(RESULT.classes.tolist()) == 1.0
    assert RESULT.accuracy(torch.from_numpy(RESULT.classes)) == 1.0
    unknown = replace(RESULT, class_count=None)
    assert unknown.accuracy(RESULT.classes + 5) == 0.0
    with pytest.raises(ValueError, match=r"^Labels must be 0 or more, but that of image 0 is -1: leave images without"):
        unknown.accuracy(RESULT.classes * 0 - 1)


def test_the_usual_slips_with_digits_are_told_of_and_their_remedies_are_right() -> None:
    """A trained network: 92 % for the right images, and chance to half for images of another range."""
    digits = load_digits()
    values, labels = digits.images.astype(np.uint8), digits.target
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
        x, y = torch.from_numpy(values[:1297] / 16).float(), torch.from_numpy(labels[:1297])
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(100):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
    tests, expected = values[1297:], labels[1297:]
    chip = spikeloom.compile(model.eval(), values[:500] / 16, "digits")
    right = chip.predict(tests / 16)
    assert right.accuracy(expected) > 0.85
    wrong = {
        "multiply by 255 / 16, or give images / 16": tests,
        "multiply by 255 / 16, if 0 .. 16 was divided by 255": tests / 255,
        "they seem to have been divided by 255 twice": (tests / 16 / 255),
        "give 255 - images": np.rint(255 - tests * (255 / 16)).astype(np.uint8),
    }
    for remedy, images in wrong.items():
        with pytest.warns(SpikeLoomWarning, match=re.escape(remedy)) as seen:
            assert chip.predict(images, ids=range(len(images))).accuracy(expected) < 0.5
        assert len(seen) == 1
    inverse = 255 - wrong["give 255 - images"]
    for images in (
        tests / 255 * (255 / 16),
        tests / 16 / 255 * 255,
        inverse,
        np.rint(tests * 15.9375).astype(np.uint8),
    ):
        taken = images if images.dtype == np.uint8 else np.minimum(images, 1.0)
        mended = chip.predict(taken, ids=range(len(taken)))
        assert abs(mended.accuracy(expected) - right.accuracy(expected)) <= 0.01  # halves are rounded either way
    with pytest.warns(SpikeLoomWarning, match=r"^Calibration images are nearly black: .*multiply by 255 / 16, or"):
        spikeloom.compile(model, values[:500], "digits")
    assert right.accuracy(expected) == np.mean(right.classes == expected)
    with pytest.raises(ValueError, match=r"^Labels must lie in 0 .. 9, .* is 10: labels start at 0"):
        right.accuracy(expected + 1)
