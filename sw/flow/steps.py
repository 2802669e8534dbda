"""The steps of a run: data, train, convert, reference, verilog, cosim, report."""

from __future__ import annotations

import functools
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeloom.sim.cosim.tools import ToolError
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.errors import ConfigError, FileError, warn
from spikeloom.sw.common.files import writable_folder, write_atomic, write_folder
from spikeloom.sw.common.sources import source_of, sources_digest
from spikeloom.sw.compiler.images import check_validation, needs_validation
from spikeloom.sw.compiler.provenance import from_run
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.data_files import FileState, data_files, file_digests
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.datasets.pixels import as_pixels
from spikeloom.sw.flow.decision_files import decision_json, stopping_json, tuned_json
from spikeloom.sw.flow.flow import Flow, Step
from spikeloom.sw.flow.lifetime_step import load_lifetime, with_lifetime
from spikeloom.sw.flow.nir_step import load_nir, nir_facts, take_nir
from spikeloom.sw.flow.run_folder import data_facts, load_compiled, load_run_images, run_image_set
from spikeloom.sw.verify.chunks import cosimulate
from spikeloom.sw.verify.measured import check_measured, compared, measured
from spikeloom.sw.verify.result_file import load_result, save_result
from spikeloom.sw.weight_image.file import save

if TYPE_CHECKING:
    from torch import nn

    from spikeloom.sw.nir.reader import NirModel

__all__ = ["STEPS", "make_flow"]


_NIR = Path("train/network.nir")
"""Where the network of a run from a NIR file is kept."""
_COSIMULATE = (source_of(cosimulate),)
"""Source of chunks, see `sw.common.sources`."""


def _dataset(name: str, folder: Path | None) -> Dataset:
    """A data set, read again only where its files are others than the last time."""
    return _read(name, folder, data_files(name, folder))


@functools.lru_cache(maxsize=1)
def _read(name: str, folder: Path | None, files: tuple[FileState, ...]) -> Dataset:
    return load_data(name, folder)


def _counter(flow: Flow, step: str, text: str) -> Callable[[int, int], None]:
    return lambda done, total: flow.progress(step, done, total, text)


def _data(flow: Flow) -> list[Path]:
    section = flow.config.data
    data = _dataset(section.set, flow.data)
    wanted, there = section.calibration_images + section.validation_images, len(data.train_images)
    if wanted > there:
        raise ConfigError(
            flow.config.name,
            [
                f"[data] calibration_images ({section.calibration_images}) + validation_images "
                f"({section.validation_images}) must be at most the {there} training images of "
                f"'{data.name}', not {wanted}"
            ],
        )
    train, (validation, validation_labels) = data.split(section.validation_images)
    limit = section.test_limit or len(data.test_images)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        images=data.test_images[:limit],
        labels=data.test_labels[:limit],
        calibration=train.train_images[: section.calibration_images],
        validation=validation,
        validation_labels=validation_labels,
    )
    facts = {"set": data.name, "shape": list(data.shape), "classes": data.classes, "checksum": data.checksum()}
    facts["test_images"] = len(data.test_images)
    write_atomic(flow.folder / "data/images.npz", buffer.getvalue())
    write_atomic(flow.folder / "data/data.json", _json(facts))
    return [flow.folder / "data/images.npz", flow.folder / "data/data.json"]


def _train(flow: Flow) -> list[Path]:
    from safetensors.torch import save

    from spikeloom.sw.frontend.plain_torch import torch_accuracy
    from spikeloom.sw.training.training import train

    if flow.config.nir.file:
        return _take_nir(flow)
    data, _ = _dataset(flow.config.data.set, flow.data).split(flow.config.data.validation_images)
    model = train(
        flow.config.train,
        data,
        flow.config.seed,
        progress=lambda done, total, text: flow.progress("train", done, total, f"epochs, {text}"),
    )
    tests = load_run_images(flow)
    accuracy = torch_accuracy(model, tests.images, tests.labels)
    tensors = save({name: value.contiguous() for name, value in model.state_dict().items()})
    write_atomic(flow.folder / "train/network.safetensors", tensors)
    write_atomic(flow.folder / "train/train.json", _json({"accuracy": accuracy, "images": len(tests.images)}))
    return [flow.folder / "train/network.safetensors", flow.folder / "train/train.json"]


def _take_nir(flow: Flow) -> list[Path]:
    """A network that is not trained here; how accurate it is elsewhere is not known."""
    facts = data_facts(flow)
    place = take_nir(flow.config, flow.folder / _NIR, tuple(facts["shape"]), facts["classes"])
    write_atomic(flow.folder / "train/train.json", _json({"accuracy": None}))
    return [place, flow.folder / "train/train.json"]


def _network(flow: Flow) -> nn.Module | NirModel:
    """What the step `train` left."""
    if flow.config.nir.file:
        return load_nir(flow.config, flow.folder / _NIR)
    from safetensors.torch import load as load_tensors

    from spikeloom.sw.training.training import build

    facts = data_facts(flow)
    model = build(flow.config.train, tuple(facts["shape"]), facts["classes"])
    model.load_state_dict(load_tensors((flow.folder / "train/network.safetensors").read_bytes()))
    return model.eval()


def _convert(flow: Flow) -> list[Path]:
    from spikeloom.sw.analysis.waterfall import waterfall
    from spikeloom.sw.diagnostics.pipeline import compile_diagnosed
    from spikeloom.sw.flow.network_file import NETWORK, network_bytes

    tests = load_run_images(flow)
    validation = (tests.validation, tests.validation_labels) if needs_validation(flow.config) else None
    chip = compile_diagnosed(
        _network(flow),
        tests.calibration,
        flow.config,
        validation,
        functools.partial(flow.progress, "convert"),
        name=flow.config.name,
    )
    facts = data_facts(flow)
    chip.provenance = from_run(chip.provenance, facts["set"], facts["checksum"], trained=not flow.config.nir.file)

    def tell(stage: str, accuracy: float) -> None:
        flow.progress("convert", 0, 0, f"accuracy {accuracy:.2%} ({stage})")

    stages = waterfall(chip, tests.images, tests.labels, tell)
    place = flow.folder / "convert"
    place.mkdir(parents=True, exist_ok=True)
    found: dict[str, str | None] = {
        "strategy.json": None,  # as decision.json was called once
        "decision.json": None if chip.learnt_rule is None else decision_json(chip.learnt_rule),
        "stopping.json": None if chip.chosen_rule is None else stopping_json(chip.chosen_rule),
        "tuning.json": None if chip.tuned is None else tuned_json(chip.tuned),
        "convert.json": _json(
            {
                "waterfall": [{"stage": stage, "accuracy": value} for stage, value in stages],
            }
        ),
    }
    save(chip, place / "chip.loom")
    assert chip.network is not None
    write_atomic(flow.folder / NETWORK, network_bytes(chip.network))
    for name, text in found.items():
        if text is None:
            (place / name).unlink(missing_ok=True)  # of a run with other settings
        else:
            write_atomic(place / name, text)
    texts = (place / name for name, text in found.items() if text is not None)
    return [place / "chip.loom", flow.folder / NETWORK, *texts]


def _reference(flow: Flow) -> list[Path]:
    path = flow.folder / "reference/reference.npz"
    chip = load_compiled(flow)
    pixels = as_pixels(load_run_images(flow).images, chip.programmed, chip.provenance.calibration)
    result = run_reference(chip.programmed, pixels, progress=_counter(flow, "reference", "images"))
    save_result(path, measured(result, chip.programmed, pixels))
    return [path]


def _verilog(flow: Flow) -> list[Path]:
    from spikeloom.hw.export.synthesis import SynthesisError, cell_counts
    from spikeloom.sw.export.verilog_folder import export_files

    folder = flow.folder / "verilog"
    write_folder(writable_folder(folder, "Verilog folder"), export_files(load_compiled(flow)))
    files = {path.name: path.read_text() for path in sorted(folder.glob("*.sv"))}
    try:
        cells = cell_counts(files)
    except SynthesisError as error:
        raise ToolError(f"The cells of the Verilog in '{folder}' cannot be counted: {error}") from error
    write_atomic(flow.folder / "synthesis/cells.json", _json({"cells": cells}))
    return [folder, flow.folder / "synthesis/cells.json"]


def _cosim(flow: Flow) -> list[Path]:
    section = flow.config.cosim
    tests, programmed = load_run_images(flow), load_compiled(flow).programmed
    count = section.images or len(tests.images)
    facts = [sources_digest(_COSIMULATE), section.simulator, _digest(flow.folder / "convert/chip.loom")]
    chunks = flow.folder / "chunks" / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    result, comparison = cosimulate(
        programmed,
        tests.images[:count],
        simulator=section.simulator,
        trace_images=section.traced,
        waves=flow.folder / "waves" if section.waves else None,
        chunks=chunks,
        through_bus=section.through_bus,
        progress=_counter(flow, "cosim", "images"),
    )
    result = measured(result, programmed, tests.images[:count], section.simulator, comparison["through_bus"])
    compared(load_result(flow.folder / "reference/reference.npz")[0], result)
    save_result(flow.folder / "cosim/rtl.npz", result, comparison["values_compared"])
    write_atomic(flow.folder / "cosim/comparison.json", _json(comparison))
    return [flow.folder / "cosim/rtl.npz", flow.folder / "cosim/comparison.json"]


def _report(flow: Flow) -> list[Path]:
    from spikeloom.sw.common.readable import si
    from spikeloom.sw.report.content import ReportContent
    from spikeloom.sw.report.report import write_report
    from spikeloom.sw.report.standard_cells import above_highest_clock, read_standard_cells

    known = {name: flow.current(name) for name in ("train", "convert", "reference", "verilog", "cosim")}
    if not known["convert"]:
        raise FileError(f"There is nothing to report in '{flow.folder}': run the steps up to 'convert' first")
    tests, chip = load_run_images(flow), load_compiled(flow)
    programmed, config = chip.programmed, flow.config
    if flow.energy is not None:
        programmed = replace(programmed, energy=flow.energy)
        config = config.model_copy(update={"energy": flow.energy})
    converted = json.loads((flow.folder / "convert/convert.json").read_text())
    cells = json.loads((flow.folder / "synthesis/cells.json").read_text())["cells"] if known["verilog"] else None
    reference = load_result(flow.folder / "reference/reference.npz")[0] if known["reference"] else None
    rtl = load_result(flow.folder / "cosim/rtl.npz")[0] if known["cosim"] else None
    comparison = json.loads((flow.folder / "cosim/comparison.json").read_text()) if known["cosim"] else None
    check_measured(chip.programmed, tests.images, reference, rtl)
    found = read_standard_cells(flow.folder, programmed)
    if (highest_Hz := above_highest_clock(found)) is not None:
        warn(
            f"The chip's clock, {si(programmed.clock_Hz, 'Hz')}, is above the highest clock of its netlist in "
            f"'{flow.folder}', {si(highest_Hz, 'Hz')}, so that its latencies and energies cannot be had in these "
            "cells: lower [hardware] clock_Hz, or run spikeloom synth with another library or --clock"
        )
    content = ReportContent(
        chip=programmed,
        images=tests.images,
        labels=tests.labels,
        learnt_rule=chip.learnt_rule,
        chosen_rule=chip.chosen_rule,
        tuned=chip.tuned,
        notes=chip.notes,
        reference=reference,
        rtl=rtl,
        comparison=comparison,
        accuracy_ann=json.loads((flow.folder / "train/train.json").read_text())["accuracy"],
        waterfall=converted["waterfall"],
        cells=cells,
        standard_cells=found,
        lifetime=load_lifetime(flow),
        diagnosis=chip.findings,
        config=config,
        measured_on=run_image_set(flow),
        provenance=chip.provenance,
    )
    page = write_report(flow.folder / "report", content)
    return [page, page.with_name("summary.json")]


def _json(values: Any) -> str:
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sections(*names: str) -> Callable[[Flow], Any]:
    return lambda flow: {name: flow.config.model_dump(mode="json")[name] for name in names}


def _data_facts(flow: Flow) -> Any:
    place = None if flow.data is None else str(flow.data.resolve())
    return [_sections("data")(flow), place, file_digests(data_files(flow.config.data.set, flow.data))]


def _train_facts(flow: Flow) -> Any:
    from spikeloom.sw.training.given_network import weights_facts

    return [_sections("data", "train", "seed")(flow), nir_facts(flow.config), weights_facts(flow.config.train)]


def _report_facts(flow: Flow) -> Any:
    energy = flow.config.energy if flow.energy is None else flow.energy
    return {**flow.config.model_dump(mode="json"), "energy": energy.model_dump(mode="json")}


_CHIP = (
    *("name", "seed", "convert", "tuning", "coding", "neuron", "decision", "learning", "crossbar", "device"),
    *("programming", "energy", "hardware"),
)

STEPS = (
    Step("data", "reading the data set", (), (source_of(_data),), _data_facts, _data),
    Step("train", "training the network", ("data",), (source_of(_train),), _train_facts, _train),
    Step(
        "convert",
        "converting it to a chip",
        ("data", "train"),
        (source_of(_convert),),
        _sections(*_CHIP, "train", "nir"),
        _convert,
    ),
    Step(
        "reference",
        "integer reference",
        ("data", "convert"),
        (source_of(_reference),),
        _sections("seed"),
        _reference,
    ),
    Step(
        "verilog",
        "writing Verilog, counting cells",
        ("convert",),
        (source_of(_verilog),),
        _sections("name"),
        _verilog,
        partial=("synthesis",),
    ),
    Step(
        "cosim",
        "running the Verilog",
        ("data", "convert", "reference"),
        (source_of(_cosim),),
        _sections("cosim"),
        _cosim,
        partial=("chunks", "waves"),
    ),
    Step(
        "report",
        "writing the report",
        ("data", "train", "convert", "reference", "verilog", "cosim"),
        (source_of(_report),),
        _report_facts,
        _report,
    ),
)


def make_flow(config: Config, folder: Path | None = None, data: Path | None = None, fresh: bool = False) -> Flow:
    """The standard flow of a configuration, in `build/<name>` unless told otherwise; `fresh` starts from nothing.

    Raises `ConfigError` if something is to be learned or tuned and no validation images are kept for it.
    """
    config = Config.load(config)
    check_validation(config, config.data.validation_images > 0, "set [data] validation_images")
    place = folder if folder is not None else Path("build") / config.name
    flow = Flow(config, place, with_lifetime(STEPS, config), data=data)
    if fresh:
        flow.clear()
    return flow
