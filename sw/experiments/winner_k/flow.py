"""The experiment as a flow of steps, and the publication of its results."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from spikeloom.sw.common.sources import source_of
from spikeloom.sw.experiments.winner_k import chips, lifetimes, networks, sensitivity, static, verilog
from spikeloom.sw.experiments.winner_k.experiment import Experiment
from spikeloom.sw.experiments.winner_k.page import write_page
from spikeloom.sw.experiments.winner_k.parts import FOLDER, PARTS
from spikeloom.sw.experiments.winner_k.scale import full, quick
from spikeloom.sw.flow.flow import Flow, Step

__all__ = ["OUTPUT", "make_flow", "make_steps", "publish"]

OUTPUT = Path("build/paper/winner-k")
"""Where the last run's results lie, and the folders of runs."""

Work = Callable[[Experiment, Flow], Iterable[Path]]


def make_steps(experiment: Experiment) -> tuple[Step, ...]:
    """The steps, in order."""

    def step(name: str, title: str, needs: tuple[str, ...], work: Work) -> Step:
        kept = [f"{PARTS}/{name}", *(["chunks"] if name == "verilog" else [])]
        return Step(
            name,
            title,
            needs,
            (source_of(work),),
            lambda flow: experiment.facts(),
            functools.partial(work, experiment),
            tuple(kept),
        )

    return (
        step("data", "reading the data set", (), networks.read_data),
        step("train", "training the networks", ("data",), networks.train_networks),
        step("chips", "learning, tuning, converting", ("data", "train"), chips.make_chips),
        step("motivation", "Figures 3 and 4", ("data", "train"), static.measure_motivation),
        step("static", "accuracy and steps", ("data", "chips"), static.measure_static),
        step("lifetime", "lifetimes", ("data", "chips"), lifetimes.measure_lifetimes),
        step("sensitivity", "open assumptions", ("data", "train"), sensitivity.measure_sensitivity),
        step("verilog", "running the Verilog", ("data", "chips"), verilog.run_verilog),
        step(
            "page",
            "results and page",
            ("data", "train", "chips", "motivation", "static", "lifetime", "sensitivity", "verilog"),
            write_page,
        ),
    )


def make_flow(
    output: Path | None = None,
    data: Path | None = None,
    seeds: int | None = None,
    small: bool = False,
    fresh: bool = False,
) -> tuple[Experiment, Flow]:
    """The experiment and its flow, in the folder `full` or `quick` of the output; `fresh` starts from nothing.

    seeds : how many, 1, 2, ...; by default 5, or 2 if `small`
    """
    count = seeds if seeds is not None else (2 if small else 5)
    experiment = Experiment(quick() if small else full(), tuple(range(1, count + 1)), data)
    place = (OUTPUT if output is None else output) / ("quick" if small else "full")
    flow = Flow(experiment.scale.base, place, make_steps(experiment), data=data)
    if fresh:
        flow.clear()
    return experiment, flow


def publish(flow: Flow) -> Path:
    """Copy what the step `page` left into the output's own folder, all or nothing; return the page."""
    from spikeloom.sw.common.files import write_together

    source, target = flow.folder / FOLDER, flow.folder.parent
    files = {
        path.relative_to(source).as_posix(): path.read_bytes() for path in sorted(source.rglob("*")) if path.is_file()
    }
    write_together(target, files)
    return target / "index.html"
