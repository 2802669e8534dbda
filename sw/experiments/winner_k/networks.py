"""Steps `data` and `train`: the images, and the two networks of every seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import source_of
from spikeloom.sw.experiments.winner_k.cases import NETWORKS
from spikeloom.sw.experiments.winner_k.experiment import Experiment
from spikeloom.sw.experiments.winner_k.parts import Parts, plain
from spikeloom.sw.flow.flow import Flow

__all__ = ["load_network", "other_network", "read_data", "train_networks"]


def read_data(experiment: Experiment, flow: Flow) -> list[Path]:
    """Read the data set; leave what it is."""
    data, training = experiment.dataset(), experiment.training()
    facts = {
        "set": data.name,
        "shape": list(data.shape),
        "classes": data.classes,
        "checksum": data.checksum(),
        "training_images": len(training.train_images),
        "validation_images": len(experiment.validation()),
        "test_images": len(data.test_images),
    }
    path = flow.folder / "data/data.json"
    write_atomic(path, plain(facts))
    return [path]


def train_networks(experiment: Experiment, flow: Flow) -> list[Path]:
    """Train both networks of every seed, and test them."""
    from safetensors.torch import save

    from spikeloom.sw.frontend.plain_torch import torch_accuracy
    from spikeloom.sw.training.training import train

    data, tests, validation = experiment.training(), experiment.tests(), experiment.validation()
    parts = Parts(flow, "train", (source_of(train_networks),), len(experiment.seeds) * len(NETWORKS))
    results, paths = [], []
    for seed in experiment.seeds:
        for network in NETWORKS:
            config = experiment.scale.network(network, seed)
            path = experiment.network_path(flow, network, seed)
            name = f"{network}-{seed}"

            def work(config=config, path=path, name=name, seed=seed, network=network):  # type: ignore[no-untyped-def]
                def tell(done: int, total: int, text: str) -> None:
                    parts.tell(f"{name}: epoch {done} of {total}, {text}")

                model = train(config.train, data, seed, tell)
                tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
                write_atomic(path, save(tensors))
                return {
                    "network": network,
                    "seed": seed,
                    "accuracy": torch_accuracy(model, tests.pixels, tests.labels),
                    "accuracy_validation": torch_accuracy(model, validation.pixels, validation.labels),
                }

            facts = [config.train.model_dump(mode="json"), seed]
            results.append(parts.get(name, facts, [flow.folder / "data/data.json"], work, (path,)))
            paths.append(path)
    summary = flow.folder / "networks/networks.json"
    write_atomic(summary, plain(results))
    return [*paths, summary]


def load_network(experiment: Experiment, flow: Flow, network: str, seed: int) -> nn.Sequential:
    """A trained network, in evaluation mode."""
    from safetensors.torch import load

    from spikeloom.sw.training.training import build

    data = experiment.dataset()
    model = build(experiment.scale.network(network, seed).train, data.inputs, data.classes)
    model.load_state_dict(load(experiment.network_path(flow, network, seed).read_bytes()))
    return model.eval()


def other_network(
    experiment: Experiment, flow: Flow, network: str, seed: int, changes: dict[str, Any]
) -> nn.Sequential:
    """A network trained with changes to its table [train]; the trained one if there are none."""
    if not changes:
        return load_network(experiment, flow, network, seed)
    from spikeloom.sw.training.training import train

    config = experiment.scale.network(network, seed).updated({"train": changes})
    return train(config.train, experiment.training(), seed)
