"""What the steps of a run do: data, train, convert, reference, verilog, cosim, report."""

from __future__ import annotations

import functools
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sw
from sim.result import Result
from sim.tools import ToolError
from sw.chip import Chip
from sw.config import Config
from sw.cosimulate import cosimulate
from sw.data import Dataset, load_data
from sw.errors import FileError
from sw.files import write_atomic
from sw.flow import Flow, Step, sources_digest
from sw.result_file import load_result, save_result

__all__ = ["STEPS", "TestSet", "load_chip", "load_test_set", "make_flow"]


_COSIM = ("hw", "sim", "sw/host", "sw/through_bus.py", "sw/cosimulate_bus.py")
"""Sources that determine what the Verilog does, and a host with it."""


@dataclass(frozen=True, eq=False)
class TestSet:
    """Images uint8 [images, inputs], labels int64 [images]; calibration images uint8 [calibration, inputs]."""

    __test__ = False  # not a test, whatever pytest thinks of the name
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    calibration: NDArray[np.uint8]


@functools.lru_cache(maxsize=1)
def _dataset(name: str, folder: Path | None) -> Dataset:
    return load_data(name, folder)


def _counter(flow: Flow, step: str, text: str) -> Callable[[int, int], None]:
    return lambda done, total: flow.progress(step, done, total, text)


def _data(flow: Flow) -> list[Path]:
    section = flow.config.data
    data = _dataset(section.set, flow.data)
    limit = section.test_limit or len(data.test_images)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        images=data.test_images[:limit],
        labels=data.test_labels[:limit],
        calibration=data.train_images[: section.calibration_images],
    )
    facts = {"set": data.name, "shape": list(data.shape), "classes": data.classes, "checksum": data.checksum()}
    write_atomic(flow.folder / "data/images.npz", buffer.getvalue())
    write_atomic(flow.folder / "data/data.json", _json(facts))
    return [flow.folder / "data/images.npz", flow.folder / "data/data.json"]


def load_test_set(flow: Flow) -> TestSet:
    """What the step `data` left."""
    with np.load(flow.folder / "data/images.npz", allow_pickle=False) as file:
        return TestSet(file["images"], file["labels"], file["calibration"])


def _train(flow: Flow) -> list[Path]:
    from safetensors.torch import save

    from sw.training import torch_accuracy, train

    data = _dataset(flow.config.data.set, flow.data)
    model = train(
        flow.config.train,
        data,
        flow.config.seed,
        progress=lambda done, total, text: flow.progress("train", done, total, f"epochs, {text}"),
    )
    tests = load_test_set(flow)
    accuracy = torch_accuracy(model, tests.images, tests.labels)
    tensors = save({name: value.contiguous() for name, value in model.state_dict().items()})
    write_atomic(flow.folder / "train/network.safetensors", tensors)
    write_atomic(flow.folder / "train/train.json", _json({"accuracy": accuracy, "images": len(tests.images)}))
    return [flow.folder / "train/network.safetensors", flow.folder / "train/train.json"]


def _convert(flow: Flow) -> list[Path]:
    from safetensors.torch import load as load_tensors

    from sw.training import build
    from sw.waterfall import waterfall

    facts = json.loads((flow.folder / "data/data.json").read_text())
    tests = load_test_set(flow)
    model = build(flow.config.train, tuple(facts["shape"]), facts["classes"])
    model.load_state_dict(load_tensors((flow.folder / "train/network.safetensors").read_bytes()))
    chip = sw.compile(model.eval(), tests.calibration, flow.config)

    def tell(stage: str, accuracy: float) -> None:
        flow.progress("convert", 0, 0, f"accuracy {accuracy:.2%} ({stage})")

    stages = waterfall(chip, tests.images, tests.labels, tell)
    (flow.folder / "convert").mkdir(parents=True, exist_ok=True)
    chip.save(flow.folder / "convert/chip.loom")
    write_atomic(
        flow.folder / "convert/convert.json",
        _json({"waterfall": [{"stage": stage, "accuracy": value} for stage, value in stages]}),
    )
    return [flow.folder / "convert/chip.loom", flow.folder / "convert/convert.json"]


def load_chip(flow: Flow) -> Chip:
    """What the step `convert` left."""
    return sw.load(flow.folder / "convert/chip.loom")


def _reference(flow: Flow) -> list[Path]:
    path = flow.folder / "reference/reference.npz"
    images = load_test_set(flow).images
    save_result(path, load_chip(flow).predict(images, progress=_counter(flow, "reference", "images")))
    return [path]


def _verilog(flow: Flow) -> list[Path]:
    from hw.synthesis import SynthesisError, cell_counts

    folder = flow.folder / "verilog"
    chip = load_chip(flow)
    chip.write_verilog(folder)
    files = {path.name: path.read_text() for path in sorted(folder.glob("*.sv"))}
    try:
        cells = cell_counts(files)
    except SynthesisError as error:
        raise ToolError(f"The cells of the Verilog in '{folder}' cannot be counted: {error}") from error
    write_atomic(flow.folder / "synthesis/cells.json", _json({"cells": cells}))
    return [folder, flow.folder / "synthesis/cells.json"]


def _cosim(flow: Flow) -> list[Path]:
    section = flow.config.cosim
    tests, image = load_test_set(flow), load_chip(flow).image
    count = section.images or len(tests.images)
    facts = [sources_digest(_COSIM), section.simulator, _digest(flow.folder / "convert/chip.loom")]
    chunks = flow.folder / "chunks" / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    result, comparison = cosimulate(
        image,
        tests.images[:count],
        simulator=section.simulator,
        trace_images=section.trace_images,
        waves=flow.folder / "waves" if section.waves else None,
        chunks=chunks,
        through_bus=section.through_bus,
        progress=_counter(flow, "cosim", "images"),
    )
    reference, _ = load_result(flow.folder / "reference/reference.npz")
    if len(result) < len(reference):  # a drift is known at the end of each only; `cosimulate` has compared it
        reference, compared = _first(reference, len(result)), replace(result, drift=None)
    else:
        compared = result
    reference.compare(compared, ("the reference", "the Verilog"))
    save_result(flow.folder / "cosim/rtl.npz", result, comparison["values_compared"])
    write_atomic(flow.folder / "cosim/comparison.json", _json(comparison))
    return [flow.folder / "cosim/rtl.npz", flow.folder / "cosim/comparison.json"]


def _first(result: Result, count: int) -> Result:
    """The result of the first images, without a drift."""
    return Result(
        **{name: getattr(result, name)[:count] for name in ("classes", "steps", "margins", "reasons", "spikes", "ids")},
        activity={name: values[:count] for name, values in result.activity.items()},
    )


def _report(flow: Flow) -> list[Path]:
    from sw.report import write_report

    known = {name: flow.current(name) for name in ("train", "convert", "reference", "verilog", "cosim")}
    if not known["convert"]:
        raise FileError(f"There is nothing to report in '{flow.folder}': run the steps up to 'convert' first")
    tests = load_test_set(flow)
    converted = json.loads((flow.folder / "convert/convert.json").read_text())
    cells = json.loads((flow.folder / "synthesis/cells.json").read_text())["cells"] if known["verilog"] else None
    reference = load_result(flow.folder / "reference/reference.npz")[0] if known["reference"] else None
    rtl = load_result(flow.folder / "cosim/rtl.npz")[0] if known["cosim"] else None
    comparison = json.loads((flow.folder / "cosim/comparison.json").read_text()) if known["cosim"] else None
    page = write_report(
        flow.folder / "report",
        image=load_chip(flow).image,
        images=tests.images,
        labels=tests.labels,
        reference=reference,
        rtl=rtl,
        comparison=comparison,
        accuracy_ann=json.loads((flow.folder / "train/train.json").read_text())["accuracy"],
        waterfall=converted["waterfall"],
        cells=cells,
        config=flow.config,
    )
    return [page, page.with_name("summary.json")]


def _json(values: Any) -> str:
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sections(*names: str) -> Callable[[Flow], Any]:
    return lambda flow: {name: flow.config.model_dump(mode="json")[name] for name in names}


def _data_facts(flow: Flow) -> Any:
    return [_sections("data")(flow), None if flow.data is None else str(flow.data.resolve())]


_CHIP = (
    *("name", "seed", "convert", "coding", "neuron", "decision", "crossbar", "device", "programming", "energy"),
    "hardware",
)

STEPS = (
    Step("data", "reading the data set", (), ("sw",), _data_facts, _data),
    Step("train", "training the network", ("data",), ("sw",), _sections("data", "train", "seed"), _train),
    Step(
        "convert",
        "converting it to a chip",
        ("data", "train"),
        ("hw", "sim", "sw"),
        _sections(*_CHIP, "train"),
        _convert,
    ),
    Step("reference", "integer reference", ("data", "convert"), ("hw", "sim"), _sections("seed"), _reference),
    Step(
        "verilog",
        "writing Verilog, counting cells",
        ("convert",),
        ("hw", "sw"),
        _sections("name"),
        _verilog,
        partial=("synthesis",),
    ),
    Step(
        "cosim",
        "running the Verilog",
        ("data", "convert", "reference"),
        _COSIM,
        _sections("cosim"),
        _cosim,
        partial=("chunks", "waves"),
    ),
    Step(
        "report",
        "writing the report",
        ("data", "train", "convert", "reference", "verilog", "cosim"),
        ("hw", "sim", "sw"),
        lambda flow: flow.config.model_dump(mode="json"),
        _report,
    ),
)


def make_flow(config: Config, folder: Path | None = None, data: Path | None = None, fresh: bool = False) -> Flow:
    """The standard flow of a configuration, in `build/<name>` unless told otherwise; `fresh` starts from nothing."""
    flow = Flow(config, folder if folder is not None else Path("build") / config.name, STEPS, data=data)
    if fresh:
        flow.clear()
    return flow
