"""The experiment as a flow of steps."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from spikeloom.sw.common.sources import source_of
from spikeloom.sw.experiments.weighted_spikes import chips, measures
from spikeloom.sw.experiments.weighted_spikes.cases import full, quick
from spikeloom.sw.experiments.weighted_spikes.experiment import Experiment
from spikeloom.sw.experiments.weighted_spikes.page import write_page
from spikeloom.sw.experiments.winner_k.parts import PARTS
from spikeloom.sw.flow.flow import Flow, Step

__all__ = ["OUTPUT", "make_flow", "make_steps"]

OUTPUT = Path("build/paper/weighted-spikes")
"""Where the last run's results lie, and the folders of runs."""

Work = Callable[[Experiment, Flow], Iterable[Path]]


def make_steps(experiment: Experiment) -> tuple[Step, ...]:
    """The steps, in order."""

    def step(name: str, title: str, needs: tuple[str, ...], work: Work, kept: tuple[str, ...] = ()) -> Step:
        return Step(
            name,
            title,
            needs,
            (source_of(work),),
            lambda flow: experiment.facts() | {"missing": _missing(experiment)},
            functools.partial(work, experiment),
            (f"{PARTS}/{name}", *kept),
        )

    return (
        step("train", "the networks", (), chips.train_networks),
        step("record", "running all images", ("train",), chips.record_cases, ("recordings",)),
        step("measure", "rows and figures", ("train", "record"), measures.measure),
        step("page", "results and page", ("train", "measure"), write_page),
    )


def _missing(experiment: Experiment) -> list[str]:
    """Networks whose data is not there."""
    return [network.name for network in experiment.scale.networks if experiment.missing(network) is not None]


def make_flow(
    output: Path | None = None, data: Path | None = None, small: bool = False, fresh: bool = False
) -> tuple[Experiment, Flow]:
    """The experiment and its flow, in the folder `full` or `quick` of the output; `fresh` starts from nothing."""
    experiment = Experiment(quick() if small else full(), data)
    place = (OUTPUT if output is None else output) / ("quick" if small else "full")
    flow = Flow(experiment.scale.networks[0].config, place, make_steps(experiment), data=data)
    if fresh:
        flow.clear()
    return experiment, flow
