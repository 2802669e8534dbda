"""Steps `train` and `record`: the networks, and what their chips do in every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.analysis.waterfall import ideal_cells
from spikeloom.sw.common.errors import DataError
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import source_of
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.compiler.pipeline import compile_model
from spikeloom.sw.experiments.weighted_spikes.cases import Case, Network
from spikeloom.sw.experiments.weighted_spikes.experiment import SETS, Experiment
from spikeloom.sw.experiments.weighted_spikes.recordings import record
from spikeloom.sw.experiments.winner_k.parts import Parts, plain
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.training.example_networks import TRAINED

__all__ = ["compile_case", "programmed_case", "record_cases", "train_networks"]


def train_networks(experiment: Experiment, flow: Flow) -> list[Path]:
    """Take or train every network whose data is there, and test it; say of the others why it is not."""
    from safetensors.torch import save

    from spikeloom.sw.frontend.plain_torch import torch_classes
    from spikeloom.sw.training.training import train

    networks = experiment.scale.networks
    parts = Parts(flow, "train", (source_of(train_networks),), len(networks))
    found: dict[str, Any] = {}
    paths = []
    for network in networks:
        why = experiment.missing(network)
        if why is not None:
            found[network.name] = {"missing": why}
            continue
        path, data = experiment.network_path(flow, network), experiment.training(network)

        def work(network=network, path=path, data=data):  # type: ignore[no-untyped-def]
            def tell(done: int, total: int, text: str) -> None:
                parts.tell(f"{network.name}: epoch {done} of {total}, {text}")

            model = train(network.config.train, data, network.config.seed, tell)
            write_atomic(path, save({name: value.contiguous() for name, value in model.state_dict().items()}))
            right = {}
            for which in SETS:
                images = experiment.images(network, which)
                classes = torch_classes(model, images.pixels)
                right[which] = {"images": len(images), "right": int(np.count_nonzero(classes == images.labels))}
            return right

        facts = [network.config.model_dump(mode="json"), network.tests, network.validation, data.checksum()]
        given = network.config.train.weights
        found[network.name] = {
            "missing": None,
            "weights": "trained for this run, or taken from the cache of trained networks"
            if given == TRAINED
            else f"{given}: a trained network that comes with SpikeLoom",
            "data": data.name,
            "training_images": len(data.train_images),
            **parts.get(network.name, facts, [], work, (path,)),
        }
        paths.append(path)
    if not paths:
        reasons = "; ".join(dict.fromkeys(each["missing"] for each in found.values()))
        raise DataError(
            f"None of the data sets can be read: {reasons}. `spikeloom paper weighted-spikes --quick` needs no data"
        )
    summary = flow.folder / "networks/networks.json"
    write_atomic(summary, plain(found))
    return [*paths, summary]


def compile_case(experiment: Experiment, flow: Flow, case: Case) -> Compiled:
    """The chip of a case."""
    network = experiment.scale.network(case.network)
    data, config = experiment.training(network), experiment.scale.config(case)
    model = _load(experiment, flow, network)
    return compile_model(model, data.train_images[: config.data.calibration_images], config)[0]


def programmed_case(experiment: Experiment, flow: Flow, case: Case) -> ProgrammedChip:
    """Its programming, with the cells of the case."""
    own = compile_case(experiment, flow, case).programmed
    return ideal_cells(own) if case.cells == "ideal" else own


def _load(experiment: Experiment, flow: Flow, network: Network) -> nn.Sequential:
    """A trained network, in evaluation mode."""
    from safetensors.torch import load

    from spikeloom.sw.training.training import build, train

    section, data = network.config.train, experiment.training(network)
    if section.weights != TRAINED:
        return train(section, data, network.config.seed)
    model = build(section, data.shape, data.classes)
    model.load_state_dict(load(experiment.network_path(flow, network).read_bytes()))
    return model.eval()


def record_cases(experiment: Experiment, flow: Flow) -> list[Path]:
    """Run the images of every case to its T_max, a part of `Scale.chunk` images at a time."""
    scale = experiment.scale
    todo = [
        (case, which, start)
        for network in scale.networks
        if experiment.missing(network) is None
        for case in scale.cases_of(network.name)
        for which in (SETS if case.early else SETS[:1])
        for start in range(0, len(experiment.images(network, which)), scale.chunk)
    ]
    parts = Parts(flow, "record", (source_of(record_cases),), len(todo))
    chips: dict[Case, ProgrammedChip] = {}
    paths = []
    for case, which, start in todo:
        network = scale.network(case.network)
        path = experiment.recording_path(flow, case, which, start)
        pixels = experiment.images(network, which).pixels[start : start + scale.chunk]

        def work(case=case, which=which, start=start, path=path, pixels=pixels):  # type: ignore[no-untyped-def]
            if case not in chips:
                chips.clear()  # the largest of them are not held longer than needed
                chips[case] = programmed_case(experiment, flow, case)
            ids: NDArray[np.int64] = np.arange(start, start + len(pixels))

            def tell(done: int, total: int) -> None:
                parts.tell(f"{case.slug}, {which}: image {start + done} of {start + total} and on")

            write_atomic(path, record(chips[case], pixels, ids, tell).to_bytes())
            return {"images": len(pixels)}

        facts = [scale.config(case).model_dump(mode="json"), case.facts(), which, start, len(pixels)]
        parts.get(f"{case.slug}-{which}-{start}", facts, [experiment.network_path(flow, network)], work, (path,))
        paths.append(path)
    return paths
